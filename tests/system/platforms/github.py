"""GitHub, by githubkit."""

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlencode

from githubkit.webhooks import sign

from . import MARK, ODD, SentRequest, as_bytes, expect_accepted, flipped

SAMPLE = "push"
DEADLINE = 8
STATUS = 202
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = {"deliveryid", "action", "hookid", "targettype", "targetid"}
READS_QUERY = False
SIGNATURE_HEADERS = [("default", "X-Hub-Signature-256")]
# The type is in a header.
TYPE = None
STATUS_NO_JSON = 400
# A queue message has 1 MiB.
LARGEST = 1000 * 1024

PAYLOAD = b'{"action":"opened","issue":{"number":1},"repository":{"full_name":"acme/widget"}}'
FORM = "application/x-www-form-urlencoded"


VERBATIM = f'\n{{"repository":{{"full_name":"acme/widget"}},{ODD}}}\n'.encode()


def make_payload(**members):
    return json.dumps({"repository": {"full_name": "acme/widget"}} | members).encode()


def identity(request):
    return "github.issues", "acme/widget", retry_id(request.body)


def retry_id(payload):
    # The name of the event is a header: it is part of what is hashed.
    return hashlib.sha256(b"issues\n" + payload).hexdigest()


def signatures(request):
    return [request.headers["X-Hub-Signature-256"].removeprefix("sha256=")]


def new_environment(directory):
    return {}


def new_senders():
    return {
        "default": Hook.new(),
        "legacy": Hook.new(allow_sha1=True),
        "rotating": [Hook.new(), Hook.new()],
    }


@dataclass(frozen=True)
class Hook:
    """One webhook and its secret."""

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

    def build_request(self, payload=PAYLOAD, event="issues", *, form=False, method="sha256"):
        """A delivery; `form` as the hook's content type, `method` sha1 as older senders sign."""
        body = urlencode({"payload": payload}).encode() if form else payload
        signature = "X-Hub-Signature-256" if method == "sha256" else "X-Hub-Signature"
        return SentRequest(
            payload=payload,
            body=body,
            headers={
                "Content-Type": FORM if form else "application/json",
                "User-Agent": "GitHub-Hookshot/0a1b2c3",
                "X-GitHub-Event": event,
                "X-GitHub-Delivery": str(uuid.uuid4()),
                "X-GitHub-Hook-ID": "292430182",
                "X-GitHub-Hook-Installation-Target-ID": "79929171",
                "X-GitHub-Hook-Installation-Target-Type": "repository",
                signature: sign(self.secret, body, method),
            },
        )

    def acknowledged(self, response, request):
        expect_accepted(response)


def signed_by(hook, change):
    request = hook.build_request()
    return request.with_headers(X_Hub_Signature_256=change(request.headers["X-Hub-Signature-256"]))


ENTRY = {"secret": MARK}

BAD_ENTRIES = [
    ({"secret": ""}, "secret"),
    ({"secret": f" {MARK}"}, "secret"),
    ({"secret": [MARK]}, "secret"),
    ({"allow_sha1": MARK}, "allow_sha1"),
    ({"secrets": MARK}, "secrets"),
]

MALFORMED = {
    "no event": (lambda hook: hook.build_request().with_headers(X_GitHub_Event=None), "X-GitHub-Event"),
    "payload is no JSON": (lambda hook: hook.build_request(b"{"), None),
    "payload is no object": (lambda hook: hook.build_request(b'"text"'), None),
    "payload is not UTF-8": (lambda hook: as_bytes(hook.build_request(b'{"a":"\xff"}')), None),
    "empty body": (lambda hook: hook.build_request(b""), None),
    "form without payload": (
        lambda hook: hook.build_request(b"payloads=%7B%7D").with_headers(
            Content_Type="application/x-www-form-urlencoded"
        ),
        None,
    ),
    "form with two payloads": (
        lambda hook: hook.build_request(b"payload=%7B%7D&payload=%7B%7D").with_headers(
            Content_Type="application/x-www-form-urlencoded"
        ),
        "payload",
    ),
}

UNAUTHORIZED = {
    "no signature": lambda hook: hook.build_request().with_headers(X_Hub_Signature_256=None),
    "empty signature": lambda hook: hook.build_request().with_headers(X_Hub_Signature_256=""),
    "no prefix": lambda hook: signed_by(hook, lambda value: value.removeprefix("sha256=")),
    "another prefix": lambda hook: signed_by(hook, lambda value: value.replace("sha256", "sha512")),
    "no hex": lambda hook: signed_by(hook, lambda value: "sha256=" + "x" * 64),
    "prefix alone": lambda hook: signed_by(hook, lambda value: "sha256="),
    "one digit less": lambda hook: signed_by(hook, lambda value: value[:-1]),
    "two digits less": lambda hook: signed_by(hook, lambda value: value[:-2]),
    "one digit changed": lambda hook: signed_by(hook, flipped),
    "not ASCII": lambda hook: signed_by(hook, lambda value: "sha256=é".encode()),
    "body changed": lambda hook: hook.build_request().but(body=hook.build_request().body + b" "),
    "SHA-1": lambda hook: hook.build_request(method="sha1"),
    "no JSON, unsigned": lambda hook: SentRequest(b"{"),
}

# A delivery has no timestamp.
STALE = {}

REFUSED = {
    "no signature": (
        "default",
        lambda hook: hook.build_request().with_headers(X_Hub_Signature_256=None),
        "missing_signature",
    ),
    "JSON": ("default", lambda hook: hook.build_request(b"{"), "invalid_json"),
}
