"""Invalid input of every kind: a 4xx, no message, and the function continues."""

import base64
import json

import pytest

import messages
from platforms import PLATFORMS, SentRequest
from platforms.dingtalk import query_of
from servers import PROVIDERS

DEEP = 100_000
SIX_MB = 6 * 1024 * 1024

BODIES = {
    "empty": b"",
    "binary": bytes(range(256)) * 8,
    "zeros": b"\0" * 1000,
    "six MB": b"x" * SIX_MB,
    "six MB of JSON": b'{"encrypt":"' + b"A" * (SIX_MB - 14) + b'"}',
    "deep array": b"[" * DEEP + b"]" * DEEP,
    "deep object": b'{"encrypt":' * DEEP + b"1" + b"}" * DEEP,
    "deep and open": b"[" * DEEP,
    "dots": b"." * 4,
    "many dots": b"." * 100_000,
    "null": b"null",
    "number": b"1e999",
    "numbers for texts": b'{"encrypt":1,"event_type":2,"EventType":3}',
    "objects for texts": b'{"encrypt":{"encrypt":"x"},"event_type":{}}',
    "null for text": b'{"encrypt":null}',
    "empty text": b'{"encrypt":""}',
    "lone surrogate": b'{"encrypt":"\\ud800"}',
    "byte order mark": b'\xef\xbb\xbf{"encrypt":"x"}',
    "UTF-16": '{"encrypt":"x"}'.encode("utf-16"),
    "form": b"payload=%7B%7D&payload=%ff%00",
}

QUERIES = {
    "none": "",
    "usual": query_of({"msg_signature": "0" * 40, "timestamp": "1", "nonce": "n"}),
    "no text": "msg_signature=%ff%fe&timestamp=%00&nonce=%c3%28",
    "half escapes": "msg_signature=%&timestamp=%2&nonce=%zz",
    "names alone": "msg_signature&timestamp&nonce",
    "long": f"msg_signature={'0' * 20_000}&timestamp={'1' * 20_000}&nonce={'n' * 20_000}",
    "many": "&".join(f"a{n}=1" for n in range(5000)),
}


@pytest.fixture
def sent(letterbox, queues):
    """Sends a request that must be refused, and checks that nothing was queued."""

    def sent(provider, request, source=None):
        response = letterbox.send(provider, request, source)
        assert 400 <= response.status_code < 500, (response.status_code, response.text)
        assert queues[provider].drain() == []
        letterbox.expect_sound()
        return response

    return sent


@pytest.fixture
def still_works(letterbox, queues, senders):
    """After the test, the function accepts a valid request."""
    providers = []
    yield providers.append
    for provider in providers:
        request = senders.of(provider).build_request()
        senders.of(provider).acknowledged(letterbox.send(provider, request), request)
        assert len(queues[provider].drain()) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("body", BODIES)
def test_unsigned(sent, still_works, provider, body):
    still_works(provider)
    # Under a text type the emulated gateway itself returns 500 for a body that is not UTF-8; test_gateway.py has that case.
    sent(provider, SentRequest(BODIES[body], {"Content-Type": "application/octet-stream"}, QUERIES["usual"]))


@pytest.mark.parametrize("query", QUERIES)
def test_dingtalk_query(sent, still_works, senders, query):
    still_works("dingtalk")
    sent("dingtalk", senders.of("dingtalk").build_request().but(query=QUERIES[query]))


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if not PLATFORMS[name].READS_QUERY])
@pytest.mark.parametrize("query", ["no text", "half escapes", "long", "many"])
def test_an_unused_query_string_is_ignored(letterbox, queues, senders, provider, query):
    request = senders.of(provider).build_request().but(query=QUERIES[query])
    senders.of(provider).acknowledged(letterbox.send(provider, request), request)
    assert len(queues[provider].drain()) == 1


@pytest.mark.parametrize("name", ["msg_signature", "signature", "timestamp", "nonce"])
@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_duplicated_query_parameter(sent, still_works, senders, name, same, first):
    still_works("dingtalk")
    request = senders.of("dingtalk").build_request()
    values = dict(pair.split("=", 1) for pair in request.query.split("&"))
    if name == "signature":
        # It is read only if there is no msg_signature.
        del values["msg_signature"]
    twin = f"{name}={values[name] if same else '1'}"
    usual = "&".join(f"{name}={value}" for name, value in values.items())
    sent("dingtalk", request.but(query=f"{twin}&{usual}" if first else f"{usual}&{twin}"))


@pytest.mark.parametrize(
    "provider, source, header",
    [(name, *row) for name, platform in PLATFORMS.items() for row in platform.SIGNATURE_HEADERS],
)
@pytest.mark.parametrize(
    "value",
    ["", ",", "=", ",=,=,", "v1,", "sha256=" * 1000, "é" * 100, "a" * 15_000],
    ids=["empty", "comma", "equals", "commas and equals", "version", "many prefixes", "not ASCII", "long"],
)
def test_signature_header(sent, still_works, senders, provider, source, header, value):
    still_works(provider)
    request = senders.of(provider, source).build_request()
    sent(provider, request.with_headers(**{header: value.encode()}), source)


SIGNED = {
    "deep array": b'{"event_type":"a","EventType":"a","x":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep object": b'{"event_type":"a","EventType":"a","x":' + b'{"a":' * DEEP + b"1" + b"}" * (DEEP + 1),
    "deep and open": b'{"event_type":"a","x":' + b"[" * DEEP,
    "128 deep": b'{"event_type":"a","EventType":"a","x":' + b"[" * 128 + b"]" * 128 + b"}",
    "array": b'["event_type"]',
    "text": b'"event_type"',
    "null": b"null",
    "empty": b"",
    "cut": b'{"event_type":"a","EventType":"a"',
    "two": b'{"event_type":"a","EventType":"a"}{}',
    "comment": b'{"event_type":"a","EventType":"a"}//',
    "single quotes": b"{'event_type':'a','EventType':'a'}",
    "NaN": b'{"event_type":"a","EventType":"a","x":NaN}',
    "zero byte": b'{"event_type":"a","EventType":"a"}\0',
    "two byte order marks": b'\xef\xbb\xbf\xef\xbb\xbf{"event_type":"a","EventType":"a"}',
    "control character": b'{"event_type":"a","EventType":"a","x":"\x01"}',
}
TYPES = {
    "array": [1],
    "object": {},
    "true": True,
    "empty": "",
    "long": "x" * 257,
}


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if PLATFORMS[name].STATUS_NO_JSON == 400])
@pytest.mark.parametrize("case", SIGNED)
def test_signed_payload(sent, still_works, senders, provider, case):
    still_works(provider)
    assert sent(provider, senders.of(provider).build_request(SIGNED[case])).status_code == 400


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if PLATFORMS[name].TYPE])
@pytest.mark.parametrize("case", TYPES)
def test_signed_type(sent, still_works, senders, provider, case):
    still_works(provider)
    payload = PLATFORMS[provider].make_payload(**{PLATFORMS[provider].TYPE: TYPES[case]})
    assert sent(provider, senders.of(provider).build_request(payload)).status_code == 400


@pytest.mark.parametrize("case", [case for case in SIGNED if "deep" not in case] + ["6000 deep"])
def test_sealed_query(letterbox, queues, senders, still_works, case):
    still_works("opencard")
    deep = b'{"srcid":"123","intent":' + b'{"a":' * 6000 + b"1" + b"}" * 6001
    key = senders.of("opencard")
    request = key.build_request(deep if case not in SIGNED else SIGNED[case])
    assert key.open(letterbox.send("opencard", request), request)["status"] == 2
    assert queues["opencard"].drain() == []


def test_deep_jose_header(sent, still_works, senders):
    still_works("opencard")
    token = senders.of("opencard").build_request().body
    for levels in [200, 2000, 100_000]:
        deep = json.dumps({"alg": "A128KW", "enc": "A128CBC-HS256", "kid": "0"})[:-1] + ',"x":'
        deep += "[" * levels + "]" * levels + "}"
        segment = base64.urlsafe_b64encode(deep.encode()).rstrip(b"=")
        sent("opencard", SentRequest(segment + token[token.index(b".") :]))


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if PLATFORMS[name].STATUS_NO_JSON == 400])
def test_a_byte_order_mark_before_the_payload_is_skipped(letterbox, queues, senders, provider):
    mark = b"\xef\xbb\xbf"
    request = senders.of(provider).build_request(mark + PLATFORMS[provider].make_payload())
    assert letterbox.send(provider, request).ok
    messages.read(queues[provider].one(), provider, request.payload.removeprefix(mark))


def test_a_lone_surrogate_is_valid_json_and_queued(letterbox, queues, senders):
    payload = b'{"event_type":"a","x":"\\ud800"}'
    assert letterbox.send("payment", senders.of("payment").build_request(payload)).status_code == 202
    assert queues["payment"].one()["Body"].endswith('"data":' + payload.decode() + "}")
