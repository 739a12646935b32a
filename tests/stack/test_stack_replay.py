"""`letterbox stack replay`: deliveries of the archive on the queue again, each once, however often it is stopped.

LETTERBOX_KILLS sets at how many random moments it is killed.
"""

import json
import os
import random
import re
import signal
import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest

import program
import records
from platforms import PLATFORMS
from servers import until

KILLS = int(os.environ.get("LETTERBOX_KILLS", "5"))
# The deliveries of other tests are younger.
WINDOW = ["--since", "3h", "--until", "1h"]
PAST = timedelta(hours=2)


class Archive:
    """The archive of a stack, and what a test has put there."""

    def __init__(self, stack):
        self.stack = stack
        self.client, self.bucket = stack.aws.client("s3"), stack.outputs()["ArchiveBucketName"]

    def put(self, made):
        records.store(self.client, self.bucket, sorted(made, key=lambda record: record["time"]))

    def clear(self):
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for found in page.get("Contents", []):
                self.client.delete_object(Bucket=self.bucket, Key=found["Key"])


@pytest.fixture
def archive(letterbox):
    archive = Archive(letterbox)
    archive.clear()
    yield archive
    archive.clear()
    letterbox.queue().drain()


def past(milliseconds=0):
    now = datetime.now(timezone.utc) - PAST + timedelta(milliseconds=milliseconds)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def github(sender, number, **more):
    """The record of a delivery that was refused, and would be accepted with the keys of today."""
    payload = json.dumps({"repository": {"full_name": "acme/widget"}, "number": number}).encode()
    request = sender.build_request(payload)
    return records.record("github", request, past(number * 50), "refused", "signature_mismatch", **more)


def events(messages):
    return [json.loads(message["Body"]) for message in messages]


def replay(stack, *options, **more):
    """The plan, the deliveries and the summary."""
    lines = program.lines(stack, "replay", *options, **more)
    return lines[0]["plan"], lines[1:-1], lines[-1]["summary"] if len(lines) > 1 else None


def signed_then(senders, when):
    """A request of each platform whose signature is valid for minutes, as signed at that time."""
    seconds = when.timestamp()
    stripe = PLATFORMS["payment"].Service.new("stripe")
    event = json.dumps({"id": f"evt_{uuid.uuid4().hex}", "object": "event", "type": "charge.succeeded", "created": int(seconds), "data": {"object": {"id": "ch_1"}}})
    fresh = PLATFORMS["dingtalk"].App.new("dingfresh", tolerance=60)
    requests = {
        ("github", "default"): senders["github"].build_request(),
        ("payment", "stripe"): stripe.build_request(event.encode(), now=seconds),
        ("dingtalk", "fresh"): fresh.build_request(timestamp=str(int(seconds * 1000))),
        ("wechatpay", "default"): senders["wechatpay"].build_request(now=seconds),
    }
    return requests, {("payment", "stripe"): stripe, ("dingtalk", "fresh"): fresh}


def test_refused_deliveries_are_judged_as_of_their_receipt(archive, letterbox, senders, tmp_path):
    when = past()
    requests, added = signed_then(senders, when)
    made = [
        records.record(provider, request, when, "refused", "signature_mismatch", source=source)
        for (provider, source), request in requests.items()
    ]
    archive.put(made)
    with (
        program.credentials(letterbox, "payment", json.dumps({"stripe": added["payment", "stripe"].credentials})),
        program.credentials(letterbox, "dingtalk", json.dumps({"fresh": added["dingtalk", "fresh"].credentials})),
    ):
        for provider in ("payment", "dingtalk"):
            program.restart(letterbox, provider)
        # Today, three of them are too old: nobody could send them again.
        for (provider, source), request in requests.items():
            answer = letterbox.send(provider, request, source if source != "default" else None)
            assert (answer.status_code < 300) == (provider == "github"), provider
        letterbox.queue().drain()
        archive.clear()
        archive.put(made)
        plan, steps, summary = replay(letterbox, *WINDOW, "--yes", cwd=tmp_path)
    for provider in ("payment", "dingtalk"):
        program.restart(letterbox, provider)
    assert (plan["deliveries"], plan["impossible"]) == (4, [])
    assert {step["outcome"] for step in steps} == {"queued"} and summary["queued"] == 4 and summary["complete"]
    messages = letterbox.queue().drain()
    assert len(messages) == len({(event["source"], event["id"]) for event in events(messages)}) == 4
    for event in events(messages):
        assert event["receivedtime"] == made[0]["time"]
        age = datetime.now(timezone.utc) - datetime.fromisoformat(event["replayedtime"])
        assert timedelta(0) <= age < timedelta(minutes=1)
    # All is done: no journal is left.
    assert list(tmp_path.iterdir()) == []


def test_accepted_deliveries_are_put_on_the_queue_as_they_were(archive, letterbox, senders):
    request, when = senders["github"].build_request(), past()
    event = records.cloud_event("github", "event 中", when, subject="acme/widget", deliveryid="d1")
    large = records.cloud_event("github", "large", when, data={"text": "x" * 300_000})
    archive.put([
        records.record("github", request, when, "queued", event=event),
        # The platform sent it again.
        records.record("github", request, when + timedelta(seconds=1), "queued", event=event),
        records.record("github", request, when, "queued", event=large),
        records.record("payment", request, when, "refused", "signature_mismatch"),
    ])
    plan, steps, summary = replay(letterbox, *WINDOW, "--outcome", "queued", "--yes")
    assert [(group["queue"], group["function"]) for group in plan["groups"]] == [(3, 0)]
    assert sorted(step["outcome"] for step in steps) == ["queued", "queued", "same_event"]
    assert (summary["queued"], summary["same_event"]) == (2, 1)
    messages = letterbox.queue().drain()
    [first] = [message for message in messages if message["MessageAttributes"]["id"]["StringValue"] == "event 中"]
    again = json.loads(first["Body"])
    assert again.pop("replayedtime") and again == event
    assert {name: value["StringValue"] for name, value in first["MessageAttributes"].items()} == {
        "content-type": "application/cloudevents+json", "type": "github.push", "source": "/github/default",
        "id": "event 中", "subject": "acme/widget",
    }
    [pointer] = [message for message in messages if message is not first]
    name, place = json.loads(pointer["Body"])
    assert name.endswith("PayloadS3Pointer") and place["s3BucketName"] == letterbox.outputs()["OversizeBucketName"]
    body = letterbox.aws.client("s3").get_object(Bucket=place["s3BucketName"], Key=place["s3Key"])["Body"].read()
    again = json.loads(body)
    assert again.pop("replayedtime") and again == large


def test_a_fifo_queue_keeps_order_and_recognises_copies(second, second_senders):
    archive = Archive(second)
    archive.clear()
    when = past()
    made = [
        records.cloud_event("github", f"e{number}", when, subject=f"repository-{number % 2}") for number in range(12)
    ]
    request = second_senders["github"].build_request()
    archive.put([
        records.record("github", request, when + timedelta(seconds=number), "queued", event=event)
        for number, event in enumerate(made)
    ])
    for _ in range(2):
        _, _, summary = replay(second, *WINDOW, "--outcome", "queued", "--yes", "--at-once", "1", "--rate", "200")
        assert summary["queued"] == 12
    messages = second.queue().drain()
    assert len(messages) == 12
    for group in range(2):
        chosen = [one for one in messages if one["Attributes"]["MessageGroupId"] == f"/github/default/repository-{group}"]
        assert [json.loads(one["Body"])["id"] for one in chosen] == [f"e{number}" for number in range(group, 12, 2)]
    archive.clear()


def test_what_is_refused_again_is_told_with_its_cause(archive, letterbox, senders):
    other = PLATFORMS["github"].Hook.new()
    stored = {"default": {"secret": senders["github"].secret}}
    archive.put([github(senders["github"], 1), github(other, 2), github(other, 3)])
    ran = program.run(letterbox, "replay", *WINDOW, "--yes", code=1)
    assert ran.stdout.startswith(f"Replay on the stack {letterbox.name} in us-east-1: 3 deliveries, received from ")
    assert "        3  github/default  refused  signature_mismatch  to the function\n" in ran.stdout
    assert len(re.findall(r"refused +github/default +signature_mismatch  \(secret_mismatch\)  \S+=\n", ran.stdout)) == 2
    assert "1  on the queue" in ran.stderr and "2  refused again: signature_mismatch" in ran.stderr
    assert "2    because of: secret_mismatch" in ran.stderr
    assert len(letterbox.queue().drain()) == 1 and stored["default"]["secret"] not in ran.stdout + ran.stderr


def test_a_plan_does_nothing_and_says_what_cannot_be_replayed(archive, letterbox, senders):
    request, when = senders["github"].build_request(), past()
    token = {"secret": "it is long enough", "preset": "gitlab-token"}
    archive.put([
        github(senders["github"], 1),
        records.record("github", request.but(body=b""), when, "refused", "too_large", omitted=["message", "body"]),
        records.record("payment", request.with_headers(X_Gitlab_Token="***"), when, "refused", "token_mismatch", source="token"),
        records.record("github", request, when, "failed", "queue_unavailable", event=records.cloud_event("github", "f", when)),
        records.record("github", request, when, "queued", event=records.cloud_event("github", "q", when)),
    ])
    with program.credentials(letterbox, "payment", json.dumps({"token": token})):
        plan, steps, summary = replay(letterbox, *WINDOW, "--dry-run")
        text = program.run(letterbox, "replay", *WINDOW, "--dry-run").stdout
    assert (plan["deliveries"], plan["done"], steps, summary) == (2, 0, [], None)
    assert [(one["provider"], one["why"], one["deliveries"]) for one in plan["impossible"]] == [
        ("github", "not_archived", 1), ("payment", "masked", 1)
    ]
    assert "Cannot be replayed: 2\n" in text and "the body was too large for the archive" in text
    assert letterbox.queue().drain() == []


def test_one_delivery_by_its_id(archive, letterbox, senders):
    archive.put([github(senders["github"], number, request_id=f"id-{number}=") for number in range(3)])
    _, steps, _ = replay(letterbox, "--id", "id-1=", "--yes")
    assert [step["requestId"] for step in steps] == ["id-1="] and len(letterbox.queue().drain()) == 1


def test_ctrl_c_leaves_a_clean_point(archive, letterbox, senders, tmp_path):
    archive.put([github(senders["github"], number) for number in range(40)])
    child = program.start(letterbox, "replay", *WINDOW, "--yes", "--rate", "10", cwd=tmp_path)
    until(lambda: count(letterbox) >= 5, 30, "the first events")
    code, _, errors = program.kill(child, signal.SIGINT)
    [journal] = tmp_path.iterdir()
    assert code == 1 and f"stack replay --stack {letterbox.name} --region us-east-1 --resume {journal.name} --yes" in errors
    before = events(letterbox.queue().drain())
    plan, _, summary = replay(letterbox, "--resume", journal.name, "--yes", "--rate", "100", cwd=tmp_path)
    assert plan["done"] == len(before) and summary["queued"] == plan["deliveries"] == 40 - len(before)
    after = events(letterbox.queue().drain())
    # Nothing was under way when it ended: each is there exactly once.
    assert len(before + after) == 40 == len({event["id"] for event in before + after})
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_lost_wherever_it_is_killed(archive, letterbox, senders, tmp_path):
    at_once, each = 4, 25 if KILLS < 10 else 50
    chance = random.Random(int(os.environ.get("LETTERBOX_SEED", "15")))
    total = each * (KILLS + 1)
    sender = senders["github"]
    half = total // 2
    made = [github(sender, number) for number in range(half)]
    for number in range(half, total):
        event = records.cloud_event("github", f"accepted-{number}", past())
        made.append(records.record("github", sender.build_request(), past(number * 50), "queued", event=event))
    archive.put(made)
    options = ["--yes", "--rate", "60", "--at-once", at_once]
    chosen = [*WINDOW, "--outcome", "refused,queued", "--journal", "journal"]
    received, start_up = [], None
    for attempt in range(KILLS):
        if attempt and not (tmp_path / "journal").exists():
            # It came to its end, and has nothing left to do.
            break
        began = time.monotonic()
        child = program.start(letterbox, "replay", *(chosen if attempt == 0 else ["--resume", "journal"]), *options, cwd=tmp_path)
        if start_up is None:
            until(lambda: count(letterbox) > 0, 30, "the first event")
            start_up = time.monotonic() - began
        time.sleep(max(0.0, start_up - 0.1 - (time.monotonic() - began)) + chance.random() * 0.4)
        program.kill(child)
        received += events(letterbox.queue().drain())
    if (tmp_path / "journal").exists():
        _, _, summary = replay(letterbox, "--resume", "journal", "--yes", "--rate", "500", cwd=tmp_path)
        assert summary is None or summary["complete"] and summary["failed"] == 0
    received += events(letterbox.queue().drain())
    assert len({(event["source"], event["id"]) for event in received}) == total, "some are lost"
    # Only what was under way at a kill may be there twice.
    assert len(received) - total <= at_once * KILLS
    print(f"{attempt + 1} kills: {total} deliveries, {len(received) - total} of them twice")


def count(stack):
    name = "ApproximateNumberOfMessages"
    attributes = stack.aws.client("sqs").get_queue_attributes(QueueUrl=stack.queue().url, AttributeNames=[name])
    return int(attributes["Attributes"][name])


def test_a_queue_that_is_down_ends_it(archive, letterbox, senders, tmp_path):
    archive.put([github(senders["github"], number) for number in range(30)])
    name, client = letterbox.resources()["GithubFunction"], letterbox.aws.client("lambda")
    before = client.get_function(FunctionName=name)["Configuration"]["Environment"]["Variables"]
    down = before | {"QUEUE_URL": before["QUEUE_URL"].rsplit("/", 1)[0] + "/none"}
    client.update_function_configuration(FunctionName=name, Environment={"Variables": down})
    try:
        ran = program.run(letterbox, "replay", *WINDOW, "--yes", "--rate", "100", cwd=tmp_path, code=1)
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": before})
    assert "stopped: the queue did not accept 10 events in a row; to go on: " in ran.stderr
    [journal] = tmp_path.iterdir()
    _, _, summary = replay(letterbox, "--resume", journal.name, "--yes", "--rate", "100", cwd=tmp_path)
    assert summary["queued"] == 30
    assert len({event["id"] for event in events(letterbox.queue().drain())}) == 30


def test_usage_errors(archive, letterbox, second, senders, tmp_path):
    for options, text in [
        ([], "--since is missing"),
        (["--since", "1h"], "--yes replays"),
        (["--resume", "none", "--yes"], "none: "),
        (["--since", "1h", "--rate", "0", "--yes"], "per second"),
        (["--since", "1h", "--json"], "--yes replays"),
    ]:
        assert text in program.run(letterbox, "replay", *options, code=2, cwd=tmp_path).stderr, options
    archive.put([github(senders["github"], 1)])
    program.run(letterbox, "replay", *WINDOW, "--yes", "--journal", "kept", cwd=tmp_path)
    assert "it is of another stack" in program.run(second, "replay", "--resume", "kept", "--yes", code=2, cwd=tmp_path).stderr
    assert "exists" in program.run(letterbox, "replay", *WINDOW, "--yes", "--journal", "kept", code=2, cwd=tmp_path).stderr
    assert "filters of the journal" in program.run(letterbox, "replay", *WINDOW, "--resume", "kept", "--yes", code=2, cwd=tmp_path).stderr
    # It is finished: nothing is left to do.
    assert replay(letterbox, "--resume", "kept", "--yes", cwd=tmp_path)[0]["deliveries"] == 0


@pytest.mark.parametrize("action", ["lambda:InvokeFunction", "sqs:SendMessage"])
def test_a_missing_permission_ends_it_before_the_next_delivery(strict, strict_senders, tmp_path, action):
    archive = Archive(strict)
    archive.clear()
    sender = strict_senders["github"]
    if action == "sqs:SendMessage":
        made = [
            records.record("github", sender.build_request(), past(number), "queued", event=records.cloud_event("github", f"e{number}", past()))
            for number in range(20)
        ]
    else:
        made = [github(sender, number) for number in range(20)]
    archive.put(made)
    options = [*WINDOW, "--outcome", "refused,queued", "--yes", "--at-once", "1", "--rate", "200"]
    with program.user(strict, action) as keys:
        ran = program.run(strict, "replay", *options, code=1, cwd=tmp_path, **keys)
    assert f"stopped: {action}" in ran.stderr and "to go on: " in ran.stderr
    assert ran.stdout.count("failed") == 1 and strict.queue().drain() == []
    [journal] = tmp_path.iterdir()
    with program.user(strict) as keys:
        _, _, summary = replay(strict, "--resume", journal.name, "--yes", "--rate", "200", cwd=tmp_path, **keys)
    assert summary["queued"] == 20 and len(strict.queue().drain()) == 20
    archive.clear()
