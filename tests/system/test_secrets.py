"""Credentials in Secrets Manager: read at start, read again when a delivery does not verify, without a redeploy."""

import json

import pytest

from platforms import github
from servers import Function, base_environment, lambda_environment, until

SECRET = "letterbox/github"


@pytest.fixture(scope="module")
def vault(queue_server):
    client = queue_server.aws("secretsmanager")
    client.create_secret(Name=SECRET, SecretString="{}")
    return client


def put(vault, *hooks):
    entries = [hook.credentials for hook in hooks]
    vault.put_secret_value(SecretId=SECRET, SecretString=json.dumps({"default": entries}))


def environment(queue_server, queue, secret):
    return {"AWS_ENDPOINT_URL": queue_server.endpoint, "QUEUE_URL": queue.url, "CREDENTIALS_SECRET": secret}


def test_a_rotated_secret_works_without_a_redeploy(deploy, vault, queue_server):
    queue = queue_server.create("letterbox-secrets")
    old, new = github.Hook.new(), github.Hook.new()
    put(vault, old)
    # A long deadline, since a delivery waits a third of it for the secret; and the log lines of all libraries, since they
    # must not contain the secret either.
    more = {"DEADLINE_MS": "15000", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
    secret = environment(queue_server, queue, SECRET) | more
    deployment = deploy("secrets", {"github": secret})

    assert deployment.send("github", old.build_request()).status_code == 202
    put(vault, new, old)
    # The new one does not verify with the credentials from the start, so they are refreshed, and then it does.
    assert deployment.send("github", new.build_request()).status_code == 202
    assert deployment.send("github", old.build_request()).status_code == 202
    assert len(queue.drain()) == 3
    deployment.expect_discreet([*old.secrets, *new.secrets])

    # A forged delivery causes no further refresh so soon, so an invalid new version has no effect.
    vault.put_secret_value(SecretId=SECRET, SecretString="broken")
    assert deployment.send("github", github.Hook.new().build_request()).status_code == 401
    assert deployment.send("github", new.build_request()).status_code == 202
    assert len(queue.drain()) == 1


def test_a_failed_refresh_is_counted_and_the_previous_version_stays_in_use(deploy, vault, queue_server):
    queue = queue_server.create("letterbox-lost-secret")
    hook = github.Hook.new()
    name = f"{SECRET}-lost"
    vault.create_secret(Name=name, SecretString=json.dumps({"default": hook.credentials}))
    settings = environment(queue_server, queue, name) | {"DEADLINE_MS": "15000"}
    deployment = deploy("lost-secret", {"github": settings})
    vault.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    mark = deployment.functions["github"].mark()
    assert deployment.send("github", github.Hook.new().build_request()).status_code == 401
    line = deployment.functions["github"].delivery_line(mark)
    assert (line["CredentialsRefreshFailed"], line["reason"]) == (1, "signature_mismatch")

    mark = deployment.functions["github"].mark()
    assert deployment.send("github", hook.build_request()).status_code == 202
    assert "CredentialsRefreshFailed" not in deployment.functions["github"].delivery_line(mark)


@pytest.mark.parametrize(
    "content, error",
    [(None, "ResourceNotFoundException"), ("{}", "expected at least one source"), ('{"a":{"secret":""}}', "secret")],
)
def test_an_unusable_secret_stops_the_start(vault, queue_server, directory, content, error):
    name = "letterbox/absent" if content is None else f"letterbox/useless-{len(content)}"
    if content is not None:
        vault.create_secret(Name=name, SecretString=content)
    queue = queue_server.create("letterbox-useless")
    runtime = lambda_environment("github", "127.0.0.1:1")
    function = Function(
        "github",
        directory / f"{name.replace('/', '-')}.log",
        base_environment() | runtime | environment(queue_server, queue, name),
    )
    try:
        until(lambda: function.ended, 20, "the function's end")
        [line] = [line for line in function.lines() if line["level"] == "ERROR"]
        assert line["detail"].startswith(f"CREDENTIALS_SECRET: {name}: ") and error in line["detail"]
    finally:
        function.stop()


def test_the_trace_goes_to_the_queue(letterbox, queues, senders):
    assert letterbox.send("github", senders.of("github").build_request()).status_code == 202
    trace = queues["github"].one()["Attributes"].get("AWSTraceHeader", "")
    assert trace.startswith("Root=")
