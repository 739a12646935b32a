"""Amazon SNS, by `cryptography`: the signed text of AWS's documentation, and certificates of our own."""

import base64
import itertools
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from . import ODD, SentRequest, as_bytes, flipped

SAMPLE = "notification"
DEADLINE = 12
STATUS = 200
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = {"subscriptionarn"}
READS_QUERY = False
# The signature is in the body.
SIGNATURE_HEADERS = []
TYPE = "Type"
STATUS_NO_JSON = 400
# A queue message has 1 MiB.
LARGEST = 1000 * 1024

HOST = "https://sns.us-east-1.amazonaws.com"
TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
TOKEN = "2336412f37fb687f5d51e6e2425ba1f2"
CONFIRM = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}"

# https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html (read 2026-11-26)
SIGNED = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
SIGNED_CONFIRMATION = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
HASHES = {"1": hashes.SHA1, "2": hashes.SHA256}

_numbers = itertools.count(1)


def make_certificate(key, issuer=None, names=(), start=-1, end=365):
    """A certificate of a key, in PEM: self-signed, or by an issuer (certificate, key); the dates are days from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com" if not names else names[0])])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer[0].subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=start))
        .not_valid_after(now + timedelta(days=end))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True)
class Topic:
    """A topic, and the key of its region."""

    key: rsa.RSAPrivateKey
    arn: str = TOPIC
    # Further fields of its credentials entry.
    options: dict = field(default_factory=dict)
    pinned: bool = True
    # Of the certificate's URL.
    number: int = field(default_factory=lambda: next(_numbers))

    @classmethod
    def new(cls, key=None, **options):
        return cls(key or rsa.generate_private_key(65537, 2048), **options)

    @property
    def url(self):
        return f"{HOST}/SimpleNotificationService-{self.number:032x}.pem"

    @cached_property
    def certificate(self):
        return make_certificate(self.key)

    @property
    def credentials(self):
        pins = {"certificates": {self.url: self.certificate}} if self.pinned else {}
        return {"topic_arn": self.arn} | pins | self.options

    @property
    def secrets(self):
        return []

    def sign(self, members, version="2"):
        """The members of a message as JSON, with those that SNS adds; unsigned if they are none of a message."""
        members = {"TopicArn": self.arn, "Timestamp": "2026-11-26T10:00:00.123Z"} | members
        members |= {"SignatureVersion": version, "SigningCertURL": self.url}
        names = SIGNED if members.get("Type") == "Notification" else SIGNED_CONFIRMATION
        values = [(name, members[name]) for name in names if name in members]
        if all(isinstance(value, str) for _, value in values):
            text = "".join(f"{name}\n{value}\n" for name, value in values)
            signature = self.key.sign(text.encode(), padding.PKCS1v15(), HASHES[version]())
            members["Signature"] = base64.b64encode(signature).decode()
        return members

    def build_request(self, payload=None, version="2", **members):
        """A delivery; a payload that is a signed message, or no message at all, is sent as it is."""
        if payload is None:
            base = NOTIFICATION if members.get("Type", "Notification") == "Notification" else {}
            payload = json.dumps(self.sign(base | members, version)).encode()
        return SentRequest(
            payload=payload,
            body=payload,
            headers={
                "Content-Type": "text/plain; charset=UTF-8",
                "User-Agent": "Amazon Simple Notification Service Agent",
                "x-amz-sns-message-type": members.get("Type", "Notification"),
                "x-amz-sns-message-id": NOTIFICATION["MessageId"],
                "x-amz-sns-topic-arn": self.arn,
                "x-amz-sns-subscription-arn": f"{self.arn}:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55",
            },
        )

    def acknowledged(self, response, request):
        assert response.status_code == 200, response.text
        assert response.content == b""


NOTIFICATION = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "Subject": "Order paid",
    "Message": '{"order":"中🎋"}\nline two',
    "UnsubscribeURL": f"{HOST}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55",
}
SUBSCRIPTION = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
    "Token": TOKEN,
    "Message": "You have chosen to subscribe to the topic.\nTo confirm, visit the SubscribeURL.",
    "SubscribeURL": CONFIRM,
}

# The default sender is the same in each run, so that `make_payload` can sign.
DEFAULT = Topic.new(number=0)


def make_payload(**members):
    if "eventId" in members:
        members["MessageId"] = members.pop("eventId")
    return json.dumps(DEFAULT.sign(NOTIFICATION | members), separators=(",", ":")).encode()


VERBATIM = b"\n" + make_payload(MessageAttributes=None).replace(b"null", f"{{{ODD}}}".encode()) + b"\n"


def identity(request):
    return "sns.Notification", TOPIC, retry_id(request.body)


def retry_id(payload):
    return json.loads(payload)["MessageId"]


def signatures(request):
    try:
        return [json.loads(request.body)["Signature"]]
    except (ValueError, KeyError, TypeError):
        return []


def new_environment(directory):
    return {}


def new_senders():
    # One URL, as in a region, so that nothing is fetched; `test_sns.py` sees to that.
    return {
        "default": DEFAULT,
        "several": Topic.new(number=0, options={"topic_arn": ["arn:aws:sns:eu-central-1:123456789012:a", TOPIC]}),
        "expired": Expired.new(number=0),
        "rotating": [Topic.new(number=0), Topic.new(number=0)],
    }


class Expired(Topic):
    """Its certificate has expired."""

    @cached_property
    def certificate(self):
        return make_certificate(self.key, start=-10, end=-1)


def with_member(topic, name, change, **how):
    """A signed message with one member changed after that, or dropped."""
    members = json.loads(topic.build_request(**how).body)
    value = change(members[name]) if change else None
    members = {known: kept for known, kept in members.items() if known != name}
    return topic.build_request(json.dumps(members | ({} if value is None else {name: value})).encode())


def with_certificate(topic, url):
    return with_member(topic, "SigningCertURL", lambda _: url)


ENTRY = {"topic_arn": TOPIC}

BAD_ENTRIES = [
    ({"topic_arn": ""}, "topic_arn"),
    ({"topic_arn": []}, "topic_arn"),
    ({"topic_arn": "orders"}, "topic_arn"),
    ({"topic_arn": f"{TOPIC}:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55"}, "topic_arn"),
    ({"topic_arn": [TOPIC, 1]}, "topic_arn"),
    ({"certificates": []}, "certificates"),
    ({"certificates": {DEFAULT.url: "hunter2"}}, "certificates"),
    ({"certificates": {DEFAULT.url: DEFAULT.certificate[:200]}}, "certificates"),
    ({"confirm": "hunter2"}, "confirm"),
    ({"topics": "hunter2"}, "topics"),
]

MALFORMED = {
    "no JSON": (lambda topic: topic.build_request(b"{"), None),
    "no object": (lambda topic: topic.build_request(b'"text"'), None),
    "not UTF-8": (lambda topic: as_bytes(topic.build_request(b'{"Type":"\xff"}')), None),
    "empty body": (lambda topic: topic.build_request(b""), None),
    "no type": (lambda topic: with_member(topic, "Type", None), "Type"),
    "unknown type": (lambda topic: topic.build_request(Type="Notice", **SUBSCRIPTION_FIELDS), "Type"),
    "no message": (lambda topic: with_member(topic, "Message", None), "Message"),
    "no id": (lambda topic: with_member(topic, "MessageId", None), "MessageId"),
    "number as id": (lambda topic: with_member(topic, "MessageId", lambda _: 1), "MessageId"),
    "no version": (lambda topic: with_member(topic, "SignatureVersion", None), "SignatureVersion"),
    "version 3": (lambda topic: with_member(topic, "SignatureVersion", lambda _: "3"), "SignatureVersion"),
    "version as a number": (lambda topic: with_member(topic, "SignatureVersion", lambda _: 2), "SignatureVersion"),
    "no certificate": (lambda topic: with_member(topic, "SigningCertURL", None), "SigningCertURL"),
    "a line feed in the subject": (
        lambda topic: topic.build_request(Subject="Order\nTimestamp\n2030-01-01T00:00:00Z"),
        "Subject",
    ),
    "a line feed in the id": (lambda topic: topic.build_request(MessageId="1\nSubject\nx"), "MessageId"),
    "a member that only a confirmation signs": (
        lambda topic: topic.build_request(SubscribeURL="https://evil.example/"),
        "SubscribeURL",
    ),
    "a member twice": (
        lambda topic: topic.build_request(topic.build_request().body.replace(b"{", b'{"Message":"other",', 1)),
        "Message",
    ),
}
SUBSCRIPTION_FIELDS = {"SubscribeURL": CONFIRM, "Token": TOKEN}

OTHERS = [
    HOST.replace("https", "http"),
    f"{HOST}:8443",
    f"{HOST}.evil.example",
    f"{HOST}@evil.example",
    "https://evil.example\\@sns.us-east-1.amazonaws.com",
    "https://evil.example#sns.us-east-1.amazonaws.com",
    "https://sns.s3-us-west-2.amazonaws.com",
    "https://sns.us-east-1.amazonaws%2ecom",
    "https://127.0.0.1",
]

UNAUTHORIZED = {
    "no signature": lambda topic: with_member(topic, "Signature", None),
    "empty signature": lambda topic: with_member(topic, "Signature", lambda _: ""),
    "no base64": lambda topic: with_member(topic, "Signature", lambda value: "!" + value),
    "one character changed": lambda topic: with_member(topic, "Signature", flipped),
    "signature cut": lambda topic: with_member(topic, "Signature", lambda value: value[:-8]),
    "message changed": lambda topic: with_member(topic, "Message", lambda value: value + " "),
    "subject dropped": lambda topic: with_member(topic, "Subject", None),
    "id changed": lambda topic: with_member(topic, "MessageId", flipped),
    "time changed": lambda topic: with_member(topic, "Timestamp", lambda _: "2030-01-01T00:00:00.000Z"),
    "version 2 as 1": lambda topic: with_member(topic, "SignatureVersion", lambda _: "1"),
    "version 1 as 2": lambda topic: with_member(topic, "SignatureVersion", lambda _: "2", version="1"),
    "unsubscription as subscription": lambda topic: with_member(
        topic, "Type", lambda _: "SubscriptionConfirmation", **SUBSCRIPTION | {"Type": "UnsubscribeConfirmation"}
    ),
    "another key": lambda topic: with_certificate(Topic.new(), topic.url),
    "raw": lambda topic: topic.build_request(b"Hello world!").with_headers(x_amz_sns_rawdelivery="true"),
    "raw and signed": lambda topic: topic.build_request().with_headers(x_amz_sns_rawdelivery="true"),
} | {
    f"certificate at {host}": lambda topic, host=host: with_certificate(topic, f"{host}/{topic.url.rsplit('/', 1)[1]}")
    for host in OTHERS
}

# SNS signs the time of publication, and retries for up to an hour: there is no window, and `id` tells a copy.
STALE = {}

REFUSED = {
    "no signature": ("default", UNAUTHORIZED["no signature"], "missing_signature"),
    "raw": ("default", UNAUTHORIZED["raw"], "missing_signature"),
    "another host": ("default", UNAUTHORIZED[f"certificate at {HOST}.evil.example"], "untrusted_cert_url"),
    "expired": ("expired", lambda topic: topic.build_request(), "certificate_invalid"),
    "another topic": (
        "default",
        lambda topic: topic.build_request(TopicArn=TOPIC.replace("orders", "others")),
        "owner_key_mismatch",
    ),
    "JSON": ("default", lambda topic: topic.build_request(b"{"), "invalid_json"),
}
