"""DingTalk, by wechatpy: WeChat's message encryption has the same format under other names."""

import base64
import json
import secrets
import struct
import time
from dataclasses import dataclass, field
from urllib.parse import quote

import xmltodict
from wechatpy.crypto import WeChatCrypto
from wechatpy.crypto.base import WeChatCipher
from wechatpy.crypto.pkcs7 import PKCS7Encoder
from wechatpy.utils import WeChatSigner

from . import MARK, ODD, SentRequest, flipped

SAMPLE = "user_add_org"
DEADLINE = 1.2
STATUS = 200
STATUS_UNQUEUED = 503
REASON = None
EXTENSIONS = {"action"}
READS_QUERY = True
SIGNATURE_HEADERS = []
TYPE = "EventType"
STATUS_NO_JSON = 400
# Encrypted and in base64, in a body of at most 1 MiB.
LARGEST = 700 * 1024

PAYLOAD = (
    b'{"EventType":"user_add_org","EventTime":1763719200123,"CorpId":"ding1","BizId":"b-1",'
    b'"eventId":"e-1","userId":["u1"],"timeStamp":"1763719200123"}'
)


VERBATIM = f'{{"EventType":"user_add_org","eventId":"e-odd","CorpId":"ding1",{ODD}}}'.encode()


def make_payload(**members):
    return json.dumps({"EventType": "user_add_org", "CorpId": "ding1"} | members).encode()


def identity(request):
    return "dingtalk.user_add_org", "ding1", "e-1"


def retry_id(payload):
    return json.loads(payload)["eventId"]


def signatures(request):
    pairs = [pair.split("=", 1) for pair in request.query.split("&")]
    return [value for name, value in pairs if name in SIGNATURES]


def new_environment(directory):
    return {}


def new_senders():
    # The owner key of a suite that is being created is this constant.
    creating, suite = "suite4xxxxxxxxxxxxxxx", "suite4f8d9c5b2a1e"
    return {
        "default": App.new("dingabcdefgh12345678"),
        "corp": App.new("ding9f50b15bccd16741"),
        "suite": App.new(creating, owner_key=[creating, suite]),
        "random": App.new(creating, reply_random=True),
        "fresh": App.new("dingfresh", tolerance=60),
        "rotating": [App.new("dingrotating"), App.new("dingrotating")],
    }


def query_of(parameters):
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


@dataclass(frozen=True)
class App:
    """One app: its token, its key, and the owner key at the end of every message."""

    token: str
    aes_key: str
    owner_key: str
    # Further or different fields of its credentials entry.
    options: dict = field(default_factory=dict)

    @classmethod
    def new(cls, sent_owner_key, **options):
        # The console issues keys whose two spare bits are set, as `7` sets them.
        return cls(secrets.token_hex(8), secrets.token_hex(21) + "7", sent_owner_key, options)

    @property
    def credentials(self):
        return {"token": self.token, "aes_key": self.aes_key, "owner_key": self.owner_key} | self.options

    @property
    def secrets(self):
        return [self.token, self.aes_key]

    def sign(self, timestamp, nonce, encrypt):
        signer = WeChatSigner()
        signer.add_data(self.token, timestamp, nonce, encrypt)
        return signer.signature

    def build_request(self, payload=PAYLOAD, *, timestamp=None, nonce=None):
        """A callback with the current time."""
        timestamp = timestamp or str(time.time_ns() // 1_000_000)
        nonce = nonce or secrets.token_hex(4)
        crypto = WeChatCrypto(self.token, self.aes_key, self.owner_key)
        message = xmltodict.parse(crypto.encrypt_message(payload, nonce, timestamp))["xml"]
        request = self.post(
            message["Encrypt"], signature=message["MsgSignature"], timestamp=timestamp, nonce=nonce
        )
        return request.but(payload=payload)

    def post(self, encrypt, *, signature=None, timestamp=None, nonce="n0nce", parameters=None):
        """A callback around any `encrypt`, signed as it is; `parameters` instead of the usual query."""
        timestamp = timestamp or str(time.time_ns() // 1_000_000)
        signature = signature or self.sign(timestamp, nonce, encrypt)
        usual = {
            "msg_signature": signature,
            "signature": signature,
            "timestamp": timestamp,
            "nonce": nonce,
        }
        return SentRequest(
            body=json.dumps({"encrypt": encrypt}).encode(),
            headers={"Content-Type": "application/json"},
            query=query_of(usual if parameters is None else parameters),
        )

    def encrypt(self, plain):
        """Base64 of any plain bytes (whole blocks) under the app's key."""
        return base64.b64encode(WeChatCipher(self._key()).encrypt(plain)).decode()

    def enclose(self, message, *, length=None, owner_key=None):
        """The padded plain bytes of a message of any bytes, to encrypt messages that the platform never sends."""
        length = len(message) if length is None else length
        owner_key = self.owner_key if owner_key is None else owner_key
        plain = b"r" * 16 + struct.pack(">I", length) + message + owner_key.encode()
        return PKCS7Encoder.encode(plain)

    def open(self, response):
        """The text of an acknowledgement, after every check that the platform makes."""
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"].split(";")[0] == "application/json"
        reply = response.json()
        assert set(reply) == {"msg_signature", "timeStamp", "nonce", "encrypt"}
        padded = WeChatCipher(self._key()).decrypt(base64.b64decode(reply["encrypt"], validate=True))
        pad = padded[-1]
        assert len(padded) % 32 == 0 and 1 <= pad <= 32 and padded.endswith(bytes([pad]) * pad)
        crypto = WeChatCrypto(self.token, self.aes_key, self.owner_key)
        return crypto.decrypt_message(
            {"Encrypt": reply["encrypt"]}, reply["msg_signature"], reply["timeStamp"], reply["nonce"]
        )

    def acknowledged(self, response, request):
        assert self.open(response) == "success"

    def _key(self):
        return base64.b64decode(self.aes_key + "=")


# Both names that a signature has; the second is read only where the first is missing.
SIGNATURES = ["msg_signature", "signature"]


def without(request, parameter):
    kept = [pair for pair in request.query.split("&") if not pair.startswith(f"{parameter}=")]
    return request.but(query="&".join(kept))


def with_value(request, parameter, change):
    """Changes the value of a query parameter under all names that a signature has."""
    names = SIGNATURES if parameter == "signature" else [parameter]
    pairs = [pair.split("=", 1) for pair in request.query.split("&")]
    return request.but(
        query="&".join(f"{name}={change(value) if name in names else value}" for name, value in pairs)
    )


def sealed(app, **how):
    return app.post(app.encrypt(app.enclose(b'{"EventType":"t"}', **how)))


def repadded(app, change):
    plain = app.enclose(b'{"EventType":"t"}')
    return app.post(app.encrypt(change(plain)))


def stale(seconds):
    return str(int((time.time() - seconds) * 1000))


ENTRY = {"token": MARK, "aes_key": MARK + "A" * 36, "owner_key": "ding1"}

BAD_ENTRIES = [
    ({"token": ""}, "token"),
    ({"token": 5}, "token"),
    ({"token": None}, "token"),
    ({"aes_key": MARK}, "aes_key"),
    ({"aes_key": MARK + "A" * 35 + "="}, "aes_key"),
    ({"owner_key": ""}, "owner_key"),
    ({"owner_key": []}, "owner_key"),
    ({"owner_key": {"a": 1}}, "owner_key"),
    ({"tolerance": -1}, "tolerance"),
    ({"reply_random": MARK}, "reply_random"),
    ({"tokens": MARK}, "tokens"),
]

MALFORMED = {
    "no signature": (
        lambda app: without(without(app.build_request(), "signature"), "msg_signature"),
        "msg_signature",
    ),
    "no timestamp": (lambda app: without(app.build_request(), "timestamp"), "timestamp"),
    "no nonce": (lambda app: without(app.build_request(), "nonce"), "nonce"),
    "no encrypt": (lambda app: app.build_request().but(body=b'{"Encrypt":"x"}'), "encrypt"),
    "encrypt of another type": (lambda app: app.build_request().but(body=b'{"encrypt":["x"]}'), "encrypt"),
    "two encrypts": (lambda app: app.build_request().but(body=b'{"encrypt":"x","encrypt":"y"}'), "encrypt"),
    "body is no JSON": (lambda app: app.build_request().but(body=b"encrypt=x"), None),
    "payload is no JSON": (lambda app: app.build_request("payload!"), None),
    "payload is no object": (lambda app: app.build_request('["check_url"]'), None),
    "payload without a type": (lambda app: app.build_request('{"CorpId":"c"}'), "EventType"),
    "type of another type": (lambda app: app.build_request('{"EventType":{"a":1}}'), "EventType"),
    "doubled type": (lambda app: app.build_request('{"EventType":"a","EventType":"check_url"}'), "EventType"),
    "payload is not UTF-8": (
        lambda app: app.post(app.encrypt(app.enclose(b'{"EventType":"t","x":"\xff"}'))),
        None,
    ),
}

UNAUTHORIZED = {
    "wrong signature": lambda app: with_value(app.build_request(), "signature", flipped),
    "signature too short": lambda app: with_value(app.build_request(), "signature", lambda value: value[:-1]),
    "signature is no hex": lambda app: with_value(app.build_request(), "signature", lambda value: "签名"),
    "another timestamp": lambda app: with_value(app.build_request(), "timestamp", flipped),
    "another nonce": lambda app: with_value(app.build_request(), "nonce", flipped),
    "another token": lambda app: App("another", app.aes_key, app.owner_key).build_request(),
    "another key": lambda app: App(app.token, App.new("x").aes_key, app.owner_key).build_request(),
    "body of another delivery": lambda app: app.build_request().but(body=app.build_request().body),
    "encrypt is no base64": lambda app: app.post("!" * 64),
    "encrypt without its padding": lambda app: app.post(base64.b64encode(b"x" * 32).decode().rstrip("=")),
    "no whole block": lambda app: app.post(base64.b64encode(b"x" * 33).decode()),
    "one block": lambda app: app.post(base64.b64encode(b"x" * 16).decode()),
    "noise": lambda app: app.post(base64.b64encode(b"x" * 64).decode()),
    "padding of zero": lambda app: repadded(app, lambda plain: plain[:-1] + b"\0"),
    "padding of 33": lambda app: repadded(app, lambda plain: plain[:-1] + b"\x21"),
    "padding of unequal bytes": lambda app: repadded(app, lambda plain: plain[:-2] + b"\0" + plain[-1:]),
    "length beyond the end": lambda app: sealed(app, length=1000),
    "length of all ones": lambda app: sealed(app, length=0xFFFFFFFF),
}

STALE = {
    "old": ("fresh", lambda app: app.build_request(timestamp=stale(120))),
    "ahead": ("fresh", lambda app: app.build_request(timestamp=stale(-120))),
    "seconds": ("fresh", lambda app: app.build_request(timestamp=stale(120)[:-3])),
    "no number": ("fresh", lambda app: app.build_request(timestamp="soon")),
    "huge": ("fresh", lambda app: app.build_request(timestamp="9" * 30)),
}

REFUSED = {
    "owner key": ("default", lambda app: sealed(app, owner_key="other"), "owner_key_mismatch"),
    "padding": ("default", lambda app: repadded(app, lambda plain: plain[:-1] + b"\0"), "invalid_padding"),
}
