//! Alipay's asynchronous notifications: forms whose sorted fields are signed with RSA.
//!
//! Sources, read 2026-11-26:
//! - notification, retries: <https://opendocs.alipay.com/open/270/105902>, in a copy of others;
//!   international: <https://docs.antom.com/ac/web/async>
//! - which fields are signed, also of messages to the application gateway:
//!   <https://github.com/alipay/alipay-sdk-nodejs-all>, `checkNotifySign` and its tests
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
#[cfg(feature = "sender")]
mod platform;

use std::{borrow::Cow, time::Duration};

use encoding_rs::{Encoding, UTF_8};
use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Rejected, Reply, Request, Source, Stage, Verified,
    base64::{Engine, STANDARD},
    json::Object,
    provider::Refused,
    signature::{
        Algorithm,
        fields::{Form, SignedForm},
    },
    stage::{at, first_accepted},
    verified::Payload,
};

pub use crate::credentials::Credentials;

/// The field with the signature, and the one with its algorithm.
const SIGNATURE: &str = "sign";
const SIGN_TYPE: &str = "sign_type";

/// RSA with SHA-256. The other is `RSA`, with SHA-1.
const RSA2: &str = "RSA2";

/// What is not part of the signed text. Notifications leave out both fields, messages to the application gateway only the
/// signature; nothing in a form says which of the two it is.
const LEFT_OUT: [&[&str]; 2] = [&[SIGNATURE, SIGN_TYPE], &[SIGNATURE]];

/// The fields with the type of an event, in order of precedence.
const TYPE: [&str; 4] = ["notify_type", "msg_method", "method", "service"];

/// The fields with the subject of an event, in order of precedence: the merchant's own numbers.
const SUBJECT: [&str; 2] = ["out_trade_no", "out_biz_no"];

/// The fields with the time of an event, in order of precedence.
const TIME: [&str; 3] = ["notify_time", "utc_timestamp", "timestamp"];

/// The content of a message to the application gateway: JSON in a string.
const CONTENT: &str = "biz_content";

/// What is answered to a notification that is not acknowledged: the platform then sends it again.
const FAILURE: &str = "fail";

/// Alipay.
pub struct Alipay;

impl Provider for Alipay {
    const NAME: &'static str = "alipay";
    /// No limit is published.
    const DEADLINE: Duration = Duration::from_secs(4);
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
        let form = Form::parse(request.body()).map_err(at(Stage::Form))?;
        let signature = signature(&form).map_err(at(Stage::Form))?;
        let (position, (key, signed)) = first_accepted(source.keys, |key| {
            let signed = open(key, &form, signature.as_deref())?;
            Ok((key, signed))
        })?;
        let event = event(source, request, &signed, ambient);
        let event = event.map_err(|reject| Refused::payload(reject, position))?;
        let reply = Reply::text(200, key.region.acknowledgement().to_owned());
        Ok(Received::event(event, reply, position))
    }

    /// The platform reads the body: whatever is not the acknowledgement makes it retry.
    fn refuse(reject: &Reject) -> Reply {
        Reply::text(reject.status(), FAILURE.to_owned())
    }

    fn unavailable(_: &str) -> Reply {
        Reply::text(503, FAILURE.to_owned())
    }
}

/// The signature of a form, not verified; `None` if it is no base64.
fn signature(form: &Form<'_>) -> Result<Option<Vec<u8>>, Reject> {
    let signature = form.get(SIGNATURE).ok_or(Reject::MissingSignature)?;
    // The algorithm is that of the protocol, whatever a form says: SHA-1 is no choice of the sender's.
    if form.get(SIGN_TYPE).is_some_and(|name| name != RSA2.as_bytes()) {
        return Err(Reject::UnsupportedAlgorithm { parameter: SIGN_TYPE });
    }
    Ok(STANDARD.decode(signature).ok())
}

/// Verifies a form with one entry: its signature, then the app that it is for.
fn open<'f, 'r>(
    key: &Credentials,
    form: &'f Form<'r>,
    signature: Option<&[u8]>,
) -> Result<SignedForm<'f, 'r>, Rejected> {
    let signature = signature.ok_or(Reject::SignatureMismatch.at(Stage::Key))?;
    let signed = form.verify(Algorithm::RsaSha256, &key.public_key, signature, &LEFT_OUT);
    let signed = signed.map_err(at(Stage::Key))?;
    let is_own = |ids: &Vec<String>| {
        signed.get("app_id").is_some_and(|named| ids.iter().any(|id| id.as_bytes() == named))
    };
    if key.app_id.as_ref().is_none_or(is_own) {
        Ok(signed)
    } else {
        Err(Reject::OwnerKeyMismatch.at(Stage::Address))
    }
}

/// The event of a form.
fn event(
    source: &Source<'_, Credentials>,
    request: &Request,
    signed: &SignedForm<'_, '_>,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let json = json(signed)?;
    let payload = json.json()?;
    let event_type = payload.first_label(&TYPE)?.ok_or(Reject::missing("notify_type"))?;
    let mut event = Event::new(source, &event_type, &signed.text, &payload, ambient);
    // Constant over the retries of a notification.
    if let Some(id) = payload.label("notify_id")? {
        event.id = id.into_owned();
    }
    event.subject = subject(&payload)?;
    for field in TIME {
        if payload.label(field)?.is_some_and(|time| event.at(&with_offset(&time))) {
            break;
        }
    }
    event.raw = Some(std::str::from_utf8(request.body()).map_err(|_| Reject::NotUtf8)?.to_owned());
    Ok(event)
}

/// The signed fields as a JSON object. The form names its character encoding; without a name it is UTF-8. Bytes that are
/// invalid in it become U+FFFD; the form as it came has them.
fn json(signed: &SignedForm<'_, '_>) -> Result<Verified<'static>, Reject> {
    let encoding = signed.get("charset").map_or(Some(UTF_8), Encoding::for_label);
    let encoding =
        encoding.ok_or(Reject::malformed("charset", "a character encoding, such as utf-8 or gbk"))?;
    signed.json(|bytes| encoding.decode_without_bom_handling(bytes).0.into_owned())
}

/// The merchant's number: a field, or in the content of a message to the application gateway.
fn subject(payload: &Payload<'_>) -> Result<Option<String>, Reject> {
    if let Some(subject) = payload.first_label(&SUBJECT)? {
        return Ok(Some(subject.into_owned()));
    }
    let content = payload.scalar(CONTENT)?.unwrap_or_default();
    // A content that is encrypted, or no JSON, says nothing.
    let inner = Object::parse(&content).ok();
    Ok(inner.and_then(|inner| inner.first_label(&SUBJECT).ok()?.map(Cow::into_owned)))
}

/// A time as RFC 3339: the platform writes local times of China without an offset. Other forms stay as they are.
fn with_offset(time: &str) -> Cow<'_, str> {
    match time.split_once(' ') {
        Some((date, time)) => format!("{date}T{time}+08:00").into(),
        None => time.into(),
    }
}
