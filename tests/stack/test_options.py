"""A stack with the other choices: an existing queue, no large events, one service, no alarms."""

import json

import pytest

import messages
from platforms import payment
from servers import Queue
from stack import Stack


@pytest.fixture(scope="module")
def queue(aws):
    client = aws.client("sqs")
    return Queue(client, client.create_queue(QueueName="existing")["QueueUrl"])


@pytest.fixture(scope="module")
def service():
    return payment.Service.new("stripe")


@pytest.fixture(scope="module")
def options(aws, queue, service):
    stack = Stack(aws, "options")
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
    stack.deploy(
        GithubEnabled="false",
        PaymentPreset="stripe",
        PaymentSecret=service.secret,
        ExistingQueueArn=attributes["Attributes"]["QueueArn"],
        OversizeEnabled="false",
        ReservedConcurrency="5",
        Tracing="true",
        AlarmsEnabled="false",
        DashboardEnabled="false",
    )
    return stack


def test_a_delivery_reaches_the_existing_queue(options, queue, service):
    request = service.build_request()
    service.acknowledged(options.send("payment", request), request)
    messages.read(queue.one(), "payment", request.payload)


def test_a_large_event_is_refused(options, queue, service):
    request = service.build_request(json.dumps({"type": "t", "text": "x" * 1_500_000}).encode())
    assert options.send("payment", request).status_code == 413
    assert queue.drain() == []


def test_disabled_resources_are_not_created(options):
    kinds = {"Queue", "Bucket", "Alarm", "Dashboard", "Github", "Dingtalk", "Opencard"}
    assert [name for name in options.resources() if any(kind in name for kind in kinds)] == []
