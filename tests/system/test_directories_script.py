"""The script that asks real tenants, against the directories of the tests."""

import json
import os
import pty
import signal
import subprocess
import time

import pytest

from directories import DingTalkDirectory, WeComDirectory
from servers import ROOT, base_environment

SCRIPT = [ROOT / ".venv/bin/python", ROOT / "tests/account/directories.py"]


@pytest.fixture
def tenants(tmp_path):
    dingtalk, wecom = DingTalkDirectory(), WeComDirectory()
    one = dingtalk.add_department("a")
    for n in range(3):
        dingtalk.add_person(f"u{n}", departments=[one], mobile=f"138{n:08}")
    dingtalk.remove_person("u0")
    corp = {
        "dingtalk": {"corp_id": "dingcorp", "client_id": "dingclient", "client_secret": dingtalk.client_secret},
        "wecom": {"corp_id": "wwcorp", "secret": "wecomsecret-hunter2"},
        "base_urls": {"dingtalk": dingtalk.url, "dingtalk_legacy": dingtalk.url, "wecom": wecom.url},
    }
    (tmp_path / "contacts.json").write_text(json.dumps({"acme": corp}))
    yield dingtalk, wecom, tmp_path / "contacts.json"
    dingtalk.stop()
    wecom.stop()
    assert dingtalk.complaints == [] and wecom.complaints == []


def environment():
    return base_environment() | {"NO_PROXY": "127.0.0.1"}


def run(file, *options, code=0):
    ran = subprocess.run([*SCRIPT, file, *options], env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert ran.returncode == code, (ran.stdout, ran.stderr)
    assert "hunter2" not in ran.stdout + ran.stderr
    rows = [line.split(" | ") for line in ran.stdout.splitlines() if line.startswith("| ") and line[2].isdigit()]
    return ran, [row[3].removesuffix(" |") for row in rows]


@pytest.mark.parametrize(
    "absent, longest, most, expected",
    [
        (33012, 64, 100, ["33012; of a person who never was: 33012", "yes", "64 characters, of 64", "21 are accepted"]),
        (60121, 32, 20, ["60121; of a person who never was: 60121", "yes", "32 characters, of 64, 33, 32", "21 are refused (60110)"]),
    ],
)
def test_the_open_questions_are_answered_and_nothing_is_left(tenants, absent, longest, most, expected):
    dingtalk, wecom, file = tenants
    dingtalk.absent_code, wecom.longest_name, wecom.most_departments = absent, longest, most
    _, answers = run(file, "--yes")
    assert answers[:1] + answers[2:] == expected
    assert answers[1].startswith("ids of 2 departments: ") and "orders of 2 people: 58 bits" in answers[1]
    assert list(wecom.departments) == [1] and wecom.members == {} and wecom.invited == []
    assert all(method == "GET" or "/token" in path or "/topapi/" in path for _, method, path, _ in dingtalk.requests)


def test_it_asks_before_it_writes(tenants):
    _, wecom, file = tenants
    for options in [[], ["--only-read"]]:
        _, answers = run(file, *options, code=1)
        assert answers[2:] == ["not asked: it would write"] * 3
    assert wecom.requests == []
    for word, count in [(b"n\n", 0), (b"y\n", 1)]:
        master, slave = pty.openpty()
        child = subprocess.Popen([*SCRIPT, file], env=environment(), stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.write(master, word)
        child.communicate(timeout=60)
        os.close(slave), os.close(master)
        assert wecom.count("gettoken") == count
    assert list(wecom.departments) == [1]


def test_it_cleans_up_after_an_interruption(tenants):
    _, wecom, file = tenants
    child = subprocess.Popen([*SCRIPT, file, "--yes"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 30
    while len(wecom.departments) < 8 and time.monotonic() < end:
        time.sleep(0.002)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode in [130, 0]
    assert list(wecom.departments) == [1] and wecom.members == {}


def test_what_is_not_allowed_is_said(tenants):
    dingtalk, wecom, file = tenants
    wecom.is_trusted = False
    dingtalk.client_secret = "other"
    _, answers = run(file, "--yes", code=1)
    assert answers[0] == "no answer: DingTalk gives no token: invalidClientIdOrSecret"
    assert answers[2] == "no answer: errcode 60020: 203.0.113.7 is not a trusted address of the assistant"
    file.write_text('{"acme": {"dingtalk": "hunter2"}}')
    run(file, code=2)
