"""The archives of a release, as a new user takes them: unpacked into an empty folder, and deployed without a compiler.

`make stack` packs the builds of the tests, `make dist` those of the release; both run this file. ARCHIVES in the
environment names the folder with the archives.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

import messages
from conftest import CARDS, new_senders
from emulator import Emulator
from platforms import PLATFORMS
from servers import PROVIDERS, ROOT
from stack import DEPLOY_TIMEOUT, LOCAL, SAM, Stack

ARCHIVES = Path(os.environ.get("ARCHIVES") or ROOT / ".aws-sam/dist")
ARCHITECTURE = LOCAL["Architecture"]
TARGET = f"{'aarch64' if ARCHITECTURE == 'arm64' else ARCHITECTURE}-unknown-linux-gnu"
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
# What builds Letterbox from its source.
COMPILERS = ["cargo", "rustc", "rustup", "cargo-lambda", "zig", "python-zig", "cc", "gcc", "clang", "make", "perl"]


def unpacked(name, directory):
    """The folder in an archive of this version."""
    path = ARCHIVES / f"letterbox-{VERSION}-{name}.tar.gz"
    with tarfile.open(path) as archive:
        archive.extractall(directory, filter="data")
    [folder] = directory.iterdir()
    assert folder.name == path.name.removesuffix(".tar.gz")
    return folder


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """An account in which nothing is yet."""
    aws = Emulator(tmp_path_factory.mktemp("account"))
    yield aws
    aws.stop()


@pytest.fixture(scope="module")
def environment(account, tmp_path_factory):
    """Of a machine that has the SAM CLI, and nothing else."""
    tools = tmp_path_factory.mktemp("tools")
    (tools / "sam").symlink_to(SAM)
    return account.environment | {"PATH": str(tools)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return unpacked(ARCHITECTURE, tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return unpacked(TARGET, tmp_path_factory.mktemp("program")) / "letterbox"


@pytest.fixture(scope="module")
def archive_senders():
    return new_senders()


@pytest.fixture(scope="module")
def demo(folder, archive_senders):
    """The archive's demo entries; where the URL is signed, with the sender's, as the local API Gateway has another."""
    entries = {}
    for provider, sender in archive_senders.items():
        entry = json.loads((folder / "events" / provider / "credentials.json").read_text())["default"]
        entries[provider] = entry | {name: sender.credentials[name] for name in ["url"] if name in sender.credentials}
    return entries


@pytest.fixture(scope="module")
def deployed(account, environment, folder, archive_senders, demo):
    """The stack, with the samconfig.toml of the archive; each provider has two sources, `default` and `demo`."""
    parameters = []
    for provider, sender in archive_senders.items():
        credentials = {"default": sender.credentials, "demo": demo[provider]}
        arn = account.secret(f"letterbox-{provider}", json.dumps(credentials))
        parameters.append(f"{provider.capitalize()}={arn}")
    cards = account.upload(account.bucket("letterbox-cards"), "cards.json", json.dumps(CARDS))
    # An answer to the one question: Deploy this changeset? [y/N]
    sam = subprocess.run(
        ["sam", "deploy", "--parameter-overrides", *parameters, f"OpencardCards={cards}"],
        cwd=folder,
        env=environment,
        input="y\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEPLOY_TIMEOUT,
        check=False,
    )
    assert sam.returncode == 0, sam.stdout
    stack = Stack(account, "letterbox")
    stack.connect_routes()
    return stack


@pytest.fixture
def archived(deployed):
    deployed.queue().drain()
    return deployed


def test_nothing_that_compiles_is_there(environment):
    assert {tool: shutil.which(tool, path=environment["PATH"]) for tool in COMPILERS} == dict.fromkeys(COMPILERS)
    # It would be, otherwise.
    assert shutil.which("sam", path=environment["PATH"])


def test_the_sums_are_those_of_the_archives():
    sums = dict(reversed(line.split("  ")) for line in (ARCHIVES / "SHA256SUMS").read_text().splitlines())
    assert sums == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in ARCHIVES.iterdir()
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert {f"letterbox-{VERSION}-{name}.tar.gz" for name in [ARCHITECTURE, TARGET]} <= set(sums)


def test_the_folder_says_how_to_go_on(folder):
    for name in ["README.md", "README.zh-CN.md"]:
        text = (folder / name).read_text()
        assert "{{" not in text and "$ sam deploy\n" in text and folder.name in text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_delivery_is_answered_and_queued(archived, archive_senders, provider):
    sender = archive_senders[provider]
    request = sender.build_request()
    sender.acknowledged(archived.send(provider, request), request)
    messages.read(archived.queue().one(), provider, request.payload)


def test_the_program_says_its_version(program, environment):
    said = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == f"letterbox {VERSION}\n"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_program_sends_what_the_stack_queues(archived, demo, program, environment, tmp_path, provider):
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps({provider: {"demo": demo[provider]}}))
    said = subprocess.run(
        [program, "send", provider, PLATFORMS[provider].SAMPLE, "--source", "demo", "--credentials", credentials]
        + ["--to", f"{archived.url(provider)}/demo"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0 and "\nok: " in said.stdout + said.stderr, said.stdout + said.stderr
    assert json.loads(archived.queue().one()["Body"])["source"] == f"/{provider}/demo"
