"""`make first-hour` on the local AWS: its report marks what an emulator cannot tell, and what differs."""

import json
import re
import signal
import subprocess
import sys
import threading

import pytest

from servers import ROOT

PROGRAM = ROOT / "tests/account/first_hour.py"
TIMEOUT = 180


class Run:
    def __init__(self, stack, *arguments, without=(), environment=None):
        api = stack.url("github").removesuffix("/github")
        self.command = [sys.executable, PROGRAM, "--stack", stack.name, "--base-url", api, *arguments]
        self.environment = stack.aws.environment | (environment or {})
        for name in without:
            self.environment.pop(name, None)

    def finish(self):
        done = subprocess.run(
            self.command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done


def rows(report):
    """Check to (found, verdict)."""
    cells = [re.split(r" (?<!\\)\| ", line.strip("| \n")) for line in report.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): (row[4], row[5]) for row in cells}


def secrets_of(stack):
    """Every string in the credentials of the stack."""
    def strings(node):
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict | list):
            for inner in node.values() if isinstance(node, dict) else node:
                yield from strings(inner)

    client = stack.aws.client("secretsmanager")
    for output, arn in stack.outputs().items():
        if output.endswith("CredentialsSecret"):
            text = client.get_secret_value(SecretId=arn)["SecretString"]
            # Presets, algorithms and the like are no secrets.
            yield from (value for value in strings(json.loads(text)) if len(value) >= 16)


def expect_fault(stack, check, *words):
    done = Run(stack, "--only", check).finish()
    found, verdict = rows(done.stdout)[check]
    assert (done.returncode, verdict) == (1, "not as expected"), done.stdout
    assert all(word in found for word in words), found
    return done


def large_events(stack):
    """The keys of the large events in the stack's bucket."""
    listed = stack.aws.client("s3").list_objects_v2(Bucket=stack.outputs()["OversizeBucketName"])
    return {entry["Key"] for entry in listed.get("Contents", [])}


@pytest.fixture(scope="module")
def large_events_before(letterbox_stack):
    """Those of other tests."""
    return large_events(letterbox_stack)


@pytest.fixture(scope="module")
def hour(letterbox_stack, large_events_before, tmp_path_factory):
    """One run with everything, and its report file."""
    letterbox_stack.queue().drain()
    out = tmp_path_factory.mktemp("hour") / "report.md"
    return Run(letterbox_stack, "--yes", "--out", out).finish(), out


def test_the_report_marks_what_an_emulator_cannot_tell(hour):
    done, out = hour
    assert out.read_text() == done.stdout
    found = rows(done.stdout)
    # The subscription by mail is confirmed by a person; everything else is as it was deployed.
    differs = {name for name, (_, verdict) in found.items() if verdict == "not as expected"}
    assert differs <= {"alarms"}, done.stdout
    assert found["delivery"] == ("202", "cannot tell here (an emulator does not prove it)")
    assert found["queue-policy"][1] == "as expected"
    for name in ("policy", "stack-id", "too-large", "metrics"):
        assert found[name][1].startswith("cannot tell here ("), found[name]
    for name in ("dashboard", "platform", "options", "removal"):
        assert found[name][1].startswith("needs a person ("), found[name]
    assert found["queued"][0] in ("2 of 2, deleted", "3 of 3, deleted")


def test_nothing_is_left(hour, letterbox_stack, large_events_before):
    assert letterbox_stack.queue().drain() == []
    sets = letterbox_stack.aws.client("cloudformation").list_change_sets(StackName=letterbox_stack.name)["Summaries"]
    assert not [one for one in sets if "first-hour" in one["ChangeSetName"]]
    assert large_events(letterbox_stack) == large_events_before


def test_no_secret_and_no_account_is_printed(hour, letterbox_stack):
    done, out = hour
    secrets = set(secrets_of(letterbox_stack))
    assert secrets
    for text in (done.stdout, done.stderr, out.read_text()):
        assert not [secret for secret in secrets if secret in text]
        assert not re.search(r"(?<!\d)\d{12}(?!\d)", text)


def test_without_a_yes_nothing_is_sent(letterbox):
    done = Run(letterbox, "--only", "delivery,refused,queue-policy").finish()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "without --yes" in done.stderr
    assert rows(done.stdout)["delivery"] == ("not run", "cannot tell here (run it with --yes)")
    assert letterbox.queue().drain() == []


def test_ctrl_c_removes_what_was_sent(letterbox):
    run = Run(letterbox, "--yes", "--only", "delivery,metrics", "--wait", "120")
    child = subprocess.Popen(
        run.command, env=run.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # Ends the reading below if the program hangs.
    guard = threading.Timer(TIMEOUT, child.kill)
    guard.start()
    try:
        assert any("waiting for metrics" in line for line in child.stderr)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate()
    finally:
        guard.cancel()
        child.kill()
    assert (child.returncode, "interrupted" in errors) == (130, True), errors
    assert letterbox.queue().drain() == []


def test_a_changed_queue_policy_is_reported(letterbox):
    client, url = letterbox.aws.client("sqs"), letterbox.queue().url
    before = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    statement = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [statement]})})
    try:
        expect_fault(letterbox, "queue-policy", "Queue: the policy is not the stack's")
    finally:
        client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": before})


def test_a_changed_environment_is_reported(letterbox):
    client, name = letterbox.aws.client("lambda"), f"{letterbox.name}-github"
    before = client.get_function_configuration(FunctionName=name)["Environment"]
    # A value that must not be printed: someone may have put credentials here.
    secret = "whsec-in-a-variable"
    broken = {"Variables": before["Variables"] | {"CREDENTIALS": secret, "QUEUE_URL": "https://example.com/elsewhere"}}
    client.update_function_configuration(FunctionName=name, Environment=broken)
    try:
        done = expect_fault(letterbox, "environment", "github: QUEUE_URL was changed", "github: CREDENTIALS was changed")
        assert secret not in done.stdout + done.stderr
    finally:
        client.update_function_configuration(FunctionName=name, Environment=before)


def test_an_alarm_without_a_reader_is_reported(letterbox):
    client = letterbox.aws.client("cloudwatch")
    [before] = client.describe_alarms(AlarmNames=[letterbox.resources()["OldestMessageAlarm"]])["MetricAlarms"]
    kept = ["AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods"]
    kept += ["Threshold", "ComparisonOperator", "TreatMissingData", "AlarmDescription", "OKActions", "AlarmActions"]
    alarm = {name: before[name] for name in kept if name in before}
    client.put_metric_alarm(**alarm | {"AlarmActions": []})
    try:
        expect_fault(letterbox, "alarms", f"without reader: {before['AlarmName']}")
    finally:
        client.put_metric_alarm(**alarm)


def test_a_stack_without_alarms_needs_a_person(second):
    done = Run(second, "--only", "alarms").finish()
    assert rows(done.stdout)["alarms"] == ("no alarms", "needs a person (deploy with Alarms=<mail address or topic>)")


CREDENTIALS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
REGIONS = ["AWS_REGION", "AWS_DEFAULT_REGION"]
CANNOT_START = {
    "no stack": ([], {}, ["--stack", "nobody"], "no stack nobody in us-east-1"),
    "no credentials": (CREDENTIALS, {}, [], "no AWS credentials"),
    "no region": (REGIONS, {}, [], "no region: set AWS_REGION"),
    "no such profile": ([], {}, ["--profile", "nobody"], "no AWS credentials"),
    "nothing listens": ([], {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, [], "AWS cannot be reached"),
    "unknown check": ([], {}, ["--only", "nothing"], "no check is called nothing"),
    "no folder": ([], {}, ["--out", "/nowhere/report.md"], "the folder of /nowhere/report.md does not exist"),
}


@pytest.mark.parametrize("without, environment, arguments, message", CANNOT_START.values(), ids=CANNOT_START)
def test_what_cannot_start_says_what_to_do(letterbox, without, environment, arguments, message):
    done = Run(letterbox, *arguments, without=without, environment=environment).finish()
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert done.stdout == ""


def test_credentials_that_are_no_json_are_reported(letterbox):
    client = letterbox.aws.client("secretsmanager")
    name = letterbox.outputs()["GithubCredentialsSecret"]
    text = client.get_secret_value(SecretId=name)["SecretString"]
    client.put_secret_value(SecretId=name, SecretString="no JSON but a secret")
    try:
        done = Run(letterbox, "--only", "secrets,queue-policy").finish()
    finally:
        client.put_secret_value(SecretId=name, SecretString=text)
    found = rows(done.stdout)
    assert found["secrets"] == ("github: no JSON", "not as expected")
    assert found["queue-policy"][1] == "as expected"
    assert "but a secret" not in done.stdout + done.stderr
