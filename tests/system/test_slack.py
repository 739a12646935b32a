"""Slack: forms, handshakes and retries, signed by slack_sdk."""

import hashlib
import json

import pytest

import messages
from platforms import SentRequest

FORM = "application/x-www-form-urlencoded"

INTERACTIONS = {
    "block_actions": {"actions": [{"action_id": "ship", "value": "1+1=2 & 100%"}]},
    "view_submission": {"view": {"state": {"values": {"名": {"名": {"value": "乌龙茶 🌤"}}}}}},
    "view_closed": {"is_cleared": False},
    "shortcut": {"callback_id": "stocktaking"},
    "message_action": {"message": {"text": "a+b"}},
}


@pytest.mark.parametrize("kind", INTERACTIONS)
def test_an_interaction_is_queued_and_answered_with_nothing(letterbox, queues, senders, kind):
    app = senders.of("slack")
    payload = {"type": kind, "team": {"id": "T1"}, "user": {"id": "U1"}} | INTERACTIONS[kind]
    request = app.interaction(json.dumps(payload))
    app.acknowledged(letterbox.send("slack", request), request)
    attributes = messages.read(queues["slack"].one(), "slack", request.payload)
    expected = f"slack.{kind}", "T1", hashlib.sha256(request.body).hexdigest()
    assert (attributes["type"], attributes["subject"], attributes["id"]) == expected


def test_a_command_is_queued_with_its_form(letterbox, queues, senders):
    app = senders.of("slack")
    request = app.command(team_id="T1", command="/stock", text="乌龙茶 & a+b", response_url="https://hooks.slack.com/c")
    app.acknowledged(letterbox.send("slack", request), request)
    message = queues["slack"].one()
    event = json.loads(message["Body"])
    assert (event["type"], event["subject"]) == ("slack.command:/stock", "T1")
    assert event["data"]["text"] == "乌龙茶 & a+b"
    assert event["rawdata"] == request.body.decode()


@pytest.mark.parametrize("challenge", ["3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", '"</script>\\ 中'])
def test_a_challenge_is_returned_and_not_queued(letterbox, queues, senders, challenge):
    body = json.dumps({"type": "url_verification", "challenge": challenge}).encode()
    response = letterbox.send("slack", senders.of("slack").build_request(body))
    assert (response.status_code, response.json()) == (200, {"challenge": challenge})
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert queues["slack"].drain() == []


@pytest.mark.parametrize("signed", [True, False])
def test_a_check_of_the_certificate_is_answered_and_not_queued(letterbox, queues, senders, signed):
    app = senders.of("slack")
    request = app.command(ssl_check="1", token="t")
    if not signed:
        request = SentRequest(request.body, {"Content-Type": FORM, "User-Agent": "Slackbot 1.0"})
    app.acknowledged(letterbox.send("slack", request), request)
    assert queues["slack"].drain() == []


def test_a_retry_is_the_same_event_and_says_why_it_comes(letterbox, queues, senders):
    app = senders.of("slack")
    request = app.build_request()
    retry = request.with_headers(X_Slack_Retry_Num="1", X_Slack_Retry_Reason="http_timeout")
    for one in [request, retry]:
        app.acknowledged(letterbox.send("slack", one), one)
    events = [json.loads(message["Body"]) for message in queues["slack"].drain()]
    assert {event["id"] for event in events} == {"Ev9UQ52YNA"}
    retries = [(event.get("retrynum"), event.get("retryreason")) for event in events]
    assert sorted(retries, key=str) == [("1", "http_timeout"), (None, None)]


def test_the_time_is_that_of_the_event(letterbox, queues, senders):
    request = senders.of("slack").build_request()
    assert letterbox.send("slack", request).ok
    assert json.loads(queues["slack"].one()["Body"])["time"] == "2026-11-21T09:59:59Z"
