"""Asks test tenants of DingTalk and WeCom what their documents leave open, and prints a report.

    .venv/bin/python tests/account/directories.py contacts.json

The file has the credentials of the contact sync; with several corps, --corp names one. Without --yes it asks on a terminal before
it writes to WeCom. What it creates there begins with `letterbox-check-`: up to 22 departments and one member, who is not
invited. All of it is deleted at the end, also after Ctrl-C. DingTalk is only read: a few hundred calls that do not count against
the month.

Nobody's name, number or address is printed, and no secret. Use tenants made for tests: WeCom deletes a member's mailbox with the
member.

Exit status: 0 all questions have an answer, 1 one has none, 2 it could not start, 130 interrupted.
"""

import argparse
import json
import secrets
import signal
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import requests

PREFIX = "letterbox-check-"
# Calls a second of one API: the standard edition of DingTalk allows 20.
PACE = 0.07
MOST_DEPARTMENTS = 300
MOST_PEOPLE = 100


class CannotAnswer(Exception):
    """Why a question has no answer."""


class Ending:
    """Ctrl-C and the like, which end no call in its middle: what it creates must be known, so that it can be deleted."""

    def __init__(self):
        self.is_wanted = False
        for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
            signal.signal(number, self._want)

    def _want(self, *_):
        self.is_wanted = True

    def check(self):
        if self.is_wanted:
            raise KeyboardInterrupt


def tell(text):
    print(text, file=sys.stderr, flush=True)


class DingTalk:
    """The calls of an internal application that reads."""

    def __init__(self, corp):
        urls = corp.get("base_urls", {})
        self._own = corp["dingtalk"]
        self._api = urls.get("dingtalk", "https://api.dingtalk.com").rstrip("/")
        self._legacy = urls.get("dingtalk_legacy", "https://oapi.dingtalk.com").rstrip("/")
        self._token = None

    def token(self):
        if self._token is None:
            body = {
                "client_id": self._own["client_id"],
                "client_secret": self._own["client_secret"],
                "grant_type": "client_credentials",
            }
            answer = call("POST", f"{self._api}/v1.0/oauth2/{self._own['corp_id']}/token", json=body)
            if "access_token" not in answer:
                raise CannotAnswer(f"DingTalk gives no token: {answer.get('code', 'unknown answer')}")
            self._token = answer["access_token"]
        return self._token

    def post(self, path, body):
        """The answer, with its errcode: of 88, the code below it."""
        time.sleep(PACE)
        answer = call("POST", f"{self._legacy}/topapi/{path}", params={"access_token": self.token()}, json=body)
        code = int(answer.get("errcode", -1000))
        return answer | {"errcode": int(answer.get("sub_code") or 88) if code == 88 else code}

    def result(self, path, body):
        answer = self.post(path, body)
        if answer["errcode"] != 0:
            raise CannotAnswer(f"{path}: errcode {answer['errcode']}")
        return answer["result"]

    def leave_records(self):
        start = (datetime.now(timezone.utc) - timedelta(days=364)).strftime("%Y-%m-%dT%H:%M:%SZ")
        answer = call(
            "GET",
            f"{self._api}/v1.0/contact/empLeaveRecords",
            params={"startTime": start, "maxResults": 50, "nextToken": "0"},
            headers={"x-acs-dingtalk-access-token": self.token()},
        )
        if "records" not in answer:
            raise CannotAnswer(f"empLeaveRecords: {answer.get('code', 'unknown answer')}")
        return answer["records"]


class WeCom:
    """The calls of the contact sync assistant that write."""

    def __init__(self, corp):
        self._own = corp["wecom"]
        self._url = corp.get("base_urls", {}).get("wecom", "https://qyapi.weixin.qq.com").rstrip("/")
        self.root = self._own.get("root", 1)
        self._token = None
        # What has been created, newest last: how it is deleted.
        self.created = []
        self.ending = None

    def token(self):
        if self._token is None:
            parameters = {"corpid": self._own["corp_id"], "corpsecret": self._own["secret"]}
            answer = call("GET", f"{self._url}/cgi-bin/gettoken", params=parameters)
            if answer.get("errcode") != 0:
                raise CannotAnswer(f"WeCom gives no token: errcode {answer.get('errcode')}")
            self._token = answer["access_token"]
        return self._token

    def _answer(self, answer):
        code = answer.get("errcode")
        if code == 60020:
            address = answer.get("errmsg", "").partition("from ip: ")[2].partition(",")[0]
            raise CannotAnswer(f"errcode 60020: {address or 'this address'} is not a trusted address of the assistant")
        return answer

    def post(self, api, body):
        # The assistant refuses a body with \uXXXX.
        data = json.dumps(body, ensure_ascii=False).encode()
        return self._answer(call("POST", f"{self._url}/cgi-bin/{api}", params={"access_token": self.token()}, data=data))

    def get(self, api, **parameters):
        return self._answer(call("GET", f"{self._url}/cgi-bin/{api}", params={"access_token": self.token()} | parameters))

    def create_department(self, name):
        """Its id, or None; and the errcode."""
        self.ending.check()
        answer = self.post("department/create", {"name": name, "parentid": self.root})
        if answer["errcode"] == 0:
            self.created.append(("department/delete", {"id": answer["id"]}))
        return answer.get("id"), answer["errcode"]

    def create_member(self, body):
        self.ending.check()
        answer = self.post("user/create", body | {"to_invite": False})
        if answer["errcode"] == 0:
            self.created.append(("user/delete", {"userid": body["userid"]}))
        return answer["errcode"]

    def clean_up(self):
        """Deletes what was created, newest first. Returns what could not be deleted."""
        left = []
        while self.created:
            api, parameters = self.created.pop()
            try:
                code = self.get(api, **parameters).get("errcode")
            except CannotAnswer as error:
                code = error
            if code not in [0, 60003, 60111]:
                left.append(f"{api} {parameters}: {code}")
        return left


def call(method, url, **more):
    """The JSON of an answer. An error names only the host: a URL holds tokens."""
    host = url.split("/")[2]
    try:
        answer = requests.request(method, url, timeout=20, allow_redirects=False, **more)
        found = answer.json()
    except requests.JSONDecodeError:
        raise CannotAnswer(f"{host}: HTTP {answer.status_code}, not JSON") from None
    except requests.RequestException as error:
        raise CannotAnswer(f"{host}: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise CannotAnswer(f"{host}: HTTP {answer.status_code}, not a JSON object")
    return found


# The questions


def departed(dingtalk, wecom):
    """The code of user/get for somebody who has left, and for somebody who never was."""
    never = dingtalk.post("v2/user/get", {"userid": f"{PREFIX}{secrets.token_hex(8)}"})["errcode"]
    codes = set()
    for record in dingtalk.leave_records()[:5]:
        codes.add(dingtalk.post("v2/user/get", {"userid": record["userId"]})["errcode"])
    # Who has come back is there.
    codes -= {0}
    if not codes:
        raise CannotAnswer(f"nobody has left within a year; of a person who never was: {never}")
    return f"{', '.join(map(str, sorted(codes)))}; of a person who never was: {never}"


def ranges(dingtalk, wecom):
    """How large ids of departments and orders are."""
    departments, waiting = [], [1]
    people = {}
    while waiting and len(departments) < MOST_DEPARTMENTS:
        one = waiting.pop(0)
        departments.append(one)
        below = dingtalk.post("v2/department/listsub", {"dept_id": one})
        if below["errcode"] == 0:
            waiting += [int(row["dept_id"]) for row in below["result"]]
        page = dingtalk.post("v2/user/list", {"dept_id": one, "cursor": 0, "size": 100})
        if page["errcode"] == 0:
            rows = page["result"].get("list") or []
            people |= {row["userid"]: int(row.get("dept_order") or 0) for row in ([rows] if isinstance(rows, dict) else rows)}
    orders = [int(dingtalk.result("v2/department/get", {"dept_id": one}).get("order") or 0) for one in departments[:MOST_PEOPLE]]
    bits = lambda numbers: max((abs(number).bit_length() for number in numbers), default=0)
    return (
        f"ids of {len(departments)} departments: {bits(departments)} bits; their orders: {bits(orders)} bits; "
        f"orders of {len(people)} people: {bits(people.values())} bits"
    )


def assistant_departments(dingtalk, wecom):
    """Whether the assistant's secret may create, change and delete departments."""
    new, created = wecom.create_department(f"{PREFIX}{secrets.token_hex(4)}")
    if new is None:
        return f"no: department/create gives {created}"
    changed = wecom.post("department/update", {"id": new, "name": f"{PREFIX}{secrets.token_hex(4)}"})["errcode"]
    deleted = wecom.get("department/delete", id=new)["errcode"]
    if deleted == 0:
        wecom.created.pop()
    return "yes" if changed == deleted == 0 else f"it may create, but department/update gives {changed}, department/delete {deleted}"


def longest_name(dingtalk, wecom):
    """The longest name of a department."""
    codes = {}
    for length in [64, 33, 32]:
        _, codes[length] = wecom.create_department((PREFIX + secrets.token_hex(32))[:length])
        if codes[length] == 0:
            return f"{length} characters, of {', '.join(map(str, codes))}"
    raise CannotAnswer(", ".join(f"{length} characters: errcode {code}" for length, code in codes.items()))


def most_departments(dingtalk, wecom):
    """Whether a member may be in more than 20 departments."""
    departments = []
    for _ in range(21):
        new, code = wecom.create_department(f"{PREFIX}{secrets.token_hex(4)}")
        if new is None:
            raise CannotAnswer(f"department/create: errcode {code}")
        departments.append(new)
    name = f"{PREFIX}{secrets.token_hex(4)}"
    code = wecom.create_member({"userid": name, "name": name, "email": f"{name}@example.com", "department": departments})
    if code == 0:
        return "21 are accepted"
    if code == 60110:
        return "21 are refused (60110)"
    raise CannotAnswer(f"user/create: errcode {code}")


# The number in the list of open questions, the check, whether it writes, and what the contact sync expects.
QUESTIONS = [
    (1, departed, False, "33012 or 60121: both count as absent"),
    (12, ranges, False, "at most 63 bits"),
    (4, assistant_departments, True, "yes"),
    (6, longest_name, True, "64 characters; after 60001 it cuts to 32"),
    (6, most_departments, True, "21 are accepted; after 60110 the member is parked"),
]


def parse(arguments):
    parser = argparse.ArgumentParser(prog="directories", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("credentials", type=Path, help="the credentials of the contact sync, a JSON file")
    parser.add_argument("--corp", metavar="NAME", help="the corp, if the file has several")
    parser.add_argument("--only-read", action="store_true", help="write nothing, and ask nothing")
    parser.add_argument("--yes", action="store_true", help="write without asking")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the report to this file")
    return parser.parse_args(arguments)


def read_corp(options):
    try:
        corps = json.loads(options.credentials.read_text())
        name = options.corp or (list(corps)[0] if len(corps) == 1 else None)
        if name is None:
            sys.exit("directories: the file has several corps: choose one with --corp")
        corp = corps[name]
        return corp, [corp["dingtalk"]["client_secret"], corp["wecom"]["secret"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # The text of an error could be a part of the file.
        tell(f"directories: {options.credentials}: {type(error).__name__}: expected the credentials of the contact sync")
        sys.exit(2)


def may_write(options):
    if options.only_read:
        return False
    if options.yes:
        return True
    if not sys.stdin.isatty():
        tell("directories: no terminal to ask on: nothing is written; --yes writes without asking")
        return False
    tell(f"It creates up to 22 departments and one member at WeCom, named {PREFIX}…, and deletes them again.")
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ["y", "yes"]


def main(arguments):
    options = parse(arguments)
    corp, hidden = read_corp(options)
    dingtalk, wecom = DingTalk(corp), WeCom(corp)
    writes = may_write(options)
    wecom.ending = Ending()
    rows, is_open, interrupted = [], False, False
    try:
        for number, question, is_write, expectation in QUESTIONS:
            wecom.ending.check()
            tell(f"{number}: {question.__doc__}")
            try:
                answer = question(dingtalk, wecom) if writes or not is_write else None
            except CannotAnswer as error:
                answer, is_open = f"no answer: {error}", True
            if answer is None:
                answer, is_open = "not asked: it would write", True
            rows.append((number, question.__doc__, expectation, answer))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        left = wecom.clean_up() if wecom.created else []
    lines = ["# What DingTalk and WeCom answer", "", "| question | | expected | found |", "|---|---|---|---|"]
    lines += [f"| {number} | {what} | {expectation} | {answer} |" for number, what, expectation, answer in rows]
    lines += ["", *[f"Delete by hand: {one}" for one in left]] if left else [""]
    report = "\n".join(lines).rstrip() + "\n"
    for secret in hidden:
        report = report.replace(secret, "…")
    print(report, end="")
    if options.out:
        options.out.write_text(report)
    return 130 if interrupted else 1 if is_open or left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
