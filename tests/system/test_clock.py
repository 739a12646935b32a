"""A clock that jumps, between deliveries and within one: time windows follow it, and nothing else depends on it."""

import json
import threading
import time

import pytest

from clock import Clock
from faulty_queue import FaultyQueue
from platforms import PLATFORMS, github
from servers import PROVIDERS, SilentServer

HOUR = 3600
DAY = 24 * HOUR
YEAR = 365 * DAY

# Sources with a time window.
WINDOWS = sorted({(name, source) for name, platform in PLATFORMS.items() for source, _ in platform.STALE.values()})
# A deadline in seconds, and when the clock jumps within a delivery. The additional time on a busy machine.
DEADLINE = 1.5
JUMP = 0.4
SLACK = 10
# How much older or newer than the time of SQS a signature may be, in seconds:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/AboutTimestamp.html (read 2026-11-27)
TOLERANCE = 900


@pytest.fixture(scope="module")
def clock(directory):
    return Clock(directory)


@pytest.fixture(autouse=True)
def right_again(clock):
    clock.jump_to(0)
    yield
    clock.jump_to(0)


@pytest.fixture(scope="module")
def queue(queue_server):
    return queue_server.create("clock")


@pytest.fixture(scope="module")
def functions(deploy, settings, queue_server, queue, clock):
    """All functions, under the clock."""
    environments = {
        provider: settings(provider, queue_server.endpoint, queue.url, **clock.environment) for provider in PROVIDERS
    }
    return deploy("clock", environments)


def sources(queue):
    return [message["MessageAttributes"]["source"]["StringValue"] for message in queue.drain()]


@pytest.mark.parametrize("provider, source", WINDOWS)
def test_a_time_window_follows_the_clock(functions, senders, queue, clock, provider, source):
    sender = senders.of(provider, source)
    request = sender.build_request()
    for away in [2 * DAY, -2 * DAY]:
        clock.jump_to(away)
        assert functions.send(provider, request, source).status_code == 401
        with clock.shared():
            then = sender.build_request()
        sender.acknowledged(functions.send(provider, then, source), then)
        clock.jump_to(0)
        assert functions.send(provider, then, source).status_code == 401
        # Signed again, since the machine may be slow.
        now = sender.build_request()
        sender.acknowledged(functions.send(provider, now, source), now)
    assert sources(queue) == [f"/{provider}/{source}"] * 4


def test_the_validity_of_a_certificate_follows_the_clock(functions, senders, queue, clock):
    topic = senders.of("sns")
    request = topic.build_request()
    for seconds, status in [(0, 200), (2 * YEAR, 401), (0, 200), (-2 * DAY, 401), (0, 200)]:
        clock.jump_to(seconds)
        assert functions.send("sns", request).status_code == status, seconds
    assert len(queue.drain()) == 3


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_jump_loses_no_delivery(functions, senders, queue, clock, provider):
    sender = senders.of(provider)
    jumps = [5 * HOUR, -5 * HOUR, 3 * DAY, 0]
    for seconds in jumps:
        clock.jump_to(seconds)
        with clock.shared():
            request = sender.build_request()
        sender.acknowledged(functions.send(provider, request), request)
    assert sources(queue) == [f"/{provider}/default"] * len(jumps)


@pytest.mark.parametrize("to", [-DAY, 0, 200 * YEAR])
def test_a_clock_that_is_wrong_by_decades_breaks_nothing(functions, senders, queue, clock, to):
    """Such as that of a machine without a battery before its first synchronisation: a time near the beginning of 1970."""
    clock.jump_to(to - time.time())
    for provider in PROVIDERS:
        # Accepted or refused, depending on what is signed and until when certificates are valid.
        assert functions.send(provider, senders.of(provider).build_request()).status_code < 500, provider
    clock.jump_to(0)
    queue.drain()
    for provider in PROVIDERS:
        request = senders.of(provider).build_request()
        senders.of(provider).acknowledged(functions.send(provider, request), request)
    assert sorted(sources(queue)) == sorted(f"/{provider}/default" for provider in PROVIDERS)
    functions.expect_sound()


class Jump:
    """Lets the clock jump in the middle of a delivery."""

    def __init__(self, clock, seconds):
        self._timer = threading.Timer(JUMP, clock.jump_to, [seconds])

    def __enter__(self):
        self._started = time.monotonic()
        self._timer.start()
        return self

    def __exit__(self, *_):
        self._timer.join()
        self.seconds = time.monotonic() - self._started


@pytest.fixture(scope="module")
def silent(deploy, settings, clock):
    server = SilentServer()
    more = clock.environment | {"DEADLINE_MS": f"{DEADLINE * 1000:.0f}"}
    yield deploy("clock-silent", {"github": settings("github", server.endpoint, f"{server.endpoint}/1/q", **more)})
    server.stop()


@pytest.mark.parametrize("seconds", [-30 * YEAR, -HOUR, HOUR, 30 * YEAR])
def test_a_deadline_is_neither_early_nor_late(silent, senders, clock, seconds):
    with Jump(clock, seconds) as jump:
        response = silent.send("github", senders.of("github").build_request(), timeout=60)
    assert response.status_code == 503
    assert DEADLINE - 0.2 < jump.seconds < DEADLINE + SLACK


@pytest.fixture(scope="module")
def slow(queue_server):
    """A queue whose answers are slow."""
    queue = FaultyQueue(queue_server.endpoint, late=2 * JUMP).start()
    yield queue
    queue.stop()


@pytest.fixture(scope="module")
def strict(queue_server):
    """A queue that refuses signatures which are too old or too new."""
    queue = FaultyQueue(queue_server.endpoint, tolerance=TOLERANCE).start()
    yield queue
    queue.stop()


@pytest.fixture(scope="module")
def behind_faults(deploy, settings, queue, slow, strict, clock):
    def environment(provider, faulty, **more):
        return settings(provider, faulty.endpoint, queue.url, **clock.environment, **more)

    slow_answers = environment("github", slow, DEADLINE_MS=f"{DEADLINE * 1000:.0f}"), environment("opencard", slow)
    return {
        "slow": deploy("clock-slow", dict(zip(["github", "opencard"], slow_answers, strict=True))),
        "strict": deploy("clock-strict", {"opencard": environment("opencard", strict)}),
    }


@pytest.mark.parametrize("seconds", [-30 * YEAR, 30 * YEAR])
def test_a_jump_within_an_answer_does_not_stop_the_function(behind_faults, senders, queue, clock, seconds):
    payload = PLATFORMS["github"].make_payload(eventId="slow", fault="1: trickle, every attempt")
    with Jump(clock, seconds) as jump:
        response = behind_faults["slow"].send("github", senders.of("github").build_request(payload), timeout=60)
    assert response.status_code == 503
    assert jump.seconds < DEADLINE + SLACK
    assert queue.drain() == []


def outcome(deployment, sender, **members):
    """What the log says of a query. None is repeated by its platform: its event is queued by the first response, or lost."""
    request = sender.build_request(PLATFORMS["opencard"].make_payload(**members))
    mark = deployment.functions["opencard"].mark()
    sender.acknowledged(deployment.send("opencard", request), request)
    return deployment.functions["opencard"].delivery_line(mark)["outcome"]


@pytest.mark.parametrize("seconds", [-DAY, DAY])
def test_a_jump_within_a_request_loses_no_event(behind_faults, senders, queue, clock, seconds):
    with Jump(clock, seconds):
        late = {"eventId": f"late{seconds}", "fault": "1: late, every attempt"}
        assert outcome(behind_faults["slow"], senders.of("opencard"), **late) == "queued"
    # More than one if an attempt was given up on a slow machine.
    assert queue.drain()


def test_a_signature_for_the_queue_follows_the_clock_of_the_queue(behind_faults, senders, queue, clock, strict):
    jumps = [DAY, 0, -DAY, 3 * DAY, -3 * DAY, 0]
    for number, seconds in enumerate(jumps):
        clock.jump_to(seconds)
        assert outcome(behind_faults["strict"], senders.of("opencard"), eventId=f"skew{number}") == "queued", seconds
    # Each jump was noticed.
    assert strict.skewed == len(jumps)
    assert len(queue.drain()) == len(jumps)


@pytest.mark.parametrize("seconds", [-10 * DAY, 10 * DAY])
def test_credentials_are_refreshed_after_a_jump(deploy, queue_server, queue, clock, seconds):
    vault = queue_server.aws("secretsmanager")
    old, new, newest = (github.Hook.new() for _ in range(3))
    name = f"letterbox/clock{seconds}"

    def put(*hooks):
        secret = json.dumps({"default": [hook.credentials for hook in hooks]})
        vault.put_secret_value(SecretId=name, SecretString=secret)

    vault.create_secret(Name=name, SecretString="{}")
    put(old)
    environment = {"AWS_ENDPOINT_URL": queue_server.endpoint, "QUEUE_URL": queue.url, "CREDENTIALS_SECRET": name}
    environment |= {"DEADLINE_MS": "15000", **clock.environment}
    deployment = deploy(f"clock-secret{seconds}", {"github": environment})
    queue.drain()
    assert deployment.send("github", old.build_request()).status_code == 202
    clock.jump_to(seconds)
    put(new, old)
    assert deployment.send("github", new.build_request()).status_code == 202
    # Not more often than usual either: the last read is a moment ago, whatever the clock says.
    clock.jump_to(-seconds)
    put(newest)
    assert deployment.send("github", newest.build_request()).status_code == 401
    assert deployment.send("github", old.build_request()).status_code == 202
    assert len(queue.drain()) == 3
