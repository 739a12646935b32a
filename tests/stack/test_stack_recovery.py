"""A wrong secret for an hour, and everything back on the queue: by an operator with no more rights than the guide names.

LETTERBOX_DELIVERIES sets how many deliveries there are.
"""

import json
import os
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timezone

import pytest

import program
import records
from emulator import PAUSE
from platforms import PLATFORMS
from servers import ROOT, until

COUNT = int(os.environ.get("LETTERBOX_DELIVERIES", "48"))
AT_ONCE = 4
# In seconds: what is older, no platform could send again.
TOLERANCE = 5


@pytest.fixture
def senders():
    payment, dingtalk = PLATFORMS["payment"], PLATFORMS["dingtalk"]
    return {
        ("github", "default"): PLATFORMS["github"].Hook.new(),
        ("payment", "stripe"): payment.Service.new("stripe", tolerance=TOLERANCE),
        ("dingtalk", "fresh"): dingtalk.App.new("dingfresh", tolerance=TOLERANCE),
        ("wechatpay", "default"): PLATFORMS["wechatpay"].Merchant.new(tolerance=TOLERANCE),
    }


def payload(provider, number):
    if provider == "payment":
        event = {"id": f"evt_{number}", "object": "event", "type": "charge.succeeded", "created": 1_795_749_600}
        return json.dumps(event | {"data": {"object": {"id": f"ch_{number}"}}}).encode()
    return PLATFORMS[provider].make_payload(eventId=str(number), number=number)


def wrong(provider, entry):
    """The entry with another key: that of the platform's previous app, say."""
    name = {"github": "secret", "payment": "secret", "dingtalk": "token", "wechatpay": "keys"}[provider]
    other = {
        "github": lambda: PLATFORMS["github"].Hook.new(),
        "payment": lambda: PLATFORMS["payment"].Service.new("stripe"),
        "dingtalk": lambda: PLATFORMS["dingtalk"].App.new("dingfresh"),
        "wechatpay": lambda: PLATFORMS["wechatpay"].Merchant.new(),
    }[provider]()
    return entry | {name: other.credentials[name]}


def test_a_wrong_secret_loses_nothing(strict, senders, tmp_path):
    started, since = time.monotonic(), ["--since", records.rfc3339(datetime.now(timezone.utc))]
    strict.queue().drain()
    routes = list(senders)

    def store(change):
        vault = strict.aws.client("secretsmanager")
        for (provider, source), sender in senders.items():
            secret = strict.outputs()[f"{provider.capitalize()}CredentialsSecret"]
            text = json.dumps({source: change(provider, sender.credentials)})
            vault.put_secret_value(SecretId=secret, SecretString=text)
            program.restart(strict, provider)

    def send(number):
        provider, source = routes[number % len(routes)]
        request = senders[provider, source].build_request(payload(provider, number))
        return strict.send(provider, request, source if source != "default" else None).status_code

    def send_all(numbers):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            statuses = list(pool.map(send, numbers))
        print(f"{time.monotonic() - started:6.1f} s: {len(statuses)} deliveries sent")
        return statuses

    phases = [range(0, COUNT // 3), range(COUNT // 3, 2 * COUNT // 3), range(2 * COUNT // 3, COUNT)]
    with ExitStack() as after:
        for provider, _ in routes:
            vault, name = strict.aws.client("secretsmanager"), f"{provider.capitalize()}CredentialsSecret"
            secret = strict.outputs()[name]
            text = vault.get_secret_value(SecretId=secret)["SecretString"]
            after.callback(program.restart, strict, provider)
            after.callback(vault.put_secret_value, SecretId=secret, SecretString=text)
        store(lambda provider, entry: entry)
        assert {status // 100 for status in send_all(phases[0])} == {2}
        store(wrong)
        assert {status // 100 for status in send_all(phases[1])} == {4}
        refused = time.monotonic()
        store(lambda provider, entry: entry)
        assert {status // 100 for status in send_all(phases[2])} == {2}
        time.sleep(max(0.0, refused + TOLERANCE + 1 - time.monotonic()))
        sent = time.monotonic() - started

        with operator(strict) as keys:
            until(
                lambda: len(program.lines(strict, "deliveries", *since, "--outcome", "refused", **keys)) >= len(phases[1]),
                60, "the last record", PAUSE,
            )
            began = time.monotonic()
            print(f"{began - started:6.1f} s: all of them are in the archive")
            # As many at once as were sent: with more, further functions start, and together they start too slowly.
            pace = ["--rate", "1000", "--at-once", str(AT_ONCE)]
            plan, *steps, summary = program.lines(strict, "replay", *since, "--yes", *pace, cwd=tmp_path, **keys)
            took = time.monotonic() - began
    assert plan["plan"]["deliveries"] == len(phases[1]) == summary["summary"]["queued"] == len(steps)
    events = [json.loads(message["Body"]) for message in strict.queue().drain()]
    ids = Counter((event["source"], event["id"]) for event in events)
    assert len(ids) == COUNT
    replayed = [event for event in events if "replayedtime" in event]
    assert len({(event["source"], event["id"]) for event in replayed}) == len(phases[1])
    # A function whose queue responds late tries again within its deadline, and the queue may have the first message.
    copies, of_replayed = len(events) - COUNT, len(replayed) - len(phases[1])
    print(f"copies of events on the queue: {copies}, {of_replayed} of them by the replay")
    assert copies <= max(1, COUNT // 100)
    # Each as it was sent, with the time of its receipt.
    texts = {json.dumps(event["data"], sort_keys=True) for event in replayed}
    for number in phases[1]:
        assert json.dumps(json.loads(payload(routes[number % len(routes)][0], number)), sort_keys=True) in texts
    assert all(event["receivedtime"] < event["replayedtime"] for event in replayed)
    print(f"{COUNT} deliveries sent in {sent:.0f} s; {len(steps)} of them refused, and replayed in {took:.1f} s")


def operator(stack):
    """A user with the actions of the table in docs/deployment.md, but for those of redrive and tail."""
    text = (ROOT / "docs/deployment.md").read_text()
    table = text.split("### Permissions of the operator")[1].split("\n#")[0]
    actions = set(re.findall(r"`([a-z0-9]+:[A-Za-z]+)`", table))
    needed = {action for action in actions if action.split(":")[0] in ("cloudformation", "s3", "secretsmanager", "lambda")}
    assert "lambda:InvokeFunction" in needed
    return program.user(stack, only=sorted(needed | {"sqs:SendMessage"}))
