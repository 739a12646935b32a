"""`letterbox stack tail`: the deliveries of the deployed stack, as they arrive."""

import json
import signal
from contextlib import contextmanager

import program


@contextmanager
def tailing(stack, *options, **more):
    """The running command, once it follows the logs. Ends it by Ctrl-C, which is no error."""
    child = program.start(stack, "tail", *options, **more)
    assert "following " in child.stderr.readline()
    try:
        yield child
    finally:
        code, _, errors = program.kill(child, signal.SIGINT)
        assert (code, errors) == (0, "")


def send(stack, senders, provider, accepted=True):
    request = senders[provider].build_request()
    request = request if accepted else request.but(body=request.body + b" ")
    assert (stack.send(provider, request).status_code < 400) == accepted


def test_each_delivery_is_one_line(letterbox, senders):
    with tailing(letterbox) as child:
        send(letterbox, senders, "github")
        line = child.stdout.readline()
        send(letterbox, senders, "payment", accepted=False)
        refused = child.stdout.readline()
    # As `serve` prints them.
    time, outcome, status, route, _, unit, kind, _ = line.split()
    assert (outcome, status, route, unit, kind) == ("queued", "202", "github/default", "ms", "github.issues")
    assert len(time) == len("03:20:00Z")
    assert refused.split()[1:4] == ["refused", "401", "payment/default"] and refused.rstrip().endswith("signature_mismatch")


def test_lines_of_the_log_are_chosen(letterbox, senders):
    with tailing(letterbox, "--json", "--outcome", "refused", "--provider", "github,payment") as child:
        send(letterbox, senders, "github")
        send(letterbox, senders, "slack")
        send(letterbox, senders, "payment", accepted=False)
        log = json.loads(child.stdout.readline())
    assert (log["message"], log["provider"], log["outcome"]) == ("delivery", "payment", "refused")
    # What it passed by is not printed twice, and what came before is there if it is asked for.
    with tailing(letterbox, "--json", "--since", "1m", "--reason", "signature_mismatch", "--source", "default") as child:
        assert json.loads(child.stdout.readline())["outcome"] == "refused"


def test_no_line_comes_twice(letterbox, senders):
    with tailing(letterbox, "--json", "--provider", "github") as child:
        seen = []
        for _ in range(4):
            send(letterbox, senders, "github")
            seen.append(json.loads(child.stdout.readline())["requestId"])
    assert len(set(seen)) == 4


def test_a_missing_permission_is_named(strict):
    with program.user(strict, "logs:FilterLogEvents") as keys:
        ran = program.run(strict, "tail", code=1, **keys)
    assert "logs:FilterLogEvents is denied: allow logs:FilterLogEvents on /aws/lambda/strict-" in ran.stderr
