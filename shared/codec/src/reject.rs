//! Why a delivery is refused, and what may be said about it.

use std::borrow::Cow;

/// A refusal: the sender's fault, answered with a 4xx and nothing on the queue.
///
/// No variant carries payload, a secret or an expected signature, so every one may be logged as it is.
/// [`Reject::code`] is for the operator's log; [`Reject::message`] is what the sender may read, and it is the same
/// for everything that concerns keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// A part of the request or of the verified payload is not there.
    Missing {
        /// Query parameter, header or member.
        field: Cow<'static, str>,
    },
    /// A part of the request or of the verified payload has another form than the protocol's.
    Malformed {
        /// Query parameter, header or member.
        field: Cow<'static, str>,
        /// What it should have been.
        expected: &'static str,
    },
    /// The body, or the verified payload, is not a JSON object, or is nested too deeply.
    InvalidJson,
    /// The verified payload is not UTF-8.
    NotUtf8,
    /// A verified event whose type the source does not accept.
    UnhandledEventType,
    /// A JWE that is not five base64url segments with a JSON header.
    MalformedJwe {
        /// Which part of the token.
        part: &'static str,
        /// What it should have been.
        expected: &'static str,
    },
    /// A JWE whose `alg` or `enc` is not the protocol's, or that asks for `zip` or `crit`.
    UnsupportedAlgorithm {
        /// The header parameter at fault.
        parameter: &'static str,
    },

    /// No signature, or an empty one.
    MissingSignature,
    /// A signature without its prefix, version or key.
    MalformedSignature,
    /// The signature is not that of the content.
    SignatureMismatch,
    /// The signed timestamp is not decimal digits.
    MalformedTimestamp,
    /// The signed timestamp is too far from now.
    TimestampOutOfRange,
    /// The ciphertext is not base64.
    InvalidBase64,
    /// The ciphertext is empty or not whole blocks.
    CiphertextLength,
    /// The padding is not 1 to 32 equal bytes.
    InvalidPadding,
    /// The length inside the sealed message points beyond it.
    MessageLength,
    /// No key has this `kid`.
    UnknownKid,
    /// The key of the `kid` does not unwrap a content key of the right length.
    KeyUnwrap,
    /// The tag of the JWE does not hold.
    AuthenticationFailed,

    /// The letter is for another app or corp.
    OwnerKeyMismatch,
    /// No such source.
    UnknownSource,
    /// Not a POST.
    MethodNotAllowed,
    /// The body, or the event made of it, is too large.
    TooLarge {
        /// The most that is accepted, in bytes.
        limit: usize,
    },
}

impl Reject {
    /// A part that is not there.
    pub fn missing(field: impl Into<Cow<'static, str>>) -> Self {
        Self::Missing { field: field.into() }
    }

    /// A part of the wrong form.
    pub fn malformed(field: impl Into<Cow<'static, str>>, expected: &'static str) -> Self {
        Self::Malformed { field: field.into(), expected }
    }

    /// HTTP status and the operator's code. The one place that decides a refusal's status.
    const fn facts(&self) -> (u16, &'static str) {
        match self {
            Self::Missing { .. } => (400, "missing_field"),
            Self::Malformed { .. } => (400, "malformed_field"),
            Self::InvalidJson => (400, "invalid_json"),
            Self::NotUtf8 => (400, "invalid_utf8"),
            Self::UnhandledEventType => (400, "unhandled_event_type"),
            Self::MalformedJwe { .. } => (400, "malformed_jwe"),
            Self::UnsupportedAlgorithm { .. } => (400, "unsupported_algorithm"),
            Self::MissingSignature => (401, "missing_signature"),
            Self::MalformedSignature => (401, "malformed_signature"),
            Self::SignatureMismatch => (401, "signature_mismatch"),
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

    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        self.facts().0
    }

    /// A stable word for logs and metrics. It tells causes apart that the sender must not.
    pub const fn code(&self) -> &'static str {
        self.facts().1
    }

    /// What the sender may read.
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::Missing { field } => format!("{field}: missing").into(),
            Self::Malformed { field, expected } => format!("{field}: expected {expected}").into(),
            Self::InvalidJson => "payload: expected a JSON object, nested at most 126 deep".into(),
            Self::NotUtf8 => "payload: expected UTF-8".into(),
            Self::UnhandledEventType => "unhandled event type".into(),
            Self::MalformedJwe { part, expected } => format!("{part}: expected {expected}").into(),
            Self::UnsupportedAlgorithm { parameter } => format!("{parameter}: not supported").into(),
            Self::OwnerKeyMismatch => "for another app or corp".into(),
            Self::UnknownSource => "unknown source".into(),
            Self::MethodNotAllowed => "only POST is allowed".into(),
            Self::TooLarge { limit } => format!("too large: at most {limit} bytes are accepted").into(),
            _ => "unauthorized".into(),
        }
    }

    /// How far the delivery got, for choosing the most telling refusal among those of several keys.
    const fn progress(&self) -> u8 {
        match self {
            Self::MissingSignature
            | Self::MalformedSignature
            | Self::SignatureMismatch
            | Self::UnknownKid
            | Self::KeyUnwrap => 0,
            Self::InvalidBase64
            | Self::CiphertextLength
            | Self::InvalidPadding
            | Self::MessageLength
            | Self::AuthenticationFailed => 1,
            _ => 2,
        }
    }
}

/// Opens a delivery with the first of `keys` that fits; says which it was (by position), or why the one that got
/// furthest did not fit.
pub fn first_that_opens<'k, K, T>(
    keys: &'k [K],
    mut open: impl FnMut(&'k K) -> Result<T, Reject>,
) -> Result<(usize, T), Reject> {
    let mut furthest = Reject::SignatureMismatch;
    for (position, key) in keys.iter().enumerate() {
        match open(key) {
            Ok(opened) => return Ok((position, opened)),
            Err(reject) if position == 0 || reject.progress() > furthest.progress() => furthest = reject,
            Err(_) => {}
        }
    }
    Err(furthest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_about_keys_reads_the_same_to_the_sender() {
        for reject in [
            Reject::MissingSignature,
            Reject::MalformedSignature,
            Reject::SignatureMismatch,
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
        }
    }

    #[test]
    fn the_refusal_that_got_furthest_is_told() {
        let keys = [Reject::SignatureMismatch, Reject::OwnerKeyMismatch, Reject::InvalidPadding];
        let told = first_that_opens::<_, ()>(&keys, |reject| Err(reject.clone()));
        assert_eq!(told, Err(Reject::OwnerKeyMismatch));
        assert_eq!(
            first_that_opens(&[1, 2], |key| if *key == 2 { Ok(()) } else { Err(Reject::NotUtf8) }),
            Ok((1, ()))
        );
        assert_eq!(first_that_opens::<u8, ()>(&[], |_| Ok(())), Err(Reject::SignatureMismatch));
    }
}
