"""Feishu and Lark: both schemas, both kinds of card, challenges, and what is not one."""

import json

import pytest

import messages
from platforms.feishu import KIND, PAYLOAD, App

SCHEMA_1 = (
    '{"uuid":"u1","token":"TOKEN","ts":"1763719200.376395","type":"event_callback",'
    '"event":{"type":"message","app_id":"cli_1","text":"文本"}}'
)
CARD = (
    '{"schema":"2.0","header":{"event_id":"c1","token":"TOKEN","create_time":"1763719200123456",'
    '"event_type":"card.action.trigger","app_id":"cli_1"},"event":{"token":"c-1","action":{"tag":"button"}}}'
)
OLD_CARD = b'{"open_id":"ou","tenant_key":"tk","token":"c-1","action":{"value":{"k":"\xe5\x80\xbc"},"tag":"button"}}'

EVENTS = {
    "schema 1": (SCHEMA_1, ("feishu.message", "cli_1", "u1", "2025-11-21T10:00:00.376395Z")),
    "card": (CARD, ("feishu.card.action.trigger", "cli_1", "c1", "2025-11-21T10:00:00.123456Z")),
}


@pytest.mark.parametrize("app", [App.new(), App.new(encrypt_key=None)], ids=["encrypted", "clear"])
def test_the_librarys_dispatcher_takes_what_the_sender_builds(app):
    # Ten thousand modules: only the process that runs this test needs them.
    from lark_oapi import EventDispatcherHandler
    from lark_oapi.core.model import RawRequest

    events = []
    builder = EventDispatcherHandler.builder(app.encrypt_key or "", app.token)
    dispatcher = builder.register_p2_customized_event(KIND, events.append).build()
    request, raw = app.build_request(), RawRequest()
    raw.uri, raw.headers, raw.body = "/", request.headers, request.body
    assert dispatcher.do(raw).status_code == 200
    assert len(events) == 1


@pytest.mark.parametrize("source", ["default", "clear"])
@pytest.mark.parametrize("case", EVENTS)
def test_every_kind_of_event(letterbox, queues, senders, source, case):
    payload, expected = EVENTS[case]
    app = senders.of("feishu", source)
    request = app.build_request(payload)
    app.acknowledged(letterbox.send("feishu", request, source), request)
    message = queues["feishu"].one()
    messages.read(message, "feishu", request.payload, source)
    event = json.loads(message["Body"])
    assert (event["type"], event["subject"], event["id"], event["time"]) == expected


@pytest.mark.parametrize("source", ["default", "clear"])
def test_old_card_is_signed_with_the_token(letterbox, queues, senders, source):
    app = senders.of("feishu", source)
    request = app.card(OLD_CARD)
    app.acknowledged(letterbox.send("feishu", request, source), request)
    attributes = messages.read(queues["feishu"].one(), "feishu", OLD_CARD, source)
    assert (attributes["type"], attributes["subject"]) == ("feishu.card.action", "tk")


@pytest.mark.parametrize("source", ["default", "clear"])
@pytest.mark.parametrize("text", ["ajls384kdjx98XX", 'a"b\\c', "中\n\u0001", ""])
def test_challenge_is_answered_as_json(letterbox, queues, senders, source, text):
    response = letterbox.send("feishu", senders.of("feishu", source).challenge(text), source)
    assert response.status_code == 200
    assert response.json() == {"challenge": text}
    assert response.elapsed.total_seconds() < 1
    assert queues["feishu"].drain() == []


def test_challenge_needs_no_queue_and_no_signature(letterbox, senders):
    assert "X-Lark-Signature" not in senders.of("feishu").challenge("c").headers


def unsigned(app, payload):
    return app.build_request(payload).with_headers(X_Lark_Signature=None)


FORGED = {
    "an event without its signature": lambda app: unsigned(app, PAYLOAD),
    "an event that also says challenge": lambda app: unsigned(
        app,
        '{"schema":"2.0","type":"url_verification","challenge":"c","token":"TOKEN",'
        '"header":{"event_type":"a","token":"TOKEN"}}',
    ),
    "an event signed like an old card": lambda app: app.card(app.fill(PAYLOAD)),
    "an event in clear": lambda app: App(app.token, None).build_request(),
    "an old card in clear": lambda app: App(app.token, None).card(OLD_CARD),
    "a ciphertext that was cut": lambda app: app.build_request().but(body=b'{"encrypt":"AAAA"}'),
}


@pytest.mark.parametrize("case", FORGED)
def test_nothing_forged_is_queued(letterbox, queues, senders, case):
    response = letterbox.send("feishu", FORGED[case](senders.of("feishu")))
    assert response.status_code in (400, 401), response.text
    assert queues["feishu"].drain() == []


def test_changed_ciphertexts_without_a_signature_look_alike(letterbox, queues, senders):
    """Or the responses would tell where a changed ciphertext has a valid padding."""
    app = senders.of("feishu")
    encrypt = json.loads(app.challenge("c" * 20).body)["encrypt"]
    answers = set()
    for position in range(0, len(encrypt) - 4, 5):
        changed = encrypt[:position] + ("A" if encrypt[position] != "A" else "B") + encrypt[position + 1 :]
        request = app.challenge("c").but(body=json.dumps({"encrypt": changed}).encode())
        response = letterbox.send("feishu", request)
        answers.add((response.status_code, response.text) if not response.ok else response.ok)
    # A changed initialisation vector may leave the challenge readable, with another text.
    assert answers - {True} == {(401, '{"error":"unauthorized"}')}
    assert queues["feishu"].drain() == []
