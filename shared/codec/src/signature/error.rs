//! What is wrong with a scheme, a key or a request to sign.

use std::borrow::Cow;

/// A field of a scheme or its key whose value cannot be used. Displays as `<field>: expected <what>`; the value, which
/// may be secret, is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct SchemeError {
    /// The field's name in a credentials entry.
    pub field: &'static str,
    /// What the field must be, and where it helps, what it is instead.
    pub expected: Cow<'static, str>,
}

impl SchemeError {
    /// An error about `field`.
    pub fn new(field: &'static str, expected: impl Into<Cow<'static, str>>) -> Self {
        Self { field, expected: expected.into() }
    }
}

/// Why a request cannot be signed here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Only the sender's private key can sign.
    #[error(
        "this sender signs with a private key that only it has; replay a delivery that it has sent instead"
    )]
    PrivateKey,
    /// A header or query parameter that the signature needs is missing, or its value cannot be one.
    #[error("{0}: expected one value without control characters, because the signature needs it")]
    Field(String),
}
