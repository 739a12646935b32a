"""Feishu and Lark, by lark-oapi: its event dispatcher must take every delivery that is sent as a good one."""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field

from Crypto.Cipher import AES
from Crypto.Util.Padding import pad

from . import MARK, ODD, SentRequest, flipped

SAMPLE = "im.message.receive_v1"
DEADLINE = 2.5
STATUS = 200
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = set()
READS_QUERY = False
EXPIRES = True
SIGNATURE_HEADERS = [("default", "X-Lark-Signature")]
# The type stands in the payload's `header`.
TYPE = None
STATUS_NO_JSON = 400
# Encrypted and in base64, in a body of at most 1 MiB.
LARGEST = 700 * 1024

TOKEN = "TOKEN"
KIND = "letterbox.tested_v1"

# Every sender puts its own verification token in the place of this one.
PAYLOAD = (
    b'{"schema":"2.0","header":{"event_id":"e-1","event_type":"letterbox.tested_v1",'
    b'"create_time":"1763719200123","token":"TOKEN","app_id":"cli_1","tenant_key":"t1"},"event":{"a":1}}'
)

VERBATIM = PAYLOAD[:-1] + f",{ODD}}}".encode()


def make_payload(**members):
    event = {"schema": "2.0", "header": {"event_type": KIND, "token": TOKEN, "app_id": "cli_1"}}
    if "eventId" in members:
        event["header"]["event_id"] = members["eventId"]
    return json.dumps(event | {"event": {}} | members).encode()


def identity(request):
    return f"feishu.{KIND}", "cli_1", "e-1"


def retry_id(payload):
    return json.loads(payload)["eventId"]


def signatures(request):
    return [value for name, value in request.headers.items() if name == "X-Lark-Signature"]


def new_environment(directory):
    return {}


def new_senders():
    return {
        "default": App.new(),
        "clear": App.new(encrypt_key=None),
        "rotating": [App.new(), App.new()],
    }


@dataclass(frozen=True)
class App:
    """One app, with or without an Encrypt Key."""

    token: str
    encrypt_key: str | None
    # Members of its credentials entry that are set besides.
    options: dict = field(default_factory=dict)

    @classmethod
    def new(cls, **options):
        encrypt_key = options.pop("encrypt_key", secrets.token_hex(16))
        return cls(secrets.token_hex(16), encrypt_key, options)

    @property
    def credentials(self):
        key = {"encrypt_key": self.encrypt_key} if self.encrypt_key else {}
        return {"verification_token": self.token} | key | self.options

    @property
    def secrets(self):
        return [self.token] + ([self.encrypt_key] if self.encrypt_key else [])

    def fill(self, payload):
        """The payload with the app's verification token."""
        payload = payload if isinstance(payload, bytes) else payload.encode()
        return payload.replace(f'"{TOKEN}"'.encode(), f'"{self.token}"'.encode())

    def seal(self, payload):
        """The body of a payload."""
        if not self.encrypt_key:
            return payload
        iv = secrets.token_bytes(16)
        cipher = AES.new(hashlib.sha256(self.encrypt_key.encode()).digest(), AES.MODE_CBC, iv)
        encrypt = base64.b64encode(iv + cipher.encrypt(pad(payload, 16))).decode()
        return json.dumps({"encrypt": encrypt}).encode()

    def signed(self, body, *, timestamp=None, card=False):
        """The signature's headers: SHA-256 with the Encrypt Key, of an old card SHA-1 with the token."""
        timestamp, nonce = timestamp or str(int(time.time())), secrets.token_hex(4)
        secret, digest = (self.token, hashlib.sha1) if card else (self.encrypt_key, hashlib.sha256)
        return {
            "X-Lark-Request-Timestamp": timestamp,
            "X-Lark-Request-Nonce": nonce,
            "X-Lark-Signature": digest((timestamp + nonce + secret).encode() + body).hexdigest(),
        }

    def build_request(self, payload=PAYLOAD, *, timestamp=None):
        """An event, as the platform sends it now."""
        payload = self.fill(payload)
        body = self.seal(payload)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if self.encrypt_key:
            headers |= self.signed(body, timestamp=timestamp)
        return SentRequest(body=body, headers=headers, payload=payload)

    def card(self, payload):
        """The callback of an old card."""
        body = self.seal(payload)
        return SentRequest(body=body, headers=self.signed(body, card=True), payload=payload)

    def challenge(self, text):
        """The test of a URL, which is not signed."""
        payload = json.dumps({"challenge": text, "token": self.token, "type": "url_verification"})
        return SentRequest(body=self.seal(payload.encode()), headers={"Content-Type": "application/json"})

    def acknowledged(self, response, request):
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == "application/json"
        assert response.json() == {}


def signed_by(app, change):
    request = app.build_request()
    return request.with_headers(X_Lark_Signature=change(request.headers["X-Lark-Signature"]))


def stale(seconds):
    return str(int(time.time()) - seconds)


# The fields that must be there.
ENTRY = {"verification_token": MARK}

BAD_ENTRIES = [
    ({"verification_token": ""}, "verification_token"),
    ({"verification_token": f"{MARK} "}, "verification_token"),
    ({"verification_token": None}, "verification_token"),
    ({"encrypt_key": ""}, "encrypt_key"),
    ({"encrypt_key": [MARK]}, "encrypt_key"),
    ({"tolerance": 0}, "tolerance"),
    ({"tolerance": MARK}, "tolerance"),
    ({"encrypt": MARK}, "encrypt"),
]

MALFORMED = {
    "no nonce": (lambda app: app.build_request().with_headers(X_Lark_Request_Nonce=None), "x-lark-request-nonce"),
    "no timestamp": (
        lambda app: app.build_request().with_headers(X_Lark_Request_Timestamp=None),
        "x-lark-request-timestamp",
    ),
    "body is no JSON": (lambda app: app.build_request().but(body=b"encrypt=x"), None),
    "encrypt of another type": (lambda app: app.build_request().but(body=b'{"encrypt":["x"]}'), "encrypt"),
    "two encrypts": (lambda app: app.build_request().but(body=b'{"encrypt":"x","encrypt":"y"}'), "encrypt"),
    "payload is no JSON": (lambda app: app.build_request("payload!"), None),
    "payload without a type": (
        lambda app: app.build_request('{"schema":"2.0","header":{"token":"TOKEN"}}'),
        "header.event_type",
    ),
    "payload without a token": (
        lambda app: app.build_request('{"schema":"2.0","header":{"event_type":"a"}}'),
        "header.token",
    ),
    "challenge without a text": (
        lambda app: app.build_request('{"type":"url_verification","token":"TOKEN"}'),
        "challenge",
    ),
}

UNAUTHORIZED = {
    "no signature": lambda app: app.build_request().with_headers(X_Lark_Signature=None),
    "empty signature": lambda app: app.build_request().with_headers(X_Lark_Signature=""),
    "one digit changed": lambda app: signed_by(app, flipped),
    "one digit less": lambda app: signed_by(app, lambda value: value[:-1]),
    "upper case": lambda app: signed_by(app, str.upper),
    "as an old card": lambda app: app.build_request().but(headers=app.signed(app.build_request().body, card=True)),
    "another timestamp": lambda app: app.build_request().with_headers(X_Lark_Request_Timestamp="1"),
    "another nonce": lambda app: app.build_request().with_headers(X_Lark_Request_Nonce="n"),
    "another key": lambda app: App(app.token, "another").build_request(),
    "another token": lambda app: App("another", app.encrypt_key).build_request(),
    "in clear": lambda app: App(app.token, None).build_request(),
    "in clear and signed": lambda app: app.build_request().but(
        body=app.fill(PAYLOAD), headers=app.signed(app.fill(PAYLOAD))
    ),
    "a challenge in clear": lambda app: App(app.token, None).challenge("c"),
    "a challenge of another token": lambda app: App("another", app.encrypt_key).challenge("c"),
    "an event that says challenge": lambda app: app.build_request(
        '{"type":"event_callback","challenge":"c","token":"TOKEN"}'
    ).with_headers(X_Lark_Signature=None),
    "body changed": lambda app: app.build_request().but(body=app.build_request().body),
    "white space added": lambda app: (lambda request: request.but(body=request.body + b" "))(app.build_request()),
    "an old card that is an event": lambda app: app.card(app.fill(PAYLOAD)),
    "noise": lambda app: SentRequest(json.dumps({"encrypt": base64.b64encode(b"x" * 64).decode()}).encode()),
}

STALE = {
    "old": ("default", lambda app: app.build_request(timestamp=stale(400))),
    "ahead": ("default", lambda app: app.build_request(timestamp=stale(-400))),
    "milliseconds": ("default", lambda app: app.build_request(timestamp=stale(0) + "000")),
    "no number": ("default", lambda app: app.build_request(timestamp="soon")),
    "huge": ("default", lambda app: app.build_request(timestamp="9" * 30)),
}

REFUSED = {
    "token": ("clear", lambda app: App("another", None).build_request(), "token_mismatch"),
    "unsigned": (
        "default",
        lambda app: app.build_request().with_headers(X_Lark_Signature=None),
        "missing_signature",
    ),
    "in clear": ("default", lambda app: App(app.token, None).build_request(), "not_encrypted"),
    "encrypted": ("clear", lambda app: App(app.token, "key").build_request(), "no_encrypt_key"),
}
