//! Verifies, decrypts, signs and encrypts webhook deliveries.
//!
//! Bytes, the clock and entropy come in as arguments; values come out. Nothing here reads a file, the
//! environment, a clock or a random source, so every result can be reproduced byte for byte.
//!
//! | module | subject |
//! |---|---|
//! | [`sealed`] | DingTalk's family: SHA-1 signature, AES-256-CBC, owner key |
//! | [`feishu`] | Feishu's family: SHA-256 or SHA-1 over the body, AES-256-CBC, verification token |
//! | `jwe` (feature `jwe`) | compact JWE with A128KW and A128CBC-HS256 |
//! | [`aead`] | AES-256-GCM with a key that both sides have |
//! | [`signature`] | signatures of requests (HMAC, public keys, tokens), described by data |
//! | [`content_encoding`] | bounded unpacking of compressed bodies |
//! | [`json`] | bounded reading of a verified payload, kept verbatim |
//! | [`xml`] | bounded reading of XML, and its fields as JSON |
//! | [`event`] | the CloudEvents object that is put on the queue |
//! | [`base64`] | lenient base64 of configured keys and signatures |
//! | [`headers`] | a bounded header map from foreign data |
//! | [`credentials`] | the credentials JSON: the credential entries of every source |
//! | [`stage`] | how far a delivery gets before it is refused |
//! | [`provider`] | the interface between a protocol and the shell that runs it |
//! | [`fetch`] | documents behind URLs that the shell fetches for a provider |
//! | [`platform`] | the platform's side of a protocol: what it sends, for samples and tests |
//!
//! Verified content has a type of its own, [`Verified`], and only that type can be parsed.
#![warn(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod aead;
pub mod ambient;
pub mod base64;
pub mod content_encoding;
pub mod credentials;
pub mod event;
pub mod feishu;
pub mod fetch;
pub mod form;
pub mod header;
pub mod headers;
pub mod json;
#[cfg(feature = "jwe")]
pub mod jwe;
pub mod platform;
pub mod provider;
pub mod reject;
pub mod sealed;
pub mod secret;
pub mod signature;
pub mod source;
pub mod stage;
pub mod timestamp;
pub mod verified;
pub mod xml;

pub use ambient::Ambient;
pub use credentials::Sources;
pub use event::Event;
pub use provider::{Provider, Received, Reply, Request};
pub use reject::Reject;
pub use secret::Secret;
pub use source::Source;
pub use stage::{Rejected, Stage};
pub use timestamp::Timestamp;
pub use verified::Verified;
