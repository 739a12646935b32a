"""Events that are too large for SQS: in S3, with a pointer on the queue that Amazon's own extended client follows."""

import hashlib
import json

import pytest
from sqs_extended_client.client import S3_KEY_MARKER, SQSExtendedClientSession

import messages
from servers import REGION, client

LARGEST = 1024 * 1024


@pytest.fixture(scope="module")
def store(queue_server):
    client = queue_server.aws("s3")
    client.create_bucket(Bucket="letterbox-oversize")
    return client


def large_payload(size):
    return json.dumps({"repository": {"full_name": "acme/widget"}, "x": "中" * (size // 3)}, ensure_ascii=False).encode()


def keys(store):
    return [entry["Key"] for entry in store.list_objects_v2(Bucket="letterbox-oversize").get("Contents", [])]


@pytest.fixture(scope="module")
def oversize(deploy, settings, store, queue_server):
    """Functions with a bucket; `payment` has a lower threshold, for consumers with an older limit."""
    queues = {provider: queue_server.create(f"oversize-{provider}") for provider in ["github", "payment"]}

    def environment(provider, **more):
        return settings(
            provider, queue_server.endpoint, queues[provider].url, OVERSIZE_BUCKET="letterbox-oversize", **more
        )

    deployment = deploy(
        "oversize", {"github": environment("github"), "payment": environment("payment", OVERSIZE_THRESHOLD="1000")}
    )
    return deployment, queues


@pytest.fixture(autouse=True)
def empty(store):
    """Each test sees only the objects that it caused."""
    for key in keys(store):
        store.delete_object(Bucket="letterbox-oversize", Key=key)


@pytest.fixture(scope="module")
def extended(queue_server):
    """The extended client of a consumer."""
    consumer = client(SQSExtendedClientSession(region_name=REGION), "sqs", queue_server.endpoint)
    consumer.large_payload_support = "letterbox-oversize"
    consumer.delete_payload_from_s3 = True
    consumer.s3_client = queue_server.aws("s3")
    # The client splits receipt handles at a dash; those of SQS have none, but this server's have.
    consumer.get_original_receipt_handle = lambda handle: handle.rsplit(S3_KEY_MARKER, 1)[1]
    return consumer


@pytest.mark.parametrize("size", [LARGEST, 3 * LARGEST], ids=["1 MiB", "3 MiB"])
def test_round_trip_through_an_extended_client(oversize, store, senders, extended, size):
    deployment, queues = oversize
    request = senders.of("github").build_request(large_payload(size))
    assert deployment.send("github", request).status_code == 202
    [key] = keys(store)
    got = extended.receive_message(
        QueueUrl=queues["github"].url, MessageAttributeNames=["All"], AttributeNames=["All"]
    )
    [message] = got["Messages"]
    attributes = messages.read(message, "github", request.payload)
    assert attributes["id"] == hashlib.sha256(b"issues\n" + request.body).hexdigest()
    assert key.startswith("github/default/")
    # The client deletes the object with the message.
    extended.delete_message(QueueUrl=queues["github"].url, ReceiptHandle=message["ReceiptHandle"])
    assert keys(store) == []


def test_the_pointer_has_the_librarys_format(oversize, store, senders):
    deployment, queues = oversize
    request = senders.of("github").build_request(large_payload(2 * LARGEST))
    assert deployment.send("github", request).status_code == 202
    message = queues["github"].one()
    [key] = keys(store)
    assert json.loads(message["Body"]) == [
        "software.amazon.payloadoffloading.PayloadS3Pointer",
        {"s3BucketName": "letterbox-oversize", "s3Key": key},
    ]
    stored = store.get_object(Bucket="letterbox-oversize", Key=key)
    body = stored["Body"].read()
    size = message["MessageAttributes"]["ExtendedPayloadSize"]
    assert (size["DataType"], size["StringValue"]) == ("Number", str(len(body)))
    assert stored["ContentType"] == "application/cloudevents+json"
    # The attributes for filtering are on the message as well.
    assert message["MessageAttributes"]["type"]["StringValue"] == "github.issues"


def test_a_retry_has_an_object_of_its_own(oversize, store, senders):
    """The first reader deletes its object with the message; the second must still find one."""
    deployment, queues = oversize
    request = senders.of("github").build_request(large_payload(2 * LARGEST))
    for _ in range(2):
        assert deployment.send("github", request).status_code == 202
    assert len(set(keys(store))) == len(queues["github"].drain()) == 2


def test_the_threshold_is_a_setting(oversize, store, senders):
    deployment, queues = oversize
    small = senders.of("payment").build_request(b'{"event_type":"t"}')
    assert deployment.send("payment", small).status_code == 202
    assert keys(store) == []
    large = senders.of("payment").build_request(json.dumps({"event_type": "t", "x": "y" * 1000}).encode())
    assert deployment.send("payment", large).status_code == 202
    [key] = keys(store)
    assert key.startswith("payment/default/")
    assert len(queues["payment"].drain()) == 2


def test_a_failing_bucket_is_like_a_failing_queue(deploy, settings, senders, queue_server):
    queue = queue_server.create("oversize-nowhere")
    nowhere = settings("github", queue_server.endpoint, queue.url, OVERSIZE_BUCKET="letterbox-nowhere")
    deployment = deploy("oversize-nowhere", {"github": nowhere})
    mark = deployment.functions["github"].mark()
    response = deployment.send("github", senders.of("github").build_request(large_payload(2 * LARGEST)))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    line = deployment.functions["github"].delivery_line(mark)
    assert line["reason"] == "queue_unavailable" and line["detail"].startswith("S3: ")
    assert queue.drain() == []
    assert deployment.send("github", senders.of("github").build_request()).status_code == 202
    queue.one()


def test_without_a_bucket_it_is_too_large(letterbox, queues, senders):
    response = letterbox.send("github", senders.of("github").build_request(large_payload(LARGEST)))
    assert response.status_code == 413
    assert queues["github"].drain() == []
