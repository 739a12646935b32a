//! Content that has passed verification.

use std::{borrow::Cow, fmt, ops::Deref};

use sha2::{Digest, Sha256};

use crate::{Reject, form, json::Node, reject::JsonPart, xml::Element};

/// Bytes that a valid signature or an authenticated decryption covers, or that were decoded from such bytes.
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

    /// The digest of an event whose `event_type` comes from outside of the verified bytes, such as an unsigned header:
    /// of the type, a line feed and the bytes. Two events of equal content and different types never share it.
    pub fn digest_as(&self, event_type: &str) -> String {
        let digest = Sha256::new().chain_update(event_type).chain_update(b"\n").chain_update(&self.0);
        hex::encode(digest.finalize())
    }

    /// Lower-case hex SHA-256 of the fields of a verified form, as a signature covers them: the same for the same fields in
    /// another order or with other escapes.
    pub fn form_digest(&self) -> Result<String, Reject> {
        form::sorted(&self.0).map(|text| hex::encode(Sha256::digest(text)))
    }

    /// The verified bytes as text, without a byte order mark before it; or [`Reject::NotUtf8`].
    pub fn text(&self) -> Result<&str, Reject> {
        let text = std::str::from_utf8(&self.0).map_err(|_| Reject::NotUtf8)?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// The verified bytes as a JSON object, or [`Reject::NotUtf8`] or [`Reject::InvalidJson`]. One byte order mark before
    /// it is skipped (RFC 8259, section 8.1, allows that).
    pub fn json(&self) -> Result<Payload<'_>, Reject> {
        let node = Node::parse_part(self.text()?, JsonPart::Payload)?;
        if node.is_object() { Ok(Payload(node)) } else { Err(Reject::InvalidJson(JsonPart::Payload)) }
    }

    /// The verified bytes as any JSON value, or [`Reject::NotUtf8`] or [`Reject::InvalidJson`].
    pub fn any_json(&self) -> Result<Payload<'_>, Reject> {
        Node::parse_part(self.text()?, JsonPart::AnyPayload).map(Payload)
    }

    /// The JSON object of verified `application/x-www-form-urlencoded` text: a string for each field, and a list of
    /// strings for a field that is repeated.
    pub fn form(&self) -> Result<Verified<'static>, Reject> {
        form::to_json(self.text()?).map(|json| Verified::new(json.into_bytes()))
    }

    /// The JSON object of the fields of verified XML, or [`Reject::NotUtf8`] or [`Reject::InvalidXml`].
    pub fn xml(&self) -> Result<Verified<'static>, Reject> {
        let json = Element::parse(self.text()?)?.to_json()?;
        Ok(Verified::new(json.into_bytes()))
    }

    /// One member of verified `application/x-www-form-urlencoded` text, or [`Reject::Malformed`].
    pub fn form_member(&self, name: &'static str) -> Result<Verified<'static>, Reject> {
        let value = form::one(&self.0, name)?.ok_or(Reject::missing(name))?;
        Ok(Verified::new(value.into_owned().into_bytes()))
    }
}

/// A verified JSON value. An event can be created only from this type.
#[derive(Debug)]
pub struct Payload<'a>(Node<'a>);

impl<'a> Deref for Payload<'a> {
    type Target = Node<'a>;

    fn deref(&self) -> &Node<'a> {
        &self.0
    }
}

impl Payload<'_> {
    /// The same JSON with the value at `path`, if there is one, replaced by another verified JSON value: what was encrypted
    /// inside of it, in place of the ciphertext. Both stay verbatim.
    pub fn with(&self, path: &str, value: &Payload<'_>) -> Result<Verified<'static>, Reject> {
        let text = self.0.with(path, value.raw().get())?.ok_or_else(|| Reject::missing(path.to_owned()))?;
        Ok(Verified::new(text.into_bytes()))
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
    fn only_the_size_of_content_is_printed() {
        let content = Verified::new(br#"{"a":"hunter2"}"#.as_slice());
        assert_eq!(format!("{content:?}"), "Verified(15 bytes)");
        assert_eq!(format!("{:?}", content.json().unwrap()), "Payload(Node(15 bytes))");
    }

    #[test]
    fn one_byte_order_mark_is_skipped_before_json() {
        let read = |text: &'static str| {
            let content = Verified::new(text.as_bytes());
            content.json().map(|payload| payload.raw().get().to_owned())
        };
        assert_eq!(read("\u{feff}{\"a\":\"\u{feff}\"}").as_deref(), Ok("{\"a\":\"\u{feff}\"}"));
        assert_eq!(read("\u{feff}\u{feff}{}"), Err(Reject::InvalidJson(JsonPart::Payload)));
        assert_eq!(read("{}\u{feff}"), Err(Reject::InvalidJson(JsonPart::Payload)));
    }

    #[test]
    fn a_type_from_outside_of_the_content_is_part_of_its_digest() {
        // printf 'orders/paid\n{}' | sha256sum, and printf '{}' | sha256sum
        let content = Verified::new(b"{}".as_slice());
        assert_eq!(content.digest(), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert_eq!(
            content.digest_as("orders/paid"),
            "5104429eb0a1abeef9fbdf57fc400f2242fd1d0e85be4284b822a5f2d29648ec"
        );
    }

    #[test]
    fn any_json_is_read_and_only_an_object_is_an_object() {
        for (text, is_json, is_object) in [
            ("{}", true, true),
            (" [1]", true, false),
            ("5", true, false),
            ("\"a\"", true, false),
            ("null", true, false),
            ("", false, false),
            ("{}{}", false, false),
        ] {
            let content = Verified::new(text.as_bytes());
            assert_eq!((content.any_json().is_ok(), content.json().is_ok()), (is_json, is_object), "{text}");
        }
    }

    #[test]
    fn a_value_is_replaced_and_all_else_stays() {
        let (whole, inner) = (r#"{ "n":1.0, "r":{"c":"AA=="} ,"\u0061":[]}"#, r#"{"x": "\/"}"#);
        let (whole, inner) = (Verified::new(whole.as_bytes()), Verified::new(inner.as_bytes()));
        let (whole, inner) = (whole.json().unwrap(), inner.json().unwrap());
        for (path, expected) in [
            ("r", Ok(r#"{ "n":1.0, "r":{"x": "\/"} ,"\u0061":[]}"#)),
            ("r.c", Ok(r#"{ "n":1.0, "r":{"c":{"x": "\/"}} ,"\u0061":[]}"#)),
            ("a", Ok(r#"{ "n":1.0, "r":{"c":"AA=="} ,"\u0061":{"x": "\/"}}"#)),
            ("s", Err(Reject::missing("s"))),
        ] {
            let replaced = whole.with(path, &inner);
            let text = replaced.as_ref().map(|content| content.text().unwrap()).map_err(Clone::clone);
            assert_eq!(text, expected, "{path}");
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
