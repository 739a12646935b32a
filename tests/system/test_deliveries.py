"""Accepted deliveries: the event is on the queue, and the platform gets its own response."""

import json

import pytest

import messages
from platforms import PLATFORMS
from servers import PROVIDERS, ROOT



@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_delivery_is_answered_and_queued(letterbox, queues, senders, provider):
    sender = senders.of(provider)
    request = sender.build_request()
    sender.acknowledged(letterbox.send(provider, request), request)
    attributes = messages.read(queues[provider].one(), provider, request.payload)
    expected = PLATFORMS[provider].identity(request)
    assert (attributes["type"], attributes["subject"], attributes["id"]) == expected
    for other in set(PROVIDERS) - {provider}:
        assert queues[other].drain() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_payload_arrives_verbatim(letterbox, queues, senders, provider):
    sender = senders.of(provider)
    request = sender.build_request(PLATFORMS[provider].VERBATIM)
    sender.acknowledged(letterbox.send(provider, request), request)
    messages.read(queues[provider].one(), provider, request.payload)


def test_every_documented_event_of_dingtalk(letterbox, queues, senders):
    app = senders.of("dingtalk")
    samples = sorted((ROOT / "functions/dingtalk/samples").glob("*.json"))
    assert len(samples) > 180
    for sample in samples:
        payload = sample.read_bytes()
        assert app.open(letterbox.send("dingtalk", app.build_request(payload))) == "success", sample.name
        if sample.name.startswith("check_") and "_url" in sample.name:
            assert queues["dingtalk"].drain() == [], sample.name
        else:
            attributes = messages.read(queues["dingtalk"].one(), "dingtalk", payload)
            assert attributes["type"] == f"dingtalk.{json.loads(payload)['EventType']}", sample.name


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_default_source_has_its_own_route(letterbox, queues, senders, provider):
    request = senders.of(provider).build_request()
    assert letterbox.send(provider, request, "default").ok
    messages.read(queues[provider].one(), provider, request.payload)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("position", [0, 1])
def test_either_key_verifies_during_a_rotation(letterbox, queues, senders, provider, position):
    sender = senders.of(provider, "rotating")[position]
    request = sender.build_request()
    # An encrypted reply can be decrypted only with the keys of its request.
    sender.acknowledged(letterbox.send(provider, request, "rotating"), request)
    messages.read(queues[provider].one(), provider, request.payload, "rotating")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_retry_keeps_the_id(letterbox, queues, senders, provider):
    sender = senders.of(provider)
    first, second = sender.build_request(), sender.build_request()
    for request in [first, second]:
        assert letterbox.send(provider, request).ok
    ids = {json.loads(message["Body"])["id"] for message in queues[provider].drain()}
    assert len(ids) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_another_sources_key_verifies_nothing(letterbox, queues, senders, provider):
    request = senders.of(provider).build_request()
    assert letterbox.send(provider, request, "rotating").status_code == 401
    assert queues[provider].drain() == []
