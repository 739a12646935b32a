"""A company made up by chance, random changes in it, and what WeCom must have of it."""

import random

from .dingtalk import DingTalkDirectory

# Where no test asks for more, a company has everything that the mapping knows.
TITLES = ["", "工程师", "经理", "Director, R&D", "总监" * 80]


class Company:
    """Fills a directory of DingTalk, and changes it. Everything follows from the seed."""

    def __init__(self, directory, people, departments, seed):
        self.directory, self.chance = directory, random.Random(seed)
        self.made = 0
        for _ in range(departments):
            self.create_department()
        for _ in range(people):
            self.hire()
        userids = list(directory.people)
        for userid in userids[1:]:
            if self.chance.random() < 0.5:
                directory.people[userid]["manager_userid"] = self.chance.choice(userids[: userids.index(userid)])
        for n in range(min(5, people)):
            directory.add_role(f"角色{n}", people=self.chance.sample(userids, min(len(userids), 1 + people // 20)))

    def _any_department(self, but=None):
        return self.chance.choice([one for one in self.directory.departments if one != but])

    def _name(self, kind):
        self.made += 1
        return f"{kind}{self.made}"

    def create_department(self):
        parent = self._any_department()
        while len(self.directory.ancestors(parent)) > 9:
            parent = self._any_department()
        return self.directory.add_department(self._name("部门"), parent)

    def hire(self):
        userid = self._name("user")
        departments = self._departments()
        fields = {
            "mobile": f"138{self.made:08}" if self.chance.random() < 0.9 else "",
            "email": f"u{self.made}@example.com",
            "title": self.chance.choice(TITLES),
            "telephone": self.chance.choice(["", "010-86123456-2345"]),
            "state_code": "86",
        }
        if self.chance.random() < 0.05:
            fields |= {"mobile": f"6{self.made:07}", "state_code": "852"}
        leads = [one for one in departments if self.chance.random() < 0.1]
        return self.directory.add_person(userid, f"员工{self.made}", departments, leads, **fields)

    def _departments(self):
        return self.chance.sample(list(self.directory.departments), self.chance.choice([1, 1, 1, 2, 3]))

    def change(self):
        """One change of any kind that an administrator can make."""
        directory, chance = self.directory, self.chance
        userid = chance.choice(list(directory.people))
        kind = chance.choice(KINDS)
        # It does not dwindle away in many changes.
        if len(directory.departments) < 6:
            kind = "new department"
        elif len(directory.people) < 12:
            kind = "hire"
        if kind == "hire":
            self.hire()
        elif kind == "leave":
            directory.remove_person(userid)
        elif kind == "move":
            departments = self._departments()
            directory.change_person(userid, departments, departments[:1] if chance.random() < 0.2 else [])
        elif kind == "person":
            directory.change_person(userid, name=self._name("新名"), title=chance.choice(TITLES))
        elif kind == "number":
            directory.change_person(userid, mobile=f"139{self._number():08}", state_code="86")
        elif kind == "manager":
            others = [other for other in directory.people if other != userid]
            directory.change_person(userid, manager_userid=chance.choice(["", *others]))
        elif kind == "new department":
            self.create_department()
        elif kind == "rename department":
            one = self._any_department(1)
            directory.change_department(one, name=self._name("改名"))
        elif kind == "move department":
            one = self._any_department(1)
            parent = self._any_department(one)
            if one not in directory.ancestors(parent) and len(directory.ancestors(parent)) < 7:
                depth = max(len(directory.ancestors(other)) for other in directory.departments if one in directory.ancestors(other))
                if depth + len(directory.ancestors(parent)) < 14:
                    directory.change_department(one, parent_id=parent)
        elif kind == "remove department":
            self.remove_department()
        elif kind == "role" and directory.roles:
            role = chance.choice(list(directory.roles))
            people = chance.sample(list(directory.people), min(len(directory.people), chance.randint(0, 20)))
            directory.change_role(role, people)

    def _number(self):
        self.made += 1
        return self.made

    def remove_department(self):
        """Removes one without subdepartments; its people move up, as an administrator would move them."""
        directory = self.directory
        parents = {one.get("parent_id") for one in directory.departments.values()}
        leaves = [one for one in directory.departments if one != 1 and one not in parents]
        if not leaves:
            return
        gone = self.chance.choice(leaves)
        above = directory.departments[gone]["parent_id"]
        for userid, person in list(directory.people.items()):
            if gone in person["dept_id_list"]:
                rest = [one for one in person["dept_id_list"] if one != gone]
                directory.change_person(userid, rest or [above])
        directory.remove_department(gone)


KINDS = [
    "hire", "leave", "move", "move", "move", "person", "person", "number", "manager", "manager", "new department",
    "rename department", "move department", "remove department", "role",
]  # fmt: skip


# What the mapping has to make of a directory, written from the documents and not from the program.


def cleaned(name):
    """A department's name as WeCom accepts it."""
    return "".join("_" if one in '\\:*?"<>|｜/' else one for one in name).strip()[:64]


def path_of(directory: DingTalkDirectory, department):
    """The names from below the root to the department."""
    return tuple(cleaned(directory.departments[one]["name"]) for one in reversed(directory.ancestors(department)) if one != 1)


def mobile_of(person):
    number, country = person.get("mobile", ""), person.get("state_code", "86")
    return number if country == "86" or not number else f"+{country}{number}"


def expected(directory: DingTalkDirectory):
    """Departments as paths, people by userid, and who has each tag."""
    people = {
        userid: {
            "name": person["name"][:64],
            "mobile": mobile_of(person),
            "email": person.get("email") or person.get("org_email", ""),
            "position": person.get("title", "")[:128],
            "telephone": person.get("telephone", ""),
            "departments": {path_of(directory, one): one in person["leads"] for one in person["dept_id_list"]},
            "manager": person.get("manager_userid", ""),
        }
        for userid, person in directory.people.items()
    }
    departments = {path_of(directory, one) for one in directory.departments}
    tags = {role["name"]: set(role["people"]) for role in directory.roles.values()}
    return departments, people, tags


def found(wecom, root=1):
    """The same of WeCom: departments below the root, members who are enabled, and tags."""

    def path(department):
        names = []
        while department not in (root, 0):
            one = wecom.departments[department]
            names.append(one["name"])
            department = one["parentid"]
        return tuple(reversed(names))

    people = {
        userid: {
            "name": member["name"],
            "mobile": member.get("mobile", ""),
            "email": member.get("email", ""),
            "position": member.get("position", ""),
            "telephone": member.get("telephone", ""),
            "departments": {
                path(one): bool(leads)
                for one, leads in zip(member["department"], member.get("is_leader_in_dept") or [0] * 100)
            },
            "manager": (member.get("direct_leader") or [""])[0],
        }
        for userid, member in wecom.members.items()
        if member.get("enable") != 0
    }
    departments = {path(one) for one in wecom.below(root)}
    tags = {tag["name"]: {userid for userid in tag["members"] if userid in people} for tag in wecom.tags.values()}
    return departments, people, tags


def differences(directory, wecom, root=1, tags=True):
    """What is not alike, in words; empty if both are equal by the mapping."""
    wanted, actual = expected(directory), found(wecom, root)
    told = []
    for kind, want, have in zip(["department", "person", "tag"], wanted, actual):
        if kind == "tag" and not tags:
            continue
        if isinstance(want, set):
            told += [f"{kind} {one} is missing" for one in want - have] + [f"{kind} {one} is left over" for one in have - want]
            continue
        told += [f"{kind} {one} is missing" for one in want.keys() - have.keys()]
        told += [f"{kind} {one} is left over" for one in have.keys() - want.keys()]
        for one in want.keys() & have.keys():
            if want[one] != have[one]:
                if kind == "person":
                    fields = [f"{name}: {have[one][name]!r}, not {want[one][name]!r}" for name in want[one] if want[one][name] != have[one][name]]
                    told.append(f"{kind} {one}: {'; '.join(fields)}")
                else:
                    told.append(f"{kind} {one}: {sorted(have[one] ^ want[one])}")
    return told
