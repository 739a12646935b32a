//! A message of SNS: its members, and the text that is signed.

use letterbox_codec::{
    Reject, Rejected, Request, Stage,
    base64::{Engine, STANDARD},
    fetch::HttpsUrl,
    json::Object,
    reject::JsonPart,
    signature::RsaHash,
    stage::at,
};
use serde_json::value::RawValue;

use crate::urls;

/// What a message is. The text that is signed ends with its name, so that none can pass for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Notification,
    Subscription,
    Unsubscription,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Notification, Self::Subscription, Self::Unsubscription];

    /// The member `Type`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Notification => "Notification",
            Self::Subscription => "SubscriptionConfirmation",
            Self::Unsubscription => "UnsubscribeConfirmation",
        }
    }

    /// The kind of that name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The signed members in their order. Those that are not required are signed only if they are there.
    pub(crate) const fn signed(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Notification => &[
                ("Message", true),
                ("MessageId", true),
                ("Subject", false),
                ("Timestamp", true),
                ("TopicArn", true),
                ("Type", true),
            ],
            Self::Subscription | Self::Unsubscription => &[
                ("Message", true),
                ("MessageId", true),
                ("SubscribeURL", true),
                ("Timestamp", true),
                ("Token", true),
                ("TopicArn", true),
                ("Type", true),
            ],
        }
    }
}

/// The members of a message that decide anything. Nothing is verified.
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) hash: RsaHash,
    pub(crate) signature: Vec<u8>,
    /// The URL of the certificate. It is SNS's.
    pub(crate) certificate: HttpsUrl,
    /// The text that the signature is of.
    pub(crate) signed_text: String,
    pub(crate) id: String,
    pub(crate) topic: String,
    pub(crate) time: String,
    /// `SubscribeURL` and `Token`, of those kinds that have them.
    pub(crate) confirmation: Option<(String, String)>,
}

/// The members that are signed in messages of some types. In others they would be anyone's.
const SIGNED_IN_SOME: [&str; 3] = ["Subject", "SubscribeURL", "Token"];

/// The longest signed member but `Message`, in bytes. `SubscribeURL` has a topic and a token.
const LONGEST: usize = 2048;

/// What to do about raw message delivery.
const RAW: &str = "raw message delivery is not signed: turn it off in the subscription (RawMessageDelivery)";

impl Message {
    pub(crate) fn read(request: &Request) -> Result<Self, Rejected> {
        let is_raw = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"true");
        if request.headers().get_all("x-amz-sns-rawdelivery").iter().any(is_raw) {
            return Err(Reject::Unsigned { remedy: RAW }.at(Stage::Form));
        }
        Self::parse(request.body()).map_err(at(Stage::Form))
    }

    fn parse(body: &[u8]) -> Result<Self, Reject> {
        let text = std::str::from_utf8(body).map_err(|_| Reject::InvalidJson(JsonPart::Body))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // No name may appear twice, since another reader could take the other value.
        let members = Members(Object::parse(text)?.members()?);
        let kind = Kind::of(&members.required("Type")?);
        let kind = kind.ok_or(Reject::malformed(
            "Type",
            "Notification, SubscriptionConfirmation or UnsubscribeConfirmation",
        ))?;
        let signature = members.optional("Signature")?.filter(|text| !text.is_empty());
        let signature = signature.ok_or(Reject::MissingSignature)?;
        let hash = match &*members.required("SignatureVersion")? {
            "1" => RsaHash::Sha1,
            "2" => RsaHash::Sha256,
            _ => return Err(Reject::malformed("SignatureVersion", "1 or 2")),
        };
        let certificate = urls::certificate(&members.required("SigningCertURL")?);
        let certificate = certificate.ok_or(Reject::UntrustedCertificateUrl)?;
        let signed_text = members.signed_text(kind)?;
        let confirmation = match kind {
            Kind::Notification => None,
            Kind::Subscription | Kind::Unsubscription => {
                Some((members.required("SubscribeURL")?, members.required("Token")?))
            }
        };
        Ok(Self {
            kind,
            hash,
            signature: STANDARD.decode(signature).map_err(|_| Reject::MalformedSignature)?,
            certificate,
            signed_text,
            id: members.required("MessageId")?,
            topic: members.required("TopicArn")?,
            time: members.required("Timestamp")?,
            confirmation,
        })
    }
}

/// The members of an object, no name twice.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl Members<'_> {
    /// A member's string; `None` if it is absent or null.
    pub(crate) fn optional(&self, name: &'static str) -> Result<Option<String>, Reject> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.get());
        let Some(value) = found.filter(|value| *value != "null") else { return Ok(None) };
        let text = serde_json::from_str(value).map_err(|_| Reject::malformed(name, "a string"));
        text.map(Some)
    }

    pub(crate) fn required(&self, name: &'static str) -> Result<String, Reject> {
        self.optional(name)?.ok_or_else(|| Reject::missing(name))
    }

    /// Each signed member as its name, a line feed, its value and a line feed.
    ///
    /// No value but that of `Message`, which is the first, may contain a control character: a line feed would let one text
    /// be read as two different messages.
    pub(crate) fn signed_text(&self, kind: Kind) -> Result<String, Reject> {
        let is_signed = |name: &str| kind.signed().iter().any(|(signed, _)| *signed == name);
        for name in SIGNED_IN_SOME.into_iter().filter(|name| !is_signed(name)) {
            if self.optional(name)?.is_some() {
                return Err(Reject::malformed(name, "to be absent, since it is not signed in this type"));
            }
        }
        let mut text = String::new();
        for (name, is_required) in kind.signed() {
            let Some(value) = self.optional(name)? else {
                if *is_required {
                    return Err(Reject::missing(*name));
                }
                continue;
            };
            if *name != "Message" && (value.len() > LONGEST || value.contains(char::is_control)) {
                return Err(Reject::malformed(
                    *name,
                    "a string of at most 2048 bytes without control characters",
                ));
            }
            text.extend([name, "\n", &value, "\n"]);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_text_has_the_decoded_members_in_order() {
        let text = r#"{"Type":"Notification","TopicArn":"t","Timestamp":"2026","Subject":"","Message":"\u4e2d\/\n🎋","MessageId":"1","More":{}}"#;
        let signed_text =
            |kind, text: &str| Members(Object::parse(text).unwrap().members().unwrap()).signed_text(kind);
        assert_eq!(
            signed_text(Kind::Notification, text).unwrap(),
            "Message\n中/\n🎋\nMessageId\n1\nSubject\n\nTimestamp\n2026\nTopicArn\nt\nType\nNotification\n"
        );
        let absent = text.replace(r#""Subject":"""#, r#""Subject":null"#);
        assert!(!signed_text(Kind::Notification, &absent).unwrap().contains("Subject"));
        for (kind, text, expected) in [
            (Kind::Subscription, absent, Reject::missing("SubscribeURL")),
            (
                Kind::Subscription,
                text.to_owned(),
                Reject::malformed("Subject", "to be absent, since it is not signed in this type"),
            ),
            (Kind::Notification, text.replace("\"Message\"", "\"message\""), Reject::missing("Message")),
            (Kind::Notification, text.replace("\"1\"", "1"), Reject::malformed("MessageId", "a string")),
            (
                Kind::Notification,
                text.replace(r#""Subject":"""#, r#""Subject":"a\nTimestamp\n2027""#),
                Reject::malformed("Subject", "a string of at most 2048 bytes without control characters"),
            ),
            (
                Kind::Notification,
                text.replace("\"2026\"", r#""\ud800""#),
                Reject::malformed("Timestamp", "a string"),
            ),
        ] {
            assert_eq!(signed_text(kind, &text), Err(expected), "{text}");
        }
        // Only the message itself may be longer.
        for (member, length, is_accepted) in [
            (r#""Subject":""#, 2048, true),
            (r#""Subject":""#, 2049, false),
            (r#""Message":""#, 10_000, true),
        ] {
            let text = text.replacen(member, &format!("{member}{}", "x".repeat(length)), 1);
            assert_eq!(signed_text(Kind::Notification, &text).is_ok(), is_accepted, "{member} {length}");
        }
    }
}
