"""Payment services: the presets with each service's own payloads, and custom schemes."""

import base64
import hashlib
import hmac
import json

import pytest

import messages
from platforms import payment


@pytest.mark.parametrize("preset", payment.SIGNERS)
def test_a_preset_accepts_the_services_own_payload(letterbox, queues, senders, preset):
    source = preset or "default"
    service = senders.of("payment", source)
    request = service.build_request()
    service.acknowledged(letterbox.send("payment", request, source), request)
    message = queues["payment"].one()
    attributes = messages.read(message, "payment", request.payload, source)
    _, facts = payment.own_payload(preset)
    assert (attributes["type"], attributes["subject"]) == (f"payment.{facts['type']}", facts["subject"])
    if preset == "standard-webhooks":
        assert attributes["id"] == request.headers["Webhook-Id"]
    elif preset == "shopify":
        # The type is in a header, so the content alone would not tell two events apart.
        assert attributes["id"] == hashlib.sha256(f"{facts['type']}\n".encode() + request.body).hexdigest()
    else:
        assert attributes["id"] == facts.get("id", hashlib.sha256(request.body).hexdigest())
    if "time" in facts:
        assert f'"time":"{facts["time"]}"' in message["Body"]


def mac(key, message, algorithm="sha256"):
    return hmac.new(key, message, algorithm).digest()


def in_base64url(digest):
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


# The entry, and the headers of one delivery.
SCHEMES = {
    "hex in upper case": (
        {},
        lambda secret, body, now: {"X-Signature": mac(secret, body).hex().upper()},
    ),
    "SHA-1 with a prefix": (
        {"header": "X-Hub-Signature", "prefix": "sha1=", "algorithm": "sha1"},
        lambda secret, body, now: {"X-Hub-Signature": "sha1=" + mac(secret, body, "sha1").hex()},
    ),
    "base64url without padding": (
        {"encoding": "base64url", "algorithm": "sha512"},
        lambda secret, body, now: {"X-Signature": in_base64url(mac(secret, body, "sha512"))},
    ),
    "secret in hex": (
        {"secret_encoding": "hex"},
        lambda secret, body, now: {"X-Signature": mac(bytes.fromhex(secret.decode()), body).hex()},
    ),
    "secret in base64": (
        {"secret_encoding": "base64"},
        lambda secret, body, now: {"X-Signature": mac(base64.b64decode(secret), body).hex()},
    ),
    "timestamp in a header of its own": (
        {
            "header": "X-Slack-Signature",
            "prefix": "v0=",
            "template": "v0:{timestamp}:{body}",
            "timestamp_header": "X-Slack-Request-Timestamp",
        },
        lambda secret, body, now: {
            "X-Slack-Signature": "v0=" + mac(secret, b"v0:%d:%s" % (now, body)).hex(),
            "X-Slack-Request-Timestamp": str(now),
        },
    ),
    "timestamp in milliseconds, URL and method": (
        {
            "encoding": "base64",
            "template": "{method}{url}{body}{timestamp}",
            "url": payment.SQUARE_URL,
            "timestamp_header": "X-Time",
            "timestamp_unit": "ms",
        },
        lambda secret, body, now: {
            "X-Signature": base64.b64encode(
                mac(secret, b"POST" + payment.SQUARE_URL.encode() + body + b"%d000" % now)
            ).decode(),
            "X-Time": f"{now}000",
        },
    ),
    "one of several signatures": (
        {"separator": "; ", "signature_key": "sig", "timestamp_key": "at", "template": "{body}|{timestamp}"},
        lambda secret, body, now: {
            "X-Signature": f"sig=00; old=1; at={now}; sig={mac(secret, b'%s|%d' % (body, now)).hex()}; sig=zz"
        },
    ),
    "several signatures without names": (
        {"separator": ",", "prefix": "v1:"},
        lambda secret, body, now: {"X-Signature": f"v0:00, v1:00,v1:{mac(secret, body).hex()}"},
    ),
}


@pytest.fixture(scope="module")
def services():
    return {
        name: payment.Service.new(signer=signer, **options) for name, (options, signer) in SCHEMES.items()
    }


@pytest.fixture(scope="module")
def own_schemes(deploy, settings, queue_server, queues, services):
    sources = {f"s{number}": service.credentials for number, service in enumerate(services.values())}
    environment = settings("payment", queue_server.endpoint, queues["payment"].url)
    return deploy("schemes", {"payment": environment | {"CREDENTIALS": json.dumps(sources)}})


@pytest.mark.parametrize("name", SCHEMES)
def test_a_custom_scheme(own_schemes, queues, services, name):
    service, source = services[name], f"s{list(SCHEMES).index(name)}"
    queues["payment"].drain()
    request = service.build_request()
    service.acknowledged(own_schemes.send("payment", request, source), request)
    messages.read(queues["payment"].one(), "payment", request.payload, source)
    changed = request.but(body=request.body.replace(b"1", b"2"))
    assert own_schemes.send("payment", changed, source).status_code == 401
    assert queues["payment"].drain() == []


def test_paths_of_type_subject_id_and_time(letterbox, queues, senders):
    payload = {"event": {"kind": "paid", "id": 77, "at": "2026-11-21T18:00:00.5+08:00"}, "order": "o-1"}
    request = senders.of("payment", "places").build_request(json.dumps(payload).encode())
    assert letterbox.send("payment", request, "places").status_code == 202
    message = queues["payment"].one()
    attributes = messages.read(message, "payment", request.payload, "places")
    assert (attributes["type"], attributes["subject"], attributes["id"]) == ("payment.paid", "o-1", "77")
    # UTC, with the digits that the service wrote.
    assert '"time":"2026-11-21T10:00:00.5Z"' in message["Body"]


@pytest.mark.parametrize("kind, status", [("refund", 202), ("payment_success", 202), ("refunded", 400)])
def test_only_the_listed_types_are_accepted(letterbox, queues, senders, kind, status):
    request = senders.of("payment", "some").build_request(json.dumps({"event_type": kind}).encode())
    response = letterbox.send("payment", request, "some")
    assert response.status_code == status
    assert len(queues["payment"].drain()) == (status == 202)
    if status == 400:
        assert response.json() == {"error": "unhandled event type"}
