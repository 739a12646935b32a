"""The contact sync in a deployed stack: off by default, on with a secret, with no right too many, and gone when it is deleted."""

import base64
import json
import os
import re
import subprocess
from contextlib import contextmanager

import pytest
import yaml

# First, since it makes the next ones importable.
from emulator import PAUSE, Emulator
from api_server import Fault
from directories import DingTalkDirectory, WeComDirectory
from directories.company import differences
from servers import REGION, ROOT, until
from stack import TEMPLATE, Stack
from survey import survey
from test_event_bus import entry
from test_permissions import put, restart

LETTERBOX = ROOT / "target/debug/letterbox"
TIMEOUT = 120
# For Lambda's poller and a run.
WAIT = 60
PROXY = "http://10.0.0.5:3128"
SUBNETS, GROUP = "subnet-0123456789abcdef0,subnet-0123456789abcdef1", "sg-0123456789abcdef0"
OWN = {"Logs", "Credentials", "State", "Queue", "Key", "StateKey"}
# Lambda's, to connect the function to a VPC.
INTERFACES = {
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}
EVENTS = [
    "user_add_org",
    "user_modify_org",
    "user_leave_org",
    "user_active_org",
    "org_dept_create",
    "org_dept_modify",
    "org_dept_remove",
    "label_user_change",
    "label_conf_add",
    "label_conf_del",
    "label_conf_modify",
    "org_change",
]


@pytest.fixture(scope="module")
def own_aws(tmp_path_factory):
    """Enforces IAM. Of its own, since the stack is deleted at the end."""
    aws = Emulator(tmp_path_factory.mktemp("contacts"), strict=True)
    yield aws
    aws.stop()


@pytest.fixture(scope="module")
def key(own_aws):
    return own_aws.client("kms").create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def directories():
    dingtalk, wecom = DingTalkDirectory(), WeComDirectory()
    dingtalk.per_second = 1000
    department = dingtalk.add_department("研发部")
    for n in range(3):
        dingtalk.add_person(f"u{n}", f"员工{n}", [department], mobile=f"13800000{n:03}")
    yield dingtalk, wecom
    dingtalk.stop()
    wecom.stop()


@pytest.fixture(scope="module")
def secret(own_aws, directories):
    dingtalk, wecom = directories
    corp = {
        "dingtalk": {
            "corp_id": dingtalk.corp_id,
            "client_id": dingtalk.client_id,
            "client_secret": dingtalk.client_secret,
        },
        "wecom": {"corp_id": wecom.corp_id, "secret": "wecomsecret-hunter2"},
        "hash_key": base64.b64encode(bytes(range(32))).decode(),
        "dingtalk_per_second": dingtalk.per_second,
        "base_urls": {"dingtalk": dingtalk.url, "dingtalk_legacy": dingtalk.url, "wecom": wecom.url},
    }
    return own_aws.secret("contacts/credentials", json.dumps({"acme": corp}))


@pytest.fixture(scope="module")
def stack(own_aws, secret, key):
    stack = Stack(own_aws, "contacts")
    stack.make_artifacts_bucket()
    stack.before = survey(own_aws)
    stack.deploy(
        Contacts=secret,
        # The local AWS has no networks: these are only passed on.
        ContactsSubnetIds=SUBNETS,
        ContactsSecurityGroupIds=GROUP,
        ContactsProxy=PROXY,
        EventBus="default",
        KmsKeyArn=key,
        Alarms="ops@example.com",
        DataDeletionPolicy="Delete",
    )
    return stack


def invoke(stack):
    """As the schedule does. The function's error, or None."""
    event = json.dumps({"source": "aws.events", "detail-type": "Scheduled Event"})
    response = stack.aws.client("lambda").invoke(FunctionName=stack.resources()["ContactsFunction"], Payload=event)
    result = json.loads(response["Payload"].read() or b"null")
    return result["errorMessage"] if "FunctionError" in response else None


def leases(stack):
    items = stack.aws.client("dynamodb").scan(TableName=stack.outputs()["ContactsTableName"])["Items"]
    return [item for item in items if item["key"]["S"] == "lease"]


def is_running(stack):
    return any(json.loads(lease["body"]["S"])["until"] for lease in leases(stack))


def end_lease(stack):
    """As if the time of a run that could not release its lease were over."""
    dynamodb, table = stack.aws.client("dynamodb"), stack.outputs()["ContactsTableName"]
    for lease in leases(stack):
        dynamodb.put_item(TableName=table, Item=lease | {"body": {"S": json.dumps({"until": 0})}})


@contextmanager
def without(stack, action):
    """The function's role without one action."""
    iam, role = stack.aws.client("iam"), stack.resources()["ContactsRole"]
    document = iam.get_role_policy(RoleName=role, PolicyName="contacts")["PolicyDocument"]
    assert action in json.dumps(document), f"the role does not have {action}"
    rest = []
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        actions = [each for each in actions if each != action]
        rest += [statement | {"Action": actions}] if actions else []
    put(iam, role, "contacts", document | {"Statement": rest})
    try:
        yield
    finally:
        put(iam, role, "contacts", document)


def program(stack, name, *options, code=0):
    ran = subprocess.run(
        [LETTERBOX, "contacts", name, "--stack", stack.name, "--region", REGION, *options],
        env={**os.environ, **stack.aws.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert ran.returncode == code, (ran.stdout, ran.stderr)
    return ran


def log(stack):
    """The JSON lines of the function's log."""
    logs, group = stack.aws.client("logs"), f"/aws/lambda/{stack.name}-contacts"
    events = logs.filter_log_events(logGroupName=group)["events"]
    lines = [event["message"] for event in events if event["message"].startswith("{")]
    return [json.loads(line) for line in lines]


def statements(stack):
    """The statements of the function's role, by their ids."""
    iam, role = stack.aws.client("iam"), stack.resources()["ContactsRole"]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    document = iam.get_role_policy(RoleName=role, PolicyName="contacts")["PolicyDocument"]
    return {statement["Sid"]: statement for statement in document["Statement"]}


def test_it_is_off_by_default(letterbox):
    assert [name for name in letterbox.resources() if name.startswith("Contacts")] == []
    assert [name for name in letterbox.outputs() if "Contacts" in name] == []


def test_it_runs_every_night_and_by_its_queue(stack):
    events, functions = stack.aws.client("events"), stack.aws.client("lambda")
    rules = [rule for rule in events.list_rules(NamePrefix=stack.name)["Rules"] if "ScheduleExpression" in rule]
    assert [(rule["ScheduleExpression"], rule["State"]) for rule in rules] == [("cron(0 18 * * ? *)", "ENABLED")]
    [target] = events.list_targets_by_rule(Rule=rules[0]["Name"])["Targets"]
    name = stack.resources()["ContactsFunction"]
    assert target["Arn"].endswith(f":function:{name}")

    [mapping] = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    queue = stack.resources()["ContactsQueue"].rsplit("/", 1)[-1]
    assert mapping["EventSourceArn"].endswith(f":{queue}") and mapping["State"] == "Enabled"
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (500, 30)
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]

    attributes = stack.aws.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs()["ContactsQueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    timeout = functions.get_function(FunctionName=name)["Configuration"]["Timeout"]
    # Lambda takes no queue whose messages come again while they are worked on.
    assert int(attributes["VisibilityTimeout"]) >= timeout + 30
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(stack.outputs()["ContactsDeadLetterQueueUrl"].rsplit("/", 1)[-1])


def test_its_state_is_precious(stack):
    table = stack.outputs()["ContactsTableName"]
    described = stack.aws.client("dynamodb").describe_table(TableName=table)["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    # The local AWS does not take these two from a template.
    block = re.search(r"(?ms)^  ContactsTable:\n.*?(?=^  \S)", TEMPLATE.read_text())[0]
    assert "PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}" in block
    # As the data of the stack, it remains unless somebody says otherwise.
    assert "DeletionPolicy: !Ref DataDeletionPolicy" in block and "UpdateReplacePolicy: Retain" in block


def test_its_alarms_reach_the_topic(stack):
    alarms = stack.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=stack.name)["MetricAlarms"]
    own = {alarm["MetricName"]: alarm for alarm in alarms if "-Contacts" in alarm["AlarmName"]}
    assert set(own) == {"Errors", "ContactsHalted", "ApproximateNumberOfMessagesVisible"}
    topic = stack.outputs()["AlarmTopicArn"]
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [topic] for alarm in own.values())
    [dimension] = own["ApproximateNumberOfMessagesVisible"]["Dimensions"]
    assert dimension["Value"] == stack.outputs()["ContactsDeadLetterQueueUrl"].rsplit("/", 1)[-1]
    # Until the next scheduled run.
    halted = own["ContactsHalted"]
    assert halted["Period"] * halted["EvaluationPeriods"] == 24 * 3600 and halted["DatapointsToAlarm"] == 1


def test_the_role_has_nothing_else(stack):
    allowed = statements(stack)
    assert set(allowed) == OWN | {"SeeInterfaces", "Interfaces", "NotByItsCode"}
    assert allowed["State"]["Resource"].endswith(f":table/{stack.outputs()['ContactsTableName']}")
    assert allowed["State"]["Action"] == [
        "dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"
    ]
    # Lambda needs the first three to read the queue; the local AWS does not check them.
    assert allowed["Queue"]["Action"] == [
        "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"
    ]
    assert all(allowed[sid]["Resource"] != "*" for sid in OWN)


def test_a_vpc_brings_its_permissions_and_only_for_lambda(stack):
    functions, name = stack.aws.client("lambda"), stack.resources()["ContactsFunction"]
    configuration = functions.get_function(FunctionName=name)["Configuration"]
    assert configuration["Environment"]["Variables"]["HTTPS_PROXY"] == PROXY
    text = stack.aws.client("cloudformation").get_template(StackName=stack.name, TemplateStage="Processed")
    template = text["TemplateBody"]
    template = yaml.safe_load(template) if isinstance(template, str) else template
    # The local AWS does not take it from a template.
    condition, vpc, nothing = template["Resources"]["ContactsFunction"]["Properties"]["VpcConfig"]["Fn::If"]
    assert (condition, nothing) == ("ContactsInVpc", {"Ref": "AWS::NoValue"})
    split = lambda name: {"Fn::Split": [",", {"Ref": name}]}
    assert vpc == {"SubnetIds": split("ContactsSubnetIds"), "SecurityGroupIds": split("ContactsSecurityGroupIds")}
    allowed = statements(stack)
    assert {*allowed["SeeInterfaces"]["Action"], *allowed["Interfaces"]["Action"]} == INTERFACES
    denied = allowed["NotByItsCode"]
    assert (denied["Effect"], denied["Action"], denied["Resource"]) == ("Deny", "ec2:*", "*")
    assert denied["Condition"] == {"ArnEquals": {"lambda:SourceFunctionArn": configuration["FunctionArn"]}}


def test_the_rule_passes_dingtalks_contact_events_and_no_others(stack):
    events, sqs = stack.aws.client("events"), stack.aws.client("sqs")
    name = stack.resources()["ContactsRule"].rsplit("|", 1)[-1]
    rule = events.describe_rule(Name=name, EventBusName="default")
    assert json.loads(rule["EventPattern"])["detail-type"] == [f"dingtalk.{event}" for event in EVENTS]
    [target] = events.list_targets_by_rule(Rule=name, EventBusName="default")["Targets"]
    queue = stack.outputs()["ContactsQueueUrl"].rsplit("/", 1)[-1]
    assert target["Arn"].endswith(f":{queue}")
    # With a key of yours, EventBridge needs a role that may use it.
    role = stack.resources()["ContactsRuleRole"]
    assert target["RoleArn"] == stack.aws.client("iam").get_role(RoleName=role)["Role"]["Arn"]
    document = stack.aws.client("iam").get_role_policy(RoleName=role, PolicyName="rule")["PolicyDocument"]
    assert {statement["Sid"] for statement in document["Statement"]} == {"Queue", "Key"}
    policy = sqs.get_queue_attributes(
        QueueUrl=stack.outputs()["ContactsQueueUrl"], AttributeNames=["Policy"]
    )["Attributes"]["Policy"]
    [allowed] = [one for one in json.loads(policy)["Statement"] if one["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": rule["Arn"]}}


def test_the_schedule_makes_both_directories_equal(stack, directories):
    assert invoke(stack) is None
    assert differences(*directories) == []


def test_an_event_on_its_queue_reaches_wecom(stack, directories):
    dingtalk, wecom = directories
    mark = len(dingtalk.events)
    dingtalk.change_person("u0", title="经理")
    [event] = dingtalk.events_since(mark)
    sqs, url = stack.aws.client("sqs"), stack.outputs()["ContactsQueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event, ensure_ascii=False))
    until(lambda: wecom.members["u0"].get("position") == "经理", WAIT, "the event")
    until(lambda: not is_running(stack), WAIT, "the end of the run", PAUSE)


def test_an_event_on_the_bus_reaches_wecom_by_the_rule(stack, directories):
    dingtalk, wecom = directories
    mark = len(dingtalk.events)
    dingtalk.change_person("u1", title="总监")
    [event] = dingtalk.events_since(mark)
    text = stack.aws.client("cloudformation").get_template(StackName=stack.name, TemplateStage="Processed")
    template = text["TemplateBody"]
    template = yaml.safe_load(template) if isinstance(template, str) else template
    # The local AWS does not run the pipe; this is what it makes of a message of the stack's queue.
    attributes = {name: {"StringValue": event[name]} for name in ["type", "source"]}
    message = {"Body": json.dumps(event, ensure_ascii=False), "MessageAttributes": attributes}
    parameters = template["Resources"]["Pipe"]["Properties"]["TargetParameters"]
    events = stack.aws.client("events")
    other = entry(message | {"MessageAttributes": attributes | {"type": {"StringValue": "dingtalk.check_in"}}}, parameters)
    assert events.put_events(Entries=[other, entry(message, parameters)])["FailedEntryCount"] == 0
    until(lambda: wecom.members["u1"].get("position") == "总监", WAIT, "the event")
    until(lambda: not is_running(stack), WAIT, "the end of the run", PAUSE)
    # Nothing of them waits, and nothing failed.
    attributes = stack.aws.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs()["ContactsDeadLetterQueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"


def test_the_metrics_of_the_alarm_and_of_the_dashboard_are_written(stack):
    lines = [line for line in log(stack) if "_aws" in line]
    declared = [directive for line in lines for directive in line["_aws"]["CloudWatchMetrics"]]
    assert {directive["Namespace"] for directive in declared} == {f"Letterbox/{stack.name}"}
    names = {metric["Name"] for directive in declared for metric in directive["Metrics"]}
    assert names == {"ContactsWritten", "ContactsParked", "ContactsHalted", "ContactsFailed"}
    body = stack.aws.client("cloudwatch").get_dashboard(DashboardName=f"{stack.name}-{REGION}")["DashboardBody"]
    assert all(name in body for name in names)
    # Ids and counts, and nothing that says who they are.
    text = json.dumps(log(stack), ensure_ascii=False)
    assert not [hidden for hidden in ["员工", "13800000", "hunter2", "研发部"] if hidden in text]


@pytest.mark.parametrize(
    "action",
    [
        "secretsmanager:GetSecretValue",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:PutItem",
        "dynamodb:DeleteItem",
    ],
)
def test_each_right_is_needed_and_its_lack_loses_nothing(stack, directories, action):
    dingtalk, wecom = directories
    name = action.rsplit(":")[-1]
    # A conflict that is over is deleted from the state.
    dingtalk.add_person(name)
    assert invoke(stack) is None and name not in wecom.members
    dingtalk.change_person(name, mobile=f"1390000{len(dingtalk.people):04}")
    with without(stack, action):
        restart(stack, "contacts")
        error = invoke(stack)
        assert error and (action in error or "AccessDenied" in error), error
    restart(stack, "contacts")
    end_lease(stack)
    assert invoke(stack) is None
    assert name in wecom.members and differences(*directories) == []


def test_a_run_that_takes_longer_than_an_invocation_goes_on(stack, directories):
    """By a message on its own queue, which the role allows."""
    dingtalk, wecom = directories
    functions, name = stack.aws.client("lambda"), stack.resources()["ContactsFunction"]
    def too_many(what):
        for n in range(20):
            dingtalk.add_person(f"{what}{n}", mobile=f"136{len(dingtalk.people):08}")
            # Less than a run leaves for its end.
            wecom.fail("user/create", Fault(delay=0.3, also=True))

    functions.update_function_configuration(FunctionName=name, Timeout=4)
    try:
        with without(stack, "sqs:SendMessage"):
            too_many("first")
            error = invoke(stack)
            assert error and ("sqs:SendMessage" in error or "AccessDenied" in error), error
        too_many("second")
        assert invoke(stack) is None
        assert differences(*directories) != []
        wecom.faults.clear()
        until(lambda: differences(*directories) == [], WAIT, "the rest of the run")
        until(lambda: not is_running(stack), WAIT, "the end of the run", PAUSE)
    finally:
        functions.update_function_configuration(FunctionName=name, Timeout=900)


def test_the_program_works_with_the_stacks_credentials_and_state(stack, directories):
    dingtalk, wecom = directories
    table = stack.outputs()["ContactsTableName"]
    scan = lambda: stack.aws.client("dynamodb").scan(TableName=table)["Items"]
    dingtalk.add_person("new", "新人", mobile="13700000000")
    before = scan()
    [plan] = json.loads(program(stack, "plan", "--json").stdout)["corps"]
    assert [(one["action"], one["id"], one["name"]) for one in plan["changes"]] == [("create_member", "new", "新人")]
    assert scan() == before and "new" not in wecom.members
    assert "done: 1 member created" in program(stack, "apply", "--yes").stdout
    # The function knows what the program has written.
    writes = len([1 for _, _, path, _ in wecom.requests if "user/create" in path])
    assert invoke(stack) is None
    assert len([1 for _, _, path, _ in wecom.requests if "user/create" in path]) == writes
    assert differences(*directories) == []
    assert program(stack, "conflicts").stdout == "acme: 0 conflicts\n"
    assert "last complete run" in program(stack, "status").stdout


def test_the_program_says_that_it_is_off(letterbox):
    assert "is off: deploy it with the parameter Contacts" in program(letterbox, "plan", code=2).stderr


def test_without_a_vpc_and_a_bus_it_has_less(stack):
    functions, name = stack.aws.client("lambda"), stack.resources()["ContactsFunction"]
    nothing = '""'
    stack.deploy(
        ContactsSubnetIds=nothing, ContactsSecurityGroupIds=nothing, ContactsProxy=nothing, EventBus="off"
    )
    configuration = functions.get_function(FunctionName=name)["Configuration"]
    assert "HTTPS_PROXY" not in configuration["Environment"]["Variables"]
    assert set(statements(stack)) == OWN
    assert {"ContactsRule", "ContactsRuleRole"}.isdisjoint(stack.resources())
    assert "Set EventBus" in stack.outputs()["NoContactsEvents"]


def test_delete_leaves_nothing(stack):
    stack.queue().drain()
    stack.delete()
    assert survey(stack.aws) == stack.before
