"""Discord: tests of the URL, every kind of interaction, webhook events, and signatures that Discord makes wrong on purpose."""

import json

import pytest

from platforms import flipped

PING = b'{"application_id":"1","id":"1441393541529600012","token":"t","type":1,"version":1}'
WEBHOOK_PING = b'{"version":1,"application_id":"1","type":0}'
AUTHORIZED = (
    '{"version":1,"application_id":"1180000000000000001","type":1,"event":{"type":"APPLICATION_AUTHORIZED",'
    '"timestamp":"2025-11-21T10:00:00.064834","data":{"user":{"global_name":"名"}}}}'
).encode()


def test_ping_gets_a_pong(letterbox, queues, senders):
    response = letterbox.send("discord", senders.of("discord").build_request(PING))
    assert (response.status_code, response.json()) == (200, {"type": 1})
    assert response.headers["Content-Type"] == "application/json"
    assert queues["discord"].drain() == []


def test_ping_of_webhook_events_gets_204(letterbox, queues, senders):
    response = letterbox.send("discord", senders.of("discord").build_request(WEBHOOK_PING))
    assert (response.status_code, response.content) == (204, b"")
    assert queues["discord"].drain() == []


@pytest.mark.parametrize("body", [PING, WEBHOOK_PING, AUTHORIZED])
def test_a_wrong_signature_gets_exactly_401(letterbox, queues, senders, body):
    request = senders.of("discord").build_request(body)
    for wrong in ["00" * 64, flipped(request.headers["X-Signature-Ed25519"]), ""]:
        response = letterbox.send("discord", request.with_headers(X_Signature_Ed25519=wrong))
        assert response.status_code == 401
    assert queues["discord"].drain() == []


@pytest.mark.parametrize("agent", [None, "curl/8"])
def test_the_user_agent_does_not_matter(letterbox, senders, agent):
    request = senders.of("discord").build_request(PING).with_headers(User_Agent=agent)
    assert letterbox.send("discord", request).json() == {"type": 1}


NAMES = {
    2: "application_command",
    3: "message_component",
    4: "application_command_autocomplete",
    5: "modal_submit",
}


@pytest.mark.parametrize("kind", NAMES)
def test_interactions_are_deferred(letterbox, queues, senders, kind):
    app = senders.of("discord")
    # The time of the id is 2025-11-21T11:43:20.097Z.
    body = json.dumps({"type": kind, "id": "1441393541529600000", "application_id": "a", "data": {}}).encode()
    request = app.build_request(body)
    app.acknowledged(letterbox.send("discord", request), request)
    event = json.loads(queues["discord"].one()["Body"])
    assert event["type"] == f"discord.interaction.{NAMES[kind]}"
    assert (event["id"], event["subject"]) == ("1441393541529600000", "a")
    assert event["time"] == "2025-11-21T11:43:20.097Z"


def test_a_webhook_event_gets_204(letterbox, queues, senders):
    app = senders.of("discord")
    request = app.build_request(AUTHORIZED)
    app.acknowledged(letterbox.send("discord", request), request)
    event = json.loads(queues["discord"].one()["Body"])
    assert (event["type"], event["subject"]) == ("discord.APPLICATION_AUTHORIZED", "1180000000000000001")
    assert event["time"] == "2025-11-21T10:00:00.064834Z"
