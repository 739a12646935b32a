"""The contact sync between two directories of the tests: its binary, with a table, a queue and a secret of its own."""

import base64
import json
import time
import uuid

import metrics
from directories import DingTalkDirectory, WeComDirectory
from directories.company import differences
from worker import Worker

HASH_KEY = base64.b64encode(bytes(range(32))).decode()

# What no log, no error and no item of the table may have.
SECRETS = ["dingsecret-hunter2", "wecomsecret-hunter2", "readersecret-hunter2", HASH_KEY]


class Mirror:
    """One corp. `options` are members of its credentials."""

    def __init__(self, server, directory, endpoint=None, **options):
        name = f"contacts-{uuid.uuid4().hex[:8]}"
        self.server, self.name, self.directory = server, name, directory
        self.dingtalk, self.wecom = DingTalkDirectory(), WeComDirectory()
        # As with a package; the rate itself has tests of its own.
        self.dingtalk.per_second = 1000
        self.dynamodb, self.secrets = server.aws("dynamodb"), server.aws("secretsmanager")
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ["partition", "key"]],
            KeySchema=[{"AttributeName": "partition", "KeyType": "HASH"}, {"AttributeName": "key", "KeyType": "RANGE"}],
        )
        self.options = options
        self.secret = self.secrets.create_secret(Name=name, SecretString=json.dumps(self.credentials()))["ARN"]
        self.queue = server.create(name)
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint or server.endpoint,
            "QUEUE_URL": self.queue.url,
            "CREDENTIALS_SECRET": self.secret,
            "STATE_TABLE": name,
            "METRICS_NAMESPACE": "Letterbox/contacts",
            "NO_PROXY": "127.0.0.1",
        }
        self.worker = None
        self.mark = 0

    def credentials(self):
        corp = {
            "dingtalk": {
                "corp_id": self.dingtalk.corp_id,
                "client_id": self.dingtalk.client_id,
                "client_secret": self.dingtalk.client_secret,
            },
            "wecom": {"corp_id": self.wecom.corp_id, "secret": "wecomsecret-hunter2"} | self.options.pop("wecom", {}),
            "hash_key": HASH_KEY,
            "dingtalk_per_second": self.dingtalk.per_second,
            "base_urls": {"dingtalk": self.dingtalk.url, "dingtalk_legacy": self.dingtalk.url, "wecom": self.wecom.url},
        }
        return {"acme": corp | self.options}

    def set(self, **options):
        """Changes members of the credentials."""
        self.options |= options
        self.secrets.put_secret_value(SecretId=self.secret, SecretString=json.dumps(self.credentials()))

    def start(self):
        self.worker = Worker("contacts", self.directory / f"{self.name}.log", self.environment, seconds=900)
        return self.worker

    def invoke(self, event=None, timeout=300):
        return (self.worker or self.start()).invoke(timeout, event)

    def restart(self):
        if self.worker:
            self.worker.stop()
        self.worker = None

    def run(self, fails=False):
        """A complete run; returns its metrics, without Contacts in their names."""
        ok, result = self.invoke()
        assert ok != fails, result
        self.error = "" if ok else result["errorMessage"]
        self.mark = len(self.dingtalk.events)
        return self.counts()

    def settle(self, most=5):
        """Complete runs until one has nothing to write."""
        for _ in range(most):
            before = len(self.writes())
            self.run()
            written = self.writes()[before:]
            if not written:
                return
        raise AssertionError(f"still writing after {most} runs: {written}, {self.conflicts()}, {self.worker.last_run()}")

    def hear(self, events=None, fails=False):
        """The events since the last run, in one batch, unless others are given. Returns which of them were not done."""
        events = self.dingtalk.events_since(self.mark) if events is None else events
        self.mark = len(self.dingtalk.events)
        ok, result = self.invoke({"Records": records(events)})
        assert ok != fails, result
        self.error = "" if ok else result["errorMessage"]
        return [int(one["itemIdentifier"]) for one in result["batchItemFailures"]] if ok else None

    def queued(self):
        """The bodies of messages that the worker has put on its queue, to be invoked again."""
        return [message["Body"] for message in self.queue.drain()]

    def counts(self):
        read = metrics.read(self.worker.last_run())
        assert all(unit == "Count" and sets == [{}] for _, unit, sets in read.values())
        return {name.removeprefix("Contacts"): value for name, (value, _, _) in read.items()}

    def writes(self):
        """The calls to WeCom that change something."""
        return [
            (method, path.removeprefix("/cgi-bin/"))
            for _, method, path, _ in self.wecom.requests
            if path.removeprefix("/cgi-bin/") not in ["gettoken", "user/list_id", "department/simplelist"]
        ]

    def differences(self, **more):
        return differences(self.dingtalk, self.wecom, **more)

    def items(self):
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def item(self, key):
        [found] = [json.loads(item["body"]["S"]) for item in self.items() if item["key"]["S"] == key]
        return found

    def conflicts(self):
        """What is parked, by id."""
        found = {}
        for item in self.items():
            if item["key"]["S"].startswith("conflict#"):
                body = json.loads(item["body"]["S"])
                found[body["id"]] = body
        return found

    def change_items(self, change):
        """Changes the bodies of items, by a function that returns whether it has."""
        for item in self.items():
            body = json.loads(item["body"]["S"])
            if change(item["key"]["S"], body):
                self.dynamodb.put_item(TableName=self.name, Item=item | {"body": {"S": json.dumps(body)}})

    def end_lease(self):
        """As if the time of a run that was killed were over."""

        def change(key, body):
            if key != "lease":
                return False
            body["until"] = 0
            return True

        self.change_items(change)

    def pass_days(self, days):
        """As if so many days had passed since people were disabled or removed."""

        def change(key, body):
            if not key.startswith(("member#", "department#", "tag#")):
                return False
            for name in ["disabled", "deleted"]:
                if body.get(name):
                    body[name] -= days * 86_400_000
            return True

        self.change_items(change)

    def stop(self, is_discreet=True):
        if self.worker:
            text = self.worker.process.text()
            self.restart()
            assert "panicked" not in text, text
            if is_discreet:
                self.expect_discreet(text)
        self.dingtalk.stop()
        self.wecom.stop()
        assert self.dingtalk.complaints == [] and self.wecom.complaints == []

    def expect_discreet(self, text):
        """Neither the log nor the table has a secret, a token or anything personal but userids."""
        tokens = [*self.wecom._tokens, *(token for token, _ in self.dingtalk._tokens.values())]
        people = [
            value
            for person in self.dingtalk.people.values()
            for value in [person["name"], person.get("mobile"), person.get("email")]
            if value and len(value) > 3 and value != person["userid"]
        ]
        names = [one["name"] for one in self.dingtalk.departments.values() if len(one["name"]) > 3 and one["dept_id"] != 1]
        state = json.dumps([item["body"]["S"] for item in self.items()], ensure_ascii=False)
        for forbidden in [*SECRETS, *tokens, *people, *names]:
            assert forbidden not in text, f"in the log: {forbidden}"
            assert forbidden not in state, f"in the table: {forbidden}"


def records(events):
    """The event with which SQS invokes a function. A record's id is its number in the batch."""
    now = str(int(time.time() * 1000))
    return [
        {
            "messageId": str(number),
            "receiptHandle": "r",
            "body": event if isinstance(event, str) else json.dumps(event, ensure_ascii=False),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": now, "SenderId": "s", "ApproximateFirstReceiveTimestamp": now},
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:contacts",
            "awsRegion": "us-east-1",
        }
        for number, event in enumerate(events)
    ]
