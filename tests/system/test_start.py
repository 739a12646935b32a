"""An error at start is reported at once, names the variable or field, and contains no secret."""

import json
import subprocess

import pytest

from platforms import MARK, PLATFORMS, opencard
from servers import PROVIDERS, TARGET, base_environment, free_port, lambda_environment

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/q"


def start(provider, **environment):
    """Runs the binary until it ends; returns its exit status and output."""
    runtime = lambda_environment(provider, f"127.0.0.1:{free_port()}")
    done = subprocess.run(
        [TARGET / "debug" / provider],
        env=base_environment() | runtime | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
    )
    return done.returncode, done.stdout


def expect_error(provider, names, **environment):
    status, output = start(provider, **environment)
    assert status != 0, output
    for name in names:
        assert name in output, output
    assert MARK not in output, output
    assert "panicked" not in output, output
    # The line with the reason is JSON.
    lines = [json.loads(line) for line in output.splitlines()]
    assert any(line.get("level") == "ERROR" for line in lines)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "names, environment",
    [
        (["QUEUE_URL"], {"CREDENTIALS": True}),
        (["QUEUE_URL"], {"CREDENTIALS": True, "QUEUE_URL": ""}),
        (["QUEUE_URL"], {"CREDENTIALS": True, "QUEUE_URL": MARK}),
        (["CREDENTIALS", "CREDENTIALS_SECRET"], {"QUEUE_URL": QUEUE}),
        (["CREDENTIALS", "CREDENTIALS_SECRET"], {"QUEUE_URL": QUEUE, "CREDENTIALS": ""}),
        (
            ["CREDENTIALS", "CREDENTIALS_SECRET"],
            {"QUEUE_URL": QUEUE, "CREDENTIALS": True, "CREDENTIALS_SECRET": f"arn:{MARK}"},
        ),
        (["DEADLINE_MS"], {"QUEUE_URL": QUEUE, "CREDENTIALS": True, "DEADLINE_MS": "soon"}),
        (["DEADLINE_MS"], {"QUEUE_URL": QUEUE, "CREDENTIALS": True, "DEADLINE_MS": "-1"}),
    ],
    ids=[
        "no queue",
        "empty queue",
        "no URL",
        "no keys",
        "empty keys",
        "both",
        "deadline",
        "negative deadline",
    ],
)
def test_environment(provider, names, environment):
    good = json.dumps({"default": PLATFORMS[provider].ENTRY})
    environment = {name: good if value is True else value for name, value in environment.items()}
    expect_error(provider, names, **environment)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "credentials",
    [
        MARK,
        "[]",
        "{}",
        f'"{MARK}"',
        f'{{"default":"{MARK}"}}',
        '{"default":[]}',
        f'{{"a/b":{{"secret":"{MARK}"}}}}',
        f'{{"default":{{"secret":"{MARK}"}}',
    ],
)
def test_credentials_of_another_form(provider, credentials):
    expect_error(provider, ["CREDENTIALS"], QUEUE_URL=QUEUE, CREDENTIALS=credentials)


@pytest.mark.parametrize(
    "provider, change, member",
    [
        (provider, change, member)
        for provider, platform in PLATFORMS.items()
        for change, member in platform.BAD_ENTRIES
    ],
)
def test_entry_error_names_source_and_member(provider, change, member):
    good = PLATFORMS[provider].ENTRY
    entry = {name: value for name, value in (good | change).items() if value is not None}
    credentials = {"default": good, "acme": [good, entry]}
    names = ["CREDENTIALS", "acme", member]
    expect_error(provider, names, QUEUE_URL=QUEUE, CREDENTIALS=json.dumps(credentials))


@pytest.mark.parametrize(
    "provider, missing",
    [(provider, name) for provider, platform in PLATFORMS.items() for name in platform.ENTRY],
)
def test_missing_member_is_named(provider, missing):
    entry = {name: value for name, value in PLATFORMS[provider].ENTRY.items() if name != missing}
    expect_error(
        provider, ["CREDENTIALS", "acme", missing], QUEUE_URL=QUEUE, CREDENTIALS=json.dumps({"acme": entry})
    )


@pytest.mark.parametrize(
    "text, place",
    [
        (None, "CARDS"),
        ("", "CARDS"),
        ("{", "line 1"),
        ("[]", "CARDS"),
        ('{"123":{}}', "123"),
        ('{"123":{"entries":[{"intent":{},"data":1},{"data":2}]}}', "entries[1]"),
        ('{"123":{"entries":[{"intent":{},"data":1,"lifetime":"x"}]}}', "lifetime"),
        ('{"123":{"entries":[{"intent":{},"data":1},{"intent":{},"data":2}]}}', "entries[1]"),
        ('{"123":{"entries":[],"defaults":{"data":1}}}', "defaults"),
    ],
)
def test_catalogue_error_names_the_place(tmp_path, text, place):
    path = tmp_path / "cards.json"
    if text is not None:
        path.write_text(text)
    expect_error(
        "opencard",
        ["CARDS", place],
        QUEUE_URL=QUEUE,
        CREDENTIALS=json.dumps({"default": opencard.ENTRY}),
        CARDS=str(path),
    )


def test_an_openssl_that_refuses_to_encrypt_is_found_at_the_start(tmp_path):
    """Not in the first delivery, which would be refused as if its key were wrong."""
    config = tmp_path / "openssl.cnf"
    config.write_text("openssl_conf = init\n[init]\nproviders = used\n[used]\nnull = null\n[null]\nactivate = 1\n")
    credentials = json.dumps({"default": {"keys": {"0": "MDEyMzQ1Njc4OWFiY2RlZg"}}})
    expect_error(
        "opencard",
        ["default", "a key with which OpenSSL can encrypt"],
        QUEUE_URL=QUEUE,
        CREDENTIALS=credentials,
        OPENSSL_CONF=str(config),
    )
