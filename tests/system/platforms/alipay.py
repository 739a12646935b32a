"""Alipay, by its own SDK for Python."""

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from alipay.aop.api.util.SignatureUtils import get_sign_content, sign_with_rsa, sign_with_rsa2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from . import MARK, SentRequest, as_bytes

SAMPLE = "trade_status_sync"
DEADLINE = 4
STATUS = 200
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = {"rawdata"}
READS_QUERY = False
# The signature is a field of the form.
SIGNATURE_HEADERS = []
TYPE = None
# A payload is a form.
STATUS_NO_JSON = None
# The event has the fields, and the form as it came: together at most 1 MiB.
LARGEST = 500 * 1024

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def make_fields(**more):
    return {
        "notify_type": "trade_status_sync",
        "notify_id": "n1",
        "notify_time": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600)),
        "charset": "utf-8",
        "version": "1.0",
        "trade_no": "2026112122001446890500000001",
        "out_trade_no": "T1",
        "subject": "测试商品 100% & more",
        "total_amount": "88.88",
        "passback_params": "merchantBizType%3d3C%26merchantBizNo%3d2016",
    } | more


# Values that any decoding but one would change.
VERBATIM = json.dumps(
    {"notify_id": "n2", "notify_type": "t", "a": "%2525+ &=", "b": '"\\/\u4e2d🎋\n', "n": "1.50e3", "out_trade_no": "T1"},
    ensure_ascii=False,
).encode()


def make_payload(**members):
    event_id = members.pop("eventId", "n3")
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in members.items()}
    return json.dumps({"notify_type": "t", "notify_id": str(event_id)} | texts).encode()


def identity(request):
    return "alipay.trade_status_sync", "T1", "n1"


def retry_id(payload):
    return json.loads(payload)["notify_id"]


def read_error(response):
    # The platform reads one word, which says nothing else.
    assert response.text == "fail"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    return "fail"


def signatures(request):
    return [request.signature]


def new_environment(directory):
    return {}


def new_senders():
    return {
        "default": App.new(),
        "several": App.new(app_ids=2),
        "intl": App.new(app_ids=0, region="intl"),
        "rotating": [App.new(), App.new()],
    }


@dataclass(frozen=True)
class SignedForm(SentRequest):
    """A form and its signature."""

    signature: str = ""


@dataclass(frozen=True)
class App:
    """One app, and Alipay's key for it."""

    key: rsa.RSAPrivateKey
    app_ids: list
    options: dict = field(default_factory=dict)

    @classmethod
    def new(cls, app_ids=1, **options):
        ids = [f"2021{secrets.randbelow(10**12):012}" for _ in range(app_ids)]
        return cls(rsa.generate_private_key(65537, 2048), ids, options)

    @property
    def public_key(self):
        """As the console shows it: base64 of the DER."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return base64.b64encode(self.key.public_key().public_bytes(serialization.Encoding.DER, form)).decode()

    @property
    def private_key(self):
        form = serialization.PrivateFormat.TraditionalOpenSSL
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    @property
    def credentials(self):
        app_id = {} if not self.app_ids else {"app_id": self.app_ids[0] if len(self.app_ids) == 1 else self.app_ids}
        return app_id | {"public_key": self.public_key} | self.options

    @property
    def secrets(self):
        # Only Alipay has a secret, its private key.
        return []

    def build_request(self, payload=None, **options):
        """A form with these fields (JSON, or a dict), and the app's id. What is no JSON is the value of one field."""
        fields = make_fields() if payload is None else payload
        if not isinstance(fields, dict):
            try:
                fields = json.loads(fields)
            except ValueError:
                fields = {"content": fields.decode()}
        fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        if self.app_ids:
            fields.setdefault("app_id", self.app_ids[-1])
        return self.signed(fields, **options)

    def signed(self, fields, *, charset="utf-8", keeps_sign_type=False, sign_type="RSA2", sign=sign_with_rsa2):
        """Messages to the application gateway sign `sign_type`, too."""
        fields = fields | {"sign_type": sign_type}
        covered = {name: value for name, value in fields.items() if value and (keeps_sign_type or name != "sign_type")}
        signature = sign(self.private_key, get_sign_content(covered), charset)
        pairs = [f"{name}={quote_plus(value, encoding=charset)}" for name, value in fields.items()]
        pairs.append(f"sign={quote_plus(signature)}")
        data = json.dumps(dict(sorted(covered.items())), ensure_ascii=False, separators=(",", ":"))
        return SignedForm(
            body="&".join(pairs).encode(), headers={"Content-Type": FORM}, payload=data.encode(), signature=signature
        )

    def acknowledged(self, response, request):
        assert response.status_code == 200, response.text
        expected = "SUCCESS" if self.options.get("region") == "intl" else "success"
        assert response.content == expected.encode()
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


def replaced(old, new):
    return lambda app: app.build_request().but(body=app.build_request().body.replace(old, new))


def appended(more):
    def build(app):
        request = app.build_request()
        return request.but(body=request.body + more)

    return build


ENTRY = {"public_key": App.new().public_key}

BAD_ENTRIES = [
    ({"public_key": ""}, "public_key"),
    ({"public_key": MARK}, "public_key"),
    ({"public_key": [MARK]}, "public_key"),
    ({"public_key": App.new().private_key}, "public_key"),
    ({"app_id": []}, "app_id"),
    ({"app_id": ""}, "app_id"),
    ({"app_id": f" {MARK}"}, "app_id"),
    ({"app_id": 1}, "app_id"),
    ({"region": MARK}, "region"),
    ({"secret": MARK}, "secret"),
]

MALFORMED = {
    "SHA-1": (lambda app: app.build_request(sign_type="RSA", sign=sign_with_rsa), None),
    "another algorithm": (lambda app: app.build_request(sign_type="MD5"), None),
    "many fields": (appended(b"".join(b"&a%d=" % number for number in range(1000))), None),
    "no type": (lambda app: app.build_request({"notify_id": "n1"}), None),
    "unknown charset": (lambda app: app.build_request(make_fields(charset="klingon")), None),
}

UNAUTHORIZED = {
    "empty": lambda app: SentRequest(b""),
    "JSON": lambda app: SentRequest(b'{"sign":"x"}'),
    "no signature": replaced(b"&sign=", b"&no="),
    "two signatures": appended(b"&sign=x"),
    "another signature": lambda app: App.new().build_request(make_fields(app_id=app.app_ids[0])),
    "signature is no base64": replaced(b"&sign=", b"&sign=%21"),
    "amount changed": replaced(b"88.88", b"8888"),
    "field added": appended(b"&refund_fee=88.88"),
    "field twice": appended(b"&total_amount=0.01"),
    "field twice, escaped": appended(b"&total%5famount=0.01"),
    "field removed": replaced(b"&version=1.0", b""),
    "decoded twice": replaced(b"%253d", b"%3d"),
    "SHA-1 as RSA2": lambda app: app.build_request(sign=sign_with_rsa),
    "not UTF-8": lambda app: as_bytes(SentRequest(b"sign=%ff&a=\xff\xfe")),
}

# A notification has no signed time that limits its age.
STALE = {}

REFUSED = {
    "no signature": ("default", UNAUTHORIZED["no signature"], "missing_signature"),
    "field twice": ("default", UNAUTHORIZED["field twice"], "malformed_signature"),
    "SHA-1": ("default", MALFORMED["SHA-1"][0], "unsupported_algorithm"),
    "another app": (
        "default",
        lambda app: app.build_request(make_fields(app_id="2021000000000009")),
        "owner_key_mismatch",
    ),
}
