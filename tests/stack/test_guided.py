"""`sam deploy --guided`: Enter for every question."""

import json
import shutil
import tomllib
from pathlib import Path

import pexpect
import pytest

import messages
from platforms import github
from servers import ROOT
from stack import DEPLOY_TIMEOUT, LOCAL, SAM, Stack, for_the_emulator

# SAM's questions (some in bold, which ends before the brackets), and the answers. The first match counts.
QUESTIONS = {
    r"Stack Name\S* \[\w+\]: ": "guided",
    r"Parameter Architecture\S* \[\w+\]: ": LOCAL["Architecture"],
    r"Disable rollback\S* \[y/N\]: ": "",
    r"\[y/N\]: ": "y",
    r"\]: ": "",
    pexpect.EOF: None,
}


@pytest.fixture(scope="module")
def guided(aws):
    # SAM writes the answers into it.
    config = shutil.copy(ROOT / "samconfig.toml", aws.directory / "guided.toml")
    arguments = ["deploy", "--guided", "--template-file", str(for_the_emulator()), "--config-file", str(config)]
    sam = pexpect.spawn(
        str(SAM), arguments, cwd=aws.directory, env=aws.environment, encoding="utf-8", timeout=DEPLOY_TIMEOUT
    )
    said, answers = "", list(QUESTIONS.values())
    while (answer := answers[sam.expect(list(QUESTIONS))]) is not None:
        said += sam.before + sam.after
        sam.sendline(answer)
    said += sam.before
    sam.close()
    assert sam.exitstatus == 0, said
    stack = Stack(aws, "guided")
    stack.connect_routes()
    return stack, said, tomllib.loads(Path(config).read_text())


def test_github_is_on_and_its_secret_is_generated(guided):
    stack, said, _ = guided
    urls = {output for output in stack.outputs() if output.endswith("Url")}
    assert urls == {"GithubUrl", "QueueUrl", "DeadLetterQueueUrl"}
    # SAM does not ask whether routes without authorization are intended.
    assert "has no authentication" not in said


def test_the_first_delivery_works(guided):
    stack, *_ = guided
    secret = stack.resources()["GithubCredentials"]
    text = stack.aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    hook = github.Hook(json.loads(text)["secret"])
    request = hook.build_request()
    hook.acknowledged(stack.send("github", request), request)
    messages.read(stack.queue().one(), "github", request.payload)


def test_the_chosen_name_is_the_only_one_that_is_saved(guided):
    """Another name for all commands would have `sam logs` read another stack."""
    *_, config = guided
    assert config["default"]["deploy"]["parameters"]["stack_name"] == "guided"
    assert "stack_name" not in config["default"].get("global", {}).get("parameters", {})
