//! Compact JWE: what was sealed opens under its header, and nothing else does.

use arbitrary::Unstructured;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use letterbox_codec::{
    Secret,
    jwe::{Header, Psk, Token, seal},
};
use serde_json::Value;

use super::{below, bytes};
use crate::random::Random;

const HEADER: &str = r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","rid":"r"}"#;

/// The property, with a key of its own.
pub(super) fn property(random: &Random) -> impl Fn(&[u8]) -> bool + Send + Sync + use<> {
    let key = URL_SAFE_NO_PAD.encode(random.bytes::<16>("psk"));
    let psk = Psk::new(&Secret::new(key).expect("a secret")).expect("a key");
    let header = Header::new(HEADER).expect("a header");
    move |input| {
        let mut input = Unstructured::new(input);
        match below(&mut input, 4) {
            0 => foreign(&psk, input.take_rest()),
            1 => return under_a_header(&psk, &mut input).is_some(),
            2 => changed(&psk, &header, &mut input),
            _ => recombined(&psk, &header, &mut input),
        }
        true
    }
}

/// A token that was not made with the key is refused.
fn foreign(psk: &Psk, token: &[u8]) {
    if let Ok(token) = Token::parse(token) {
        assert!(token.open(psk).is_err());
    }
}

/// A header is accepted if it is an object with the algorithms, and a token under it opens.
fn under_a_header(psk: &Psk, input: &mut Unstructured<'_>) -> Option<()> {
    let (cek, iv) = (bytes::<32>(input), bytes::<16>(input));
    let rest = std::mem::replace(input, Unstructured::new(&[])).take_rest();
    let split = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (json, payload) = rest.split_at(split);
    let json = std::str::from_utf8(json).ok()?;
    let header = Header::new(json)?;
    let parameters: Value = serde_json::from_str(json).expect("an accepted header is JSON");
    assert_eq!((&parameters["alg"], &parameters["enc"]), (&"A128KW".into(), &"A128CBC-HS256".into()));
    assert!(parameters.get("zip").is_none() && parameters.get("crit").is_none());
    let token = seal(psk, &header, payload, &cek, &iv).expect("a token");
    let parsed = Token::parse(token.as_bytes()).expect("a token");
    assert_eq!(parsed.header.json(), json);
    let kid = parameters["kid"].as_str().filter(|kid| (1..=128).contains(&kid.len()));
    assert_eq!(parsed.header.kid.as_deref(), kid);
    assert_eq!(parsed.open(psk).expect("what was sealed").bytes(), payload);
    Some(())
}

/// A token with one character changed is refused.
fn changed(psk: &Psk, header: &Header, input: &mut Unstructured<'_>) {
    let (place, bit) = (below(input, 1 << 16), below(input, 8));
    let payload = std::mem::replace(input, Unstructured::new(&[])).take_rest();
    let token = seal(psk, header, payload, &[1; 32], &[2; 16]).expect("a token");
    let other = crate::input::flipped(token.as_bytes(), (place, bit)).expect("a token");
    // Whitespace around a token is ignored; of no character in it, one bit makes whitespace at its end.
    if let Ok(other) = Token::parse(&other) {
        assert!(other.open(psk).is_err());
    }
}

/// Other bytes in the place of a segment of a valid token are refused.
fn recombined(psk: &Psk, header: &Header, input: &mut Unstructured<'_>) {
    let segment = 1 + below(input, 4);
    let other = std::mem::replace(input, Unstructured::new(&[])).take_rest();
    let token = seal(psk, header, b"{}", &[1; 32], &[2; 16]).expect("a token");
    let mut segments: Vec<_> = token.split('.').map(str::to_owned).collect();
    let other = URL_SAFE_NO_PAD.encode(other);
    if segments[segment] == other {
        return;
    }
    segments[segment] = other;
    foreign(psk, segments.join(".").as_bytes());
}
