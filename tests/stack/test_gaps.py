"""The gap filler in a deployed stack: off by default, on with a secret, with no right too many, and gone when it is deleted."""

import json
import os
import subprocess
from contextlib import contextmanager

import pytest

# First, since it makes the next ones importable.
from emulator import Emulator
from platform_apis import DingTalk, GitHub, Stripe
from servers import REGION, ROOT
from stack import Stack
from survey import survey
from test_permissions import document_of, put, restart

LETTERBOX = ROOT / "target/debug/letterbox"
LIST = "/repos/acme/widget/hooks/42/deliveries"
TIMEOUT = 120


@pytest.fixture(scope="module")
def own_aws(tmp_path_factory):
    """Enforces IAM. Of its own, since the stack is deleted at the end."""
    aws = Emulator(tmp_path_factory.mktemp("gaps"), strict=True)
    yield aws
    aws.stop()


@pytest.fixture(scope="module")
def apis():
    servers = GitHub(), Stripe(), DingTalk()
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def secret(own_aws, apis):
    github, stripe, dingtalk = apis
    credentials = {
        "github": {"repository": "acme/widget", "hook": 42, "token": "token", "url": github.url},
        "stripe": {"api_key": "rk_test_key", "url": stripe.url},
        "dingtalk": {
            "app_key": "dingkey",
            "app_secret": "dingsecret",
            "url": dingtalk.url,
            "token_url": dingtalk.url,
        },
    }
    return own_aws.secret("gaps/credentials", json.dumps(credentials))


@pytest.fixture(scope="module")
def key(own_aws):
    return own_aws.client("kms").create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def stack(own_aws, secret, key):
    stack = Stack(own_aws, "gaps")
    stack.make_artifacts_bucket()
    stack.before = survey(own_aws)
    stack.deploy(Gaps=secret, KmsKeyArn=key, Alarms="ops@example.com", DataDeletionPolicy="Delete")
    return stack


@pytest.fixture
def ready(stack, apis):
    """The stack, with an empty queue, and a gap of each kind."""
    stack.queue().drain()
    pass_time(stack)
    github, stripe, dingtalk = apis
    github.rows.setdefault(LIST, [])
    # Later than what the last run has seen, less its overlap.
    guid, event, record = github.attempt(LIST), stripe.event(ago=1200), dingtalk.record()
    return stack, guid, event, record


def pass_time(stack):
    """As if hours had passed since the last run."""
    dynamodb, table = stack.aws.client("dynamodb"), stack.outputs()["GapsTableName"]
    for item in dynamodb.scan(TableName=table)["Items"]:
        key, body = item["key"]["S"], json.loads(item["body"]["S"])
        if key == "asked":
            body = 0
        elif key.startswith("gap#"):
            body["next"] = 0
        elif key == "lease":
            body["until"] = 0
        else:
            continue
        dynamodb.put_item(TableName=table, Item=item | {"body": {"S": json.dumps(body)}})


def invoke(stack):
    """The function's error, or None, and its result."""
    response = stack.aws.client("lambda").invoke(FunctionName=stack.resources()["GapsFunction"], Payload=b"{}")
    result = json.loads(response["Payload"].read() or b"null")
    return (result["errorMessage"], None) if "FunctionError" in response else (None, result)


def ids(stack):
    return [message["MessageAttributes"]["id"]["StringValue"] for message in stack.queue().drain()]


@contextmanager
def without(stack, action):
    """The function's role without one action; every other one of its statement stays."""
    iam, role = stack.aws.client("iam"), stack.resources()["GapsRole"]
    attached = [
        policy["PolicyArn"]
        for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        if action in json.dumps(document_of(iam, policy["PolicyArn"]))
    ]
    [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    assert attached or action in json.dumps(document), f"the role does not have {action}"
    for arn in attached:
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    rest = []
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        actions = [each for each in actions if each != action]
        rest += [statement | {"Action": actions}] if actions else []
    put(iam, role, name, document | {"Statement": rest})
    try:
        yield
    finally:
        for arn in attached:
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        put(iam, role, name, document)


def program(stack, *options, code=0):
    ran = subprocess.run(
        [LETTERBOX, "gaps", "--stack", stack.name, "--region", REGION, *options],
        env={**os.environ, **stack.aws.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert ran.returncode == code, (ran.stdout, ran.stderr)
    return ran


def test_it_is_off_by_default(letterbox):
    assert [name for name in letterbox.resources() if name.startswith("Gaps")] == []
    assert [name for name in letterbox.outputs() if name.startswith("Gaps")] == []
    assert letterbox.aws.client("dynamodb").list_tables()["TableNames"] == []


def test_it_runs_every_quarter_of_an_hour(stack):
    events = stack.aws.client("events")
    [rule] = events.list_rules(NamePrefix=stack.name)["Rules"]
    assert rule["ScheduleExpression"] == "rate(15 minutes)" and rule["State"] == "ENABLED"
    [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(f":function:{stack.name}-gaps")
    table = stack.aws.client("dynamodb").describe_table(TableName=stack.outputs()["GapsTableName"])["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    alarms = stack.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=stack.name)["MetricAlarms"]
    found = {alarm["MetricName"]: alarm["EvaluationPeriods"] for alarm in alarms if "Gaps" in alarm["AlarmName"]}
    assert found == {"Errors": 24, "GapsGivenUp": 1}


def test_what_the_platforms_could_not_deliver_is_on_the_queue(ready, apis):
    stack, guid, event, record = ready
    assert invoke(stack) == (None, {"busy": False, "found": 3, "filled": 2})
    assert apis[0].redelivered()[-1] == guid
    bodies = [json.loads(message["Body"]) for message in stack.queue().drain()]
    assert [body["id"] for body in bodies if body["source"] == "/payment/default"] == [event["id"]]
    assert [body["data"] for body in bodies if body["source"] == "/dingtalk/default"] == [record]
    assert len(bodies) == 2
    assert invoke(stack) == (None, {"busy": False, "found": 0, "filled": 1})
    assert stack.queue().drain() == []


def test_a_large_event_goes_to_the_bucket(ready, apis):
    stack, _, event, _ = ready
    event["data"]["object"]["text"] = "x" * 400_000
    error, _ = invoke(stack)
    assert error is None
    pointers = [message for message in stack.queue().drain() if "PayloadS3Pointer" in message["Body"]]
    assert [message["MessageAttributes"]["id"]["StringValue"] for message in pointers] == [event["id"]]


@pytest.mark.parametrize(
    "action",
    [
        "secretsmanager:GetSecretValue",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:PutItem",
        "dynamodb:DeleteItem",
        "sqs:SendMessage",
        "s3:PutObject",
    ],
)
def test_each_right_is_needed_and_its_lack_loses_nothing(ready, apis, action):
    stack, guid, event, record = ready
    if action == "s3:PutObject":
        event["data"]["object"]["text"] = "x" * 400_000
    with without(stack, action):
        restart(stack, "gaps")
        error, _ = invoke(stack)
        assert error and (action in error or "AccessDenied" in error), error
    restart(stack, "gaps")
    pass_time(stack)
    early = stack.queue().drain()
    error, _ = invoke(stack)
    assert error is None
    found = [*early, *stack.queue().drain()]
    of_stripe = [m for m in found if m["MessageAttributes"]["source"]["StringValue"] == "/payment/default"]
    assert [m["MessageAttributes"]["id"]["StringValue"] for m in of_stripe] == [event["id"]]
    of_dingtalk = [m for m in found if m["MessageAttributes"]["source"]["StringValue"] == "/dingtalk/default"]
    assert [json.loads(m["Body"])["data"] for m in of_dingtalk] == [record]
    assert apis[0].redelivered().count(guid) == 1


def test_the_role_has_nothing_else(stack):
    iam, role = stack.aws.client("iam"), stack.resources()["GapsRole"]
    document = iam.get_role_policy(RoleName=role, PolicyName="gaps")["PolicyDocument"]
    table = stack.outputs()["GapsTableName"]
    assert {statement["Sid"] for statement in document["Statement"]} == {
        "Logs", "Credentials", "State", "Queue", "Oversize", "Key", "StateKey"
    }
    [state] = [statement for statement in document["Statement"] if statement["Sid"] == "State"]
    assert state["Resource"].endswith(f":table/{table}")
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    assert all("*" != statement["Resource"] for statement in document["Statement"])


def test_the_program_does_the_same_with_the_stacks_own(ready, apis):
    stack, guid, event, record = ready
    github, stripe, dingtalk = apis
    scan = lambda: stack.aws.client("dynamodb").scan(TableName=stack.outputs()["GapsTableName"])["Items"]
    before, calls = scan(), dingtalk.count("GET")
    report = json.loads(program(stack, "--dry-run", "--json").stdout)
    steps = [step for account in report["accounts"] for step in account.get("steps", [])]
    assert {(step["action"], step["id"]) for step in steps} == {("redeliver", guid), ("put", event["id"])}
    assert report["dry_run"] and "not read in a dry run" in json.dumps(report)
    assert (scan(), dingtalk.count("GET"), ids(stack)) == (before, calls, [])
    assert guid not in github.redelivered()

    printed = program(stack).stdout
    assert f"redeliver  {guid}  push" in printed and f"put  {event['id']}  payment.invoice.paid" in printed
    assert len(ids(stack)) == 2 and github.redelivered()[-1] == guid
    # The function knows what the program has done.
    assert invoke(stack) == (None, {"busy": False, "found": 0, "filled": 1})
    assert ids(stack) == []


def test_the_program_says_that_it_is_off(letterbox):
    assert "is off: deploy it with the parameter Gaps" in program(letterbox, code=2).stderr


def test_delete_leaves_nothing(stack):
    stack.queue().drain()
    s3, bucket = stack.aws.client("s3"), stack.outputs()["OversizeBucketName"]
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    stack.delete()
    assert survey(stack.aws) == stack.before
