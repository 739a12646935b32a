"""Functions whose queue fails in every way, and which are killed meanwhile: no acknowledged delivery is lost.

Each delivery says in its payload which fault it meets. `LETTERBOX_FAULTS` sets the number of deliveries, and `LETTERBOX_KILLS`
that of the kills at random moments. In the short form, each provider meets each fault, and a real queue server has the
messages. In the long form, most deliveries meet no fault, and the faulty queue itself counts the messages;
`LETTERBOX_FUNCTIONS` names a folder of release builds, which are several times as fast.
"""

import asyncio
import os
import random
import time
from collections import Counter

import pytest

from environments import Lambda
from faulty_queue import ATTEMPTS, FAULTS, LONG, NAMED, STORED, FaultyQueue
from platforms import PLATFORMS
from servers import PROVIDERS, SUMMARY
from test_gateway import event

DELIVERIES = int(os.environ.get("LETTERBOX_FAULTS", "0"))
KILLS = int(os.environ.get("LETTERBOX_KILLS", "10"))
# How many environments each function has in the long form: of some, all wait for a queue that hangs. The library that signs
# for Alipay takes longer than all the rest of a delivery.
ENVIRONMENTS = {provider: 3 for provider in PROVIDERS} | {"alipay": 1}

# In seconds.
DEADLINE = 1.5
# The additional time on a busy machine; what hangs lasts far longer than both.
SLACK = 10
# The longest between the moment at which a kill is due and the kill: an invocation takes less.
MOMENT = 0.05
# Between two lines about the progress of the long form.
PROGRESS = 30

# How often a delivery without a fault is tried at the end: a busy machine may be too slow for some.
TRIES = 30

# In MiB. The functions have 128, and some answers have no end.
PEAK = 64

# Each of them is met at the first attempt alone, and at every attempt.
KINDS = [f"{fault}, {attempts} attempt" for fault in FAULTS if fault != "none" for attempts in ATTEMPTS]
# These keep the message from the queue.
SWALLOWED = {f"{fault}, every attempt" for fault in FAULTS if fault not in STORED}
# What one failed attempt does not repeat: an answer of SQS that is final, and one that is another message's.
FINAL = {"denied", "another MD5", "answered twice", "answered again"}
OVERCOME = [f"{fault}, first attempt" for fault in FAULTS if fault not in FINAL | {"none"}]
# The share of deliveries that meet a fault in the long form; those that last are rarer.
SHARE = 0.1
WEIGHTS = [0.2 if kind.partition(",")[0] in LONG else 1 for kind in KINDS]

# These get a response in any case; only the log says whether the event is queued.
ALWAYS_ANSWERED = {name for name, platform in PLATFORMS.items() if platform.STATUS_UNQUEUED == platform.STATUS}


class Tally:
    """What became of each delivery, by its number: two bytes for each, so that there may be many."""

    def __init__(self):
        self.acknowledged, self.swallowed = bytearray(), bytearray()
        # How often each kind of delivery had which outcome, and its longest time.
        self.outcomes, self.slowest = Counter(), Counter()
        # The numbers of events of which the log may say that they are not queued.
        self.answered = {}
        # Set at the end: those of which it does, and how often each number is on the queue.
        self.unqueued, self.queued = set(), Counter()
        self.kills = self.starts = 0
        # Of the last process of each environment, the most memory; the logs.
        self.peaks, self.logs = {}, []

    def number(self, kind):
        """The number of one more delivery."""
        self.acknowledged.append(False)
        self.swallowed.append(kind in SWALLOWED)
        return len(self.swallowed) - 1

    def promised(self, number):
        return self.acknowledged[number] and number not in self.unqueued

    def lost(self):
        return [number for number in range(len(self.acknowledged)) if self.promised(number) and not self.queued[number]]

    def total(self, outcome):
        return sum(count for (_, of), count in self.outcomes.items() if of == outcome)

    def table(self):
        yield ["", "sent", "acknowledged", "refused", "cut off", "slowest"]
        for kind in ["none", *KINDS]:
            counts = [self.outcomes[kind, outcome] for outcome in ["sent", "acknowledged", "refused", "cut off"]]
            yield [kind, *counts, f"{self.slowest[kind]:.2f} s"]

    def sums(self):
        promised = sum(bool(self.promised(number)) for number in range(len(self.acknowledged)))
        return {
            "deliveries": self.total("sent"),
            "acknowledged and queued": promised,
            "acknowledged, logged as unqueued": len(self.unqueued),
            "refused": self.total("refused"),
            "cut off by a kill and sent again": self.total("cut off"),
            "messages on the queue": sum(self.queued.values()),
            "copies": sum(count - 1 for count in self.queued.values() if count > 1),
            "on the queue though not acknowledged": sum(not self.promised(number) for number in self.queued),
            "kills": self.kills,
            "starts": self.starts,
            "most memory, in MiB": round(max(self.peaks.values())),
            "lost": len(self.lost()),
        }


class Client:
    """Sends deliveries to one environment, as a platform does, and again where the function was killed."""

    def __init__(self, environment, senders, tally):
        self._environment, self._tally = environment, tally
        self._provider = environment.provider
        self._sender, self._platform = senders.of(self._provider), PLATFORMS[self._provider]

    async def deliver(self, kind):
        tally = self._tally
        number = tally.number(kind)
        payload = self._platform.make_payload(eventId=f"chaos-{number}", fault=f"{number}: {kind}")
        tally.outcomes[kind, "sent"] += 1
        if self._provider in ALWAYS_ANSWERED:
            tally.answered[self._platform.retry_id(payload)] = number
        response = None
        while response is None:
            request = self._sender.build_request(payload)
            started = time.monotonic()
            response = await self._environment.invoke(event(f"/{self._provider}", request, encoded=True))
            if response is None:
                tally.outcomes[kind, "cut off"] += 1
            elif self._environment.has_served:
                tally.slowest[kind] = max(tally.slowest[kind], time.monotonic() - started)
            self._environment.has_served = response is not None
        if response.status_code == 503:
            assert int(response.headers["Retry-After"]) > 0
            tally.outcomes[kind, "refused"] += 1
        else:
            self._sender.acknowledged(response, request)
            tally.outcomes[kind, "acknowledged"] += 1
            tally.acknowledged[number] = True
        return response


def plans(count):
    """For each environment of the short form, its provider and the kinds of its deliveries."""
    for position, provider in enumerate(PROVIDERS):
        # Of each fault one of the two, and the other at the next provider; between them, deliveries without a fault.
        kinds = [KINDS[at + (at // 2 + position) % 2] for at in range(0, len(KINDS), 2)] + ["none"] * count
        random.Random(provider).shuffle(kinds)
        yield provider, kinds


async def storm(directory, senders, settings, queue, queue_url):
    """Sends everything, and returns the tally."""
    choice = random.Random(1)
    if DELIVERIES:
        kinds = (
            choice.choices(KINDS, WEIGHTS)[0] if choice.random() < SHARE else "none" for _ in range(DELIVERIES)
        )
        work = [(provider, kinds) for provider in PROVIDERS for _ in range(ENVIRONMENTS[provider])]
        total = DELIVERIES
    else:
        work = list(plans(len(KINDS) // 2))
        total = sum(len(kinds) for _, kinds in work)
    tally = Tally()
    started = time.monotonic()

    def done():
        return tally.total("acknowledged") + tally.total("refused")

    async def send(environment, kinds):
        client = Client(environment, senders, tally)
        for kind in kinds:
            await client.deliver(kind)
        while tally.kills < KILLS:
            await client.deliver("none")
        # The faults leave nothing behind.
        for _ in range(TRIES):
            response = await client.deliver("none")
            if response.status_code != 503:
                return
        raise AssertionError(f"{environment.provider} refuses deliveries after the faults")

    async def kill(environments):
        """At random moments, distributed over the run."""
        for number in range(KILLS):
            while done() < total * (number + 1) / (KILLS + 1):
                await asyncio.sleep(MOMENT / 10)
            await asyncio.sleep(random.uniform(0, MOMENT))
            while not random.choice(environments).kill():
                await asyncio.sleep(MOMENT)
            tally.kills += 1

    async def report():
        while DELIVERIES:
            await asyncio.sleep(PROGRESS)
            seconds = time.monotonic() - started
            print(f"{done()} of {DELIVERIES} deliveries, {tally.kills} kills, {done() / seconds:.0f} a second", flush=True)

    async with Lambda(directory, "chaos") as functions:
        environments = [
            functions.environment(
                provider,
                settings(
                    provider,
                    queue.endpoint,
                    queue_url,
                    DEADLINE_MS=f"{DEADLINE * 1000:.0f}",
                    AWS_LAMBDA_LOG_LEVEL="ERROR" if DELIVERIES else "INFO",
                ),
            )
            for provider, _ in work
        ]
        for environment in environments:
            environment.has_served = False
        progress = asyncio.ensure_future(report())
        senders_done = [send(environment, kinds) for environment, (_, kinds) in zip(environments, work, strict=True)]
        await asyncio.gather(kill(environments), *senders_done)
        progress.cancel()
        for environment in environments:
            tally.peaks[environment.log.stem] = environment.peak() if environment.process else 0
            tally.starts += environment.starts
    for environment in environments:
        assert "panicked" not in environment.log.read_text()
        for line in environment.lines():
            if line.get("outcome") == "unqueued":
                tally.unqueued.add(tally.answered[line["id"]])
    tally.logs = [environment.log for environment in environments]
    return tally


@pytest.fixture(scope="module")
def faulty(queue_server):
    queue = FaultyQueue(None if DELIVERIES else queue_server.endpoint, late=DEADLINE / 2).start()
    yield queue
    queue.stop()


@pytest.fixture(scope="module")
def run(directory, senders, settings, faulty, queue_server):
    queue = queue_server.create("chaos")
    tally = asyncio.run(storm(directory, senders, settings, faulty, queue.url))
    if DELIVERIES:
        tally.queued = Counter(faulty.stored)
    else:
        tally.queued = Counter(int(NAMED.search(message["Body"])[1]) for message in queue.drain())
    return tally


def test_every_acknowledged_delivery_is_on_the_queue(run, faulty, record_property):
    rows = [[f"  {kind:<34}", *(f"{number:>12}" for number in numbers)] for kind, *numbers in run.table()]
    sums = [f"  {name:<38}{count:>10}" for name, count in run.sums().items()]
    text = "\n".join([*(" ".join(row) for row in rows), "", *sums])
    record_property(SUMMARY, text)
    if DELIVERIES:
        print(text, flush=True)
    assert run.kills == KILLS
    assert set(FAULTS) <= set(faulty.fired)
    assert run.lost() == []


def test_an_event_that_never_reached_the_queue_is_not_acknowledged(run):
    swallowed = [number for number, is_swallowed in enumerate(run.swallowed) if is_swallowed]
    assert swallowed
    assert [number for number in swallowed if run.promised(number) or run.queued[number]] == []


def test_a_further_attempt_overcomes_a_single_fault(run):
    """A busy machine, or a kill, may prevent some."""
    counts = {kind: (run.outcomes[kind, "acknowledged"], run.outcomes[kind, "sent"]) for kind in OVERCOME}
    assert {kind: of for kind, of in counts.items() if not of[0]} == {}
    acknowledged, sent = (sum(column) for column in zip(*counts.values(), strict=True))
    assert acknowledged > sent / 2


def test_no_answer_keeps_a_function_beyond_its_deadline(run):
    assert {kind: seconds for kind, seconds in run.slowest.items() if seconds > DEADLINE + SLACK} == {}


def test_no_answer_fills_the_memory(run):
    assert {name: peak for name, peak in run.peaks.items() if peak > PEAK} == {}


def test_a_redirect_is_not_followed(run, faulty):
    assert faulty.fired["redirect"]
    assert faulty.followed == 0


def test_no_log_has_a_secret(run, senders):
    secrets = list(senders.secrets())
    for log in run.logs:
        text = log.read_text()
        assert not any(secret in text for secret in secrets), log.name
