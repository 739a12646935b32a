//! Why a delivery is refused, and what the response says about it.

use std::borrow::Cow;

/// The reason of a refusal: the sender's fault, answered with a 4xx. Nothing is queued.
///
/// No variant contains payload, a secret or an expected signature, so each can be logged as it is. [`Reject::code`] is for
/// the log; [`Reject::message`] is for the sender, and is the same for all reasons that concern keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// A part of the request or of the verified payload is missing.
    Missing {
        /// The query parameter, header or field.
        field: Cow<'static, str>,
    },
    /// A part of the request or of the verified payload has the wrong form.
    Malformed {
        /// The query parameter, header or field.
        field: Cow<'static, str>,
        /// What was expected.
        expected: &'static str,
    },
    /// The body, or the verified payload, is not a JSON object, or is nested too deeply.
    InvalidJson(JsonPart),
    /// The body, or the verified payload, is not one XML element, has a document type declaration, or is too deep.
    InvalidXml,
    /// The verified payload is not UTF-8.
    NotUtf8,
    /// The type of the verified event is not one that the source accepts.
    UnhandledEventType,
    /// The body is not a JWE of five base64url segments with a JSON header.
    MalformedJwe {
        /// The part of the token.
        part: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// The `alg` or `enc` of the JWE is not the protocol's, or it has `zip` or `crit`.
    UnsupportedAlgorithm {
        /// The invalid header parameter.
        parameter: &'static str,
    },

    /// There is no signature, or it is empty.
    MissingSignature,
    /// The platform was configured to send without a signature.
    Unsigned {
        /// What the operator has to change, for the log.
        remedy: &'static str,
    },
    /// The certificate is to be fetched from a place that is not the platform's.
    UntrustedCertificateUrl,
    /// The certificate is neither configured nor fetched.
    CertificateUnavailable,
    /// The certificate is not one of an RSA key, or it is not valid at the time of receipt.
    CertificateInvalid,
    /// The signature lacks its prefix, version or name, or its header appears twice.
    MalformedSignature,
    /// The signature does not match the content.
    SignatureMismatch,
    /// The signature is valid, but the body does not have the hash that it covers.
    BodyHashMismatch,
    /// The platform's token in the payload is not the configured one.
    TokenMismatch,
    /// The body is not encrypted, and the entry has a key for it.
    NotEncrypted,
    /// The body is encrypted, and the entry has no key for it.
    NoEncryptKey,
    /// The signed timestamp is not decimal digits.
    MalformedTimestamp,
    /// The signed timestamp is too far from now.
    TimestampOutOfRange,
    /// The ciphertext is not base64.
    InvalidBase64,
    /// The ciphertext is empty, or not a multiple of the block size.
    CiphertextLength,
    /// The padding is not 1 to 32 equal bytes.
    InvalidPadding,
    /// The length inside the encrypted message points beyond it.
    MessageLength,
    /// No key has this `kid`.
    UnknownKid,
    /// The key of the `kid` does not unwrap the encrypted key.
    KeyUnwrap,
    /// The tag of the JWE does not match.
    AuthenticationFailed,

    /// The delivery is for another app or corp, or from another topic.
    OwnerKeyMismatch,
    /// The credentials have no such source.
    UnknownSource,
    /// The method is neither POST nor one of the source's handshakes.
    MethodNotAllowed,
    /// The body or its event is too large.
    TooLarge {
        /// The most that is accepted, in bytes.
        limit: usize,
    },
}

/// The JSON that a refusal concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonPart {
    /// The body, not verified.
    Body,
    /// The verified payload, of a protocol whose payloads are objects.
    Payload,
    /// The verified payload, of a protocol whose payloads are any JSON.
    AnyPayload,
}

impl Reject {
    /// [`Reject::Missing`] of a field.
    pub fn missing(field: impl Into<Cow<'static, str>>) -> Self {
        Self::Missing { field: field.into() }
    }

    /// [`Reject::Malformed`] of a field.
    pub fn malformed(field: impl Into<Cow<'static, str>>, expected: &'static str) -> Self {
        Self::Malformed { field: field.into(), expected }
    }

    /// HTTP status and code. No other place decides the status of a refusal.
    const fn facts(&self) -> (u16, &'static str) {
        match self {
            Self::Missing { .. } => (400, "missing_field"),
            Self::Malformed { .. } => (400, "malformed_field"),
            Self::InvalidJson(_) => (400, "invalid_json"),
            Self::InvalidXml => (400, "invalid_xml"),
            Self::NotUtf8 => (400, "invalid_utf8"),
            Self::UnhandledEventType => (400, "unhandled_event_type"),
            Self::MalformedJwe { .. } => (400, "malformed_jwe"),
            Self::UnsupportedAlgorithm { .. } => (400, "unsupported_algorithm"),
            Self::MissingSignature | Self::Unsigned { .. } => (401, "missing_signature"),
            Self::UntrustedCertificateUrl => (401, "untrusted_cert_url"),
            Self::CertificateUnavailable => (401, "certificate_unavailable"),
            Self::CertificateInvalid => (401, "certificate_invalid"),
            Self::MalformedSignature => (401, "malformed_signature"),
            Self::SignatureMismatch => (401, "signature_mismatch"),
            Self::BodyHashMismatch => (401, "body_hash_mismatch"),
            Self::TokenMismatch => (401, "token_mismatch"),
            Self::NotEncrypted => (401, "not_encrypted"),
            Self::NoEncryptKey => (401, "no_encrypt_key"),
            Self::MalformedTimestamp => (401, "malformed_timestamp"),
            Self::TimestampOutOfRange => (401, "timestamp_out_of_range"),
            Self::InvalidBase64 => (401, "invalid_base64"),
            Self::CiphertextLength => (401, "ciphertext_length"),
            Self::InvalidPadding => (401, "invalid_padding"),
            Self::MessageLength => (401, "message_length"),
            Self::UnknownKid => (401, "unknown_kid"),
            Self::KeyUnwrap => (401, "key_unwrap"),
            Self::AuthenticationFailed => (401, "authentication_failed"),
            Self::OwnerKeyMismatch => (403, "owner_key_mismatch"),
            Self::UnknownSource => (404, "unknown_source"),
            Self::MethodNotAllowed => (405, "method_not_allowed"),
            Self::TooLarge { .. } => (413, "too_large"),
        }
    }

    /// The HTTP status of the response.
    pub const fn status(&self) -> u16 {
        self.facts().0
    }

    /// A stable code for logs and metrics. It distinguishes reasons that look the same to the sender.
    pub const fn code(&self) -> &'static str {
        self.facts().1
    }

    /// Details for the operator; `None` if the code says it all.
    pub fn detail(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Unsigned { remedy } => Some((*remedy).into()),
            _ => (self.status() != 401).then(|| self.message()),
        }
    }

    /// The text for the sender.
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::Missing { field } => format!("{field}: missing").into(),
            Self::Malformed { field, expected } => format!("{field}: expected {expected}").into(),
            Self::InvalidJson(JsonPart::Body) => {
                "body: expected a JSON object, nested at most 127 deep".into()
            }
            Self::InvalidJson(JsonPart::Payload) => {
                "payload: expected a JSON object, nested at most 126 deep".into()
            }
            Self::InvalidXml => {
                "expected one XML element without a document type declaration, nested at most 32 deep".into()
            }
            Self::InvalidJson(JsonPart::AnyPayload) => {
                "payload: expected JSON, nested at most 126 deep".into()
            }
            Self::NotUtf8 => "payload: expected UTF-8".into(),
            Self::UnhandledEventType => "unhandled event type".into(),
            Self::MalformedJwe { part, expected } => format!("{part}: expected {expected}").into(),
            Self::UnsupportedAlgorithm { parameter } => format!("{parameter}: not supported").into(),
            Self::OwnerKeyMismatch => "for another app, corp or topic".into(),
            Self::UnknownSource => "unknown source".into(),
            Self::MethodNotAllowed => "method not allowed".into(),
            Self::TooLarge { limit } => format!("too large: at most {limit} bytes are accepted").into(),
            _ => "unauthorized".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_concerns_no_key_says_what_is_wrong() {
        for (reject, status, code, message) in [
            (Reject::missing("a"), 400, "missing_field", "a: missing"),
            (Reject::malformed("a", "a number"), 400, "malformed_field", "a: expected a number"),
            (
                Reject::InvalidJson(JsonPart::Body),
                400,
                "invalid_json",
                "body: expected a JSON object, nested at most 127 deep",
            ),
            (
                Reject::InvalidJson(JsonPart::Payload),
                400,
                "invalid_json",
                "payload: expected a JSON object, nested at most 126 deep",
            ),
            (
                Reject::InvalidJson(JsonPart::AnyPayload),
                400,
                "invalid_json",
                "payload: expected JSON, nested at most 126 deep",
            ),
            (
                Reject::InvalidXml,
                400,
                "invalid_xml",
                "expected one XML element without a document type declaration, nested at most 32 deep",
            ),
            (Reject::NotUtf8, 400, "invalid_utf8", "payload: expected UTF-8"),
            (Reject::UnhandledEventType, 400, "unhandled_event_type", "unhandled event type"),
            (
                Reject::MalformedJwe { part: "tag", expected: "16 bytes" },
                400,
                "malformed_jwe",
                "tag: expected 16 bytes",
            ),
            (
                Reject::UnsupportedAlgorithm { parameter: "alg" },
                400,
                "unsupported_algorithm",
                "alg: not supported",
            ),
            (Reject::OwnerKeyMismatch, 403, "owner_key_mismatch", "for another app, corp or topic"),
            (Reject::UnknownSource, 404, "unknown_source", "unknown source"),
            (Reject::MethodNotAllowed, 405, "method_not_allowed", "method not allowed"),
            (Reject::TooLarge { limit: 5 }, 413, "too_large", "too large: at most 5 bytes are accepted"),
        ] {
            assert_eq!((reject.status(), reject.code(), &*reject.message()), (status, code, message));
            assert_eq!(reject.detail().as_deref(), Some(message), "{code}");
        }
    }

    #[test]
    fn all_reasons_that_concern_keys_look_the_same_to_the_sender() {
        for reject in [
            Reject::MissingSignature,
            Reject::Unsigned { remedy: "sign" },
            Reject::UntrustedCertificateUrl,
            Reject::CertificateUnavailable,
            Reject::CertificateInvalid,
            Reject::MalformedSignature,
            Reject::SignatureMismatch,
            Reject::BodyHashMismatch,
            Reject::TokenMismatch,
            Reject::NotEncrypted,
            Reject::NoEncryptKey,
            Reject::MalformedTimestamp,
            Reject::TimestampOutOfRange,
            Reject::InvalidBase64,
            Reject::CiphertextLength,
            Reject::InvalidPadding,
            Reject::MessageLength,
            Reject::UnknownKid,
            Reject::KeyUnwrap,
            Reject::AuthenticationFailed,
        ] {
            assert_eq!((reject.status(), &*reject.message()), (401, "unauthorized"), "{reject:?}");
            // The code says it all, except what the operator has to change.
            let remedy = matches!(reject, Reject::Unsigned { .. }).then_some("sign");
            assert_eq!(reject.detail().as_deref(), remedy, "{reject:?}");
        }
    }
}
