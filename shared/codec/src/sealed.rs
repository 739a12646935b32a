//! Encrypted messages of DingTalk and its family (WeCom has the same format).
//!
//! ```text
//! signature  = hex(SHA-1(concat(sort_bytewise([token, timestamp, nonce, encrypt]))))
//! encrypt    = base64(AES-256-CBC(key, iv = key[0..16], padded))
//! padded     = plain | n times the byte n, up to a multiple of 32, 1 <= n <= 32
//! plain      = 16 random bytes | u32 big-endian length | message | owner key
//! key        = base64(aes_key | "="), 32 bytes
//! ```
//!
//! Sources: <https://github.com/open-dingtalk/DingTalk-Callback-Crypto> at commit bd49e62, and
//! <https://open.dingtalk.com/document/development/configure-synchttp-push>, read 2026-11-26 in a copy of 2026-08-22.
//! Each type is one step further: [`Envelope`] → [`VerifiedEnvelope`] → [`Opened`] → [`Verified`].

use std::fmt;

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use base64::engine::general_purpose;
use serde::{Deserialize, Deserializer, de::Error};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    Reject, Rejected, Secret, Stage, Verified,
    base64::{Engine, STANDARD},
    stage::at,
};

/// The platform pads to blocks of this size, twice that of AES.
const PAD_BLOCK: usize = 32;
const AES_BLOCK: usize = 16;
const RANDOM: usize = 16;
/// Random bytes and length.
const HEADER: usize = RANDOM + 4;

/// The AES key of an encrypted message.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// Decodes the 43 characters that the platform's console shows (`EncodingAESKey`). The error says what was expected.
    pub fn new(aes_key: &Secret) -> Result<Self, &'static str> {
        const EXPECTED: &str = "43 letters and digits (EncodingAESKey)";
        let text = aes_key.expose().as_bytes();
        if text.len() != 43 || !text.iter().all(u8::is_ascii_alphanumeric) {
            return Err(EXPECTED);
        }
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| EXPECTED)?);
        Ok(Self(Zeroizing::new(bytes.as_slice().try_into().map_err(|_| EXPECTED)?)))
    }

    fn iv(&self) -> [u8; AES_BLOCK] {
        let (iv, _) = self.0.split_at(AES_BLOCK);
        iv.try_into().unwrap_or_default()
    }

    /// The 32 key bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&Secret::deserialize(deserializer)?)
            .map_err(|expected| D::Error::custom(format!("expected {expected}")))
    }
}

/// The signature over an encrypted message, in lower-case hex. The arguments must be exactly those of the request.
pub fn signature(token: &str, timestamp: &str, nonce: &str, encrypt: &str) -> String {
    let mut parts = [token, timestamp, nonce, encrypt];
    parts.sort_unstable();
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// An encrypted message as received, not verified yet.
pub struct Envelope<'a> {
    /// Lower-case hex SHA-1.
    pub signature: &'a str,
    /// Decimal digits, signed as the text that was received.
    pub timestamp: &'a str,
    /// The nonce, percent-decoded once if it came in a query string.
    pub nonce: &'a str,
    /// Base64, exactly as JSON-decoded, line breaks included.
    pub encrypt: &'a str,
}

impl<'a> Envelope<'a> {
    /// Checks the signature in constant time, or returns [`Reject::SignatureMismatch`].
    pub fn verify(&self, token: &Secret) -> Result<VerifiedEnvelope<'a>, Rejected> {
        let expected = signature(token.expose(), self.timestamp, self.nonce, self.encrypt);
        if bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            Ok(VerifiedEnvelope { encrypt: self.encrypt })
        } else {
            Err(Reject::SignatureMismatch.at(Stage::Key))
        }
    }
}

/// An encrypted message with a valid signature, not decrypted yet.
#[derive(Debug)]
pub struct VerifiedEnvelope<'a> {
    encrypt: &'a str,
}

impl VerifiedEnvelope<'_> {
    /// Decrypts the message, and checks its padding and its length.
    pub fn open(&self, key: &Key) -> Result<Opened, Rejected> {
        self.decrypt(key).map_err(at(Stage::Seal))
    }

    fn decrypt(&self, key: &Key) -> Result<Opened, Reject> {
        let text: Vec<u8> = self.encrypt.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let ciphertext = general_purpose::STANDARD.decode(text).map_err(|_| Reject::InvalidBase64)?;
        if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(AES_BLOCK) {
            return Err(Reject::CiphertextLength);
        }
        let mut plain = cbc::Decryptor::<aes::Aes256>::new((&*key.0).into(), &key.iv().into())
            .decrypt_padded_vec::<NoPadding>(&ciphertext)
            .map_err(|_| Reject::CiphertextLength)?;

        let pad = plain.last().map_or(0, |last| usize::from(*last));
        let end = plain.len().checked_sub(pad).filter(|_| (1..=PAD_BLOCK).contains(&pad));
        let end = end.ok_or(Reject::InvalidPadding)?;
        // All bytes are compared: the time does not say which of them differs.
        let differing = plain.iter().skip(end).fold(0, |bits, byte| bits | (usize::from(*byte) ^ pad));
        if differing != 0 {
            return Err(Reject::InvalidPadding);
        }
        plain.truncate(end);

        let (header, rest) = plain.split_at_checked(HEADER).ok_or(Reject::MessageLength)?;
        let length =
            header.last_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(Reject::MessageLength)?;
        let length = usize::try_from(length).map_err(|_| Reject::MessageLength)?;
        let (message, owner_key) = rest.split_at_checked(length).ok_or(Reject::MessageLength)?;
        Ok(Opened { message: message.to_vec(), owner_key: owner_key.to_vec() })
    }
}

/// A decrypted message whose owner key is not checked yet.
pub struct Opened {
    message: Vec<u8>,
    owner_key: Vec<u8>,
}

impl fmt::Debug for Opened {
    /// Prints only the size: the content may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes)", self.message.len())
    }
}

impl Opened {
    /// The owner key in the message, not checked; see [`Opened::addressed_to`].
    pub fn owner_key(&self) -> &[u8] {
        &self.owner_key
    }

    /// Checks in constant time that the owner key is one of `accepted`, and returns the content and that key.
    pub fn addressed_to(self, accepted: &[String]) -> Result<(Verified<'static>, &str), Rejected> {
        let mut owner = None;
        for candidate in accepted {
            if bool::from(candidate.as_bytes().ct_eq(&self.owner_key)) {
                owner = Some(candidate.as_str());
            }
        }
        let owner = owner.ok_or(Reject::OwnerKeyMismatch.at(Stage::Address))?;
        Ok((Verified::new(self.message), owner))
    }
}

/// Encrypts a message for `owner_key`, as base64 without line breaks. `random` must be fresh for every message.
/// `None` if the message is too long for its length field.
pub fn seal(key: &Key, random: [u8; RANDOM], message: &[u8], owner_key: &str) -> Option<String> {
    let length = u32::try_from(message.len()).ok()?;
    let mut plain = Vec::new();
    plain.extend_from_slice(&random);
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(message);
    plain.extend_from_slice(owner_key.as_bytes());
    let padded = plain.len().checked_next_multiple_of(PAD_BLOCK)?;
    let padded = if padded == plain.len() { padded.checked_add(PAD_BLOCK)? } else { padded };
    let pad = u8::try_from(padded.checked_sub(plain.len())?).ok()?;
    plain.resize(padded, pad);
    let ciphertext = cbc::Encryptor::<aes::Aes256>::new((&*key.0).into(), &key.iv().into())
        .encrypt_padded_vec::<NoPadding>(&plain);
    Some(general_purpose::STANDARD.encode(ciphertext))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    fn key(aes_key: &str) -> Result<Key, &'static str> {
        Key::new(&Secret::new(aes_key.to_owned()).unwrap())
    }

    #[test]
    fn an_aes_key_is_43_letters_and_digits() {
        assert_eq!(key(AES_KEY).unwrap().bytes().as_slice(), STANDARD.decode(AES_KEY).unwrap());
        let other = |tail: &str| format!("{}{tail}", AES_KEY.split_at(40).0);
        for wrong in [
            other(""),
            other("EF"),
            other("EFGH"),
            // Characters of base64 that the platform's console never shows.
            other("E+G"),
            other("E/G"),
            other("EF="),
            other("E-G"),
            other("E G"),
            other("é1"),
        ] {
            assert!(key(&wrong).is_err(), "{wrong}");
        }
    }

    /// Base64 of these bytes, encrypted as they are.
    fn encrypted(plain: &[u8]) -> String {
        let key = key(AES_KEY).unwrap();
        let ciphertext = cbc::Encryptor::<aes::Aes256>::new((&*key.0).into(), &key.iv().into())
            .encrypt_padded_vec::<NoPadding>(plain);
        general_purpose::STANDARD.encode(ciphertext)
    }

    fn open(encrypt: &str) -> Result<(Vec<u8>, Vec<u8>), Rejected> {
        let opened = VerifiedEnvelope { encrypt }.open(&key(AES_KEY).unwrap())?;
        Ok((opened.message, opened.owner_key))
    }

    /// Random bytes, a length, further bytes, and valid padding of the given length.
    fn plain(length: u32, rest: &[u8], pad: u8) -> Vec<u8> {
        [&[7; RANDOM][..], &length.to_be_bytes(), rest, &vec![pad; pad.into()]].concat()
    }

    #[test]
    fn lengths_and_padding_are_checked() {
        assert_eq!(
            open(&encrypted(&plain(2, b"{}owner12345", 16))),
            Ok((b"{}".into(), b"owner12345".into()))
        );
        assert_eq!(open(&encrypted(&plain(0, b"", 12))), Ok((vec![], vec![])));
        assert_eq!(open(&encrypted(&plain(12, &[1; 12], 32))), Ok((vec![1; 12], vec![])));
        for (encrypt, expected) in [
            (String::new(), Reject::CiphertextLength),
            (" \r\n".to_owned(), Reject::CiphertextLength),
            (general_purpose::STANDARD.encode([0; 15]), Reject::CiphertextLength),
            (general_purpose::STANDARD.encode([0; 17]), Reject::CiphertextLength),
            ("!".to_owned(), Reject::InvalidBase64),
            ("AA".to_owned(), Reject::InvalidBase64),
            // No padding, more than 32, more than there is, and bytes that differ.
            (encrypted(&[0; 32]), Reject::InvalidPadding),
            (encrypted(&[33; 64]), Reject::InvalidPadding),
            (encrypted(&[17; 16]), Reject::InvalidPadding),
            (encrypted(&[&[7; 30][..], &[3, 2]].concat()), Reject::InvalidPadding),
            (encrypted(&[&[7; 28][..], &[5, 5, 4, 4]].concat()), Reject::InvalidPadding),
            // Nothing but padding, and one byte less than random bytes and length.
            (encrypted(&[32; 32]), Reject::MessageLength),
            (encrypted(&[&[0; 19][..], &[13; 13]].concat()), Reject::MessageLength),
            // A length beyond the end.
            (encrypted(&plain(1, b"", 12)), Reject::MessageLength),
            (encrypted(&plain(u32::MAX, &[1; 12], 32)), Reject::MessageLength),
        ] {
            assert_eq!(open(&encrypt), Err(expected.at(Stage::Seal)), "{encrypt}");
        }
    }

    #[test]
    fn a_message_is_only_for_its_owner() {
        let accepted = ["first".to_owned(), "second".to_owned()];
        for (owner, expected) in [
            ("first", Ok("first")),
            ("second", Ok("second")),
            ("", Err(Reject::OwnerKeyMismatch.at(Stage::Address))),
            ("firs", Err(Reject::OwnerKeyMismatch.at(Stage::Address))),
            ("firstsecond", Err(Reject::OwnerKeyMismatch.at(Stage::Address))),
        ] {
            let opened = Opened { message: b"{}".to_vec(), owner_key: owner.as_bytes().to_vec() };
            assert_eq!(opened.owner_key(), owner.as_bytes());
            assert_eq!(format!("{opened:?}"), "Opened(2 bytes)");
            let owner = opened.addressed_to(&accepted).map(|(_, owner)| owner);
            assert_eq!(owner, expected);
        }
    }
}
