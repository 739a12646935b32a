"""The stack that is checked: what AWS says about it, what was sent to it, and what must be removed afterwards."""

import hashlib
import hmac
import json
import re
import time
import uuid
from contextlib import suppress
from functools import cached_property
from urllib.parse import urlsplit

import requests
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

# Of all partitions: only there does a result say something about AWS.
AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")
# Longer than a function's timeout.
TIMEOUT = 30
# Seconds for which a message is hidden while the queue is searched for ours.
HIDDEN = 30
# Ten messages each; in a longer queue ours may be left, and the report says so.
MOST_RECEIVES = 50
NO_CREDENTIALS = "no AWS credentials: run `aws configure sso` or `aws configure`, or pass --profile"


class CannotStart(Exception):
    """Nothing can be checked; the message says what to do."""


class Account:
    def __init__(self, session, stack, base_url, wait, tell):
        self.session, self.stack, self.tell = session, stack, tell
        self._secrets, self._events, self._cleanup = set(), set(), []
        # The deliveries with a 2xx; each must be an event on the queue.
        self.accepted = []
        try:
            [self.description] = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        except NoRegionError:
            raise CannotStart("no region: set AWS_REGION, or pass --region") from None
        except (NoCredentialsError, PartialCredentialsError):
            raise CannotStart(NO_CREDENTIALS) from None
        except ClientError as error:
            raise CannotStart(self._why(error)) from None
        except BotoCoreError as error:
            raise CannotStart(f"AWS cannot be reached ({type(error).__name__}): check network, region and endpoint") from None
        self.started = time.time()
        self.base_url = base_url and base_url.rstrip("/")
        self.is_aws = urlsplit(self.client("cloudformation").meta.endpoint_url).hostname.endswith(AWS_DOMAINS)
        self.wait = wait if wait is not None else 300 if self.is_aws else 0

    def _why(self, error):
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code == "ValidationError" and "not exist" in message:
            return f"no stack {self.stack} in {self.session.region_name}: deploy it first, or pass --stack and --region"
        if "Token" in code or "Signature" in code or code == "UnrecognizedClientException":
            return f"AWS rejects the credentials ({code}): sign in again, for instance with `aws sso login`"
        return f"AWS does not allow reading the stack ({code}): docs/deployment.md lists what the deployer needs"

    def client(self, service):
        config = Config(connect_timeout=5, read_timeout=TIMEOUT, retries={"max_attempts": 3})
        return self.session.client(service, config=config)

    @cached_property
    def outputs(self):
        return {output["OutputKey"]: output["OutputValue"] for output in self.description.get("Outputs", [])}

    @cached_property
    def resources(self):
        """Logical to physical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        return {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for page in pages
            for item in page["StackResourceSummaries"]
            if item["ResourceStatus"] != "DELETE_COMPLETE"
        }

    @cached_property
    def providers(self):
        """The providers that are on, by the stack's functions."""
        return sorted(name.removesuffix("Function").lower() for name in self.resources if name.endswith("Function"))

    def url(self, provider):
        return f"{self.base_url}/{provider}" if self.base_url else self.outputs[f"{provider.capitalize()}Url"]

    # ------------------------------------------------------------------------------------------ Secrets

    def secret(self, provider):
        """The credentials of a provider, as JSON; no string in them gets into a report."""
        name = self.outputs[f"{provider.capitalize()}CredentialsSecret"]
        text = self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
        self._secrets.add(text)
        credentials = json.loads(text)
        self._secrets |= set(strings(credentials))
        return credentials

    def redact(self, text):
        """Without secrets and account ids."""
        for secret in sorted((secret for secret in self._secrets if len(secret) > 7), key=len, reverse=True):
            text = text.replace(secret, "<secret>")
        return re.sub(r"(?<!\d)\d{12}(?!\d)", "<account>", text)

    # ------------------------------------------------------------------------------------------ Deliveries

    def ping(self, padding=0):
        """Sends a signed ping as GitHub does, and returns the status; None if no signing secret was found."""
        entry = self.secret("github")
        entry = entry if "secret" in entry else entry.get("default", {})
        entry = entry[0] if isinstance(entry, list) else entry
        secret = entry.get("secret")
        secret = secret[0] if isinstance(secret, list) else secret
        if not secret:
            return None
        marker = str(uuid.uuid4())
        # One byte in eight is a quote, as in a push of GitHub: each takes two bytes in Lambda's event.
        filler = ["x" * 13] * (padding // 16)
        body = json.dumps({"zen": marker, "hook_id": 1, "padding": filler}, separators=(",", ":")).encode()
        self._events.add((marker, hashlib.sha256(b"ping\n" + body).hexdigest()))
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "ping",
            "X-GitHub-Delivery": marker,
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        status = self.http("POST", self.url("github"), body, headers).status_code
        if status // 100 == 2:
            self.accepted.append(marker)
        return status

    def http(self, method, url, body=None, headers=None):
        return requests.request(method, url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)

    # ------------------------------------------------------------------------------------------ Waiting, removing

    def until(self, condition, what):
        """Asks until `condition` is true or the wait is over; returns its last value."""
        end = time.monotonic() + self.wait
        while True:
            found = condition()
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            self.tell(f"    waiting for {what}: at most {left:.0f} s more")
            time.sleep(min(10, left))

    def on_end(self, what, remove):
        self._cleanup.append((what, remove))

    def remove_what_was_made(self):
        """Removes it, and returns what could not be removed."""
        problems = []
        for what, remove in [*reversed(self._cleanup), ("the events on the queue", self.take_events)]:
            try:
                remove()
            except (BotoCoreError, ClientError) as error:
                problems.append(f"{what} ({type(error).__name__})")
        self._cleanup.clear()
        return problems

    def take_events(self):
        """Deletes this run's events from the queue, with their objects, and returns how many there were."""
        if not self._events:
            return 0
        queue, taken, others, empty = self.client("sqs"), 0, [], 0
        url = self.outputs["QueueUrl"]
        try:
            # Standard queues answer from some of their servers: one empty answer is not the end.
            for _ in range(MOST_RECEIVES):
                if not self._events or empty == 2:
                    break
                received = queue.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=10,
                    WaitTimeSeconds=1,
                    VisibilityTimeout=HIDDEN,
                    MessageAttributeNames=["All"],
                ).get("Messages", [])
                empty = 0 if received else empty + 1
                for message in received:
                    text = message["Body"] + json.dumps(message.get("MessageAttributes", {}))
                    own = next((ids for ids in self._events if any(part in text for part in ids)), None)
                    if own is None:
                        others.append(message["ReceiptHandle"])
                        continue
                    self._delete_object(message["Body"])
                    queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    self._events.discard(own)
                    taken += 1
        finally:
            # The consumer's own: at once visible again.
            for handle in others:
                with suppress(ClientError):
                    queue.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        return taken

    def _delete_object(self, body):
        """Deletes the object of a large event, if the body is a pointer to one."""
        parsed = json.loads(body)
        if isinstance(parsed, list):
            pointer = parsed[1]
            self.client("s3").delete_object(Bucket=pointer["s3BucketName"], Key=pointer["s3Key"])


def strings(node):
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from strings(inner)
