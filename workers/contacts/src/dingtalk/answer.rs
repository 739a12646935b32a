//! The answers of DingTalk. Pure: bytes in, people and departments out.
//!
//! Its documentation shows numbers and booleans as strings, and lists as objects or strings; so every form is read. What is
//! missing that must be there is an error, never an empty result: something may be deleted because of it.

use http::StatusCode;
use letterbox_codec::{Timestamp, timestamp::Unit};
use letterbox_outbound::http::Response;
use serde_json::Value;

use super::codes::{TABLE, named};
use crate::{
    codes::{Failure, Pause, Reaction},
    json::{is_true, list, number, text},
    model::{Department, Leave, Manager, Person, ROOT, Role, Visible},
    tokens::Token,
    trouble::{Meaning, Trouble},
};

/// A whole answer of `oapi.dingtalk.com` whose `errcode` is 0.
pub fn legacy(response: &Response) -> Result<Value, Failure> {
    let body = json(response)?;
    let code = number(&body, "errcode").ok_or_else(|| not_an_answer(response))?;
    match code {
        0 => Ok(body),
        // The code is below this one, as a string.
        88 => Err(failure(number(&body, "sub_code").unwrap_or(88), &body, "sub_msg")),
        code => Err(failure(code, &body, "errmsg")),
    }
}

/// A whole answer of `api.dingtalk.com` whose status is a success.
pub fn modern(response: &Response) -> Result<Value, Failure> {
    let body = json(response)?;
    if response.status.is_success() {
        return if body.is_object() { Ok(body) } else { Err(not_an_answer(response)) };
    }
    Err(named(&text(&body, "code").unwrap_or_default(), response.status.as_u16()))
}

fn failure(code: i64, body: &Value, name: &str) -> Failure {
    Failure::of_code(TABLE, code, &text(body, name).unwrap_or_default())
}

fn json(response: &Response) -> Result<Value, Failure> {
    let body: Value = serde_json::from_slice(&response.body).map_err(|_| not_an_answer(response))?;
    // The firewall before DingTalk: 10,000 calls within 20 seconds block an address for 5 minutes.
    if number(&body, "status") == Some(1111) && body.get("errcode").is_none() {
        return Err(blocked());
    }
    Ok(body)
}

fn blocked() -> Failure {
    let text = "this address is blocked for some minutes, because of too many calls from it";
    Failure::new(Reaction::Final(Meaning::Stop), text)
}

/// What is no answer of DingTalk: of a gateway that is down, of the firewall, or of a proxy.
fn not_an_answer(response: &Response) -> Failure {
    let status = response.status;
    let is_temporary = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    let is_page = response.body.trim_ascii_start().starts_with(b"<");
    if is_page && !is_temporary {
        return Failure {
            message: format!("a page in place of an answer: {}", blocked().message),
            ..blocked()
        };
    }
    let again = Reaction::Again(Pause::Short, Meaning::Retry);
    Failure::new(again, format!("HTTP {}: not an answer of DingTalk", status.as_u16()))
}

/// An answer without what it must have.
pub fn incomplete(api: &str, what: &str) -> Trouble {
    Trouble::new(Meaning::Retry, format!("{api}: an answer without {what}"))
}

/// `access_token` and `expires_in`.
pub fn token(response: &Response, now: Timestamp) -> Result<Token, Failure> {
    let body = modern(response)?;
    let lifetime = number(&body, "expires_in").unwrap_or_default();
    let token = text(&body, "access_token").and_then(|text| Token::new(text, lifetime, now));
    token.ok_or_else(|| Failure::new(Reaction::Final(Meaning::Stop), "an answer without access_token"))
}

/// `auth/scopes`
pub fn visible(body: &Value) -> Option<Visible> {
    let scopes = body.get("auth_org_scopes")?;
    let words = |of: &Value, name: &str| {
        let items = list(of, name).unwrap_or_default();
        let mut words: Vec<_> = items.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
        words.sort();
        words
    };
    let departments = list(scopes, "authed_dept").unwrap_or_default();
    let mut departments: Vec<i64> = departments.iter().map(crate::json::integer).collect::<Option<_>>()?;
    departments.sort_unstable();
    Some(Visible {
        departments,
        people: words(scopes, "authed_user"),
        fields: words(body, "auth_user_field"),
    })
}

/// `user/count`
pub fn count(body: &Value) -> Option<u64> {
    number(body.get("result")?, "count")?.try_into().ok()
}

/// A department of `department/get` or of a list.
pub fn department(written: &Value) -> Option<Department> {
    let id = number(written, "dept_id")?;
    let parent = number(written, "parent_id").filter(|_| id != ROOT);
    if parent.is_none() && id != ROOT {
        return None;
    }
    Some(Department {
        id,
        parent,
        name: text(written, "name")?,
        order: number(written, "order"),
        is_of_union: is_true(written, "from_union_org"),
    })
}

/// `department/listsub`
pub fn departments(body: &Value) -> Option<Vec<Department>> {
    list(body, "result")?.iter().map(department).collect()
}

/// What `user/get` and `user/list` have in common.
fn person(written: &Value) -> Option<Person> {
    let departments = list(written, "dept_id_list")?;
    Some(Person {
        userid: text(written, "userid")?,
        name: text(written, "name")?,
        country: text(written, "state_code"),
        mobile: text(written, "mobile"),
        telephone: text(written, "telephone"),
        email: text(written, "email"),
        org_email: text(written, "org_email"),
        title: text(written, "title"),
        departments: departments.iter().map(crate::json::integer).collect::<Option<_>>()?,
        leads: Vec::new(),
        manager: Manager::Unread,
    })
}

/// `user/get`
pub fn one_person(body: &Value) -> Option<Person> {
    let written = body.get("result")?;
    let leads = list(written, "leader_in_dept").unwrap_or_default();
    let leads = leads.iter().filter(|one| is_true(one, "leader")).map(|one| number(one, "dept_id"));
    let manager = match text(written, "manager_userid") {
        Some(userid) => Manager::Person(userid),
        None => Manager::Nobody,
    };
    Some(Person { leads: leads.collect::<Option<_>>()?, manager, ..person(written)? })
}

/// A page of a list, and where the next one begins.
#[derive(Debug, PartialEq)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// The cursor of the next page; `None` for the last.
    pub next: Option<i64>,
}

/// `user/list` of a department
pub fn people(body: &Value, department: i64) -> Option<Page<Person>> {
    let result = body.get("result")?;
    let has_more = is_true(result, "has_more");
    let rows = match list(result, "list") {
        Some(rows) => rows,
        // Of an empty department there may be no list.
        None if !has_more && result.get("has_more").is_some() => Vec::new(),
        None => return None,
    };
    let rows = rows.iter().map(|row| {
        let leads = if is_true(row, "leader") { vec![department] } else { Vec::new() };
        Some(Person { leads, ..person(row)? })
    });
    let rows: Vec<_> = rows.collect::<Option<_>>()?;
    let next = if has_more { Some(number(result, "next_cursor")?) } else { None };
    Some(Page { rows, next })
}

/// `role/list`: the roles of all groups of the page, and whether there are more.
pub fn roles(body: &Value) -> Option<(Vec<Role>, bool)> {
    let result = body.get("result")?;
    let mut found = Vec::new();
    for group in list(result, "list")? {
        let name = text(&group, "name").unwrap_or_default();
        for role in list(&group, "roles").unwrap_or_default() {
            found.push(Role { id: number(&role, "id")?, name: text(&role, "name")?, group: name.clone() });
        }
    }
    Some((found, is_true(result, "hasMore")))
}

/// `role/simplelist`: the ids of the people of the page, and where the next one begins, from `offset`.
pub fn people_of_role(body: &Value, offset: i64) -> Option<Page<String>> {
    let result = body.get("result")?;
    let has_more = is_true(result, "hasMore");
    let rows = match list(result, "list") {
        Some(rows) => rows,
        None if !has_more && result.get("hasMore").is_some() => Vec::new(),
        None => return None,
    };
    let after = number(result, "nextCursor")
        .filter(|next| *next > offset)
        .or_else(|| i64::try_from(rows.len()).ok().filter(|rows| *rows > 0)?.checked_add(offset));
    let rows = rows.iter().map(|row| text(row, "userid")).collect::<Option<_>>()?;
    let next = if has_more { Some(after?) } else { None };
    Some(Page { rows, next })
}

/// `empLeaveRecords`: the records of the page, and the token of the next one.
pub fn leaves(body: &Value) -> Option<(Vec<Leave>, Option<String>)> {
    let rows = list(body, "records")?;
    let rows = rows.iter().map(|row| {
        let at = Timestamp::parse(&text(row, "leaveTime")?, Unit::Rfc3339)?;
        Some(Leave { userid: text(row, "userId")?, at })
    });
    let rows: Vec<_> = rows.collect::<Option<_>>()?;
    // The documentation does not say how the last page looks: without a token, or without rows.
    let next = text(body, "nextToken").filter(|_| !rows.is_empty());
    Some((rows, next))
}

#[cfg(test)]
mod tests;
