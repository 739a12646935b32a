//! WeChat Pay v3 notifications: an RSA signature over the body, and an encrypted resource inside of it.
//!
//! Sources, read 2026-11-26:
//! - notification, retries: <https://pay.weixin.qq.com/docs/partner/apis/partner-native-payment/payment-notice.html>
//! - five seconds: <https://developers.weixin.qq.com/community/pay/article/doc/00022627378ec8489540ad79f65c13>
//! - signature and window: <https://github.com/wechatpay-apiv3/wechatpay-go>, `core/auth/validators`
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
mod header;
mod key_id;
#[cfg(feature = "sender")]
mod platform;
mod resource;

use std::time::Duration;

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Rejected, Reply, Request, Source, Stage, Timestamp, Verified,
    provider::Refused,
    stage::{at, first_accepted},
};

pub use crate::credentials::Credentials;
use crate::resource::Sealed;

/// The field of a notification that is encrypted.
const RESOURCE: &str = "resource";

/// The field of the resource with the subject of the event: the merchant's own number of the order.
const SUBJECT: &str = "resource.out_trade_no";

/// WeChat Pay.
pub struct WeChatPay;

impl Provider for WeChatPay {
    const NAME: &'static str = "wechatpay";
    /// The platform waits 5 s.
    const DEADLINE: Duration = Duration::from_millis(4500);
    /// A ciphertext has at most 1 MiB: <https://pay.weixin.qq.com/wiki/doc/apiv3/apis/chapter3_2_5.shtml> (read 2026-11-26).
    const MAX_BODY: usize = 2 * 1024 * 1024;
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
        let (position, opened) = first_accepted(source.keys, |key| open(key, request, ambient.now))?;
        let event = opened.and_then(|opened| event(source, &opened, ambient));
        let event = event.map_err(|reject| Refused::payload(reject, position))?;
        // Neither status needs a body: <https://pay.weixin.qq.com/wiki/doc/apiv3/apis/chapter3_3_5.shtml> (read 2026-11-26).
        Ok(Received::event(event, Reply::empty(200), position))
    }

    /// A failure is a status of 4xx or 5xx and this body.
    fn refuse(reject: &Reject) -> Reply {
        fail(reject.status(), &reject.message())
    }

    fn unavailable(message: &str) -> Reply {
        fail(503, message)
    }
}

fn fail(status: u16, message: &str) -> Reply {
    Reply::json(status, &serde_json::json!({ "code": "FAIL", "message": message }))
}

/// A notification whose signature is valid, and which is decrypted.
struct Opened<'r> {
    /// The body as it came.
    signed: Verified<'r>,
    /// The resource in clear.
    resource: Verified<'static>,
}

/// Verifies a notification with one entry, and decrypts its resource. The inner result is a refusal of signed content that is
/// no notification: no other entry would read it.
fn open<'r>(
    key: &Credentials,
    request: &'r Request,
    now: Timestamp,
) -> Result<Result<Opened<'r>, Reject>, Rejected> {
    let signed = key.verify(request, now)?.content;
    let sealed = match signed.json().and_then(|notification| Sealed::read(&notification)) {
        Ok(sealed) => sealed,
        Err(reject) => return Ok(Err(reject)),
    };
    let resource = sealed.open(&key.api_v3_key).map_err(at(Stage::Seal))?;
    Ok(Ok(Opened { signed, resource }))
}

/// The event of a notification.
fn event(source: &Source<'_, Credentials>, opened: &Opened<'_>, ambient: &Ambient) -> Result<Event, Reject> {
    let content = opened.signed.json()?.with(RESOURCE, &opened.resource.any_json()?)?;
    let payload = content.json()?;
    let event_type = payload.require("event_type")?;
    let mut event = Event::new(source, &event_type, &opened.signed, &payload, ambient);
    // Constant over the retries of a notification.
    event.id = payload.require("id")?.into_owned();
    event.subject = payload.label(SUBJECT)?.map(Into::into);
    if let Some(time) = payload.label("create_time")? {
        event.at(&time);
    }
    event.raw = Some(opened.signed.text()?.to_owned());
    Ok(event)
}
