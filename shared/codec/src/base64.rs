//! Base64 of configured keys and of signatures: lenient, as consoles and senders write it.
//!
//! The padding is optional, and the bits that the last character has to spare are ignored: DingTalk's `EncodingAESKey`s
//! come with them set. Where a protocol prescribes one spelling, as JWE does, its module uses a strict engine instead.

use base64::{
    alphabet::{self, Alphabet},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

pub use base64::Engine;

/// With `+` and `/`. It encodes with padding.
pub const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);

/// With `-` and `_`. It encodes with padding.
pub const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);

const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_and_spare_bits_are_optional_and_nothing_else() {
        for (text, standard, url_safe) in [
            ("+/8=", Some("fbff"), None),
            ("-_8=", None, Some("fbff")),
            ("+/8", Some("fbff"), None),
            ("-_8", None, Some("fbff")),
            // The same bytes with the spare bits set.
            ("+/9", Some("fbff"), None),
            ("-_-=", None, Some("fbff")),
            ("", Some(""), Some("")),
            ("AA==", Some("00"), Some("00")),
            ("AA=", Some("00"), Some("00")),
            ("A", None, None),
            ("AAA=A", None, None),
            (" AA==", None, None),
            ("AA==\n", None, None),
        ] {
            let hex = |engine: GeneralPurpose| engine.decode(text).ok().map(hex::encode);
            assert_eq!(hex(STANDARD).as_deref(), standard, "{text}");
            assert_eq!(hex(URL_SAFE).as_deref(), url_safe, "{text}");
        }
        assert_eq!(
            (STANDARD.encode(b"\xfb\xff"), URL_SAFE.encode(b"\xfb\xff")),
            ("+/8=".into(), "-_8=".into())
        );
    }
}
