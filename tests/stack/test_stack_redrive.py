"""`letterbox stack redrive`: dead letters back on the queue, and none lost, however it ends.

LETTERBOX_KILLS sets at how many random moments it is killed.
"""

import json
import os
import random
import signal
import time
import uuid

import pytest

import program
from move_tasks import MoveTasks
from servers import until

KILLS = int(os.environ.get("LETTERBOX_KILLS", "5"))
LARGE = "x" * 150_000


def fill(stack, count):
    """Puts messages on the dead-letter queue, as SQS moves them there."""
    client, url = stack.aws.client("sqs"), stack.dead_letters().url
    is_fifo = url.endswith(".fifo")
    for number in range(count):
        fifo = {"MessageGroupId": f"group-{number % 3}", "MessageDeduplicationId": uuid.uuid4().hex} if is_fifo else {}
        client.send_message(
            QueueUrl=url,
            MessageBody=json.dumps({"number": number, "text": "中" + (LARGE if number == 1 else "")}, ensure_ascii=False),
            MessageAttributes={
                "type": {"DataType": "String", "StringValue": "github.push"},
                "ExtendedPayloadSize": {"DataType": "Number", "StringValue": str(number)},
            },
            MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}},
            **fifo,
        )


def numbers(messages):
    return [json.loads(message["Body"])["number"] for message in messages]


@pytest.fixture(params=["letterbox", "second"])
def stack(request):
    """A standard queue, and a FIFO queue."""
    stack = request.getfixturevalue(request.param)
    stack.dead_letters().drain()
    yield stack
    stack.dead_letters().drain()
    stack.queue().drain()


def test_dead_letters_are_moved_as_they_are(stack):
    fill(stack, 25)
    plan, summary = program.lines(stack, "redrive", "--yes", "--rate", "500")
    assert plan["plan"] == {
        "messages": 25, "inFlight": 0, "from": stack.dead_letters().url, "to": stack.queue().url, "running": False
    }
    assert summary["summary"] == {"moved": 25, "inBoth": 0, "complete": True, "reason": None}
    messages = stack.queue().drain()
    assert sorted(numbers(messages)) == list(range(25)) and stack.dead_letters().drain() == []
    for message in messages:
        number = numbers([message])[0]
        assert message["MessageAttributes"] == {
            "type": {"DataType": "String", "StringValue": "github.push"},
            "ExtendedPayloadSize": {"DataType": "Number", "StringValue": str(number)},
        }
        assert message["Attributes"]["AWSTraceHeader"].startswith("Root=1-5759e988")
        if stack.queue().url.endswith(".fifo"):
            assert message["Attributes"]["MessageGroupId"] == f"group-{number % 3}"
    if stack.queue().url.endswith(".fifo"):
        for group in range(3):
            ordered = [number for number in numbers(messages) if number % 3 == group]
            assert ordered == sorted(ordered)


def test_a_plan_moves_nothing(stack):
    fill(stack, 3)
    shown = program.run(stack, "redrive", "--dry-run").stdout
    assert f"Redrive on the stack {stack.name} in us-east-1: 3 messages from " in shown and "at 50/s" in shown
    assert "--yes moves the messages" in program.run(stack, "redrive", code=2).stderr
    assert len(stack.dead_letters().drain()) == 3 and stack.queue().drain() == []


def test_an_empty_queue_is_no_error(stack):
    assert ": 0 messages from " in program.run(stack, "redrive", "--yes").stdout


def test_ctrl_c_leaves_the_rest_and_says_how_to_go_on(stack):
    fill(stack, 30)
    child = program.start(stack, "redrive", "--yes", "--rate", "10")
    time.sleep(1.5)
    code, _, errors = program.kill(child, signal.SIGINT)
    assert code == 1 and "stopped; the rest is in the dead-letter queue" in errors
    assert f"stack redrive --stack {stack.name} --region us-east-1" in errors
    moved, left = numbers(stack.queue().drain()), numbers(stack.dead_letters().drain())
    # What was received and not sent can be received at once.
    assert sorted(moved + left) == list(range(30)) and moved and left


def test_no_message_is_lost_wherever_it_is_killed(stack):
    if KILLS < 10 and stack.name == "second":
        pytest.skip("the standard queue is enough, unless LETTERBOX_KILLS asks for more")
    queue, count, moved = stack.queue(), 20 + 12 * KILLS, []
    chance = random.Random(int(os.environ.get("LETTERBOX_SEED", "15")))
    fill(stack, count)
    # How long it takes until the first message is moved.
    began = time.monotonic()
    child = program.start(stack, "redrive", "--yes", "--rate", "20")
    until(lambda: length(stack) > 0, 30, "the first message")
    start_up = time.monotonic() - began
    program.kill(child)
    for _ in range(KILLS - 1):
        child = program.start(stack, "redrive", "--yes", "--rate", "40")
        time.sleep(max(0.0, start_up - 0.2) + chance.random() * 0.5)
        program.kill(child)
        moved += numbers(queue.drain())
    # The last run waits until what was received and not sent is visible again.
    program.run(stack, "redrive", "--yes", "--rate", "500")
    moved += numbers(queue.drain())
    assert set(moved) == set(range(count)), "some are lost"
    assert numbers(stack.dead_letters().drain()) == []
    # At most those that were under way may be there twice.
    assert len(moved) - count <= 10 * KILLS
    print(f"{KILLS} kills: {count} messages, {len(moved) - count} of them twice")


def length(stack):
    name = "ApproximateNumberOfMessages"
    attributes = stack.aws.client("sqs").get_queue_attributes(QueueUrl=stack.queue().url, AttributeNames=[name])
    return int(attributes["Attributes"][name])


@pytest.mark.parametrize("action", ["sqs:ReceiveMessage", "sqs:GetQueueAttributes"])
def test_a_missing_permission_is_named(strict, action):
    strict.dead_letters().drain()
    fill(strict, 2)
    with program.user(strict, action) as keys:
        ran = program.run(strict, "redrive", "--yes", code=1, **keys)
    assert action in ran.stderr
    assert len(strict.dead_letters().drain()) == 2 and strict.queue().drain() == []


def test_what_the_queue_does_not_accept_stays(strict):
    strict.dead_letters().drain()
    fill(strict, 2)
    with program.user(strict, "sqs:SendMessage") as keys:
        ran = program.run(strict, "redrive", "--yes", code=1, **keys)
    assert "sqs:SendMessage is denied" in ran.stderr and "0  back on the queue" in ran.stderr
    assert len(strict.dead_letters().drain()) == 2 and strict.queue().drain() == []
    # Sent, and not deleted: it is in both.
    fill(strict, 2)
    with program.user(strict, "sqs:DeleteMessage") as keys:
        ran = program.run(strict, "redrive", "--yes", **keys)
    assert "in both queues: sqs:DeleteMessage is denied" in ran.stderr
    assert len(strict.queue().drain()) == 2


@pytest.fixture
def tasks(letterbox):
    """SQS as in AWS, which moves messages by itself."""
    letterbox.dead_letters().drain()
    server = MoveTasks(letterbox.aws, letterbox.dead_letters().url, letterbox.queue().url)
    yield server
    server.stop()
    letterbox.dead_letters().drain()
    letterbox.queue().drain()


def test_sqs_moves_them_where_it_can(letterbox, tasks):
    fill(letterbox, 20)
    endpoint = {"AWS_ENDPOINT_URL": tasks.endpoint}
    _, summary = program.lines(letterbox, "redrive", "--yes", "--rate", "100", **endpoint)
    assert summary["summary"] == {"moved": 20, "inBoth": 0, "complete": True, "reason": None}
    assert [task["MaxNumberOfMessagesPerSecond"] for task in tasks.tasks] == [100]
    assert sorted(numbers(letterbox.queue().drain())) == list(range(20))
    # By hand all the same.
    fill(letterbox, 3)
    program.run(letterbox, "redrive", "--yes", "--by-hand", **endpoint)
    assert len(tasks.tasks) == 1 and len(letterbox.queue().drain()) == 3


def test_ctrl_c_cancels_the_task(letterbox, tasks):
    fill(letterbox, 30)
    child = program.start(letterbox, "redrive", "--yes", "--rate", "5", AWS_ENDPOINT_URL=tasks.endpoint)
    until(lambda: length(letterbox) >= 3, 30, "the first messages")
    code, _, errors = program.kill(child, signal.SIGINT)
    assert code == 1 and "cancelled; the rest is in the dead-letter queue; to go on: " in errors
    assert tasks.tasks[0]["Status"] == "CANCELLED"
    moved, left = numbers(letterbox.queue().drain()), numbers(letterbox.dead_letters().drain())
    assert sorted(moved + left) == list(range(30)) and f"{len(moved)}  back on the queue" in errors


def test_a_task_that_survived_the_program_is_followed(letterbox, tasks):
    fill(letterbox, 20)
    child = program.start(letterbox, "redrive", "--yes", "--rate", "5", AWS_ENDPOINT_URL=tasks.endpoint)
    until(lambda: length(letterbox) >= 2, 30, "the first messages")
    program.kill(child)
    ran = program.run(letterbox, "redrive", "--yes", AWS_ENDPOINT_URL=tasks.endpoint)
    assert "A task of SQS is moving messages already; following it" in ran.stdout and len(tasks.tasks) == 1
    assert sorted(numbers(letterbox.queue().drain())) == list(range(20))


def test_a_task_that_fails_says_why(letterbox, tasks):
    fill(letterbox, 2)
    tasks.failing = "AccessDenied"
    ran = program.run(letterbox, "redrive", "--yes", code=1, AWS_ENDPOINT_URL=tasks.endpoint)
    assert "SQS: AccessDenied; the rest is in the dead-letter queue" in ran.stderr
    assert len(letterbox.dead_letters().drain()) == 2
