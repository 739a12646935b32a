"""The contact sync between DingTalk's and WeCom's directory: what is mirrored, and what becomes of records that do not fit."""

import random
import time

import pytest

from api_server import Fault
from directories.company import Company, found
from mirror import Mirror


@pytest.fixture
def mirrors(queue_server, directory):
    """Starts mirrors; none may crash, send what no document mentions, or print or store personal data."""
    started = []

    def new(**options):
        started.append(Mirror(queue_server, directory, **options))
        return started[-1]

    yield new
    for mirror in started:
        mirror.stop()


@pytest.fixture
def mirror(mirrors):
    return mirrors()


def fill(mirror, people=16, departments=6, seed=1):
    return Company(mirror.dingtalk, people, departments, seed)


# Everything


def test_an_empty_directory_becomes_equal_and_a_second_run_writes_nothing(mirrors):
    mirror = mirrors(roles=True)
    fill(mirror)
    counts = mirror.run()
    assert counts["Written"] > 20 and counts["Failed"] == counts["Halted"] == 0
    assert mirror.differences() == []
    writes = len(mirror.writes())
    mirror.run()
    mirror.restart()
    mirror.run()
    assert len(mirror.writes()) == writes
    # One token for each side and each environment.
    assert (mirror.dingtalk.token_fetches, mirror.wecom.token_fetches) == (2, 2)


def test_parents_are_created_before_their_children_whatever_their_order(mirror):
    directory = mirror.dingtalk
    above = [directory.add_department("a")]
    for n in range(9):
        above.append(directory.add_department(f"a{n}", above[-1]))
    directory.departments = dict(sorted(directory.departments.items(), reverse=True))
    directory.add_person("u", departments=[above[-1]], mobile="13800000001")
    mirror.run()
    assert mirror.differences() == []
    assert mirror.wecom.silently_created == []


def test_departments_with_more_than_a_page_of_people_are_read_whole(mirror):
    one = mirror.dingtalk.add_department("a")
    for n in range(130):
        mirror.dingtalk.add_person(f"u{n}", departments=[one], mobile=f"138{n:08}")
    mirror.run()
    assert len(mirror.wecom.members) == 130


def test_answers_in_the_form_of_the_documentation_are_read(mirrors):
    mirror = mirrors(roles=True)
    fill(mirror)
    mirror.dingtalk.is_documented = True
    mirror.run()
    assert mirror.differences() == []


def test_only_calls_that_the_assistant_may_make_are_made_and_nobody_is_invited(mirror):
    fill(mirror)
    mirror.run()
    assert mirror.wecom.reads_are_forbidden and mirror.wecom.invited == []
    mirror.set(invite=True)
    mirror.dingtalk.add_person("late", mobile="13700000001")
    mirror.run()
    assert mirror.wecom.invited == ["late"]


def test_a_subtree_goes_below_a_department_of_wecom(mirrors):
    mirror = mirrors()
    directory, wecom = mirror.dingtalk, mirror.wecom
    inside, outside = directory.add_department("in"), directory.add_department("out")
    skipped = directory.add_department("skipped", inside)
    directory.add_person("a", departments=[inside, outside], mobile="13800000001")
    directory.add_person("b", departments=[outside], mobile="13800000002")
    directory.add_person("c", departments=[skipped], mobile="13800000003")
    root = wecom.add_department("from DingTalk")
    mirror.options["wecom"] = {"root": root}
    mirror.set(departments=[inside], skip_departments=[skipped])
    mirror.run()
    assert set(wecom.members) == {"a"}
    assert [wecom.departments[one]["name"] for one in wecom.members["a"]["department"]] == ["in"]
    assert {wecom.departments[one]["name"] for one in wecom.below(root)} == {"from DingTalk", "in"}


def test_departments_of_schools_and_related_organisations_are_left_out(mirror):
    directory = mirror.dingtalk
    union = directory.add_department("union", from_union_org=True)
    directory.add_person("a", departments=[1], mobile="13800000001")
    directory.add_person("b", departments=[union], mobile="13800000002")
    # The root of the school's tree, which the calls do not know.
    directory.departments[-7] = {"dept_id": -7, "name": "school", "parent_id": 0, "order": 0}
    directory.people["a"]["dept_id_list"].append(-7)
    mirror.run()
    assert "a" in mirror.wecom.members and mirror.wecom.members["a"]["department"] == [1]
    directory._event("org_dept_modify", deptId=[-7])
    directory._event("user_modify_org", timeStamp="1", userId=["a"])
    assert mirror.hear() == []
    del directory.departments[-7]


# Records that do not fit


def test_one_bad_record_does_not_stop_the_rest_and_is_listed(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    wecom.add_member("byhand", mobile="13800000001", email="taken@example.com")
    directory.add_person("neither")
    directory.add_person("mobile", mobile="13800000001", email="m@example.com")
    directory.add_person("email", mobile="13800000003", email="Taken@example.com")
    directory.add_person("good", mobile="13800000004")
    directory.add_person("malformed", mobile="123", email="ok@example.com")
    counts = mirror.run()
    # Malformed is one field, which is left out.
    assert set(wecom.members) == {"byhand", "good", "malformed"}
    assert wecom.members["malformed"].get("mobile", "") == ""
    conflicts = mirror.conflicts()
    assert {"neither", "mobile", "email"} <= set(conflicts) and counts["Parked"] == len(conflicts)
    # Never joined with somebody who has the same number.
    assert wecom.members["byhand"]["name"] == "byhand"
    assert mirror.run()["Parked"] == counts["Parked"]
    directory.change_person("neither", email="n@example.com")
    directory.change_person("mobile", mobile="13800000009")
    mirror.hear()
    assert {"neither", "mobile"} <= set(wecom.members)
    assert not {"neither", "mobile"} & set(mirror.conflicts())


def test_a_number_that_changes_hands_settles_itself(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    for userid in "abc":
        directory.add_person(userid, mobile=f"1380000000{ord(userid) - 96}")
    mirror.run()
    # Each takes the number of the next.
    for userid, mobile in [("c", "13800000004"), ("b", "13800000003"), ("a", "13800000002")]:
        directory.change_person(userid, mobile=mobile)
    mirror.settle()
    assert mirror.differences() == [] and mirror.conflicts() == {}
    # Of a swap, each number is the other's: it is listed, and the rest goes on.
    directory.change_person("a", mobile="13800000005")
    directory.change_person("b", mobile="13800000002", title="new title")
    directory.change_person("a", mobile="13800000003")
    directory.add_person("late", mobile="13800000009")
    mirror.run()
    assert "late" in wecom.members and set(mirror.conflicts()) <= {"a", "b"}


def test_sibling_departments_whose_names_become_equal_get_a_number(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    one, two = directory.add_department("a:b"), directory.add_department("a*b")
    directory.add_person("u", departments=[two], mobile="13800000001")
    by_hand = wecom.add_department("c")
    directory.add_department("c")
    mirror.run()
    names = [department["name"] for department in wecom.departments.values()]
    assert [sum(name.startswith(start) for name in names) for start in ["a_b", "c"]] == [2, 2]
    assert len(set(names)) == 5 and wecom.departments[by_hand]["name"] == "c"
    writes = len(mirror.writes())
    mirror.run()
    assert len(mirror.writes()) == writes
    directory.change_department(one, name="other")
    mirror.hear()
    assert "other" in {department["name"] for department in wecom.departments.values()}


@pytest.mark.parametrize("longest", [64, 32])
def test_long_names_are_cut_to_what_wecom_accepts(mirror, longest):
    mirror.wecom.longest_name = longest
    one = mirror.dingtalk.add_department("部" * 64)
    mirror.dingtalk.add_person("u", "名" * 80, [one], mobile="13800000001", title="x" * 200, email="")
    mirror.run()
    member = mirror.wecom.members["u"]
    assert (len(member["name"]), len(member["position"])) == (64, 128)
    [department] = member["department"]
    assert mirror.wecom.departments[department]["name"] == "部" * longest


def test_userids_that_wecom_does_not_accept_get_another(mirror):
    directory = mirror.dingtalk
    directory.add_person("-a", "A", mobile="13800000001")
    directory.add_person("Same", "B", mobile="13800000002")
    directory.add_person("same", "C", mobile="13800000003")
    mirror.run()
    assert {member["name"] for member in mirror.wecom.members.values()} == {"A", "B", "C"}
    directory.change_person("-a", title="x")
    mirror.hear()
    assert {member["name"]: member.get("position", "") for member in mirror.wecom.members.values()}["A"] == "x"


def test_a_full_corp_stops_creations_and_fails(mirror):
    fill(mirror, people=20)
    mirror.wecom.most_accounts = 5
    mirror.run(fails=True)
    assert "45024" in mirror.error and len(mirror.wecom.members) == 5
    assert sum(call == ("POST", "user/create") for call in mirror.writes()) == 6
    mirror.wecom.most_accounts = 100
    mirror.run()
    assert mirror.differences(tags=False) == []


def test_a_department_that_wecom_creates_itself_is_a_defect(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    one = directory.add_department("a")
    directory.add_person("u", departments=[one], mobile="13800000001")
    # Somebody deletes it between the two calls.
    real = wecom.user_create

    def user_create(given, secret):
        wecom.departments = {id: of for id, of in wecom.departments.items() if id not in given["department"]}
        return real(given, secret)

    from directories import wecom as module

    call = module.CALLS["user/create"]
    module.CALLS["user/create"] = (lambda self, given, secret: user_create(given, secret), "POST")
    try:
        mirror.run()
    finally:
        module.CALLS["user/create"] = call
    assert len(wecom.silently_created) == 1
    assert "without being asked" in mirror.worker.process.text()
    mirror.settle()
    # Where WeCom puts such departments is WeCom's own, and stays.
    assert mirror.differences() == ["department ('待设置部门',) is left over"]


def test_tags_follow_roles_and_invalid_members_are_seen(mirrors):
    mirror = mirrors(roles=True)
    directory, wecom = mirror.dingtalk, mirror.wecom
    for n in range(3):
        directory.add_person(f"u{n}", mobile=f"138{n:08}")
    # No member, so that WeCom lists it as invalid beside a success.
    directory.add_person("nowhere")
    role = directory.add_role("主管", people=["u0", "u1", "nowhere"])
    mirror.run()
    assert found(wecom)[2] == {"主管": {"u0", "u1"}}
    mirror.mark = len(directory.events)
    directory.change_role(role, ["u1", "u2"])
    mirror.hear()
    assert found(wecom)[2] == {"主管": {"u1", "u2"}}
    directory.add_role("总监", people=["u0"])
    directory.remove_role(role)
    mirror.run()
    assert found(wecom)[2] == {"总监": {"u0"}}


# Events


@pytest.mark.parametrize("seed", range(2))
def test_events_in_any_order_doubled_and_lost_only_delay(mirrors, seed):
    mirror = mirrors(roles=True, guard={"count": 1000, "percent": 100})
    company = fill(mirror, 30, 12, seed)
    mirror.run()
    chance = random.Random(seed)
    for _ in range(4):
        for _ in range(15):
            company.change()
        events = mirror.dingtalk.events_since(mirror.mark)
        events += chance.sample(events, len(events) // 3)
        chance.shuffle(events)
        assert mirror.hear([event for event in events if chance.random() > 0.05]) == []
    mirror.settle()
    assert mirror.differences() == []
    assert mirror.wecom.silently_created == []


def test_events_alone_keep_both_equal(mirror):
    mirror.set(guard={"count": 1000, "percent": 100})
    company = fill(mirror, 25, 10, 7)
    mirror.run()
    for _ in range(30):
        company.change()
        assert mirror.hear() == []
    # Nothing was read but what the events named. So a manager who leaves stays that of others until a complete run.
    assert mirror.dingtalk.count("auth/scopes") <= 1
    assert [one for one in mirror.differences(tags=False) if ": manager: " not in one] == []
    mirror.settle()
    assert mirror.differences(tags=False) == []


def test_an_event_is_only_a_hint_where_to_look(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    directory.add_person("a", "old", mobile="13800000001")
    mirror.run()
    old = directory.events_since(0)
    directory.change_person("a", name="new")
    # An event that is long past, and one that says what is not so.
    left = directory.events_since(0)[0] | {"type": "dingtalk.user_leave_org", "data": {"userId": ["a"]}}
    assert mirror.hear([*old, left]) == []
    assert wecom.members["a"]["name"] == "new" and wecom.members["a"]["enable"] == 1


def test_both_spellings_and_both_envelopes_are_read_and_other_events_are_done(mirror):
    directory, wecom = mirror.dingtalk, mirror.wecom
    mirror.run()
    for n in range(4):
        directory.add_person(f"u{n}", mobile=f"138{n:08}")
    one = directory.add_department("a")
    event = directory.events_since(0)[0]
    legacy = {"EventType": "user_add_org", "TimeStamp": "1", "UserId": ["u0"], "CorpId": directory.corp_id}
    hints = [
        event | {"data": legacy},
        event | {"data": {"userId": ["u1"]}},
        # By way of the bus.
        {"version": "0", "detail-type": "dingtalk.user_add_org", "source": "letterbox", "detail": {"event": event | {"data": {"userId": ["u2"]}}}},
        event | {"type": "dingtalk.org_dept_create", "data": {"DeptId": [one], "CorpId": directory.corp_id}},
        event | {"type": "dingtalk.bpms_task_change", "data": {}},
        event | {"type": "github.push", "source": "/github/default", "data": {}},
        event | {"subject": "another corp", "data": {"userId": ["u3"]}},
    ]
    assert mirror.hear(hints) == []
    assert set(wecom.members) == {"u0", "u1", "u2"}
    assert {department["name"] for department in wecom.departments.values()} == {"Corp", "a"}


def test_a_message_that_is_no_event_is_left_to_the_dead_letter_queue_or_done(mirror):
    mirror.dingtalk.add_person("a", mobile="13800000001")
    good = mirror.dingtalk.events_since(0)[0]
    failed = mirror.hear(["{", "[]", good, '{"specversion":"1.0"}'])
    assert 2 not in failed and "a" in mirror.wecom.members


def test_a_batch_reads_each_record_once(mirror):
    mirror.dingtalk.add_person("a", mobile="13800000001")
    mirror.run()
    before = mirror.dingtalk.count("v2/user/get")
    for n in range(20):
        mirror.dingtalk.change_person("a", title=f"t{n}")
    mirror.hear()
    assert mirror.dingtalk.count("v2/user/get") - before <= 2
    assert mirror.wecom.members["a"]["position"] == "t19"


def test_one_run_at_a_time(mirrors, queue_server, directory):
    mirror = mirrors()
    fill(mirror, 20, 5)
    mirror.dingtalk.fail("user/list", Fault(delay=3, also=True))
    mirror.start().start()
    time.sleep(1.5)
    other = Mirror.__new__(Mirror)
    other.__dict__ = dict(mirror.__dict__)
    other.worker = None
    events = mirror.dingtalk.events_since(0)[:3]
    try:
        # All come back after the visibility timeout.
        assert other.hear(events) == [0, 1, 2]
    finally:
        other.restart()
    assert mirror.worker.result()[0]
    assert mirror.differences(tags=False) == []
    assert mirror.hear(events) == []
