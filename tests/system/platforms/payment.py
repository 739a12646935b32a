"""Payment services: Stripe and Standard Webhooks by their own libraries, the others by CPython's hmac."""

import base64
import hashlib
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

from . import MARK, ODD, SentRequest, as_bytes, expect_accepted, flipped, github

SAMPLE = "payment_success"
DEADLINE = 5
STATUS = 202
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = set()
READS_QUERY = False
SIGNATURE_HEADERS = [("default", "X-Signature"), ("standard-webhooks", "Webhook-Signature")]
TYPE = "event_type"
STATUS_NO_JSON = 400
# A queue message has 1 MiB.
LARGEST = 1000 * 1024

VERBATIM = f'{{"event_type":"payment_success","transaction_id":"tx_1",{ODD}}}'.encode()

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
    # An unknown version beside the valid one.
    return {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(int(now)),
        "Webhook-Signature": f"v9,AAAA {signature}",
    }


# A preset without a signer here is tested only by the proof in its file.
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


def make_payload(**members):
    return json.dumps({"event_type": "payment_success"} | members).encode()


def identity(request):
    return "payment.payment_success", "tx_1", hashlib.sha256(request.body).hexdigest()


def retry_id(payload):
    return hashlib.sha256(payload).hexdigest()


def signatures(request):
    return [request.headers["X-Signature"]]


def new_environment(directory):
    return {}


def new_senders():
    presets = {preset: Service.new(preset) for preset in SIGNERS if preset and preset != "square"}
    return {
        "default": Service.new(),
        "rotating": [Service.new(), Service.new()],
        "some": Service.new(accept=["payment_success", "refund"]),
        "square": Service.new("square", url=SQUARE_URL),
        "called": Service.new("square"),
        "places": Service.new(type="event.kind", subject="order", id="event.id", time="event.at"),
        **presets,
    }


@dataclass(frozen=True)
class Service:
    """One payment service: a secret, and how it signs."""

    secret: str
    preset: str | None = None
    options: dict = field(default_factory=dict)
    # The signer of a custom scheme: secret, body and time to headers.
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

    def build_request(self, payload=None, *, now=None):
        """A delivery with the service's own payload, or another one; `now` is the signed time."""
        body = own_payload(self.preset)[0] if payload is None else payload
        now = int(time.time() if now is None else now)
        if self.signer:
            signed = self.signer(self.secret.encode(), body, now)
        else:
            signed = SIGNERS[self.preset](self, body, now)
        return SentRequest(body=body, headers={"Content-Type": "application/json"} | signed, payload=body)

    def acknowledged(self, response, request):
        expect_accepted(response)


ENTRY = {"secret": MARK}

BAD_ENTRIES = [
    ({"secret": ""}, "secret"),
    ({"preset": MARK}, "preset"),
    ({"preset": "standard-webhooks", "secret": f"whsec_{MARK}!"}, "secret"),
    ({"secret_encoding": "hex"}, "secret"),
    ({"algorithm": MARK}, "algorithm"),
    ({"encoding": MARK}, "encoding"),
    ({"header": "no header"}, "header"),
    ({"template": "{id}"}, "template"),
    ({"timestamp_key": "t"}, "signature_key"),
    ({"tolerance": MARK}, "tolerance"),
    ({"accept": MARK}, "accept"),
    ({"headers": MARK}, "headers"),
]

MALFORMED = {
    "payload is no JSON": (lambda service: service.build_request(b"event_type=payment_success"), None),
    "payload is no object": (lambda service: service.build_request(b"[]"), None),
    "payload is not UTF-8": (lambda service: as_bytes(service.build_request(b'{"event_type":"\xff"}')), None),
    "empty body": (lambda service: service.build_request(b""), None),
    "no type": (lambda service: service.build_request(b'{"transaction_id":"t"}'), "event_type"),
    "type is null": (lambda service: service.build_request(b'{"event_type":null}'), "event_type"),
    "type of another type": (lambda service: service.build_request(b'{"event_type":["a"]}'), "event_type"),
}

UNAUTHORIZED = {
    "no signature": lambda service: service.build_request().with_headers(X_Signature=None),
    "empty signature": lambda service: service.build_request().with_headers(X_Signature=""),
    "no hex": lambda service: service.build_request().with_headers(X_Signature="x" * 64),
    "a prefix": lambda service: service.build_request().with_headers(
        X_Signature="sha256=" + service.build_request().headers["X-Signature"]
    ),
    "one digit changed": lambda service: service.build_request().with_headers(
        X_Signature=flipped(service.build_request().headers["X-Signature"])
    ),
    "not ASCII": lambda service: service.build_request().with_headers(X_Signature="é".encode()),
    "body changed": lambda service: service.build_request().but(body=service.build_request().body + b" "),
    "empty body, unsigned": lambda service: SentRequest(b""),
}

STALE = {
    "stripe-old": ("stripe", lambda service: service.build_request(now=time.time() - 400)),
    "stripe-ahead": ("stripe", lambda service: service.build_request(now=time.time() + 400)),
    "stripe-without time": (
        "stripe",
        lambda service: service.build_request().with_headers(
            Stripe_Signature=service.build_request().headers["Stripe-Signature"].split(",")[1]
        ),
    ),
    "paddle-old": ("paddle", lambda service: service.build_request(now=time.time() - 400)),
    "standard-webhooks-old": ("standard-webhooks", lambda service: service.build_request(now=time.time() - 400)),
    "standard-webhooks-without id": (
        "standard-webhooks",
        lambda service: service.build_request().with_headers(Webhook_Id=None),
    ),
    "standard-webhooks-without time": (
        "standard-webhooks",
        lambda service: service.build_request().with_headers(Webhook_Timestamp=None),
    ),
}

REFUSED = {
    "signature": (
        "default",
        lambda service: service.build_request().with_headers(
            X_Signature=flipped(service.build_request().headers["X-Signature"])
        ),
        "signature_mismatch",
    ),
    "event type": (
        "some",
        lambda service: service.build_request(b'{"event_type":"other"}'),
        "unhandled_event_type",
    ),
}
