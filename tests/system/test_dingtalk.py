"""DingTalk: handshakes, the variants of its deliveries, and the facts of its events."""

import hashlib
import json
import re

import pytest

import messages
from platforms.dingtalk import App

HANDSHAKES = ["check_url", "check_create_suite_url", "check_update_suite_url"]


def handshake(kind):
    return json.dumps({"EventType": kind, "Random": "LPIdSnlF", "TestSuiteKey": "suite4xxxxxxxxxxxxxxx"})


@pytest.mark.parametrize("kind", HANDSHAKES)
@pytest.mark.parametrize("source", ["default", "suite", "random"])
def test_handshake_is_answered_and_not_queued(letterbox, queues, senders, kind, source):
    app = senders.of("dingtalk", source)
    expected = "LPIdSnlF" if source == "random" and kind != "check_url" else "success"
    assert app.open(letterbox.send("dingtalk", app.build_request(handshake(kind)), source)) == expected
    assert queues["dingtalk"].drain() == []


def test_callback_registered_by_the_old_interface(letterbox, queues, senders):
    """The corp id as owner key, only `signature` in the query string, an event of the older format."""
    corp = senders.of("dingtalk", "corp")
    text = '{"EventType":"user_leave_org","TimeStamp":"1763719200123","CorpId":"ding9f","UserId":["u"]}'
    request = corp.build_request(text)
    request = request.but(query=request.query.partition("&")[2])
    assert request.query.startswith("signature=")
    assert corp.open(letterbox.send("dingtalk", request, "corp")) == "success"
    assert messages.read(queues["dingtalk"].one(), "dingtalk", text, "corp")["subject"] == "ding9f"


def test_check_url_needs_nothing_but_its_type(letterbox, queues, senders):
    app = senders.of("dingtalk")
    assert app.open(letterbox.send("dingtalk", app.build_request('{"EventType":"check_url"}'))) == "success"
    assert queues["dingtalk"].drain() == []


def test_the_reply_has_the_owner_key_of_its_request(letterbox, senders):
    creating = senders.of("dingtalk", "suite")
    real = App(creating.token, creating.aes_key, "suite4f8d9c5b2a1e")
    for app in [creating, real]:
        # wechatpy refuses a reply that carries the other owner key.
        assert app.open(letterbox.send("dingtalk", app.build_request(), "suite")) == "success"


def test_every_reply_is_fresh(letterbox, senders):
    request = senders.of("dingtalk").build_request()
    replies = [letterbox.send("dingtalk", request).json() for _ in range(3)]
    assert len({reply["nonce"] for reply in replies}) == 3
    assert len({reply["encrypt"] for reply in replies}) == 3


def encrypted(app):
    return json.loads(app.build_request().body)["encrypt"]


def broken_lines(app, end, width):
    """As PHP and Python writers send it: line breaks in the base64, which the signature covers."""
    return app.post(end.join(re.findall(f".{{1,{width}}}", encrypted(app))) + end)


def escaped_slashes(app):
    request = app.build_request()
    while b"/" not in request.body:
        request = app.build_request()
    return request.but(body=request.body.replace(b"/", rb"\/"))


def own_parameters(app):
    request = app.build_request()
    return request.but(query=f"tenant=a%2Fb&flag&x=1&x=2&{request.query}&last=%E4%B8%AD")


def named(app, **names):
    """A delivery whose query has these members; `{}` stands for the signature."""
    encrypt, nonce, timestamp = encrypted(app), "n0nce", "1763719200123"
    values = {name: value.format(app.sign(timestamp, nonce, encrypt)) for name, value in names.items()}
    return app.post(encrypt, parameters=values | {"nonce": nonce})


def around(app, before, after):
    request = app.build_request()
    return request.but(body=before + request.body + after)


def more_members(app):
    request = app.build_request()
    return request.but(body=request.body[:-1] + b',"a":{"encrypt":[1]}}')


NOW = "1763719200123"
WAYS = {
    "line breaks in the base64": lambda app: broken_lines(app, "\n", 76),
    "carriage returns in the base64": lambda app: broken_lines(app, "\r\n", 64),
    "escaped slashes in the JSON": escaped_slashes,
    "percent-encoded nonce": lambda app: app.build_request(nonce="a+b/c=%25 d&e中"),
    "timestamp in seconds": lambda app: app.build_request(timestamp="1763719200"),
    "old signature name": lambda app: named(app, signature="{}", timestamp=NOW),
    "empty msg_signature": lambda app: named(app, msg_signature="", signature="{}", timestamp=NOW),
    "msg_signature counts": lambda app: named(app, signature="0" * 40, msg_signature="{}", timestamp=NOW),
    "timeStamp": lambda app: named(app, msg_signature="{}", timeStamp=NOW),
    "own query parameters": own_parameters,
    "more members beside encrypt": more_members,
    "another content type": lambda app: app.build_request().with_headers(Content_Type="text/plain"),
    "no content type": lambda app: app.build_request().with_headers(Content_Type=None),
    "whitespace around the JSON": lambda app: around(app, b"\r\n ", b"\n"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_variant_of_a_delivery_is_accepted(letterbox, queues, senders, way):
    app = senders.of("dingtalk")
    assert app.open(letterbox.send("dingtalk", WAYS[way](app))) == "success"
    messages.read(queues["dingtalk"].one(), "dingtalk", app.build_request().payload)


@pytest.mark.parametrize("pad", range(1, 33))
def test_every_padding_is_removed(letterbox, queues, senders, pad):
    app = senders.of("dingtalk")
    fixed = 16 + 4 + len(app.owner_key) + len('{"EventType":"t","x":""}')
    payload = json.dumps({"EventType": "t", "x": "x" * ((-fixed - pad) % 32)}, separators=(",", ":"))
    assert app.open(letterbox.send("dingtalk", app.build_request(payload))) == "success"
    messages.read(queues["dingtalk"].one(), "dingtalk", payload)


def test_padding_to_aes_blocks_is_accepted(letterbox, queues, senders):
    """Some of the platform's own libraries pad to 16."""
    app = senders.of("dingtalk")
    message = b'{"EventType":"t"}'
    plain = app.enclose(message)
    bare = plain[: -plain[-1]]
    pad = 16 - len(bare) % 16
    request = app.post(app.encrypt(bare + bytes([pad]) * pad))
    assert app.open(letterbox.send("dingtalk", request)) == "success"
    messages.read(queues["dingtalk"].one(), "dingtalk", message)


EVENTS = {
    "new shape": (
        {
            "EventType": "org_dept_create",
            "EventTime": 1763719200123,
            "CorpId": "c1",
            "BizId": "b",
            "eventId": "e",
        },
        ("e", "c1", "2025-11-21T10:00:00.123"),
    ),
    "BizId alone": (
        {"EventType": "org_dept_create", "EventTime": 1763719200123, "CorpId": "c1", "BizId": "b"},
        ("b:org_dept_create", "c1", "2025-11-21T10:00:00.123"),
    ),
    "legacy shape": (
        {"EventType": "user_leave_org", "TimeStamp": "1763719200123", "CorpId": "c1", "UserId": ["u"]},
        (None, "c1", "2025-11-21T10:00:00.123"),
    ),
    "corp in both cases": (
        {"EventType": "chat_add_member", "eventType": "x", "corpId": "lower", "CorpId": "upper"},
        (None, "upper", None),
    ),
    "corp in lower case": ({"EventType": "bpms_task_change", "corpId": "c2"}, (None, "c2", None)),
    "suite": (
        {"EventType": "tmp_auth_code", "SuiteKey": "s", "AuthCorpId": "c3", "TimeStamp": 1763719200},
        (None, "c3", "2025-11-21T10:00:00"),
    ),
    "nothing but a type that nobody knows": ({"EventType": "brand_new"}, (None, None, None)),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_id_corp_and_time(letterbox, queues, senders, name):
    payload, (event_id, corp, time) = EVENTS[name]
    text = json.dumps(payload)
    app = senders.of("dingtalk")
    assert app.open(letterbox.send("dingtalk", app.build_request(text))) == "success"
    attributes = messages.read(queues["dingtalk"].one(), "dingtalk", text)
    assert attributes["type"] == f"dingtalk.{payload['EventType']}"
    assert attributes["id"] == (event_id or hashlib.sha256(text.encode()).hexdigest())
    assert attributes.get("subject") == corp
    assert attributes["time"].isoformat().startswith(time or attributes["receivedtime"][:19])


def test_the_tolerance_accepts_the_current_time(letterbox, queues, senders):
    app = senders.of("dingtalk", "fresh")
    assert app.open(letterbox.send("dingtalk", app.build_request(), "fresh")) == "success"
    assert len(queues["dingtalk"].drain()) == 1
