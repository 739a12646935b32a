"""A FIFO queue: groups keep the order of one subject, and a retry is one message."""

import hashlib
import json

import pytest

import messages
from servers import PROVIDERS


@pytest.fixture(scope="module")
def fifo_queues(queue_server):
    return {provider: queue_server.create(f"letterbox-{provider}.fifo") for provider in PROVIDERS}


@pytest.fixture(scope="module")
def fifo(deploy, settings, queue_server, fifo_queues):
    return deploy(
        "fifo",
        {
            provider: settings(provider, queue_server.endpoint, fifo_queues[provider].url)
            for provider in PROVIDERS
        },
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_ids_of_group_and_deduplication(fifo, fifo_queues, senders, provider):
    sender = senders.of(provider)
    request = sender.build_request()
    # The platform signs or encrypts its retry again, but it is the same event: the queue keeps one.
    for attempt in [request, sender.build_request()]:
        assert fifo.send(provider, attempt).ok
    message = fifo_queues[provider].one()
    attributes = messages.read(message, provider, request.payload)
    assert message["Attributes"]["MessageDeduplicationId"] == attributes["id"]
    assert message["Attributes"]["MessageGroupId"] == f"{attributes['source']}/{attributes['subject']}"


@pytest.mark.parametrize("subject", ["中文", "a b", "x" * 200])
def test_an_id_that_sqs_would_reject_is_hashed(fifo, fifo_queues, senders, subject):
    payload = json.dumps({"event_type": "paid", "transaction_id": subject}).encode()
    assert fifo.send("payment", senders.of("payment").build_request(payload)).status_code == 202
    message = fifo_queues["payment"].one()
    assert messages.read(message, "payment", payload)["subject"] == subject
    group = hashlib.sha256(f"/payment/default/{subject}".encode()).hexdigest()
    assert message["Attributes"]["MessageGroupId"] == group


def test_deduplication_id_is_hashed_too(fifo, fifo_queues, senders):
    event_id = "an id with spaces " * 10
    payload = json.dumps({"EventType": "t", "eventId": event_id})
    app = senders.of("dingtalk")
    assert app.open(fifo.send("dingtalk", app.build_request(payload))) == "success"
    message = fifo_queues["dingtalk"].one()
    assert messages.read(message, "dingtalk", payload)["id"] == event_id
    assert message["Attributes"]["MessageDeduplicationId"] == hashlib.sha256(event_id.encode()).hexdigest()


def test_order_of_one_subject_is_kept(fifo, fifo_queues, senders):
    service = senders.of("payment")
    numbers = list(range(12))
    for number in numbers:
        payload = json.dumps({"event_type": "step", "transaction_id": "tx_order", "number": number})
        assert fifo.send("payment", service.build_request(payload.encode())).status_code == 202
    got = [json.loads(message["Body"])["data"]["number"] for message in fifo_queues["payment"].drain()]
    assert got == numbers
