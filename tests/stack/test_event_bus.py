"""The pipe to an event bus: its role, its alarm, and what its paths make of real messages.

The local AWS creates the pipe but does not run it. So the test takes the messages of the queue as the pipe would receive
them, evaluates the paths that the stack has deployed, and puts the results on the emulator's bus, where a rule matches.
"""

import json
import re

import pytest
import yaml

from servers import Queue

# The bus that every account has.
BUS = "default"
PATTERN = {"source": [{"prefix": "/github/"}], "detail-type": ["github.push"]}


def entry(message, parameters):
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
        "EventBusName": BUS,
        "Source": at(target["Source"]),
        "DetailType": at(target["DetailType"]),
        "Detail": detail,
    }


@pytest.fixture(scope="module")
def matched(aws):
    """The queue that a rule of the bus sends to."""
    events, sqs = aws.client("events"), aws.client("sqs")
    events.put_rule(Name="pushes", EventBusName=BUS, EventPattern=json.dumps(PATTERN))
    url = sqs.create_queue(QueueName="pushes")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_targets(Rule="pushes", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
    yield Queue(sqs, url)
    events.remove_targets(Rule="pushes", EventBusName=BUS, Ids=["queue"])
    events.delete_rule(Name="pushes", EventBusName=BUS)
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture(scope="module")
def declared(aws, letterbox_stack):
    """The properties of the pipe, as they were deployed."""
    text = aws.client("cloudformation").get_template(StackName=letterbox_stack.name, TemplateStage="Processed")
    template = text["TemplateBody"]
    template = yaml.safe_load(template) if isinstance(template, str) else template
    return template["Resources"]["Pipe"]["Properties"]


@pytest.fixture(scope="module")
def pipe(aws, letterbox_stack):
    return aws.client("pipes").describe_pipe(Name=letterbox_stack.outputs()["PipeName"])


def test_the_pipe_leads_from_the_queue_to_the_bus(letterbox_stack, pipe):
    assert pipe["Source"] == letterbox_stack.outputs()["QueueArn"]
    assert pipe["Target"] == "arn:aws:events:us-east-1:000000000000:event-bus/default"
    assert pipe["CurrentState"] == "RUNNING"


def test_the_role_allows_queue_and_bus_and_no_more(aws, letterbox_stack, pipe):
    role = letterbox_stack.resources()["PipeRole"]
    assert pipe["RoleArn"] == aws.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    document = aws.client("iam").get_role_policy(RoleName=role, PolicyName="pipe")["PolicyDocument"]
    allowed = {statement["Sid"]: (statement["Action"], statement["Resource"]) for statement in document["Statement"]}
    assert allowed == {
        "Queue": (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], pipe["Source"]),
        "Bus": ("events:PutEvents", pipe["Target"]),
    }


def test_failures_reach_the_topic(aws, letterbox_stack):
    name, outputs = letterbox_stack.resources()["PipeAlarm"], letterbox_stack.outputs()
    [alarm] = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/EventBridge/Pipes", "ExecutionFailed")
    assert alarm["Dimensions"] == [{"Name": "PipeName", "Value": outputs["PipeName"]}]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [outputs["AlarmTopicArn"]]


def test_a_stack_without_a_bus_has_no_pipe(second_stack):
    assert [name for name in second_stack.resources() if "Pipe" in name] == []
    assert {"PipeName", "NoPipe"}.isdisjoint(second_stack.outputs())


def test_one_event_that_fails_stops_no_other(declared):
    assert str(declared["SourceParameters"]["SqsQueueParameters"]["BatchSize"]) == "1"


@pytest.mark.parametrize("size", [10, 300_000], ids=["small", "large"])
def test_an_event_reaches_the_rule_with_its_type_and_source(aws, letterbox, senders, matched, declared, size):
    payload = json.dumps({"repository": {"full_name": "acme/widget"}, "text": "x" * size}).encode()
    request = senders["github"].build_request(payload, "push")
    senders["github"].acknowledged(letterbox.send("github", request), request)
    message = letterbox.queue().one()

    put = entry(message, declared["TargetParameters"])
    assert aws.client("events").put_events(Entries=[put])["FailedEntryCount"] == 0

    event = json.loads(matched.one()["Body"])
    assert (event["source"], event["detail-type"]) == ("/github/default", "github.push")
    if size == 10:
        assert event["detail"]["event"] == json.loads(message["Body"])
    else:
        name, pointer = event["detail"]["event"]
        assert name == "software.amazon.payloadoffloading.PayloadS3Pointer"
        assert pointer["s3BucketName"] == letterbox.outputs()["OversizeBucketName"]


def test_an_event_of_another_type_does_not(aws, matched):
    put = {"EventBusName": BUS, "Source": "/github/default", "DetailType": "github.issues", "Detail": "{}"}
    assert aws.client("events").put_events(Entries=[put])["FailedEntryCount"] == 0
    assert matched.drain() == []
