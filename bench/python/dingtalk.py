"""DingTalk's events onto a queue, as one writes it in an afternoon: the client is made once, the order is the same."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import struct
import time

import boto3
from Crypto.Cipher import AES

ENTRY = json.loads(os.environ["ENTRY"])
KEY = base64.b64decode(ENTRY["aes_key"] + "=")
QUEUE_URL = os.environ["QUEUE_URL"]
sqs = boto3.client("sqs")


def signature(*parts):
    return hashlib.sha1("".join(sorted([ENTRY["token"], *parts])).encode()).hexdigest()


def seal(text):
    owner = ENTRY["owner_key"]
    owner = owner[0] if isinstance(owner, list) else owner
    plain = secrets.token_bytes(16) + struct.pack(">I", len(text)) + text + owner.encode()
    padding = 32 - len(plain) % 32
    plain += bytes([padding]) * padding
    return base64.b64encode(AES.new(KEY, AES.MODE_CBC, KEY[:16]).encrypt(plain)).decode()


def handler(event, context):
    query = event["queryStringParameters"]
    body = event.get("body") or ""
    body = base64.b64decode(body) if event.get("isBase64Encoded") else body
    encrypted = json.loads(body)["encrypt"]
    given = query.get("signature") or query.get("msg_signature")
    if not hmac.compare_digest(signature(query["timestamp"], query["nonce"], encrypted), given):
        return {"statusCode": 401, "body": '{"error":"signature"}'}
    plain = AES.new(KEY, AES.MODE_CBC, KEY[:16]).decrypt(base64.b64decode(encrypted))
    plain = plain[: -plain[-1]]
    length = struct.unpack(">I", plain[16:20])[0]
    payload = json.loads(plain[20 : 20 + length])
    message = {
        "specversion": "1.0",
        "id": payload.get("eventId") or hashlib.sha256(plain).hexdigest(),
        "source": "/dingtalk/default",
        "type": f"dingtalk.{payload['EventType']}",
        "datacontenttype": "application/json",
        "data": payload,
    }
    sqs.send_message(
        QueueUrl=QUEUE_URL,
        MessageBody=json.dumps(message, ensure_ascii=False),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": message[name]} for name in ("type", "source", "id")
        },
    )
    now, nonce, reply = str(int(time.time() * 1000)), secrets.token_hex(8), seal(b"success")
    reply = {"msg_signature": signature(now, nonce, reply), "timeStamp": now, "nonce": nonce, "encrypt": reply}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(reply)}
