use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::*;

fn response(status: u16, body: &str) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_owned()),
    }
}

fn member() -> Member {
    Member {
        userid: "zhangsan".into(),
        name: "张\u{7}三".into(),
        mobile: Some("13800001111".into()),
        email: None,
        position: Some("技术\"总监\"".into()),
        telephone: None,
        departments: vec![2, 7],
        leads: vec![false, true],
        manager: Some("lisi".into()),
        is_enabled: true,
        is_invited: false,
    }
}

#[test]
fn a_creation_leaves_out_what_is_empty_and_asks_for_no_invitation() {
    let body = new_member(&member());
    let expected = json!({
        "userid": "zhangsan", "name": "张三", "mobile": "13800001111", "position": "技术\"总监\"",
        "department": [2, 7], "is_leader_in_dept": [0, 1], "enable": 1, "to_invite": false,
    });
    assert_eq!(body, expected);
    // Characters stand in the body themselves.
    assert!(body.to_string().contains("张三") && !body.to_string().contains("\\u"));
}

#[test]
fn a_change_clears_what_is_empty() {
    let mut member = member();
    member.is_enabled = false;
    let body = changed_member(&member, &[Field::Email, Field::Manager, Field::Enabled]);
    assert_eq!(body, json!({ "userid": "zhangsan", "email": "", "direct_leader": ["lisi"], "enable": 0 }));
    member.manager = None;
    let body = changed_member(&member, &[Field::Manager, Field::Departments]);
    let expected = json!({ "userid": "zhangsan", "direct_leader": [], "department": [2, 7], "is_leader_in_dept": [0, 1] });
    assert_eq!(body, expected);
}

#[test]
fn a_department_is_written_with_its_id() {
    let group = Group { id: 9, parent: 1, name: "研发".into(), order: Some(u32::MAX) };
    assert_eq!(
        new_group(&group),
        json!({ "id": 9, "name": "研发", "parentid": 1, "order": 4_294_967_295_u32 })
    );
    let group = Group { order: None, ..group };
    assert_eq!(new_group(&group), json!({ "id": 9, "name": "研发", "parentid": 1 }));
    assert_eq!(changed_group(&group, &[Field::Name, Field::Order]), json!({ "id": 9, "name": "研发" }));
    assert_eq!(changed_group(&group, &[Field::Parent]), json!({ "id": 9, "parentid": 1 }));
}

#[test]
fn a_department_that_wecom_created_itself_is_seen() {
    let body = json!({ "errcode": 0, "errmsg": "created",
        "created_department_list": { "department_info": [{ "name": "待设置部门", "id": 77 }] } });
    assert_eq!(silently_created(&body), Some(vec![77]));
    assert_eq!(silently_created(&json!({ "created_department_list": {} })), Some(vec![]));
    assert_eq!(silently_created(&json!({})), Some(vec![]));
    let broken = json!({ "created_department_list": { "department_info": [{}] } });
    assert_eq!(silently_created(&broken), None);
}

#[test]
fn lists_are_read() {
    let body = json!({ "next_cursor": "abc", "dept_user": [{ "userid": "a", "department": 2 }] });
    let expected = vec![Membership { userid: "a".into(), department: 2 }];
    assert_eq!(memberships(&body), Some((expected, Some("abc".into()))));
    assert_eq!(memberships(&json!({ "next_cursor": "", "dept_user": [] })), Some((vec![], None)));
    assert_eq!(memberships(&json!({ "errcode": 0 })), None);
    let body = json!({ "department_id": [{ "id": 1, "parentid": 0, "order": 4_294_967_295_u32 }] });
    assert_eq!(groups(&body), Some(vec![GroupId { id: 1, parent: 0 }]));
    assert_eq!(groups(&json!({ "department_id": [{ "id": 2_147_483_648_i64, "parentid": 0 }] })), None);
}

#[test]
fn who_was_not_tagged_is_read_of_a_success() {
    let body = json!({ "errcode": 0, "errmsg": "ok", "invalidlist": "a|b", "invalidparty": [2, 3] });
    assert_eq!(invalid(&body), ["a", "b"]);
    assert_eq!(invalid_departments(&body), 2);
    assert_eq!(invalid(&json!({ "errcode": 0 })), Vec::<String>::new());
}

#[test]
fn an_error_is_seen_before_its_empty_lists() {
    let failed = |status, body: &str| read(&response(status, body)).unwrap_err();
    let failure = failed(200, r#"{"errcode":48009,"errmsg":"api forbidden","dept_user":[]}"#);
    assert_eq!((failure.reaction, failure.code), (Reaction::Final(Meaning::Stop), Some(48_009)));
    let text = "not allow to access from your ip, hint: [1643_1], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=60020";
    let failure = failed(200, &json!({ "errcode": 60020, "errmsg": text }).to_string());
    assert!(failure.message.ends_with("assistant: 203.0.113.7"), "{}", failure.message);
    for (status, body, expected) in [
        (200, "", Reaction::Again(Pause::Short, Meaning::Retry)),
        (502, "<html>", Reaction::Again(Pause::Short, Meaning::Retry)),
        (200, "<html>", Reaction::Final(Meaning::Stop)),
        (301, "", Reaction::Final(Meaning::Stop)),
        (404, "", Reaction::Final(Meaning::Stop)),
    ] {
        assert_eq!(failed(status, body).reaction, expected, "{status} {body}");
    }
}

#[test]
fn a_token_is_read_or_its_error_named() {
    let read = |body| token(&response(200, body), Timestamp(0));
    let good = read(r#"{"errcode":0,"errmsg":"ok","access_token":"t1","expires_in":7200}"#).unwrap();
    assert_eq!((good.secret.expose(), good.until), ("t1", Timestamp(6_480_000)));
    let wrong = read(r#"{"errcode":40001,"errmsg":"invalid credential, hint: [1_2], from ip: 203.0.113.7"}"#);
    assert_eq!(wrong.unwrap_err().message, "corp_id or secret is not valid, or the secret was reset");
}
