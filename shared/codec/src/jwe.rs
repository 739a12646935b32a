//! Compact JWE with `alg` A128KW and `enc` A128CBC-HS256 (RFC 7516, RFC 7518 sections 4.4 and 5.2.3, RFC 3394).
//!
//! ```text
//! BASE64URL(protected header) . BASE64URL(encrypted key, 40 bytes) . BASE64URL(IV, 16) . BASE64URL(ciphertext) . BASE64URL(tag, 16)
//! CEK = AES-128 key unwrap(PSK, encrypted key), 32 bytes: MAC key | AES key
//! AAD = the header segment as received;  AL = its length in bits, u64 big-endian
//! tag = HMAC-SHA-256(MAC key, AAD | IV | ciphertext | AL)[0..16]
//! ```
//!
//! josekit does the key wrapping and the content encryption. Its own reader of the compact form is not used: it
//! panics on an encrypted key shorter than 8 bytes and on an IV of another length, decrypts before it looks at the
//! tag, and does not compare the tag in constant time. So lengths and tag are checked here first, and only authentic
//! content is decrypted. It also keeps the header segment of a reply equal to the request's,
//! byte for byte.

use std::fmt;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use josekit::jwe::{A128KW, JweContentEncryption, JweDecrypter, JweEncrypter, JweHeader, enc::A128CBC_HS256};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    Reject, Rejected, Secret, Stage, Verified,
    base64::{Engine, URL_SAFE, decode},
    json::is_attribute,
    provider::Refused,
    stage::at,
};

const ENCRYPTED_KEY: usize = 40;
const CEK: usize = 32;
const IV: usize = 16;
const TAG: usize = 16;
const AES_BLOCK: usize = 16;

/// The longest header, in base64url characters.
const LONGEST_HEADER: usize = 8 * 1024;

/// A pre-shared key: 16 bytes.
#[derive(Clone)]
pub struct Psk(Zeroizing<[u8; 16]>);

impl Psk {
    /// Decodes base64url, with or without padding. Bits of the last character that belong to no byte are ignored, as by
    /// other decoders: the platform asks for 22 characters, and people type them. The error says what was expected, and
    /// what is wrong.
    pub fn new(text: &Secret) -> Result<Self, String> {
        let error = |found: String| format!("base64url of 16 bytes (22 characters){found}");
        let bytes = Zeroizing::new(decode(&URL_SAFE, text.expose()).map_err(error)?);
        let key = bytes.as_slice().try_into();
        let psk = key
            .map(|key| Self(Zeroizing::new(key)))
            .map_err(|_| error(format!("; these are {} bytes", bytes.len())))?;
        if psk.works() { Ok(psk) } else { Err("a key with which OpenSSL can encrypt".to_owned()) }
    }

    /// Seals and opens a token. An OpenSSL that refuses to is found when the key is read; and it reads its configuration and
    /// finds its algorithms then, which takes longer than a delivery, and not while a platform waits.
    fn works(&self) -> bool {
        let header = Header::new(r#"{"alg":"A128KW","enc":"A128CBC-HS256"}"#);
        let sealed = header.and_then(|header| seal(self, &header, b"{}", &[0; CEK], &[0; IV]));
        sealed.is_some_and(|token| Token::parse(token.as_bytes()).is_ok_and(|token| token.open(self).is_ok()))
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Psk(..)")
    }
}

/// The protected header of a token whose algorithms are accepted.
#[derive(Clone, Debug)]
pub struct Header {
    /// The base64url text as received. It is the AAD, and the header of the reply.
    segment: String,
    /// Selects the key. A value that is not a string of 1 to 128 bytes counts as absent.
    pub kid: Option<String>,
    /// OpenCard's request id, for logs. A value that does not fit an attribute of the event counts as absent.
    pub rid: Option<String>,
}

/// A token of the right form, not verified yet.
#[derive(Debug)]
pub struct Token {
    /// The header, not verified yet either.
    pub header: Header,
    encrypted_key: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl Token {
    /// Parses the compact form, ignoring ASCII whitespace around it. A refusal carries the `rid` if the header could be read.
    pub fn parse(body: &[u8]) -> Result<Self, Refused> {
        const FORM: Rejected = Reject::MalformedJwe {
            part: "body",
            expected: "a compact JWE: five base64url segments joined by dots",
        }
        .at(Stage::Form);
        let text = std::str::from_utf8(body.trim_ascii()).map_err(|_| FORM)?;
        let mut segments = text.splitn(6, '.');
        let mut segment = || segments.next().ok_or(FORM);
        let [header, rest @ ..] = [segment()?, segment()?, segment()?, segment()?, segment()?];
        if segments.next().is_some() {
            return Err(FORM.into());
        }
        let (header, parameters) = Header::read(header).map_err(at(Stage::Form))?;
        let rid = header.rid.clone();
        let opened = parameters.accept().and_then(|()| Self::measure(header, rest));
        opened.map_err(|reject| Refused { delivery: rid, ..reject.at(Stage::Form).into() })
    }

    /// Decodes the segments after the header, and checks the length of each.
    fn measure(header: Header, [encrypted_key, iv, ciphertext, tag]: [&str; 4]) -> Result<Self, Reject> {
        let malformed = |part, expected| Reject::MalformedJwe { part, expected };
        let decode = |part, segment: &str| {
            URL_SAFE_NO_PAD.decode(segment).map_err(|_| malformed(part, "base64url without padding"))
        };
        let exactly = |part, segment, length, expected| {
            decode(part, segment).and_then(|bytes| {
                if bytes.len() == length { Ok(bytes) } else { Err(malformed(part, expected)) }
            })
        };
        // The length of the encrypted key concerns keys, so `open` checks it and refuses it with 401.
        let encrypted_key = decode("encrypted key", encrypted_key)?;
        let iv = exactly("IV", iv, IV, "16 bytes")?;
        let ciphertext = decode("ciphertext", ciphertext)?;
        let tag = exactly("tag", tag, TAG, "16 bytes")?;
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(AES_BLOCK) {
            return Err(malformed("ciphertext", "whole AES blocks"));
        }
        Ok(Self { header, encrypted_key, iv, ciphertext, tag })
    }

    /// Unwraps the content key, checks the tag in constant time, and only then decrypts.
    ///
    /// With a content key that does not unwrap, the tag is checked all the same, under another key (RFC 7516, section 11.5):
    /// the time of a refusal does not say whether the encrypted key or the tag is wrong.
    pub fn open(&self, psk: &Psk) -> Result<Verified<'static>, Rejected> {
        const UNWRAP: Rejected = Reject::KeyUnwrap.at(Stage::Key);
        const AUTHENTICATION: Rejected = Reject::AuthenticationFailed.at(Stage::Seal);
        // RFC 3394: eight bytes A6 unwrap to an empty key under any key, so only a key of full length is accepted.
        if self.encrypted_key.len() != ENCRYPTED_KEY {
            return Err(UNWRAP);
        }
        let unwrapped = self.unwrap(psk);
        let substitute = Zeroizing::new([0; CEK]);
        let cek = unwrapped.as_ref().unwrap_or(&substitute);
        let (mac_key, _) = cek.split_at(CEK / 2);
        let aad = self.header.segment.as_bytes();
        let checked = authenticated(mac_key, aad, &self.iv, &self.ciphertext)
            .ok_or(UNWRAP)?
            .verify_truncated_left(&self.tag);
        let cek = unwrapped.as_ref().ok_or(UNWRAP)?;
        checked.map_err(|_| AUTHENTICATION)?;
        let plain = A128CBC_HS256
            .decrypt(cek.as_slice(), Some(&self.iv), &self.ciphertext, aad, Some(&self.tag))
            .map_err(|_| AUTHENTICATION)?;
        Ok(Verified::new(plain))
    }

    /// The content key; `None` if it was not wrapped with this key.
    fn unwrap(&self, psk: &Psk) -> Option<Zeroizing<[u8; CEK]>> {
        let kw = A128KW.decrypter_from_bytes(psk.0.as_slice()).ok()?;
        let cek = kw.decrypt(Some(&self.encrypted_key), &A128CBC_HS256, &JweHeader::new()).ok()?;
        let cek = Zeroizing::new(cek.into_owned());
        // Always 32 bytes, because the length of the wrapped key was checked; the type does not guarantee it.
        cek.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

/// The MAC of RFC 7518 section 5.2.2.1, before it is truncated to the tag; `None` if HMAC takes no key of this length.
fn authenticated(mac_key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(mac_key).ok()?;
    let bits = u64::try_from(aad.len()).unwrap_or(u64::MAX).saturating_mul(8);
    for part in [aad, iv, ciphertext, &bits.to_be_bytes()] {
        mac.update(part);
    }
    Some(mac)
}

/// Encrypts `payload` under the header of the request. `cek` and `iv` must be fresh for every token.
/// `None` only if OpenSSL fails, which it does not for these lengths.
pub fn seal(psk: &Psk, header: &Header, payload: &[u8], cek: &[u8; CEK], iv: &[u8; IV]) -> Option<String> {
    let kw = A128KW.encrypter_from_bytes(psk.0.as_slice()).ok()?;
    let encrypted_key = kw.encrypt(cek, &JweHeader::new(), &mut JweHeader::new()).ok()??;
    let (ciphertext, tag) = A128CBC_HS256.encrypt(cek, Some(iv), payload, header.segment.as_bytes()).ok()?;
    let mut token = header.segment.clone();
    for part in [encrypted_key.as_slice(), iv, &ciphertext, &tag?] {
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(part, &mut token);
    }
    Some(token)
}

impl Header {
    /// Creates the header of a new token; `None` if [`Token::parse`] would refuse `json` as a header.
    pub fn new(json: &str) -> Option<Self> {
        let (header, parameters) = Self::read(&URL_SAFE_NO_PAD.encode(json)).ok()?;
        parameters.accept().ok().map(|()| header)
    }

    /// Parses a header without checking its algorithms.
    fn read(segment: &str) -> Result<(Self, Parameters), Reject> {
        let malformed = |expected| Reject::MalformedJwe { part: "header", expected };
        if segment.len() > LONGEST_HEADER {
            return Err(malformed("at most 8192 characters"));
        }
        let json = URL_SAFE_NO_PAD.decode(segment).map_err(|_| malformed("base64url without padding"))?;
        let parameters: Parameters = serde_json::from_slice(&json)
            .map_err(|_| malformed("a JSON object of unique, well-typed parameters"))?;
        let (kid, rid) = (parameters.kid.clone(), parameters.rid.clone());
        Ok((Self { segment: segment.to_owned(), kid, rid }, parameters))
    }

    /// The header as JSON, as received.
    pub fn json(&self) -> String {
        let bytes = URL_SAFE_NO_PAD.decode(&self.segment).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The header parameters that matter here. RFC 7516 section 4: names must be unique.
#[derive(Default)]
struct Parameters {
    alg: Option<String>,
    enc: Option<String>,
    kid: Option<String>,
    rid: Option<String>,
    zip: bool,
    crit: bool,
}

/// The longest `kid` that selects a key, in bytes.
pub const LONGEST_KID: usize = 128;

fn is_kid(text: &str) -> bool {
    (1..=LONGEST_KID).contains(&text.len())
}

impl Parameters {
    /// Accepts only the protocol's algorithms.
    fn accept(&self) -> Result<(), Reject> {
        let checks = [
            ("alg", self.alg.as_deref() == Some("A128KW")),
            ("enc", self.enc.as_deref() == Some("A128CBC-HS256")),
            ("zip", !self.zip),
            ("crit", !self.crit),
        ];
        match checks.into_iter().find(|(_, is_met)| !is_met) {
            Some((parameter, _)) => Err(Reject::UnsupportedAlgorithm { parameter }),
            None => Ok(()),
        }
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Parameters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
                let mut seen = std::collections::HashSet::new();
                let mut found = Parameters::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "alg" => found.alg = Some(map.next_value()?),
                        "enc" => found.enc = Some(map.next_value()?),
                        "kid" => found.kid = text(&map.next_value()?, is_kid),
                        "rid" => found.rid = text(&map.next_value()?, is_attribute),
                        "zip" => found.zip = map.next_value::<IgnoredAny>().map(|_| true)?,
                        "crit" => found.crit = map.next_value::<IgnoredAny>().map(|_| true)?,
                        _ => {
                            map.next_value::<serde_json::Value>()?;
                        }
                    }
                    if !seen.insert(name) {
                        return Err(A::Error::custom("a parameter comes twice"));
                    }
                }
                Ok(found)
            }
        }

        deserializer.deserialize_map(Names)
    }
}

fn text(value: &serde_json::Value, fits: impl FnOnce(&str) -> bool) -> Option<String> {
    value.as_str().filter(|text| fits(text)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn psk() -> Psk {
        Psk::new(&Secret::new("MDEyMzQ1Njc4OWFiY2RlZg".into()).unwrap()).unwrap()
    }

    /// A good token with some of its segments (header, encrypted key, IV, ciphertext, tag) replaced.
    fn token(segments: [Option<&[u8]>; 5]) -> Vec<u8> {
        let header = Header::new(r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0"}"#).unwrap();
        let good = seal(&psk(), &header, b"{}", &[1; 32], &[2; 16]).unwrap();
        let segments = good.split('.').zip(segments).map(|(good, other)| match other {
            Some(bytes) => URL_SAFE_NO_PAD.encode(bytes),
            None => good.to_owned(),
        });
        segments.collect::<Vec<_>>().join(".").into_bytes()
    }

    fn refusal(segments: [Option<&[u8]>; 5]) -> (&'static str, Stage) {
        let opened = Token::parse(&token(segments)).and_then(|token| Ok(token.open(&psk())?));
        let refused = opened.unwrap_err();
        (refused.reject.code(), refused.stage)
    }

    #[test]
    fn lengths_at_which_josekit_panics_are_refused() {
        let key = |bytes: &'static [u8]| [None, Some(bytes), None, None, None];
        for (segments, expected) in [
            // Unwraps to an empty key under any key.
            (key(&[0xa6; 8]), ("key_unwrap", Stage::Key)),
            (key(&[0xa6; 16]), ("key_unwrap", Stage::Key)),
            (key(&[0xa6; 40]), ("key_unwrap", Stage::Key)),
            (key(b""), ("key_unwrap", Stage::Key)),
            (key(b"short"), ("key_unwrap", Stage::Key)),
            (key(&[0; 4096]), ("key_unwrap", Stage::Key)),
            ([None, None, Some(b""), None, None], ("malformed_jwe", Stage::Form)),
            ([None, None, Some(&[2; 12]), None, None], ("malformed_jwe", Stage::Form)),
            ([None, None, Some(&[2; 64]), None, None], ("malformed_jwe", Stage::Form)),
            ([None, None, Some(&[3; 16]), None, None], ("authentication_failed", Stage::Seal)),
            ([None, None, None, Some(b""), None], ("malformed_jwe", Stage::Form)),
            ([None, None, None, Some(&[0; 15]), None], ("malformed_jwe", Stage::Form)),
            ([None, None, None, Some(&[0; 16]), None], ("authentication_failed", Stage::Seal)),
            ([None, None, None, None, Some(b"")], ("malformed_jwe", Stage::Form)),
            ([None, None, None, None, Some(&[0; 16])], ("authentication_failed", Stage::Seal)),
            ([None, None, None, None, Some(&[0; 32])], ("malformed_jwe", Stage::Form)),
        ] {
            assert_eq!(refusal(segments), expected, "{segments:?}");
        }
        assert_eq!(Token::parse(&token([None; 5])).unwrap().open(&psk()).unwrap().bytes(), b"{}");
    }

    #[test]
    fn a_token_is_five_segments() {
        let good = String::from_utf8(token([None; 5])).unwrap();
        let four = good.rsplit_once('.').unwrap().0;
        for text in [String::new(), four.to_owned(), format!("{good}."), format!("{good}.AA"), ".".repeat(5)]
        {
            let Reject::MalformedJwe { part, .. } = Token::parse(text.as_bytes()).unwrap_err().reject else {
                panic!("{text}")
            };
            // The body as a whole is invalid, not one of its segments.
            assert_eq!(part, "body", "{text}");
        }
        assert!(Token::parse(format!(" \r\n{good}\n").as_bytes()).is_ok());
    }

    #[test]
    fn a_header_has_at_most_8192_characters() {
        // Three bytes are four characters.
        let header = |bytes: usize| {
            let start = r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","x":""#;
            format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2))
        };
        assert_eq!(Header::new(&header(6144)).unwrap().segment.len(), LONGEST_HEADER);
        assert!(Header::new(&header(6145)).is_none());
        let refused =
            Token::parse(&token([Some(header(6145).as_bytes()), None, None, None, None])).unwrap_err();
        let expected = Reject::MalformedJwe { part: "header", expected: "at most 8192 characters" };
        assert_eq!(refused.reject, expected);
    }

    #[test]
    fn a_refusal_names_the_delivery_once_its_header_is_read() {
        let header = |more: &str| format!(r#"{{"alg":"A128KW","enc":"A128CBC-HS256","rid":"r1"{more}}}"#);
        let (good, zip) = (header(""), header(r#","zip":"DEF""#));
        for segments in [
            [Some(zip.as_bytes()), None, None, None, None],
            [Some(good.as_bytes()), None, Some(b""), None, None],
            [Some(good.as_bytes()), None, None, Some(b""), None],
            [Some(good.as_bytes()), None, None, None, Some(b"")],
        ] {
            let refused = Token::parse(&token(segments)).unwrap_err();
            assert_eq!(refused.delivery.as_deref(), Some("r1"), "{segments:?}");
        }
    }

    #[test]
    fn a_kid_has_1_to_128_bytes() {
        for (length, is_read) in [(0, false), (1, true), (128, true), (129, false)] {
            let kid = "k".repeat(length);
            let json = format!(r#"{{"alg":"A128KW","enc":"A128CBC-HS256","kid":"{kid}"}}"#);
            assert_eq!(Header::new(&json).unwrap().kid.is_some(), is_read, "{length}");
        }
    }

    #[test]
    fn only_the_listed_algorithms_are_accepted() {
        for (header, expected) in [
            (r#"{"enc":"A128CBC-HS256","kid":"0"}"#, ("unsupported_algorithm", Stage::Form)),
            (r#"{"alg":"A128KW","kid":"0"}"#, ("unsupported_algorithm", Stage::Form)),
            (r#"{"alg":"dir","enc":"A128CBC-HS256","kid":"0"}"#, ("unsupported_algorithm", Stage::Form)),
            (r#"{"alg":"A256KW","enc":"A128CBC-HS256","kid":"0"}"#, ("unsupported_algorithm", Stage::Form)),
            (
                r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","zip":"DEF"}"#,
                ("unsupported_algorithm", Stage::Form),
            ),
            (
                r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","zip":null}"#,
                ("unsupported_algorithm", Stage::Form),
            ),
            (
                r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","crit":["x"]}"#,
                ("unsupported_algorithm", Stage::Form),
            ),
            (
                r#"{"alg":"A128KW","alg":"A128KW","enc":"A128CBC-HS256","kid":"0"}"#,
                ("malformed_jwe", Stage::Form),
            ),
            (
                r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","x":1,"\u0078":2}"#,
                ("malformed_jwe", Stage::Form),
            ),
            (r#"{"alg":["A128KW"],"enc":"A128CBC-HS256","kid":"0"}"#, ("malformed_jwe", Stage::Form)),
            ("null", ("malformed_jwe", Stage::Form)),
            ("", ("malformed_jwe", Stage::Form)),
        ] {
            assert_eq!(refusal([Some(header.as_bytes()), None, None, None, None]), expected, "{header}");
        }
        let long =
            format!(r#"{{"alg":"A128KW","enc":"A128CBC-HS256","x":"{}"}}"#, "x".repeat(LONGEST_HEADER));
        assert_eq!(refusal([Some(long.as_bytes()), None, None, None, None]), ("malformed_jwe", Stage::Form));
        let json = r#"{ "alg":"A128KW","enc":"A128CBC-HS256" }"#;
        assert_eq!(Header::new(json).unwrap().json(), json);
        for kid in [r#""kid":0"#, r#""kid":null"#, r#""kid":"""#, r#""x":0"#] {
            let header = Header::new(&format!(r#"{{"alg":"A128KW","enc":"A128CBC-HS256",{kid}}}"#)).unwrap();
            assert_eq!(header.kid, None, "{kid}");
        }
    }

    #[test]
    fn pre_shared_keys_are_sixteen_bytes() {
        for (text, good) in [
            ("MDEyMzQ1Njc4OWFiY2RlZg", true),
            ("MDEyMzQ1Njc4OWFiY2RlZg==", true),
            ("MDEyMzQ1Njc4OWFiY2Rl", false),
            ("MDEyMzQ1Njc4OWFiY2RlZmc", false),
            ("not base64url!", false),
        ] {
            assert_eq!(Psk::new(&Secret::new(text.into()).unwrap()).is_ok(), good, "{text}");
        }
        assert_eq!(format!("{:?}", psk()), "Psk(..)");
    }
}
