"""Events that are too large for SQS: through the bucket, to a consumer with AWS's own extended client."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import messages

CONSUMER = Path(__file__).with_name("extended_consumer.py")


def consume(stack):
    """The messages as the extended client returns them."""
    done = subprocess.run(
        [sys.executable, CONSUMER, stack.queue().url],
        env=stack.aws.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_a_large_event_goes_through_the_bucket(letterbox, senders, size):
    payload = json.dumps({"repository": {"full_name": "acme/widget"}, "text": "中" * (size // 6)}).encode()
    request = senders["github"].build_request(payload)
    senders["github"].acknowledged(letterbox.send("github", request), request)

    [message] = consume(letterbox)
    messages.read(message, "github", payload)
    # The pointer itself, as an ordinary client reads it.
    raw = letterbox.queue().one()
    name, pointer = json.loads(raw["Body"])
    assert name == "software.amazon.payloadoffloading.PayloadS3Pointer"
    assert pointer["s3BucketName"] == letterbox.outputs()["OversizeBucketName"]
    assert pointer["s3Key"].startswith("github/default/")
    assert raw["MessageAttributes"]["ExtendedPayloadSize"] == {
        "DataType": "Number",
        "StringValue": str(len(message["Body"].encode())),
    }


def test_a_small_event_does_not(letterbox, senders):
    request = senders["github"].build_request(json.dumps({"text": "x" * 200_000}).encode())
    senders["github"].acknowledged(letterbox.send("github", request), request)
    messages.read(letterbox.queue().one(), "github", request.payload)
