"""A queue that fails now and then: every delivery is acknowledged and on the queue, or not acknowledged.

A proxy between the functions and the queue breaks requests. Each delivery says in its payload which fault it meets, so
that none of them is left to chance.
"""

import json
import math
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

import metrics
from platforms import PLATFORMS
from servers import PROVIDERS, SUMMARY, FaultProxy, until

# In seconds. A late request reaches the queue after the attempt has timed out.
DEADLINE = 0.9
ATTEMPT = DEADLINE / 3
LATE = DEADLINE / 2
# The additional time on a busy machine; a hang lasts far longer than both.
SLACK = 10
HANG = 600

# The faults.
FAULTS = {
    "status 500": {"error": {"code": "InternalFailure", "status": 500}},
    "status 503": {"error": {"code": "ServiceUnavailable", "status": 503}},
    "reset": {"reset": True},
    "lost answer": {"response": {"abort_bytes": 0}},
    "latency": {"latency": 60},
    "late": {"latency": LATE * 1000},
    "hang": {"timeout_ms": HANG * 1000},
}
# The affected attempts: the SDK counts them in a header.
ATTEMPTS = {"first attempt": {"headers": {"amz-sdk-request": "attempt=1;"}}, "every attempt": {}}
RULES = {
    f"{fault}, {attempts}": {
        "service": "sqs",
        "operation": "SendMessage",
        "body": f"""contains(MessageBody, '"{fault}, {attempts}"')""",
    }
    | match
    | effect
    for fault, effect in FAULTS.items()
    for attempts, match in ATTEMPTS.items()
}
# These faults keep the request from the queue.
SWALLOWED = {f"{fault}, every attempt" for fault in ["status 500", "status 503", "reset", "hang"]}

# A function handles one delivery at a time, so each has its own client.
DEPLOYMENTS = ["faults-1", "faults-2"]
LEAST = 2000


def share(count):
    """What one client sends of what eight would: the sum does not grow with the number of functions."""
    return math.ceil(count * 8 / (len(DEPLOYMENTS) * len(PROVIDERS)))


# What each client sends, before it is shuffled.
MIX = ["none"] * share(40) + [kind for kind in RULES for _ in range(share(7 if "every" in kind else 24))]

# These get a response in any case; only the log says whether the event is queued.
ALWAYS_ANSWERED = [
    provider for provider, platform in PLATFORMS.items() if platform.STATUS_UNQUEUED == platform.STATUS
]


@dataclass
class Delivery:
    """One event, and the response to its sender."""

    provider: str
    kind: str
    number: str
    acknowledged: bool = False
    seconds: float = 0.0

    @property
    def payload(self):
        return PLATFORMS[self.provider].make_payload(eventId=self.number, fault=self.kind)

    @property
    def id(self):
        return PLATFORMS[self.provider].retry_id(self.payload)

    def send(self, deployment, senders):
        """Sends it, and reads the response, as the platform does."""
        sender = senders.of(self.provider)
        request = sender.build_request(self.payload)
        started = time.monotonic()
        response = deployment.send(self.provider, request)
        self.seconds = time.monotonic() - started
        self.acknowledged = response.status_code != 503
        if self.acknowledged:
            sender.acknowledged(response, request)
        else:
            assert int(response.headers["Retry-After"]) > 0
        return self


@dataclass
class Run:
    """All deliveries, and their outcomes during the faults."""

    deliveries: list
    # How often each rule fired.
    fired: dict
    # How often each id was on the queue.
    queued: Counter
    # Ids of events that were not queued although a response was sent, from the log, and their number from the metric.
    unqueued: set
    counted: int

    def promised(self, delivery):
        """Whether the response says that the event is queued, or the log, for senders that always get a response."""
        return delivery.acknowledged and delivery.id not in self.unqueued

    def table(self):
        yield ["", "fired", "sent", "acknowledged", "refused", "unqueued", "yet on queue", "slowest"]
        for kind in ["none", *RULES, "all"]:
            of_kind = [each for each in self.deliveries if kind in [each.kind, "all"]]
            yield [
                kind,
                sum(self.fired.values()) if kind == "all" else self.fired.get(kind, 0),
                len(of_kind),
                sum(map(self.promised, of_kind)),
                sum(not each.acknowledged for each in of_kind),
                sum(each.id in self.unqueued for each in of_kind),
                sum(not self.promised(each) and each.id in self.queued for each in of_kind),
                f"{max(each.seconds for each in of_kind):.2f} s",
            ]


@pytest.fixture(scope="module")
def queue(queue_server):
    return queue_server.create("faults")


def ids(queue):
    return Counter(json.loads(message["Body"])["id"] for message in queue.drain())


@pytest.fixture(scope="module")
def proxy(directory, queue_server):
    proxy = FaultProxy(directory, queue_server.endpoint)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def deployments(deploy, settings, proxy, queue):
    def environment(provider):
        return settings(provider, proxy.endpoint, queue.url, DEADLINE_MS=f"{DEADLINE * 1000:.0f}")

    return {name: deploy(name, {each: environment(each) for each in PROVIDERS}) for name in DEPLOYMENTS}


@pytest.fixture(scope="module")
def run(deployments, senders, proxy, queue):
    def client(name, provider):
        # Seeded, so that every run sends the same.
        seed = f"{name}-{provider}"
        kinds = random.Random(seed).sample(MIX, len(MIX))
        deliveries = [Delivery(provider, kind, f"{seed}-{number}") for number, kind in enumerate(kinds)]
        return [delivery.send(deployments[name], senders) for delivery in deliveries]

    proxy.set_rules(list(RULES.values()))
    clients = [(name, provider) for name in DEPLOYMENTS for provider in PROVIDERS]
    with ThreadPoolExecutor(len(clients)) as pool:
        sent = pool.map(client, *zip(*clients, strict=True))
        deliveries = [delivery for of_client in sent for delivery in of_client]
    fired = dict(zip(RULES, proxy.fired(), strict=True))
    proxy.set_rules([])
    functions = [each.functions[provider] for each in deployments.values() for provider in ALWAYS_ANSWERED]
    lines = [line for function in functions for line in function.lines() if "outcome" in line]
    counts = [metrics.read(line)["Deliveries"] for line in lines]
    dimensions = [{"provider": provider, "outcome": "unqueued"} for provider in ALWAYS_ANSWERED]
    return Run(
        deliveries,
        fired,
        ids(queue),
        unqueued={line["id"] for line in lines if line["outcome"] == "unqueued"},
        counted=sum(value for value, _, sets in counts if any(each in sets for each in dimensions)),
    )


def test_every_fault_met_many_deliveries(run, record_property):
    rows = [[f"  {kind:<26}", *(f"{number:>12}" for number in numbers)] for kind, *numbers in run.table()]
    record_property(SUMMARY, "\n".join(" ".join(row) for row in rows))
    assert len(run.deliveries) >= LEAST
    assert all(run.fired.values()), run.fired
    # A hang ends only when the function stops waiting.
    assert all(each.seconds > ATTEMPT for each in run.deliveries if each.kind == "hang, every attempt")


def test_every_response_is_within_the_deadline(run):
    assert [each for each in run.deliveries if each.seconds > DEADLINE + SLACK] == []


def test_every_acknowledged_event_is_on_the_queue(run):
    promised = [each for each in run.deliveries if run.promised(each)]
    assert [each for each in promised if each.id not in run.queued] == []


def test_an_event_that_never_reached_the_queue_is_not_acknowledged(run):
    swallowed = [each for each in run.deliveries if each.kind in SWALLOWED]
    assert [each for each in swallowed if run.promised(each) or each.id in run.queued] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_attempt_comes_through(run, fault):
    """However many were lost before: the SDK's own quota of retries would soon be empty. A slow machine may lose some."""
    lost_once = [each for each in run.deliveries if each.kind == f"{fault}, first attempt"]
    assert sum(map(run.promised, lost_once)) > 0.9 * len(lost_once)


def test_a_response_without_the_queue_is_logged_as_unqueued(run):
    queries = [each for each in run.deliveries if each.provider in ALWAYS_ANSWERED]
    assert all(each.acknowledged for each in queries)
    missing = {each.id for each in queries} - set(run.queued)
    # If the queue's response was lost, the function cannot know that the event is queued.
    assert missing and missing == run.unqueued - set(run.queued)
    assert run.counted == len(run.unqueued)


def test_a_failed_delivery_is_accepted_once_the_faults_are_over(run, deployments, senders, queue):
    """The last test of this module: it takes from the queue what the others would count."""
    for refused in [each for each in run.deliveries if not each.acknowledged]:
        deployment = deployments[DEPLOYMENTS[0]]
        until(lambda: replace(refused).send(deployment, senders).acknowledged, 30, "the retry of a delivery")
    missing = {each.id for each in run.deliveries} - set(run.queued + ids(queue))
    assert missing <= run.unqueued
