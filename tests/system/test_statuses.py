"""The contract's table of statuses: every row, for every function that it concerns."""

import base64
import json
import time

import pytest

from platforms import Letter, flipped
from platforms.dingtalk import App
from platforms.opencard import Key, with_segment
from servers import PROVIDERS


def refused(letterbox, queues, provider, letter, status, **how):
    response = letterbox.send(provider, letter, **how)
    assert response.status_code == status, response.text
    assert queues[provider].drain() == []
    return response


def without(letter, parameter):
    kept = [pair for pair in letter.query.split("&") if not pair.startswith(f"{parameter}=")]
    return letter.but(query="&".join(kept))


def with_value(letter, parameter, change):
    """Changes the value of a query parameter under all names that a signature has."""
    names = ["msg_signature", "signature"] if parameter == "signature" else [parameter]
    pairs = [pair.split("=", 1) for pair in letter.query.split("&")]
    return letter.but(
        query="&".join(f"{name}={change(value) if name in names else value}" for name, value in pairs)
    )


def as_bytes(letter):
    """Under a text type the emulated gateway itself answers 500 to what is no UTF-8."""
    return letter.with_headers(Content_Type="application/octet-stream")


# --- 400 ---------------------------------------------------------------------------------------------------------

MALFORMED = {
    "dingtalk": {
        "no signature": (
            lambda app: without(without(app.letter(), "signature"), "msg_signature"),
            "msg_signature",
        ),
        "no timestamp": (lambda app: without(app.letter(), "timestamp"), "timestamp"),
        "no nonce": (lambda app: without(app.letter(), "nonce"), "nonce"),
        "no encrypt": (lambda app: app.letter().but(body=b'{"Encrypt":"x"}'), "encrypt"),
        "encrypt of another type": (lambda app: app.letter().but(body=b'{"encrypt":["x"]}'), "encrypt"),
        "two encrypts": (lambda app: app.letter().but(body=b'{"encrypt":"x","encrypt":"y"}'), "encrypt"),
        "body is no JSON": (lambda app: app.letter().but(body=b"encrypt=x"), None),
        "payload is no JSON": (lambda app: app.letter("payload!"), None),
        "payload is no object": (lambda app: app.letter('["check_url"]'), None),
        "payload without a type": (lambda app: app.letter('{"CorpId":"c"}'), "EventType"),
        "type of another type": (lambda app: app.letter('{"EventType":{"a":1}}'), "EventType"),
        "doubled type": (lambda app: app.letter('{"EventType":"a","EventType":"check_url"}'), "EventType"),
        "payload is not UTF-8": (
            lambda app: app.post(app.encrypt(app.enclose(b'{"EventType":"t","x":"\xff"}'))),
            None,
        ),
    },
    "opencard": {
        "four segments": (lambda key: key.letter().but(body=key.letter().body.rsplit(b".", 1)[0]), None),
        "six segments": (lambda key: key.letter().but(body=key.letter().body + b".AAAA"), None),
        "JSON form": (lambda key: key.letter().but(body=b'{"protected":"x","ciphertext":"y"}'), None),
        "header is no JSON": (lambda key: with_segment(key.letter(), 0, lambda _: b"x"), None),
        "header is no object": (lambda key: with_segment(key.letter(), 0, lambda _: b"[]"), None),
        "doubled kid": (
            lambda key: with_segment(key.letter(), 0, lambda old: old[:-1] + b',"kid":"0"}'),
            None,
        ),
        "alg is another": (lambda key: key.letter(alg="A256KW"), "alg"),
        "alg is dir": (lambda key: key.letter(alg="dir"), "alg"),
        "enc is another": (lambda key: key.letter(enc="A128GCM"), "enc"),
        "no alg": (lambda key: with_header(key, alg=None), "alg"),
        "zip": (lambda key: key.letter(zip="DEF"), "zip"),
        "crit": (lambda key: with_header(key, crit=["rid"]), "crit"),
        "padded base64": (lambda key: key.letter().but(body=key.letter().body + b"=="), None),
    },
    "github": {
        "no event": (lambda hook: hook.letter().with_headers(X_GitHub_Event=None), "X-GitHub-Event"),
        "payload is no JSON": (lambda hook: hook.letter(b"{"), None),
        "payload is no object": (lambda hook: hook.letter(b'"text"'), None),
        "payload is not UTF-8": (lambda hook: as_bytes(hook.letter(b'{"a":"\xff"}')), None),
        "empty body": (lambda hook: hook.letter(b""), None),
        "form without payload": (
            lambda hook: hook.letter(b"payloads=%7B%7D").with_headers(
                Content_Type="application/x-www-form-urlencoded"
            ),
            None,
        ),
        "form with two payloads": (
            lambda hook: hook.letter(b"payload=%7B%7D&payload=%7B%7D").with_headers(
                Content_Type="application/x-www-form-urlencoded"
            ),
            "payload",
        ),
    },
    "payment": {
        "payload is no JSON": (lambda service: service.letter(b"event_type=payment_success"), None),
        "payload is no object": (lambda service: service.letter(b"[]"), None),
        "payload is not UTF-8": (lambda service: as_bytes(service.letter(b'{"event_type":"\xff"}')), None),
        "empty body": (lambda service: service.letter(b""), None),
        "no type": (lambda service: service.letter(b'{"transaction_id":"t"}'), "event_type"),
        "type is null": (lambda service: service.letter(b'{"event_type":null}'), "event_type"),
        "type of another type": (lambda service: service.letter(b'{"event_type":["a"]}'), "event_type"),
    },
}


def with_header(key, **members):
    """A token whose protected header was changed behind its maker's back."""

    def change(old):
        merged = {name: value for name, value in (json.loads(old) | members).items() if value is not None}
        return json.dumps(merged).encode()

    return with_segment(key.letter(), 0, change)


def cases(table):
    return [
        pytest.param(provider, case, id=f"{provider}-{case}")
        for provider in table
        for case in table[provider]
    ]


@pytest.mark.parametrize("provider, case", cases(MALFORMED))
def test_malformed_is_400_and_names_the_field(letterbox, queues, senders, provider, case):
    letter, field = MALFORMED[provider][case]
    response = refused(letterbox, queues, provider, letter(senders.of(provider)), 400)
    assert list(response.json()) == ["error"]
    error = response.json()["error"]
    if field:
        assert error.lower().startswith(field.lower() + ": "), error


# --- 401 ---------------------------------------------------------------------------------------------------------


def flip(position):
    def change(content):
        at = position % len(content)
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

    return change


def sealed(app, **how):
    return app.post(app.encrypt(app.enclose(b'{"EventType":"t"}', **how)))


def repadded(app, change):
    plain = app.enclose(b'{"EventType":"t"}')
    return app.post(app.encrypt(change(plain)))


def stale(seconds):
    return str(int((time.time() - seconds) * 1000))


UNAUTHORIZED = {
    "dingtalk": {
        "wrong signature": lambda app: with_value(app.letter(), "signature", flipped),
        "signature too short": lambda app: with_value(app.letter(), "signature", lambda value: value[:-1]),
        "signature is no hex": lambda app: with_value(app.letter(), "signature", lambda value: "签名"),
        "another timestamp": lambda app: with_value(app.letter(), "timestamp", flipped),
        "another nonce": lambda app: with_value(app.letter(), "nonce", flipped),
        "another token": lambda app: App("another", app.aes_key, app.owner_key).letter(),
        "another key": lambda app: App(app.token, App.new("x").aes_key, app.owner_key).letter(),
        "body of another delivery": lambda app: app.letter().but(body=app.letter().body),
        "encrypt is no base64": lambda app: app.post("!" * 64),
        "encrypt without its padding": lambda app: app.post(base64.b64encode(b"x" * 32).decode().rstrip("=")),
        "no whole block": lambda app: app.post(base64.b64encode(b"x" * 33).decode()),
        "one block": lambda app: app.post(base64.b64encode(b"x" * 16).decode()),
        "noise": lambda app: app.post(base64.b64encode(b"x" * 64).decode()),
        "padding of zero": lambda app: repadded(app, lambda plain: plain[:-1] + b"\0"),
        "padding of 33": lambda app: repadded(app, lambda plain: plain[:-1] + b"\x21"),
        "padding of unequal bytes": lambda app: repadded(app, lambda plain: plain[:-2] + b"\0" + plain[-1:]),
        "length beyond the end": lambda app: sealed(app, length=1000),
        "length of all ones": lambda app: sealed(app, length=0xFFFFFFFF),
    },
    "opencard": {
        "unknown kid": lambda key: key.letter(kid="9"),
        "no kid": lambda key: key.letter(kid=None),
        "kid is a number": lambda key: key.letter(kid=0),
        "empty kid": lambda key: key.letter(kid=""),
        "another key": lambda key: Key.new(key.kid).letter(),
        "key changed": lambda key: with_segment(key.letter(), 1, flip(3)),
        "no key": lambda key: with_segment(key.letter(), 1, lambda _: b""),
        "key that unwraps to nothing": lambda key: with_segment(key.letter(), 1, lambda _: b"\xa6" * 8),
        "key too long": lambda key: with_segment(key.letter(), 1, lambda old: old + b"\0" * 8),
        "vector changed": lambda key: with_segment(key.letter(), 2, flip(0)),
        "text changed": lambda key: with_segment(key.letter(), 3, flip(0)),
        "text cut by a block": lambda key: with_segment(key.letter(), 3, lambda old: old[:-16]),
        "tag changed": lambda key: with_segment(key.letter(), 4, flip(15)),
        "header changed": lambda key: with_header(key, rid="another"),
        "text of another token": lambda key: with_segment(
            key.letter(), 3, lambda _: base64.urlsafe_b64decode(key.letter().body.split(b".")[3] + b"==")
        ),
    },
    "github": {
        "no signature": lambda hook: hook.letter().with_headers(X_Hub_Signature_256=None),
        "empty signature": lambda hook: hook.letter().with_headers(X_Hub_Signature_256=""),
        "no prefix": lambda hook: signed_by(hook, lambda value: value.removeprefix("sha256=")),
        "another prefix": lambda hook: signed_by(hook, lambda value: value.replace("sha256", "sha512")),
        "no hex": lambda hook: signed_by(hook, lambda value: "sha256=" + "x" * 64),
        "prefix alone": lambda hook: signed_by(hook, lambda value: "sha256="),
        "one digit less": lambda hook: signed_by(hook, lambda value: value[:-1]),
        "two digits less": lambda hook: signed_by(hook, lambda value: value[:-2]),
        "one digit changed": lambda hook: signed_by(hook, flipped),
        "not ASCII": lambda hook: signed_by(hook, lambda value: "sha256=é".encode()),
        "body changed": lambda hook: hook.letter().but(body=hook.letter().body + b" "),
        "SHA-1": lambda hook: hook.letter(method="sha1"),
        "no JSON, unsigned": lambda hook: Letter(b"{"),
    },
    "payment": {
        "no signature": lambda service: service.letter().with_headers(X_Signature=None),
        "empty signature": lambda service: service.letter().with_headers(X_Signature=""),
        "no hex": lambda service: service.letter().with_headers(X_Signature="x" * 64),
        "a prefix": lambda service: service.letter().with_headers(
            X_Signature="sha256=" + service.letter().headers["X-Signature"]
        ),
        "one digit changed": lambda service: service.letter().with_headers(
            X_Signature=flipped(service.letter().headers["X-Signature"])
        ),
        "not ASCII": lambda service: service.letter().with_headers(X_Signature="é".encode()),
        "body changed": lambda service: service.letter().but(body=service.letter().body + b" "),
        "empty body, unsigned": lambda service: Letter(b""),
    },
}


def signed_by(hook, change):
    letter = hook.letter()
    return letter.with_headers(X_Hub_Signature_256=change(letter.headers["X-Hub-Signature-256"]))


@pytest.fixture(scope="module")
def answers():
    """The answer to the first 401 of each function: all others must read the same."""
    return {}


@pytest.mark.parametrize("provider, case", cases(UNAUTHORIZED))
def test_unauthorized_is_401_and_always_the_same(letterbox, queues, senders, answers, provider, case):
    letter = UNAUTHORIZED[provider][case](senders.of(provider))
    response = refused(letterbox, queues, provider, letter, 401)
    headers = {name: value for name, value in response.headers.items() if name.lower() != "date"}
    assert answers.setdefault(provider, (response.content, headers)) == (response.content, headers)


STALE = {
    "dingtalk-old": ("dingtalk", "fresh", lambda app: app.letter(timestamp=stale(120))),
    "dingtalk-ahead": ("dingtalk", "fresh", lambda app: app.letter(timestamp=stale(-120))),
    "dingtalk-seconds": ("dingtalk", "fresh", lambda app: app.letter(timestamp=stale(120)[:-3])),
    "dingtalk-no number": ("dingtalk", "fresh", lambda app: app.letter(timestamp="soon")),
    "dingtalk-huge": ("dingtalk", "fresh", lambda app: app.letter(timestamp="9" * 30)),
    "stripe-old": ("payment", "stripe", lambda service: service.letter(now=time.time() - 400)),
    "stripe-ahead": ("payment", "stripe", lambda service: service.letter(now=time.time() + 400)),
    "paddle-old": ("payment", "paddle", lambda service: service.letter(now=time.time() - 400)),
    "standard-webhooks-old": (
        "payment",
        "standard-webhooks",
        lambda service: service.letter(now=time.time() - 400),
    ),
    "standard-webhooks-without id": (
        "payment",
        "standard-webhooks",
        lambda service: service.letter().with_headers(Webhook_Id=None),
    ),
    "standard-webhooks-without time": (
        "payment",
        "standard-webhooks",
        lambda service: service.letter().with_headers(Webhook_Timestamp=None),
    ),
    "stripe-without time": (
        "payment",
        "stripe",
        lambda service: service.letter().with_headers(
            Stripe_Signature=service.letter().headers["Stripe-Signature"].split(",")[1]
        ),
    ),
}


@pytest.mark.parametrize("case", STALE)
def test_stale_is_401_like_the_rest(letterbox, queues, senders, case):
    provider, source, letter = STALE[case]
    sender = senders.of(provider, source)
    response = refused(letterbox, queues, provider, letter(sender), 401, source=source)
    unsigned = letterbox.send(provider, Letter(b"{}", query="signature=x&timestamp=1&nonce=n"), source)
    if provider == "payment":
        assert response.content == unsigned.content


# --- 403, 404, 405, 413 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner_key", ["", "ding", "dingabcdefgh12345679", "DINGABCDEFGH12345678", "x" * 500])
def test_another_owner_key_is_403(letterbox, queues, senders, owner_key):
    app = senders.of("dingtalk")
    assert app.owner_key != owner_key
    letter = sealed(app, owner_key=owner_key)
    refused(letterbox, queues, "dingtalk", letter, 403)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("source", ["nobody", "DEFAULT", "%2e%2e", "a%2Fb", "%00", "中", "x" * 300])
def test_unknown_source_is_404(letterbox, queues, senders, provider, source):
    refused(letterbox, queues, provider, senders.of(provider).letter(), 404, source=source)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_405(letterbox, queues, senders, provider, method):
    response = refused(letterbox, queues, provider, senders.of(provider).letter(), 405, method=method)
    assert response.headers["Allow"] == "POST"


TOO_LARGE = 6 * 1024 * 1024 + 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_too_large_is_413(letterbox, queues, senders, provider):
    letter = senders.of(provider).letter().but(body=b"x" * TOO_LARGE)
    refused(letterbox, queues, provider, letter, 413)


@pytest.mark.parametrize("provider", ["github", "payment"])
def test_signed_and_larger_than_a_queue_message_is_413(letterbox, queues, senders, provider):
    filler = b"x" * (1024 * 1024)
    letter = senders.of(provider).letter(b'{"event_type":"a","x":"' + filler + b'"}')
    refused(letterbox, queues, provider, letter, 413)


@pytest.mark.parametrize("provider", ["github", "payment"])
def test_nearly_as_large_as_a_queue_message_is_queued(letterbox, queues, senders, provider):
    filler = b"x" * (1000 * 1024)
    letter = senders.of(provider).letter(b'{"event_type":"a","x":"' + filler + b'"}')
    assert letterbox.send(provider, letter).status_code == 202
    assert len(queues[provider].one()["Body"]) > len(filler)
