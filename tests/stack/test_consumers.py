"""The example consumers: deployed with the real SAM CLI, each onto a queue of its own, they handle what Letterbox queued.

The local AWS enforces IAM, so each role allows what its function does. Its event source mapping reads the queues and
calls the functions; the messages come from the queue of the stack, by hand, so that other tests keep that queue.
"""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from emulator import PAUSE
from servers import ROOT, TARGET, Queue, until
from stack import ARTIFACTS, SAM, Stack, sam

EXAMPLES = ROOT / "examples"
# A failed message comes back soon. AWS accepts no visibility timeout that is shorter than the function's.
VISIBILITY_TIMEOUT = 2
MAX_RECEIVES = 3
# Several times what a slow machine needs.
TIMEOUT = 90
POISON = "not an event"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}{done.stderr}"


def build_python(example, to):
    """As `sam build` does, which insists on the very Python of the template."""
    shutil.copytree(example, to)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run(*pip, "--target", to, "--requirement", example / "requirements.txt")
    return to / "template.yaml"


def build_node(example, to):
    template = example / "template.yaml"
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
    run(SAM, "build", "--template-file", template, "--build-dir", to, env=environment, cwd=to.parent)
    return to / "template.yaml"


def build_rust(example, to):
    """The binary of this workspace: cargo-lambda and the release profile take minutes."""
    to.mkdir()
    shutil.copy(example / "template.yaml", to)
    shutil.copy(TARGET / "debug/letterbox-consumer", to / "bootstrap")
    return to / "template.yaml"


BUILDS = {"python": build_python, "node": build_node, "rust": build_rust}


class Consumer:
    """An example's stack, and its queue with a dead-letter queue."""

    def __init__(self, aws, name, template, fifo, **parameters):
        self.aws = aws
        self.name = name
        self._sqs = aws.client("sqs")
        self._fifo = fifo
        dead_letters, arn = self._create(f"{name}-dead", {})
        redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": str(MAX_RECEIVES)}
        self.url, self.queue_arn = self._create(
            name, {"VisibilityTimeout": str(VISIBILITY_TIMEOUT), "RedrivePolicy": json.dumps(redrive)}
        )
        self.dead_letters = Queue(self._sqs, dead_letters)
        overrides = [f"{key}={value}" for key, value in (parameters | {"QueueArn": self.queue_arn}).items()]
        sam(
            aws,
            "deploy",
            *["--template-file", template, "--stack-name", name, "--s3-bucket", ARTIFACTS],
            *["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"],
            *["--parameter-overrides", *overrides],
        )
        self.outputs = Stack(aws, name).outputs()
        # The cold start, which may take longer than the visibility timeout.
        names = {name: {"DataType": "String", "StringValue": "cold start"} for name in ("source", "subject", "id")}
        assert self.invoke({"Body": POISON, "MessageAttributes": names}) == [0]

    def delete(self):
        """Leaves the account as it was, for the tests of removal."""
        stacks = self.aws.client("cloudformation")
        stacks.delete_stack(StackName=self.name)
        stacks.get_waiter("stack_delete_complete").wait(
            StackName=self.name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 150}
        )
        for url in [self.url, self.dead_letters.url]:
            self._sqs.delete_queue(QueueUrl=url)

    def _create(self, name, attributes):
        attributes |= {"FifoQueue": "true"} if self._fifo else {}
        url = self._sqs.create_queue(QueueName=f"{name}.fifo" if self._fifo else name, Attributes=attributes)["QueueUrl"]
        got = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, got["Attributes"]["QueueArn"]

    def queue(self, *sent):
        """Puts messages on the queue, those of a group in their order."""
        for start in range(0, len(sent), 10):
            entries = [
                {"Id": str(number), "MessageBody": message["Body"], "MessageAttributes": message["MessageAttributes"]}
                | ({"MessageGroupId": group(message), "MessageDeduplicationId": id_of(message)} if self._fifo else {})
                for number, message in enumerate(sent[start : start + 10])
            ]
            assert not self._sqs.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def invoke(self, *messages):
        """Calls the function with these messages as one batch of the queue; returns the numbers of the failed ones."""
        records = [
            {
                "messageId": str(number),
                "body": message["Body"],
                "attributes": {"MessageGroupId": group(message)} if self._fifo else {},
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                    for name, value in message["MessageAttributes"].items()
                },
                "eventSource": "aws:sqs",
                "eventSourceARN": self.queue_arn,
            }
            for number, message in enumerate(messages)
        ]
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.outputs["FunctionName"], Payload=json.dumps({"Records": records})
        )
        payload = json.load(answer["Payload"])
        assert "FunctionError" not in answer, payload
        return [int(failure["itemIdentifier"]) for failure in payload["batchItemFailures"]]

    def items(self):
        """The table of handled events, by key."""
        found = self.aws.client("dynamodb").scan(TableName=self.outputs["HandledTable"], ConsistentRead=True)
        return {item["id"]["S"]: item for item in found["Items"]}

    def leave_in_progress(self, key, until):
        item = self.items()[key] | {
            "status": {"S": "INPROGRESS"},
            "in_progress_expiration": {"N": str(int(until * 1000))},
        }
        self.aws.client("dynamodb").put_item(TableName=self.outputs["HandledTable"], Item=item)

    def lines(self):
        pages = self.aws.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=self.outputs["LogGroup"])
        return [line for page in found for event in page["events"] for line in event["message"].splitlines()]

    def handled(self):
        """The ids of the handled events, in the order of the log."""
        return [json.loads(line)["handled"]["id"] for line in self.lines() if line.startswith('{"handled"')]

    def until_handled(self, *ids):
        def there():
            handled = self.handled()
            return all(wanted in handled for wanted in ids)

        try:
            until(there, TIMEOUT, f"{ids} to be handled", PAUSE)
        except AssertionError as error:
            # What became of them, and not what was there before.
            dead = [message["Body"] for message in self.dead_letters.drain()]
            raise AssertionError("\n".join([str(error), f"dead letters: {dead}", "the log:", *self.lines()])) from None

    def until_empty(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

        def empty():
            got = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
            return all(got[name] == "0" for name in names)

        until(empty, TIMEOUT, "an empty queue", PAUSE)


def group(message):
    names = ["source", "subject"]
    return "/".join(message["MessageAttributes"][name]["StringValue"] for name in names)


def id_of(message):
    return message["MessageAttributes"]["id"]["StringValue"]


def poisoned(message, id):
    """A message that no consumer can read, in the group of this one."""
    attributes = message["MessageAttributes"] | {"id": {"DataType": "String", "StringValue": id}}
    return message | {"Body": POISON, "MessageAttributes": attributes}


@pytest.fixture
def event(strict, strict_senders):
    """Has GitHub deliver an event about a repository, and takes its message from the stack's queue."""

    def deliver(repository, size=0, times=1):
        payload = {"repository": {"full_name": repository}, "text": "x" * size, "at": time.time_ns()}
        request = strict_senders["github"].build_request(json.dumps(payload).encode())
        for _ in range(times):
            assert strict.send("github", request).status_code == 202
        messages = strict.queue().drain()
        assert len(messages) == times
        return messages if times > 1 else messages[0]

    return deliver


@pytest.fixture(scope="module", params=BUILDS)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def template(language, tmp_path_factory):
    return BUILDS[language](EXAMPLES / f"consumer-{language}", tmp_path_factory.mktemp(language) / "built")


@pytest.fixture(scope="module")
def consumer(language, template, strict_stack):
    bucket = strict_stack.outputs()["OversizeBucketName"]
    consumer = Consumer(strict_stack.aws, f"consumer-{language}", template, fifo=False, LargeEventsBucket=bucket)
    yield consumer
    consumer.delete()


@pytest.fixture(scope="module")
def fifo_consumer(language, template, strict_stack):
    """Without the bucket."""
    consumer = Consumer(strict_stack.aws, f"consumer-{language}-ordered", template, fifo=True)
    yield consumer
    consumer.delete()


def test_an_event_that_came_twice_is_handled_once(consumer, event):
    first, retry = event("acme/twice", times=2)
    assert (first["Body"] != retry["Body"]) and id_of(first) == id_of(retry)
    consumer.queue(first, retry)
    consumer.until_handled(id_of(first))
    consumer.until_empty()
    consumer.queue(first)
    consumer.until_empty()
    assert consumer.handled().count(id_of(first)) == 1
    assert consumer.dead_letters.drain() == []


def test_a_poisoned_message_does_not_stop_the_others(consumer, event):
    messages = [event("acme/poison") for _ in range(3)]
    consumer.queue(messages[0], poisoned(messages[0], "poison"), *messages[1:])
    consumer.until_handled(*map(id_of, messages))
    consumer.until_empty()
    assert consumer.dead_letters.one()["Body"] == POISON
    assert all(consumer.handled().count(id_of(message)) == 1 for message in messages)


def test_an_event_that_a_function_left_unfinished_is_handled_again(consumer, event):
    message = event("acme/unfinished")
    before = consumer.items()
    assert consumer.invoke(message) == []
    [key] = consumer.items().keys() - before.keys()

    # As if the function had stopped in the middle, and may still run.
    consumer.leave_in_progress(key, until=time.time() + 60)
    assert consumer.invoke(message) == [0]
    assert consumer.handled().count(id_of(message)) == 1
    # It can no longer run.
    consumer.leave_in_progress(key, until=time.time() - 1)
    assert consumer.invoke(message) == []
    assert consumer.handled().count(id_of(message)) == 2


def test_a_large_event_comes_from_the_bucket(consumer, event):
    large = event("acme/large", size=1_500_000)
    assert "PayloadS3Pointer" in large["Body"]
    consumer.queue(large)
    consumer.until_handled(id_of(large))
    consumer.until_empty()


def test_events_of_a_group_stay_in_order(fifo_consumer, event):
    a, b = ([event(f"acme/{name}") for _ in range(3)] for name in "ab")
    fifo_consumer.queue(a[0], poisoned(a[0], "poison"), a[1], b[0], a[2], b[1], b[2])
    fifo_consumer.until_handled(id_of(a[1]))
    # The group went on only after the poisoned message had left the queue.
    assert fifo_consumer.dead_letters.one()["Body"] == POISON
    fifo_consumer.until_empty()
    handled = fifo_consumer.handled()
    for messages in (a, b):
        ids = [id_of(message) for message in messages]
        assert [id for id in handled if id in ids] == ids
    # The other group did not wait for that.
    assert handled.index(id_of(b[2])) < handled.index(id_of(a[1]))


def test_in_a_batch_a_group_stops_at_its_first_failure(fifo_consumer, event):
    a, b = ([event(f"acme/{name}") for _ in range(2)] for name in "ab")
    assert fifo_consumer.invoke(a[0], poisoned(a[0], "poison"), b[0], a[1], b[1]) == [1, 3]
    assert set(map(id_of, [a[0], *b])) <= set(fifo_consumer.handled())
    assert id_of(a[1]) not in fifo_consumer.handled()


def test_the_role_reads_no_other_bucket(fifo_consumer, event):
    large = event("acme/large", size=1_500_000)
    assert fifo_consumer.invoke(large) == [0]
    assert id_of(large) not in fifo_consumer.handled()
