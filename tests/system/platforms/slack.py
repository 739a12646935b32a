"""Slack, by slack_sdk."""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from . import MARK, ODD, SentRequest, as_bytes, flipped

SAMPLE = "message"
DEADLINE = 2.5
STATUS = 200
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = {"retrynum", "retryreason"}
READS_QUERY = False
SIGNATURE_HEADERS = [("default", "X-Slack-Signature")]
TYPE = "type"
STATUS_NO_JSON = 400
# A body has at most 1 MiB.
LARGEST = 1000 * 1024

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

PAYLOAD = (
    b'{"team_id":"T061EG9RZ","api_app_id":"A0FFV41KK","event":{"type":"reaction_added","user":"U061F1EUR"},'
    b'"type":"event_callback","event_id":"Ev9UQ52YNA","event_time":1795255199}'
)
VERBATIM = f'{{"type":"event_callback","event_id":"Ev1","event":{{"type":"message"}},{ODD}}}'.encode()


def make_payload(**members):
    """A message about the delivery of events, which has no `event`."""
    renamed = {"event_id" if name == "eventId" else name: value for name, value in members.items()}
    return json.dumps({"type": "app_uninstalled_team"} | renamed).encode()


def identity(request):
    return "slack.reaction_added", "T061EG9RZ", "Ev9UQ52YNA"


def retry_id(payload):
    return json.loads(payload).get("event_id") or hashlib.sha256(payload).hexdigest()


def signatures(request):
    return [request.headers["X-Slack-Signature"].removeprefix("v0=")]


def new_environment(directory):
    return {}


def new_senders():
    return {
        "default": App.new(),
        "strict": App.new(tolerance=30),
        "rotating": [App.new(), App.new()],
    }


@dataclass(frozen=True)
class App:
    """One app and its signing secret."""

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

    def signature(self, now, body):
        try:
            return SignatureVerifier(self.secret).generate_signature(timestamp=now, body=body)
        except UnicodeDecodeError:
            # The library signs text only.
            return "v0=" + hmac.new(self.secret.encode(), f"v0:{now}:".encode() + body, "sha256").hexdigest()

    def sign(self, body, content_type, now=None):
        now = str(int(time.time() if now is None else now))
        return SentRequest(
            body=body,
            headers={
                "Content-Type": content_type,
                "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
                "X-Slack-Request-Timestamp": now,
                "X-Slack-Signature": self.signature(now, body),
            },
            payload=body,
        )

    def build_request(self, payload=PAYLOAD, *, now=None):
        """A delivery of the Events API; `now` is the signed time."""
        return self.sign(payload, JSON, now)

    def interaction(self, payload):
        """A form with JSON in it."""
        return self.sign(urlencode({"payload": payload}).encode(), FORM).but(payload=payload)

    def command(self, **fields):
        """A form."""
        payload = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        return self.sign(urlencode(fields).encode(), FORM).but(payload=payload)

    def acknowledged(self, response, request):
        assert response.status_code == 200, response.text
        assert response.content == b""


def signed_by(app, change):
    request = app.build_request()
    return request.with_headers(X_Slack_Signature=change(request.headers["X-Slack-Signature"]))


ENTRY = {"secret": MARK}

BAD_ENTRIES = [
    ({"secret": ""}, "secret"),
    ({"secret": f" {MARK}"}, "secret"),
    ({"secret": [MARK]}, "secret"),
    ({"tolerance": 0}, "tolerance"),
    ({"tolerance": MARK}, "tolerance"),
    ({"signing_secret": MARK}, "signing_secret"),
]

MALFORMED = {
    "payload is no JSON": (lambda app: app.build_request(b"{"), None),
    "payload is no object": (lambda app: app.build_request(b'"text"'), None),
    "payload is not UTF-8": (lambda app: as_bytes(app.build_request(b'{"type":"\xff"}')), None),
    "empty body": (lambda app: app.build_request(b""), None),
    "no type": (lambda app: app.build_request(b'{"event":{"type":"message"}}'), "type"),
    "event without type": (lambda app: app.build_request(b'{"type":"event_callback"}'), "event.type"),
    "form with two payloads": (lambda app: app.sign(b"payload=%7B%7D&payload=%7B%7D", FORM), "payload"),
    "payload encoded twice": (lambda app: app.sign(b"payload=%257B%257D", FORM), None),
    "interaction without type": (lambda app: app.sign(b"payload=%7B%7D", FORM), "type"),
    "form without a command": (lambda app: app.sign(b"token=t&team_id=T1", FORM), "command"),
    "two commands": (lambda app: app.sign(b"command=%2Fa&command=%2Fb", FORM), "command"),
    "form is not UTF-8": (lambda app: as_bytes(app.sign(b"command=\xff", FORM)), None),
    "no challenge": (lambda app: app.build_request(b'{"type":"url_verification"}'), "challenge"),
}

UNAUTHORIZED = {
    "no signature": lambda app: app.build_request().with_headers(X_Slack_Signature=None),
    "empty signature": lambda app: app.build_request().with_headers(X_Slack_Signature=""),
    "no timestamp": lambda app: app.build_request().with_headers(X_Slack_Request_Timestamp=None),
    "no version": lambda app: signed_by(app, lambda value: value.removeprefix("v0=")),
    "another version": lambda app: signed_by(app, lambda value: value.replace("v0=", "v1=")),
    "no hex": lambda app: signed_by(app, lambda value: "v0=" + "x" * 64),
    "version alone": lambda app: signed_by(app, lambda value: "v0="),
    "one digit less": lambda app: signed_by(app, lambda value: value[:-1]),
    "one digit changed": lambda app: signed_by(app, flipped),
    "not ASCII": lambda app: signed_by(app, lambda value: "v0=é".encode()),
    "body changed": lambda app: app.build_request().but(body=app.build_request().body + b" "),
    "another time": lambda app: app.build_request().with_headers(X_Slack_Request_Timestamp=str(int(time.time()) + 9)),
    "no JSON, unsigned": lambda app: SentRequest(b"{"),
    "challenge, unsigned": lambda app: SentRequest(b'{"type":"url_verification","challenge":"c"}'),
    "command with ssl_check, unsigned": lambda app: SentRequest(b"ssl_check=1&command=%2Fa"),
    "payload with ssl_check, unsigned": lambda app: SentRequest(b"ssl_check=1&payload=%7B%22type%22%3A%22a%22%7D"),
}

STALE = {
    "old": ("default", lambda app: app.build_request(now=time.time() - 400)),
    "ahead": ("default", lambda app: app.build_request(now=time.time() + 400)),
    "old for a strict source": ("strict", lambda app: app.build_request(now=time.time() - 60)),
    "no digits": (
        "default",
        lambda app: app.build_request().with_headers(X_Slack_Request_Timestamp="now"),
    ),
}

REFUSED = {
    "no signature": (
        "default",
        lambda app: app.build_request().with_headers(X_Slack_Signature=None),
        "missing_signature",
    ),
    "time": ("default", lambda app: app.build_request(now=time.time() - 400), "timestamp_out_of_range"),
    "JSON": ("default", lambda app: app.build_request(b"{"), "invalid_json"),
}
