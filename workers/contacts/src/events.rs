//! What the queue says: which of DingTalk's records to look at. A record's content is never used beside its ids.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::Hints;

/// The most ids of one event. DingTalk names a few; a subtree may be more.
const MOST_IDS: usize = 10_000;

/// The longest id, in bytes.
const LONGEST_ID: usize = 64;

/// What the type of the message for the next invocation is.
pub const CONTINUE: &str = "letterbox.contacts.continue";

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A contact event of DingTalk: the corp's id, and where to look.
    Look(String, Hints),
    /// A complete run of this corp, by its name, is to go on, after so many continuations.
    Continue(String, u64),
    /// Anything else: another event, or none. It is acknowledged.
    Nothing,
}

/// Reads the body of a message: a CloudEvents object in structured mode, or the event of a bus that has one in `detail.event`.
pub fn read(body: &str) -> Said {
    let Ok(value) = serde_json::from_str::<Value>(body) else { return Said::Nothing };
    let event = match value.get("detail") {
        Some(detail) => detail.get("event"),
        None => Some(&value),
    };
    let Some(event) = event.filter(|event| event.get("specversion").is_some()) else { return Said::Nothing };
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let Some(kind) = text("type") else { return Said::Nothing };
    if kind == CONTINUE {
        let continued = event.get("data").and_then(|data| data.get("continued")).and_then(Value::as_u64);
        let continued = continued.unwrap_or_default();
        return text("subject").map_or(Said::Nothing, |corp| Said::Continue(corp.to_owned(), continued));
    }
    let Some(data) = event.get("data") else { return Said::Nothing };
    let corp = text("subject").or_else(|| first(data, &["CorpId", "corpId"]).and_then(Value::as_str));
    match (corp, hints(kind, data)) {
        (Some(corp), Some(hints)) => Said::Look(corp.to_owned(), hints),
        _ => Said::Nothing,
    }
}

/// Where an event says to look; `None` for a type that concerns nothing that is mirrored.
fn hints(kind: &str, data: &Value) -> Option<Hints> {
    let mut hints = Hints::default();
    match kind.strip_prefix("dingtalk.")? {
        "user_add_org" | "user_modify_org" | "user_leave_org" | "user_active_org" => {
            hints.people = texts(first(data, &["userId", "UserId"]));
            // The sample of user_modify_org has the id here as well.
            let of_difference = data.get("diffInfo").and_then(|difference| difference.get("userid"));
            hints.people.extend(texts(of_difference));
        }
        "org_dept_create" | "org_dept_modify" | "org_dept_remove" => {
            hints.departments = numbers(first(data, &["deptId", "DeptId"]));
        }
        "label_user_change" | "label_conf_add" | "label_conf_del" | "label_conf_modify" => {
            hints.roles = numbers(first(data, &["labelIdList", "LabelIdList"]));
        }
        // Of the company itself nothing is mirrored.
        "org_change" => {}
        _ => return None,
    }
    Some(hints)
}

/// The first of these members: the current spelling and that of old registrations.
fn first<'v>(data: &'v Value, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| data.get(name))
}

/// One value, or a list of them.
fn values(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let list = match value {
        Some(Value::Array(list)) => list.iter().collect::<Vec<_>>(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    list.into_iter().take(MOST_IDS)
}

fn texts(value: Option<&Value>) -> BTreeSet<String> {
    let ids = values(value).filter_map(|one| match one {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    let fits = |id: &String| (1..=LONGEST_ID).contains(&id.len()) && !id.chars().any(char::is_control);
    ids.filter(fits).collect()
}

fn numbers(value: Option<&Value>) -> BTreeSet<i64> {
    let ids = values(value).filter_map(|one| match one {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    ids.filter(|id| *id > 0).collect()
}

/// What a batch says, together: each corp's records are looked at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// By DingTalk's id of the corp: where to look, and the ids of the messages.
    pub look: BTreeMap<String, (Hints, Vec<String>)>,
    /// By the name of the corp: the ids of the messages, and how often the run was continued.
    pub complete: BTreeMap<String, Vec<(String, u64)>>,
    /// Messages that say nothing about a directory.
    pub ignored: u64,
}

impl Batch {
    /// Adds a message.
    pub fn add(&mut self, id: &str, body: &str) {
        match read(body) {
            Said::Look(corp, hints) => {
                let (all, ids) = self.look.entry(corp).or_default();
                all.people.extend(hints.people);
                all.departments.extend(hints.departments);
                all.roles.extend(hints.roles);
                ids.push(id.to_owned());
            }
            Said::Continue(corp, continued) => {
                self.complete.entry(corp).or_default().push((id.to_owned(), continued));
            }
            Said::Nothing => self.ignored = self.ignored.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, data: &Value) -> String {
        json!({ "specversion": "1.0", "id": "1", "source": "/dingtalk/default", "type": format!("dingtalk.{kind}"),
            "subject": "ding1", "data": data })
        .to_string()
    }

    fn look(people: &[&str], departments: &[i64], roles: &[i64]) -> Said {
        let hints = Hints {
            people: people.iter().map(|one| (*one).to_owned()).collect(),
            departments: departments.iter().copied().collect(),
            roles: roles.iter().copied().collect(),
        };
        Said::Look("ding1".into(), hints)
    }

    #[test]
    fn events_of_both_spellings_name_the_same_records() {
        for (kind, data, expected) in [
            ("user_add_org", json!({ "userId": ["a", "b"] }), look(&["a", "b"], &[], &[])),
            ("user_add_org", json!({ "UserId": ["a"], "OptStaffId": "z" }), look(&["a"], &[], &[])),
            (
                "user_modify_org",
                json!({ "userId": ["a"], "diffInfo": { "userid": "a" } }),
                look(&["a"], &[], &[]),
            ),
            ("user_modify_org", json!({ "diffInfo": { "userid": "c" } }), look(&["c"], &[], &[])),
            ("user_leave_org", json!({ "userId": "a" }), look(&["a"], &[], &[])),
            ("user_active_org", json!({ "UserId": ["0119302746"] }), look(&["0119302746"], &[], &[])),
            ("org_dept_create", json!({ "deptId": [23_424_324_324_i64] }), look(&[], &[23_424_324_324], &[])),
            ("org_dept_modify", json!({ "DeptId": [5] }), look(&[], &[5], &[])),
            ("org_dept_remove", json!({ "DeptId": [5, "6", -7] }), look(&[], &[5, 6], &[])),
            (
                "label_user_change",
                json!({ "userIdList": ["a"], "labelIdList": [9], "action": "add" }),
                look(&[], &[], &[9]),
            ),
            ("label_conf_add", json!({ "LabelIdList": [9] }), look(&[], &[], &[9])),
            ("label_conf_del", json!({ "labelIdList": [9] }), look(&[], &[], &[9])),
            (
                "label_conf_modify",
                json!({ "labelIdList": [9], "postLabelList": ["{}"] }),
                look(&[], &[], &[9]),
            ),
            ("org_change", json!({}), look(&[], &[], &[])),
            ("bpms_task_change", json!({ "userId": ["a"] }), Said::Nothing),
            ("org_admin_add", json!({ "userId": ["a"] }), Said::Nothing),
        ] {
            assert_eq!(read(&event(kind, &data)), expected, "{kind} {data}");
        }
    }

    #[test]
    fn an_event_may_come_over_a_bus_and_without_a_subject() {
        let inner: Value = serde_json::from_str(&event("user_add_org", &json!({ "userId": ["a"] }))).unwrap();
        let outer =
            json!({ "version": "0", "detail-type": "dingtalk.user_add_org", "detail": { "event": inner } });
        assert_eq!(read(&outer.to_string()), look(&["a"], &[], &[]));
        let mut without = inner;
        without.as_object_mut().unwrap().remove("subject");
        without["data"]["CorpId"] = "ding1".into();
        assert_eq!(read(&without.to_string()), look(&["a"], &[], &[]));
    }

    #[test]
    fn anything_else_says_nothing() {
        let pointer =
            r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#;
        let over_bus = format!(r#"{{"detail":{{"event":{pointer}}}}}"#);
        let of_github = event("x", &json!({})).replace("dingtalk.x", "github.push");
        for body in
            ["", "hello", "{}", "[]", "null", r#"{"specversion":"1.0"}"#, pointer, &over_bus, &of_github]
        {
            assert_eq!(read(body), Said::Nothing, "{body}");
        }
        let long = "x".repeat(65);
        for id in ["", "a\nb", long.as_str()] {
            assert_eq!(read(&event("user_add_org", &json!({ "userId": [id] }))), look(&[], &[], &[]), "{id}");
        }
    }

    #[test]
    fn a_batch_looks_at_each_record_once() {
        let mut batch = Batch::default();
        batch.add("m1", &event("user_add_org", &json!({ "userId": ["a"] })));
        batch.add("m2", &event("user_modify_org", &json!({ "userId": ["a", "b"] })));
        batch.add("m3", "{}");
        let go_on = json!({ "specversion": "1.0", "type": CONTINUE, "subject": "acme" });
        batch.add("m4", &go_on.to_string());
        let Said::Look(_, hints) = look(&["a", "b"], &[], &[]) else { panic!() };
        assert_eq!(batch.look, BTreeMap::from([("ding1".into(), (hints, vec!["m1".into(), "m2".into()]))]));
        assert_eq!(batch.complete, BTreeMap::from([("acme".into(), vec![("m4".into(), 0)])]));
        assert_eq!(batch.ignored, 1);
    }
}
