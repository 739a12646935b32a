//! Discord: interactions and webhook events of an application, signed with Ed25519.
//!
//! Sources, read 2026-11-26: <https://discord.com/developers/docs/interactions/overview>,
//! <https://discord.com/developers/docs/interactions/receiving-and-responding> and
//! <https://discord.com/developers/docs/events/webhook-events>.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "sender")]
mod platform;

use std::{borrow::Cow, time::Duration};

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Rejected, Reply, Request, Source, Stage, Timestamp, Verified,
    provider::Refused,
    signature::{self, Algorithm, Description, Scheme},
    stage::first_accepted,
    timestamp::Unit,
    verified::Payload,
};
use serde::{Deserialize, Deserializer, de::Error};

/// The header with the signature, in hex.
const SIGNATURE: &str = "x-signature-ed25519";

/// The header with the signed time. Discord names no limit for its age.
const TIMESTAMP: &str = "x-signature-timestamp";

/// Hex digits of a signature.
const DIGITS: usize = 128;

/// The most digits of a `type`.
const LONGEST_TYPE: usize = 3;

/// The `type` of a webhook's test. It is answered without a body.
const WEBHOOK_PING: &str = "0";

/// The `type` of an interaction's test, and of a webhook event, which has an [`EVENT`] besides.
const PING: &str = "1";

/// The response to an interaction's test.
const PONG: &str = r#"{"type":1}"#;

/// The field that only webhook events have.
const EVENT: &str = "event";

/// The fields with the subject of an interaction: the server, or the application where there is no server.
const SUBJECT: [&str; 2] = ["guild_id", "application_id"];

/// 2015-01-01T00:00:00Z in milliseconds, from which the ids of Discord count
/// (<https://discord.com/developers/docs/reference#snowflakes>, read 2026-11-26).
const EPOCH: u64 = 1_420_070_400_000;

/// A kind of interaction.
struct Interaction {
    /// Its `type`.
    number: &'static str,
    /// The type of the event, behind `interaction.`.
    name: &'static str,
    /// The acknowledgement with which the consumer can respond later.
    deferred: &'static str,
}

/// The loading state of a message that the consumer writes within 15 minutes.
const DEFERRED_MESSAGE: &str = r#"{"type":5}"#;

const INTERACTIONS: [Interaction; 4] = [
    Interaction { number: "2", name: "application_command", deferred: DEFERRED_MESSAGE },
    // The message with the component stays as it is until the consumer edits it.
    Interaction { number: "3", name: "message_component", deferred: r#"{"type":6}"# },
    // An autocompletion cannot be deferred: no choices.
    Interaction {
        number: "4",
        name: "application_command_autocomplete",
        deferred: r#"{"type":8,"data":{"choices":[]}}"#,
    },
    Interaction { number: "5", name: "modal_submit", deferred: DEFERRED_MESSAGE },
];

/// Discord.
pub struct Discord {
    scheme: Scheme,
}

/// One entry of the credentials.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[serde(deserialize_with = "public_key")]
    public_key: signature::Key,
}

fn public_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<signature::Key, D::Error> {
    signature::Key::public(Algorithm::Ed25519, &String::deserialize(deserializer)?)
        .map_err(|error| D::Error::custom(format!("expected {}", error.expected)))
}

impl Provider for Discord {
    const NAME: &'static str = "discord";
    /// Discord waits 3 s.
    const DEADLINE: Duration = Duration::from_millis(2500);
    const MAX_BODY: usize = 1024 * 1024;
    type Credentials = Credentials;

    fn new(_: &[u8]) -> Result<Self, String> {
        let description = Description {
            header: SIGNATURE.into(),
            algorithm: Algorithm::Ed25519,
            template: format!("{{header:{TIMESTAMP}}}{{body}}"),
            ..Description::default()
        };
        Ok(Self { scheme: Scheme::new(description).map_err(|error| error.to_string())? })
    }

    fn receive(
        &self,
        source: &Source<'_, Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused> {
        let (position, content) = first_accepted(source.keys, |key| self.verify(key, request, ambient.now))?;
        let received = received(source, &content, ambient, position);
        received.map_err(|reject| Refused::payload(reject, position))
    }
}

impl Discord {
    fn verify<'r>(
        &self,
        key: &Credentials,
        request: &'r Request,
        now: Timestamp,
    ) -> Result<Verified<'r>, Rejected> {
        let value = |name| {
            request.headers().get(name).map(http::HeaderValue::as_bytes).filter(|value| !value.is_empty())
        };
        let (Some(digits), Some(_)) = (value(SIGNATURE), value(TIMESTAMP)) else {
            return Err(Reject::MissingSignature.at(Stage::Form));
        };
        if digits.len() != DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Reject::MalformedSignature.at(Stage::Form));
        }
        self.scheme.verify(&key.public_key, request, now).map(|signed| signed.content)
    }
}

fn received(
    source: &Source<'_, Credentials>,
    content: &Verified<'_>,
    ambient: &Ambient,
    position: usize,
) -> Result<Received, Reject> {
    let payload = content.json()?;
    let number = payload.scalar("type")?.ok_or(Reject::missing("type"))?;
    if !(1..=LONGEST_TYPE).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reject::malformed("type", "a number from 0 to 999"));
    }
    let is_webhook = payload.get(EVENT)?.is_some();
    match &*number {
        WEBHOOK_PING => Ok(Received::handshake(Reply::empty(204), position)),
        PING if is_webhook => {
            let event = webhook_event(source, content, &payload, ambient)?;
            Ok(Received::event(event, Reply::empty(204), position))
        }
        PING => Ok(Received::handshake(json(PONG), position)),
        number => {
            let event = interaction(source, content, &payload, number, ambient)?;
            Ok(Received::event(event, acknowledgement(number), position))
        }
    }
}

/// The acknowledgement of an interaction. One of a kind that is not known here is left to the consumer as a whole: after
/// 202, Discord takes the response by its API.
fn acknowledgement(number: &str) -> Reply {
    match INTERACTIONS.iter().find(|interaction| interaction.number == number) {
        Some(known) => json(known.deferred),
        None => Reply::empty(202),
    }
}

fn json(body: &str) -> Reply {
    Reply::new(200, "application/json", body.to_owned())
}

fn interaction(
    source: &Source<'_, Credentials>,
    content: &Verified<'_>,
    payload: &Payload<'_>,
    number: &str,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let name = INTERACTIONS.iter().find(|interaction| interaction.number == number);
    let name = name.map_or(number, |interaction| interaction.name);
    let id = payload.require("id")?;
    let mut event = Event::new(source, &format!("interaction.{name}"), content, payload, ambient);
    event.subject = payload.first_label(&SUBJECT)?.map(Cow::into_owned);
    if let Some(time) = created(&id) {
        event.time = time;
    }
    event.id = id.into_owned();
    Ok(event)
}

/// The time in an id.
fn created(id: &str) -> Option<String> {
    let milliseconds = (id.parse::<u64>().ok()? >> 22).checked_add(EPOCH)?;
    Timestamp(milliseconds.try_into().ok()?).to_rfc3339(Unit::Milliseconds)
}

fn webhook_event(
    source: &Source<'_, Credentials>,
    content: &Verified<'_>,
    payload: &Payload<'_>,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let kind = payload.require("event.type")?;
    let mut event = Event::new(source, &kind, content, payload, ambient);
    event.subject = payload.label("application_id")?.map(Cow::into_owned);
    if let Some(time) = payload.label("event.timestamp")? {
        // Discord writes UTC without an offset.
        if !event.at(&time) {
            event.at(&format!("{time}Z"));
        }
    }
    Ok(event)
}
