//! Content that has passed verification.

use std::{borrow::Cow, fmt, ops::Deref};

use sha2::{Digest, Sha256};

use crate::{Reject, json::Object, reject::JsonPart};

/// Bytes that a valid signature or an authenticated decryption covers.
///
/// Only this crate's verifiers create it, and only from it can a payload be parsed: unverified content cannot reach the
/// queue.
pub struct Verified<'a>(Cow<'a, [u8]>);

impl fmt::Debug for Verified<'_> {
    /// Prints only the size: the content may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({} bytes)", self.0.len())
    }
}

impl<'a> Verified<'a> {
    pub(crate) fn new(content: impl Into<Cow<'a, [u8]>>) -> Self {
        Self(content.into())
    }

    /// The verified bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lower-case hex SHA-256 of the verified bytes. It is the id of an event that has none of its platform.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(&self.0))
    }

    /// The verified bytes as text, or [`Reject::NotUtf8`].
    pub fn text(&self) -> Result<&str, Reject> {
        std::str::from_utf8(&self.0).map_err(|_| Reject::NotUtf8)
    }

    /// The verified bytes as a JSON object, or [`Reject::NotUtf8`] or [`Reject::InvalidJson`]. One byte order mark before
    /// it is skipped (RFC 8259, section 8.1, allows that).
    pub fn json(&self) -> Result<Payload<'_>, Reject> {
        let text = self.text()?;
        Object::parse_part(text.strip_prefix('\u{feff}').unwrap_or(text), JsonPart::Payload).map(Payload)
    }

    /// One member of verified `application/x-www-form-urlencoded` text, or [`Reject::Malformed`].
    pub fn form_member(&self, name: &'static str) -> Result<Verified<'static>, Reject> {
        let value = crate::form::one(&self.0, name)?.ok_or(Reject::missing(name))?;
        Ok(Verified::new(value.into_owned().into_bytes()))
    }
}

/// A verified JSON object. An event can be created only from this type.
#[derive(Debug)]
pub struct Payload<'a>(Object<'a>);

impl<'a> Deref for Payload<'a> {
    type Target = Object<'a>;

    fn deref(&self) -> &Object<'a> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_leaves_a_level_of_nesting_for_its_message() {
        for (depth, is_read) in [(126, true), (127, false)] {
            let text = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
            assert_eq!(Verified::new(text.into_bytes()).json().is_ok(), is_read, "{depth}");
        }
        assert_eq!(Verified::new(b"\xff".as_slice()).json().unwrap_err(), Reject::NotUtf8);
    }

    #[test]
    fn one_byte_order_mark_is_skipped() {
        for (text, expected) in [
            ("\u{feff}{\"a\":1}", Some("{\"a\":1}")),
            ("\u{feff}\u{feff}{\"a\":1}", None),
            ("{\u{feff}\"a\":1}", None),
        ] {
            let content = Verified::new(text.as_bytes());
            assert_eq!(content.json().ok().map(|payload| payload.raw().get()), expected, "{text:?}");
        }
    }

    #[test]
    fn one_member_of_a_form_is_decoded_once() {
        for (form, expected) in [
            ("payload=%7B%2525%7D&x=1", Ok("{%25}")),
            ("x=1", Err(Reject::missing("payload"))),
            ("payload=1&payload=1", Err(Reject::malformed("payload", "to appear only once"))),
        ] {
            let member = Verified::new(form.as_bytes()).form_member("payload");
            let text = member.as_ref().map(|content| content.text().unwrap()).map_err(Clone::clone);
            assert_eq!(text, expected, "{form}");
        }
    }
}
