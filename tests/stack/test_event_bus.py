"""The pipe to an event bus: its stack, its role, and what its paths make of real messages.

The local AWS creates the pipe but does not run it. So the test takes the messages of the queue as the pipe would receive
them, evaluates the paths that the stack has deployed, and puts the results on the emulator's bus, where a rule matches.
"""

import json
import re

import pytest
import yaml

from servers import ROOT, Queue
from stack import ARTIFACTS, Stack, sam

TEMPLATE = ROOT / "examples/event-bus/template.yaml"
TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms"
PATTERN = {"source": [{"prefix": "/github/"}], "detail-type": ["github.push"]}


def entry(message, parameters, bus):
    """What the pipe puts on the bus: EventBridge parses a body that is JSON, and names fields in camel case."""
    received = {
        "body": json.loads(message["Body"]),
        "messageAttributes": {
            name: {"stringValue": value["StringValue"]} for name, value in message["MessageAttributes"].items()
        },
    }

    def at(path):
        assert path.startswith("$."), path
        value = received
        for name in path.removeprefix("$.").split("."):
            value = value[name]
        return value

    detail = re.sub(r"<([^>]+)>", lambda path: json.dumps(at(path[1])), parameters["InputTemplate"])
    target = parameters["EventBridgeEventBusParameters"]
    return {
        "EventBusName": bus,
        "Source": at(target["Source"]),
        "DetailType": at(target["DetailType"]),
        "Detail": detail,
    }


@pytest.fixture(scope="module")
def bus(aws):
    """A bus with a rule, and the queue that the rule sends to."""
    events, sqs = aws.client("events"), aws.client("sqs")
    events.create_event_bus(Name="hooks")
    events.put_rule(Name="pushes", EventBusName="hooks", EventPattern=json.dumps(PATTERN))
    url = sqs.create_queue(QueueName="pushes")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_targets(Rule="pushes", EventBusName="hooks", Targets=[{"Id": "queue", "Arn": arn}])
    yield Queue(sqs, url)
    events.remove_targets(Rule="pushes", EventBusName="hooks", Ids=["queue"])
    events.delete_rule(Name="pushes", EventBusName="hooks")
    events.delete_event_bus(Name="hooks")
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture(scope="module")
def piped(aws, letterbox_stack, bus):
    """The stack with the pipe, deployed as the guide says."""
    stack = Stack(aws, "bus")
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    parameters = {
        "QueueArn": letterbox_stack.outputs()["QueueArn"],
        "EventBus": "hooks",
        "KmsKeyArn": key,
        "AlarmTopicArn": TOPIC,
    }
    sam(
        aws,
        "deploy",
        *["--template-file", TEMPLATE, "--stack-name", stack.name, "--s3-bucket", ARTIFACTS],
        *["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"],
        *["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())],
    )
    yield stack, parameters
    stack.delete()
    assert aws.client("pipes").list_pipes()["Pipes"] == []


@pytest.fixture(scope="module")
def declared(aws, piped):
    """The properties of the pipe, as they were deployed."""
    stack, _ = piped
    text = aws.client("cloudformation").get_template(StackName=stack.name, TemplateStage="Processed")["TemplateBody"]
    template = yaml.safe_load(text) if isinstance(text, str) else text
    return template["Resources"]["Pipe"]["Properties"]


def test_the_pipe_leads_from_the_queue_to_the_bus(aws, piped):
    stack, parameters = piped
    pipe = aws.client("pipes").describe_pipe(Name=stack.outputs()["PipeName"])
    assert pipe["Source"] == parameters["QueueArn"]
    assert pipe["Target"].endswith(":event-bus/hooks")
    assert pipe["CurrentState"] == "RUNNING"


def test_the_role_allows_queue_bus_and_key_and_no_more(aws, piped):
    stack, parameters = piped
    role = stack.resources()["Role"]
    document = aws.client("iam").get_role_policy(RoleName=role, PolicyName="pipe")["PolicyDocument"]
    allowed = {statement["Sid"]: (statement["Action"], statement["Resource"]) for statement in document["Statement"]}
    target = aws.client("pipes").describe_pipe(Name=stack.outputs()["PipeName"])["Target"]
    assert allowed == {
        "Queue": (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], parameters["QueueArn"]),
        "Bus": ("events:PutEvents", target),
        "Key": ("kms:Decrypt", parameters["KmsKeyArn"]),
    }


def test_failures_reach_the_topic(aws, piped):
    stack, _ = piped
    name = stack.resources()["FailedAlarm"]
    [alarm] = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/EventBridge/Pipes", "ExecutionFailed")
    assert alarm["Dimensions"] == [{"Name": "PipeName", "Value": stack.outputs()["PipeName"]}]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]


def test_one_event_that_fails_stops_no_other(declared):
    assert str(declared["SourceParameters"]["SqsQueueParameters"]["BatchSize"]) == "1"


@pytest.mark.parametrize("size", [10, 300_000], ids=["small", "large"])
def test_an_event_reaches_the_rule_with_its_type_and_source(aws, letterbox, senders, bus, declared, size):
    payload = json.dumps({"repository": {"full_name": "acme/widget"}, "text": "x" * size}).encode()
    request = senders["github"].build_request(payload, "push")
    senders["github"].acknowledged(letterbox.send("github", request), request)
    message = letterbox.queue().one()

    put = entry(message, declared["TargetParameters"], "hooks")
    assert aws.client("events").put_events(Entries=[put])["FailedEntryCount"] == 0

    matched = json.loads(bus.one()["Body"])
    assert (matched["source"], matched["detail-type"]) == ("/github/default", "github.push")
    if size == 10:
        assert matched["detail"]["event"] == json.loads(message["Body"])
    else:
        name, pointer = matched["detail"]["event"]
        assert name == "software.amazon.payloadoffloading.PayloadS3Pointer"
        assert pointer["s3BucketName"] == letterbox.outputs()["OversizeBucketName"]


def test_an_event_of_another_type_does_not(aws, bus):
    put = {"EventBusName": "hooks", "Source": "/github/default", "DetailType": "github.issues", "Detail": "{}"}
    assert aws.client("events").put_events(Entries=[put])["FailedEntryCount"] == 0
    assert bus.drain() == []
