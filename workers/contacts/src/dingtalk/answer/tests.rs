use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;

use super::*;

fn response(status: u16, body: &str) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_owned()),
    }
}

/// The example of <https://open.dingtalk.com/document/development/query-user-details>, as it stands there.
const PERSON: &str = r#"{"errcode":"0","result":{"extension":"{\"爱好\":\"旅游\",\"年龄\":\"24\"}",
    "unionid":"z21HjQliSzpw0YWxxxxx","boss":"true",
    "role_list":{"group_name":"职务","name":"总监","id":"100"},
    "exclusive_account":false,"manager_userid":"manager240","admin":"true","remark":"备注备注","title":"技术总监",
    "hired_date":"1597573616828","userid":"zhangsan","work_place":"未来park",
    "dept_order_list":{"dept_id":"2","order":"1"},"real_authed":"true","dept_id_list":"[2,3,4]","job_number":"4",
    "email":"test@xxx.com","leader_in_dept":{"leader":"true","dept_id":"2"},"mobile":"18500000000","active":"true",
    "org_email":"test@xxx.com","telephone":"010-86123456-2345","avatar":"xxx","hide_mobile":"false","senior":"true",
    "name":"张三","union_emp_ext":{"union_emp_map_list":{"userid":"5000","corp_id":"dingxxx"},"userid":"500",
    "corp_id":"dingxxx"},"state_code":"86"},"errmsg":"ok"}"#;

#[test]
fn the_documented_person_is_read() {
    let body = legacy(&response(200, PERSON)).unwrap();
    let person = one_person(&body).unwrap();
    let expected = Person {
        userid: "zhangsan".into(),
        name: "张三".into(),
        country: Some("86".into()),
        mobile: Some("18500000000".into()),
        telephone: Some("010-86123456-2345".into()),
        email: Some("test@xxx.com".into()),
        org_email: Some("test@xxx.com".into()),
        title: Some("技术总监".into()),
        departments: vec![2, 3, 4],
        leads: vec![2],
        manager: Manager::Person("manager240".into()),
    };
    assert!(person == expected);
}

#[test]
fn a_person_as_plain_json_is_read_and_what_is_empty_is_none() {
    let written = json!({ "errcode": 0, "result": {
        "userid": "u1", "name": "n", "mobile": "", "dept_id_list": [1, 9_007_199_254_740_993_i64],
        "leader_in_dept": [{ "dept_id": 1, "leader": false }, { "dept_id": 23_424_324_324_i64, "leader": true }],
    }});
    let person = one_person(&written).unwrap();
    assert_eq!(person.departments, [1, 9_007_199_254_740_993]);
    assert_eq!(person.leads, [23_424_324_324]);
    assert_eq!((person.mobile, person.manager), (None, Manager::Nobody));
}

#[test]
fn a_person_without_departments_is_no_person() {
    for written in [
        json!({ "userid": "u", "name": "n" }),
        json!({ "userid": "u", "name": "n", "dept_id_list": "" }),
        json!({ "userid": "u", "name": "n", "dept_id_list": [1.5] }),
        json!({ "name": "n", "dept_id_list": [1] }),
    ] {
        assert!(one_person(&json!({ "result": written })).is_none(), "{written}");
    }
}

#[test]
fn pages_of_people_are_read_in_both_forms() {
    let plain = json!({ "result": { "has_more": true, "next_cursor": 100, "list": [
        { "userid": "a", "name": "A", "dept_id_list": [7], "leader": true },
        { "userid": "b", "name": "B", "dept_id_list": [7, 8], "leader": false },
    ]}});
    let page = people(&plain, 7).unwrap();
    assert_eq!(page.next, Some(100));
    assert_eq!(page.rows.iter().map(|one| one.leads.clone()).collect::<Vec<_>>(), [vec![7], vec![]]);
    assert!(page.rows.iter().all(|one| one.manager == Manager::Unread));
    // As documented: one row is an object, and everything is a string.
    let documented = json!({ "result": { "has_more": "true", "next_cursor": "10",
        "list": { "userid": "a", "name": "A", "dept_id_list": "[2,3]", "leader": "true" } }});
    assert_eq!(people(&documented, 2).unwrap().next, Some(10));
    let empty = json!({ "result": { "has_more": false } });
    assert_eq!(people(&empty, 7), Some(Page { rows: vec![], next: None }));
    for broken in [
        json!({ "result": {} }),
        json!({ "result": { "has_more": true } }),
        json!({ "result": { "has_more": true, "list": [] } }),
        json!({ "result": { "has_more": false, "list": [{ "userid": "a" }] } }),
    ] {
        assert_eq!(people(&broken, 7), None, "{broken}");
    }
}

#[test]
fn departments_are_read() {
    let body = json!({ "result": [{ "dept_id": 23_424_324_324_i64, "name": "HR", "parent_id": "1" }] });
    let expected =
        Department { id: 23_424_324_324, parent: Some(1), name: "HR".into(), ..Department::default() };
    assert_eq!(departments(&body), Some(vec![expected]));
    assert_eq!(departments(&json!({ "result": [] })), Some(vec![]));
    for broken in [json!({}), json!({ "result": [{ "dept_id": 2, "name": "x" }] }), json!({ "result": null })]
    {
        assert_eq!(departments(&broken), None, "{broken}");
    }
    let root = department(&json!({ "dept_id": 1, "name": "Company", "order": 0 })).unwrap();
    assert_eq!((root.parent, root.order), (None, Some(0)));
    let one = json!({ "dept_id": 2, "name": "x", "parent_id": 1, "order": 1, "from_union_org": "true" });
    assert!(department(&one).unwrap().is_of_union);
}

#[test]
fn scopes_and_counts_are_read() {
    let body = json!({ "errcode": 0, "auth_org_scopes": { "authed_user": [], "authed_dept": [3, 1] },
        "auth_user_field": ["name", "mobile"] });
    let visible = visible(&body).unwrap();
    assert_eq!(visible.departments, [1, 3]);
    assert_eq!(visible.fields, ["mobile", "name"]);
    assert!(super::visible(&json!({ "errcode": 0 })).is_none());
    assert_eq!(count(&json!({ "result": { "count": "12" } })), Some(12));
    assert_eq!(count(&json!({ "result": {} })), None);
}

#[test]
fn roles_and_who_has_them_are_read() {
    let body = json!({ "result": { "hasMore": false, "list": [
        { "groupId": 1, "name": "默认", "roles": [{ "id": 1_507_113_580, "name": "负责人" }] },
        { "groupId": 2, "name": "empty" },
    ]}});
    let expected = Role { id: 1_507_113_580, name: "负责人".into(), group: "默认".into() };
    assert_eq!(roles(&body), Some((vec![expected], false)));
    let page = json!({ "result": { "hasMore": true, "list": [{ "userid": "a", "name": "A" }] } });
    assert_eq!(people_of_role(&page, 40), Some(Page { rows: vec!["a".into()], next: Some(41) }));
    let page = json!({ "result": { "hasMore": true, "nextCursor": 60, "list": [{ "userid": "a" }] } });
    assert_eq!(people_of_role(&page, 40).unwrap().next, Some(60));
    // More without a row would never end.
    assert_eq!(people_of_role(&json!({ "result": { "hasMore": true, "list": [] } }), 40), None);
}

#[test]
fn leave_records_are_read() {
    let body = json!({ "nextToken": "50", "records": [
        { "userId": "a", "name": "A", "leaveTime": "2026-11-01T08:00:00Z", "leaveReason": "delete" }] });
    let expected = Leave { userid: "a".into(), at: Timestamp(1_793_520_000_000) };
    assert_eq!(leaves(&body), Some((vec![expected], Some("50".into()))));
    assert_eq!(leaves(&json!({ "records": [], "nextToken": "7" })), Some((vec![], None)));
    assert_eq!(leaves(&json!({ "nextToken": "7" })), None);
}

fn failed(status: u16, body: &str) -> Failure {
    legacy(&response(status, body)).unwrap_err()
}

#[test]
fn the_code_below_88_counts() {
    let body =
        r#"{"errcode":88,"errmsg":"ding talk error","sub_code":"40014","sub_msg":"不合法的access_token"}"#;
    let failure = failed(200, body);
    assert_eq!((failure.reaction, failure.code), (Reaction::Token, Some(40_014)));
    let body = r#"{"errcode":"88","sub_code":60011,"sub_msg":"没有调用该接口的权限"}"#;
    assert_eq!(failed(200, body).reaction, Reaction::Final(Meaning::Stop));
    assert_eq!(failed(200, r#"{"errcode":88}"#).reaction, Reaction::Final(Meaning::Stop));
}

#[test]
fn the_block_of_an_address_stops_and_a_gateway_that_is_down_does_not() {
    let stop = Reaction::Final(Meaning::Stop);
    let again = Reaction::Again(Pause::Short, Meaning::Retry);
    let block = r#"{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"xxx"}"#;
    for (status, body, expected) in [
        (200, block, stop),
        (403, block, stop),
        (200, "\n<!DOCTYPE html><html>", stop),
        (405, "<html>", stop),
        (502, "<html>Bad Gateway", again),
        (429, "<html>", again),
        (200, "", again),
        (200, "{}", again),
        (200, "{\"errcode\":0", again),
    ] {
        assert_eq!(failed(status, body).reaction, expected, "{status} {body}");
        assert_eq!(modern(&response(status, block)).unwrap_err().reaction, stop);
    }
}

#[test]
fn a_token_is_read_or_its_error_named() {
    let now = Timestamp(0);
    let read = |status, body| token(&response(status, body), now);
    let good = read(200, r#"{"access_token":"t1","expires_in":7200}"#).unwrap();
    assert_eq!((good.secret.expose(), good.until), ("t1", Timestamp(6_480_000)));
    let wrong = read(400, r#"{"code":"invalidClientIdOrSecret","message":"无效的clientId或者clientSecret"}"#);
    assert_eq!(wrong.unwrap_err().message, "client_id or client_secret is not valid");
    assert_eq!(read(200, "{}").unwrap_err().reaction, Reaction::Final(Meaning::Stop));
}
