//! AES-256-GCM with a key that both sides have (`AEAD_AES_256_GCM`, RFC 5116), by ring.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::{Reject, Secret, Verified};

/// A key of AES-256-GCM.
pub struct Key(Zeroizing<[u8; LENGTH]>);

/// The length of a key, in bytes.
const LENGTH: usize = 32;

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// Takes the bytes of a text as the key. The error says what was expected and what there is instead, and has nothing of
    /// the text in it.
    pub fn of_text(text: &Secret) -> Result<Self, String> {
        let bytes = text.expose().as_bytes();
        let key = bytes.try_into().map_err(|_| format!("{LENGTH} bytes; there are {}", bytes.len()))?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// ring's form of the key; `None` never happens for this length.
    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).ok().map(LessSafeKey::new)
    }

    /// Decrypts a ciphertext with its tag of 16 bytes behind it; [`Reject::AuthenticationFailed`] if it, the nonce or the
    /// associated data was changed, or if the key is another.
    pub fn open(
        &self,
        nonce: &[u8],
        associated_data: &[u8],
        ciphertext: Vec<u8>,
    ) -> Result<Verified<'static>, Reject> {
        let nonce =
            Nonce::try_assume_unique_for_key(nonce).map_err(|_| Reject::malformed("nonce", "12 bytes"))?;
        let cipher = self.cipher().ok_or(Reject::AuthenticationFailed)?;
        let mut text = ciphertext;
        let length = cipher
            .open_in_place(nonce, Aad::from(associated_data), &mut text)
            .map_err(|_| Reject::AuthenticationFailed)?
            .len();
        text.truncate(length);
        Ok(Verified::new(text))
    }

    /// Encrypts a text, and appends the tag. A nonce must not serve for two texts. `None` if the text is too long.
    pub fn seal(&self, nonce: [u8; NONCE_LEN], associated_data: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.cipher()?.seal_in_place_append_tag(nonce, Aad::from(associated_data), &mut sealed).ok()?;
        Some(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Key, String> {
        Key::of_text(&Secret::new(text.to_owned()).unwrap())
    }

    /// Made with Python's `cryptography`: `AESGCM(b"k" * 32).encrypt(b"n" * 12, b'{"a":1}', b"transaction").hex()`.
    const SEALED: &str = "e31986922b85f88fe69179954f37ed710efb818afa4f55";

    #[test]
    fn a_text_is_decrypted_and_nothing_else() {
        let key = key(&"k".repeat(32)).unwrap();
        let sealed = hex::decode(SEALED).unwrap();
        let nonce = [b'n'; 12];
        assert_eq!(key.seal(nonce, b"transaction", br#"{"a":1}"#), Some(sealed.clone()));
        let opened = key.open(&nonce, b"transaction", sealed.clone()).unwrap();
        assert_eq!(opened.bytes(), br#"{"a":1}"#);

        let mut changed = sealed.clone();
        changed[0] ^= 1;
        let other = Key([b'l'; 32].into());
        for (key, nonce, associated_data, sealed, expected) in [
            (&key, &nonce[..], &b"transaction"[..], changed, Reject::AuthenticationFailed),
            (&key, &nonce, b"", sealed.clone(), Reject::AuthenticationFailed),
            (&key, &[b'm'; 12], b"transaction", sealed.clone(), Reject::AuthenticationFailed),
            (&other, &nonce, b"transaction", sealed.clone(), Reject::AuthenticationFailed),
            (&key, &nonce, b"transaction", sealed[..15].to_vec(), Reject::AuthenticationFailed),
            (&key, &nonce, b"transaction", Vec::new(), Reject::AuthenticationFailed),
            (&key, &nonce[..11], b"transaction", sealed.clone(), Reject::malformed("nonce", "12 bytes")),
            (&key, b"", b"transaction", sealed, Reject::malformed("nonce", "12 bytes")),
        ] {
            assert_eq!(key.open(nonce, associated_data, sealed).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_key_has_32_bytes() {
        for (text, expected) in [
            ("k".repeat(31), "32 bytes; there are 31"),
            ("k".repeat(33), "32 bytes; there are 33"),
            ("中".repeat(32), "32 bytes; there are 96"),
        ] {
            assert_eq!(key(&text).unwrap_err(), expected);
        }
        assert_eq!(format!("{:?}", key(&"k".repeat(32)).unwrap()), "Key(..)");
    }
}
