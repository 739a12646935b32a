"""The program `letterbox`, run on a stack of the local AWS."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

from servers import REGION, ROOT

# Another build can take its place, such as an optimised one.
LETTERBOX = Path(os.environ.get("LETTERBOX") or ROOT / "target/debug/letterbox")
TIMEOUT = 300


def command(stack, name, *options):
    return [LETTERBOX, "stack", name, "--stack", stack.name, "--region", REGION, *[str(one) for one in options]]


def environment(stack, more):
    return {**os.environ, **stack.aws.environment, **more}


def run(stack, name, *options, code=0, cwd=None, **more):
    """Runs `letterbox stack NAME`, expects that exit code, and returns what it prints."""
    ran = subprocess.run(
        command(stack, name, *options),
        env=environment(stack, more),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert ran.returncode == code, (ran.returncode, ran.stdout, ran.stderr)
    return ran


def lines(stack, name, *options, **more):
    """The lines of JSON that the command prints."""
    return [json.loads(line) for line in run(stack, name, *options, "--json", **more).stdout.splitlines()]


def start(stack, name, *options, cwd=None, **more):
    """Starts the command in a process group of its own."""
    return subprocess.Popen(
        command(stack, name, *options),
        env=environment(stack, more),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill(child, number=signal.SIGKILL):
    """Ends the process with a signal, and returns its exit code and what it printed."""
    child.send_signal(number)
    out, errors = child.communicate(timeout=60)
    return child.returncode, out, errors


@contextmanager
def user(stack, *without, only=("*",)):
    """The keys of a user who may do everything, or only some actions, but for those that are denied."""
    iam = stack.aws.client("iam")
    iam.create_user(UserName="operator")
    statements = [{"Effect": "Allow", "Action": list(only), "Resource": "*"}]
    if without:
        statements.append({"Effect": "Deny", "Action": list(without), "Resource": "*"})
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="operator", PolicyName="operate", PolicyDocument=document)
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    try:
        yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    finally:
        iam.delete_access_key(UserName="operator", AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName="operator", PolicyName="operate")
        iam.delete_user(UserName="operator")


@contextmanager
def credentials(stack, provider, text):
    """The secret of a provider with other credentials."""
    vault = stack.aws.client("secretsmanager")
    secret = stack.outputs()[f"{provider.capitalize()}CredentialsSecret"]
    before = vault.get_secret_value(SecretId=secret)["SecretString"]
    vault.put_secret_value(SecretId=secret, SecretString=text)
    try:
        yield
    finally:
        vault.put_secret_value(SecretId=secret, SecretString=before)


def restart(stack, provider):
    """Ends the function's environments, so that it reads its secret again."""
    name, client = stack.resources()[f"{provider.capitalize()}Function"], stack.aws.client("lambda")
    memory = client.get_function(FunctionName=name)["Configuration"]["MemorySize"]
    client.update_function_configuration(FunctionName=name, MemorySize=384 if memory != 384 else 256)
