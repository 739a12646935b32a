"""A consumer that fails: its messages move to the dead-letter queue, and can be redriven."""

import json

import pytest

import messages


def receive(client, url):
    answer = client.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])
    [message] = answer.get("Messages", [None])
    return message


def fail(client, url, times):
    """Receives the message N times without deleting it, as a consumer does that fails."""
    for count in range(1, times + 1):
        message = receive(client, url)
        assert message["Attributes"]["ApproximateReceiveCount"] == str(count)
        client.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )


@pytest.mark.parametrize("stack", ["letterbox", "second"])
def test_only_the_stacks_own_queue_may_send_there(request, stack):
    stack = request.getfixturevalue(stack)
    attributes = stack.aws.client("sqs").get_queue_attributes(
        QueueUrl=stack.dead_letters().url, AttributeNames=["RedriveAllowPolicy"]
    )["Attributes"]
    allowed = json.loads(attributes["RedriveAllowPolicy"])
    assert allowed == {"redrivePermission": "byQueue", "sourceQueueArns": [stack.outputs()["QueueArn"]]}


def test_a_message_that_fails_too_often_is_moved_and_can_be_redriven(letterbox, senders):
    client = letterbox.aws.client("sqs")
    queue, dead_letters = letterbox.queue(), letterbox.dead_letters()
    policy = client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["RedrivePolicy"])
    limit = int(json.loads(policy["Attributes"]["RedrivePolicy"])["maxReceiveCount"])
    request = senders["github"].build_request()
    assert letterbox.send("github", request).status_code == 202

    fail(client, queue.url, limit)
    assert receive(client, queue.url) is None
    dead = receive(client, dead_letters.url)
    messages.read(dead, "github", request.payload)

    # By hand what StartMessageMoveTask does in AWS: the emulator does not have it.
    client.send_message(
        QueueUrl=queue.url, MessageBody=dead["Body"], MessageAttributes=dead["MessageAttributes"]
    )
    client.delete_message(QueueUrl=dead_letters.url, ReceiptHandle=dead["ReceiptHandle"])
    messages.read(queue.one(), "github", request.payload)
    assert dead_letters.drain() == []
