"""WeCom's directory: departments, members, tags, and the calls of the contact sync assistant and of an application."""

import json
import re
import time
import uuid
from collections import defaultdict, deque

from api_server import Api

USERID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
MOBILE = re.compile(r"(\+86)?1[0-9]{10}|\+(?!86)[0-9]{5,20}")
FORBIDDEN_IN_NAMES = set('\\:*?"<>|｜')

# What the assistant may not read from a new address.
READS = {"user/get", "user/simplelist", "user/list", "department/list", "department/get"}
# What only the assistant may do.
WRITES = {
    "user/create", "user/update", "user/delete", "user/batchdelete", "department/create", "department/update",
    "department/delete",
}  # fmt: skip
# Each of these groups one call after another.
SERIAL = [["department/create", "department/update", "department/delete"], ["user/create"]]

MEMBER_FIELDS = {
    "userid", "name", "alias", "mobile", "department", "order", "position", "gender", "email", "biz_mail", "telephone",
    "is_leader_in_dept", "direct_leader", "avatar_mediaid", "enable", "extattr", "to_invite", "external_profile",
    "external_position", "nickname", "address", "main_department", "new_userid",
}  # fmt: skip

# The department for members without one, which WeCom creates when it needs it.
UNSET = "待设置部门"


def normal(field, value):
    """A value as it is compared with others."""
    return value.removeprefix("+86") if field == "mobile" else value.lower()


class WeComError(Exception):
    def __init__(self, code, text="", **more):
        self.code, self.text, self.more = code, text, more


class WeComDirectory(Api):
    """One corp. `members`, `departments` and `tags` are what it has."""

    def __init__(self, corp_id="wwcorp", secret="wecomsecret-hunter2", reader_secret="readersecret-hunter2"):
        self.corp_id = corp_id
        # Secrets, and who has them.
        self.secrets = {secret: "assistant", reader_secret: "application"}
        self.departments = {1: {"id": 1, "name": "Corp", "parentid": 0, "order": 100_000_000}}
        self.members = {}
        self.tags = {}
        self.activated = set()
        self.creator = None
        self.most_accounts = 100_000
        self.most_departments = 100
        self.longest_name = 64
        self.is_trusted = True
        self.reads_are_forbidden = True
        self.per_minute = 10_000
        self.complaints = []
        self.invited = []
        # What was created because a member named it.
        self.silently_created = []
        self.deleted = []
        self.disabled = []
        self.conflicts_of_version = 0
        self.token_fetches = 0
        self.token_code = 40014
        self._tokens = {}
        self._recent = defaultdict(deque)
        self._blocked_until = {}
        # Who has a userid, a mobile number, an e-mail address.
        self._owners = {"userid": {}, "mobile": {}, "email": {}}
        self._next_department = 2
        self._next_tag = 1
        super().__init__()

    # The administrator's side

    def add_member(self, userid, departments=(1,), **more):
        """A member whom somebody has made by hand."""
        with self.lock:
            self._store({"userid": userid, "name": userid, "department": list(departments), "enable": 1} | more)
            return userid

    def add_department(self, name, parent=1):
        with self.lock:
            new = self._new_department()
            self.departments[new] = {"id": new, "name": name, "parentid": parent, "order": 0}
            return new

    def end_tokens(self, code=40014):
        with self.lock:
            self._tokens.clear()
            self.token_code = code

    def _new_department(self):
        while self._next_department in self.departments:
            self._next_department += 1
        return self._next_department

    def find(self, userid):
        """The member with that userid, which ignores case."""
        return self.members.get(self._owners["userid"].get(str(userid).lower()))

    def _store(self, member):
        self._drop(member["userid"])
        self.members[member["userid"]] = member
        for field, owners in self._owners.items():
            if member.get(field):
                owners[normal(field, member[field])] = member["userid"]

    def _drop(self, userid):
        member = self.members.pop(userid, None)
        for field, owners in self._owners.items():
            if member and member.get(field):
                owners.pop(normal(field, member[field]), None)

    # The application's side

    def answer(self, method, path, query, headers, body):
        try:
            status, answer = 200, self._call(method, path, query, body)
        except WeComError as error:
            hint = f"hint: [{int(time.time())}_{uuid.uuid4().hex[:8]}], from ip: 203.0.113.7"
            text = f"{error.text or 'error'}, {hint}, more info at https://open.work.weixin.qq.com/devtool/query?e={error.code}"
            status, answer = 200, {"errcode": error.code, "errmsg": text} | error.more
        except LookupError as error:
            status, answer = 404, str(error).encode()
        return status, {}, answer

    def _call(self, method, path, query, body):
        api = path.removeprefix("/cgi-bin/")
        if api == path:
            raise LookupError(path)
        if api == "gettoken":
            return self._token(query)
        found = CALLS.get(api)
        if found is None:
            self.complaints.append(path)
            raise LookupError(path)
        call, expected_method = found
        token = query.pop("access_token", [None])[0]
        if token is None:
            raise WeComError(41001, "access_token missing")
        who = self._tokens.get(token)
        if who is None or who[1] <= time.time():
            raise WeComError(self.token_code if token not in self._tokens else 42001, "invalid access_token")
        if method != expected_method:
            self.complaints.append(f"{method} {path}")
            raise WeComError(43001 if expected_method == "GET" else 43002, "require the other method")
        if not self.is_trusted:
            raise WeComError(60020, "not allow to access from your ip")
        self._keep_to_limits(api)
        secret = self.secrets.get(who[0])
        if secret == "assistant" and api in READS and self.reads_are_forbidden:
            raise WeComError(48009, "api forbidden for the contact sync assistant")
        if secret == "application" and (api in WRITES):
            raise WeComError(48002, "api forbidden")
        if method == "GET":
            return self._of_get(call, api, query)
        for apis in SERIAL:
            if api in apis and sum(self.under_way[f"/cgi-bin/{one}"] for one in apis) > 1:
                self.conflicts_of_version += 1
                raise WeComError(6000, "data version conflict")
        return {"errcode": 0, "errmsg": "ok"} | call(self, self._json(api, body), who[0])

    def _of_get(self, call, api, query):
        return {"errcode": 0, "errmsg": "ok"} | call(self, {name: values[0] for name, values in query.items()}, None)

    def _json(self, api, body):
        try:
            text = body.decode()
            if re.search(r"\\u[0-9a-fA-F]{4}", text):
                raise WeComError(40033, "invalid request: escaped characters")
            given = json.loads(text)
            assert isinstance(given, dict)
            return given
        except (ValueError, AssertionError):
            self.complaints.append(f"{api} with a body that is no JSON object")
            raise WeComError(47001, "data format error") from None

    def _keep_to_limits(self, api):
        now = time.monotonic()
        if now < self._blocked_until.get(api, 0):
            raise WeComError(45009, "api freq out of limit")
        recent = self._recent[api]
        recent.append(now)
        while recent[0] < now - 60:
            recent.popleft()
        if len(recent) > self.per_minute:
            self._blocked_until[api] = now + 60
            raise WeComError(45009, "api freq out of limit")

    def _token(self, query):
        one = {name: values[0] for name, values in query.items()}
        if not one:
            raise WeComError(41004, "corpsecret missing")
        if "corpid" not in one:
            raise WeComError(41002, "corpid missing")
        if one["corpid"] != self.corp_id:
            raise WeComError(40013, "invalid corpid")
        if one.get("corpsecret") not in self.secrets:
            raise WeComError(40001, "invalid credential")
        self.token_fetches += 1
        secret, now = one["corpsecret"], time.time()
        for token, (of, until) in self._tokens.items():
            if of == secret and until > now:
                return {"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": int(until - now)}
        token = uuid.uuid4().hex
        self._tokens[token] = secret, now + 7200
        return {"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": 7200}

    # Members

    def _member_fields(self, given, before=None):
        """The fields of a creation or change, checked. Returns them, and the departments that were created."""
        unknown = set(given) - MEMBER_FIELDS
        if unknown:
            self.complaints.append(f"member {sorted(unknown)}")
        new = dict(given)
        new.pop("to_invite", None)
        if "new_userid" in new:
            raise WeComError(301036, "userid cannot be changed")
        if "name" in new and not (isinstance(new["name"], str) and 1 <= len(new["name"]) <= 64):
            raise WeComError(60112, "invalid name")
        for field, most, code in [("position", 128, 40058), ("telephone", 32, 40058), ("alias", 64, 40058), ("address", 128, 40058)]:
            if field in new and not (isinstance(new[field], str) and len(new[field]) <= most):
                self.complaints.append(f"member {field}")
                raise WeComError(code, f"invalid {field}")
        own = (before or {}).get("userid")
        for field, pattern, malformed, taken in [("mobile", MOBILE, 60103, 60104), ("email", EMAIL, 60105, 60106)]:
            value = new.get(field)
            if value is None or value == "":
                continue
            if not isinstance(value, str) or not pattern.fullmatch(value) or (field == "email" and not 6 <= len(value) <= 64):
                raise WeComError(malformed, f"invalid {field}")
            owner = self._owners[field].get(normal(field, value))
            if owner is not None and owner != own:
                raise WeComError(taken, f"{field} existed")
        if before and before["userid"] in self.activated and "mobile" in new:
            # Without an error.
            del new["mobile"]
        after = (before or {}) | new
        if not after.get("mobile") and not after.get("email"):
            raise WeComError(60129, "missing mobile or email")
        created = self._departments_of(new, after, is_new=before is None)
        departments = new.get("department", (before or {}).get("department", []))
        for field, code in [("order", 40058), ("is_leader_in_dept", 60132)]:
            if field not in new:
                continue
            if not isinstance(new[field], list) or len(new[field]) != len(departments):
                raise WeComError(code, f"{field} has another length")
            most = 2**32 if field == "order" else 2
            if not all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < most for one in new[field]):
                raise WeComError(40058, f"invalid {field}")
        if "main_department" in new and new["main_department"] not in departments:
            raise WeComError(60123, "invalid main_department")
        if "direct_leader" in new:
            leaders = new["direct_leader"]
            if not isinstance(leaders, list) or len(leaders) > 1:
                raise WeComError(40058, "invalid direct_leader")
            if any(self.find(one) is None for one in leaders):
                raise WeComError(60111, "userid not found")
        if "enable" in new and new["enable"] not in [0, 1]:
            raise WeComError(40058, "invalid enable")
        return new, created

    def _departments_of(self, new, after, is_new):
        if "department" not in new and not is_new:
            return []
        departments = new.get("department", [])
        is_list = isinstance(departments, list)
        if not is_list or not all(isinstance(one, int) and not isinstance(one, bool) and 0 < one < 2**31 for one in departments):
            raise WeComError(41019, "department must be an array of numbers")
        if len(departments) > self.most_departments:
            raise WeComError(60110, "too many departments")
        created = []
        if not departments:
            new["department"] = [self._unset()]
        for one in departments:
            if one not in self.departments:
                self.departments[one] = {"id": one, "name": f"{UNSET}{one}", "parentid": self._unset(), "order": 0}
                created.append({"name": self.departments[one]["name"], "id": one})
                self.silently_created.append(one)
        return created

    def _unset(self):
        for one in self.departments.values():
            if one["name"] == UNSET:
                return one["id"]
        return self.add_department(UNSET)

    @staticmethod
    def _created(created):
        return {"created_department_list": {"department_info": created}} if created else {}

    def user_create(self, given, secret):
        userid = given.get("userid")
        if not userid:
            raise WeComError(41009, "userid missing")
        if not isinstance(userid, str) or not USERID.fullmatch(userid):
            raise WeComError(40003, "invalid userid")
        if "name" not in given:
            raise WeComError(60112, "invalid name")
        if self.find(userid):
            raise WeComError(60102, "userid existed")
        if len(self.members) >= self.most_accounts:
            raise WeComError(45024, "account count out of limit")
        new, created = self._member_fields(given)
        self._store({"enable": 1, "is_leader_in_dept": [0] * len(new["department"]), "direct_leader": []} | new)
        if given.get("to_invite", True) is not False:
            self.invited.append(userid)
        return {"errmsg": "created"} | self._created(created)

    def _existing(self, userid):
        if not userid:
            raise WeComError(41009, "userid missing")
        member = self.find(userid)
        if member is None:
            raise WeComError(60111, "userid not found")
        return member

    def user_update(self, given, secret):
        member = self._existing(given.get("userid"))
        given = given | {"userid": member["userid"]}
        new, created = self._member_fields(given, member)
        if new.get("enable") == 0 and member.get("enable") != 0:
            self.disabled.append(member["userid"])
        member = member | new
        self._store(member)
        if len(member.get("is_leader_in_dept", [])) != len(member["department"]):
            member["is_leader_in_dept"] = [0] * len(member["department"])
        return {"errmsg": "updated"} | self._created(created)

    def user_delete(self, given, secret):
        self._known(given, {"userid"}, "user/delete")
        member = self._existing(given.get("userid"))
        if member["userid"] == self.creator:
            raise WeComError(301005, "not allow to delete the creator")
        self._forget(member["userid"])
        return {"errmsg": "deleted"}

    def user_batchdelete(self, given, secret):
        users = given.get("useridlist")
        if not isinstance(users, list) or not 1 <= len(users) <= 200:
            raise WeComError(40032, "invalid useridlist")
        for userid in users:
            if self.find(userid) is None:
                raise WeComError(40031, "invalid userid")
        for userid in users:
            self._forget(self.find(userid)["userid"])
        return {"errmsg": "deleted"}

    def _forget(self, userid):
        self._drop(userid)
        self.deleted.append(userid)
        for tag in self.tags.values():
            tag["members"].discard(userid)
        for member in self.members.values():
            member["direct_leader"] = [one for one in member.get("direct_leader", []) if one != userid]

    def user_get(self, given, secret):
        member = self._existing(given.get("userid"))
        status = 2 if member.get("enable") == 0 else 1 if member["userid"] in self.activated else 4
        return member | {"status": status}

    def user_simplelist(self, given, secret):
        return {"userlist": [{name: row[name] for name in ["userid", "name", "department"]} for row in self._in(given)]}

    def user_list(self, given, secret):
        return {"userlist": self._in(given)}

    def _in(self, given):
        department = int(given["department_id"])
        if department not in self.departments:
            raise WeComError(60003, "department not found")
        return [member for member in self.members.values() if department in member["department"]]

    def user_list_id(self, given, secret):
        self._known(given, {"cursor", "limit"}, "user/list_id")
        limit = given.get("limit", 10_000)
        if not isinstance(limit, int) or not 1 <= limit <= 10_000:
            raise WeComError(40058, "invalid limit")
        rows = [{"userid": userid, "department": one} for userid, member in self.members.items() for one in member["department"]]
        start = int(given.get("cursor") or 0)
        following = str(start + limit) if start + limit < len(rows) else ""
        return {"next_cursor": following, "dept_user": rows[start : start + limit]}

    def user_getuserid(self, given, secret):
        found = self._owners["mobile"].get(normal("mobile", given.get("mobile", "")))
        if not found:
            raise WeComError(46004, "user no exist")
        return {"userid": found}

    def user_get_userid_by_email(self, given, secret):
        found = self._owners["email"].get(normal("email", given.get("email", "")))
        if not found:
            raise WeComError(46004, "user no exist")
        return {"userid": found}

    # Departments

    def _known(self, given, names, api):
        unknown = set(given) - names
        if unknown:
            self.complaints.append(f"{api} {sorted(unknown)}")

    def _department_fields(self, given, own=None):
        name, parent = given.get("name"), given.get("parentid")
        if name is not None:
            if not isinstance(name, str) or not name:
                raise WeComError(60125, "invalid department name")
            if len(name) > self.longest_name:
                raise WeComError(60001, "department name length out of limit: at most 32")
            if FORBIDDEN_IN_NAMES & set(name):
                raise WeComError(60009, "invalid characters in department name")
        if parent is not None and parent not in self.departments:
            raise WeComError(60004, "parent department not found")
        order = given.get("order")
        if order is not None and not (isinstance(order, int) and 0 <= order < 2**32):
            raise WeComError(40058, "invalid order")
        new_parent = parent if parent is not None else self.departments[own]["parentid"]
        new_name = name if name is not None else self.departments[own]["name"]
        siblings = [one for one in self.departments.values() if one["parentid"] == new_parent and one["id"] != own]
        if any(one["name"] == new_name for one in siblings):
            raise WeComError(60008, "department existed")
        if len(siblings) >= 30_000:
            raise WeComError(40058, "too many nodes")
        above = new_parent
        depth = 1
        while above:
            if above == own:
                raise WeComError(60010, "department cycle")
            above = self.departments[above]["parentid"]
            depth += 1
        if depth > 15:
            raise WeComError(60011 if own is None else 60010, "department depth out of limit")

    def department_create(self, given, secret):
        self._known(given, {"name", "name_en", "parentid", "order", "id"}, "department/create")
        if "name" not in given:
            raise WeComError(60125, "invalid department name")
        if "parentid" not in given:
            raise WeComError(60124, "invalid parent department")
        new = given.get("id")
        if new is not None and not (isinstance(new, int) and 1 < new < 2**31):
            raise WeComError(60123, "invalid department id")
        if new in self.departments:
            raise WeComError(60008, "department existed")
        self._department_fields(given)
        new = new or self._new_department()
        self.departments[new] = {"id": new, "name": given["name"], "parentid": given["parentid"], "order": given.get("order", 0)}
        return {"errmsg": "created", "id": new}

    def department_update(self, given, secret):
        self._known(given, {"name", "name_en", "parentid", "order", "id"}, "department/update")
        own = given.get("id")
        if own not in self.departments:
            raise WeComError(60003, "department not found")
        self._department_fields(given, own)
        self.departments[own].update({name: value for name, value in given.items() if name in ["name", "parentid", "order"]})
        return {"errmsg": "updated"}

    def department_delete(self, given, secret):
        self._known(given, {"id"}, "department/delete")
        own = int(given.get("id", 0))
        if own not in self.departments:
            raise WeComError(60003, "department not found")
        if own == 1:
            raise WeComError(60007, "root department cannot be deleted")
        if any(one["parentid"] == own for one in self.departments.values()):
            raise WeComError(60006, "department has sub departments")
        if any(own in member["department"] for member in self.members.values()):
            raise WeComError(60005, "department has members")
        del self.departments[own]
        return {"errmsg": "deleted"}

    def below(self, department):
        """A department and all below it."""
        found = [department]
        for one in found:
            found += [other["id"] for other in self.departments.values() if other["parentid"] == one]
        return found

    def department_simplelist(self, given, secret):
        wanted = self.below(int(given["id"])) if "id" in given else list(self.departments)
        rows = [self.departments[one] for one in wanted]
        return {"department_id": [{name: row[name] for name in ["id", "parentid", "order"]} for row in rows]}

    def department_list(self, given, secret):
        wanted = self.below(int(given["id"])) if "id" in given else list(self.departments)
        return {"department": [self.departments[one] for one in wanted]}

    def department_get(self, given, secret):
        own = int(given["id"])
        if own not in self.departments:
            raise WeComError(60003, "department not found")
        return {"department": self.departments[own]}

    # Tags

    def _tag(self, given, secret=None):
        tag = self.tags.get(int(given.get("tagid") or 0))
        if tag is None:
            raise WeComError(40068, "invalid tagid")
        if secret is not None and tag["secret"] not in [secret, None]:
            raise WeComError(81011, "no permission for this tag")
        return tag

    def _tag_name(self, name, own=None):
        if not isinstance(name, str) or not 1 <= len(name) <= 32:
            raise WeComError(40072, "invalid tag name")
        if any(tag["name"] == name and tag["id"] != own for tag in self.tags.values()):
            raise WeComError(40071, "tag name existed")

    def tag_create(self, given, secret):
        self._known(given, {"tagname", "tagid"}, "tag/create")
        self._tag_name(given.get("tagname"))
        new = given.get("tagid")
        if new in self.tags or (new is not None and not (isinstance(new, int) and 0 < new < 2**31)):
            raise WeComError(40068, "invalid tagid")
        if len(self.tags) >= 3000:
            raise WeComError(40058, "too many tags")
        while new is None or new in self.tags:
            self._next_tag += 1
            new = self._next_tag
        self.tags[new] = {"id": new, "name": given["tagname"], "members": set(), "secret": secret}
        return {"errmsg": "created", "tagid": new}

    def tag_update(self, given, secret):
        tag = self._tag(given, secret)
        self._tag_name(given.get("tagname"), tag["id"])
        tag["name"] = given["tagname"]
        return {"errmsg": "updated"}

    def tag_delete(self, given, secret):
        tag = self._tag(given)
        del self.tags[tag["id"]]
        return {"errmsg": "deleted"}

    def tag_get(self, given, secret):
        tag = self._tag(given)
        rows = [{"userid": userid, "name": self.members[userid]["name"]} for userid in sorted(tag["members"])]
        return {"tagname": tag["name"], "userlist": rows, "partylist": []}

    def tag_list(self, given, secret):
        return {"taglist": [{"tagid": tag["id"], "tagname": tag["name"]} for tag in self.tags.values()]}

    def _tag_users(self, given, secret, is_added):
        self._known(given, {"tagid", "userlist", "partylist"}, "tag users")
        tag = self._tag(given, secret)
        users, parties = given.get("userlist") or [], given.get("partylist") or []
        if not users and not parties or len(users) > 1000 or len(parties) > 100:
            raise WeComError(40032, "invalid list")
        valid = [userid for userid in users if (userid in self.members if is_added else userid in tag["members"])]
        invalid = [userid for userid in users if userid not in valid]
        unknown = [one for one in parties if one not in self.departments]
        if not valid and len(unknown) == len(parties):
            raise WeComError(40070 if is_added else 40031, "all list invalid")
        if is_added:
            tag["members"] |= set(valid)
        else:
            tag["members"] -= set(valid)
        answer = {"invalidlist": "|".join(invalid)} if invalid else {}
        return answer | ({"invalidparty": unknown} if unknown else {})

    def tag_addtagusers(self, given, secret):
        return self._tag_users(given, secret, True)

    def tag_deltagusers(self, given, secret):
        return self._tag_users(given, secret, False)


# The calls, with their methods.
CALLS = {
    "user/create": (WeComDirectory.user_create, "POST"),
    "user/update": (WeComDirectory.user_update, "POST"),
    "user/delete": (WeComDirectory.user_delete, "GET"),
    "user/batchdelete": (WeComDirectory.user_batchdelete, "POST"),
    "user/get": (WeComDirectory.user_get, "GET"),
    "user/simplelist": (WeComDirectory.user_simplelist, "GET"),
    "user/list": (WeComDirectory.user_list, "GET"),
    "user/list_id": (WeComDirectory.user_list_id, "POST"),
    "user/getuserid": (WeComDirectory.user_getuserid, "POST"),
    "user/get_userid_by_email": (WeComDirectory.user_get_userid_by_email, "POST"),
    "department/create": (WeComDirectory.department_create, "POST"),
    "department/update": (WeComDirectory.department_update, "POST"),
    "department/delete": (WeComDirectory.department_delete, "GET"),
    "department/simplelist": (WeComDirectory.department_simplelist, "GET"),
    "department/list": (WeComDirectory.department_list, "GET"),
    "department/get": (WeComDirectory.department_get, "GET"),
    "tag/create": (WeComDirectory.tag_create, "POST"),
    "tag/update": (WeComDirectory.tag_update, "POST"),
    "tag/delete": (WeComDirectory.tag_delete, "GET"),
    "tag/get": (WeComDirectory.tag_get, "GET"),
    "tag/list": (WeComDirectory.tag_list, "GET"),
    "tag/addtagusers": (WeComDirectory.tag_addtagusers, "POST"),
    "tag/deltagusers": (WeComDirectory.tag_deltagusers, "POST"),
}
