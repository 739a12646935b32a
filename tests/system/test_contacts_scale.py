"""The contact sync with a whole company, and with the process killed at any step."""

import os
import random
import time
from collections import Counter

from directories.company import Company, found
from mirror import Mirror, records
from test_contacts import mirrors  # noqa: F401
from worker import AwsProxy, Steps

# More with `LETTERBOX_KILLS=200 make system ARGS="-k killed"`.
KILLS = int(os.environ.get("LETTERBOX_KILLS", "5"))

# A whole company at the rates of the standard edition with `LETTERBOX_CONTACTS=10000 make system ARGS="-k a_company -s"`; it takes
# half an hour. LETTERBOX_CONTACTS_RATE is the calls a second of each API that DingTalk allows: 20, or 60 with a package.
PEOPLE = int(os.environ.get("LETTERBOX_CONTACTS", "300"))
RATE = int(os.environ.get("LETTERBOX_CONTACTS_RATE", "20"))


def test_a_run_that_is_killed_at_any_step_converges(queue_server, directory):
    """Kills the process before or after the effect of a random request to a platform, the table, the queue or the secret."""
    steps = Steps()
    proxy = AwsProxy(queue_server.endpoint, steps)
    mirror = Mirror(queue_server, directory, proxy.endpoint, roles=True, guard={"count": 1000, "percent": 100})
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    mirror.dingtalk.steps = mirror.wecom.steps = steps
    company = Company(mirror.dingtalk, 20, 8, seed)
    kills, length = [], 200
    try:
        while len(kills) < KILLS:
            for _ in range(4):
                company.change()
            is_event = chance.random() < 0.4
            event = {"Records": records(mirror.dingtalk.events_since(mirror.mark)[:400])} if is_event else None
            mirror.mark = len(mirror.dingtalk.events)
            worker = mirror.start()
            steps.arm(worker, chance.randint(1, max(8, length)), chance.choice(["before", "after"]))
            result = worker.invoke(event=event)
            length = steps.count if not steps.killed_at else max(length - 10, 30)
            if steps.killed_at:
                kills.append(steps.killed_at)
            else:
                assert result[0], result
            steps.arm(None)
            mirror.restart()
            mirror.end_lease()
            # Whatever was done by half: nobody of DingTalk is disabled, and no department was made by the way.
            gone = {userid for userid, one in mirror.wecom.members.items() if one.get("enable") == 0}
            assert not gone & set(mirror.dingtalk.people) - back_again(mirror), gone
            assert mirror.wecom.silently_created == []
        mirror.settle()
        found_differences = mirror.differences()
        assert not found_differences, "\n".join([*found_differences, str(mirror.conflicts())])
        # Nothing was made twice: each department and member of WeCom has one record.
        made = Counter(item["key"]["S"].partition("#")[0] for item in mirror.items())
        assert made["department"] >= len(mirror.wecom.departments) - 1
    finally:
        steps.arm(None)
        mirror.stop()
        proxy.stop()
    print(len(kills), "kills", Counter(what for what, _ in kills).most_common())


def back_again(mirror):
    """People who left and came again: disabled until a run has seen them."""
    left = {userid for kind, data in mirror.dingtalk.events for userid in data.get("userId", []) if kind == "user_leave_org"}
    return left & set(mirror.dingtalk.people)


class Measured:
    """Counts the calls of both sides of one part of a test, and its time."""

    def __init__(self, mirror, name):
        self._mirror, self._name = mirror, name

    def __enter__(self):
        self._marks = len(self._mirror.dingtalk.requests), len(self._mirror.wecom.requests)
        self._started = time.monotonic()

    def __exit__(self, *_):
        took = time.monotonic() - self._started
        dingtalk, wecom = self._mirror.dingtalk, self._mirror.wecom
        calls = Counter(path.removeprefix("/topapi/") for _, _, path, _ in dingtalk.requests[self._marks[0] :])
        written = Counter(path.removeprefix("/cgi-bin/") for _, _, path, _ in wecom.requests[self._marks[1] :])
        # Calls of different APIs go side by side: the one that is called most decides.
        standard = max(max(calls.values(), default=0) / 20, max(written.values(), default=0) / 150)
        print(f"{self._name}: {took:.0f} s here, {standard:.0f} s at least at 20 and 150 calls a second of each API")
        print(f"  {self._mirror.worker.peak():.0f} MB at most")
        print("  DingTalk:", sum(calls.values()), dict(calls.most_common()))
        print("  WeCom:", sum(written.values()), dict(written.most_common()))


def until_done(mirror, event=None):
    """Invokes the function, and again for what it puts on its queue."""
    waiting = [event]
    invocations = 0
    while waiting:
        ok, result = mirror.invoke(waiting.pop(0), timeout=1000)
        assert ok, result
        invocations += 1
        bodies = mirror.queued()
        waiting += [{"Records": records(bodies)}] if bodies else []
    return invocations


def test_a_company_is_mirrored_and_stays_so(mirrors):
    is_large = PEOPLE > 1000
    mirror = mirrors(roles=True, guard={"count": 1000, "percent": 100})
    if is_large:
        mirror.dingtalk.per_second = RATE
        mirror.set(dingtalk_per_second=RATE)
    company = Company(mirror.dingtalk, PEOPLE, PEOPLE // 10, seed=3)
    with Measured(mirror, f"first sync of {PEOPLE} people in {PEOPLE // 10} departments"):
        invocations = until_done(mirror)
    print("  invocations:", invocations)
    assert mirror.differences() == []
    if not is_large:
        before = len(mirror.writes())
        until_done(mirror)
        assert len(mirror.writes()) == before
    mirror.mark = len(mirror.dingtalk.events)
    chance = random.Random(5)
    changes = PEOPLE // 5
    for _ in range(changes):
        company.change()
    events = mirror.dingtalk.events_since(mirror.mark)
    events += chance.sample(events, len(events) // 2)
    chance.shuffle(events)
    events = [event for event in events if chance.random() > 0.05]
    with Measured(mirror, f"{changes} changes by {len(events)} events, doubled, shuffled, 5 % lost"):
        for start in range(0, len(events), 500):
            batch = events[start : start + 500]
            # What is not done comes again after the visibility timeout.
            for _ in range(10):
                batch = [batch[number] for number in mirror.hear(batch)]
                if not batch:
                    break
            assert not batch
    print("  left to the next complete run:", len(mirror.differences()))
    with Measured(mirror, "reconcile"):
        until_done(mirror)
    if mirror.differences():
        # What stood in each other's way in one run, such as numbers that changed hands.
        with Measured(mirror, "and again"):
            until_done(mirror)
    assert mirror.differences() == []
    assert mirror.wecom.silently_created == [] and mirror.wecom.conflicts_of_version == 0
    departments, people, _ = found(mirror.wecom)
    print("  equal:", len(people), "people,", len(departments), "departments; throttled:", mirror.dingtalk.throttled)
    assert mirror.dingtalk.throttled <= mirror.dingtalk.count("") / 100
