"""A stack with an archive on the local AWS, and `letterbox serve --stack` for it.

The stack has what the page reads and calls: archive, queue, secrets, and the real function of GitHub. It is made without
SAM, so that the page's tests need no packed functions.
"""

import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import requests

from letterbox import BINARY, START_TIMEOUT, TARGET, Process, until

# The one place that makes `emulator` and `records` importable here.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "stack"))

import records
from emulator import Emulator
from platforms import PLATFORMS, SentRequest
from servers import REGION, Queue

GITHUB = PLATFORMS["github"].Hook
# A sender whose secret is a header: the archive masks it.
TOKEN = {
    "algorithm": "token",
    "header": "x-callback",
    "secret": "tokenThatTheArchiveMasks",
    "id": "id",
    "type": "type",
}


def template(code: dict) -> dict:
    """What the page needs of the real template, under the same names."""
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        },
    }
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Timeout": 30,
            "Code": code,
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Environment": {
                "Variables": {"QUEUE_URL": {"Ref": "Queue"}, "CREDENTIALS_SECRET": {"Ref": "GithubSecret"}}
            },
        },
    }
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "{}"}}
    return {
        "Resources": {
            "Archive": {"Type": "AWS::S3::Bucket"},
            "Queue": {"Type": "AWS::SQS::Queue"},
            "GithubSecret": secret,
            "SignedSecret": secret,
            "Role": role,
            "GithubFunction": function,
            # Never invoked.
            "SignedFunction": function,
        },
        "Outputs": {
            "ArchiveBucketName": {"Value": {"Ref": "Archive"}},
            "QueueUrl": {"Value": {"Ref": "Queue"}},
            "GithubCredentialsSecret": {"Value": {"Ref": "GithubSecret"}},
            "SignedCredentialsSecret": {"Value": {"Ref": "SignedSecret"}},
        },
    }


class Stack:
    """The stack, and what its functions have archived."""

    def __init__(self, aws: Emulator, name: str = "hooks") -> None:
        self.aws, self.name = aws, name
        self.s3, self.vault = aws.client("s3"), aws.client("secretsmanager")
        bucket = aws.bucket("code")
        aws.upload(bucket, "github.zip", zipped(TARGET / "debug/github"))
        formation = aws.client("cloudformation")
        body = json.dumps(template({"S3Bucket": bucket, "S3Key": "github.zip"}))
        formation.create_stack(StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        formation.get_waiter("stack_create_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1})
        [stack] = formation.describe_stacks(StackName=self.name)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.bucket = self.outputs["ArchiveBucketName"]
        self.queue = Queue(aws.client("sqs"), self.outputs["QueueUrl"])
        self.github = GITHUB.new()
        self.set_credentials("Github", {"default": self.github.credentials})
        self.set_credentials("Signed", {"default": TOKEN})

    def set_credentials(self, provider: str, credentials: dict) -> None:
        secret = self.outputs[f"{provider}CredentialsSecret"]
        self.vault.put_secret_value(SecretId=secret, SecretString=json.dumps(credentials))

    def archive(self, *made: dict, **more) -> None:
        """Writes records into the archive, as Firehose does."""
        records.store(self.s3, self.bucket, sorted(made, key=lambda record: record["time"]), **more)

    def run(self, command: str, *options: str, directory: Path) -> subprocess.CompletedProcess:
        """Runs a command that the page shows, as a user does who has the program installed."""
        arguments = re.fullmatch(r"(?:letterbox|cargo run --) (.+)", command)[1]
        return subprocess.run(
            [BINARY, *shlex.split(arguments), *options],
            cwd=directory,
            env={**os.environ, **self.aws.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def clear(self) -> None:
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket):
            for found in page.get("Contents", []):
                self.s3.delete_object(Bucket=self.bucket, Key=found["Key"])
        self.queue.drain()


def zipped(binary: Path) -> bytes:
    """A function's archive with the binary in it, without its debug symbols."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, binary], check=True)
        content = Path(stripped.name).read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, content)
    return packed.getvalue()


def ago(**span: float) -> datetime:
    """A time in the past, in whole milliseconds."""
    time = datetime.now(timezone.utc) - timedelta(**span)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def push(hook, time: datetime, number: int = 0, outcome: str = "queued", reason: str | None = None, **more) -> dict:
    """The record of a push, signed by that hook."""
    payload = {"ref": "refs/heads/main", "number": number, "repository": {"full_name": "acme/widget"}}
    request = hook.build_request(json.dumps(payload).encode(), "push")
    if outcome == "queued":
        more["event"] = records.cloud_event("github", f"event-{number}", time, data=payload)
    return records.record("github", request, time, outcome, reason, **more)


def callback(time: datetime, **more) -> dict:
    """The record of a delivery whose secret is a header, which the archive masks."""
    request = SentRequest(b'{"id":"1","type":"a"}', {"X-Callback": "***", "Authorization": "***"})
    return records.record("signed", request, time, "refused", "token_mismatch", **more)


class StackPage:
    """`letterbox serve --stack`, in a folder of its own."""

    def __init__(self, directory: Path, stack: Stack, *options: str, **settings: str) -> None:
        self.directory = directory
        self.log = directory / "serve.log"
        command = [BINARY, "serve", "--stack", stack.name, "--region", REGION, "--port", "0", *options]
        environment = stack.aws.environment | settings
        self._process = Process(command, self.log, environment, directory)
        announced = until(self._announced, START_TIMEOUT, "the server")
        self.url, self.page_url = announced.groups()
        self.session = requests.Session()
        self.session.trust_env = False

    def _announced(self) -> re.Match | None:
        self._process.expect_alive()
        return re.match(
            r"letterbox .* on (http://\S+), the archive of the stack .*\n.*\ndeliveries of the stack: (\S+)\n",
            self._process.text(),
        )

    def expect_sound(self) -> None:
        """Asserts that it has neither ended nor panicked."""
        self._process.expect_alive()
        assert "panicked" not in self._process.text()

    def stop(self) -> None:
        self._process.stop()


@contextmanager
def local_aws(**options) -> Iterator[Emulator]:
    with tempfile.TemporaryDirectory(prefix="letterbox-", ignore_cleanup_errors=True) as directory:
        aws = Emulator(directory, **options)
        try:
            yield aws
        finally:
            aws.stop()
