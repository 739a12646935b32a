"""The gap filler against servers in the place of the platforms' APIs, with a real queue, table and secret."""

import json
import os
import random
import subprocess
import time
import uuid
from collections import Counter

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import messages
import metrics
from api_server import Fault
from platform_apis import DingTalk, GitHub, Stripe
from servers import TARGET, base_environment
from worker import AwsProxy, Steps, Worker

REPOSITORY = "/repos/acme/widget/hooks/42/deliveries"
HOOK = {"repository": "acme/widget", "hook": 42, "token": "token"}


def private_key():
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode(), public


class Gaps:
    """A gap filler with a table, a secret and a queue of its own."""

    def __init__(self, server, directory, credentials, endpoint=None, **environment):
        name = f"gaps-{uuid.uuid4().hex[:8]}"
        self.server, self.name, self.directory = server, name, directory
        self.dynamodb, self.secrets = server.aws("dynamodb"), server.aws("secretsmanager")
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ["partition", "key"]],
            KeySchema=[{"AttributeName": "partition", "KeyType": "HASH"}, {"AttributeName": "key", "KeyType": "RANGE"}],
        )
        self.secret = self.secrets.create_secret(Name=name, SecretString=json.dumps(credentials))["ARN"]
        self.queue = server.create(name)
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint or server.endpoint,
            "QUEUE_URL": self.queue.url,
            "CREDENTIALS_SECRET": self.secret,
            "STATE_TABLE": name,
            "METRICS_NAMESPACE": "Letterbox/gaps",
            "NO_PROXY": "127.0.0.1",
        } | environment
        self.worker = None

    def start(self):
        self.worker = Worker("gaps", self.directory / f"{self.name}.log", self.environment)
        return self.worker

    def invoke(self):
        return (self.worker or self.start()).invoke()

    def filled(self):
        """Invokes it successfully; returns its metrics, without Gaps in their names."""
        ok, result = self.invoke()
        assert ok, result
        return self.counts()

    def counts(self):
        read = metrics.read(self.worker.last_run())
        assert all(unit == "Count" and sets == [{}] for _, unit, sets in read.values())
        return {name.removeprefix("Gaps"): value for name, (value, _, _) in read.items()}

    def accounts(self):
        """The lines of the accounts of the last run."""
        lines = self.worker.lines()
        return [line for line in lines if line["message"] == "account"][-len({line.get("account") for line in lines} - {None}) :]

    def restart(self):
        self.worker.stop()
        self.worker = None

    def items(self):
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def pass_time(self, lease=False):
        """As if hours had passed: what is due later is due now."""
        for item in self.items():
            key, body = item["key"]["S"], json.loads(item["body"]["S"])
            if key.startswith("gap#"):
                body["next"] = 0
            elif key == "asked":
                body = 0
            elif key == "scan":
                body["blocked"] = None
            elif key == "lease" and lease:
                body["until"] = 0
            else:
                continue
            self.dynamodb.put_item(TableName=self.name, Item=item | {"body": {"S": json.dumps(body)}})

    def events(self):
        """The messages on the queue, by id."""
        found = {}
        for message in self.queue.drain():
            found.setdefault(message["MessageAttributes"]["id"]["StringValue"], []).append(message)
        return found

    def stop(self):
        if self.worker:
            text = self.worker.process.text()
            assert "panicked" not in text, text
            assert not any(secret in text for secret in ["token-hunter2", "rk_test_key", "dingsecret"])
            self.worker.stop()


@pytest.fixture
def new_gaps(queue_server, directory):
    started = []

    def new(credentials, **more):
        gaps = Gaps(queue_server, directory, credentials, **more)
        started.append(gaps)
        return gaps

    yield new
    for gaps in started:
        gaps.stop()


@pytest.fixture
def api(request):
    """A server of the class that the test names."""
    started = []

    def new(kind, *arguments, **more):
        started.append(kind(*arguments, **more))
        return started[-1]

    yield new
    for server in started:
        server.stop()


# GitHub


def test_what_no_attempt_delivered_is_redelivered_once(new_gaps, api):
    github = api(GitHub)
    failed = [github.attempt(REPOSITORY, ago=3000), github.attempt(REPOSITORY, status=None, ago=2000)]
    twice = github.attempt(REPOSITORY, ago=1500)
    github.attempt(REPOSITORY, twice, ago=1400)
    for _ in range(250):
        github.attempt(REPOSITORY, status=200, ago=1000)
    by_hand = github.attempt(REPOSITORY, ago=900)
    github.attempt(REPOSITORY, by_hand, 202, 800, redelivery=True)
    github.attempt(REPOSITORY, ago=90_000)  # more than a day ago
    gaps = new_gaps({"github": HOOK | {"url": github.url}})
    assert gaps.filled() == {"Found": 3, "Filled": 0, "Failed": 0, "GivenUp": 0}
    assert github.redelivered() == [*failed, twice]
    newest = max(row["id"] for row in github.rows[REPOSITORY] if row["guid"] == twice and not row["redelivery"])
    assert newest > 2**53 and f"{REPOSITORY}/{newest}/attempts" in [path for _, _, path, _ in github.requests]
    # The next run sees that they were delivered; so does one after a restart.
    assert gaps.filled() == {"Found": 0, "Filled": 3, "Failed": 0, "GivenUp": 0}
    gaps.restart()
    assert gaps.filled() == {"Found": 0, "Filled": 0, "Failed": 0, "GivenUp": 0}
    assert len(github.redelivered()) == 3


def test_an_organisation_and_an_app_on_an_enterprise_server(new_gaps, api):
    pem, public = private_key()
    github = api(GitHub, app="Iv1.abc", public_key=public)
    github.base = "/api/v3"
    organisation = "/orgs/acme/hooks/7/deliveries"
    guids = [github.attempt(organisation), github.attempt("/app/hook/deliveries")]
    url = f"{github.url}/api/v3"
    gaps = new_gaps(
        {
            "github": [
                {"organization": "acme", "hook": 7, "token": "token", "url": url},
                {"app": "Iv1.abc", "private_key": pem, "url": url},
            ]
        }
    )
    assert gaps.filled()["Found"] == 2
    assert github.redelivered() == guids


def test_tries_are_spaced_and_end(new_gaps, api):
    github = api(GitHub)
    github.receiver = lambda row: 500
    guid = github.attempt(REPOSITORY)
    gaps = new_gaps({"github": HOOK | {"url": github.url}})
    for tries in range(1, 9):
        gaps.filled()
        gaps.filled()
        assert github.redelivered() == [guid] * tries
        gaps.pass_time()
    assert gaps.filled() == {"Found": 0, "Filled": 0, "Failed": 1, "GivenUp": 1}
    gaps.pass_time()
    assert gaps.filled()["GivenUp"] == 0
    assert github.redelivered() == [guid] * 8
    [line] = [line for line in gaps.worker.lines() if line.get("given_up")]
    assert (line["level"], line["steps"]) == ("ERROR", [{"action": "give up", "id": guid, "type": "push"}])


def test_a_delivery_that_github_does_not_have_any_more_is_given_up(new_gaps, api):
    github = api(GitHub)
    github.attempt(REPOSITORY)
    github.fail("POST", Fault(422, body={"message": "Validation Failed"}))
    gaps = new_gaps({"github": HOOK | {"url": github.url}})
    assert gaps.filled() == {"Found": 1, "Filled": 0, "Failed": 1, "GivenUp": 1}


SPENT = {"X-RateLimit-Remaining": "0"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(403, {"Retry-After": "3600"}, {"message": "You have exceeded a secondary rate limit"}),
        Fault(429, {"Retry-After": "3600"}),
        Fault(403, SPENT | {"X-RateLimit-Reset": "RESET"}),
        Fault(403, {}, {"message": "You have exceeded a secondary rate limit. Please wait"}),
    ],
    ids=["secondary", "429", "primary", "unstated"],
)
@pytest.mark.parametrize("of", ["GET", "POST"])
def test_a_limit_is_obeyed_by_this_run_and_the_next(new_gaps, api, fault, of):
    github = api(GitHub)
    guids = [github.attempt(REPOSITORY, ago=ago) for ago in [300, 200]]
    reset = str(int(time.time()) + 3600)
    fault.headers = {name: value.replace("RESET", reset) for name, value in fault.headers.items()}
    github.fail(of, fault)
    gaps = new_gaps({"github": HOOK | {"url": github.url}})
    # No failure: what is limited comes later.
    assert gaps.filled()["Failed"] == 0
    requests = len(github.requests)
    gaps.restart()
    assert gaps.filled()["Failed"] == 0
    assert len(github.requests) == requests, "asked before its time"
    gaps.pass_time()
    gaps.filled()
    # The try that was turned down was none.
    assert github.redelivered()[-2:] == guids
    assert all(json.loads(item["body"]["S"])["tries"] == 1 for item in gaps.items() if item["key"]["S"].startswith("gap#"))


def test_a_short_limit_is_waited_for(new_gaps, api):
    github = api(GitHub)
    github.attempt(REPOSITORY)
    github.fail("GET", Fault(403, {"Retry-After": "2"}))
    gaps = new_gaps({"github": HOOK | {"url": github.url}})
    started = time.monotonic()
    assert gaps.filled()["Found"] == 1
    assert time.monotonic() - started >= 2


def test_the_last_request_that_is_allowed_is_the_last(new_gaps, api):
    github = api(GitHub)
    for _ in range(150):
        github.attempt(REPOSITORY, status=200)
    failed = github.attempt(REPOSITORY, ago=600)
    page = github.answer

    def spent(*arguments):
        status, headers, answer = page(*arguments)
        return status, headers | SPENT | {"X-RateLimit-Reset": str(int(time.time()) + 3600)}, answer

    github.answer = spent
    gaps = new_gaps({"github": HOOK | {"url": github.url}})
    gaps.filled()
    assert len(github.requests) == 1
    github.answer = page
    gaps.pass_time()
    # It goes on where it stopped.
    gaps.filled()
    assert github.redelivered() == [failed]


def test_what_a_server_fails_at_is_tried_again_and_then_reported(new_gaps, api):
    github, other = api(GitHub), api(GitHub)
    github.attempt(REPOSITORY)
    other.attempt("/orgs/acme/hooks/7/deliveries")
    credentials = [
        HOOK | {"url": github.url},
        {"organization": "acme", "hook": 7, "token": "token", "url": other.url},
    ]
    gaps = new_gaps({"github": credentials})
    github.fail("GET", Fault(502, body=b"<html>"), Fault(close=True))
    assert gaps.filled()["Found"] == 2
    for faults, expected in [
        ([Fault(503)] * 3, "HTTP 503"),
        ([Fault(close=True)] * 3, "127.0.0.1"),
        ([Fault(body=b"<html>hunter2</html>")], "not a list of deliveries"),
        ([Fault(body=b'{"a":1}')], "not a list of deliveries"),
        ([Fault(body=[{"id": 1.5}])], "not a list of deliveries"),
        ([Fault(401, body={"message": "Bad credentials"})], "HTTP 401: Bad credentials"),
        ([Fault(404, body={"message": "Not Found"})], "HTTP 404: Not Found"),
        ([Fault(301, {"Location": "http://127.0.0.1:1/"})], "HTTP 301"),
    ]:
        github.fail("GET", *faults)
        other_requests = len(other.requests)
        ok, error = gaps.invoke()
        assert not ok and expected in error["errorMessage"], (expected, error)
        assert "github/" in error["errorMessage"] and "hunter2" not in error["errorMessage"]
        assert len(other.requests) > other_requests, "the other account was left out"
        assert gaps.counts()["Failed"] == 1
        assert not github.faults


def test_a_try_that_failed_is_one_that_counts(new_gaps, api):
    github = api(GitHub)
    github.attempt(REPOSITORY)
    gaps = new_gaps({"github": HOOK | {"url": github.url}})
    github.fail("POST", Fault(500))
    assert not gaps.invoke()[0]
    gaps.filled()
    assert github.count("POST") == 1
    gaps.pass_time()
    gaps.filled()
    assert github.count("POST") == 2


def test_a_rest_whose_cursor_has_expired_is_read_from_the_start(new_gaps, api):
    github = api(GitHub)
    for _ in range(150):
        github.attempt(REPOSITORY, status=200)
    failed = github.attempt(REPOSITORY, ago=40_000)
    gaps = new_gaps({"github": HOOK | {"url": github.url}})
    # The second page cannot be had, so it is the rest.
    github.faults = [("GET", Fault(200, also=True)), *[("GET", Fault(503))] * 3]
    assert not gaps.invoke()[0]
    assert github.redelivered() == []
    [scan] = [item for item in gaps.items() if item["key"]["S"] == "scan"]
    body = json.loads(scan["body"]["S"])
    body["rest"]["cursor"] = "v0_of_another_day"
    gaps.dynamodb.put_item(TableName=gaps.name, Item=scan | {"body": {"S": json.dumps(body)}})
    gaps.filled()
    gaps.filled()
    assert github.redelivered() == [failed]


# Stripe


def without_receipt(message):
    event = json.loads(message["Body"])
    event.pop("receivedtime")
    return event, message["MessageAttributes"]


@pytest.mark.parametrize("indent", [None, 2])
def test_an_event_is_the_same_as_that_of_the_push(new_gaps, api, letterbox, queues, senders, indent):
    stripe = api(Stripe)
    pushed = stripe.event()
    body = json.dumps(pushed, indent=indent)
    request = senders.of("payment", "stripe").build_request(body.encode())
    assert letterbox.send("payment", request, source="stripe").status_code == 202
    expected = without_receipt(queues["payment"].one())
    gaps = new_gaps({"stripe": {"api_key": "rk_test_key", "source": "stripe", "url": stripe.url}})
    assert gaps.filled() == {"Found": 1, "Filled": 1, "Failed": 0, "GivenUp": 0}
    message = gaps.queue.one()
    assert without_receipt(message) == expected
    # The payload is verbatim: as Stripe's list has it.
    listed = json.dumps({"data": [pushed]}, indent=2)
    text = listed[listed.index("[") + 1 : listed.rindex("]")].strip()
    # The list is one level deeper than this one.
    assert json.loads(message["Body"])["data"] == json.loads(text)
    attributes = messages.read(message, "payment", message["Body"].partition('"data":')[2][:-1], "stripe")
    assert attributes["id"] == pushed["id"]


def test_pages_are_read_to_their_end_and_nothing_is_put_twice(new_gaps, api):
    stripe = api(Stripe)
    events = [stripe.event(ago=50_000 - 100 * number) for number in range(230)]
    young = stripe.event(ago=60)
    old = stripe.event(ago=100_000)
    credentials = {"stripe": {"api_key": "rk_test_key", "provider": "signed", "url": stripe.url}}
    gaps = new_gaps(credentials)
    assert gaps.filled()["Filled"] == 230
    found = gaps.events()
    assert set(found) == {event["id"] for event in events}
    assert all(len(messages) == 1 for messages in found.values())
    [[message]] = [found[events[0]["id"]]]
    assert message["MessageAttributes"]["type"]["StringValue"] == "signed.invoice.paid"
    # The state is not in memory.
    gaps.restart()
    gaps.pass_time()
    assert gaps.filled()["Found"] == 0
    assert gaps.events() == {}
    # Once its first retries are over.
    young["created"] -= 3600
    assert gaps.filled()["Filled"] == 1
    assert set(gaps.events()) == {young["id"]} and old["id"] not in found


def test_only_the_types_of_the_entry_are_asked_for(new_gaps, api):
    stripe = api(Stripe)
    stripe.event(kind="charge.failed")
    paid = stripe.event()
    types = ["invoice.paid", "invoice.voided"]
    gaps = new_gaps({"stripe": {"api_key": "rk_test_key", "types": types, "url": stripe.url}})
    assert gaps.filled()["Filled"] == 1
    assert set(gaps.events()) == {paid["id"]}


def test_a_page_that_fails_in_the_middle_is_read_on_later(new_gaps, api):
    stripe = api(Stripe)
    events = {stripe.event(ago=9000 - number)["id"] for number in range(150)}
    gaps = new_gaps({"stripe": {"api_key": "rk_test_key", "url": stripe.url}})
    stripe.faults = [("GET", Fault(200, also=True)), ("GET", Fault(429, {"Retry-After": "3600"}))]
    assert gaps.filled()["Filled"] == 100
    assert gaps.filled()["Filled"] == 0
    assert stripe.count("GET") == 2
    gaps.pass_time()
    assert gaps.filled()["Filled"] == 50
    assert set(gaps.events()) == events


def test_an_event_that_is_none_is_reported_once(new_gaps, api):
    stripe = api(Stripe)
    stripe.event(kind="a\u0000b")
    good = stripe.event()
    gaps = new_gaps({"stripe": {"api_key": "rk_test_key", "url": stripe.url}})
    assert gaps.filled() == {"Found": 2, "Filled": 1, "Failed": 1, "GivenUp": 1}
    assert gaps.filled()["GivenUp"] == 0
    assert set(gaps.events()) == {good["id"]}


# DingTalk


def dingtalk_entry(server, **more):
    return {"app_key": "dingkey", "app_secret": "dingsecret", "url": server.url, "token_url": server.url} | more


LIST = "GET /call_back/get_call_back_failed_result"


def test_the_failed_list_goes_onto_the_queue_and_is_asked_for_every_15_minutes(new_gaps, api):
    dingtalk = api(DingTalk)
    records = [dingtalk.record() for _ in range(450)]
    gaps = new_gaps({"dingtalk": dingtalk_entry(dingtalk, source="hr")})
    assert gaps.filled() == {"Found": 450, "Filled": 450, "Failed": 0, "GivenUp": 0}
    assert dingtalk.count(LIST) == 3
    events = gaps.events()
    bodies = [json.loads(message["Body"]) for [message] in events.values()]
    key = lambda record: record["event_time"]
    assert sorted((body["data"] for body in bodies), key=key) == sorted(records, key=key)
    assert {(body["type"], body["source"], body["subject"]) for body in bodies} == {
        ("dingtalk.user_modify_org", "/dingtalk/hr", "ding1234")
    }
    for again in range(2):
        dingtalk.record()
        assert gaps.filled()["Found"] == 0
        assert dingtalk.count(LIST) == 3, "asked before 15 minutes have passed"
        gaps.restart()
    gaps.pass_time()
    assert gaps.filled()["Filled"] == 2
    gaps.pass_time()
    gaps.filled()
    # One for each environment that asked.
    assert dingtalk.count("POST /v1.0/oauth2/accessToken") == 2


def test_a_token_that_is_not_valid_any_more_is_fetched_again(new_gaps, api):
    dingtalk = api(DingTalk)
    gaps = new_gaps({"dingtalk": dingtalk_entry(dingtalk)})
    gaps.filled()
    dingtalk.token = "t1"
    dingtalk.record()
    gaps.pass_time()
    assert gaps.filled()["Filled"] == 1


def test_records_wait_for_a_queue_that_is_down_and_no_call_removes_them(new_gaps, api):
    dingtalk = api(DingTalk)
    records = {json.dumps(dingtalk.record(), sort_keys=True) for _ in range(30)}
    gaps = new_gaps({"dingtalk": dingtalk_entry(dingtalk)})
    there = gaps.queue.url
    gaps.environment["QUEUE_URL"] = there + "-none"
    for _ in range(3):
        gaps.pass_time()
        ok, error = gaps.invoke()
        assert not ok and "queue" in error["errorMessage"]
    assert dingtalk.count(LIST) == 1, "a further call would have removed what is not on the queue"
    gaps.restart()
    gaps.environment["QUEUE_URL"] = there
    gaps.pass_time()
    assert gaps.filled()["Filled"] == 30
    found = [json.dumps(json.loads(message["Body"])["data"], sort_keys=True) for [message] in gaps.events().values()]
    assert len(found) == 30 and set(found) == records
    assert not any(item["key"]["S"].startswith("answer#") for item in gaps.items())


@pytest.mark.parametrize(
    "answer, expected",
    [
        (Fault(body={"errcode": 88, "errmsg": "error", "sub_code": "60011", "sub_msg": "没有调用该接口的权限"}), "qyapi_base"),
        (Fault(body={"errcode": 90020, "errmsg": "over"}), "errcode 90020"),
        (Fault(body={"errcode": 90018, "errmsg": "qps"}), "errcode 90018"),
        (Fault(body={"errcode": -1, "errmsg": "busy"}), "errcode -1"),
        (Fault(body={"status": 1111, "wait": 5, "source": "x5", "punish": "deny"}), "blocked"),
        (Fault(body=b"<html>"), "may be lost"),
        (Fault(close=True), "may be lost"),
    ],
    ids=["permission", "month", "rate", "busy", "address", "garbage", "cut"],
)
def test_an_answer_without_a_list_is_reported_and_not_asked_for_again_at_once(new_gaps, api, answer, expected):
    dingtalk = api(DingTalk)
    dingtalk.record()
    dingtalk.fail(LIST, answer)
    gaps = new_gaps({"dingtalk": dingtalk_entry(dingtalk)})
    ok, error = gaps.invoke()
    assert not ok and expected in error["errorMessage"], error
    calls = dingtalk.count(LIST)
    gaps.filled()
    assert dingtalk.count(LIST) == calls == 1
    gaps.pass_time()
    assert gaps.filled()["Filled"] == 1


def test_a_wrong_secret_is_named(new_gaps, api):
    dingtalk = api(DingTalk)
    gaps = new_gaps({"dingtalk": dingtalk_entry(dingtalk, app_secret="other")})
    ok, error = gaps.invoke()
    assert not ok and "invalidClientIdOrSecret" in error["errorMessage"]
    assert dingtalk.count(LIST) == 0


# Runs


def test_one_run_at_a_time(new_gaps, api):
    github = api(GitHub)
    github.attempt(REPOSITORY)
    github.fail("GET", Fault(200, delay=3, also=True))
    gaps = new_gaps({"github": HOOK | {"url": github.url}})
    gaps.start().start()
    time.sleep(1)
    second = Worker("gaps", gaps.directory / f"{gaps.name}-2.log", gaps.environment)
    try:
        ok, result = second.invoke()
        assert ok and result["busy"]
    finally:
        second.stop()
    assert gaps.worker.result()[0]
    assert github.count("POST") == 1
    assert gaps.filled()["Filled"] == 1


@pytest.mark.parametrize(
    "secret, expected",
    [
        ('{"github": {"repository": "acme/widget", "hook": 42}}', "github, entry 1: missing field `token`"),
        ('{"stripe": {"api_key": "token-hunter2", "provider": "x"}}', "stripe, entry 1: provider: expected"),
        ("{'", "line 1, column 2"),
    ],
)
def test_wrong_credentials_fail_the_run_and_name_the_field(new_gaps, secret, expected):
    gaps = new_gaps({})
    gaps.secrets.put_secret_value(SecretId=gaps.secret, SecretString=secret)
    ok, error = gaps.invoke()
    assert not ok and expected in error["errorMessage"], error
    assert gaps.counts()["Failed"] == 1
    # Corrected without a restart.
    gaps.secrets.put_secret_value(SecretId=gaps.secret, SecretString='{"dingtalk": []}')
    assert "at least one entry" in gaps.invoke()[1]["errorMessage"]


# The program, without a stack


def program(folder, *options, code=0):
    ran = subprocess.run(
        [TARGET / "debug/letterbox", *options],
        cwd=folder,
        env=base_environment() | {"NO_PROXY": "127.0.0.1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == code, (ran.stdout, ran.stderr)
    assert "hunter2" not in ran.stdout + ran.stderr
    return ran


@pytest.fixture
def laptop(tmp_path, api):
    """A folder with credentials, and the three APIs."""
    github, stripe, dingtalk = api(GitHub, token="token-hunter2"), api(Stripe), api(DingTalk)
    github.rows[REPOSITORY] = []
    credentials = {
        "github": HOOK | {"url": github.url, "token": "token-hunter2"},
        "stripe": {"api_key": "rk_test_key", "url": stripe.url},
        "dingtalk": dingtalk_entry(dingtalk),
    }
    (tmp_path / "gaps.json").write_text(json.dumps(credentials))
    return tmp_path, github, stripe, dingtalk


def queued(folder):
    return [json.loads(line) for line in program(folder, "events", "--json").stdout.splitlines()]


def test_a_dry_run_changes_nothing(laptop):
    folder, github, stripe, dingtalk = laptop
    guid, event = github.attempt(REPOSITORY), stripe.event()
    dingtalk.record()
    for _ in range(2):
        printed = program(folder, "gaps", "--credentials", "gaps.json", "--dry-run").stdout
        assert f"would redeliver  {guid}  push\n" in printed
        assert f"would put  {event['id']}  payment.invoice.paid\n" in printed
        assert "not read in a dry run: reading it clears it" in printed
    assert github.count("POST") == 0 and dingtalk.requests == []
    assert sorted(path.name for path in folder.iterdir()) == ["gaps.json"]


def test_the_program_remembers_what_it_has_done(laptop):
    folder, github, stripe, dingtalk = laptop
    guid, event, record = github.attempt(REPOSITORY), stripe.event(ago=1200), dingtalk.record()
    printed = program(folder, "gaps", "--credentials", "gaps.json").stdout
    assert f"github/127.0.0.1:{github.url.rpartition(':')[2]}/repos/acme/widget/hooks/42: found 1, asked to redeliver 1" in printed
    found = queued(folder)
    assert [body["id"] for body in found if body["source"] == "/payment/default"] == [event["id"]]
    assert [body["data"] for body in found if body["source"] == "/dingtalk/default"] == [record]
    report = json.loads(program(folder, "gaps", "--credentials", "gaps.json", "--json").stdout)
    assert [account["found"] for account in report["accounts"]] == [0, 0, 0]
    assert [account["filled"] for account in report["accounts"]] == [1, 0, 0]
    assert queued(folder) == found and github.redelivered() == [guid]


def test_since_looks_back_further(laptop):
    folder, github, stripe, _ = laptop
    program(folder, "gaps", "--credentials", "gaps.json")
    guid, event = github.attempt(REPOSITORY, ago=200_000), stripe.event(ago=200_000)
    program(folder, "gaps", "--credentials", "gaps.json")
    assert github.redelivered() == [] and queued(folder) == []
    program(folder, "gaps", "--credentials", "gaps.json", "--since", str(int(time.time()) - 250_000))
    assert github.redelivered() == [guid]
    assert [body["id"] for body in queued(folder)] == [event["id"]]


def test_an_account_that_fails_is_named_and_the_others_are_done(laptop):
    folder, github, stripe, _ = laptop
    stripe.event()
    github.token = "other"
    ran = program(folder, "gaps", "--credentials", "gaps.json", code=1)
    assert "failed: HTTP 401: Bad credentials" in ran.stdout
    assert len(queued(folder)) == 1


@pytest.mark.parametrize(
    "content, expected",
    [
        ('{"github": {"repository": "a/b", "hook": 1}}', "gaps.json: github, entry 1: missing field `token`"),
        ("{", "gaps.json: line 1, column 1"),
        (None, "gaps.json: No such file"),
    ],
)
def test_wrong_credentials_are_usage_errors(tmp_path, content, expected):
    if content:
        (tmp_path / "gaps.json").write_text(content)
    assert expected in program(tmp_path, "gaps", "--credentials", "gaps.json", code=2).stderr


def test_the_program_needs_to_know_where(tmp_path):
    assert "--stack" in program(tmp_path, "gaps", code=2).stderr


# Crashes


# More with `ROUNDS=200 make system ARGS="-k killed"`.
ROUNDS = int(os.environ.get("ROUNDS", "10"))


def test_a_run_that_is_killed_at_any_step_loses_nothing_and_repeats_nothing(queue_server, directory, api):
    """Kills the process before or after the effect of a random request to an API, the table, the queue or the secret."""
    steps = Steps()
    proxy = AwsProxy(queue_server.endpoint, steps)
    github, stripe, dingtalk = api(GitHub), api(Stripe), api(DingTalk)
    dingtalk.MOST = 3
    for server in [github, stripe, dingtalk]:
        server.steps = steps
    credentials = {
        "github": HOOK | {"url": github.url},
        "stripe": {"api_key": "rk_test_key", "url": stripe.url},
        "dingtalk": dingtalk_entry(dingtalk),
    }
    gaps = Gaps(queue_server, directory, credentials, endpoint=proxy.endpoint)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    guids, events, records, kills = [], [], [], []
    try:
        for _ in range(ROUNDS):
            guids += [github.attempt(REPOSITORY, ago=200) for _ in range(2)]
            events += [stripe.event(ago=1200)["id"] for _ in range(2)]
            records += [dingtalk.record() for _ in range(4)]
            worker = gaps.start()
            steps.arm(worker, chance.randint(1, 70), chance.choice(["before", "after"]))
            result = worker.invoke()
            if steps.killed_at:
                assert result is None or result[0]
                kills.append(steps.killed_at)
            else:
                assert result[0], result
            steps.arm(None)
            gaps.stop()
            gaps.pass_time(lease=True)
        # Until a run has nothing left to do; the failed list gives 30 records a run.
        for _ in range(30):
            gaps.worker = None
            counts = gaps.filled()
            is_open = any(line["found"] or line["asked"] or line["open"] for line in gaps.accounts())
            is_done = not is_open and not any(counts.values())
            gaps.stop()
            gaps.pass_time(lease=True)
            if is_done:
                break
    finally:
        gaps.stop()
        proxy.stop()
    print(len(kills), "kills", Counter(what for what, _ in kills).most_common())
    assert len(kills) > ROUNDS / 3
    assert is_done, counts
    # GitHub: each was asked for exactly once, whatever happened.
    assert Counter(github.redelivered()) == Counter(guids)
    open_gaps = [item for item in gaps.items() if item["key"]["S"].startswith("gap#") and '"filled"' not in item["body"]["S"]]
    assert open_gaps == []
    # The queue: nothing is lost but an answer that never reached the table, and what is there twice was just being put.
    found = gaps.events()
    assert set(events) <= set(found)
    of_dingtalk = [json.loads(copies[0]["Body"])["data"] for id, copies in found.items() if id not in events]
    lost = [record for record in records if record not in of_dingtalk]
    unstored = [kill for kill in kills if kill in [(LIST, "after"), ("TransactWriteItems", "before")]]
    assert len(lost) <= dingtalk.MOST * len(unstored), (lost, unstored)
    twice = sum(len(copies) - 1 for copies in found.values())
    unmarked = [kill for kill in kills if kill in [("SendMessage", "after"), ("PutItem put", "before")]]
    assert twice <= len(unmarked), (twice, unmarked)
