//! Base64 of configured keys and of signatures: lenient, as consoles and senders write it.
//!
//! The padding is optional, and the bits that the last character has to spare are ignored: DingTalk's `EncodingAESKey`s
//! come with them set. Where a protocol prescribes one spelling, as JWE does, its module uses a strict engine instead.

use base64::{
    DecodeError,
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

/// Decodes a configured text. The error continues a sentence such as "expected base64": it says what is wrong and where,
/// and has no character of the text, which may be a secret.
pub fn decode(engine: &GeneralPurpose, text: &str) -> Result<Vec<u8>, String> {
    engine.decode(text).map_err(|error| match error {
        DecodeError::InvalidByte(at, byte) | DecodeError::InvalidLastSymbol(at, byte) => {
            format!("; character {} is {}", at.saturating_add(1), class(byte))
        }
        DecodeError::InvalidLength(_) => {
            format!("; its length of {} is impossible, so the copy is not whole", text.len())
        }
        DecodeError::InvalidPadding => "; there is one `=` too many or too few at the end".to_owned(),
    })
}

/// What a character is that the alphabet does not have.
const fn class(byte: u8) -> &'static str {
    match byte {
        b'-' | b'_' => "`-` or `_`, which only base64url has",
        b'+' | b'/' => "`+` or `/`, which base64url does not have",
        b'=' => "a `=` too many, or not at the end",
        byte if byte.is_ascii_whitespace() => "whitespace",
        _ => "no letter, digit or sign of it",
    }
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

    #[test]
    fn an_error_says_where_the_fault_is() {
        for (engine, text, expected) in [
            (&STANDARD, "AAA!", "; character 4 is no letter, digit or sign of it"),
            (&STANDARD, "AA_A", "; character 3 is `-` or `_`, which only base64url has"),
            (&URL_SAFE, "AA+A", "; character 3 is `+` or `/`, which base64url does not have"),
            (&STANDARD, "AA A", "; character 3 is whitespace"),
            (&STANDARD, "A=AA", "; character 2 is a `=` too many, or not at the end"),
            (&STANDARD, "AAAAA", "; its length of 5 is impossible, so the copy is not whole"),
        ] {
            assert_eq!(decode(engine, text).unwrap_err(), expected, "{text}");
        }
    }
}
