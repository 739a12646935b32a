"""Baidu OpenCard, by jwcrypto."""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass

from jwcrypto.common import base64url_decode, base64url_encode
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from . import MARK, ODD, SentRequest, flip

SAMPLE = "scenic_spot"
DEADLINE = 0.8
STATUS = 200
# The query gets its card even if the event is not queued.
STATUS_UNQUEUED = 200
REASON = "found"
EXTENSIONS = {"deliveryid"}
READS_QUERY = False
SIGNATURE_HEADERS = []
TYPE = None
# The encrypted response names the error.
STATUS_NO_JSON = 200
# Encrypted and in base64, in a body of at most 64 KiB.
LARGEST = 40 * 1024

PAYLOAD = '{"type":"sp_ala","srcid":"123","surface":"mobile","intent":{"scenic_spot":"故宫"}}'.encode()


VERBATIM = f'{{"srcid":"123","intent":{{"scenic_spot":"故宫"}},{ODD}}}'.encode()

CARDS = {
    "123": {
        "entries": [
            {
                "intent": {"scenic_spot": "故宫"},
                "data": {"item_list": [{"title": "故宫博物院"}], "jump_url": "/path/to/page3"},
            },
            {"intent": {"scenic_spot": "故宫"}, "surface": "web_h5", "data": {"jump_url": "https://h5"}},
            {"intent": {"a": 1, "b": {"x": [1, 2], "y": "z"}}, "data": {"order": "none"}, "lifetime": 3600},
            {
                "intent": {},
                "location": {"province": "江苏", "city": "南京"},
                "data": {"city": "南京"},
            },
            {"intent": {}, "location": {"province": "江苏"}, "data": {"province": "江苏"}},
        ],
    },
    "124": {"entries": [], "default": {"data": {"any": 1.0}}},
}


def make_payload(**members):
    return json.dumps({"srcid": "123", "intent": {"scenic_spot": "故宫"}} | members).encode()


def identity(request):
    return "opencard.query", "123", hashlib.sha256(request.payload).hexdigest()


def retry_id(payload):
    return hashlib.sha256(payload).hexdigest()


def signatures(request):
    return [request.body.decode().rsplit(".", 1)[-1]]


def new_environment(directory):
    path = directory / "cards.json"
    path.write_text(json.dumps(CARDS, ensure_ascii=False))
    return {"CARDS": str(path)}


def new_senders():
    return {"default": Key.new("0"), "rotating": [Key.new("0"), Key.new("0")]}


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

    def build_request(self, payload=PAYLOAD, **header):
        """A query. `header` adds to the usual JOSE header, or removes a parameter with `None`."""
        rid = f"{time.time_ns() // 1_000_000}-{secrets.randbelow(10**6)}"
        usual = {"alg": "A128KW", "enc": "A128CBC-HS256", "kid": self.kid, "rid": rid}
        merged = {name: value for name, value in (usual | header).items() if value is not None}
        token = JWE(payload, protected=json.dumps(merged))
        token.allowed_algs = [merged["alg"], merged["enc"]]
        size = {"A128KW": 16, "A192KW": 24, "A256KW": 32, "dir": 32}[merged["alg"]]
        key = JWK(kty="oct", k=base64url_encode((base64url_decode(self.psk) * 2)[:size]))
        token.add_recipient(key)
        return SentRequest(
            body=token.serialize(compact=True).encode(),
            headers={"Content-Type": "application/jwt"},
            payload=payload,
        )

    def open(self, response, request):
        """The decrypted response to a query; asserts that its header is the query's."""
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == "application/jwt"
        assert header(response.content) == header(request.body)
        token = JWE()
        token.deserialize(response.text, JWK(kty="oct", k=self.psk))
        return json.loads(token.payload)

    def acknowledged(self, response, request):
        assert self.open(response, request)["status"] == 0


def header(token):
    return json.loads(base64url_decode(token.strip().split(b".")[0].decode()))


def with_segment(request, position, change):
    """The request with one of its five segments changed, as bytes."""
    segments = request.body.decode().split(".")
    segments[position] = base64url_encode(change(base64url_decode(segments[position])))
    return request.but(body=".".join(segments).encode())


def with_header(key, **members):
    """A token whose protected header was changed after encryption."""

    def change(old):
        merged = {name: value for name, value in (json.loads(old) | members).items() if value is not None}
        return json.dumps(merged).encode()

    return with_segment(key.build_request(), 0, change)


ENTRY = {"keys": {"0": "aHVudGVyMmh1bnRlcjJoMg"}}

BAD_ENTRIES = [
    ({"keys": {}}, "keys"),
    ({"keys": {"0": ""}}, "keys"),
    ({"keys": {"0": MARK}}, "keys"),
    ({"keys": {"0": "aHVudGVyMmh1bnRlcjJodW50ZXIy"}}, "keys"),
    ({"keys": {"": "aHVudGVyMmh1bnRlcjJoMg"}}, "keys"),
    ({"keys": [MARK]}, "keys"),
    ({"key": MARK}, "key"),
]

MALFORMED = {
    "four segments": (lambda key: key.build_request().but(body=key.build_request().body.rsplit(b".", 1)[0]), None),
    "six segments": (lambda key: key.build_request().but(body=key.build_request().body + b".AAAA"), None),
    "JSON form": (lambda key: key.build_request().but(body=b'{"protected":"x","ciphertext":"y"}'), None),
    "header is no JSON": (lambda key: with_segment(key.build_request(), 0, lambda _: b"x"), None),
    "header is no object": (lambda key: with_segment(key.build_request(), 0, lambda _: b"[]"), None),
    "doubled kid": (
        lambda key: with_segment(key.build_request(), 0, lambda old: old[:-1] + b',"kid":"0"}'),
        None,
    ),
    "alg is another": (lambda key: key.build_request(alg="A256KW"), "alg"),
    "alg is dir": (lambda key: key.build_request(alg="dir"), "alg"),
    "enc is another": (lambda key: key.build_request(enc="A128GCM"), "enc"),
    "no alg": (lambda key: with_header(key, alg=None), "alg"),
    "zip": (lambda key: key.build_request(zip="DEF"), "zip"),
    "crit": (lambda key: with_header(key, crit=["rid"]), "crit"),
    "padded base64": (lambda key: key.build_request().but(body=key.build_request().body + b"=="), None),
}

UNAUTHORIZED = {
    "unknown kid": lambda key: key.build_request(kid="9"),
    "no kid": lambda key: key.build_request(kid=None),
    "kid is a number": lambda key: key.build_request(kid=0),
    "empty kid": lambda key: key.build_request(kid=""),
    "another key": lambda key: Key.new(key.kid).build_request(),
    "key changed": lambda key: with_segment(key.build_request(), 1, flip(3)),
    "no key": lambda key: with_segment(key.build_request(), 1, lambda _: b""),
    "key that unwraps to nothing": lambda key: with_segment(key.build_request(), 1, lambda _: b"\xa6" * 8),
    "key too long": lambda key: with_segment(key.build_request(), 1, lambda old: old + b"\0" * 8),
    "vector changed": lambda key: with_segment(key.build_request(), 2, flip(0)),
    "text changed": lambda key: with_segment(key.build_request(), 3, flip(0)),
    "text cut by a block": lambda key: with_segment(key.build_request(), 3, lambda old: old[:-16]),
    "tag changed": lambda key: with_segment(key.build_request(), 4, flip(15)),
    "header changed": lambda key: with_header(key, rid="another"),
    "text of another token": lambda key: with_segment(
        key.build_request(), 3, lambda _: base64.urlsafe_b64decode(key.build_request().body.split(b".")[3] + b"==")
    ),
}

# A query has no timestamp.
STALE = {}

REFUSED = {
    "kid": ("default", lambda key: key.build_request(kid="9"), "unknown_kid"),
    "key": ("default", lambda key: Key.new(key.kid).build_request(), "key_unwrap"),
}
