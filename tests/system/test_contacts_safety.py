"""The contact sync never loses a person by mistake: absence is proven, counted, reversible, and only of what it made."""

import pytest

from api_server import Fault
from mirror import records
from test_contacts import fill, mirror, mirrors  # noqa: F401


def disabled(mirror):
    return {userid for userid, member in mirror.wecom.members.items() if member.get("enable") == 0}


# Leaving


def test_who_leaves_is_disabled_and_only_later_deleted_if_at_all(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    fill(mirror)
    mirror.run()
    gone, back = list(directory.people)[:2]
    directory.remove_person(gone)
    directory.remove_person(back)
    mirror.hear()
    assert disabled(mirror) == {gone, back} and wecom.deleted == []
    mirror.pass_days(4000)
    mirror.run()
    assert wecom.deleted == [], "nobody is deleted unless days are set"
    directory.add_person(back, "again", mobile="13611111111")
    mirror.hear()
    assert disabled(mirror) == {gone} and wecom.members[back]["name"] == "again"
    mirror.set(delete_after_days=30)
    mirror.run()
    assert wecom.deleted == [gone]


@pytest.mark.parametrize("days", [29, 31])
def test_the_grace_time_is_kept(mirror, days):
    mirror.set(delete_after_days=30)
    fill(mirror)
    mirror.run()
    gone = list(mirror.dingtalk.people)[0]
    mirror.dingtalk.remove_person(gone)
    mirror.run()
    mirror.pass_days(days)
    mirror.run()
    assert mirror.wecom.deleted == ([gone] if days == 31 else [])


@pytest.mark.parametrize("code", [33012, 60121])
@pytest.mark.parametrize("is_recorded", [True, False], ids=["leave record", "no leave record"])
def test_both_codes_of_absence_need_a_second_source(mirror, code, is_recorded):
    directory = mirror.dingtalk
    directory.absent_code = code
    fill(mirror)
    mirror.run()
    gone = list(directory.people)[3]
    directory.remove_person(gone, is_recorded)
    mirror.hear()
    # Of an event, the leave record is the second source; without it, the complete walk is.
    assert disabled(mirror) == ({gone} if is_recorded else set())
    mirror.run()
    assert disabled(mirror) == {gone}


def test_who_moves_is_never_disabled(mirror):
    directory = mirror.dingtalk
    company = fill(mirror, 30, 10)
    mirror.run()
    # A page misses somebody: DingTalk answers for the person alone.
    hidden = set(list(directory.people)[:4])
    directory.hidden_people = set(hidden)
    mirror.run()
    assert disabled(mirror) == set()
    directory.hidden_people = set()
    # The department is gone before the event of its people arrives.
    for _ in range(4):
        company.remove_department()
    events = directory.events_since(mirror.mark)
    departments = [event for event in events if "org_dept" in event["type"]]
    people = [event for event in events if "org_dept" not in event["type"]]
    assert mirror.hear(departments) == []
    assert disabled(mirror) == set()
    assert mirror.hear(people) == []
    mirror.settle()
    assert disabled(mirror) == set() and mirror.wecom.deleted == []
    assert mirror.differences(tags=False) == []


# What is no proof of absence


def shrunk_scope(mirror):
    mirror.dingtalk.authed_departments = [list(mirror.dingtalk.departments)[1]]


def no_scope(mirror):
    mirror.dingtalk.authed_departments = []


def without_mobile(mirror):
    mirror.dingtalk.fields = ["name"]


def empty_pages(mirror):
    mirror.dingtalk.hidden_people = set(mirror.dingtalk.people)


def empty_tree(mirror):
    body = {"errcode": 0, "errmsg": "ok", "result": []}
    mirror.dingtalk.fail("department/listsub", *[Fault(body=body)] * 50)


def unread_department(mirror):
    mirror.dingtalk.broken_departments = dict.fromkeys(mirror.dingtalk.departments, 60019)


def no_permission(mirror):
    body = {"errcode": 88, "errmsg": "ding talk error", "sub_code": "60011", "sub_msg": "没有调用该接口的权限"}
    mirror.dingtalk.fail("user/list", *[Fault(body=body)] * 200)


def outside_of_scope(mirror):
    mirror.dingtalk.broken_departments = dict.fromkeys(mirror.dingtalk.departments, 50004)


def page_of_a_firewall(mirror):
    mirror.dingtalk.per_address = 5


def json_of_a_firewall(mirror):
    mirror.dingtalk.per_address = 5
    mirror.dingtalk.block_form = "json"


def cut_answers(mirror):
    mirror.dingtalk.fail("user/list", *[Fault(body=b'{"errcode":0,"result":{"has_more":false')] * 200)


def answers_without_lists(mirror):
    mirror.dingtalk.fail("user/list", *[Fault(body={"errcode": 0, "errmsg": "ok"})] * 200)


def untrusted_at_dingtalk(mirror):
    mirror.dingtalk.is_trusted = False


def month_used_up(mirror):
    mirror.dingtalk.fail("user/list", *[Fault(body={"errcode": 90020, "errmsg": "over"})] * 200)


DANGERS = [
    shrunk_scope, no_scope, without_mobile, empty_pages, empty_tree, unread_department, no_permission, outside_of_scope,
    page_of_a_firewall, json_of_a_firewall, cut_answers, answers_without_lists, untrusted_at_dingtalk, month_used_up,
]  # fmt: skip


@pytest.mark.parametrize("danger", DANGERS, ids=[danger.__name__ for danger in DANGERS])
def test_nobody_is_disabled_because_dingtalk_does_not_show_them(mirror, danger):
    directory, wecom = mirror.dingtalk, mirror.wecom
    fill(mirror)
    mirror.run()
    before = {userid: dict(member) for userid, member in wecom.members.items()}
    departments = dict(wecom.departments)
    events = directory.events_since(0)
    danger(mirror)
    ok, result = mirror.invoke()
    assert disabled(mirror) == set() and wecom.deleted == []
    assert set(wecom.departments) == set(departments)
    # It says so: by a failed run, the guard's halt, or both. If a list misses people, each is asked for alone, and is there;
    # without the permission to read numbers there is nothing to remove.
    counts = mirror.counts()
    assert not ok or counts["Halted"] or counts["Failed"] or danger in [without_mobile, empty_pages, empty_tree], result
    # Nor by events at the same time, in the middle of which everything looks absent.
    leave = [events[0] | {"type": "dingtalk.user_leave_org", "data": {"userId": [userid]}} for userid in list(before)[:8]]
    mirror.invoke({"Records": records(leave)})
    assert disabled(mirror) == set() and wecom.deleted == []
    # The numbers that cannot be read any more are not erased, either.
    assert {userid: member["mobile"] for userid, member in wecom.members.items() if member.get("mobile")} == {
        userid: member["mobile"] for userid, member in before.items() if member.get("mobile")
    }


def test_a_mass_removal_is_stopped_and_an_approval_is_for_exactly_that(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    fill(mirror, 40, 8)
    mirror.run()
    gone = list(directory.people)[:12]
    for userid in gone:
        directory.remove_person(userid)
    directory.add_person("new", mobile="13600000001")
    mirror.run(fails=True)
    assert disabled(mirror) == set() and "new" in wecom.members, "only additions are made"
    assert mirror.counts()["Halted"] == 1
    assert "removed" in mirror.error and mirror.item("halt")["people_count"] == 12
    # By events one by one it is the same: what was removed within a day counts.
    events = directory.events_since(0)
    leave = [events[0] | {"type": "dingtalk.user_leave_org", "data": {"userId": [userid]}} for userid in gone]
    for event in leave:
        mirror.invoke({"Records": records([event])})
    assert len(disabled(mirror)) <= 10


def test_only_what_the_mirror_made_is_ever_removed(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    by_hand = wecom.add_department("by hand")
    wecom.add_member("byhand", [by_hand], mobile="13900000001")
    wecom.add_member("both", [1], mobile="13900000002", name="WeCom's")
    directory.add_person("both", "DingTalk's", mobile="13900000002")
    fill(mirror, 15, 5)
    mirror.run()
    # It exists, and is not ours.
    assert wecom.members["both"]["name"] == "WeCom's" and "both" in mirror.conflicts()
    directory.remove_person("both")
    mirror.hear()
    mirror.run()
    assert disabled(mirror) == set() and {"byhand", "both"} <= set(wecom.members) and by_hand in wecom.departments


def test_an_existing_member_is_adopted_only_if_that_is_asked_for(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    mirror.set(adopt=True)
    wecom.add_member("both", [1], mobile="13900000002", name="WeCom's")
    directory.add_person("both", "DingTalk's", mobile="13900000002")
    directory.add_person("stays", mobile="13900000003")
    mirror.run()
    assert wecom.members["both"]["name"] == "DingTalk's" and mirror.conflicts() == {}
    directory.remove_person("both")
    mirror.run()
    assert disabled(mirror) == {"both"}


def test_departments_are_deleted_last_and_deepest_first(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    top = directory.add_department("top")
    middle = directory.add_department("middle", top)
    deepest = directory.add_department("deepest", middle)
    directory.add_person("a", departments=[deepest], mobile="13800000001")
    mirror.run()
    # A member made by hand keeps its department.
    [at] = wecom.members["a"]["department"]
    wecom.add_member("byhand", [wecom.departments[at]["parentid"]], mobile="13900000001")
    directory.change_person("a", [1])
    for one in [deepest, middle, top]:
        directory.remove_department(one)
    mirror.run()
    names = {department["name"] for department in wecom.departments.values()}
    assert names == {"Corp", "top", "middle"} and "byhand" in wecom.members
    del wecom.members["byhand"]
    mirror.settle()
    assert {department["name"] for department in wecom.departments.values()} == {"Corp"}
    assert wecom.members["a"]["department"] == [1]


def test_the_creator_of_the_corp_is_skipped(mirror):
    mirror.set(delete_after_days=1)
    fill(mirror)
    mirror.run()
    gone, other = list(mirror.dingtalk.people)[:2]
    mirror.wecom.creator = gone
    mirror.dingtalk.remove_person(gone)
    mirror.dingtalk.remove_person(other)
    mirror.run()
    mirror.pass_days(3)
    mirror.run()
    assert mirror.wecom.deleted == [other]


# Repair


def test_a_complete_run_repairs_what_was_changed_in_wecom(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    fill(mirror)
    directory.add_department("empty")
    mirror.run()
    gone, moved = list(directory.people)[:2]
    wecom._forget(gone)
    wecom.members[moved]["department"] = [1]
    wecom.members[moved]["is_leader_in_dept"] = [0]
    [empty] = [one for one, department in wecom.departments.items() if department["name"] == "empty"]
    del wecom.departments[empty]
    mirror.settle()
    assert mirror.differences(tags=False) == []


# Troubles


def test_an_untrusted_address_is_named_and_nothing_is_lost(mirror):
    fill(mirror, 10, 3)
    mirror.wecom.is_trusted = False
    mirror.run(fails=True)
    assert "60020" in mirror.error and "203.0.113.7" in mirror.error
    events = mirror.dingtalk.events_since(0)[:4]
    ok, result = mirror.invoke({"Records": records(events)})
    assert not ok or len(result["batchItemFailures"]) == 4
    mirror.wecom.is_trusted = True
    mirror.run()
    assert mirror.differences(tags=False) == []


def test_tokens_that_end_are_fetched_again_once(mirror):
    fill(mirror, 10, 3)
    mirror.run()
    for dingtalk, wecom in [(88, 40014), (40014, 42001), (42001, 42001)]:
        mirror.dingtalk.end_tokens(dingtalk)
        mirror.wecom.end_tokens(wecom)
        before = mirror.dingtalk.token_fetches, mirror.wecom.token_fetches
        mirror.run()
        assert (mirror.dingtalk.token_fetches, mirror.wecom.token_fetches) == (before[0] + 1, before[1] + 1)
    # One that is refused for ever ends the run.
    mirror.wecom.fail("department/simplelist", *[Fault(body={"errcode": 42001, "errmsg": "expired"})] * 10)
    mirror.run(fails=True)
    assert "42001" in mirror.error and mirror.wecom.count("gettoken") <= 6


@pytest.mark.parametrize("side", ["dingtalk", "wecom"])
def test_wrong_secrets_are_named(mirror, side):
    if side == "dingtalk":
        mirror.dingtalk.client_secret = "other"
    else:
        mirror.wecom.secrets = {"other": "assistant"}
    mirror.run(fails=True)
    assert ("client_secret" if side == "dingtalk" else "40001") in mirror.error


def test_busy_platforms_are_asked_again(mirror):
    fill(mirror)
    busy = Fault(body={"errcode": -1, "errmsg": "system busy"})
    mirror.dingtalk.fail("user/list", busy, Fault(close=True), Fault(502, {"Content-Type": "text/html"}, b"<html>"))
    mirror.dingtalk.fail("department/listsub", Fault(body={"errcode": 90018, "errmsg": "qps"}))
    mirror.wecom.fail("user/create", Fault(body={"errcode": 6000, "errmsg": "data version conflict"}), busy, Fault(close=True, also=True))
    mirror.wecom.fail("department/create", Fault(body={"errcode": -1, "errmsg": "busy"}), Fault(close=True, also=True))
    mirror.settle()
    assert mirror.differences(tags=False) == [] and mirror.wecom.conflicts_of_version == 0


def test_the_rate_of_the_standard_edition_is_kept_to(mirror):
    mirror.dingtalk.per_second = 20
    mirror.set(dingtalk_per_second=20)
    fill(mirror, 10, 45)
    mirror.run()
    assert mirror.dingtalk.throttled <= 1
    assert mirror.differences(tags=False) == []
