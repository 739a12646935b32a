//! The headers of a notification.

use letterbox_codec::{Reject, Request};

use crate::key_id::KeyId;

pub(crate) const SIGNATURE: &str = "wechatpay-signature";
pub(crate) const TIMESTAMP: &str = "wechatpay-timestamp";
pub(crate) const NONCE: &str = "wechatpay-nonce";
pub(crate) const SERIAL: &str = "wechatpay-serial";
pub(crate) const SIGNATURE_TYPE: &str = "wechatpay-signature-type";

/// The one signature type that is verified. The other is of SM2 (`WECHATPAY2-SM2-WITH-SM3`), for merchants who chose it.
pub(crate) const RSA: &str = "WECHATPAY2-SHA256-RSA2048";

/// The id of the key that a notification says it is signed with.
pub(crate) fn key_id(request: &Request) -> Result<KeyId, Reject> {
    if [SIGNATURE, TIMESTAMP, NONCE, SERIAL].iter().any(|name| !request.headers().contains_key(*name)) {
        return Err(Reject::MissingSignature);
    }
    // Not every table of the documentation lists the header, so it may be absent.
    if one(request, SIGNATURE_TYPE)?.is_some_and(|name| name != RSA) {
        return Err(Reject::UnsupportedAlgorithm { parameter: "Wechatpay-Signature-Type" });
    }
    let serial = one(request, SERIAL)?.filter(|serial| !serial.is_empty()).ok_or(Reject::MissingSignature)?;
    KeyId::parse(serial).ok_or(Reject::malformed("Wechatpay-Serial", "hex digits, or PUB_KEY_ID_…"))
}

/// The one value of a header; `None` if it is absent.
fn one<'r>(request: &'r Request, name: &'static str) -> Result<Option<&'r str>, Reject> {
    let mut values = request.headers().get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text.trim())),
        _ => Err(Reject::malformed(name, "one value of ASCII characters")),
    }
}
