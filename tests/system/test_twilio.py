"""Twilio: forms of every kind, ports, repeated fields, signed by its own library."""

import json

import pytest

import messages
from platforms.twilio import ACCOUNT, URL

FORMS = {
    "message": ({"MessageSid": "SM1", "SmsStatus": "received", "Body": "乌龙茶 🍵 1+1=2 & 100%\r\n", "Empty": ""}, "message", "SM1", None),
    "status": ({"MessageSid": "SM1", "MessageStatus": "delivered"}, "message.status", None, "delivered"),
    "call": ({"CallSid": "CA1", "CallStatus": "ringing"}, "call", "CA1", "ringing"),
    "digits": ({"CallSid": "CA1", "CallStatus": "in-progress", "Digits": "1"}, "call", None, "in-progress"),
    "task": ({"EventType": "task.created", "Sid": "EV1"}, "task.created", None, None),
    "unknown": ({"Sid": "CA123", "Digits": ["5678", "1234", "1234"]}, "event", None, None),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_form_is_queued_and_answered_with_twiml(letterbox, queues, senders, case):
    fields, kind, event_id, action = FORMS[case]
    account = senders.of("twilio")
    request = account.form({"AccountSid": ACCOUNT, "body": "lower case", "Body": "upper case"} | fields)
    account.acknowledged(letterbox.send("twilio", request), request)
    event = json.loads(queues["twilio"].one()["Body"])
    assert (event["type"], event["subject"], event.get("action")) == (f"twilio.{kind}", ACCOUNT, action)
    assert event["id"] == event_id or (event_id is None and len(event["id"]) == 64)
    assert event["data"] == json.loads(request.payload)
    assert event["rawdata"] == request.body.decode()
    assert event["deliveryid"] == request.headers["I-Twilio-Idempotency-Token"]


@pytest.mark.parametrize("source", ["default", "query", "port"])
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_the_url_of_the_entry_counts(letterbox, queues, senders, source, form):
    account = senders.of("twilio", source)
    request = account.form({"MessageSid": "SM1"}) if form else account.build_request()
    account.acknowledged(letterbox.send("twilio", request, source), request)
    event = json.loads(queues["twilio"].one()["Body"])
    assert (event["source"], event["data"]) == (f"/twilio/{source}", json.loads(request.payload))


@pytest.mark.parametrize("source, url", [("default", URL.replace(".net", ".net:443")), ("port", URL)])
def test_a_url_is_accepted_with_and_without_its_port(letterbox, queues, senders, source, url):
    account = senders.of("twilio", source)
    request = account.form({"MessageSid": "SM1"}, url=url)
    account.acknowledged(letterbox.send("twilio", request, source), request)
    assert len(queues["twilio"].drain()) == 1


def test_a_list_of_events_is_one_message(letterbox, queues, senders):
    account = senders.of("twilio")
    request = account.build_request(b'[{"type":"a","id":"EZ1"},{"type":"b","id":"EZ2"}]')
    account.acknowledged(letterbox.send("twilio", request), request)
    attributes = messages.read(queues["twilio"].one(), "twilio", request.payload)
    assert attributes["type"] == "twilio.events"
    assert len(attributes["id"]) == 64
