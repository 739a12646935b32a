//! The client of DingTalk's directory: it only reads.
//!
//! The calls, read 2026-11-27: <https://open.dingtalk.com/document/development/query-user-details> and its neighbours.

pub mod answer;
pub mod codes;

use std::{fmt, sync::Arc};

use letterbox_codec::{Secret, Timestamp, timestamp::Unit};
use letterbox_intake::ambient;
use letterbox_outbound::http::{Request, Response, query};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    calls::{Application, Calls, Transport},
    codes::Failure,
    limiter::Limiter,
    model::{Department, Leave, Person, Role, Visible},
    settings,
    source::{Answer, Source},
    tokens::{Token, Tokens},
    trouble::{Meaning, Trouble},
};

/// The largest page of people, and of the people of a role.
const PAGE: i64 = 100;

/// The largest page of roles.
const PAGE_OF_ROLES: i64 = 200;

/// The largest page of leave records.
const PAGE_OF_LEAVES: i64 = 50;

/// The most pages of one list: a platform whose cursors do not end must not hold up a run.
const MOST_PAGES: usize = 2000;

/// The longest time that leave records may be asked for, in milliseconds: 365 days, less a day.
const LONGEST: i64 = 364 * 24 * 3_600_000;

/// One application of DingTalk.
pub struct DingTalk<'c> {
    application: App<'c>,
    calls: Calls,
}

/// How it gets its token.
struct App<'c> {
    settings: &'c settings::DingTalk,
    name: String,
}

impl<'c> DingTalk<'c> {
    /// The client of one run, which ends at `ends`. The tokens are those of the process.
    pub fn new(
        settings: &'c settings::DingTalk,
        transport: Arc<dyn Transport>,
        tokens: Arc<Tokens>,
        ends: Instant,
    ) -> Self {
        // A twentieth less than is allowed: the network moves calls together.
        let limiter = Limiter::new((settings.per_second.saturating_mul(19) / 20).max(1), 1);
        let name = format!("dingtalk/{}/{}", settings.corp_id, settings.client_id);
        Self { application: App { settings, name }, calls: Calls::new(transport, tokens, limiter, ends) }
    }

    /// A POST of JSON to `oapi.dingtalk.com`.
    async fn post(&self, api: &'static str, body: Value) -> Result<Value, Trouble> {
        let url = &self.application.settings.legacy_url;
        let body = body.to_string();
        let build = |token: &Secret| {
            let parameter = query([("access_token", token.expose().to_owned())]);
            let request = Request::post(format!("{url}/topapi/{api}?{parameter}"), body.clone());
            request.with("content-type", "application/json")
        };
        self.calls.call(&self.application, api, &build, answer::legacy).await
    }

    async fn read<T>(
        &self,
        api: &'static str,
        body: Value,
        read: impl FnOnce(&Value) -> Option<T>,
        what: &str,
    ) -> Result<T, Trouble> {
        let body = self.post(api, body).await?;
        read(&body).ok_or_else(|| answer::incomplete(api, what))
    }
}

impl Application for App<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn request_token(&self) -> Request {
        let settings = self.settings;
        // Of the three calls for a token, this one does not count against the month.
        let url = format!("{}/v1.0/oauth2/{}/token", settings.url, settings.corp_id);
        let body = json!({
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.expose(),
            "grant_type": "client_credentials",
        });
        Request::post(url, body.to_string()).with("content-type", "application/json")
    }

    fn read_token(&self, response: &Response) -> Result<Token, Failure> {
        answer::token(response, ambient::now())
    }
}

impl Source for DingTalk<'_> {
    fn visible(&self) -> Answer<'_, Visible> {
        const API: &str = "auth/scopes";
        Box::pin(async {
            let url = &self.application.settings.legacy_url;
            let build = |token: &Secret| {
                let parameter = query([("access_token", token.expose().to_owned())]);
                Request::get(format!("{url}/auth/scopes?{parameter}"))
            };
            let body = self.calls.call(&self.application, API, &build, answer::legacy).await?;
            answer::visible(&body).ok_or_else(|| answer::incomplete(API, "auth_org_scopes"))
        })
    }

    fn count(&self) -> Answer<'_, u64> {
        Box::pin(self.read("user/count", json!({ "only_active": false }), answer::count, "count"))
    }

    fn subdepartments(&self, department: i64) -> Answer<'_, Vec<Department>> {
        let body = json!({ "dept_id": department });
        Box::pin(self.read("v2/department/listsub", body, answer::departments, "departments"))
    }

    fn department(&self, department: i64) -> Answer<'_, Department> {
        let read = |body: &Value| answer::department(body.get("result")?);
        let body = json!({ "dept_id": department });
        Box::pin(self.read("v2/department/get", body, read, "the department"))
    }

    fn people(&self, department: i64) -> Answer<'_, Vec<Person>> {
        const API: &str = "v2/user/list";
        Box::pin(async move {
            let (mut found, mut cursor) = (Vec::new(), 0);
            for _ in 0..MOST_PAGES {
                let body = json!({
                    "dept_id": department,
                    "cursor": cursor,
                    "size": PAGE,
                    "contain_access_limit": true,
                });
                let read = |body: &Value| answer::people(body, department);
                let page = self.read(API, body, read, "the people").await?;
                found.extend(page.rows);
                match page.next {
                    None => return Ok(found),
                    Some(next) if next == cursor => return Err(answer::incomplete(API, "a next page")),
                    Some(next) => cursor = next,
                }
            }
            Err(answer::incomplete(API, "an end"))
        })
    }

    fn person<'a>(&'a self, userid: &'a str) -> Answer<'a, Person> {
        let body = json!({ "userid": userid });
        Box::pin(self.read("v2/user/get", body, answer::one_person, "the person"))
    }

    fn roles(&self) -> Answer<'_, Vec<Role>> {
        const API: &str = "role/list";
        Box::pin(async {
            let (mut found, mut offset) = (Vec::new(), 0_i64);
            for _ in 0..MOST_PAGES {
                let body = json!({ "size": PAGE_OF_ROLES, "offset": offset });
                let (rows, has_more) = self.read(API, body, answer::roles, "the roles").await?;
                found.extend(rows);
                if !has_more {
                    return Ok(found);
                }
                offset = offset.saturating_add(PAGE_OF_ROLES);
            }
            Err(answer::incomplete(API, "an end"))
        })
    }

    fn people_of_role(&self, role: i64) -> Answer<'_, Vec<String>> {
        const API: &str = "role/simplelist";
        Box::pin(async move {
            let (mut found, mut offset) = (Vec::new(), 0);
            for _ in 0..MOST_PAGES {
                let body = json!({ "role_id": role, "size": PAGE, "offset": offset });
                let read = |body: &Value| answer::people_of_role(body, offset);
                let page = self.read(API, body, read, "the people").await?;
                found.extend(page.rows);
                let Some(next) = page.next else { return Ok(found) };
                offset = next;
            }
            Err(answer::incomplete(API, "an end"))
        })
    }

    fn leaves(&self, since: Timestamp) -> Answer<'_, Vec<Leave>> {
        const API: &str = "empLeaveRecords";
        Box::pin(async move {
            let start = Timestamp(since.0.max(ambient::now().0.saturating_sub(LONGEST)));
            let start = start.to_rfc3339(Unit::Seconds);
            let start = start.ok_or_else(|| Trouble::new(Meaning::Bug, format!("{API}: no such time")))?;
            let url = &self.application.settings.url;
            let (mut found, mut next) = (Vec::new(), "0".to_owned());
            for _ in 0..MOST_PAGES {
                let build = |token: &Secret| {
                    let parameters = query([
                        ("startTime", start.clone()),
                        ("maxResults", PAGE_OF_LEAVES.to_string()),
                        ("nextToken", next.clone()),
                    ]);
                    let request = Request::get(format!("{url}/v1.0/contact/empLeaveRecords?{parameters}"));
                    request.with("x-acs-dingtalk-access-token", token.expose())
                };
                let body = self.calls.call(&self.application, API, &build, answer::modern).await?;
                let (rows, after) =
                    answer::leaves(&body).ok_or_else(|| answer::incomplete(API, "records"))?;
                found.extend(rows);
                match after {
                    None => return Ok(found),
                    Some(after) if after == next => return Err(answer::incomplete(API, "a next page")),
                    Some(after) => next = after,
                }
            }
            Err(answer::incomplete(API, "an end"))
        })
    }
}

impl fmt::Debug for DingTalk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.application.name)
    }
}
