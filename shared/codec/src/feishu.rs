//! Deliveries of Feishu and Lark.
//!
//! ```text
//! encrypt    = base64(iv | AES-256-CBC(SHA-256(encrypt_key), iv, content, PKCS#7))
//! signature  = hex(SHA-256(timestamp | nonce | encrypt_key | body))          events and new cards
//! signature  = hex(SHA-1(timestamp | nonce | verification_token | body))     old cards
//! ```
//!
//! | delivery | signature | verification token |
//! |---|---|---|
//! | event or new card, encrypted | SHA-256 | in the content |
//! | event or new card, in clear | none | in the content: the only proof |
//! | old card, either way | SHA-1 | in the signature |
//! | challenge, either way | none | in the content |
//!
//! Only a challenge may come encrypted and not signed, and only as a [`Content::Challenge`]: its ciphertext is not
//! authenticated, so nothing of it is queued, and all its failures look the same to the sender (no padding oracle).
//!
//! Source: open.feishu.cn, "Event subscription overview" and "Receive callbacks"; lark-oapi 1.7.5
//! (`event/dispatcher_handler.py`, `card/action_handler.py`); read on 2026-11-26.
//! The types lead through the steps in order: [`Delivery`] → [`CheckedDelivery`] → [`Opened`] → [`Content`].

use std::{borrow::Cow, fmt};

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use serde::{Deserialize, Deserializer};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    Reject, Rejected, Secret, Stage, Verified,
    json::{Node, Object},
    reject::JsonPart,
    stage::at,
};

/// The header with the signature.
pub const SIGNATURE: &str = "x-lark-signature";
/// The header with the signed time, in seconds.
pub const TIMESTAMP: &str = "x-lark-request-timestamp";
/// The header with the signed nonce.
pub const NONCE: &str = "x-lark-request-nonce";

/// The `type` of a challenge.
pub const CHALLENGE: &str = "url_verification";

const AES_BLOCK: usize = 16;
/// The longest challenge that is answered, in bytes. Whoever has captured ciphertexts can put one together whose challenge
/// is a part of another: what they might read is bounded.
const LONGEST_CHALLENGE: usize = 256;
/// Hex digits of a SHA-1 signature.
const SHA1_DIGITS: usize = 40;

/// The Encrypt Key of an app: it signs events, and its digest is the AES key.
#[derive(Clone)]
pub struct EncryptKey {
    text: Secret,
    aes: Zeroizing<[u8; 32]>,
}

impl EncryptKey {
    /// Derives the AES key.
    pub fn new(text: Secret) -> Self {
        let aes = Zeroizing::new(Sha256::digest(text.expose()).into());
        Self { text, aes }
    }

    /// The signature of an event or a new card, in lower-case hex.
    pub fn signature(&self, timestamp: &str, nonce: &str, body: &[u8]) -> String {
        digest::<Sha256>(timestamp, nonce, &self.text, body)
    }

    /// Encrypts `content`, as base64. `iv` must be fresh for every message.
    pub fn seal(&self, iv: [u8; AES_BLOCK], content: &[u8]) -> String {
        let ciphertext = cbc::Encryptor::<aes::Aes256>::new((&*self.aes).into(), &iv.into())
            .encrypt_padded_vec::<Pkcs7>(content);
        STANDARD.encode([&iv[..], &ciphertext].concat())
    }

    fn open(&self, encrypt: &str) -> Result<Vec<u8>, Reject> {
        let sealed = STANDARD.decode(encrypt).map_err(|_| Reject::InvalidBase64)?;
        let (iv, ciphertext) = sealed.split_first_chunk::<AES_BLOCK>().ok_or(Reject::CiphertextLength)?;
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(AES_BLOCK) {
            return Err(Reject::CiphertextLength);
        }
        cbc::Decryptor::<aes::Aes256>::new((&*self.aes).into(), iv.into())
            .decrypt_padded_vec::<Pkcs7>(ciphertext)
            .map_err(|_| Reject::InvalidPadding)
    }
}

impl<'de> Deserialize<'de> for EncryptKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Secret::deserialize(deserializer).map(Self::new)
    }
}

/// The signature of an old card, in lower-case hex.
pub fn card_signature(token: &Secret, timestamp: &str, nonce: &str, body: &[u8]) -> String {
    digest::<Sha1>(timestamp, nonce, token, body)
}

fn digest<D: Digest>(timestamp: &str, nonce: &str, secret: &Secret, body: &[u8]) -> String {
    let mut hash = D::new();
    for part in [timestamp.as_bytes(), nonce.as_bytes(), secret.expose().as_bytes(), body] {
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// A delivery as received, not verified yet.
pub struct Delivery<'a> {
    signature: Option<Signature<'a>>,
    body: &'a [u8],
    encrypt: Option<String>,
    /// Not encrypted, and neither an event nor a challenge.
    is_clear_card: bool,
}

struct Signature<'a> {
    digits: &'a str,
    timestamp: &'a str,
    nonce: &'a str,
}

impl<'a> Delivery<'a> {
    /// Reads the signature's headers, and the form of the body: a JSON object, encrypted or not.
    pub fn read(headers: &'a HeaderMap, body: &'a [u8]) -> Result<Self, Rejected> {
        Self::read_form(headers, body).map_err(at(Stage::Form))
    }

    fn read_form(headers: &'a HeaderMap, body: &'a [u8]) -> Result<Self, Reject> {
        let signature = match header(headers, SIGNATURE)? {
            Some(digits) => Some(Signature {
                digits,
                timestamp: header(headers, TIMESTAMP)?.ok_or(Reject::missing(TIMESTAMP))?,
                nonce: header(headers, NONCE)?.ok_or(Reject::missing(NONCE))?,
            }),
            None => None,
        };
        let text = std::str::from_utf8(body).map_err(|_| Reject::InvalidJson(JsonPart::Body))?;
        let object = Object::parse(text)?;
        let encrypt = match object.get("encrypt")? {
            Some(value) => Some(
                serde_json::from_str(value.get()).map_err(|_| Reject::malformed("encrypt", "a string"))?,
            ),
            None => None,
        };
        let is_clear_card =
            encrypt.is_none() && object.get("schema")?.is_none() && object.get("type")?.is_none();
        Ok(Self { signature, body, encrypt, is_clear_card })
    }

    /// Checks the signature in constant time, or returns [`Reject::SignatureMismatch`]. A body that is not as `key`, the
    /// entry's Encrypt Key, demands is refused.
    pub fn verify(&self, key: Option<&EncryptKey>, token: &Secret) -> Result<CheckedDelivery<'_>, Rejected> {
        let proof = match (&self.encrypt, key, &self.signature) {
            (Some(_), None, _) => return Err(Reject::NoEncryptKey.at(Stage::Key)),
            (None, Some(_), _) => return Err(Reject::NotEncrypted.at(Stage::Key)),
            (Some(_), Some(_), None) => Proof::Unsigned,
            (Some(_), Some(key), Some(given)) if given.digits.len() != SHA1_DIGITS => {
                given.check(&key.signature(given.timestamp, given.nonce, self.body))?;
                Proof::Event
            }
            (None, None, _) if !self.is_clear_card => Proof::Token,
            (_, _, None) => return Err(Reject::MissingSignature.at(Stage::Form)),
            (_, _, Some(given)) => {
                given.check(&card_signature(token, given.timestamp, given.nonce, self.body))?;
                Proof::Card
            }
        };
        Ok(CheckedDelivery { delivery: self, proof })
    }
}

impl Signature<'_> {
    fn check(&self, expected: &str) -> Result<(), Rejected> {
        let is_valid = bool::from(expected.as_bytes().ct_eq(self.digits.as_bytes()));
        if is_valid { Ok(()) } else { Err(Reject::SignatureMismatch.at(Stage::Key)) }
    }
}

/// The only value of a header; `None` if it is absent or empty.
fn header<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Reject> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => {
            let value = value.to_str().map_err(|_| Reject::MalformedSignature)?;
            Ok(Some(value).filter(|value| !value.is_empty()))
        }
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Reject::MalformedSignature),
    }
}

/// What has been verified of a content, apart from the token in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// The SHA-256 signature under the Encrypt Key.
    Event,
    /// The SHA-1 signature under the verification token.
    Card,
    /// Nothing: the body is in clear, and the entry has no Encrypt Key.
    Token,
    /// Nothing: it is encrypted and not signed.
    Unsigned,
}

/// A delivery whose signature, if it must have one, is valid; not decrypted yet.
pub struct CheckedDelivery<'a> {
    delivery: &'a Delivery<'a>,
    proof: Proof,
}

impl<'a> CheckedDelivery<'a> {
    /// The signed time, in seconds; `None` if the delivery is not signed.
    pub fn timestamp(&self) -> Option<&'a str> {
        let is_signed = matches!(self.proof, Proof::Event | Proof::Card);
        self.delivery.signature.as_ref().filter(|_| is_signed).map(|signature| signature.timestamp)
    }

    /// Decrypts the body, if it is encrypted.
    pub fn open(self, key: Option<&EncryptKey>) -> Result<Opened<'a>, Rejected> {
        // Without a signature, that the key decrypts is the first that shows whether it is the right one.
        let stage = if self.proof == Proof::Unsigned { Stage::Key } else { Stage::Seal };
        let content = match (&self.delivery.encrypt, key) {
            (Some(encrypt), Some(key)) => key.open(encrypt).map_err(at(stage))?.into(),
            (Some(_), None) => return Err(Reject::NoEncryptKey.at(Stage::Key)),
            (None, _) => self.delivery.body.into(),
        };
        Ok(Opened { content, proof: self.proof })
    }
}

/// A decrypted delivery whose verification token is not checked yet.
pub struct Opened<'a> {
    content: Cow<'a, [u8]>,
    proof: Proof,
}

impl fmt::Debug for Opened<'_> {
    /// Prints only the size: the content may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes, {:?})", self.content.len(), self.proof)
    }
}

/// A verified delivery.
#[derive(Debug)]
pub enum Content<'a> {
    /// The platform's test of the URL.
    Challenge {
        /// The text that it wants back.
        challenge: String,
        /// The whole content, for display: it is not signed, and so is never [`Verified`].
        content: Cow<'a, [u8]>,
    },
    /// An event of either schema, or a new card, which has the form of an event.
    Event(Verified<'a>),
    /// An old card.
    Card(Verified<'a>),
}

impl<'a> Opened<'a> {
    /// Checks in constant time that the content has the verification token, and returns it as what it is.
    ///
    /// What is not signed is either a challenge or [`Reject::MissingSignature`]; an old card's signature covers no event.
    pub fn with_token(self, token: &Secret) -> Result<Content<'a>, Rejected> {
        let Self { content, proof } = self;
        let form = match (Form::of(&content), proof) {
            (Ok(form @ Form::Challenge { .. }), Proof::Unsigned) => form,
            // Above all not the reason why it cannot be read.
            (Err(_), Proof::Unsigned) => return Err(Reject::MissingSignature.at(Stage::Key)),
            (Ok(_), Proof::Unsigned) => return Err(Reject::MissingSignature.at(Stage::Seal)),
            (form, _) => form.map_err(at(Stage::Payload))?,
        };
        // Of a body in clear, the token is the only key.
        let stage = if proof == Proof::Token { Stage::Key } else { Stage::Address };
        let check_token = |given: Option<String>, field: &'static str| {
            let given = given.ok_or(Reject::missing(field).at(Stage::Payload))?;
            if token.matches(&given) { Ok(()) } else { Err(Reject::TokenMismatch.at(stage)) }
        };
        match (form, proof) {
            (Form::Card, Proof::Card) => Ok(Content::Card(Verified::new(content))),
            (Form::Card, _) => Err(Reject::missing("type").at(Stage::Payload)),
            (_, Proof::Card) => Err(Reject::SignatureMismatch.at(Stage::Key)),
            (Form::Event { token: given, field }, _) => {
                check_token(given, field)?;
                Ok(Content::Event(Verified::new(content)))
            }
            (Form::Challenge { challenge, token: given }, _) => {
                let read = || {
                    let challenge = challenge.ok_or(Reject::missing("challenge").at(Stage::Payload))?;
                    check_token(given, "token")?;
                    if challenge.len() > LONGEST_CHALLENGE {
                        return Err(Reject::malformed("challenge", "at most 256 bytes").at(Stage::Payload));
                    }
                    Ok(challenge)
                };
                let challenge = read().map_err(|rejected| match (proof, rejected.stage) {
                    // Of a ciphertext that nothing authenticates, no response says what it contains.
                    (Proof::Unsigned, Stage::Payload) => Reject::MissingSignature.at(Stage::Seal),
                    _ => rejected,
                })?;
                Ok(Content::Challenge { challenge, content })
            }
        }
    }
}

/// What a content says that it is.
enum Form {
    /// It has a schema (2.0), or a type (1.0); and a token in the field of that name.
    Event {
        token: Option<String>,
        field: &'static str,
    },
    Challenge {
        challenge: Option<String>,
        token: Option<String>,
    },
    /// Neither.
    Card,
}

impl Form {
    fn of(content: &[u8]) -> Result<Self, Reject> {
        let text = std::str::from_utf8(content).map_err(|_| Reject::NotUtf8)?;
        let object = Node::parse_part(text.strip_prefix('\u{feff}').unwrap_or(text), JsonPart::Payload)?;
        if !object.is_object() {
            return Err(Reject::InvalidJson(JsonPart::Payload));
        }
        let text = |path: &str| -> Result<Option<String>, Reject> {
            Ok(object.get(path)?.and_then(|value| serde_json::from_str(value.get()).ok()))
        };
        let has_schema = object.get("schema")?.is_some();
        let is_challenge = text("type")?.as_deref() == Some(CHALLENGE);
        Ok(match (has_schema, is_challenge) {
            // An event that calls itself a challenge is none: a challenge has no schema.
            (true, _) => Self::Event { token: text("header.token")?, field: "header.token" },
            (false, true) => Self::Challenge { challenge: text("challenge")?, token: text("token")? },
            (false, false) if object.get("type")?.is_none() => Self::Card,
            (false, false) => Self::Event { token: text("token")?, field: "token" },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "v8t0k3n4Xw";

    fn key() -> EncryptKey {
        EncryptKey::new(Secret::new("kudryavka-2026".into()).unwrap())
    }

    fn token() -> Secret {
        Secret::new(TOKEN.into()).unwrap()
    }

    fn headers(signature: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(TIMESTAMP, Some("1795255195")), (NONCE, Some("n")), (SIGNATURE, signature)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        headers
    }

    /// What a content is read as, encrypted and signed by one of the signers or by none.
    fn read(content: &[u8], sign: Option<fn(&str) -> String>) -> Result<&'static str, Reject> {
        let body = format!(r#"{{"encrypt":"{}"}}"#, key().seal([7; 16], content));
        let headers = headers(sign.map(|sign| sign(&body)).as_deref());
        name(&headers, &body, Some(&key()))
    }

    fn name(headers: &HeaderMap, body: &str, key: Option<&EncryptKey>) -> Result<&'static str, Reject> {
        let read = || -> Result<_, Rejected> {
            let delivery = Delivery::read(headers, body.as_bytes())?;
            let content = delivery.verify(key, &token())?.open(key)?.with_token(&token())?;
            Ok(name_of(&content))
        };
        read().map_err(|rejected| rejected.reject)
    }

    fn name_of(content: &Content<'_>) -> &'static str {
        match content {
            Content::Challenge { .. } => "challenge",
            Content::Event(_) => "event",
            Content::Card(_) => "card",
        }
    }

    fn sha256(body: &str) -> String {
        key().signature("1795255195", "n", body.as_bytes())
    }

    fn sha1(body: &str) -> String {
        card_signature(&token(), "1795255195", "n", body.as_bytes())
    }

    /// Source: open.feishu.cn, "Encrypt Key encryption"; lark-oapi, `tests`: the key `test key`.
    #[test]
    fn the_documented_ciphertext_is_decrypted() {
        let key = EncryptKey::new(Secret::new("test key".into()).unwrap());
        let content = key.open("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=").unwrap();
        assert_eq!(content, b"hello world");
    }

    /// `printf '1795255195nkudryavka-2026{}' | sha256sum`, and of the token by sha1sum.
    #[test]
    fn signatures_are_of_timestamp_nonce_secret_and_body() {
        assert_eq!(sha256("{}"), "468daab5a0d5ad7bf8eb81787a1582bdd75781bacf2ebc35d7826b2832a5a7a5");
        assert_eq!(sha1("{}"), "a0c34859d721b2e924606634a3279264b21540ae");
    }

    #[test]
    fn a_ciphertext_is_of_an_initialisation_vector_and_whole_blocks() {
        for (bytes, expected) in [
            (0, Reject::CiphertextLength),
            (15, Reject::CiphertextLength),
            (16, Reject::CiphertextLength),
            (17, Reject::CiphertextLength),
            (31, Reject::CiphertextLength),
            (33, Reject::CiphertextLength),
            // By chance not a padding.
            (32, Reject::InvalidPadding),
        ] {
            assert_eq!(key().open(&STANDARD.encode(vec![0; bytes])), Err(expected), "{bytes}");
        }
        assert_eq!(key().open("!"), Err(Reject::InvalidBase64));
    }

    #[test]
    fn each_kind_of_content_needs_its_own_signature() {
        const EVENT: &str = r#"{"schema":"2.0","header":{"token":"v8t0k3n4Xw"}}"#;
        const OLD_EVENT: &str = r#"{"type":"event_callback","token":"v8t0k3n4Xw"}"#;
        const CHALLENGE: &str = r#"{"type":"url_verification","token":"v8t0k3n4Xw","challenge":"c"}"#;
        const CARD: &str = r#"{"open_id":"ou","token":"c-1"}"#;
        const DISGUISED: &str = r#"{"schema":"2.0","type":"url_verification","token":"v8t0k3n4Xw","challenge":"c","header":{"token":"v8t0k3n4Xw"}}"#;
        let missing = |field: &'static str| Err(Reject::missing(field));
        for (content, with_sha256, with_sha1, unsigned) in [
            (EVENT, Ok("event"), Err(Reject::SignatureMismatch), Err(Reject::MissingSignature)),
            (OLD_EVENT, Ok("event"), Err(Reject::SignatureMismatch), Err(Reject::MissingSignature)),
            (CHALLENGE, Ok("challenge"), Err(Reject::SignatureMismatch), Ok("challenge")),
            (CARD, missing("type"), Ok("card"), Err(Reject::MissingSignature)),
            (DISGUISED, Ok("event"), Err(Reject::SignatureMismatch), Err(Reject::MissingSignature)),
        ] {
            assert_eq!(read(content.as_bytes(), Some(sha256)), with_sha256, "SHA-256: {content}");
            assert_eq!(read(content.as_bytes(), Some(sha1)), with_sha1, "SHA-1: {content}");
            assert_eq!(read(content.as_bytes(), None), unsigned, "unsigned: {content}");
        }
    }

    /// Otherwise the response would tell whether a changed ciphertext has a valid padding.
    #[test]
    fn what_is_encrypted_and_unsigned_is_refused_alike() {
        let refusal = |reject: Reject| (reject.status(), reject.message().into_owned());
        let expected = refusal(Reject::MissingSignature);
        for content in [
            &b"\xff"[..],
            b"",
            b"[]",
            b"{",
            b"{}",
            br#"{"type":1}"#,
            br#"{"type":"a","type":"a"}"#,
            br#"{"type":"url_verification"}"#,
            br#"{"type":"url_verification","token":"v8t0k3n4Xw"}"#,
            br#"{"type":"url_verification","challenge":"c"}"#,
            br#"{"type":"url_verification","token":"v8t0k3n4Xw","challenge":1}"#,
        ] {
            assert_eq!(refusal(read(content, None).unwrap_err()), expected, "{content:?}");
        }
        let other = EncryptKey::new(Secret::new("other".into()).unwrap());
        for encrypt in [
            "",
            "AA==",
            "!",
            &STANDARD.encode([0; 31]),
            &STANDARD.encode([0; 32]),
            &other.seal([0; 16], b"{}"),
        ] {
            let body = format!(r#"{{"encrypt":"{encrypt}"}}"#);
            assert_eq!(
                refusal(name(&headers(None), &body, Some(&key())).unwrap_err()),
                expected,
                "{encrypt}"
            );
        }
        for (token, expected) in
            [("v8t0k3n4Xw", None), ("v8t0k3n4X", Some(expected.clone())), ("中", Some(expected))]
        {
            let content = format!(r#"{{"type":"url_verification","token":"{token}","challenge":"c"}}"#);
            assert_eq!(read(content.as_bytes(), None).err().map(refusal), expected, "{token}");
        }
    }

    /// How far a refused delivery got: what the first key refuses is a wrong key, everything after it is not.
    #[test]
    fn a_refusal_has_the_stage_of_what_was_proven() {
        let stage = |body: &str, sign: Option<fn(&str) -> String>, key: Option<&EncryptKey>| {
            let headers = headers(sign.map(|sign| sign(body)).as_deref());
            let delivery = Delivery::read(&headers, body.as_bytes()).unwrap();
            let opened = delivery.verify(key, &token()).unwrap().open(key);
            opened.and_then(|opened| opened.with_token(&token())).unwrap_err().stage
        };
        let cipher = |content: &[u8]| format!(r#"{{"encrypt":"{}"}}"#, key().seal([7; 16], content));
        let broken = format!(r#"{{"encrypt":"{}"}}"#, STANDARD.encode([0; 32]));
        let wrong_token = r#"{"schema":"2.0","header":{"token":"other"}}"#;
        for (body, sign, has_key, expected) in [
            (&*broken, None, true, Stage::Key),
            (&broken, Some(sha256 as fn(&str) -> String), true, Stage::Seal),
            (&cipher(b"{"), None, true, Stage::Key),
            (&cipher(b"{}"), None, true, Stage::Seal),
            (&cipher(wrong_token.as_bytes()), Some(sha256), true, Stage::Address),
            (wrong_token, None, false, Stage::Key),
        ] {
            assert_eq!(stage(body, sign, has_key.then(key).as_ref()), expected, "{body}");
        }
    }

    #[test]
    fn a_challenge_is_bounded() {
        for (length, expected) in
            [(0, Ok("challenge")), (256, Ok("challenge")), (257, Err(Reject::MissingSignature))]
        {
            let challenge = "c".repeat(length);
            let content =
                format!(r#"{{"type":"url_verification","token":"v8t0k3n4Xw","challenge":"{challenge}"}}"#);
            assert_eq!(read(content.as_bytes(), None), expected, "{length}");
        }
    }

    #[test]
    fn a_body_is_encrypted_exactly_where_the_entry_has_a_key() {
        const EVENT: &str = r#"{"schema":"2.0","header":{"token":"v8t0k3n4Xw"}}"#;
        const CHALLENGE: &str = r#"{"type":"url_verification","token":"v8t0k3n4Xw","challenge":"c"}"#;
        const CARD: &str = r#"{"open_id":"ou","token":"c-1"}"#;
        for (body, signature, with_key, without) in [
            (EVENT, None, Err(Reject::NotEncrypted), Ok("event")),
            (EVENT, Some(sha256(EVENT)), Err(Reject::NotEncrypted), Ok("event")),
            (EVENT, Some(sha1(EVENT)), Err(Reject::NotEncrypted), Ok("event")),
            (CHALLENGE, None, Err(Reject::NotEncrypted), Ok("challenge")),
            (CARD, None, Err(Reject::NotEncrypted), Err(Reject::MissingSignature)),
            (CARD, Some(sha1(CARD)), Err(Reject::NotEncrypted), Ok("card")),
            (CARD, Some(sha256(CARD)), Err(Reject::NotEncrypted), Err(Reject::SignatureMismatch)),
            (
                r#"{"encrypt":null,"schema":"2.0"}"#,
                None,
                Err(Reject::NotEncrypted),
                Err(Reject::missing("header.token")),
            ),
        ] {
            let headers = headers(signature.as_deref());
            assert_eq!(name(&headers, body, Some(&key())), with_key, "{body} {signature:?}");
            assert_eq!(name(&headers, body, None), without, "{body} {signature:?}");
        }
        let encrypted = format!(r#"{{"encrypt":"{}"}}"#, key().seal([7; 16], EVENT.as_bytes()));
        let headers = headers(Some(&sha256(&encrypted)));
        let delivery = Delivery::read(&headers, encrypted.as_bytes()).unwrap();
        let opened = delivery.verify(Some(&key()), &token()).unwrap().open(Some(&key())).unwrap();
        assert_eq!(format!("{opened:?}"), format!("Opened({} bytes, Event)", EVENT.len()));
        assert_eq!(name(&headers, &encrypted, None), Err(Reject::NoEncryptKey));
    }

    #[test]
    fn headers_are_read_once_and_whole() {
        let read = |change: fn(&mut HeaderMap)| {
            let mut headers = headers(Some("aa"));
            change(&mut headers);
            let read = Delivery::read(&headers, b"{}");
            read.map(|delivery| delivery.signature.is_some()).map_err(|rejected| rejected.reject)
        };
        assert_eq!(read(|_| {}), Ok(true));
        assert_eq!(read(|headers| drop(headers.remove(SIGNATURE))), Ok(false));
        assert_eq!(read(|headers| drop(headers.insert(SIGNATURE, "".parse().unwrap()))), Ok(false));
        assert_eq!(read(|headers| drop(headers.remove(NONCE))), Err(Reject::missing(NONCE)));
        assert_eq!(read(|headers| drop(headers.remove(TIMESTAMP))), Err(Reject::missing(TIMESTAMP)));
        assert_eq!(
            read(|headers| assert!(headers.append(SIGNATURE, "aa".parse().unwrap()))),
            Err(Reject::MalformedSignature)
        );
        assert_eq!(
            read(|headers| {
                headers.insert(SIGNATURE, http::HeaderValue::from_bytes(b"\xff").unwrap());
            }),
            Err(Reject::MalformedSignature)
        );
        for body in ["", "[]", "\"a\"", "{\"encrypt\":1}", "{\"encrypt\":\"a\",\"encrypt\":\"a\"}"] {
            assert!(Delivery::read(&headers(None), body.as_bytes()).is_err(), "{body}");
        }
    }
}
