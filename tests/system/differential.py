"""The verdicts of Letterbox beside those of outside implementations, on messages that were changed at random.

Every message has a class of change. Both sides must agree: accept the same content, or refuse. Where Letterbox is stricter on
purpose, `Comparison.stricter` has the code of its refusal; docs/robustness.md has the reasons.
"""

import base64
import json
import os
import random
import subprocess
import zlib
from collections import Counter
from dataclasses import dataclass, field

import xmltodict
from jwcrypto.common import base64url_decode, base64url_encode
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from wechatpy.crypto import WeChatCrypto, _get_signature
from wechatpy.crypto.base import WeChatCipher
from wechatpy.crypto.pkcs7 import PKCS7Encoder

from npm import in_node
from servers import ROOT

VERDICTS = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug/verdicts"
# Messages of each comparison; `LETTERBOX_DIFFERENTIAL` sets another number.
NUMBER = int(os.environ.get("LETTERBOX_DIFFERENTIAL", "500"))
SEED = 20261127
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
URL_SAFE = ALPHABET + "-_"
REFUSED = None


@dataclass
class Comparison:
    """The counts of one comparison."""

    # Codes of refusals where the other side accepts, on purpose.
    stricter: set[str]
    # Classes of change in which the other side refuses what is right.
    laxer: set[str] = field(default_factory=set)
    counts: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)

    def add(self, change, message, ours, theirs):
        content = base64.b64decode(ours["content"]) if ours["ok"] else REFUSED
        if content == theirs:
            self.counts["both accept" if ours["ok"] else "both refuse"] += 1
        elif content is REFUSED and ours["code"] in self.stricter:
            self.counts[f"stricter: {ours['code']} ({change})"] += 1
        elif theirs is REFUSED and change in self.laxer:
            self.counts[f"the other side refuses what is right ({change})"] += 1
        else:
            self.wrong.append((change, message, ours, theirs))


def ours(provider, entry, messages):
    """The verdicts of Letterbox, by one process."""
    lines = "".join(json.dumps(message) + "\n" for message in messages)
    credentials = json.dumps({"default": entry})
    done = subprocess.run([VERDICTS, provider, credentials], input=lines, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def request(path, body, query=""):
    return {"method": "POST", "url": f"https://localhost/{path}{query}", "headers": {}, "body": base64.b64encode(body).decode()}


def changed_text(rng, text, alphabet):
    """A text with one character replaced, removed, added, or moved."""
    at = rng.randrange(len(text)) if text else 0
    other = rng.choice(alphabet)
    return rng.choice(
        [
            text[:at] + other + text[at + 1 :],
            text[:at] + text[at + 1 :],
            text[:at] + other + text[at:],
            text[at:] + text[:at],
            text[:at],
            text[:at] + text[at : at + 2][::-1] + text[at + 2 :],
        ]
    )


def changed_bytes(rng, content):
    content = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        content[rng.randrange(len(content))] = rng.choice([0, 1, 16, 31, 32, 33, 255, rng.randrange(256)])
    return bytes(content)


# OpenCard's JWE and jwcrypto.

KEY = "MDEyMzQ1Njc4OWFiY2RlZg"
HEADER = {"alg": "A128KW", "enc": "A128CBC-HS256", "kid": "0", "rid": "1795255200123-000001"}


def with_trailing_bits(segment):
    """The same bytes in base64url whose spare bits are set."""
    return segment[:-1] + URL_SAFE[URL_SAFE.index(segment[-1]) | 1] if len(segment) % 4 else segment


def sealed_token(rng, header, key=KEY, payload=None):
    payload = payload if payload is not None else rng.randbytes(rng.randint(1, 80))
    text = header if isinstance(header, str) else json.dumps(header)
    token = JWE(payload, protected=text, algs=["A128KW", "A128CBC-HS256"])
    token.add_recipient(JWK(kty="oct", k=key))
    return token.serialize(compact=True)


def token(rng, good):
    """A class of change, and a token that was changed in this way. `good` are tokens that open."""
    change = rng.choice(
        ["none", "text", "text", "segment", "bytes", "bytes", "recombined", "header", "header", "headers text", "bits",
         "padding", "whitespace", "other key", "inside whitespace", "six segments"]
    )
    one, other = rng.choice(good), rng.choice(good)
    segments = one.split(".")
    at = rng.randrange(5)
    if change == "text":
        one = changed_text(rng, one, URL_SAFE + "..=+/ ")
    elif change == "segment":
        segments[at] = changed_text(rng, segments[at], URL_SAFE)
        one = ".".join(segments)
    elif change == "bytes":
        segments[at] = base64url_encode(changed_bytes(rng, base64url_decode(segments[at])))
        one = ".".join(segments)
    elif change == "recombined":
        segments[at] = other.split(".")[rng.choice([at, rng.randrange(5)])]
        one = ".".join(segments)
    elif change == "header":
        more = rng.choice(
            [{"kid": "1"}, {"kid": 0}, {"kid": None}, {"x": [1, {"a": None}]}, {"typ": "JWT"}, {"cty": "a"}, {"crit": ["x"]},
             {"crit": []}, {"zip": None}, {"alg": "dir"}, {"enc": "A256GCM"}, {"alg": "A256KW"}, {"p2c": 1}, {"apu": "a"}]
        )
        segments[0] = base64url_encode(json.dumps(HEADER | more))
        try:
            one = sealed_token(rng, HEADER | more)
        except Exception:
            one = ".".join(segments)
    elif change == "headers text":
        text = json.dumps(HEADER)
        text = rng.choice([" " + text, text + "\n", text.replace('"0"', '"0","kid":"0"'), text.replace('"0"', '"\\u0030"'),
                           text.replace("alg", "\\u0061lg"), changed_text(rng, text, '{}[]",: a0')])
        try:
            one = sealed_token(rng, text)
        except Exception:
            segments[0] = base64url_encode(text)
            one = ".".join(segments)
    elif change == "bits":
        segments[at] = with_trailing_bits(segments[at])
        one = ".".join(segments)
    elif change == "padding":
        segments[at] += "=" * rng.randint(1, 2)
        one = ".".join(segments)
    elif change == "whitespace":
        one = rng.choice([" ", "\n", "\r\n", ""]) + one + rng.choice([" ", "\n", "\r\n"])
    elif change == "inside whitespace":
        place = rng.randrange(1, len(one))
        one = one[:place] + rng.choice([" ", "\n"]) + one[place:]
    elif change == "other key":
        one = sealed_token(rng, HEADER, key=base64url_encode(rng.randbytes(16)))
    elif change == "six segments":
        one += "." + rng.choice(["", "AA"])
    return change, one


def by_jwcrypto(text):
    """What jwcrypto opens with the key that the token's `kid` names."""
    try:
        parsed = JWE(algs=["A128KW", "A128CBC-HS256"])
        parsed.deserialize(text)
        if parsed.jose_header.get("kid") != "0":
            return REFUSED
        parsed.decrypt(JWK(kty="oct", k=KEY))
        return parsed.payload
    except Exception:
        return REFUSED


def opencard(number=NUMBER):
    rng = random.Random(SEED)
    good = [sealed_token(rng, HEADER) for _ in range(50)]
    changes = [token(rng, good) for _ in range(number)]
    verdicts = ours("opencard", {"keys": {"0": KEY}}, [request("opencard", text.encode()) for _, text in changes])
    # An empty plaintext counts as a failure there; whitespace around a token is not ignored in front of it.
    found = Comparison({"malformed_jwe", "unsupported_algorithm", "authentication_failed"}, {"whitespace"})
    for (change, text), verdict in zip(changes, verdicts, strict=True):
        found.add(change, text, verdict, by_jwcrypto(text))
    return found


# DingTalk's and WeCom's messages, and wechatpy and @wecom/crypto.

TOKEN, AES_KEY, OWNER = "token", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "owner"
ENTRIES = {
    "dingtalk": {"token": TOKEN, "aes_key": AES_KEY, "owner_key": OWNER},
    "wecom": {"token": TOKEN, "aes_key": AES_KEY, "receive_id": OWNER},
}


def cipher():
    return WeChatCipher(base64.b64decode(AES_KEY + "="))


def plain(rng, message, owner=OWNER):
    content = rng.randbytes(16) + len(message).to_bytes(4, "big") + message + owner.encode()
    return PKCS7Encoder.encode(content)


def message(rng):
    """A class of change, the encrypted text, its signature, timestamp and nonce."""
    change = rng.choice(
        ["none", "text, signed", "text", "plaintext", "plaintext", "plaintext", "length", "padding", "owner", "ciphertext",
         "signature", "timestamp", "line breaks", "no padding", "case"]
    )
    content = rng.choice(["{}", '{"EventType":"check_url"}', "<xml/>", "中文 🎋", "a" * rng.randrange(100)]).encode()
    text = plain(rng, content)
    if change == "plaintext":
        text = changed_bytes(rng, text)
    elif change == "length":
        length = rng.choice([0, 1, len(content) - 1, len(content) + 1, len(content) + 5, 2**31, 2**32 - 1])
        text = text[:16] + (length % 2**32).to_bytes(4, "big") + text[20:]
    elif change == "padding":
        text = text[:-1] + bytes([rng.choice([0, 1, 15, 16, 17, 31, 32, 33, 64, 255])])
    elif change == "owner":
        text = plain(rng, content, rng.choice(["", "owne", "owner1", "OWNER"]))
    encrypt = base64.b64encode(cipher().encrypt(text)).decode()
    if change == "ciphertext":
        encrypt = base64.b64encode(rng.randbytes(rng.choice([0, 1, 15, 16, 32, 48, 64]))).decode()
    elif change == "text, signed":
        encrypt = changed_text(rng, encrypt, ALPHABET + "+/=-_ ")
    elif change == "line breaks":
        encrypt = "\n".join(encrypt[at : at + 64] for at in range(0, len(encrypt), 64))
    elif change == "no padding":
        encrypt = encrypt.rstrip("=")
    timestamp, nonce = "1795255200", "nonce"
    signature = _get_signature(TOKEN, timestamp, nonce, encrypt)
    if change == "text":
        encrypt = changed_text(rng, encrypt, ALPHABET)
    elif change == "signature":
        signature = changed_text(rng, signature, "0123456789abcdef")
    elif change == "case":
        signature = signature.upper()
    elif change == "timestamp":
        timestamp = changed_text(rng, timestamp, "0123456789")
    return change, encrypt, signature, timestamp, nonce


def of_message(provider, encrypt, signature, timestamp, nonce):
    query = f"?msg_signature={signature}&timestamp={timestamp}&nonce={nonce}"
    if provider == "dingtalk":
        return request(provider, json.dumps({"encrypt": encrypt}).encode(), query)
    return request(provider, f"<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>".encode(), query)


def by_wechatpy(provider, encrypt, signature, timestamp, nonce):
    try:
        crypto = WeChatCrypto(TOKEN, AES_KEY, OWNER)
        body = {"Encrypt": encrypt} if provider == "dingtalk" else f"<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
        return crypto.decrypt_message(body, signature, timestamp, nonce).encode()
    except Exception:
        return REFUSED


def sealed(provider, theirs, number, stricter, laxer=frozenset()):
    rng = random.Random(SEED)
    changes = [message(rng) for _ in range(number)]
    verdicts = ours(provider, ENTRIES[provider], [of_message(provider, *parts) for _, *parts in changes])
    found = Comparison(set(stricter), set(laxer))
    for (change, *parts), verdict, other in zip(changes, verdicts, theirs(provider, changes), strict=True):
        found.add(change, parts, in_text(verdict), other)
    return found


def in_text(verdict):
    """The verdict of the function, which refuses what is not UTF-8 after it is opened."""
    try:
        base64.b64decode(verdict.get("content", "")).decode()
        return verdict
    except UnicodeDecodeError:
        return {"ok": False, "code": "not_utf8", "stage": "payload"}


def all_by_wechatpy(provider, changes):
    return [by_wechatpy(provider, *parts) for _, *parts in changes]


def all_by_node(_, changes):
    """What WeCom's own package for Node.js opens."""
    requests = [
        {"library": "@wecom/crypto open", "token": TOKEN, "key": AES_KEY, "id": OWNER}
        | dict(zip(["encrypt", "signature", "timestamp", "nonce"], parts, strict=True))
        for _, *parts in changes
    ]
    return [REFUSED if text is None else base64.b64decode(text) for text in in_node(requests)]


# What each implementation does not check, with the code of our refusal.
STRICTER = {"invalid_padding", "invalid_base64", "not_utf8"}


def comparisons(number=NUMBER):
    """Every comparison, by name."""
    return {
        "opencard, jwcrypto": lambda: opencard(number),
        "dingtalk, wechatpy": lambda: sealed("dingtalk", all_by_wechatpy, number, STRICTER),
        "wecom, wechatpy": lambda: sealed("wecom", all_by_wechatpy, number, STRICTER),
        "wecom, @wecom/crypto": lambda: sealed("wecom", all_by_node, number, STRICTER),
    }
