"""The two directories of the tests, held against clients that are not ours: wechatpy for WeCom, dingtalk-sdk for DingTalk."""

import time

import pytest
from dingtalk.client import AppKeyClient
from dingtalk.core.exceptions import DingTalkClientException
from wechatpy.enterprise.client import WeChatClient
from wechatpy.exceptions import APILimitedException, WeChatClientException

from api_server import Fault
from directories import DingTalkDirectory, WeComDirectory


@pytest.fixture
def wecom():
    directory = WeComDirectory()
    yield directory
    directory.stop()


@pytest.fixture
def dingtalk():
    directory = DingTalkDirectory()
    directory.per_second = 1000
    yield directory
    directory.stop()


def wecom_client(directory, secret="wecomsecret-hunter2"):
    class Client(WeChatClient):
        API_BASE_URL = f"{directory.url}/cgi-bin/"

        # The host is written into the method of the library.
        def fetch_access_token(self):
            return self._fetch_access_token(
                f"{directory.url}/cgi-bin/gettoken", {"corpid": self.corp_id, "corpsecret": self.secret}
            )

    return Client(directory.corp_id, secret)


def dingtalk_client(directory, client_secret="dingsecret-hunter2"):
    class Client(AppKeyClient):
        API_BASE_URL = f"{directory.url}/"

    return Client(directory.corp_id, directory.client_id, client_secret)


def refused(code):
    return pytest.raises((WeChatClientException, DingTalkClientException), match=rf"(?s).*{code}")


# WeCom


def test_wecom_members_and_departments(wecom):
    client = wecom_client(wecom)
    department = client.department.create("研发", parent_id=1, order=2**32 - 1, id=77)["id"]
    assert department == 77
    with refused(60008):
        client.department.create("研发")
    with refused(60008):
        client.department.create("other", id=77)
    with refused(60009):
        client.department.create("a:b")
    with refused(60004):
        client.department.create("c", parent_id=5)
    below = client.department.create("测试", parent_id=77)["id"]
    with refused(60010):
        client.department.update(77, parent_id=below)
    created = client.user.create("zhangsan", "张三", [77], mobile="13800001111", gender=1, to_invite=False)
    assert created["errmsg"].startswith("created") and "created_department_list" not in created
    assert wecom.invited == []
    client.user.create("lisi", "李四", [1], email="lisi@example.com")
    assert wecom.invited == ["lisi"]
    for code, arguments in {
        60102: ("ZhangSan", "x", [1], None, "13800001112"),
        60104: ("b", "x", [1], None, "+8613800001111"),
        60103: ("b", "x", [1], None, "123"),
        60129: ("b", "x", [1]),
        60112: ("b", "x" * 65, [1], None, "13800001112"),
        40003: ("-b", "x", [1], None, "13800001112"),
        60110: ("b", "x", list(range(2, 103)), None, "13800001112"),
        41019: ("b", "x", ["77"], None, "13800001112"),
    }.items():
        with refused(code):
            client.user.create(*arguments)
    with refused(60106):
        client.user.create("b", "x", [1], email="LISI@example.com")
    with refused(60132):
        client.user.update("lisi", is_leader_in_dept=[0, 1])
    with refused(60111):
        client.user.update("lisi", direct_leader=["nobody"])
    with refused(60111):
        client.user.update("nobody", name="x")
    client.user.update("lisi", direct_leader=["zhangsan"], department=[1, 77], is_leader_in_dept=[0, 1])
    assert wecom.members["lisi"]["direct_leader"] == ["zhangsan"]
    with refused(60006):
        client.department.delete(77)
    client.department.delete(below)
    with refused(60005):
        client.department.delete(77)
    with refused(60007):
        client.department.delete(1)
    client.user.update("lisi", enable=0)
    assert wecom.disabled == ["lisi"]
    wecom.creator = "zhangsan"
    with refused(301005):
        client.user.delete("zhangsan")
    client.user.delete("lisi")
    with refused(60111):
        client.user.delete("lisi")
    with refused(40031):
        client.user.batch_delete(["zhangsan", "lisi"])
    assert set(wecom.members) == {"zhangsan"}
    # The library sends what old versions of the API had.
    assert {complaint for complaint in wecom.complaints} <= {"member ['tel']", "member ['weixinid']"}


def test_wecom_creates_departments_silently_and_ignores_a_mobile(wecom):
    client = wecom_client(wecom)
    answer = client.user.create("a", "A", [99], mobile="13800001111")
    assert [one["id"] for one in answer["created_department_list"]["department_info"]] == [99]
    assert wecom.silently_created == [99]
    client.user.create("b", "B", mobile="13800001112")
    [unset] = wecom.members["b"]["department"]
    assert wecom.departments[unset]["name"] == "待设置部门"
    wecom.activated.add("a")
    assert client.user.update("a", mobile="13900001111")["errcode"] == 0
    assert wecom.members["a"]["mobile"] == "13800001111"


def test_wecom_reads_of_the_assistant_and_of_an_application(wecom):
    wecom.add_member("a", [1])
    wecom.departments[2] = {"id": 2, "name": "x", "parentid": 1, "order": 0}
    wecom.add_member("b", [1, 2])
    assistant = wecom_client(wecom)
    for read in [
        lambda client: client.user.get("a"),
        lambda client: client.user.list(1),
        lambda client: client.user.list(1, simple=True),
        lambda client: client.department.get(),
    ]:
        with refused(48009):
            read(assistant)
        read(wecom_client(wecom, "readersecret-hunter2"))
    with refused(48002):
        wecom_client(wecom, "readersecret-hunter2").user.delete("a")
    rows = [
        assistant.post("user/list_id", data={"cursor": cursor, "limit": 2}) for cursor in ["", "2"]
    ]
    assert [row["userid"] for page in rows for row in page["dept_user"]] == ["a", "b", "b"]
    assert [page["next_cursor"] for page in rows] == ["2", ""]
    tree = assistant.get("department/simplelist")["department_id"]
    assert [(row["id"], row["parentid"]) for row in tree] == [(1, 0), (2, 1)]


def test_wecom_tags(wecom):
    client = wecom_client(wecom)
    wecom.add_member("a")
    tag = client.tag.create("总监")["tagid"]
    with refused(40071):
        client.tag.create("总监")
    assert client.tag.add_users(tag, ["a", "x", "y"])["invalidlist"] == "x|y"
    with refused(40070):
        client.tag.add_users(tag, ["x"])
    assert [row["userid"] for row in client.tag.get_users(tag)["userlist"]] == ["a"]
    assert "invalidlist" not in client.tag.delete_users(tag, ["a"])
    with refused(40031):
        client.tag.delete_users(tag, ["a"])
    client.tag.update(tag, "经理")
    assert client.tag.list() == [{"tagid": tag, "tagname": "经理"}]
    wecom.tags[tag]["secret"] = "another"
    with refused(81011):
        client.tag.update(tag, "x")
    with refused(40068):
        client.tag.add_users(12345, ["a"])


def test_wecom_tokens_addresses_and_limits(wecom):
    client = wecom_client(wecom)
    client.tag.list()
    wecom.end_tokens()
    client.tag.list()
    assert wecom.token_fetches == 2
    for secret, code in [("wrong", 40001)]:
        with refused(code):
            wecom_client(wecom, secret).tag.list()
    wecom.is_trusted = False
    with refused("60020.*from ip: 203.0.113.7"):
        client.tag.list()
    wecom.is_trusted = True
    wecom.per_minute = 3
    with pytest.raises(APILimitedException):
        for _ in range(4):
            client.tag.list()
    wecom.most_accounts = 0
    with refused(45024):
        client.user.create("a", "A", [1], mobile="13800001111")


def test_wecom_overlapping_creations_and_escapes(wecom):
    import requests

    client = wecom_client(wecom)
    token = client.access_token
    wecom.under_way["/cgi-bin/user/create"] += 1
    with refused(6000):
        client.user.create("a", "A", [1], mobile="13800001111")
    for body, code in [(b'{"userid":"a","name":"\\u5f20"}', 40033), (b"{", 47001)]:
        url = f"{wecom.url}/cgi-bin/user/update?access_token={token}"
        assert requests.post(url, data=body).json()["errcode"] == code
    without = requests.get(f"{wecom.url}/cgi-bin/tag/list", headers={"Authorization": token}).json()
    assert without["errcode"] == 41001
    assert requests.get(f"{wecom.url}/cgi-bin/gettoken").json()["errcode"] == 41004
    assert requests.get(f"{wecom.url}/cgi-bin/nothing?access_token={token}").status_code == 404


# DingTalk


def page(client, department, cursor=0, size=100):
    return client.post("/topapi/v2/user/list", {"dept_id": department, "cursor": cursor, "size": size})["result"]


def test_dingtalk_departments_and_people(dingtalk):
    client = dingtalk_client(dingtalk)
    above = dingtalk.add_department("研发")
    below = [dingtalk.add_department(f"组{n}", above) for n in range(3)]
    assert any(one > 2**32 for one in [above, *below])
    for n in range(250):
        dingtalk.add_person(f"u{n:03}", f"人{n}", [above, below[0]], [below[0]] if n == 0 else [], mobile=f"138{n:08}")
    dingtalk.change_person("u001", manager_userid="u000")
    rows = client.post("/topapi/v2/department/listsub", {"dept_id": 1})["result"]
    assert [row["dept_id"] for row in rows] == [above] and "order" not in rows[0]
    assert client.post("/topapi/v2/department/listsub", {})["result"] == rows
    assert client.post("/topapi/v2/department/get", {"dept_id": below[1]})["result"]["parent_id"] == above
    found, cursor = [], 0
    while True:
        one = page(client, above, cursor)
        found += one["list"]
        if not one["has_more"]:
            break
        cursor = one["next_cursor"]
    assert len(found) == 250 and "manager_userid" not in found[1] and found[0]["leader"] is False
    assert page(client, below[0], size=1)["list"][0]["leader"] is True
    person = client.post("/topapi/v2/user/get", {"userid": "u001"})["result"]
    assert person["manager_userid"] == "u000" and person["mobile"] == "13800000001" and "email" not in person
    assert client.post("/topapi/user/count", {"only_active": False})["result"]["count"] == 250
    for code, path, body in [
        (33012, "/topapi/v2/user/get", {"userid": "none"}),
        (400002, "/topapi/v2/user/get", {}),
        (60003, "/topapi/v2/department/get", {"dept_id": 5}),
        (60003, "/topapi/v2/department/listsub", {"dept_id": 5}),
        (60003, "/topapi/v2/user/list", {"dept_id": 5, "cursor": 0, "size": 10}),
        (400002, "/topapi/v2/user/list", {"dept_id": above, "cursor": 0, "size": 101}),
        (60121, "/topapi/v2/user/getbymobile", {"mobile": "13900000000"}),
    ]:
        with refused(code):
            client.post(path, body)
    dingtalk.absent_code = 60121
    with refused(60121):
        client.post("/topapi/v2/user/get", {"userid": "none"})
    assert dingtalk.complaints == []


def test_dingtalk_scope_and_fields(dingtalk):
    client = dingtalk_client(dingtalk)
    inside, outside = dingtalk.add_department("in"), dingtalk.add_department("out")
    dingtalk.add_person("a", departments=[inside], mobile="13800001111", email="a@example.com", title="")
    dingtalk.add_person("b", departments=[outside])
    dingtalk.authed_departments = [inside]
    dingtalk.fields = ["name", "email"]
    scopes = client.user.auth_scopes()
    assert scopes["auth_org_scopes"] == {"authed_user": [], "authed_dept": [inside]}
    person = client.post("/topapi/v2/user/get", {"userid": "a"})["result"]
    assert "mobile" not in person and person["email"] == "a@example.com" and "title" not in person
    for code, path, body in [
        (50002, "/topapi/v2/user/get", {"userid": "b"}),
        (50004, "/topapi/v2/department/get", {"dept_id": outside}),
        (50004, "/topapi/v2/user/list", {"dept_id": 1, "cursor": 0, "size": 10}),
    ]:
        with refused(code):
            client.post(path, body)
    assert client.post("/topapi/user/listid", {"dept_id": outside})["result"]["userid_list"] == ["b"]


def test_dingtalk_roles_and_leave_records(dingtalk):
    import requests

    client = dingtalk_client(dingtalk)
    for n in range(120):
        dingtalk.add_person(f"u{n:03}")
    role = dingtalk.add_role("主管", people=[f"u{n:03}" for n in range(110)])
    dingtalk.add_role("总监", "职务")
    groups = client.post("/topapi/role/list", {"size": 200, "offset": 0})["result"]
    assert not groups["hasMore"] and {row["name"] for group in groups["list"] for row in group["roles"]} == {"主管", "总监"}
    first = client.post("/topapi/role/simplelist", {"role_id": role, "size": 100, "offset": 0})["result"]
    second = client.post("/topapi/role/simplelist", {"role_id": role, "size": 100, "offset": 100})["result"]
    assert (len(first["list"]), first["hasMore"], len(second["list"]), second["hasMore"]) == (100, True, 10, False)
    with refused(33011):
        client.post("/topapi/role/simplelist", {"role_id": 1})
    for n in range(60):
        dingtalk.remove_person(f"u{n:03}")
    token = client.access_token
    url = f"{dingtalk.url}/v1.0/contact/empLeaveRecords"
    start = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime())
    found, following = [], "0"
    while following is not None:
        answer = requests.get(
            url, {"startTime": start, "maxResults": 50, "nextToken": following}, headers={"x-acs-dingtalk-access-token": token}
        ).json()
        found += answer["records"]
        following = answer.get("nextToken")
    assert len(found) == 60
    wrong = requests.get(url, {"startTime": start, "maxResults": 50}, headers={"x-acs-dingtalk-access-token": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "InvalidAuthentication")


def test_dingtalk_tokens_limits_and_blocks(dingtalk):
    client = dingtalk_client(dingtalk)
    first = client.access_token
    assert dingtalk_client(dingtalk).access_token == first, "a repeat within two hours gives the same"
    count = lambda: client.post("/topapi/user/count", {"only_active": False})["result"]["count"]
    assert count() == 0
    dingtalk.end_tokens(40014)
    assert count() == 0, "the library fetches another token for 40014"
    dingtalk.end_tokens(88)
    with refused(88):
        count()
    with refused(40089):
        dingtalk_client(dingtalk, "wrong").access_token
    client = dingtalk_client(dingtalk)
    dingtalk.is_trusted = False
    with refused(60020):
        count()
    dingtalk.is_trusted = True
    dingtalk.per_second = 5
    time.sleep(1)
    with refused(90018):
        for _ in range(6):
            count()
    time.sleep(1)
    count()
    dingtalk.per_address = 3
    # No errcode in either form: the library hands out what it got.
    answer = client.post("/topapi/user/count", {"only_active": False})
    assert b"<html>" in answer.content
    dingtalk.block_form = "json"
    assert client.post("/topapi/user/count", {"only_active": False})["status"] == 1111


def test_dingtalk_as_its_documentation_writes_it(dingtalk):
    client = dingtalk_client(dingtalk)
    department = dingtalk.add_department("a")
    dingtalk.add_person("a", departments=[department], leads=[department])
    dingtalk.is_documented = True
    person = client.post("/topapi/v2/user/get", {"userid": "a"})["result"]
    assert person["dept_id_list"] == f"[{department}]" and person["active"] == "true"
    assert person["leader_in_dept"] == {"dept_id": str(department), "leader": "true"}
    one = page(client, department)
    assert one["has_more"] == "false" and one["list"]["userid"] == "a"


def test_faults_take_the_place_of_answers(dingtalk):
    client = dingtalk_client(dingtalk)
    client.access_token
    dingtalk.fail("user/count", Fault(body={"errcode": -1, "errmsg": "busy"}))
    with refused(-1):
        client.post("/topapi/user/count", {"only_active": False})
    assert client.post("/topapi/user/count", {"only_active": False})["result"] == {"count": 0}
