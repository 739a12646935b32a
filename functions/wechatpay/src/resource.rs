//! The encrypted resource of a notification.

use std::borrow::Cow;

use letterbox_codec::{
    Reject, Verified, aead,
    base64::{Engine, STANDARD},
    json::Node,
};

/// The one algorithm that is decrypted. The other is of SM4 (`AEAD_SM4_128_GCM`), for merchants who chose it.
pub(crate) const ALGORITHM: &str = "AEAD_AES_256_GCM";

/// The resource as it came.
pub(crate) struct Sealed {
    algorithm: String,
    nonce: String,
    associated_data: String,
    ciphertext: String,
}

impl Sealed {
    /// Reads the resource of a notification.
    pub(crate) fn read(notification: &Node<'_>) -> Result<Self, Reject> {
        let text = |name: &'static str| {
            let text = notification.scalar(name)?.map(Cow::into_owned);
            text.ok_or_else(|| Reject::missing(name))
        };
        Ok(Self {
            algorithm: text("resource.algorithm")?,
            nonce: text("resource.nonce")?,
            associated_data: match notification.get("resource.associated_data")? {
                // Absent, null and empty are the same.
                None => String::new(),
                Some(_) => text("resource.associated_data")?,
            },
            ciphertext: text("resource.ciphertext")?,
        })
    }

    /// Decrypts it.
    pub(crate) fn open(&self, key: &aead::Key) -> Result<Verified<'static>, Reject> {
        if self.algorithm != ALGORITHM {
            return Err(Reject::UnsupportedAlgorithm { parameter: "resource.algorithm" });
        }
        let ciphertext = STANDARD.decode(&self.ciphertext).map_err(|_| Reject::InvalidBase64)?;
        key.open(self.nonce.as_bytes(), self.associated_data.as_bytes(), ciphertext)
    }
}
