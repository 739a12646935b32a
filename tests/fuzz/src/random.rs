//! Keys that no input can know.

use sha2::{Digest, Sha256};

/// Any number of bytes, which follow from a seed and a label.
#[derive(Clone)]
pub struct Random([u8; 32]);

impl Random {
    /// The bytes that follow from a seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// `N` bytes, others for each label.
    pub fn bytes<const N: usize>(&self, label: &str) -> [u8; N] {
        let mut bytes = [0; N];
        for (block, number) in bytes.chunks_mut(32).zip(0_u64..) {
            let digest = Sha256::new()
                .chain_update(self.0)
                .chain_update(number.to_be_bytes())
                .chain_update(label)
                .finalize();
            for (byte, from) in block.iter_mut().zip(digest) {
                *byte = from;
            }
        }
        bytes
    }

    /// So many letters and digits, at most 64, others for each label.
    pub fn hex(&self, label: &str, length: usize) -> String {
        let mut text = hex::encode(self.bytes::<32>(label));
        text.truncate(length);
        text
    }
}
