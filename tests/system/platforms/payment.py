"""Payment services: Stripe and Standard Webhooks by their own libraries, the others by CPython's hmac."""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

import standardwebhooks
import stripe

from . import Letter, expect_accepted, github

SQUARE_URL = "https://hooks.example.net/payment/square?shop=1"


def hex_mac(service, message, algorithm="sha256"):
    return hmac.new(service.secret.encode(), message, algorithm).hexdigest()


def base64_mac(service, message, algorithm="sha256"):
    return base64.b64encode(hmac.new(service.secret.encode(), message, algorithm).digest()).decode()


def plain(service, body, now):
    return {"X-Signature": hex_mac(service, body)}


def github_style(service, body, now):
    return {"X-Hub-Signature-256": github.sign(service.secret, body, "sha256")}


def stripe_header(service, body, now):
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), service.secret, int(now))
    return {"Stripe-Signature": header}


def shopify(service, body, now):
    return {"X-Shopify-Hmac-SHA256": base64_mac(service, body), "X-Shopify-Topic": "payment_success"}


def paddle(service, body, now):
    return {"Paddle-Signature": f"ts={int(now)};h1={hex_mac(service, b'%d:' % now + body)}"}


def paystack(service, body, now):
    return {"X-Paystack-Signature": hex_mac(service, body, "sha512")}


def razorpay(service, body, now):
    return {"X-Razorpay-Signature": hex_mac(service, body)}


def square(service, body, now):
    return {"X-Square-HmacSha256-Signature": base64_mac(service, SQUARE_URL.encode() + body)}


def standard_webhooks(service, body, now):
    message_id = f"msg_{secrets.token_hex(8)}"
    at = datetime.fromtimestamp(int(now), timezone.utc)
    signature = standardwebhooks.Webhook(service.secret).sign(message_id, at, body.decode())
    # A version nobody knows stands beside the one that counts.
    return {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(int(now)),
        "Webhook-Signature": f"v9,AAAA {signature}",
    }


SIGNERS = {
    None: plain,
    "github-style": github_style,
    "stripe": stripe_header,
    "shopify": shopify,
    "paddle": paddle,
    "paystack": paystack,
    "razorpay": razorpay,
    "square": square,
    "standard-webhooks": standard_webhooks,
}

# What each service's own notices look like. `event_id`, where there is one, is the id that stays over retries.
PAYLOADS = {
    None: {"event_type": "payment_success", "transaction_id": "tx_1", "amount": 1},
    "github-style": {"event_type": "payment_success", "transaction_id": "tx_1"},
    "stripe": {
        "id": "evt_1",
        "type": "payment_success",
        "created": 1763719200,
        "data": {"object": {"id": "tx_1"}},
    },
    "shopify": {"id": "tx_1", "total_price": "10.00"},
    "paddle": {
        "event_id": "evt_1",
        "event_type": "payment_success",
        "occurred_at": "2025-11-21T10:00:00.123456Z",
        "data": {"id": "tx_1"},
    },
    "paystack": {"event": "payment_success", "data": {"reference": "tx_1"}},
    "razorpay": {
        "event": "payment_success",
        "created_at": 1763719200,
        "payload": {"payment": {"entity": {"id": "tx_1"}}},
    },
    "square": {
        "event_id": "evt_1",
        "type": "payment_success",
        "created_at": "2025-11-21T10:00:00Z",
        "data": {"id": "tx_1"},
    },
    "standard-webhooks": {
        "type": "payment_success",
        "timestamp": "2025-11-21T10:00:00Z",
        "data": {"id": "tx_1"},
    },
}


@dataclass(frozen=True)
class Service:
    """One payment service: a secret, and how it signs."""

    secret: str
    preset: str | None = None
    options: dict = field(default_factory=dict)
    # Signs where no preset does: secret, body and time to headers.
    signer: Callable | None = None

    @classmethod
    def new(cls, preset=None, signer=None, **options):
        secret = secrets.token_hex(16)
        if preset == "standard-webhooks":
            secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        return cls(secret, preset, options, signer)

    @property
    def credentials(self):
        preset = {"preset": self.preset} if self.preset else {}
        return {"secret": self.secret} | preset | self.options

    @property
    def secrets(self):
        return [self.secret]

    def letter(self, payload=None, *, now=None):
        """A notice: the service's own payload, unless there is another; `now` is when it says it was signed."""
        body = json.dumps(PAYLOADS[self.preset]).encode() if payload is None else payload
        now = int(time.time() if now is None else now)
        if self.signer:
            signed = self.signer(self.secret.encode(), body, now)
        else:
            signed = SIGNERS[self.preset](self, body, now)
        return Letter(body=body, headers={"Content-Type": "application/json"} | signed, payload=body)

    def acknowledged(self, response, letter):
        expect_accepted(response)
