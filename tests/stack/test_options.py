"""A stack with the other choices: an existing queue, bus and domain, one service, a company's key and boundary, no alarms, no archive."""

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
def queue_arn(aws, queue):
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
    return attributes["Attributes"]["QueueArn"]


@pytest.fixture(scope="module")
def bus(aws):
    return aws.client("events").create_event_bus(Name="hooks")["EventBusArn"]


@pytest.fixture(scope="module")
def service():
    return payment.Service.new("stripe")


@pytest.fixture(scope="module")
def key(aws):
    return aws.client("kms").create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def boundary(aws):
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return aws.client("iam").create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]


@pytest.fixture(scope="module")
def options(aws, queue_arn, bus, service, key, boundary):
    stack = Stack(aws, "options")
    aws.client("apigatewayv2").create_domain_name(DomainName="hooks.example.com")
    stack.deploy(
        Github="off",
        Payment=aws.secret("options/payment", json.dumps(service.credentials)),
        EventQueue=queue_arn,
        EventBus=bus,
        DomainName="hooks.example.com",
        DomainPath="letterbox",
        KmsKeyArn=key,
        PermissionsBoundaryArn=boundary,
        ArchiveDays=0,
    )
    return stack


def test_a_delivery_reaches_the_existing_queue(options, queue, service):
    request = service.build_request()
    service.acknowledged(options.send("payment", request), request)
    messages.read(queue.one(), "payment", request.payload)


def test_what_is_not_asked_for_is_not_created(options):
    kinds = {"Queue", "Alarm", "Github", "Dingtalk", "Opencard", "Credentials", "Record", "Archive"}
    names = [name for name in options.resources() if any(kind in name for kind in kinds)]
    assert names == []
    assert "Alarms" in options.outputs()["NoAlarmIsRead"]
    assert "ArchiveBucketName" not in options.outputs()


def test_without_an_archive_the_function_has_none(aws, options):
    name = options.resources()["PaymentFunction"]
    settings = aws.client("lambda").get_function(FunctionName=name)["Configuration"]["Environment"]["Variables"]
    assert settings["ARCHIVE_STREAM"] == ""
    iam, policy = aws.client("iam"), options.resources()["SendPolicy"]
    version = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=policy, VersionId=version)["PolicyVersion"]["Document"]
    assert "firehose" not in json.dumps(document)


def test_the_existing_domain_gets_a_path_to_the_api(aws, options):
    assert "Domain" not in options.resources()
    [mapping] = aws.client("apigatewayv2").get_api_mappings(DomainName="hooks.example.com")["Items"]
    assert (mapping["ApiMappingKey"], mapping["ApiId"]) == ("letterbox", options.resources()["HttpApi"])
    assert options.outputs()["PaymentUrl"] == "https://hooks.example.com/letterbox/payment"


def test_the_functions_may_use_the_key(aws, options, key):
    iam, policy = aws.client("iam"), options.resources()["SendPolicy"]
    version = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=policy, VersionId=version)["PolicyVersion"]["Document"]
    [statement] = [statement for statement in document["Statement"] if statement["Sid"] == "Key"]
    assert statement["Resource"] == key


def test_the_pipe_leads_from_the_existing_queue_to_the_bus_and_may_use_the_key(aws, options, queue_arn, bus, key):
    pipe = aws.client("pipes").describe_pipe(Name=options.outputs()["PipeName"])
    assert (pipe["Source"], pipe["Target"]) == (queue_arn, bus)
    role = options.resources()["PipeRole"]
    document = aws.client("iam").get_role_policy(RoleName=role, PolicyName="pipe")["PolicyDocument"]
    allowed = {statement["Sid"]: (statement["Action"], statement["Resource"]) for statement in document["Statement"]}
    assert allowed == {
        "Queue": (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue_arn),
        "Bus": ("events:PutEvents", bus),
        "Key": ("kms:Decrypt", key),
    }
