"""DingTalk's directory: departments, people, roles, who has left, and the calls that read them."""

import json
import time
import uuid
from collections import defaultdict, deque
from datetime import datetime, timezone
from urllib.parse import parse_qs

from api_server import Api

# What an application sees without further permissions.
PLAIN_FIELDS = {
    "userid", "unionid", "name", "avatar", "hide_mobile", "telephone", "job_number", "title", "dept_id_list",
    "dept_order_list", "leader_in_dept", "role_list", "manager_userid", "hired_date", "active", "real_authed", "senior",
    "admin", "boss", "exclusive_account",
}
PERSONAL_FIELDS = {"email", "org_email", "work_place", "remark", "extension"}
MOBILE_FIELDS = {"mobile", "state_code"}
ONLY_OF_ONE = {"dept_order_list", "leader_in_dept", "role_list", "manager_userid", "real_authed", "senior"}

FORBIDDEN_IN_NAMES = set('-",')


class DingTalkError(Exception):
    def __init__(self, code, text="error", sub=None):
        self.code, self.text, self.sub = code, text, sub


class DingTalkDirectory(Api):
    """One company, and one application that reads it. Change it by the methods, which note the events that DingTalk would send."""

    def __init__(self, corp_id="dingcorp", client_id="dingclient", client_secret="dingsecret-hunter2"):
        self.corp_id, self.client_id, self.client_secret = corp_id, client_id, client_secret
        self.departments = {1: {"dept_id": 1, "name": "Company", "order": 0}}
        self.people = {}
        self.groups = {}
        self.roles = {}
        self.left = []
        # Events, oldest first: type and data.
        self.events = []
        # What the application may see: departments with all that is below them, and single people.
        self.authed_departments, self.authed_people = [1], []
        self.fields = ["name", "mobile", "email"]
        self.absent_code = 33012
        self.token_code = 88
        self.per_second = 20
        self.per_address = 10_000
        self.block_form = "page"
        self.blocked_until = 0
        self.is_trusted = True
        self.is_documented = False
        # Answers user/list without a person now and then, as a broken replica would.
        self.hidden_people = set()
        # Departments of which user/list is answered with another code.
        self.broken_departments = {}
        self.complaints = []
        self.token_fetches = 0
        self._tokens = {}
        self._recent = defaultdict(deque)
        self._all_recent = deque()
        self._next_department = 432_825_033
        self._next_role = 1_507_113_578
        self.throttled = 0
        self._mobiles = {}
        super().__init__()

    # The administrator's side

    def add_department(self, name, parent=1, **more):
        with self.lock:
            assert parent in self.departments and 1 <= len(name) <= 64 and not FORBIDDEN_IN_NAMES & set(name), name
            # Every third is beyond 32 bits.
            self._next_department += 7
            new = self._next_department + (23_000_000_000 if self._next_department % 3 == 0 else 0)
            # The next after its siblings.
            order = 1 + max((one.get("order", 0) for one in self.departments.values() if one.get("parent_id") == parent), default=0)
            self.departments[new] = {"dept_id": new, "name": name, "parent_id": parent, "order": order} | more
            self._event("org_dept_create", deptId=[new])
            return new

    def change_department(self, department, **more):
        with self.lock:
            self.departments[department].update(more)
            assert department not in self.ancestors(self.departments[department].get("parent_id", 0))
            self._event("org_dept_modify", deptId=[department])

    def remove_department(self, department):
        with self.lock:
            assert department != 1
            assert not any(one.get("parent_id") == department for one in self.departments.values())
            assert not any(department in one["dept_id_list"] for one in self.people.values())
            del self.departments[department]
            self._event("org_dept_remove", deptId=[department])

    def add_person(self, userid, name=None, departments=(1,), leads=(), **more):
        with self.lock:
            assert userid not in self.people and 1 <= len(userid) <= 64
            self.people[userid] = {
                "userid": userid,
                "unionid": f"union{userid}",
                "name": name or userid,
                "dept_id_list": list(departments),
                "active": True,
                "real_authed": True,
                "admin": False,
                "boss": False,
                "senior": False,
                "hide_mobile": False,
                "exclusive_account": False,
                "hired_date": 1597573616828,
            }
            self.people[userid].update(more)
            self.people[userid]["leads"] = set(leads)
            self._check(self.people[userid])
            self.left = [record for record in self.left if record["userId"] != userid]
            self._event("user_add_org", timeStamp=self._now(), userId=[userid])
            # One hire makes two events.
            self._event("user_modify_org", timeStamp=self._now(), userId=[userid])
            return userid

    def change_person(self, userid, departments=None, leads=None, **more):
        with self.lock:
            person = self.people[userid]
            before = {name: person.get(name, "") for name in more}
            if "mobile" in more:
                self._mobiles.pop(before["mobile"], None)
            person.update(more)
            if departments is not None:
                person["dept_id_list"] = list(departments)
            if leads is not None:
                person["leads"] = set(leads)
            person["leads"] &= set(person["dept_id_list"])
            self._check(person)
            self._event("user_modify_org", timeStamp=self._now(), userId=[userid], diffInfo=[{"prev": before, "curr": more, "userid": userid}])

    def remove_person(self, userid, is_recorded=True):
        with self.lock:
            person = self.people.pop(userid)
            self._mobiles.pop(person.get("mobile"), None)
            for role in self.roles.values():
                role["people"].discard(userid)
            for other in self.people.values():
                if other.get("manager_userid") == userid:
                    other["manager_userid"] = ""
            if is_recorded:
                at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                self.left.append(
                    {
                        "userId": userid,
                        "name": person["name"],
                        "stateCode": person.get("state_code", ""),
                        "mobile": person.get("mobile", ""),
                        "leaveTime": at,
                        "leaveReason": "delete",
                    }
                )
            self._event("user_leave_org", timeStamp=self._now(), userId=[userid])

    def add_role(self, name, group="默认", people=()):
        with self.lock:
            self._next_role += 1
            self.groups.setdefault(group, self._next_role + 1_000_000)
            self.roles[self._next_role] = {"name": name, "group": group, "people": set(people)}
            self._event("label_conf_add", labelIdList=[self._next_role], scope="")
            return self._next_role

    def change_role(self, role, people):
        with self.lock:
            before, after = self.roles[role]["people"], set(people)
            self.roles[role]["people"] = after
            for action, changed in [("add", after - before), ("remove", before - after)]:
                if changed:
                    self._event("label_user_change", userIdList=sorted(changed), labelIdList=[role], action=action)

    def remove_role(self, role):
        with self.lock:
            del self.roles[role]
            self._event("label_conf_del", labelIdList=[role], scope="")

    def end_tokens(self, code=88):
        """The tokens that were given out are not valid any more."""
        with self.lock:
            self._tokens.clear()
            self.token_code = code

    def events_since(self, mark):
        """The events after `mark` of them, as CloudEvents."""
        return [
            {
                "specversion": "1.0",
                "id": str(uuid.uuid4()),
                "source": "/dingtalk/default",
                "type": f"dingtalk.{kind}",
                "subject": self.corp_id,
                "time": "2026-11-27T00:00:00Z",
                "datacontenttype": "application/json",
                "data": data,
            }
            for kind, data in self.events[mark:]
        ]

    def ancestors(self, department):
        """A department, its parent, and so on."""
        found = []
        while department in self.departments and department not in found:
            found.append(department)
            department = self.departments[department].get("parent_id")
        return found

    def sees_department(self, department):
        """Whether the application may see it."""
        return any(one in self.authed_departments for one in self.ancestors(department))

    def sees_person(self, userid):
        departments = self.people[userid]["dept_id_list"]
        return userid in self.authed_people or any(self.sees_department(one) for one in departments)

    def _check(self, person):
        assert 1 <= len(person["dept_id_list"]) <= 100 and set(person["dept_id_list"]) <= set(self.departments)
        assert len(person["name"]) <= 80 and len(person.get("title", "")) <= 200
        mobile = person.get("mobile")
        if mobile:
            assert self._mobiles.setdefault(mobile, person["userid"]) == person["userid"], "DingTalk has each mobile once"

    def _event(self, kind, **data):
        head = {"EventType": kind, "EventTime": self._now(), "CorpId": self.corp_id, "BizId": "1", "eventId": str(uuid.uuid4())}
        self.events.append((kind, head | data))

    @staticmethod
    def _now():
        return str(int(time.time() * 1000))

    # The application's side

    def answer(self, method, path, query, headers, body):
        try:
            self._keep_to_limits(path)
            if path.startswith("/v1.0/"):
                return self._modern(method, path, query, headers, body)
            return 200, {}, self._written({"errcode": 0, "errmsg": "ok"} | self._legacy(method, path, query, headers, body))
        except Blocked as blocked:
            return blocked.status, blocked.headers, blocked.body
        except DingTalkError as error:
            if path.startswith("/v1.0/"):
                return self._named(error)
            answer = {"errcode": error.code, "errmsg": error.text, "request_id": uuid.uuid4().hex[:12]}
            if error.sub:
                answer |= {"errcode": 88, "errmsg": "ding talk error", "sub_code": str(error.sub), "sub_msg": error.text}
            return 200, {}, answer

    def _keep_to_limits(self, path):
        now = time.monotonic()
        self._all_recent.append(now)
        while self._all_recent[0] < now - 20:
            self._all_recent.popleft()
        if len(self._all_recent) > self.per_address and now >= self.blocked_until:
            self.blocked_until = now + 300
        if now < self.blocked_until:
            raise Blocked(self.block_form)
        recent = self._recent[path]
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= self.per_second:
            self.throttled += 1
            raise DingTalkError(90018, "您的访问频率超过了限制")
        recent.append(now)
        if not self.is_trusted:
            raise DingTalkError(60020, "访问ip不在白名单之中,request ip=203.0.113.7")

    def _new_token(self, key):
        self.token_fetches += 1
        now = time.time()
        token, until = self._tokens.get(key, (None, 0))
        if until <= now:
            token = uuid.uuid4().hex
        self._tokens[key] = token, now + 7200
        return token

    def _is_valid(self, token):
        return any(token == known and until > time.time() for known, until in self._tokens.values())

    def _modern(self, method, path, query, headers, body):
        if method == "POST" and path == "/v1.0/oauth2/accessToken":
            if json.loads(body) != {"appKey": self.client_id, "appSecret": self.client_secret}:
                return self._name("invalidClientIdOrSecret", "无效的clientId或者clientSecret", 400)
            return 200, {}, {"accessToken": self._new_token("app"), "expireIn": 7200}
        if method == "POST" and path == f"/v1.0/oauth2/{self.corp_id}/token":
            expected = {"client_id": self.client_id, "client_secret": self.client_secret, "grant_type": "client_credentials"}
            if json.loads(body) != expected:
                return self._name("invalidClientIdOrSecret", "无效的clientId或者clientSecret", 400)
            return 200, {}, {"access_token": self._new_token("app"), "expires_in": 7200}
        if (method, path) == ("GET", "/v1.0/contact/empLeaveRecords"):
            if not self._is_valid(headers.get("x-acs-dingtalk-access-token")):
                return self._name("InvalidAuthentication", "不合法的access_token", 401)
            return 200, {}, self._leave_records({name: values[0] for name, values in query.items()})
        self.complaints.append(f"{method} {path}")
        return self._name("InvalidAction.NotFound", "Specified api is not found", 404)

    def _leave_records(self, query):
        if not {"startTime", "maxResults"} <= set(query) <= {"startTime", "maxResults", "endTime", "nextToken"}:
            self.complaints.append(f"empLeaveRecords {sorted(query)}")
            raise DingTalkError("invalidParameter")
        size, start = int(query["maxResults"]), int(query.get("nextToken", "0"))
        first = datetime.strptime(query["startTime"], "%Y-%m-%dT%H:%M:%SZ")
        last = datetime.strptime(query["endTime"], "%Y-%m-%dT%H:%M:%SZ") if "endTime" in query else datetime.now(timezone.utc).replace(tzinfo=None)
        if not 1 <= size <= 50 or (last - first).days > 365:
            raise DingTalkError("invalidParameter")
        rows = [row for row in self.left if query["startTime"] <= row["leaveTime"]]
        page = {"records": rows[start : start + size]}
        if start + size < len(rows):
            page["nextToken"] = str(start + size)
        return page

    def _named(self, error):
        names = {90018: "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", 60020: "Forbidden.AccessDenied.IpNotInWhiteList"}
        return self._name(names.get(error.code, str(error.code)), error.text, 403 if error.code in names else 400)

    @staticmethod
    def _name(code, message, status):
        return status, {}, {"code": code, "requestid": uuid.uuid4().hex, "message": message}

    def _legacy(self, method, path, query, headers, body):
        if path == "/gettoken":
            if query != {"appkey": [self.client_id], "appsecret": [self.client_secret]}:
                raise DingTalkError(40089, "不合法的corpid或corpsecret")
            return {"access_token": self._new_token("app"), "expires_in": 7200}
        given = self._body(method, path, headers, body, query)
        token = query.get("access_token", [None])[0]
        if token is None:
            raise DingTalkError(41001, "缺少access_token参数")
        if not self._is_valid(token):
            if self.token_code == 88:
                raise DingTalkError(88, "不合法的access_token", 40014)
            raise DingTalkError(self.token_code, "不合法的access_token")
        if set(query) - {"access_token"}:
            self.complaints.append(f"{path} {sorted(query)}")
        if (method, path) == ("GET", "/auth/scopes"):
            scopes = {"authed_user": self.authed_people, "authed_dept": self.authed_departments}
            return {"auth_org_scopes": scopes, "auth_user_field": self.fields}
        found = CALLS.get(path)
        if method != "POST" or found is None:
            self.complaints.append(f"{method} {path}")
            raise DingTalkError(404, "请求的URI地址不存在")
        call, parameters = found
        unknown = set(given) - set(parameters) - {"language"}
        if unknown:
            self.complaints.append(f"{path} {sorted(unknown)}")
        arguments = {}
        for name, (kind, is_required) in parameters.items():
            if name not in given:
                if is_required:
                    raise DingTalkError(400002, f"参数 {name} 缺失")
                continue
            arguments[name] = self._argument(path, name, given[name], kind)
        return call(self, **arguments)

    def _body(self, method, path, headers, body, query):
        if method != "POST" or not body:
            return {}
        if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            # The documentation's own examples send forms.
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            if "access_token" in form:
                query["access_token"] = [form.pop("access_token")]
            return form
        try:
            given = json.loads(body)
            assert isinstance(given, dict)
            return given
        except (ValueError, AssertionError):
            self.complaints.append(f"{path} with a body that is no JSON object")
            raise DingTalkError(400001, "系统错误") from None

    def _argument(self, path, name, value, kind):
        if kind is bool:
            if value in [True, False]:
                return value
            if value in ["true", "false"]:
                return value == "true"
        elif kind is int and not isinstance(value, bool):
            try:
                return int(value)
            except (ValueError, TypeError):
                pass
        elif kind is str and isinstance(value, str) and value:
            return value
        self.complaints.append(f"{path} {name}: not {kind.__name__}")
        raise DingTalkError(400002, f"无效的参数 {name}")

    def _visible_department(self, department):
        if department not in self.departments:
            raise DingTalkError(60003, "未找到对应部门")
        if not self.sees_department(department):
            raise DingTalkError(50004, "请求的部门id不在授权范围内")
        return self.departments[department]

    def _record(self, person, department=None):
        """A person as DingTalk shows it: of a list, with what concerns the listed department."""
        shown = set(PLAIN_FIELDS)
        shown |= MOBILE_FIELDS if "mobile" in self.fields else set()
        shown |= PERSONAL_FIELDS if "email" in self.fields else set()
        orders = [{"dept_id": one, "order": 176318668975061512 + n} for n, one in enumerate(person["dept_id_list"])]
        roles = [
            {"id": role, "name": of["name"], "group_name": of["group"]}
            for role, of in self.roles.items()
            if person["userid"] in of["people"]
        ]
        leads = [{"dept_id": one, "leader": one in person["leads"]} for one in person["dept_id_list"]]
        whole = person | {"dept_order_list": orders, "leader_in_dept": leads, "role_list": roles}
        if department is not None:
            shown -= ONLY_OF_ONE
        record = {name: value for name, value in whole.items() if name in shown and value not in ("", None, [])}
        if department is not None:
            record |= {"leader": department in person["leads"], "dept_order": 176318668975061512}
        return record

    def user_get(self, userid):
        if userid not in self.people:
            raise DingTalkError(self.absent_code, {33012: "无效的userId", 60121: "找不到该用户"}[self.absent_code])
        if not self.sees_person(userid):
            raise DingTalkError(50002, "请求的员工userid不在授权范围内")
        return {"result": self._record(self.people[userid])}

    def _members(self, department):
        return sorted(userid for userid, person in self.people.items() if department in person["dept_id_list"])

    def user_list(self, dept_id, cursor, size, order_field="custom", contain_access_limit=False):
        self._visible_department(dept_id)
        if dept_id in self.broken_departments:
            raise DingTalkError(self.broken_departments[dept_id], "获取部门员工失败")
        if not 1 <= size <= 100 or cursor < 0:
            raise DingTalkError(400002, "无效的参数")
        members = [userid for userid in self._members(dept_id) if userid not in self.hidden_people]
        rows = [self._record(self.people[userid], dept_id) for userid in members[cursor : cursor + size]]
        result = {"has_more": cursor + size < len(members), "list": rows}
        if result["has_more"]:
            result["next_cursor"] = cursor + size
        return {"result": result}

    def user_listsimple(self, dept_id, cursor, size, order_field="custom", contain_access_limit=False):
        page = self.user_list(dept_id, cursor, size)["result"]
        page["list"] = [{"userid": row["userid"], "name": row["name"]} for row in page["list"]]
        return {"result": page}

    def user_listid(self, dept_id):
        if dept_id not in self.departments:
            raise DingTalkError(60003, "未找到对应部门")
        return {"result": {"userid_list": self._members(dept_id)}}

    def user_getbymobile(self, mobile):
        found = [userid for userid, person in self.people.items() if person.get("mobile") == mobile]
        if not found:
            raise DingTalkError(60121, "找不到该用户")
        return {"result": {"userid": found[0]}}

    def user_count(self, only_active):
        return {"result": {"count": sum(person["active"] or not only_active for person in self.people.values())}}

    def user_listadmin(self):
        return {"result": [{"userid": userid, "sys_level": 2} for userid, person in self.people.items() if person["admin"]]}

    def department_get(self, dept_id):
        department = dict(self._visible_department(dept_id))
        members = self._members(dept_id)
        more = {
            "create_dept_group": False, "auto_add_user": False, "hide_dept": False, "outer_dept": False, "from_union_org": False,
            "dept_permits": [], "user_permits": [], "outer_permit_users": [], "outer_permit_depts": [],
            "dept_manager_userid_list": [userid for userid in members if dept_id in self.people[userid]["leads"]],
            "member_count": len(members),
        }
        return {"result": more | department}

    def department_listsub(self, dept_id=1):
        self._visible_department(dept_id)
        return {
            "result": [
                {name: one[name] for name in ["dept_id", "name", "parent_id"]} | {"create_dept_group": False, "auto_add_user": False}
                for one in self.departments.values()
                if one.get("parent_id") == dept_id
            ]
        }

    def department_listsubid(self, dept_id):
        if dept_id not in self.departments:
            raise DingTalkError(60003, "未找到对应部门")
        return {"result": {"dept_id_list": [one for one, of in self.departments.items() if of.get("parent_id") == dept_id]}}

    def department_listparentbydept(self, dept_id):
        self._visible_department(dept_id)
        return {"result": {"parent_id_list": self.ancestors(dept_id)}}

    def department_listparentbyuser(self, userid):
        if userid not in self.people:
            raise DingTalkError(33012, "无效的userId")
        lists = [{"parent_dept_id_list": self.ancestors(one)} for one in self.people[userid]["dept_id_list"]]
        return {"result": {"parent_list": lists}}

    def role_list(self, size=20, offset=0):
        if not 1 <= size <= 200:
            raise DingTalkError(400002, "无效的参数")
        rows = sorted(self.roles.items(), key=lambda row: (row[1]["group"], row[0]))
        groups = {}
        for role, of in rows[offset : offset + size]:
            group = groups.setdefault(of["group"], {"groupId": self.groups[of["group"]], "name": of["group"], "roles": []})
            group["roles"].append({"id": role, "name": of["name"]})
        return {"result": {"hasMore": offset + size < len(rows), "list": list(groups.values())}}

    def role_getrole(self, roleId):
        if roleId not in self.roles:
            raise DingTalkError(33011, "无效的roleIds")
        role = self.roles[roleId]
        return {"role": {"name": role["name"], "groupId": self.groups[role["group"]]}}

    def role_simplelist(self, role_id, size=20, offset=0):
        if role_id not in self.roles:
            raise DingTalkError(33011, "无效的roleIds")
        if not 1 <= size <= 100:
            raise DingTalkError(400002, "无效的参数")
        people = sorted(self.roles[role_id]["people"])
        rows = [{"userid": userid, "name": self.people[userid]["name"]} for userid in people[offset : offset + size]]
        result = {"hasMore": offset + size < len(people), "list": rows}
        if result["hasMore"]:
            result["nextCursor"] = offset + size
        return {"result": result}

    def _written(self, answer):
        """As the examples in the documentation are, if that is wanted."""
        return documented(answer) if self.is_documented and "access_token" not in answer else answer


def documented(value, name=""):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return {name: documented(one, name) for name, one in value.items()}
    if isinstance(value, list):
        if name == "dept_id_list":
            return json.dumps(value, separators=(",", ":"))
        if len(value) == 1 and isinstance(value[0], dict):
            return documented(value[0])
        return [documented(one) if isinstance(one, dict) else one for one in value]
    return value


class Blocked(Exception):
    """The firewall before DingTalk blocks the address."""

    def __init__(self, form):
        if form == "page":
            self.status, self.headers = 200, {"Content-Type": "text/html"}
            self.body = b"<!DOCTYPE html><html><head><title>punish</title></head><body>deny</body></html>"
        else:
            self.status, self.headers = 200, {}
            self.body = {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": uuid.uuid4().hex}


DEPARTMENT = {"dept_id": (int, True)}
PAGE = DEPARTMENT | {
    "cursor": (int, True),
    "size": (int, True),
    "order_field": (str, False),
    "contain_access_limit": (bool, False),
}
# The calls, with their parameters: of what kind, and whether required.
CALLS = {
    "/topapi/v2/user/get": (DingTalkDirectory.user_get, {"userid": (str, True)}),
    "/topapi/v2/user/list": (DingTalkDirectory.user_list, PAGE),
    "/topapi/user/listsimple": (DingTalkDirectory.user_listsimple, PAGE),
    "/topapi/user/listid": (DingTalkDirectory.user_listid, DEPARTMENT),
    "/topapi/v2/user/getbymobile": (DingTalkDirectory.user_getbymobile, {"mobile": (str, True)}),
    "/topapi/user/count": (DingTalkDirectory.user_count, {"only_active": (bool, True)}),
    "/topapi/user/listadmin": (DingTalkDirectory.user_listadmin, {}),
    "/topapi/v2/department/get": (DingTalkDirectory.department_get, DEPARTMENT),
    "/topapi/v2/department/listsub": (DingTalkDirectory.department_listsub, {"dept_id": (int, False)}),
    "/topapi/v2/department/listsubid": (DingTalkDirectory.department_listsubid, DEPARTMENT),
    "/topapi/v2/department/listparentbydept": (DingTalkDirectory.department_listparentbydept, DEPARTMENT),
    "/topapi/v2/department/listparentbyuser": (DingTalkDirectory.department_listparentbyuser, {"userid": (str, True)}),
    "/topapi/role/list": (DingTalkDirectory.role_list, {"size": (int, False), "offset": (int, False)}),
    "/topapi/role/getrole": (DingTalkDirectory.role_getrole, {"roleId": (int, True)}),
    "/topapi/role/simplelist": (
        DingTalkDirectory.role_simplelist,
        {"role_id": (int, True), "size": (int, False), "offset": (int, False)},
    ),
}
