"""WeChat Pay: signatures by wechatpayv3, certificates and the encryption by cryptography."""

import base64
import datetime
import json
import secrets
import time
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wechatpayv3.utils import load_public_key, rsa_sign, rsa_verify

from . import MARK, ODD, SentRequest, as_bytes, flipped

SAMPLE = "TRANSACTION.SUCCESS"
DEADLINE = 4.5
STATUS = 200
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = {"rawdata"}
READS_QUERY = False
EXPIRES = True
SIGNATURE_HEADERS = [("default", "Wechatpay-Signature"), ("certificate", "Wechatpay-Signature")]
TYPE = "event_type"
STATUS_NO_JSON = 400
# The event has the payload and, in base64, the body as it came: together at most 1 MiB.
LARGEST = 400 * 1024

RESOURCE = {"mchid": "1900000001", "out_trade_no": "T1", "trade_state": "SUCCESS", "amount": {"total": 100}}
PAYLOAD = {
    "id": "EV-1",
    "create_time": "2026-11-21T18:00:00+08:00",
    "event_type": "TRANSACTION.SUCCESS",
    "summary": "支付成功",
    "resource": RESOURCE,
}

VERBATIM = (
    f'{{"id":"EV-2","event_type":"TRANSACTION.SUCCESS", "resource": {{"out_trade_no":"T1",{ODD}}} ,"x":1.0}}'.encode()
)


def make_payload(**members):
    # What other platforms' events have as `eventId` is here the notification's id.
    event_id = members.pop("eventId", "EV-3")
    return json.dumps(PAYLOAD | {"id": str(event_id)} | members).encode()


def identity(request):
    return "wechatpay.TRANSACTION.SUCCESS", "T1", "EV-1"


def retry_id(payload):
    return json.loads(payload)["id"]


def read_error(response):
    error = response.json()
    assert error["code"] == "FAIL" and list(error) == ["code", "message"]
    return error["message"]


def signatures(request):
    return [request.headers["Wechatpay-Signature"]]


def new_environment(directory):
    return {}


def new_senders():
    return {
        "default": Merchant.new(),
        "certificate": Merchant.new(certificate=True),
        "rotating": [Merchant.new(), Merchant.new(certificate=True)],
    }


def pem_of(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def certificate_of(key, serial):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Tenpay.com Root CA (test)")])
    start = datetime.datetime(2026, 1, 1)
    built = x509.CertificateBuilder(name, name, key.public_key(), serial, start, start.replace(year=2036))
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True)
class Merchant:
    """One merchant, and the platform's key for it."""

    key: rsa.RSAPrivateKey
    key_id: str
    # As the console shows it: a public key or a certificate.
    shown: str
    api_v3_key: str
    options: dict = field(default_factory=dict)

    @classmethod
    def new(cls, certificate=False, **options):
        key = rsa.generate_private_key(65537, 2048)
        serial = secrets.randbits(156)
        key_id = f"{serial:040X}" if certificate else f"PUB_KEY_ID_{secrets.randbelow(10**28):028}"
        shown = certificate_of(key, serial) if certificate else pem_of(key)
        return cls(key, key_id, shown, secrets.token_hex(16), options)

    @property
    def credentials(self):
        return {"api_v3_key": self.api_v3_key, "keys": {self.key_id: self.shown}} | self.options

    @property
    def secrets(self):
        return [self.api_v3_key]

    @property
    def private_key(self):
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    def sealed(self, payload, associated_data="transaction"):
        """The notification with its resource encrypted; all else as it is."""
        text = payload.decode("utf-8", "surrogateescape")
        start = text.find('"resource":')
        if start < 0:
            return payload
        start += len('"resource":')
        start += len(text[start:]) - len(text[start:].lstrip())
        _, length = json.JSONDecoder().raw_decode(text[start:])
        nonce = secrets.token_hex(6)
        content = text[start : start + length].encode()
        ciphertext = AESGCM(self.api_v3_key.encode()).encrypt(nonce.encode(), content, associated_data.encode())
        resource = {
            "original_type": "transaction",
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": base64.b64encode(ciphertext).decode(),
            "associated_data": associated_data,
            "nonce": nonce,
        }
        return (text[:start] + json.dumps(resource) + text[start + length :]).encode("utf-8", "surrogateescape")

    def build_request(self, payload=None, now=None):
        payload = json.dumps(PAYLOAD, ensure_ascii=False).encode() if payload is None else payload
        return self.signed(self.sealed(payload), payload, now)

    def signed(self, body, payload=b"", now=None):
        timestamp, nonce = str(int(time.time() if now is None else now)), secrets.token_hex(16)
        # The library signs text; each byte of a body that is not UTF-8 is signed as it is.
        text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
        signature = rsa_sign(self.key, Text(text))
        return SentRequest(
            body=body,
            headers={
                "Content-Type": "application/json",
                "User-Agent": "Mozilla/4.0",
                "Wechatpay-Serial": self.key_id,
                "Wechatpay-Signature": signature,
                "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
                "Wechatpay-Timestamp": timestamp,
                "Wechatpay-Nonce": nonce,
            },
            payload=payload,
        )

    def acknowledged(self, response, request):
        assert response.status_code in (200, 204), response.text
        assert response.content == b""


class Text(bytes):
    """Bytes that `encode` to themselves."""

    def encode(self, encoding):
        return self


def verified_by_library(merchant, request):
    """Whether wechatpayv3 accepts the signature of a merchant with a public key."""
    headers = request.headers
    return rsa_verify(
        headers["Wechatpay-Timestamp"],
        headers["Wechatpay-Nonce"],
        request.body.decode(),
        headers["Wechatpay-Signature"],
        load_public_key(merchant.shown),
    )


def with_header(name, change):
    def build(merchant):
        request = merchant.build_request()
        return request.with_headers(**{name: change(request.headers[name.replace("_", "-")])})

    return build


def with_resource(change):
    """A notification that is signed rightly, and whose resource was changed before."""

    def build(merchant):
        notification = json.loads(merchant.sealed(json.dumps(PAYLOAD).encode()))
        change(notification["resource"])
        return merchant.signed(json.dumps(notification).encode())

    return build


def ciphertext(change):
    def changed(resource):
        content = change(base64.b64decode(resource["ciphertext"]))
        resource["ciphertext"] = base64.b64encode(content).decode()

    return with_resource(changed)


KEY = "PUB_KEY_ID_01"
ENTRY = {"api_v3_key": (MARK * 5)[:32], "keys": {KEY: pem_of(rsa.generate_private_key(65537, 2048))}}

BAD_ENTRIES = [
    ({"api_v3_key": ""}, "api_v3_key"),
    ({"api_v3_key": MARK}, "api_v3_key"),
    ({"api_v3_key": f" {MARK}"}, "api_v3_key"),
    ({"api_v3_key": [MARK]}, "api_v3_key"),
    ({"keys": {}}, "keys"),
    ({"keys": {KEY: MARK}}, KEY),
    ({"keys": {MARK + "!": ENTRY["keys"][KEY]}}, "keys"),
    ({"tolerance": 0}, "tolerance"),
    ({"secret": MARK}, "secret"),
]

MALFORMED = {
    "SM2": (
        lambda merchant: merchant.build_request().with_headers(Wechatpay_Signature_Type="WECHATPAY2-SM2-WITH-SM3"),
        "Wechatpay-Signature-Type",
    ),
    "serial is no number": (with_header("Wechatpay_Serial", lambda value: "x"), "Wechatpay-Serial"),
    "no id": (lambda merchant: merchant.build_request(make_payload(id=None)), "id"),
    "no type": (lambda merchant: merchant.build_request(make_payload(event_type=None)), "event_type"),
    "no resource": (lambda merchant: merchant.signed(b'{"id":"EV-1","event_type":"A.B"}'), "resource.algorithm"),
    "another algorithm": (with_resource(lambda resource: resource.update(algorithm="AEAD_SM4_128_GCM")), "resource.algorithm"),
    "nonce of 16 bytes": (with_resource(lambda resource: resource.update(nonce="0" * 16)), "nonce"),
    "payload is no JSON": (lambda merchant: merchant.signed(b"{"), None),
    "payload is not UTF-8": (lambda merchant: as_bytes(merchant.signed(b'{"a":"\xff"}')), None),
}

UNAUTHORIZED = {
    "no signature": lambda merchant: merchant.build_request().with_headers(Wechatpay_Signature=None),
    "empty signature": lambda merchant: merchant.build_request().with_headers(Wechatpay_Signature=""),
    "no timestamp": lambda merchant: merchant.build_request().with_headers(Wechatpay_Timestamp=None),
    "no nonce": lambda merchant: merchant.build_request().with_headers(Wechatpay_Nonce=None),
    "no serial": lambda merchant: merchant.build_request().with_headers(Wechatpay_Serial=None),
    "unknown serial": with_header("Wechatpay_Serial", flipped),
    # Of the last character, some bits are to spare.
    "one character changed": with_header("Wechatpay_Signature", lambda value: flipped(value[:100]) + value[100:]),
    "probe": with_header("Wechatpay_Signature", lambda value: f"WECHATPAY/SIGNTEST/{value[19:]}"),
    "nonce changed": with_header("Wechatpay_Nonce", flipped),
    "timestamp changed": with_header("Wechatpay_Timestamp", lambda value: str(int(value) - 1)),
    "body changed": lambda merchant: merchant.build_request().but(body=merchant.build_request().body),
    "ciphertext changed": ciphertext(lambda content: bytes([content[0] ^ 1]) + content[1:]),
    "tag cut": ciphertext(lambda content: content[:-1]),
    "no ciphertext": ciphertext(lambda content: b""),
    "ciphertext is no base64": with_resource(lambda resource: resource.update(ciphertext="!")),
    "associated data changed": with_resource(lambda resource: resource.update(associated_data="refund")),
    "associated data removed": with_resource(lambda resource: resource.pop("associated_data")),
    "no JSON, unsigned": lambda merchant: SentRequest(b"{"),
}

STALE = {
    f"{seconds} s": ("default", lambda merchant, seconds=seconds: merchant.build_request(now=time.time() + seconds))
    for seconds in [-330, 330, -10**9, 10**9]
}

REFUSED = {
    "no signature": (
        "default",
        lambda merchant: merchant.build_request().with_headers(Wechatpay_Signature=None),
        "missing_signature",
    ),
    "stale": ("default", lambda merchant: merchant.build_request(now=time.time() - 330), "timestamp_out_of_range"),
    "tag cut": ("default", UNAUTHORIZED["tag cut"], "authentication_failed"),
    "JSON": ("default", lambda merchant: merchant.signed(b"{"), "invalid_json"),
}
