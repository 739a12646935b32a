//! The client of WeCom's directory: it writes, and reads what the contact sync assistant may.
//!
//! The calls, read 2026-11-27: <https://developer.work.weixin.qq.com/document/path/90194> (members), `…/90204` (departments),
//! `…/90209` (tags), `…/96067` (`user/list_id`), `…/95350` (`department/simplelist`).

pub mod answer;
pub mod codes;

use std::{fmt, sync::Arc};

use letterbox_codec::Secret;
use letterbox_intake::ambient;
use letterbox_outbound::http::{Request, Response, query};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    calls::{Application, Calls, Transport},
    codes::Failure,
    limiter::Limiter,
    model::{Field, Group, GroupId, Member, Membership},
    settings,
    source::Answer,
    target::Target,
    tokens::{Token, Tokens},
    trouble::{Meaning, Trouble},
};

/// Calls a second of each API. WeCom allows 10,000 a minute and 150,000 an hour of a corp, and blocks for the same time:
/// <https://developer.work.weixin.qq.com/document/path/90312> (read 2026-11-27). At this rate, a run of a quarter of an hour
/// stays below both.
const PER_SECOND: u32 = 150;

/// The largest page of `user/list_id`.
const PAGE: usize = 10_000;

/// The most pages: each has a membership at least.
const MOST_PAGES: usize = 1000;

/// The most members of one call for a tag.
const TAGGED: usize = 1000;

/// The directory of one corp.
pub struct WeCom<'c> {
    assistant: App<'c>,
    /// Who reads, if it is not the assistant.
    reader: Option<App<'c>>,
    calls: Calls,
    /// WeCom asks for one write to the departments at a time, and for one creation of a member.
    writing: [Mutex<()>; 2],
}

/// A secret, and how it gets its token.
struct App<'c> {
    settings: &'c settings::WeCom,
    secret: &'c Secret,
    name: String,
}

impl<'c> WeCom<'c> {
    /// The client of one run, which ends at `ends`. The tokens are those of the process.
    pub fn new(
        settings: &'c settings::WeCom,
        transport: Arc<dyn Transport>,
        tokens: Arc<Tokens>,
        ends: Instant,
    ) -> Self {
        let app =
            |secret, of: &str| App { settings, secret, name: format!("wecom/{}/{of}", settings.corp_id) };
        Self {
            assistant: app(&settings.secret, "assistant"),
            reader: settings.reader_secret.as_ref().map(|secret| app(secret, "reader")),
            calls: Calls::new(transport, tokens, Limiter::new(PER_SECOND, 1), ends),
            writing: Default::default(),
        }
    }

    fn reader(&self) -> &App<'c> {
        self.reader.as_ref().unwrap_or(&self.assistant)
    }

    fn url(app: &App<'_>, api: &str, token: &Secret, more: Option<(&'static str, String)>) -> String {
        // A token in a header or in the body is not seen: 41001.
        let token = ("access_token", token.expose().to_owned());
        format!("{}/cgi-bin/{api}?{}", app.settings.url, query([token].into_iter().chain(more)))
    }

    async fn get(
        &self,
        app: &App<'_>,
        api: &'static str,
        parameter: Option<(&'static str, String)>,
    ) -> Result<Value, Trouble> {
        let build = |token: &Secret| Request::get(Self::url(app, api, token, parameter.clone()));
        self.calls.call(app, api, &build, answer::read).await
    }

    async fn post(&self, app: &App<'_>, api: &'static str, body: Value) -> Result<Value, Trouble> {
        let body = body.to_string();
        let build = |token: &Secret| {
            let request = Request::post(Self::url(app, api, token, None), body.clone());
            request.with("content-type", "application/json; charset=utf-8")
        };
        self.calls.call(app, api, &build, answer::read).await
    }

    async fn write_department(&self, api: &'static str, body: Value) -> Result<Value, Trouble> {
        let [departments, _] = &self.writing;
        let _one = departments.lock().await;
        self.post(&self.assistant, api, body).await
    }

    /// Sends a change of a tag's members, in parts. Returns who was not valid.
    async fn tag(&self, api: &'static str, tag: i32, members: &[String]) -> Result<Vec<String>, Trouble> {
        let mut invalid = Vec::new();
        for part in members.chunks(TAGGED) {
            let body = json!({ "tagid": tag, "userlist": part });
            match self.post(&self.assistant, api, body).await {
                Ok(body) if answer::invalid_departments(&body) > 0 => {
                    return Err(Trouble::new(Meaning::Bug, format!("{api}: departments that were not sent")));
                }
                Ok(body) => invalid.extend(answer::invalid(&body)),
                // All of them are invalid. A tag that is not there is 40068.
                Err(trouble) if matches!(trouble.code, Some(40_070 | 40_031)) => {
                    invalid.extend_from_slice(part);
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(invalid)
    }
}

impl Application for App<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn request_token(&self) -> Request {
        let parameters = query([
            ("corpid", self.settings.corp_id.clone()),
            ("corpsecret", self.secret.expose().to_owned()),
        ]);
        Request::get(format!("{}/cgi-bin/gettoken?{parameters}", self.settings.url))
    }

    fn read_token(&self, response: &Response) -> Result<Token, Failure> {
        answer::token(response, ambient::now())
    }
}

fn silently_created(api: &str, body: &Value) -> Result<Vec<i32>, Trouble> {
    answer::silently_created(body)
        .ok_or_else(|| answer::incomplete(api, "the ids of departments that were created"))
}

impl Target for WeCom<'_> {
    fn memberships(&self) -> Answer<'_, Vec<Membership>> {
        const API: &str = "user/list_id";
        Box::pin(async {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            for _ in 0..MOST_PAGES {
                let body = json!({ "cursor": cursor, "limit": PAGE });
                let body = self.post(self.reader(), API, body).await?;
                let (rows, next) =
                    answer::memberships(&body).ok_or_else(|| answer::incomplete(API, "dept_user"))?;
                found.extend(rows);
                match next {
                    None => return Ok(found),
                    Some(next) if next == cursor => return Err(answer::incomplete(API, "a next page")),
                    Some(next) => cursor = next,
                }
            }
            Err(answer::incomplete(API, "an end"))
        })
    }

    fn groups(&self) -> Answer<'_, Vec<GroupId>> {
        const API: &str = "department/simplelist";
        Box::pin(async {
            let body = self.get(self.reader(), API, None).await?;
            answer::groups(&body).ok_or_else(|| answer::incomplete(API, "department_id"))
        })
    }

    fn create_group<'a>(&'a self, group: &'a Group) -> Answer<'a, i32> {
        const API: &str = "department/create";
        Box::pin(async move {
            let body = self.write_department(API, answer::new_group(group)).await?;
            answer::created(&body, "id").ok_or_else(|| answer::incomplete(API, "id"))
        })
    }

    fn update_group<'a>(&'a self, group: &'a Group, fields: &'a [Field]) -> Answer<'a, ()> {
        Box::pin(async move {
            self.write_department("department/update", answer::changed_group(group, fields)).await?;
            Ok(())
        })
    }

    fn delete_group(&self, id: i32) -> Answer<'_, ()> {
        Box::pin(async move {
            let [departments, _] = &self.writing;
            let _one = departments.lock().await;
            let parameter = Some(("id", id.to_string()));
            let deleted = self.get(&self.assistant, "department/delete", parameter).await;
            deleted.map(|_| ()).map_err(|trouble| match trouble.code {
                // Here the department itself is meant, not one that a member is in.
                Some(60_003 | 60_123) => Trouble { meaning: Meaning::Absent, ..trouble },
                _ => trouble,
            })
        })
    }

    fn create_member<'a>(&'a self, member: &'a Member) -> Answer<'a, Vec<i32>> {
        const API: &str = "user/create";
        Box::pin(async move {
            let [_, members] = &self.writing;
            let _one = members.lock().await;
            let body = self.post(&self.assistant, API, answer::new_member(member)).await?;
            silently_created(API, &body)
        })
    }

    fn update_member<'a>(&'a self, member: &'a Member, fields: &'a [Field]) -> Answer<'a, Vec<i32>> {
        const API: &str = "user/update";
        Box::pin(async move {
            let body = self.post(&self.assistant, API, answer::changed_member(member, fields)).await?;
            silently_created(API, &body)
        })
    }

    fn delete_member<'a>(&'a self, userid: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let parameter = Some(("userid", userid.to_owned()));
            self.get(&self.assistant, "user/delete", parameter).await?;
            Ok(())
        })
    }

    fn create_tag<'a>(&'a self, tag: i32, name: &'a str) -> Answer<'a, i32> {
        const API: &str = "tag/create";
        Box::pin(async move {
            let body = json!({ "tagid": tag, "tagname": name });
            let body = self.post(&self.assistant, API, body).await?;
            answer::created(&body, "tagid").ok_or_else(|| answer::incomplete(API, "tagid"))
        })
    }

    fn rename_tag<'a>(&'a self, tag: i32, name: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.post(&self.assistant, "tag/update", json!({ "tagid": tag, "tagname": name })).await?;
            Ok(())
        })
    }

    fn delete_tag(&self, tag: i32) -> Answer<'_, ()> {
        Box::pin(async move {
            self.get(&self.assistant, "tag/delete", Some(("tagid", tag.to_string()))).await?;
            Ok(())
        })
    }

    fn tag_members<'a>(&'a self, tag: i32, members: &'a [String]) -> Answer<'a, Vec<String>> {
        Box::pin(self.tag("tag/addtagusers", tag, members))
    }

    fn untag_members<'a>(&'a self, tag: i32, members: &'a [String]) -> Answer<'a, Vec<String>> {
        Box::pin(self.tag("tag/deltagusers", tag, members))
    }
}

impl fmt::Debug for WeCom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.assistant.name)
    }
}
