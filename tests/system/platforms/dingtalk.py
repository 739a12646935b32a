"""DingTalk, by wechatpy: WeChat's message encryption is the same envelope under other names."""

import base64
import json
import secrets
import struct
import time
from dataclasses import dataclass
from urllib.parse import quote

import xmltodict
from wechatpy.crypto import WeChatCrypto
from wechatpy.crypto.base import WeChatCipher
from wechatpy.crypto.pkcs7 import PKCS7Encoder
from wechatpy.utils import WeChatSigner

from . import Letter


PAYLOAD = (
    b'{"EventType":"user_add_org","EventTime":1763719200123,"CorpId":"ding1","BizId":"b-1",'
    b'"eventId":"e-1","userId":["u1"],"timeStamp":"1763719200123"}'
)


def query_of(parameters):
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


@dataclass(frozen=True)
class App:
    """One app: its token, its key, and the owner key it writes behind every message."""

    token: str
    aes_key: str
    owner_key: str

    @classmethod
    def new(cls, owner_key):
        # The console hands out keys whose two spare bits are set, as `7` sets them.
        return cls(secrets.token_hex(8), secrets.token_hex(21) + "7", owner_key)

    @property
    def credentials(self):
        return {"token": self.token, "aes_key": self.aes_key, "owner_key": self.owner_key}

    @property
    def secrets(self):
        return [self.token, self.aes_key]

    def sign(self, timestamp, nonce, encrypt):
        signer = WeChatSigner()
        signer.add_data(self.token, timestamp, nonce, encrypt)
        return signer.signature

    def letter(self, payload=PAYLOAD, *, timestamp=None, nonce=None):
        """A callback, as the platform sends it now."""
        timestamp = timestamp or str(time.time_ns() // 1_000_000)
        nonce = nonce or secrets.token_hex(4)
        crypto = WeChatCrypto(self.token, self.aes_key, self.owner_key)
        message = xmltodict.parse(crypto.encrypt_message(payload, nonce, timestamp))["xml"]
        letter = self.post(
            message["Encrypt"], signature=message["MsgSignature"], timestamp=timestamp, nonce=nonce
        )
        return letter.but(payload=payload)

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
        return Letter(
            body=json.dumps({"encrypt": encrypt}).encode(),
            headers={"Content-Type": "application/json"},
            query=query_of(usual if parameters is None else parameters),
        )

    def encrypt(self, plain):
        """Base64 of any plain bytes (whole blocks) under the app's key."""
        return base64.b64encode(WeChatCipher(self._key()).encrypt(plain)).decode()

    def enclose(self, message, *, length=None, owner_key=None):
        """The padded plain bytes of a message of any bytes, for sealing what the platform never would."""
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

    def acknowledged(self, response, letter):
        assert self.open(response) == "success"

    def _key(self):
        return base64.b64decode(self.aes_key + "=")
