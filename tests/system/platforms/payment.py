"""Payment services: Stripe and Standard Webhooks by their own libraries, the others by CPython's hmac."""

import base64
import hmac
import json
import secrets
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

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
    return {"X-Shopify-Hmac-SHA256": base64_mac(service, body), "X-Shopify-Topic": proof("shopify")["event"]["type"]}


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


# A preset that is missing here is tested by the proof in its file alone.
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

PRESETS = Path(__file__).resolve().parents[3] / "shared/signed/presets"


def proof(preset):
    """The signed request in the file of a preset."""
    return tomllib.loads((PRESETS / f"{preset}.toml").read_text("utf-8"))["proof"]


# The payload of a sender without a preset, and of a preset whose proof is not an event.
PLAIN = {"event_type": "payment_success", "transaction_id": "tx_1", "amount": 1}


def own_payload(preset):
    """The sender's own payload, and the facts that its event must have."""
    facts = proof(preset).get("event") if preset else None
    if facts:
        return proof(preset)["body"].encode(), facts
    return json.dumps(PLAIN).encode(), {"type": "payment_success", "subject": "tx_1"}


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
        body = own_payload(self.preset)[0] if payload is None else payload
        now = int(time.time() if now is None else now)
        if self.signer:
            signed = self.signer(self.secret.encode(), body, now)
        else:
            signed = SIGNERS[self.preset](self, body, now)
        return Letter(body=body, headers={"Content-Type": "application/json"} | signed, payload=body)

    def acknowledged(self, response, letter):
        expect_accepted(response)
