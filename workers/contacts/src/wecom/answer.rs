//! The answers of WeCom, and the bodies of requests to it. Pure.

use letterbox_codec::Timestamp;
use letterbox_outbound::http::Response;
use serde_json::{Map, Value, json};

use super::codes::TABLE;
use crate::{
    codes::{Failure, Pause, Reaction},
    json::{list, number, text},
    model::{Field, Group, GroupId, Member, Membership},
    tokens::Token,
    trouble::{Meaning, Trouble},
};

/// A whole answer whose `errcode` is 0.
///
/// Every answer has the status 200, but for unknown paths and those of gateways. An error can carry the empty lists of a
/// normal answer, so the code is read first.
pub fn read(response: &Response) -> Result<Value, Failure> {
    let body: Value = serde_json::from_slice(&response.body).map_err(|_| not_an_answer(response))?;
    match number(&body, "errcode") {
        Some(0) => Ok(body),
        Some(code) => Err(Failure::of_code(TABLE, code, &text(&body, "errmsg").unwrap_or_default())),
        None => Err(not_an_answer(response)),
    }
}

fn not_an_answer(response: &Response) -> Failure {
    let status = response.status;
    let text = format!("HTTP {}: not an answer of WeCom", status.as_u16());
    let is_temporary = status.is_server_error() || status.as_u16() == 429;
    let is_page = response.body.trim_ascii_start().starts_with(b"<");
    if is_temporary || (status.is_success() && !is_page) {
        return Failure::new(Reaction::Again(Pause::Short, Meaning::Retry), text);
    }
    // A redirect, an unknown path, a page of a proxy or a firewall: the next call would not fare better.
    Failure::new(Reaction::Final(Meaning::Stop), text)
}

/// An answer without what it must have.
pub fn incomplete(api: &str, what: &str) -> Trouble {
    Trouble::new(Meaning::Retry, format!("{api}: an answer without {what}"))
}

/// `access_token` and `expires_in`.
pub fn token(response: &Response, now: Timestamp) -> Result<Token, Failure> {
    let body = read(response)?;
    let lifetime = number(&body, "expires_in").unwrap_or_default();
    let token = text(&body, "access_token").and_then(|text| Token::new(text, lifetime, now));
    token.ok_or_else(|| Failure::new(Reaction::Final(Meaning::Stop), "an answer without access_token"))
}

fn id(object: &Value, name: &str) -> Option<i32> {
    number(object, name)?.try_into().ok()
}

/// The id of what was created.
pub fn created(body: &Value, name: &str) -> Option<i32> {
    id(body, name)
}

/// `created_department_list`: departments that did not exist, and that WeCom has created.
pub fn silently_created(body: &Value) -> Option<Vec<i32>> {
    let Some(created) = body.get("created_department_list") else { return Some(Vec::new()) };
    let departments = list(created, "department_info").unwrap_or_default();
    departments.iter().map(|one| id(one, "id")).collect()
}

/// A page of `user/list_id`, and the cursor of the next one.
pub fn memberships(body: &Value) -> Option<(Vec<Membership>, Option<String>)> {
    let rows = list(body, "dept_user")?;
    let rows = rows
        .iter()
        .map(|row| Some(Membership { userid: text(row, "userid")?, department: id(row, "department")? }));
    Some((rows.collect::<Option<_>>()?, text(body, "next_cursor")))
}

/// `department/simplelist`
pub fn groups(body: &Value) -> Option<Vec<GroupId>> {
    let rows = list(body, "department_id")?;
    rows.iter().map(|row| Some(GroupId { id: id(row, "id")?, parent: id(row, "parentid")? })).collect()
}

/// Whom a call for a tag did not take, though it succeeded.
pub fn invalid(body: &Value) -> Vec<String> {
    let listed = text(body, "invalidlist").unwrap_or_default();
    listed.split('|').filter(|userid| !userid.is_empty()).map(str::to_owned).collect()
}

/// The departments that a call for a tag did not take. None are ever sent.
pub fn invalid_departments(body: &Value) -> usize {
    list(body, "invalidparty").map_or(0, |departments| departments.len())
}

/// The fields of a member that a creation has.
pub const CREATED: [Field; 7] = [
    Field::Name,
    Field::Mobile,
    Field::Email,
    Field::Position,
    Field::Telephone,
    Field::Departments,
    Field::Enabled,
];

/// The body of `user/create`: what is `None` is left out.
pub fn new_member(member: &Member) -> Value {
    let mut body = fields(member, &CREATED);
    body.retain(|_, value| value != "");
    body.insert("to_invite".to_owned(), member.is_invited.into());
    Value::Object(body)
}

/// The body of `user/update`: what is `None` is written empty.
pub fn changed_member(member: &Member, changed: &[Field]) -> Value {
    Value::Object(fields(member, changed))
}

fn fields(member: &Member, fields: &[Field]) -> Map<String, Value> {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("userid", member.userid.as_str().into());
    let plain = |text: Option<&String>| Value::from(plain(text.map_or("", String::as_str)));
    for field in fields {
        match field {
            Field::Name => set("name", plain(Some(&member.name))),
            Field::Mobile => set("mobile", plain(member.mobile.as_ref())),
            Field::Email => set("email", plain(member.email.as_ref())),
            Field::MobileOrEmail => {
                set("mobile", plain(member.mobile.as_ref()));
                set("email", plain(member.email.as_ref()))
            }
            Field::Position => set("position", plain(member.position.as_ref())),
            Field::Telephone => set("telephone", plain(member.telephone.as_ref())),
            Field::Departments => {
                set("department", json!(member.departments));
                let leads: Vec<u8> = member.leads.iter().map(|leads| u8::from(*leads)).collect();
                set("is_leader_in_dept", json!(leads))
            }
            Field::Manager => set("direct_leader", json!(Vec::from_iter(&member.manager))),
            Field::Enabled => set("enable", u8::from(member.is_enabled).into()),
            Field::Id | Field::Parent | Field::Order => None,
        };
    }
    body
}

/// The body of `department/create`.
pub fn new_group(group: &Group) -> Value {
    let mut body = json!({ "id": group.id, "name": plain(&group.name), "parentid": group.parent });
    if let (Some(order), Some(body)) = (group.order, body.as_object_mut()) {
        body.insert("order".to_owned(), order.into());
    }
    body
}

/// The body of `department/update`.
pub fn changed_group(group: &Group, changed: &[Field]) -> Value {
    let mut body = Map::from_iter([("id".to_owned(), group.id.into())]);
    for field in changed {
        match field {
            Field::Name => body.insert("name".to_owned(), plain(&group.name).into()),
            Field::Parent => body.insert("parentid".to_owned(), group.parent.into()),
            Field::Order => group.order.and_then(|order| body.insert("order".to_owned(), order.into())),
            _ => None,
        };
    }
    Value::Object(body)
}

/// Text without control characters: JSON would escape them, and WeCom refuses a body with `\uXXXX` (40033).
fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests;
