//! How a request is authenticated, and how signature and secret are written.

use serde::Deserialize;

/// How a request is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC-SHA-1, for platforms that have nothing better.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA on P-256 with SHA-256; the signature is DER, or `r` and `s` of 32 bytes each.
    EcdsaP256,
    /// RSA PKCS#1 v1.5 with SHA-256, with keys of 2048 to 8192 bits.
    RsaSha256,
    /// The header is the secret itself. It signs nothing.
    Token,
    /// `Authorization: Basic` with the secret as `user:password`. It signs nothing.
    Basic,
}

impl Algorithm {
    /// True if the entry has a `public_key` instead of a `secret`.
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Ed25519 | Self::EcdsaP256 | Self::RsaSha256)
    }

    /// True if the request carries the secret instead of a signature.
    pub const fn sends_secret(self) -> bool {
        matches!(self, Self::Token | Self::Basic)
    }
}

/// How the signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Either case.
    Hex,
    /// Padded or not.
    Base64,
    /// Padded or not.
    Base64Url,
}

/// How the secret is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    /// Its UTF-8 bytes are the key.
    Text,
    /// Hex of the key.
    Hex,
    /// Base64 of the key.
    Base64,
    /// `whsec_` (may be missing) and base64 of the key, as Standard Webhooks has it. `v1,` before it is ignored: some
    /// consoles show it.
    Whsec,
}
