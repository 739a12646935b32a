"""GitHub's webhooks onto a queue, as one writes it in an afternoon: the client is made once, the order is the same."""

import base64
import hashlib
import hmac
import json
import os

import boto3

SECRETS = [os.environ["SECRET"].encode()]
QUEUE_URL = os.environ["QUEUE_URL"]
sqs = boto3.client("sqs")


def handler(event, context):
    headers = event["headers"]
    body = event.get("body") or ""
    body = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    given = headers.get("x-hub-signature-256", "")
    expected = ["sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest() for secret in SECRETS]
    if not any(hmac.compare_digest(given, each) for each in expected):
        return {"statusCode": 401, "body": '{"error":"signature"}'}
    payload = json.loads(body)
    kind, delivery = headers["x-github-event"], headers["x-github-delivery"]
    message = {
        "specversion": "1.0",
        "id": delivery,
        "source": "/github/default",
        "type": f"github.{kind}",
        "subject": payload.get("repository", {}).get("full_name"),
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
    return {"statusCode": 202, "headers": {"content-type": "application/json"}, "body": '{"status":"queued"}'}
