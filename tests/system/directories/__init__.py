"""Servers in the place of the two directories: DingTalk's, which is read, and WeCom's, which is written.

They are as strict as the documents are, and note in `complaints` whatever a client sends that no document mentions. Outside
clients are held against them in test_directories.py. On 2026-11-27 two more drove DingTalk's by hand, without a complaint:
alibabacloud-dingtalk 2.2.65, which is too large to install for this, and dingding-sdk 0.0.7, which prints tokens.

What they do, and where it comes from. D is documented by the vendor, R was reported by others who met it, B is only believed:
`tests/account/directories.py` asks real tenants about the marked rows (1, 4, 6, 12).

| side | behaviour | from |
|---|---|---|
| DingTalk | three calls for a token, one token for two hours, equal for both hosts | D; that the hosts share it: R |
| DingTalk | the token is a query parameter at oapi, a header at api | D |
| DingTalk | 40014, 42001, 88 with sub_code 40014 for a token that has ended | D; when which one: B |
| DingTalk | user/get of a person who left: 33012, or 60121 (`absent_code`) | the page has 33012 alone: B (1) |
| DingTalk | outside of the scope: 50002 people, 50004 departments; people who left are outside, too, only as `absent_code` | D; the second half: B (1) |
| DingTalk | user/list: direct members, at most 100 a page, `has_more` and `next_cursor`, without manager_userid | D |
| DingTalk | listsub: one level, without order; of an unknown department 60003 | D |
| DingTalk | listid, listsubid, listadmin are not restricted by the scope | D |
| DingTalk | fields that are empty are absent; mobile and e-mail only with their permission | D |
| DingTalk | numbers and booleans as strings, a list of one as its object (`is_documented`) | D by its examples; live answers: B |
| DingTalk | department ids beyond 2^32, orders beyond 2^53 | D by examples; how far: B (12) |
| DingTalk | 20 calls a second of each API, then 90018; nothing for the month | D; how a second is counted: B |
| DingTalk | 10,000 calls within 20 s from one address: a page, or `{"status":1111,…}`, for 5 minutes | D; the status of the page: B |
| DingTalk | 60020 for an address that is not listed | D |
| DingTalk | empLeaveRecords: at most 50 a page and 365 days, first nextToken 0; the last page has no nextToken | D; the last page: B |
| DingTalk | role/list counts roles, not groups, by size and offset | B |
| WeCom | one token for each secret; the same while it is valid | D; the second half: R |
| WeCom | the token only as a query parameter: 41001 otherwise | R |
| WeCom | 60020 with the address in errmsg | D; its text: R |
| WeCom | the assistant may not read: 48009, but user/list_id and department/simplelist | D, R |
| WeCom | the assistant may write departments | D for changes, R for 2026 (4) |
| WeCom | a department that does not exist is created below 待设置部门, and listed in created_department_list | D |
| WeCom | without departments: 待设置部门 | D |
| WeCom | 60102, ignoring case; 60104, 60106, 60129, 60103, 60105, 60112 | D |
| WeCom | at most 100 departments of a member (`most_departments`) | D; the text of 60110 says 20 (6) |
| WeCom | at most 64 characters in a department's name (`longest_name`) | D; the text of 60001 says 32 (6) |
| WeCom | 60008 also for an id that is taken | B |
| WeCom | mobile of a member who has activated is ignored without an error | D |
| WeCom | a manager who is no member: 60111 | B |
| WeCom | to_invite is true unless it is false | D |
| WeCom | department/delete: 60007, 60006, 60005; user/delete of the creator: 301005 | D |
| WeCom | deletion of a department that does not exist: 60003; update: 60003 | B (60123 is possible) |
| WeCom | tags: invalidlist beside 0, 40070 and 40031 if all are invalid, 81011 for a tag of another application | D |
| WeCom | 6000 if two writes of one kind overlap | D that it exists; when: B |
| WeCom | 10,000 calls a minute of each API, then 45009 for the rest of the minute | D |
| WeCom | 45024 at the corp's limit of accounts | D |
| WeCom | 40033 for a body with \\uXXXX, 47001 for one that is no JSON | D; the second: R |
"""

from .dingtalk import DingTalkDirectory
from .wecom import WeComDirectory

__all__ = ["DingTalkDirectory", "WeComDirectory"]
