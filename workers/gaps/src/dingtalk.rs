//! DingTalk: fetches the list of failed pushes, and puts its records on the queue.
//!
//! A call removes what an earlier call returned. So an answer is stored whole, in one transaction, before anything else; it
//! goes onto the queue from there; and no further call is made before it is there. An answer is lost only if the run ends,
//! or the connection breaks, between DingTalk's sending it and the state's having it.

pub mod answer;

use std::{collections::HashMap, sync::Mutex, sync::PoisonError};

use letterbox_codec::{Secret, Timestamp};
use letterbox_outbound::{
    http::{Request, query},
    store::{Condition, Item},
};
use serde_json::json;

use self::answer::{Answer, MOST_CALLS, QUIET, Token};
use crate::{
    accounts::DingTalk,
    context::{Context, Put, Trouble, clock, count, surroundings},
    event,
    limits::HOUR,
    report::AccountReport,
};

/// When the list was last asked for.
const ASKED: &str = "asked";

/// How long the mark of a record is stored, in milliseconds.
const MARKED: i64 = 7 * 24 * HOUR;

/// How long an answer waits for the queue, in milliseconds. Its events are given up then.
const STORED: i64 = 60 * 24 * HOUR;

/// The most parts of answers that a run puts on the queue.
const MOST_STORED: usize = 1000;

/// The tokens of this process, by application: a token is valid for two hours, and must not be fetched for each call.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<String, Token>>);

impl Tokens {
    fn get(&self, app: &str, now: Timestamp) -> Option<Token> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(app).filter(|token| token.until > now).cloned()
    }

    fn set(&self, app: &str, token: Option<Token>) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match token {
            Some(token) => tokens.insert(app.to_owned(), token),
            None => tokens.remove(app),
        };
    }
}

/// One application.
struct Work<'w> {
    context: &'w Context<'w>,
    account: &'w DingTalk,
    name: String,
    tokens: &'w Tokens,
}

/// Fills the gaps of one application.
pub async fn fill(
    context: &Context<'_>,
    account: &DingTalk,
    tokens: &Tokens,
    report: &mut AccountReport,
) -> Result<(), Trouble> {
    let work = Work { context, account, name: account.name(), tokens };
    work.put_stored(report).await?;
    if context.is_dry {
        report.note("the list of failed pushes is not read in a dry run: reading it clears it".to_owned());
        return Ok(());
    }
    let asked: Option<i64> = match context.store.get(&work.name, ASKED).await? {
        Some(item) => Some(item.value()?),
        None => None,
    };
    let next = asked.unwrap_or_default().saturating_add(QUIET);
    if clock()?.0 < next {
        report.note(
            "the list was read less than 15 minutes ago: its calls count against the company's month"
                .to_owned(),
        );
        return Ok(());
    }
    for _ in 0..MOST_CALLS {
        context.check_time()?;
        let has_more = work.ask(report).await?;
        work.put_stored(report).await?;
        if !has_more {
            return Ok(());
        }
    }
    report.note("there are more failed pushes; the next run goes on".to_owned());
    Ok(())
}

impl Work<'_> {
    /// Puts the stored answers on the queue, and forgets each part when all of it is there.
    async fn put_stored(&self, report: &mut AccountReport) -> Result<(), Trouble> {
        let parts = self.context.store.list(&self.name, "answer#", MOST_STORED).await?;
        for item in parts {
            let part: String = item.value()?;
            let records = answer::unpack(&part)
                .map_err(|error| Trouble::Other(format!("the state: {} {}: {error}", self.name, item.key)))?;
            for record in records {
                let put = self.put(record.get(), report).await;
                if put.is_err() {
                    report.open = report.open.saturating_add(1);
                }
                put?;
            }
            if !self.context.is_dry {
                self.context.store.delete(&self.name, &item.key).await?;
            }
        }
        Ok(())
    }

    async fn put(&self, record: &str, report: &mut AccountReport) -> Result<Put, Trouble> {
        let ambient = surroundings()?;
        let expires = Timestamp(ambient.now.0.saturating_add(MARKED));
        let largest = self.context.queue.largest();
        match event::dingtalk(&self.account.source, record, &ambient, largest) {
            Ok(message) => {
                let put = self.context.put(&self.name, &message, expires).await?;
                count(report, &message, put);
                Ok(put)
            }
            Err(error) => {
                report.found = report.found.saturating_add(1);
                report.given_up = report.given_up.saturating_add(1);
                report.note(format!("a record: {error}"));
                Ok(Put::Known)
            }
        }
    }

    /// Fetches the list, and stores it. Returns whether there is more.
    async fn ask(&self, report: &mut AccountReport) -> Result<bool, Trouble> {
        for is_last in [false, true] {
            let token = self.token().await?;
            // Before the call: one that is not answered counts, too.
            let now = clock()?;
            self.context.write(&Item::new(&self.name, ASKED, &now.0)?, Condition::Always).await?;
            (self.context.progress)(&format!("{}: the list of failed pushes", self.name));
            let parameter = query([("access_token", token.expose().to_owned())]);
            let path = "/call_back/get_call_back_failed_result";
            let request = Request::get(format!("{}{path}?{parameter}", self.account.url));
            let response = self.context.client.send(request).await;
            let response = response.map_err(|error| {
                Trouble::Unavailable(format!("the list of failed pushes: {error}; what it held may be lost"))
            })?;
            match answer::read(&response.body) {
                Answer::Records(records, has_more) => {
                    self.store(&records, now).await?;
                    return Ok(has_more);
                }
                Answer::TokenExpired(why) if is_last => return Err(Trouble::Denied(why)),
                Answer::TokenExpired(_) => self.tokens.set(&self.account.app_key, None),
                Answer::Limited(why) | Answer::Busy(why) => return Err(Trouble::Unavailable(why)),
                Answer::MonthSpent(why) => {
                    report.note("the company's API calls of this month are used up".to_owned());
                    return Err(Trouble::Denied(why));
                }
                Answer::Denied(why) => {
                    return Err(Trouble::Denied(format!(
                        "{why}: the application needs the permission qyapi_base, and this address in its list of egress addresses, if it has one"
                    )));
                }
                Answer::Unreadable(why) => {
                    return Err(Trouble::Unavailable(format!(
                        "the list of failed pushes: HTTP {}: {why}; what it held may be lost",
                        response.status.as_u16()
                    )));
                }
            }
        }
        Ok(false)
    }

    /// Stores an answer: up to some MB whole or not at all.
    async fn store(&self, records: &[String], now: Timestamp) -> Result<(), Trouble> {
        let parts = answer::pack(records);
        let expires = Timestamp(now.0.saturating_add(STORED));
        let items = parts.iter().enumerate().map(|(at, part)| {
            // In the order of their keys, which are read in that order.
            let key = format!("answer#{:020}#{at:03}", now.0);
            Item::new(&self.name, key, part).map(|item| item.until(expires))
        });
        let items: Vec<_> = items.collect::<Result<_, _>>()?;
        for together in items.chunks(answer::TOGETHER) {
            self.context.store.put_all(together).await?;
        }
        Ok(())
    }

    async fn token(&self) -> Result<Secret, Trouble> {
        let now = clock()?;
        let secret = |token: Token| Secret::new(token.text).map_err(|error| Trouble::Other(error.to_owned()));
        if let Some(token) = self.tokens.get(&self.account.app_key, now) {
            return secret(token);
        }
        let body = json!({ "appKey": self.account.app_key, "appSecret": self.account.app_secret.expose() });
        let url = format!("{}/v1.0/oauth2/accessToken", self.account.token_url);
        let request = Request::post(url, body.to_string()).with("content-type", "application/json");
        let response = self.context.client.send(request).await;
        let response = response.map_err(|error| Trouble::Unavailable(format!("the token: {error}")))?;
        let token = answer::token(&response.body, now).map_err(|error| {
            let text = format!("the token: HTTP {}: {error}", response.status.as_u16());
            let is_refused = response.status.is_client_error() && response.status.as_u16() != 429;
            if is_refused { Trouble::Denied(text) } else { Trouble::Unavailable(text) }
        })?;
        self.tokens.set(&self.account.app_key, Some(token.clone()));
        secret(token)
    }
}
