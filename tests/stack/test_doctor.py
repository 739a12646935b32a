"""`letterbox doctor --stack` on the deployed stack: nothing wrong, and each fault made for real."""

import json
import os
import subprocess
from copy import copy

import pytest

from program import credentials, user
from servers import PROVIDERS, REGION, ROOT, until

LETTERBOX = ROOT / "target/debug/letterbox"
TIMEOUT = 120
# What a probe is, and of which providers.
TESTED, SIGNED, UNSIGNED = "a signed test of the platform", "a signed delivery", "a delivery without a signature"
TESTS = {"dingtalk", "wecom", "feishu", "slack"}
ONLY_THE_PLATFORM_SIGNS = {"discord", "wechatpay", "alipay", "sns"}


def doctor(stack, *options, code=None, **environment):
    """Runs the program, expects that exit code, and returns what it prints."""
    to = [] if {"--no-probe", "--to"} & set(options) else ["--to", stack.url("")]
    ran = subprocess.run(
        [LETTERBOX, "doctor", "--stack", stack.name, "--region", REGION, *to, *options],
        env={**os.environ, **stack.aws.environment, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert code is None or ran.returncode == code, (ran.stdout, ran.stderr)
    return ran


def findings(stack, *options, **environment):
    """The code and the subject of each finding."""
    ran = doctor(stack, "--json", *options, **environment)
    report = json.loads(ran.stdout)
    found = {
        (check["code"], check["subject"])
        for check in report["checks"]
        if check["level"] in ("unknown", "warning", "problem")
    }
    assert report["healthy"] == (not found) == (ran.returncode == 0), ran
    return found


def texts(stack, *options, **environment):
    report = json.loads(doctor(stack, "--json", *options, **environment).stdout)
    return {(check["code"], check["subject"]): check for check in report["checks"]}


@pytest.fixture(scope="module")
def topic(letterbox_stack):
    """The alarms have a reader whose subscription needs no confirmation."""
    sns, sqs = letterbox_stack.aws.client("sns"), letterbox_stack.aws.client("sqs")
    topic = letterbox_stack.outputs()["AlarmTopicArn"]
    url = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    yield topic
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def well(letterbox, topic):
    """A stack in which nothing is wrong."""
    return letterbox


def replace_name(stack, name):
    other = copy(stack)
    other.name = name
    return other


def test_nothing_is_wrong(well, senders):
    ran = doctor(well, code=0)
    assert ran.stdout.endswith(f"\n{well.name}: nothing is wrong\n"), ran
    checks = texts(well)
    assert {subject for code, subject in checks if code == "probe"} == {f"{name}/default" for name in PROVIDERS}
    # It says before what it sends, as docs/reference/program.md has it, and puts nothing on the queue.
    for provider in PROVIDERS:
        kind = TESTED if provider in TESTS else UNSIGNED if provider in ONLY_THE_PLATFORM_SIGNS else SIGNED
        assert f"probe {provider}/default: {kind}" in ran.stderr
    assert ran.stderr.count("; nothing is put on the queue\n") == len(PROVIDERS)
    assert well.queue().drain() == []


def test_no_secret_is_printed(well, senders):
    ran = [doctor(well, *options) for options in ([], ["--json"], ["--no-probe"])]
    with credentials(well, "github", '{"default": {"secret": ["hunter2-in-a-list"]}}'):
        ran.append(doctor(well, code=1))
    with credentials(well, "github", '{"default": {"secret": "hunter2-broken"'):
        ran.append(doctor(well, "--json", code=1))
    printed = "".join(one.stdout + one.stderr for one in ran)
    assert "hunter2" not in printed
    public = {"region", "preset", "url", "topic_arn", "app_id", "receive_id", "owner_key"}
    for sender in senders.values():
        for name, value in sender.credentials.items():
            for secret in [value] if isinstance(value, str) else list(value.values()) if isinstance(value, dict) else []:
                if name not in public and isinstance(secret, str) and len(secret) > 7:
                    assert secret not in printed, name


def test_without_probes_nothing_is_sent(well):
    ran = doctor(well, "--no-probe", code=0)
    assert "note: probes: not sent" in ran.stdout and "probe " not in ran.stderr
    assert not [code for code, _ in texts(well, "--no-probe") if code == "probe"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"default": {"secret": "x" ', "line 1"),
        ('{"acme": {"secret": 7}}', "acme"),
        ('{"default": {"key": "it is long enough"}}', "secret"),
    ],
)
def test_an_invalid_secret_is_named_by_source_and_field(well, text, part):
    with credentials(well, "github", text):
        check = texts(well, "--no-probe")["secret-invalid", "github credentials"]
    assert part in check["explanation"] and check["level"] == "problem"


def test_a_rotation_is_noted(well, senders):
    entry = senders["github"].credentials
    with credentials(well, "github", json.dumps({"default": [entry, entry | {"secret": "another secret of github"}]})):
        assert findings(well) == set()
        assert ("rotation", "github/default") in texts(well)


def test_a_deleted_secret_is_found(well):
    """As the console deletes it, which the function's own secret survives."""
    vault, secret = well.aws.client("secretsmanager"), well.outputs()["WecomCredentialsSecret"]
    vault.delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    try:
        assert "wecom credentials" in {subject for _, subject in findings(well, "--no-probe")}
    finally:
        vault.restore_secret(SecretId=secret)


def test_credentials_that_the_function_does_not_have_are_found(well):
    # The refused probe makes the function read the secret again, but at most every 30 s: so not for both of these.
    found = set()
    for source in ("one", "two"):
        text = json.dumps({source: {"secret": "8f742231b10e8888abcd99yyyzzz85a5"}})
        with credentials(well, "slack", text):
            found |= findings(well)
    assert found and found <= {("unknown-source", "slack/one"), ("unknown-source", "slack/two")}
    until(lambda: findings(well) == set(), 60, "the credentials as they were", pause=2)


def test_dead_letters_are_counted(well):
    sqs, url = well.aws.client("sqs"), well.dead_letters().url
    for number in range(2):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    try:
        check = texts(well, "--no-probe")["dead-letters", "dead-letter queue"]
        assert check["level"] == "warning" and check["explanation"].startswith("2 messages ")
    finally:
        sqs.purge_queue(QueueUrl=url)


def test_a_deleted_archive_is_found(well, senders):
    """The deliveries are processed all the same."""
    s3, bucket = well.aws.client("s3"), well.outputs()["ArchiveBucketName"]
    assert ("archive", "archive") in texts(well, "--no-probe") or ("not-emulated", "archive metrics") in texts(well, "--no-probe")
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=bucket)
    try:
        assert findings(well, "--no-probe") == {("archive-missing", "archive")}
        assert well.send("github", senders["github"].build_request()).status_code == 202
        assert len(well.queue().drain()) == 1
    finally:
        s3.create_bucket(Bucket=bucket)


def test_messages_without_a_consumer_are_found(well, senders):
    assert well.send("github", senders["github"].build_request()).status_code == 202
    assert findings(well, "--no-probe") == {("no-consumer", "consumer")}
    well.queue().drain()
    assert findings(well, "--no-probe") == set()


@pytest.mark.parametrize(
    ("attribute", "value", "part"),
    [("VisibilityTimeout", "1", "visibility timeout"), ("MessageRetentionPeriod", "60", "are kept for 60 s")],
)
def test_a_changed_queue_is_found(well, attribute, value, part):
    sqs, url = well.aws.client("sqs"), well.outputs()["QueueUrl"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute])["Attributes"][attribute]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={attribute: value})
    try:
        assert part in texts(well, "--no-probe")["queue-changed", "queue"]["explanation"]
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={attribute: before})


def test_a_catalogue_is_missing_or_invalid(well):
    s3 = well.aws.client("s3")
    [parameter] = [
        parameter["ParameterValue"]
        for parameter in well.aws.client("cloudformation").describe_stacks(StackName=well.name)["Stacks"][0]["Parameters"]
        if parameter["ParameterKey"] == "OpencardCards"
    ]
    bucket, key = parameter.removeprefix("s3://").split("/", 1)
    before = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=b"{")
        assert findings(well, "--no-probe") == {("catalogue-invalid", "opencard catalogue")}
        s3.delete_object(Bucket=bucket, Key=key)
        assert findings(well, "--no-probe") == {("catalogue-missing", "opencard catalogue")}
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=before)


def test_a_pending_subscription_is_found(letterbox, topic):
    sns = letterbox.aws.client("sns")
    before = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    for one in before:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    try:
        assert findings(letterbox, "--no-probe") == {("alarms-unread", "alarms")}
        # The emulator confirms mail by itself, and an endpoint never.
        pending = sns.subscribe(
            TopicArn=topic, Protocol="https", Endpoint="https://127.0.0.1:9/", ReturnSubscriptionArn=True
        )
        assert findings(letterbox, "--no-probe") == {("alarms-unconfirmed", "alarms")}
        sns.unsubscribe(SubscriptionArn=pending["SubscriptionArn"])
    finally:
        for one in before:
            sns.subscribe(TopicArn=topic, Protocol=one["Protocol"], Endpoint=one["Endpoint"])


def test_a_stack_without_alarms_says_so(second):
    assert ("alarms-off", "alarms") in findings(second, "--no-probe")


def test_a_function_that_cannot_start_is_found(well):
    client, name = well.aws.client("lambda"), well.resources()["GithubFunction"]
    before = client.get_function(FunctionName=name)["Configuration"]["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": before | {"QUEUE_URL": ""}})
    try:
        assert findings(well) == {("cannot-start", "github/default")}
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": before})


def test_a_url_that_leads_nowhere_is_found(well):
    found = findings(well, "--to", "http://127.0.0.1:9")
    assert found == {("unreachable", f"{name}/default") for name in PROVIDERS}
    elsewhere = findings(well, "--to", f"{well.aws.endpoint}/_aws/execute-api/none/$default")
    assert {subject for _, subject in elsewhere} == {f"{name}/default" for name in PROVIDERS}


ACTIONS = {
    "secretsmanager:GetSecretValue": "github credentials",
    "s3:GetObject": "opencard catalogue",
    "sqs:GetQueueAttributes": "queue",
    "sns:GetTopicAttributes": "alarms",
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_denied_permission_is_named_and_the_rest_goes_on(strict, action):
    with user(strict, action) as keys:
        checks = texts(strict, "--no-probe", **keys)
    check = checks["denied", ACTIONS[action]]
    assert check["level"] == "unknown" and action in check["remedy"]
    assert ("stack", "stack") in checks
    # Nobody subscribes to the topic of this stack.
    assert (("alarms-unread", "alarms") in checks) == (action != "sns:GetTopicAttributes")


def test_without_the_permission_to_read_the_stack_nothing_can_be_said(strict):
    with user(strict, "cloudformation:DescribeStacks") as keys:
        ran = doctor(strict, "--no-probe", code=1, **keys)
    assert "cloudformation:DescribeStacks" in ran.stderr and ran.stdout == ""


def test_an_unknown_stack_is_a_usage_error(letterbox):
    ran = doctor(replace_name(letterbox, "nobody"), "--no-probe", code=2)
    assert 'no stack "nobody"' in ran.stderr and ran.stdout == ""


def test_options_for_a_delivery_do_not_go_with_a_stack(letterbox):
    for options in (["--url", "https://h/github"], ["--no-probe", "--to", "http://h"], ["--reply", "-"]):
        assert doctor(letterbox, *options, code=2).stdout == ""
