//! DingTalk HTTP event push: signed and encrypted callbacks, encrypted acknowledgements.
//!
//! Sources, read on 2026-11-26 in the [copy of 2026-08-22](https://github.com/apolloyyu/kb-dingtalk-open-platform):
//! - push and handshake: <https://open.dingtalk.com/document/development/configure-stream-push>
//! - `SyncHTTP`: <https://open.dingtalk.com/document/development/configure-synchttp-push>, and the format of its rows:
//!   <https://open.dingtalk.com/document/development/development-data-format-help>
//! - encryption: <https://github.com/open-dingtalk/DingTalk-Callback-Crypto>
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
#[cfg(feature = "sender")]
mod platform;

use std::{borrow::Cow, time::Duration};

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Rejected, Reply, Request, Source, Stage, Timestamp, form,
    json::Object,
    provider::Refused,
    reject::JsonPart,
    sealed::{self, Envelope},
    stage::{at, first_accepted},
    verified::{Payload, Verified},
};
use serde::Serialize;
use serde_json::value::RawValue;

pub use crate::credentials::Credentials;

/// The fields with the corp of an event, in order of precedence. An event may have two of them, which differ only in case.
const CORP: [&str; 4] = ["CorpId", "corpId", "corpid", "AuthCorpId"];

/// The fields with the time of an event, in order of precedence.
const TIME: [&str; 4] = ["EventTime", "TimeStamp", "timeStamp", "createTime"];

/// URL-verification handshakes, and whether the response may be their `Random` instead of `success`.
const HANDSHAKES: [(&str, bool); 3] =
    [("check_url", false), ("check_create_suite_url", true), ("check_update_suite_url", true)];

/// The content of an acknowledgement.
const SUCCESS: &str = "success";

/// DingTalk.
pub struct DingTalk;

impl Provider for DingTalk {
    const NAME: &'static str = "dingtalk";
    /// The platform waits 1.5 s, for `SyncHTTP` pushes 1.2 s.
    const DEADLINE: Duration = Duration::from_millis(1200);
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
        let message = Message::from_request(request)?;
        let (position, (key, content, owner_key)) = first_accepted(source.keys, |key: &Credentials| {
            let opened = message.envelope().verify(&key.token)?.open(&key.aes_key)?;
            key.fresh(&message.timestamp, ambient.now)?;
            let (content, owner_key) = opened.addressed_to(&key.owner_key)?;
            Ok((key, content, owner_key))
        })?;
        let (event, acknowledgement) =
            event(source, key, &content, ambient).map_err(|reject| Refused::payload(reject, position))?;
        let reply = reply(key, &acknowledgement, owner_key, ambient);
        Ok(match event {
            Some(event) => Received::event(event, reply, position),
            None => Received::handshake(reply, position),
        })
    }
}

/// An encrypted message and its signature, as received.
struct Message<'a> {
    signature: Cow<'a, str>,
    timestamp: Cow<'a, str>,
    nonce: Cow<'a, str>,
    encrypt: String,
}

impl<'a> Message<'a> {
    /// Reads a request, whose signature is in the query string.
    fn from_request(request: &'a Request) -> Result<Self, Rejected> {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let read = || {
            Ok(Self {
                signature: parameter(query, "msg_signature", Some("signature"))?,
                timestamp: parameter(query, "timestamp", Some("timeStamp"))?,
                nonce: parameter(query, "nonce", None)?,
                encrypt: encrypt(request.body())?,
            })
        };
        read().map_err(at(Stage::Form))
    }

    fn envelope(&self) -> Envelope<'_> {
        Envelope {
            signature: &self.signature,
            timestamp: &self.timestamp,
            nonce: &self.nonce,
            encrypt: &self.encrypt,
        }
    }
}

/// The event of a decrypted message, or `None` for a handshake, and the content of the acknowledgement.
fn event(
    source: &Source<'_, Credentials>,
    key: &Credentials,
    content: &Verified<'_>,
    ambient: &Ambient,
) -> Result<(Option<Event>, String), Reject> {
    let payload = content.json()?;
    let event_type = payload.require("EventType")?;
    if let Some((_, may_be_random)) = HANDSHAKES.iter().find(|(name, _)| *name == event_type) {
        let reply = if key.reply_random && *may_be_random {
            payload.require("Random")?
        } else {
            Cow::Borrowed(SUCCESS)
        };
        return Ok((None, reply.into_owned()));
    }
    let mut event = Event::new(source, &event_type, content, &payload, ambient);
    let push = SyncPush::read(&payload)?;
    event.subject = payload.first_label(&CORP)?.map(Cow::into_owned).or(push.corp);
    event.action = push.action;
    for member in TIME {
        if payload.label(member)?.is_some_and(|time| event.at(&time)) {
            break;
        }
    }
    if let Some(id) = id(&payload, &event_type)? {
        event.id = id;
    }
    Ok((Some(event), SUCCESS.to_owned()))
}

/// The value of a query parameter, or else of its older name. An empty value counts as missing.
fn parameter<'q>(
    query: &'q [u8],
    name: &'static str,
    older: Option<&'static str>,
) -> Result<Cow<'q, str>, Reject> {
    for name in [Some(name), older].into_iter().flatten() {
        if let Some(value) = form::one(query, name)?.filter(|value| !value.is_empty()) {
            return Ok(value);
        }
    }
    Err(Reject::missing(name))
}

/// The encrypted message, exactly as JSON-decoded: the signature covers its line breaks.
fn encrypt(body: &[u8]) -> Result<String, Reject> {
    let body = std::str::from_utf8(body).map_err(|_| Reject::InvalidJson(JsonPart::Body))?;
    // A byte order mark before JSON is ignored (RFC 8259, section 8.1); nothing signs this body but its member.
    let body = body.strip_prefix('\u{feff}').unwrap_or(body);
    let encrypt = Object::parse(body)?.get("encrypt")?.ok_or(Reject::missing("encrypt"))?;
    let text: String =
        serde_json::from_str(encrypt.get()).map_err(|_| Reject::malformed("encrypt", "a string"))?;
    if text.is_empty() { Err(Reject::missing("encrypt")) } else { Ok(text) }
}

/// The platform's id of the event. Each retry is encrypted again, but keeps the id. Older formats have none.
fn id(payload: &Payload<'_>, event_type: &str) -> Result<Option<String>, Reject> {
    if let Some(id) = payload.label("eventId")? {
        return Ok(Some(id.into_owned()));
    }
    Ok(payload.label("BizId")?.map(|id| format!("{id}:{event_type}")))
}

/// What a `SyncHTTP` push is about. Its type is only a priority; the facts are in the rows of `bizData`, so each is `None`
/// unless all rows have the same. Nothing is set for other events.
#[derive(Default)]
struct SyncPush {
    /// The `corp_id`.
    corp: Option<String>,
    /// The `syncAction` in `biz_data`, which is JSON in a string: the type of the change, such as `user_add_org`.
    action: Option<String>,
}

impl SyncPush {
    fn read(payload: &Payload<'_>) -> Result<Self, Reject> {
        let rows =
            payload.get("bizData")?.and_then(|rows| serde_json::from_str::<Vec<&RawValue>>(rows.get()).ok());
        let (mut corps, mut actions) = (Vec::new(), Vec::new());
        for row in rows.unwrap_or_default() {
            let Ok(row) = Object::parse(row.get()) else { return Ok(Self::default()) };
            corps.push(row.label("corp_id")?.map(Cow::into_owned));
            let data = row.get("biz_data")?.and_then(|data| serde_json::from_str::<String>(data.get()).ok());
            actions.push(match data.as_deref().map(Object::parse) {
                Some(Ok(data)) => data.label("syncAction")?.map(Cow::into_owned),
                _ => None,
            });
        }
        Ok(Self { corp: common(corps), action: common(actions) })
    }
}

/// The value that all elements have; `None` if they differ, or one has none.
fn common(values: Vec<Option<String>>) -> Option<String> {
    let mut values = values.into_iter();
    let first = values.next()??;
    values.all(|value| value.as_deref() == Some(&first)).then_some(first)
}

/// The encrypted acknowledgement. Field names are the platform's, with a capital S in `timeStamp`.
#[derive(Serialize)]
struct Acknowledgement<'a> {
    msg_signature: String,
    #[serde(rename = "timeStamp")]
    timestamp: &'a str,
    nonce: &'a str,
    encrypt: String,
}

/// Encrypts and signs `message`; `None` if it is too long.
fn acknowledgement(key: &Credentials, message: &[u8], owner_key: &str, ambient: &Ambient) -> Option<String> {
    let (random, nonce) = ambient.split::<16, 8>();
    let Timestamp(now) = ambient.now;
    let (timestamp, nonce) = (now.to_string(), hex::encode(nonce));
    let encrypt = sealed::seal(&key.aes_key, random, message, owner_key)?;
    let msg_signature = sealed::signature(key.token.expose(), &timestamp, &nonce, &encrypt);
    let parts = Acknowledgement { msg_signature, timestamp: &timestamp, nonce: &nonce, encrypt };
    serde_json::to_string(&parts).ok()
}

fn reply(key: &Credentials, message: &str, owner_key: &str, ambient: &Ambient) -> Reply {
    match acknowledgement(key, message.as_bytes(), owner_key, ambient) {
        Some(body) => Reply::new(200, "application/json", body),
        // Cannot happen for a message of this length. A response that does not acknowledge makes the platform retry.
        None => Reply::empty(500),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_common_only_if_every_row_has_it() {
        for (values, expected) in [
            (&[][..], None),
            (&[None], None),
            (&[Some("a")], Some("a")),
            (&[Some("a"), Some("a")], Some("a")),
            (&[Some("a"), Some("b")], None),
            (&[Some("a"), None], None),
            (&[None, Some("a")], None),
        ] {
            let values: Vec<_> = values.iter().map(|value| value.map(str::to_owned)).collect();
            assert_eq!(common(values.clone()).as_deref(), expected, "{values:?}");
        }
    }
}
