"""`letterbox stack deliveries` on the deployed stack: the list, its filters, and one delivery in full."""

import json
from datetime import datetime, timedelta, timezone

import pytest

import program
import records

# Long before the deliveries of other tests.
DAY = datetime(2026, 3, 5, tzinfo=timezone.utc)
WINDOW = ["--since", "2026-03-05", "--until", "2026-03-06"]


def at(minutes, milliseconds=0):
    return DAY + timedelta(minutes=minutes, milliseconds=milliseconds)


@pytest.fixture(scope="module")
def archive(letterbox_stack, senders):
    """A day of records, by request id. Some are there twice, some came late, some lines are damaged."""
    stack = letterbox_stack
    client, bucket = stack.aws.client("s3"), stack.outputs()["ArchiveBucketName"]
    github, payment = senders["github"].build_request(), senders["payment"].build_request()
    made = [
        records.record(
            "github", github, at(7 * number, 1), "queued", request_id=f"queued-{number}=",
            event=records.cloud_event("github", f"event-{number}", at(7 * number), kind="push" if number % 2 else "issues"),
        )
        for number in range(100)
    ]
    made += [
        records.record("payment", payment, at(11 * number, 2), "refused", "signature_mismatch", request_id=f"refused-{number}=")
        for number in range(40)
    ]
    made += [records.record("github", github, at(300), "refused", "malformed_field", source="acme", request_id="acme=")]
    made.sort(key=lambda record: record["time"])
    records.store(client, bucket, made)
    # Firehose may deliver a record twice; a put that failed has a second record, which corrects the first one.
    again = [record for record in made if records.request_id(record) in ("queued-3=", "refused-5=")]
    corrected = [
        record | {"outcome": "failed", "reason": "queue_unavailable"}
        for record in made
        if records.request_id(record) == "queued-4="
    ]
    records.store(client, bucket, again + corrected)
    # Arrived in the next hour; plain, as the emulated Firehose writes it.
    late = records.record("github", github, at(59, 5), "refused", "missing_signature", request_id="late=")
    client.put_object(
        Bucket=bucket,
        Key=at(80).strftime(records.NAME) + "-late.gz",
        Body=(json.dumps(late) + "\n{broken\n" + json.dumps({"time": 1}) + "\n").encode(),
    )
    client.put_object(Bucket=bucket, Key="deliveries/2026/03/05/notes.txt", Body=b"no record")
    expected = {records.request_id(record): record for record in made + corrected + [late]}
    yield expected
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="deliveries/2026/03/"):
        for found in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=found["Key"])


def listed(stack, *options, **more):
    return [line["requestId"] for line in program.lines(stack, "deliveries", *WINDOW, *options, **more)]


def chosen(archive, condition):
    """The request ids of what a filter passes, newest first."""
    found = [(record["time"], name) for name, record in archive.items() if condition(record)]
    return [name for _, name in sorted(found, reverse=True)]


def test_each_delivery_is_listed_once_newest_first(letterbox, archive):
    ran = program.run(letterbox, "deliveries", *WINDOW, "--json")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line["requestId"] for line in lines] == chosen(archive, lambda _: True)
    for line in lines:
        assert {name: value for name, value in line.items() if name != "requestId"} == archive[line["requestId"]]
    assert f"{len(archive)} deliveries, of " in ran.stderr
    assert "2 lines or objects of the archive are damaged" in ran.stderr


def test_lines_are_for_people(letterbox, archive):
    lines = program.run(letterbox, "deliveries", *WINDOW).stdout.splitlines()
    assert len(lines) == len(archive)
    assert "2026-03-05T07:09:00Z  refused    payment/default       signature_mismatch  refused-39=" in lines
    assert any(line.endswith("  queued     github/default        github.push  queued-3=") for line in lines)
    assert any(" failed " in line and line.endswith("  queue_unavailable  queued-4=") for line in lines)


@pytest.mark.parametrize(
    ("options", "condition"),
    [
        (["--provider", "payment"], lambda record: record["provider"] == "payment"),
        (["--provider", "payment,github"], lambda record: True),
        (["--source", "ac*"], lambda record: record["source"] == "acme"),
        (["--outcome", "refused"], lambda record: record["outcome"] == "refused"),
        (["--outcome", "failed,queued"], lambda record: record["outcome"] in ("failed", "queued")),
        (["--reason", "malformed_field"], lambda record: record["reason"] == "malformed_field"),
        (["--type", "github.push"], lambda record: record.get("type") == "github.push"),
        (["--type", "*.iss*"], lambda record: record.get("type") == "github.issues"),
        (["--text", "EVENT-42"], lambda record: record["id"] == "event-42"),
        (["--text", '"full_name":"acme/widget"'], lambda record: record["provider"] == "github"),
        (["--since", "2026-03-05T01:00:00Z", "--until", "2026-03-05 02:00"], lambda record: "T01:" in record["time"]),
        (["--text", "nothing of that"], lambda record: False),
    ],
)
def test_filters(letterbox, archive, options, condition):
    window = [] if "--since" in options else WINDOW
    found = [line["requestId"] for line in program.lines(letterbox, "deliveries", *window, *options)]
    assert found == chosen(archive, condition)


def test_a_limit_ends_the_reading(letterbox, archive):
    assert listed(letterbox, "--limit", "5") == chosen(archive, lambda _: True)[:5]


def test_a_pipe_that_is_closed_ends_it(letterbox, archive):
    with program.start(letterbox, "deliveries", *WINDOW) as child:
        child.stdout.readline()
        child.stdout.close()
        errors = child.stderr.read()
    assert child.returncode == 0 and "panicked" not in errors


def test_an_accepted_delivery_in_full(letterbox, archive):
    for identifier in ("queued-3=", "event-3"):
        shown = program.run(letterbox, "deliveries", "--since", "2026-03-05", "--id", identifier).stdout
        assert shown.startswith("github/default: queued\nreceived  2026-03-05T00:21:00.001Z\nrequest   queued-3=\n")
        assert "POST https://hooks.example.net/github\n" in shown and "x-github-event: issues\n" in shown
        assert '{"action":"opened"' in shown and '"receivedtime": "2026-03-05T00:21:00.000Z"' in shown
        assert "refused" not in shown


def test_a_refused_delivery_has_its_cause(letterbox, archive, senders):
    entry = senders["payment"].credentials
    arguments = ["deliveries", *WINDOW, "--id", "refused-5="]
    shown = program.run(letterbox, *arguments).stdout
    assert shown.startswith("payment/default: refused, signature_mismatch\n")
    # The keys of today are right.
    assert "With the credentials that the stack has now: payment/default: It is accepted" in shown
    assert f"stack replay --stack {letterbox.name} --region us-east-1 --id 'refused-5='" in shown
    with program.credentials(letterbox, "payment", json.dumps({"default": entry | {"secret": f"{entry['secret']}\n"}})):
        assert "payment/default is refused: secret_has_whitespace" in program.run(letterbox, *arguments).stdout
        [opened] = program.lines(letterbox, *arguments)
    assert opened["diagnosis"]["cause"] == "secret_has_whitespace" and opened["undiagnosed"] is None
    assert opened["delivery"]["requestId"] == "refused-5="
    assert entry["secret"] not in shown + json.dumps(opened)


def test_a_delivery_that_is_not_there(letterbox, archive):
    ran = program.run(letterbox, "deliveries", *WINDOW, "--id", "nobody", code=1)
    assert "no delivery with the id nobody" in ran.stderr and ran.stdout == ""


def test_what_cannot_be_meant_is_a_usage_error(letterbox):
    for options, text in [
        (["--since", "soon"], "how long ago"),
        (["--since", "1h", "--until", "2h"], "is not before"),
        (["--provider", "gitlab"], "gitlab"),
        (["--outcome", "lost"], "refused"),
    ]:
        ran = program.run(letterbox, "deliveries", *options, code=2)
        assert text in ran.stderr and ran.stdout == ""


def test_a_stack_without_an_archive(aws):
    aws.client("cloudformation").create_stack(
        StackName="plain", TemplateBody=json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    )

    class Plain:
        name = "plain"

    Plain.aws = aws
    for name in ("deliveries", "replay"):
        options = ["--since", "1h", "--dry-run"] if name == "replay" else []
        assert "the stack plain has no archive" in program.run(Plain, name, *options, code=2).stderr
    assert "no dead-letter queue" in program.run(Plain, "redrive", "--yes", code=2).stderr
    assert "no function" in program.run(Plain, "tail", code=2).stderr


@pytest.fixture(scope="module")
def strict_archive(strict_stack, strict_senders):
    record = records.record("github", strict_senders["github"].build_request(), at(1), "refused", "signature_mismatch", request_id="one=")
    records.store(strict_stack.aws.client("s3"), strict_stack.outputs()["ArchiveBucketName"], [record])


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:GetObject", "cloudformation:ListStackResources"])
def test_what_may_not_be_read_is_named(strict, strict_archive, action):
    with program.user(strict, action) as keys:
        ran = program.run(strict, "deliveries", *WINDOW, code=1, **keys)
    assert f"{action} is denied: allow {action}" in ran.stderr and ran.stdout == ""


def test_without_the_secret_there_is_a_delivery_but_no_cause(strict, strict_archive):
    with program.user(strict, "secretsmanager:GetSecretValue") as keys:
        ran = program.run(strict, "deliveries", *WINDOW, "--id", "one=", **keys)
    assert ran.stdout.startswith("github/default: refused") and "x-hub-signature-256: sha256=" in ran.stdout
    assert "No diagnosis: secretsmanager:GetSecretValue is denied" in ran.stdout
    with program.user(strict) as keys:
        assert "It is accepted" in program.run(strict, "deliveries", *WINDOW, "--id", "one=", **keys).stdout
