"""Discord: signed by PyNaCl; discord-interactions must accept every delivery that is sent as a valid one."""

import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field

from discord_interactions import InteractionResponseType, InteractionType, verify_key
from nacl.signing import SigningKey

from . import MARK, ODD, SentRequest, as_bytes, flipped

SAMPLE = "application_command"
DEADLINE = 2.5
STATUS = 200
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = set()
READS_QUERY = False
SIGNATURE_HEADERS = [("default", "X-Signature-Ed25519")]
TYPE = "type"
STATUS_NO_JSON = 400
# A body has at most 1 MiB.
LARGEST = 1000 * 1024

PAYLOAD = (
    b'{"application_id":"1180000000000000001","guild_id":"1180000000000000002","id":"1441393541529600010",'
    b'"token":"t","type":2,"data":{"id":"1","name":"order","type":1},"version":1}'
)
VERBATIM = f'{{"type":2,"id":"1441393541529600011",{ODD}}}'.encode()


def make_payload(**members):
    renamed = {"id" if name == "eventId" else name: value for name, value in members.items()}
    return json.dumps({"type": int(InteractionType.APPLICATION_COMMAND), "id": "7"} | renamed).encode()


def identity(request):
    return "discord.interaction.application_command", "1180000000000000002", "1441393541529600010"


def retry_id(payload):
    return json.loads(payload)["id"]


def signatures(request):
    return [request.headers["X-Signature-Ed25519"]]


def new_environment(directory):
    return {}


def new_senders():
    return {"default": Application.new(), "rotating": [Application.new(), Application.new()]}


@dataclass(frozen=True)
class Application:
    """One application, with the private key that only Discord has."""

    key: SigningKey
    options: dict = field(default_factory=dict)

    @classmethod
    def new(cls):
        return cls(SigningKey(secrets.token_bytes(32)))

    @property
    def public_key(self):
        return self.key.verify_key.encode().hex()

    @property
    def credentials(self):
        return {"public_key": self.public_key} | self.options

    @property
    def secrets(self):
        return []

    def build_request(self, payload=PAYLOAD, *, now=None):
        body = payload if isinstance(payload, bytes) else payload.encode()
        timestamp = str(int(time.time() if now is None else now))
        signature = self.key.sign(timestamp.encode() + body).signature.hex()
        assert verify_key(body, signature, timestamp, self.public_key)
        return SentRequest(
            body=body,
            headers={
                "Content-Type": "application/json",
                "User-Agent": "Discord-Interactions/1.0 (+https://discord.com)",
                "X-Signature-Ed25519": signature,
                "X-Signature-Timestamp": timestamp,
            },
            payload=body,
        )

    def acknowledged(self, response, request):
        kind = json.loads(request.body)
        if "event" in kind:
            assert (response.status_code, response.content) == (204, b"")
            return
        deferred = {
            InteractionType.APPLICATION_COMMAND: InteractionResponseType.DEFERRED_CHANNEL_MESSAGE_WITH_SOURCE,
            InteractionType.MESSAGE_COMPONENT: InteractionResponseType.DEFERRED_UPDATE_MESSAGE,
            InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE: InteractionResponseType.APPLICATION_COMMAND_AUTOCOMPLETE_RESULT,
            InteractionType.MODAL_SUBMIT: InteractionResponseType.DEFERRED_CHANNEL_MESSAGE_WITH_SOURCE,
        }
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == "application/json"
        assert response.json()["type"] == deferred[kind["type"]]


def signed_by(app, change):
    request = app.build_request()
    return request.with_headers(X_Signature_Ed25519=change(request.headers["X-Signature-Ed25519"]))


# It has no secret.
ENTRY = {"public_key": "8165079d4d6eca75d4fe0fc6c5c65cbfdc7e5260e17a0855af9b69b1df08713a"}

BAD_ENTRIES = [
    ({"public_key": MARK}, "public_key"),
    ({"public_key": ""}, "public_key"),
    ({"public_key": [MARK]}, "public_key"),
    ({"public_key": "0" * 64}, "public_key"),
    ({"public_key": "5a" * 31}, "public_key"),
    ({"secret": MARK}, "secret"),
]

MALFORMED = {
    "payload is no JSON": (lambda app: app.build_request(b"{"), None),
    "payload is no object": (lambda app: app.build_request(b"[]"), None),
    "payload is not UTF-8": (lambda app: as_bytes(app.build_request(b'{"type":2,"id":"\xff"}')), None),
    "empty body": (lambda app: app.build_request(b""), None),
    "no type": (lambda app: app.build_request(b'{"id":"1"}'), "type"),
    "type of another type": (lambda app: app.build_request(b'{"type":[2],"id":"1"}'), "type"),
    "long type": (lambda app: app.build_request(b'{"type":2222,"id":"1"}'), "type"),
    "negative type": (lambda app: app.build_request(b'{"type":-1,"id":"1"}'), "type"),
    "two types": (lambda app: app.build_request(b'{"type":2,"id":"1","type":1}'), "type"),
    "no id": (lambda app: app.build_request(b'{"type":2}'), "id"),
    "webhook event without a type": (lambda app: app.build_request(b'{"type":1,"event":{}}'), "event.type"),
}

UNAUTHORIZED = {
    "no signature": lambda app: app.build_request().with_headers(X_Signature_Ed25519=None),
    "empty signature": lambda app: app.build_request().with_headers(X_Signature_Ed25519=""),
    "no timestamp": lambda app: app.build_request().with_headers(X_Signature_Timestamp=None),
    "another timestamp": lambda app: app.build_request(now=1).with_headers(X_Signature_Timestamp="2"),
    "one digit changed": lambda app: signed_by(app, flipped),
    "one digit less": lambda app: signed_by(app, lambda value: value[:-1]),
    "no hex": lambda app: signed_by(app, lambda value: "z" * 128),
    "twice": lambda app: signed_by(app, lambda value: f"{value},{value}"),
    "not ASCII": lambda app: signed_by(app, lambda value: "é".encode() * 64),
    "another application": lambda app: Application.new().build_request(),
    "ping of another application": lambda app: Application.new().build_request(b'{"type":1}'),
    "body changed": lambda app: app.build_request().but(body=PAYLOAD + b" "),
    "ping, unsigned": lambda app: SentRequest(b'{"type":1}', {"Content-Type": "application/json"}),
}

# Discord names no limit for the age of a request.
STALE = {}

REFUSED = {
    "no signature": (
        "default",
        lambda app: app.build_request().with_headers(X_Signature_Ed25519=None),
        "missing_signature",
    ),
    "wrong signature": ("default", lambda app: signed_by(app, flipped), "signature_mismatch"),
    "JSON": ("default", lambda app: app.build_request(b"{"), "invalid_json"),
}
