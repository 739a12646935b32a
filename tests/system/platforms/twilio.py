"""Twilio, by its own library."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from twilio.request_validator import RequestValidator

from . import MARK, ODD, SentRequest, as_bytes, flipped

SAMPLE = "message"
DEADLINE = 4.5
STATUS = 200
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = {"deliveryid", "action"}
READS_QUERY = True
SIGNATURE_HEADERS = [("default", "X-Twilio-Signature")]
# A payload may have no type.
TYPE = None
STATUS_NO_JSON = 400
# A queue message has 1 MiB.
LARGEST = 1000 * 1024

# As Twilio knows it: the emulated gateway has another host.
URL = "https://hooks.example.net/twilio"
FORM = "application/x-www-form-urlencoded"

ACCOUNT = "AC1e77e2b0a5d94c0f8a3b6d2c4f5e6a7b"
PAYLOAD = (
    b'[{"specversion":"1.0","type":"com.twilio.messaging.message.delivered","id":"EZ1",'
    b'"time":"2026-11-21T09:59:59.000Z","data":{"accountSid":"AC1e77e2b0a5d94c0f8a3b6d2c4f5e6a7b"}}]'
)
VERBATIM = f'{{"type":"com.twilio.voice","id":"EZ2",{ODD}}}'.encode()


def make_payload(**members):
    renamed = {"id" if name == "eventId" else name: value for name, value in members.items()}
    return json.dumps({"type": "com.twilio.voice", "n": 1} | renamed).encode()


def identity(request):
    return "twilio.com.twilio.messaging.message.delivered", ACCOUNT, "EZ1"


def retry_id(payload):
    return json.loads(payload).get("id") or hashlib.sha256(payload).hexdigest()


def signatures(request):
    return [request.headers["X-Twilio-Signature"]]


def new_environment(directory):
    return {}


def new_senders():
    return {
        "default": Account.new(url=URL),
        "query": Account.new(url=f"{URL}?foo=1&bar=a%20b"),
        "port": Account.new(url="https://hooks.example.net:8443/twilio"),
        "rotating": [Account.new(url=URL), Account.new(url=URL)],
    }


class Fields(dict):
    """A form as the library takes it from Django: a name may have several values."""

    def getlist(self, name):
        return self[name] if isinstance(self[name], list) else [self[name]]


@dataclass(frozen=True)
class Account:
    """One account and its auth token."""

    secret: str
    # Further fields of its credentials entry.
    options: dict = field(default_factory=dict)

    @classmethod
    def new(cls, **options):
        return cls(secrets.token_hex(16), options)

    @property
    def credentials(self):
        return {"secret": self.secret} | self.options

    @property
    def secrets(self):
        return [self.secret]

    def sign(self, url, fields):
        return RequestValidator(self.secret).compute_signature(url, Fields(fields))

    def build_request(self, payload=PAYLOAD):
        """JSON, whose hash is in the query string."""
        query = f"bodySHA256={hashlib.sha256(payload).hexdigest()}"
        url = self.options["url"]
        headers = {
            "Content-Type": "application/json",
            "X-Twilio-Signature": self.sign(f"{url}{'&' if '?' in url else '?'}{query}", {}),
        }
        return SentRequest(body=payload, headers=headers, query=query, payload=payload)

    def form(self, fields, *, url=None):
        """A form; `fields` has a list where a name is repeated."""
        body = urlencode(fields, doseq=True).encode()
        parsed = {name: values[0] if len(values) == 1 else values for name, values in
                  parse_qs(body.decode(), keep_blank_values=True).items()}
        payload = json.dumps(parsed, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": FORM,
            "User-Agent": "TwilioProxy/1.1",
            "I-Twilio-Idempotency-Token": secrets.token_hex(8),
            "X-Twilio-Signature": self.sign(url or self.options["url"], fields),
        }
        return SentRequest(body=body, headers=headers, payload=payload)

    def acknowledged(self, response, request):
        assert response.status_code == 200, response.text
        if request.headers["Content-Type"] == FORM:
            assert response.headers["Content-Type"] == "text/xml"
            assert response.text == '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
        else:
            assert response.content == b""


def signed_by(account, change):
    request = account.build_request()
    return request.with_headers(X_Twilio_Signature=change(request.headers["X-Twilio-Signature"]))


ENTRY = {"secret": MARK}

BAD_ENTRIES = [
    ({"secret": ""}, "secret"),
    ({"secret": f" {MARK}"}, "secret"),
    ({"secret": [MARK]}, "secret"),
    ({"url": MARK}, "url"),
    ({"auth_token": MARK}, "auth_token"),
]

MALFORMED = {
    "payload is no JSON": (lambda account: account.build_request(b"{"), None),
    "hashed form": (lambda account: account.build_request(b"MessageSid=SM1"), None),
    "payload is not UTF-8": (lambda account: as_bytes(account.build_request(b'{"type":"\xff"}')), None),
    "JSON without a hash": (lambda account: account.build_request().but(query=""), "bodySHA256"),
    "two hashes": (
        lambda account: account.build_request().but(query=f"{account.build_request().query}&bodySHA256=00"),
        "bodySHA256",
    ),
    "empty form": (lambda account: account.form({"a": "b"}).but(body=b""), "body"),
}

UNAUTHORIZED = {
    "no signature": lambda account: account.build_request().with_headers(X_Twilio_Signature=None),
    "empty signature": lambda account: account.build_request().with_headers(X_Twilio_Signature=""),
    "no base64": lambda account: signed_by(account, lambda value: "!" * 28),
    "one character changed": lambda account: signed_by(account, flipped),
    "not ASCII": lambda account: signed_by(account, lambda value: "é".encode()),
    "body changed": lambda account: account.build_request().but(body=PAYLOAD + b" "),
    "another hash": lambda account: account.build_request().but(query=f"bodySHA256={hashlib.sha256(b'{}').hexdigest()}"),
    "upper-case hash": lambda account: account.build_request().but(
        query="bodySHA256=" + hashlib.sha256(PAYLOAD).hexdigest().upper()
    ),
    "field added": lambda account: account.form({"a": "b"}).but(body=b"a=b&c=d"),
    "field encoded twice": lambda account: account.form({"a": "+"}).but(body=b"a=%252B"),
    "another URL": lambda account: account.form({"a": "b"}, url="http://hooks.example.net/twilio"),
    "no JSON, unsigned": lambda account: SentRequest(b"{}", query="bodySHA256=00"),
}

# A delivery has no timestamp.
STALE = {}

REFUSED = {
    "no signature": (
        "default",
        lambda account: account.build_request().with_headers(X_Twilio_Signature=None),
        "missing_signature",
    ),
    "hash": ("default", lambda account: account.build_request().but(body=b"{}"), "body_hash_mismatch"),
    "JSON": ("default", lambda account: account.build_request(b"{"), "invalid_json"),
}
