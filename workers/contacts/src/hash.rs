//! Keyed hashes: the state remembers what was written without holding it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::settings::HashKey;

impl HashKey {
    /// The first 64 bits of HMAC-SHA-256, as 16 hex digits. Equal texts of one purpose have equal hashes.
    pub fn hash(&self, purpose: &str, text: &str) -> String {
        hex::encode(self.digest(purpose, text).first_chunk::<8>().unwrap_or(&[0; 8]))
    }

    /// A number derived from a text.
    pub fn number(&self, purpose: &str, text: &str) -> u32 {
        u32::from_be_bytes(*self.digest(purpose, text).first_chunk::<4>().unwrap_or(&[0; 4]))
    }

    fn digest(&self, purpose: &str, text: &str) -> [u8; 32] {
        // HMAC takes keys of any length, so this never errs.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_depend_on_key_purpose_and_text() {
        let (one, two) = (HashKey([1; 32]), HashKey([2; 32]));
        let hash = one.hash("mobile", "13800000000");
        assert_eq!((hash.len(), &hash), (16, &one.hash("mobile", "13800000000")));
        for other in
            [two.hash("mobile", "13800000000"), one.hash("email", "13800000000"), one.hash("mobile", "1")]
        {
            assert_ne!(hash, other);
        }
        // Computed with Python: hmac.new(bytes([1]) * 32, b"mobile\x0013800000000", "sha256").hexdigest()[:16]
        assert_eq!(hash, "4ef607fbbc9b3b5a");
    }
}
