//! X.509 certificates of which only the key and the dates count, and the RSA signatures that they verify.
//!
//! A chain is not checked, since that needs roots: whoever has configured the certificate, or the TLS server that it was
//! fetched from, vouches for it.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::{
    Certificate as X509,
    der::{Decode, asn1::ObjectIdentifier},
};

use super::public_key;
use crate::{Reject, Timestamp, Verified};

/// The hash of an RSA PKCS#1 v1.5 signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaHash {
    /// SHA-1, for a platform that still signs with it.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A certificate of an RSA key of 2048 to 8192 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The DER of an `RSAPublicKey`.
    key: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// What a text is expected to be.
const EXPECTED: &str = "one PEM certificate of an RSA key of 2048 to 8192 bits";

const RSA: ObjectIdentifier = public_key::OID_RSA;

impl Certificate {
    /// The longest PEM text, in bytes.
    pub const LONGEST: usize = public_key::LONGEST;

    /// Reads the first certificate of a PEM text. The error says what was expected.
    pub fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(pem).map_err(|_| EXPECTED)?.trim();
        if text.len() > Self::LONGEST || !text.starts_with("-----BEGIN CERTIFICATE-----") {
            return Err(EXPECTED);
        }
        let der = public_key::decode(text).map_err(|_| EXPECTED)?;
        let certificate = X509::from_der(&der).map_err(|_| EXPECTED)?;
        let content = certificate.tbs_certificate();
        let info = content.subject_public_key_info();
        let key = info.subject_public_key.as_bytes().filter(|_| info.algorithm.oid == RSA).ok_or(EXPECTED)?;
        let bits = public_key::modulus_bits(key).ok_or(EXPECTED)?;
        if !public_key::RSA_BITS.contains(&bits) {
            return Err(EXPECTED);
        }
        let milliseconds = |time: x509_cert::time::Time| {
            Timestamp(i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX))
        };
        let validity = content.validity();
        let (not_before, not_after) = (milliseconds(validity.not_before), milliseconds(validity.not_after));
        Ok(Self { key: key.to_vec(), not_before, not_after })
    }

    /// True within the dates of the certificate, both included.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// The DER of its key, an `RSAPublicKey` (RFC 8017).
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Verifies the signature of `text`, which the caller has put together from `content`, and returns the content as
    /// verified; [`Reject::SignatureMismatch`] if it is not the certificate's.
    pub fn verify<'c>(
        &self,
        hash: RsaHash,
        text: &[u8],
        signature: &[u8],
        content: &'c [u8],
    ) -> Result<Verified<'c>, Reject> {
        let algorithm: &'static dyn VerificationAlgorithm = match hash {
            RsaHash::Sha1 => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            RsaHash::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        let verified = UnparsedPublicKey::new(algorithm, &self.key).verify(text, signature);
        verified.map(|()| Verified::new(content)).map_err(|_| Reject::SignatureMismatch)
    }
}
