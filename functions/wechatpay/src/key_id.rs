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
