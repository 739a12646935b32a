"""Records of the archive, in objects as Firehose writes them. `make_archive.py` makes many of them."""

import base64
import gzip
import json
import secrets
import uuid
from datetime import datetime, timedelta, timezone
from itertools import groupby

# Firehose's object name has the time at which its first record arrived.
NAME = "deliveries/%Y/%m/%d/%H/letterbox-archive-1-%Y-%m-%d-%H-%M-%S"


def rfc3339(time):
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gateway_event(provider, request, source, time, request_id):
    """The event with which API Gateway invokes the function, payload format 2.0."""
    path = f"/{provider}" + (f"/{source}" if source != "default" else "")
    try:
        body, is_base64 = request.body.decode(), False
    except UnicodeDecodeError:
        body, is_base64 = base64.b64encode(request.body).decode(), True
    event = {
        "version": "2.0",
        "routeKey": f"ANY /{provider}",
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": {name.lower(): value for name, value in request.headers.items()} | {"host": "hooks.example.net"},
        "requestContext": {
            "domainName": "hooks.example.net",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "requestId": request_id,
            "stage": "$default",
            "timeEpoch": int(time.timestamp() * 1000),
        },
        "body": body,
        "isBase64Encoded": is_base64,
    }
    return event | ({"pathParameters": {"source": source}} if source != "default" else {})


def record(provider, request, time, outcome, reason=None, source="default", request_id=None, event=None, **more):
    """One record. `event` is the CloudEvents object of an accepted delivery."""
    request_id = request_id or base64.b64encode(secrets.token_bytes(11)).decode()
    accepted = {"type": event["type"], "message": event} if event else {}
    return {
        "time": rfc3339(time),
        "provider": provider,
        "source": source,
        "outcome": outcome,
        "reason": reason,
        "id": event["id"] if event else None,
        "event": gateway_event(provider, request, source, time, request_id),
    } | accepted | more


def cloud_event(provider, identifier, time, kind="push", source="default", **more):
    return {
        "specversion": "1.0",
        "id": identifier,
        "source": f"/{provider}/{source}",
        "type": f"{provider}.{kind}",
        "time": rfc3339(time),
        "datacontenttype": "application/json",
        "receivedtime": rfc3339(time),
        "data": {"number": identifier},
    } | more


def request_id(record):
    return record["event"]["requestContext"]["requestId"]


def store(client, bucket, records, compress=True, buffered=timedelta(minutes=1)):
    """Writes the records, in the order given, into objects of a minute each."""

    def window(record):
        time = datetime.fromisoformat(record["time"])
        return time.replace(second=0, microsecond=0) if buffered else time

    for start, group in groupby(records, key=window):
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in group).encode()
        key = start.astimezone(timezone.utc).strftime(NAME) + f"-{uuid.uuid4()}.gz"
        client.put_object(Bucket=bucket, Key=key, Body=gzip.compress(text) if compress else text)
