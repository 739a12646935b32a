"""The contract of every queue message."""

import re
from datetime import datetime, timedelta, timezone

from cloudevents.core.formats.json import JSONFormat

from platforms import PLATFORMS


def read(message, provider, payload, source="default"):
    """Checks the message against the contract; returns its CloudEvents attributes.

    `payload` is the exact text that must stand in it.
    """
    body = message["Body"]
    event = JSONFormat().read(None, body)
    attributes = event.get_attributes()

    assert attributes["specversion"] == "1.0"
    assert attributes["source"] == f"/{provider}/{source}"
    assert attributes["type"].startswith(f"{provider}.") and len(attributes["type"]) > len(provider) + 1
    assert attributes["id"]
    assert attributes["datacontenttype"] == "application/json"
    for name in ["time", "receivedtime"]:
        assert re.search(rf'"{name}":"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"', body), name
    age = datetime.now(timezone.utc) - datetime.fromisoformat(attributes["receivedtime"])
    assert -timedelta(seconds=1) < age < timedelta(minutes=1)

    known = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "receivedtime"}
    assert set(attributes) - known <= PLATFORMS[provider].EXTENSIONS
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in attributes)

    payload = payload.decode() if isinstance(payload, bytes) else payload
    assert body.endswith(f'"data":{payload.strip()}}}'), "the payload is not there as it was sent"

    expected = {
        name: attributes[name] for name in ["id", "source", "type", "subject"] if attributes.get(name)
    }
    expected["content-type"] = "application/cloudevents+json"
    got = message["MessageAttributes"]
    assert {name: value["StringValue"] for name, value in got.items()} == expected
    assert {value["DataType"] for value in got.values()} == {"String"}
    return attributes
