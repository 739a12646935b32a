"""`letterbox contacts` on two directories: the plan, the question, Ctrl-C, the approval, and what it never prints."""

import base64
import json
import os
import pty
import re
import signal
import subprocess
import time

import pytest

from api_server import Fault
from directories import DingTalkDirectory, WeComDirectory
from directories.company import differences
from servers import TARGET, base_environment

HASH_KEY = base64.b64encode(bytes(range(32))).decode()
# What no terminal may show: secrets, numbers and addresses. Names may stand in a plan.
HIDDEN = ["hunter2", HASH_KEY, "13800000", "@example.com", "access_token"]


class Company:
    """Two directories, and the program with a file of credentials and one of the state."""

    def __init__(self, folder):
        self.folder = folder
        self.dingtalk, self.wecom = DingTalkDirectory(), WeComDirectory()
        self.dingtalk.per_second = 1000
        self.development = self.dingtalk.add_department("研发部")
        self.backend = self.dingtalk.add_department("后端组", self.development)
        for n, name in enumerate(["张三", "李四", "王五"]):
            self.hire(f"u{n}", name, n)
        self.options = {}

    def hire(self, userid, name, number):
        department = self.backend if number % 2 else self.development
        self.dingtalk.add_person(userid, name, [department], mobile=f"13800000{number:03}", email=f"{userid}@example.com")

    def command(self, name, *options):
        corp = {
            "dingtalk": {
                "corp_id": self.dingtalk.corp_id,
                "client_id": self.dingtalk.client_id,
                "client_secret": self.dingtalk.client_secret,
            },
            "wecom": {"corp_id": self.wecom.corp_id, "secret": "wecomsecret-hunter2"},
            "hash_key": HASH_KEY,
            "dingtalk_per_second": self.dingtalk.per_second,
            "base_urls": {"dingtalk": self.dingtalk.url, "dingtalk_legacy": self.dingtalk.url, "wecom": self.wecom.url},
        }
        (self.folder / "contacts.json").write_text(json.dumps({"acme": corp | self.options}))
        return [TARGET / "debug/letterbox", "contacts", name, "--credentials", "contacts.json", *options]

    def environment(self):
        return base_environment() | {"NO_PROXY": "127.0.0.1", "TERM": "xterm"}

    def run(self, name, *options, code=0):
        ran = subprocess.run(
            self.command(name, *options),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == code, (ran.returncode, ran.stdout, ran.stderr)
        assert not [hidden for hidden in HIDDEN if hidden in ran.stdout + ran.stderr]
        return ran

    def report(self, name, *options, code=0):
        [corp] = json.loads(self.run(name, "--json", *options, code=code).stdout)["corps"]
        return corp

    def on_a_terminal(self, name, *options):
        """Starts it on a terminal of its own; returns the process and the terminal's other end."""
        own, theirs = pty.openpty()
        child = subprocess.Popen(
            self.command(name, *options),
            cwd=self.folder,
            env=self.environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        return child, own

    def stop(self):
        self.dingtalk.stop()
        self.wecom.stop()


def read_until(terminal, pattern, seconds=60):
    """What the terminal shows, up to the pattern or its end."""
    text, end = "", time.monotonic() + seconds
    while time.monotonic() < end and not (pattern and re.search(pattern, text)):
        try:
            more = os.read(terminal, 65536)
        except OSError:
            return text
        if not more:
            return text
        text += more.decode(errors="replace")
    return text


@pytest.fixture
def company(tmp_path):
    company = Company(tmp_path)
    yield company
    company.stop()


def writes(wecom):
    reads = ["gettoken", "user/list_id", "department/simplelist"]
    return [path for _, _, path, _ in wecom.requests if path.removeprefix("/cgi-bin/") not in reads]


def test_a_plan_shows_every_change_and_makes_none(company):
    company.dingtalk.add_person("nobody", "赵六", [company.backend])
    text = company.run("plan").stdout
    for line in ["create department", "研发部", "create member  u0  张三", "person nobody  no_mobile_no_email"]:
        assert line in text
    assert "would be: 2 departments created, 3 members created; 1 conflict" in text
    assert writes(company.wecom) == [] and not (company.folder / "letterbox-contacts.db").exists()
    plan = company.report("plan")
    assert plan["counts"]["members_created"] == 3
    assert [(one["action"], one["name"]) for one in plan["changes"]][:2] == [
        ("create_department", "研发部"),
        ("create_department", "后端组"),
    ]


def test_what_is_applied_is_what_was_planned(company):
    strip = lambda changes: sorted((one["action"], one["id"]) for one in changes)
    planned = company.report("plan")
    done = company.report("apply", "--yes")
    assert strip(planned["changes"]) == strip(done["changes"])
    assert differences(company.dingtalk, company.wecom) == []
    assert "nothing to write" in company.run("plan").stdout
    assert company.report("status")["members"] == 3
    company.run("conflicts")
    state = (company.folder / "letterbox-contacts.db").read_bytes()
    state += (company.folder / "letterbox-contacts.db-wal").read_bytes() if (company.folder / "letterbox-contacts.db-wal").exists() else b""
    assert not [hidden for hidden in [*HIDDEN, "张三", "研发部"] if hidden.encode() in state]


def test_it_asks_and_no_is_no(company):
    for answer, code, count in [("n", 1, 0), ("y", 0, 3)]:
        child, terminal = company.on_a_terminal("apply")
        assert "Write this to WeCom?" in read_until(terminal, r"Write this to WeCom\?")
        os.write(terminal, f"{answer}\r".encode())
        shown = read_until(terminal, None)
        assert child.wait(60) == code, shown
        os.close(terminal)
        assert len(company.wecom.members) == count
    company.run("apply", code=2)


def test_ctrl_c_ends_it_after_the_present_call_and_the_next_run_goes_on(company):
    for n in range(3, 40):
        company.hire(f"u{n}", f"人{n}", n)
    company.wecom.fail("user/create", Fault(delay=1, also=True))
    child, terminal = company.on_a_terminal("apply", "--yes")
    end = time.monotonic() + 30
    while not company.wecom.members and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    shown = read_until(terminal, None)
    child.wait(60)
    os.close(terminal)
    assert "not finished: it was stopped" in shown
    assert 0 < len(company.wecom.members) < 40
    # The lease was released: the next one runs at once.
    company.run("apply", "--yes")
    assert differences(company.dingtalk, company.wecom) == []


def test_two_runs_exclude_each_other(company):
    company.dingtalk.fail("user/list", Fault(delay=3, also=True))
    first = subprocess.Popen(
        company.command("apply", "--yes"), cwd=company.folder, env=company.environment(), stdout=subprocess.PIPE
    )
    end = time.monotonic() + 30
    while not any("user/list" in path for _, _, path, _ in company.dingtalk.requests) and time.monotonic() < end:
        time.sleep(0.05)
    assert "another run is in progress" in company.run("apply", "--yes", code=1).stdout
    assert first.wait(60) == 0


def test_the_guard_names_the_code_that_approves_exactly_this(company):
    company.options = {"guard": {"count": 1, "percent": 1}}
    company.run("apply", "--yes")
    company.dingtalk.remove_person("u0")
    company.dingtalk.remove_person("u1")
    shown = company.run("plan", code=1).stdout
    assert "the guard would stop this: 2 of 3 members would be removed" in shown and "2 people: u0, u1" in shown
    [code] = re.findall(r"--approve (\w+)", shown)
    assert "stopped by the guard" in company.run("apply", "--yes", code=1).stdout
    assert f"--approve {code}" in company.run("status", code=1).stdout
    assert company.wecom.disabled == []
    # One more is another plan.
    company.dingtalk.remove_person("u2")
    company.run("apply", "--yes", "--approve", code, code=1)
    assert company.wecom.disabled == []
    [code] = re.findall(r"--approve (\w+)", company.run("plan", code=1).stdout)
    company.run("apply", "--yes", "--approve", code)
    assert sorted(company.wecom.disabled) == ["u0", "u1", "u2"]
    company.run("status")


def test_conflicts_about_one_value_are_marked(company):
    company.wecom.add_member("old", mobile="13800000000")
    company.run("apply", "--yes")
    shown = company.run("conflicts", code=1).stdout
    assert "acme: 1 conflict\n" in shown and "person u0  mobile_taken  errcode 60104" in shown
    assert company.report("conflicts", code=1)["conflicts"][0]["kind"] == "mobile_taken"


def test_errors_say_what_to_do(company):
    company.wecom.is_trusted = False
    assert "203.0.113.7" in company.run("plan", code=1).stdout
    company.wecom.is_trusted = True
    company.options = {"gaurd": {}}
    assert 'corp "acme": gaurd: unknown field' in company.run("plan", code=2).stderr
    company.options = {}
    assert "they have acme" in company.run("plan", "--corp", "other", code=2).stderr
    assert "`letterbox contacts apply` creates it" in company.run("status", code=2).stderr
