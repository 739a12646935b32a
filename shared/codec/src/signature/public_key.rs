//! Public keys, in the forms in which consoles show them, and the signatures that they verify.
//!
//! ECDSA and RSA are ring's, which every function links for TLS in any case; of Ed25519, ring has no strict verification, so
//! that is `ed25519-dalek`'s. Verification needs no randomness.

use std::{fmt::Write, ops::RangeInclusive};

use ed25519_dalek::{Signature, VerifyingKey};
use pkcs1::RsaPublicKeyRef;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::{
    Certificate,
    der::{Decode, asn1::ObjectIdentifier, oid::db},
    spki::SubjectPublicKeyInfoOwned,
};

use super::{algorithm::Algorithm, error::SchemeError};
use crate::base64::{self, STANDARD};

/// A public key that is checked for its kind and size.
#[derive(Clone)]
pub(super) enum PublicKey {
    Ed25519(VerifyingKey),
    /// An uncompressed point.
    P256(Vec<u8>),
    /// The DER of an `RSAPublicKey` (RFC 8017).
    Rsa(Vec<u8>),
}

/// The object identifiers of a key's kind (RFC 8410, RFC 5480, RFC 8017).
const OID_ED25519: ObjectIdentifier = db::rfc8410::ID_ED_25519;
const OID_EC: ObjectIdentifier = db::rfc5912::ID_EC_PUBLIC_KEY;
const OID_P256: ObjectIdentifier = db::rfc5912::SECP_256_R_1;
pub(super) const OID_RSA: ObjectIdentifier = db::rfc5912::RSA_ENCRYPTION;

/// The sizes of a modulus that ring verifies with, in bits.
pub(super) const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// The longest configured text: a certificate with a chain is no key.
pub(super) const LONGEST: usize = 16 * 1024;

impl PublicKey {
    /// Reads a key as PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`), base64 of the DER in it, or, where a key has a
    /// raw form, hex or base64 of that; `whpk_` may precede it.
    pub(super) fn new(algorithm: Algorithm, text: &str) -> Result<Self, SchemeError> {
        let error = |found: &str| {
            let mut expected = format!("{} as {}", describe(algorithm), forms(algorithm));
            if !found.is_empty() {
                let _ = write!(expected, "; this is {found}");
            }
            SchemeError::new("public_key", expected)
        };
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST {
            return Err(error(if text.is_empty() { "empty" } else { "too long for a key" }));
        }
        let bytes = decode(text).map_err(|found| error(&found))?;
        let key = match read(&bytes) {
            None => Self::raw(algorithm, bytes),
            Some((kind, key)) if kind == Some(algorithm) => Self::of(algorithm, key),
            Some((kind, _)) => Err(kind.map_or("a key of another kind", name).to_owned()),
        };
        key.map_err(|found| error(&found))
    }

    /// A key without DER around it. An RSA key has none.
    fn raw(algorithm: Algorithm, bytes: Vec<u8>) -> Result<Self, String> {
        match (algorithm, bytes.len()) {
            (Algorithm::Ed25519, 32) | (Algorithm::EcdsaP256, 65) => Self::of(algorithm, bytes),
            (_, length) => Err(format!("{length} bytes of another form")),
        }
    }

    /// Refuses keys with which a signature proves nothing, and those that could never verify one.
    fn of(algorithm: Algorithm, bytes: Vec<u8>) -> Result<Self, String> {
        match algorithm {
            Algorithm::Ed25519 => {
                let point = VerifyingKey::try_from(bytes.as_slice());
                let key =
                    point.map_err(|_| "32 bytes that are no point of the curve, so the copy is not whole")?;
                if key.is_weak() {
                    return Err("a key of small order, for which anyone can make signatures".into());
                }
                Ok(Self::Ed25519(key))
            }
            Algorithm::EcdsaP256 => match bytes.as_slice() {
                [4, rest @ ..] if rest.len() == 64 => Ok(Self::P256(bytes)),
                _ => Err("a point that is not uncompressed (0x04 and 64 bytes)".into()),
            },
            _ => match modulus_bits(&bytes) {
                Some(bits) if RSA_BITS.contains(&bits) => Ok(Self::Rsa(bytes)),
                Some(bits) => Err(format!("a key of {bits} bits instead of 2048 to 8192")),
                None => Err("not an RSA key".into()),
            },
        }
    }

    /// True if the algorithm is this key's, and the signature is valid.
    pub(super) fn verify(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        let is_valid = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(text, signature).is_ok()
        };
        match (self, algorithm) {
            (Self::Ed25519(key), Algorithm::Ed25519) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(text, &signature).is_ok()),
            // No bytes are valid in both forms but by chance, and a valid one is made with the key in either.
            (Self::P256(key), Algorithm::EcdsaP256) => {
                is_valid(&signature::ECDSA_P256_SHA256_ASN1, key)
                    || is_valid(&signature::ECDSA_P256_SHA256_FIXED, key)
            }
            (Self::Rsa(key), Algorithm::RsaSha256) => is_valid(&signature::RSA_PKCS1_2048_8192_SHA256, key),
            _ => false,
        }
    }
}

const fn describe(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "an Ed25519 public key",
        Algorithm::EcdsaP256 => "a P-256 public key",
        _ => "an RSA public key of 2048 to 8192 bits",
    }
}

const fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "an Ed25519 key",
        Algorithm::EcdsaP256 => "a P-256 key",
        _ => "an RSA key",
    }
}

const fn forms(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "PEM, base64 of its DER, hex or base64 of its 32 bytes, or whpk_ and base64",
        Algorithm::EcdsaP256 => "PEM, base64 of its DER, or hex or base64 of its uncompressed 65 bytes",
        _ => "PEM (a public key or a certificate) or base64 of its DER",
    }
}

/// The bytes of PEM, hex or base64. The error says what the text is instead.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
    if let Some(pem) = text.strip_prefix("-----BEGIN ") {
        let (label, rest) = pem.split_once("-----").ok_or("PEM without an end of its first line")?;
        if !["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"].contains(&label) {
            let is_private = label.contains("PRIVATE");
            let found =
                if is_private { "a private key, which belongs to the sender alone" } else { "other PEM" };
            return Err(found.into());
        }
        let (body, _) = rest.split_once("-----END ").ok_or("PEM without its last line")?;
        // A line feed that was escaped twice on its way into the credentials is two characters.
        let body: String = body.replace("\\n", "").split_ascii_whitespace().collect();
        return base64::decode(&STANDARD, &body)
            .map_err(|found| format!("PEM whose content is not base64{found}"));
    }
    let text = text.strip_prefix("whpk_").unwrap_or(text);
    if let Ok(bytes) = hex::decode(text) {
        return Ok(bytes);
    }
    let text: String = text.split_ascii_whitespace().collect();
    base64::decode(&STANDARD, &text).map_err(|found| format!("neither hex nor base64{found}"))
}

/// The key in DER: a `SubjectPublicKeyInfo`, an `RSAPublicKey` or a certificate; `None` if it is none of them. The
/// algorithm is `None` if the key is of another.
fn read(der: &[u8]) -> Option<(Option<Algorithm>, Vec<u8>)> {
    if modulus_bits(der).is_some() {
        return Some((Some(Algorithm::RsaSha256), der.to_vec()));
    }
    let of_certificate =
        |certificate: Certificate| certificate.tbs_certificate().subject_public_key_info().clone();
    let info = SubjectPublicKeyInfoOwned::from_der(der);
    let info = info.or_else(|_| Certificate::from_der(der).map(of_certificate)).ok()?;
    let algorithm = match info.algorithm.oid {
        OID_ED25519 => Some(Algorithm::Ed25519),
        OID_RSA => Some(Algorithm::RsaSha256),
        OID_EC => {
            let curve = info.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok();
            (curve == Some(OID_P256)).then_some(Algorithm::EcdsaP256)
        }
        _ => None,
    };
    Some((algorithm, info.subject_public_key.as_bytes()?.to_vec()))
}

/// The size of the modulus of an `RSAPublicKey`.
pub(super) fn modulus_bits(der: &[u8]) -> Option<usize> {
    let key = RsaPublicKeyRef::from_der(der).ok()?;
    let digits = key.modulus.as_bytes();
    let unused = usize::try_from(digits.first()?.leading_zeros()).ok()?;
    digits.len().checked_mul(8)?.checked_sub(unused)
}
