//! The time and the random bytes of a delivery.

use crate::Timestamp;

/// The time and the entropy of one delivery, which the shell passes in.
///
/// With a fixed `Ambient`, an encrypted reply is the same to the last byte.
pub struct Ambient {
    /// The time of receipt.
    pub now: Timestamp,
    /// Fresh random bytes, enough to encrypt the one reply of a delivery.
    pub entropy: [u8; Self::ENTROPY],
}

impl Ambient {
    /// Bytes of entropy. A JWE takes 48 (a CEK of 32 and an IV of 16), an encrypted message 24 (16, and a nonce of 8).
    pub const ENTROPY: usize = 48;

    /// Returns the first `N` bytes of the entropy and the `M` bytes after them.
    pub fn split<const N: usize, const M: usize>(&self) -> ([u8; N], [u8; M]) {
        const { assert!(N.saturating_add(M) <= Self::ENTROPY, "more entropy than a delivery carries") };
        let (mut first, mut second) = ([0; N], [0; M]);
        for (to, from) in first.iter_mut().chain(second.iter_mut()).zip(self.entropy) {
            *to = from;
        }
        (first, second)
    }
}
