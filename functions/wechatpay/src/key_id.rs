//! The ids with which the platform names its keys.

/// The id of a key: the serial number of a certificate, or the id of a public key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyId {
    /// Hex digits in upper case, without leading zeros: a serial number is a number, which the platform, its console and
    /// `openssl` write with and without them and in either case.
    Serial(String),
    /// `PUB_KEY_ID_…`.
    PublicKey(String),
}

impl KeyId {
    /// The longest serial number is 20 bytes (RFC 5280, section 4.1.2.2); with some room for another form.
    const LONGEST: usize = 64;

    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > Self::LONGEST {
            return None;
        }
        if text.starts_with("PUB_KEY_ID_") {
            return Some(Self::PublicKey(text.to_owned()));
        }
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Self::Serial(text.trim_start_matches('0').to_ascii_uppercase()))
    }
}

#[cfg(feature = "sender")]
impl std::fmt::Display for KeyId {
    /// As the platform writes it: a serial number has 40 digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Serial(digits) => write!(f, "{digits:0>40}"),
            Self::PublicKey(id) => f.write_str(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_hex_or_that_of_a_public_key_and_of_bounded_length() {
        let serial = |digits: &str| Some(KeyId::Serial(digits.to_owned()));
        let public = |id: &str| Some(KeyId::PublicKey(id.to_owned()));
        let id = |length: usize| format!("PUB_KEY_ID_{}", "1".repeat(length - 11));
        for (text, expected) in [
            ("0a1F", serial("A1F")),
            ("0", serial("")),
            (&"a".repeat(64), serial(&"A".repeat(64))),
            (&"a".repeat(65), None),
            ("", None),
            ("0g", None),
            (" 0a", None),
            ("PUB_KEY_ID_", public("PUB_KEY_ID_")),
            (&id(64), public(&id(64))),
            (&id(65), None),
            ("pub_key_id_1", None),
        ] {
            assert_eq!(KeyId::parse(text), expected, "{text}");
        }
    }
}
