//! Feishu and Lark: events of both schemas and card callbacks, signed, encrypted or in clear.
//!
//! Source: open.feishu.cn, "Event subscription overview", "Receive callbacks" and "Card callback"; `lark-oapi` 1.7.5;
//! `@larksuiteoapi/node-sdk` 1.74.0; read on 2026-11-26.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
#[cfg(feature = "sender")]
mod platform;

use std::{borrow::Cow, time::Duration};

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Reply, Request, Source,
    feishu::{Content, Delivery},
    provider::Refused,
    stage::first_accepted,
    verified::Verified,
};
use serde_json::json;

pub use crate::credentials::Credentials;

/// Where a payload has what becomes the attributes of an event.
struct Places {
    kind: &'static str,
    id: &'static str,
    subject: &'static str,
    time: &'static str,
}

/// Events of schema 2.0, and new cards.
const SCHEMA_2: Places = Places {
    kind: "header.event_type",
    id: "header.event_id",
    subject: "header.app_id",
    time: "header.create_time",
};

/// Events of schema 1.0.
const SCHEMA_1: Places = Places { kind: "event.type", id: "uuid", subject: "event.app_id", time: "ts" };

/// The type of an old card, which has no field for it.
const CARD: &str = "card.action";

/// The subject of an old card.
const CARD_SUBJECT: &str = "tenant_key";

/// Feishu and Lark.
pub struct Feishu;

impl Provider for Feishu {
    const NAME: &'static str = "feishu";
    /// Feishu waits 3 s. Its challenge gets 1 s, but is answered without the queue.
    const DEADLINE: Duration = Duration::from_millis(2500);
    const MAX_BODY: usize = 1024 * 1024;
    type Credentials = Credentials;

    fn new(_: &[u8]) -> Result<Self, String> {
        Ok(Self)
    }

    fn receive(
        &self,
        source: &Source<'_, Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused> {
        let delivery = Delivery::read(request.headers(), request.body())?;
        let (position, content) =
            first_accepted(source.keys, |key: &Credentials| key.open(&delivery, ambient.now))?;
        let event = match content {
            Content::Challenge { challenge, .. } => {
                let reply = Reply::json(200, &json!({ "challenge": challenge }));
                return Ok(Received::handshake(reply, position));
            }
            Content::Event(content) => event(source, &content, ambient),
            Content::Card(content) => card(source, &content, ambient),
        };
        let event = event.map_err(|reject| Refused::payload(reject, position))?;
        // To an event any 200 is an acknowledgement; of a card, an empty object changes nothing.
        Ok(Received::event(event, Reply::json(200, &json!({})), position))
    }
}

fn event(
    source: &Source<'_, Credentials>,
    content: &Verified<'_>,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let payload = content.json()?;
    let places = if payload.get("schema")?.is_some() { SCHEMA_2 } else { SCHEMA_1 };
    let kind = payload.require(places.kind)?;
    let mut event = Event::new(source, &kind, content, &payload, ambient);
    event.subject = payload.label(places.subject)?.map(Cow::into_owned);
    if let Some(time) = payload.label(places.time)? {
        event.at(&whole_number(&time));
    }
    if let Some(id) = payload.label(places.id)? {
        event.id = id.into_owned();
    }
    Ok(event)
}

fn card(
    source: &Source<'_, Credentials>,
    content: &Verified<'_>,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let payload = content.json()?;
    let mut event = Event::new(source, CARD, content, &payload, ambient);
    event.subject = payload.label(CARD_SUBJECT)?.map(Cow::into_owned);
    Ok(event)
}

/// A time as a number: schema 1.0 writes seconds with a fraction (`1763719200.376395`), which become microseconds.
fn whole_number(time: &str) -> Cow<'_, str> {
    match time.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}{fraction:0<6.6}").into(),
        None => time.into(),
    }
}
