"""Baidu OpenCard, by jwcrypto."""

import json
import secrets
import time
from dataclasses import dataclass

from jwcrypto.common import base64url_decode, base64url_encode
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from . import Letter


PAYLOAD = '{"type":"sp_ala","srcid":"123","surface":"mobile","intent":{"scenic_spot":"故宫"}}'.encode()


@dataclass(frozen=True)
class Key:
    """One pre-shared key and its `kid`."""

    kid: str
    psk: str

    @classmethod
    def new(cls, kid):
        return cls(kid, base64url_encode(secrets.token_bytes(16)))

    @property
    def credentials(self):
        return {"keys": {self.kid: self.psk}}

    @property
    def secrets(self):
        return [self.psk]

    def letter(self, payload=PAYLOAD, **header):
        """A query. `header` adds to the usual JOSE header, or takes from it with `None`."""
        rid = f"{time.time_ns() // 1_000_000}-{secrets.randbelow(10**6)}"
        usual = {"alg": "A128KW", "enc": "A128CBC-HS256", "kid": self.kid, "rid": rid}
        merged = {name: value for name, value in (usual | header).items() if value is not None}
        token = JWE(payload, protected=json.dumps(merged))
        token.allowed_algs = [merged["alg"], merged["enc"]]
        size = {"A128KW": 16, "A192KW": 24, "A256KW": 32, "dir": 32}[merged["alg"]]
        key = JWK(kty="oct", k=base64url_encode((base64url_decode(self.psk) * 2)[:size]))
        token.add_recipient(key)
        return Letter(
            body=token.serialize(compact=True).encode(),
            headers={"Content-Type": "application/jwt"},
            payload=payload,
        )

    def open(self, response, letter):
        """The decoded answer to a query, after the check that its header is the query's."""
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == "application/jwt"
        assert header(response.content) == header(letter.body)
        token = JWE()
        token.deserialize(response.text, JWK(kty="oct", k=self.psk))
        return json.loads(token.payload)

    def acknowledged(self, response, letter):
        assert self.open(response, letter)["status"] == 0


def header(token):
    return json.loads(base64url_decode(token.strip().split(b".")[0].decode()))


def with_segment(letter, position, change):
    """The letter with one of its five segments changed, as bytes."""
    segments = letter.body.decode().split(".")
    segments[position] = base64url_encode(change(base64url_decode(segments[position])))
    return letter.but(body=".".join(segments).encode())
