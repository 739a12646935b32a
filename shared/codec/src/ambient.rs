//! What a delivery needs from the world outside: the time and some random bytes.

use crate::Timestamp;

/// The clock and the entropy of one delivery, drawn by the shell and passed in.
///
/// With a fixed `Ambient` a sealed reply is the same to the last byte.
pub struct Ambient {
    /// The time of receipt.
    pub now: Timestamp,
    /// Fresh random bytes, enough for the one reply that a delivery may seal.
    pub entropy: [u8; Self::ENTROPY],
}

impl Ambient {
    /// Bytes of entropy: a JWE takes 48 (32 of CEK, 16 of IV), a sealed message 28 (16 and a 12-byte nonce).
    pub const ENTROPY: usize = 48;

    /// Two disjoint pieces of the entropy, from its front.
    pub fn split<const N: usize, const M: usize>(&self) -> ([u8; N], [u8; M]) {
        const { assert!(N.saturating_add(M) <= Self::ENTROPY, "more entropy than a delivery carries") };
        let (mut first, mut second) = ([0; N], [0; M]);
        for (to, from) in first.iter_mut().chain(second.iter_mut()).zip(self.entropy) {
            *to = from;
        }
        (first, second)
    }
}
