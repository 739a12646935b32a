"""Presets, against deliveries that the senders' own libraries sign, or that they accept as signed."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import hook0.signature
import nacl.signing
import pytest
import standardwebhooks
import stripe
import svix.webhooks
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

import messages
from npm import in_node
from platforms import SentRequest

URL = "https://hooks.example.com/signed/source"


def mac(secret, message):
    return hmac.new(secret, message, hashlib.sha256).digest()


def in_base64(content):
    return base64.b64encode(content).decode()


def spki(key):
    """The public half of a key, as base64 of its DER."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return in_base64(key.public_key().public_bytes(serialization.Encoding.DER, form))


@dataclass(frozen=True)
class Case:
    """A sender: its entry without the preset, its payload, the type of the event, and what signs and judges."""

    entry: dict
    payload: dict | list
    type: str
    # Body to headers.
    sign: Callable | None = None
    # Body and headers to whether the library accepts them; for libraries that do not sign.
    judge: Callable | None = None
    # The npm package that signs where `sign` is missing, and judges where it is there.
    package: str | None = None

    @property
    def body(self):
        return json.dumps(self.payload).encode()


def with_stripe(secret):
    def sign(body):
        header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(time.time()))
        return {"Stripe-Signature": header}

    return sign


def with_webhook(library, secret, family):
    """Standard Webhooks and Svix: two libraries of one scheme, under two families of header names."""

    def sign(body):
        message, now = f"msg_{secrets.token_hex(8)}", datetime.now(timezone.utc)
        signature = library.Webhook(secret).sign(message, now, body.decode())
        return {
            f"{family}-id": message,
            f"{family}-timestamp": str(int(now.timestamp())),
            f"{family}-signature": signature,
        }

    return sign


def with_ed25519(key):
    def sign(body):
        message, now = f"msg_{secrets.token_hex(8)}", int(time.time())
        signature = key.sign(f"{message}.{now}.".encode() + body).signature
        return {
            "webhook-id": message,
            "webhook-timestamp": str(now),
            "webhook-signature": f"v1a,{in_base64(signature)}",
        }

    return sign


def with_hook0(secret):
    def sign(body):
        now, covered = int(time.time()), {"x-event-id": secrets.token_hex(8), "x-event-type": "onramp.done"}
        text = f"{now}.{' '.join(covered)}.{'.'.join(covered.values())}.".encode() + body
        return covered | {"X-Hook0-Signature": f"t={now},h={' '.join(covered)},v1={mac(secret, text).hex()}"}

    def judge(body, headers):
        signature = headers["X-Hook0-Signature"]
        return hook0.signature.verify_webhook_signature(signature, body, headers, secret.decode(), 300)

    return {"sign": sign, "judge": judge}


def with_ecdsa(key):
    def sign(body):
        now = str(int(time.time()))
        signature = key.sign(now.encode() + body, ec.ECDSA(hashes.SHA256()))
        header = "X-Twilio-Email-Event-Webhook"
        return {f"{header}-Signature": in_base64(signature), f"{header}-Timestamp": now}

    return sign


def with_rsa(key):
    def sign(body):
        return {"X-Signature-SHA256": in_base64(key.sign(body, padding.PKCS1v15(), hashes.SHA256()))}

    return sign


def make_cases():
    text = secrets.token_hex(16)
    whsec = "whsec_" + in_base64(secrets.token_bytes(24))
    ed25519 = nacl.signing.SigningKey.generate()
    p256, rsa2048 = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    key = text.encode()
    event = {"type": "user.created", "timestamp": "2026-11-26T10:00:00Z", "data": {"id": "u_1"}}
    charge = {"id": "evt_1", "type": "charge.succeeded", "created": 1795000000, "data": {"object": {"id": "c"}}}
    thin = {"id": "evt_2", "object": "v2.core.event", "type": "v2.core.account.updated"}
    secret = {"secret": text}
    return {
        "stripe": Case(secret, charge, "charge.succeeded", with_stripe(text)),
        "stripe-thin": Case(secret, thin, "v2.core.account.updated", with_stripe(text)),
        "standard-webhooks": Case(
            {"secret": whsec}, event, "user.created", with_webhook(standardwebhooks, whsec, "webhook")
        ),
        "svix": Case({"secret": whsec}, event, "user.created", with_webhook(svix.webhooks, whsec, "svix")),
        "standard-webhooks-v1a": Case(
            {"public_key": "whpk_" + in_base64(bytes(ed25519.verify_key))},
            event,
            "user.created",
            with_ed25519(ed25519),
        ),
        "coinbase-cdp": Case(secret, {"eventType": "onramp.done"}, "onramp.done", **with_hook0(key)),
        "sendgrid": Case(
            {"public_key": spki(p256)}, [{"event": "delivered", "sg_event_id": "e"}], "delivered", with_ecdsa(p256)
        ),
        "wise": Case(
            {"public_key": spki(rsa2048)},
            {"event_type": "transfers#state-change", "data": {}, "sent_at": "2026-11-26T10:00:00Z"},
            "transfers#state-change",
            with_rsa(rsa2048),
        ),
        "hubspot": Case(
            secret | {"url": URL},
            [{"subscriptionType": "contact.creation", "eventId": 1, "portalId": 2, "occurredAt": 1795000000000}],
            "contact.creation",
            package="@hubspot/api-client",
        ),
        "notion": Case(
            secret, {"id": "e", "type": "page.created", "entity": {"id": "p"}}, "page.created", package="@notionhq/client"
        ),
        "meta": Case(
            secret,
            {"object": "page", "entry": [{"id": "1", "time": 1795000000, "changes": [{"field": "feed"}]}]},
            "page.feed",
            package="@octokit/webhooks-methods",
        ),
        "coinbase-commerce": Case(
            secret,
            {"event": {"id": "e", "type": "charge:confirmed", "data": {"code": "C"}}},
            "charge:confirmed",
            package="coinbase-commerce-node",
        ),
        "adyen-platform": Case(
            secret,
            {"type": "balancePlatform.transfer.created", "data": {}},
            "balancePlatform.transfer.created",
            lambda body: {"HmacSignature": in_base64(mac(bytes.fromhex(text), body))},
            package="@adyen/api-library",
        ),
        "line": Case(
            secret,
            {"destination": "U1", "events": [{"type": "message", "webhookEventId": "w", "timestamp": 1795000000000}]},
            "message",
            lambda body: {"x-line-signature": in_base64(mac(key, body))},
            package="@line/bot-sdk",
        ),
        "linear": Case(
            secret,
            {"type": "Issue", "action": "create", "data": {"id": "i"}, "webhookTimestamp": int(time.time() * 1000)},
            "Issue.create",
            lambda body: {"linear-signature": mac(key, body).hex()},
            package="@linear/sdk",
        ),
    }


PRESETS = list(make_cases())


@pytest.fixture(scope="module")
def signed_by_libraries():
    """Each preset's case, and the delivery that its library signed or accepted."""
    cases = make_cases()
    headers = {preset: case.sign(case.body) if case.sign else None for preset, case in cases.items()}
    in_npm = [preset for preset, case in cases.items() if case.package]
    requests = [
        {
            "library": cases[preset].package,
            "secret": cases[preset].entry["secret"],
            "body": cases[preset].body.decode(),
            "url": URL,
            "headers": headers[preset],
        }
        for preset in in_npm
    ]
    for preset, answer in zip(in_npm, in_node(requests), strict=True):
        if headers[preset] is None:
            headers[preset] = answer
        else:
            assert answer is True, f"the library of {preset} does not accept this signature"
    for preset, case in cases.items():
        if case.judge:
            assert case.judge(case.body, headers[preset]), f"the library of {preset} does not accept this signature"
    json_type = {"Content-Type": "application/json"}
    return {
        preset: (case, SentRequest(case.body, json_type | headers[preset], payload=case.body))
        for preset, case in cases.items()
    }


@pytest.fixture(scope="module")
def functions(deploy, settings, queue_server, queues, signed_by_libraries):
    sources = {preset: {"preset": preset} | case.entry for preset, (case, _) in signed_by_libraries.items()}
    environment = settings("signed", queue_server.endpoint, queues["signed"].url)
    return deploy("libraries", {"signed": environment | {"CREDENTIALS": json.dumps(sources | {"default": {"secret": "x"}})}})


@pytest.mark.parametrize("preset", PRESETS)
def test_the_librarys_delivery_is_queued_and_a_changed_one_is_not(functions, queues, signed_by_libraries, preset):
    case, request = signed_by_libraries[preset]
    queues["signed"].drain()
    response = functions.send("signed", request, preset)
    assert 200 <= response.status_code < 300, response.text
    attributes = messages.read(queues["signed"].one(), "signed", request.payload, preset)
    assert attributes["type"] == f"signed.{case.type}"
    changed = request.but(body=request.body.replace(b"e", b"E", 1))
    assert functions.send("signed", changed, preset).status_code == 401
    assert queues["signed"].drain() == []
