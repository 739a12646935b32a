//! WeCom callbacks: signed and encrypted XML or JSON of apps, third-party suites and smart bots.
//!
//! Source: developer.work.weixin.qq.com, "Callback configuration" (/document/path/90930), "Encryption and decryption"
//! (/document/path/90968), "Command callbacks" of third-party apps (/document/path/90628) and "Receiving messages" of smart
//! bots (/document/path/100719), read on 2026-11-26; `wechatpy` 1.8.18; `@wecom/crypto` 1.0.1.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
#[cfg(feature = "sender")]
mod platform;

use std::{borrow::Cow, time::Duration};

use http::Method;
use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Rejected, Reply, Request, Source, Stage, form,
    json::{Object, is_attribute},
    provider::Refused,
    reject::JsonPart,
    sealed::Envelope,
    stage::{at, first_accepted},
    verified::Verified,
    xml::Element,
};

pub use crate::credentials::Credentials;

/// The fields with the type of a message: of a suite's command, an app's message, and a smart bot's.
const TYPE: [&str; 3] = [COMMAND, "MsgType", "msgtype"];

/// Only commands of third-party suites and of agency-developed apps have this field.
const COMMAND: &str = "InfoType";

/// The type of messages whose event is named in one of [`EVENT`].
const IS_EVENT: &str = "event";

/// The fields with the name of an event.
const EVENT: [&str; 2] = ["Event", "event.eventtype"];

/// The fields that may hold the subject of a message: the suite, the corp or the smart bot.
const SUBJECT: [&str; 3] = ["SuiteId", "ToUserName", "aibotid"];

/// The platform's id of a message. Events of apps, and commands, have none.
const ID: [&str; 2] = ["MsgId", "msgid"];

/// The fields that may hold the time of a message, in seconds.
const TIME: [&str; 3] = ["CreateTime", "TimeStamp", "create_time"];

/// What happened, in events whose name says only what to.
const ACTION: &str = "ChangeType";

/// A smart bot's poll for more of a reply: it comes every second, for up to six minutes, and tells nothing.
const POLL: &str = "stream";

/// The acknowledgement of a command. Any other text, and an empty body, counts as an error there.
const SUCCESS: &str = "success";

/// WeCom.
pub struct WeCom;

impl Provider for WeCom {
    const NAME: &'static str = "wecom";
    /// WeCom waits 5 s. Its test of a URL gets 1 s, but is answered without the queue.
    const DEADLINE: Duration = Duration::from_secs(4);
    const MAX_BODY: usize = 1024 * 1024;
    type Credentials = Credentials;

    fn handshake_methods(_: &Credentials) -> &[Method] {
        &[Method::GET]
    }

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
        let (position, content) = first_accepted(source.keys, |key: &Credentials| {
            let opened = message.envelope().verify(&key.token)?.open(&key.aes_key)?;
            key.fresh(&message.timestamp, ambient.now)?;
            let (content, _) = opened.addressed_to(&key.receive_id)?;
            Ok(content)
        })?;
        let received = if *request.method() == Method::GET {
            echo(&content).map(|reply| Received::handshake(reply, position))
        } else {
            delivery(source, &content, position, ambient)
        };
        received.map_err(|reject| Refused::payload(reject, position))
    }
}

/// A sealed message and its signature, as received.
struct Message<'a> {
    signature: Cow<'a, str>,
    timestamp: Cow<'a, str>,
    nonce: Cow<'a, str>,
    encrypt: String,
}

impl<'a> Message<'a> {
    /// Reads the test of a URL (GET), or a delivery.
    fn from_request(request: &'a Request) -> Result<Self, Rejected> {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let read = || {
            Ok(Self {
                signature: parameter(query, "msg_signature")?,
                timestamp: parameter(query, "timestamp")?,
                nonce: parameter(query, "nonce")?,
                encrypt: match *request.method() {
                    // WeCom's own samples do not escape the `+` of base64, which a query string turns into a space.
                    Method::GET => parameter(query, "echostr")?.replace(' ', "+"),
                    _ => encrypt(request.body())?,
                },
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

/// The value of a query parameter. An empty value counts as missing.
fn parameter<'q>(query: &'q [u8], name: &'static str) -> Result<Cow<'q, str>, Reject> {
    form::one(query, name)?.filter(|value| !value.is_empty()).ok_or(Reject::missing(name))
}

/// The sealed message in a body: JSON with `encrypt` (an older sample of the platform writes `Encrypt`), else XML with
/// `Encrypt`.
fn encrypt(body: &[u8]) -> Result<String, Reject> {
    let encrypt = if is_json(body) {
        let text = std::str::from_utf8(body).map_err(|_| Reject::InvalidJson(JsonPart::Body))?;
        let body = Object::parse(text)?;
        let encrypt = match body.get("encrypt")? {
            Some(encrypt) => Some(encrypt),
            None => body.get("Encrypt")?,
        };
        let text =
            |text: &str| serde_json::from_str(text).map_err(|_| Reject::malformed("encrypt", "a string"));
        encrypt.map(|encrypt| text(encrypt.get())).transpose()?
    } else {
        let text = std::str::from_utf8(body).map_err(|_| Reject::InvalidXml)?;
        Element::parse(text)?.field("Encrypt")?.map(str::to_owned)
    };
    encrypt.filter(|text: &String| !text.is_empty()).ok_or(Reject::missing("encrypt"))
}

/// True if a body or a message is meant as JSON, and not as XML. A byte order mark before it does not count.
fn is_json(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    text.trim_ascii_start().starts_with(b"{")
}

/// The response to the test of a URL: the decrypted text and nothing else.
///
/// A delivery is signed and encrypted in the same way, so whoever has seen one could send it as an `echostr` and read it
/// in the response. The platform's text is never a message, so a message is refused.
fn echo(content: &Verified<'_>) -> Result<Reply, Reject> {
    let text = content.text()?;
    if !is_attribute(text) || text.trim_start().starts_with(['<', '{']) {
        return Err(Reject::malformed("echostr", "the platform's random text, which is no message"));
    }
    Ok(Reply::text(200, text.to_owned()))
}

/// A delivery: an event for the queue, or a poll, which is only answered.
fn delivery(
    source: &Source<'_, Credentials>,
    content: &Verified<'_>,
    position: usize,
    ambient: &Ambient,
) -> Result<Received, Reject> {
    let fields = if is_json(content.bytes()) { None } else { Some(content.xml()?) };
    let payload = fields.as_ref().unwrap_or(content).json()?;
    let kind = payload.first_label(&TYPE)?.ok_or(Reject::missing("MsgType"))?;
    let kind = match kind.trim() {
        POLL => return Ok(Received::handshake(Reply::empty(200), position)),
        IS_EVENT => {
            let name = payload.first_label(&EVENT)?.ok_or(Reject::missing("Event"))?;
            Cow::Owned(format!("{IS_EVENT}.{}", name.trim()))
        }
        kind => Cow::Borrowed(kind),
    };
    let mut event = Event::new(source, &kind, content, &payload, ambient);
    event.raw = fields.is_some().then(|| content.text()).transpose()?.map(str::to_owned);
    event.subject = payload.first_label(&SUBJECT)?.map(Cow::into_owned);
    event.action = payload.label(ACTION)?.map(Cow::into_owned);
    if let Some(time) = payload.first_label(&TIME)? {
        event.at(&time);
    }
    if let Some(id) = payload.first_label(&ID)? {
        event.id = id.into_owned();
    }
    let reply = if payload.get(COMMAND)?.is_some() {
        Reply::text(200, SUCCESS.to_owned())
    } else {
        Reply::empty(200)
    };
    Ok(Received::event(event, reply, position))
}
