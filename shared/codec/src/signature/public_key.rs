//! Public keys, in the forms in which consoles show them, and the signatures that they verify.
//!
//! The primitives are ring's, which every function already links for TLS. Verification needs no randomness.

use std::fmt::Write;

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use super::{
    Algorithm, SchemeError,
    der::{Reader, Tag},
    key::base64,
};

/// A public key that is checked for its kind and size.
#[derive(Clone)]
pub(super) struct PublicKey {
    algorithm: Algorithm,
    /// What ring takes: 32 bytes of Ed25519, an uncompressed point of P-256, or the DER of an `RSAPublicKey` (RFC 8017).
    bytes: Vec<u8>,
}

/// The object identifiers of a key's kind (RFC 8410, RFC 5480, RFC 8017), as DER contents.
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The sizes of a modulus that ring verifies with, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The longest configured text: a certificate with a chain is no key.
const LONGEST: usize = 16 * 1024;

impl PublicKey {
    /// Reads a key as PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`, `CERTIFICATE`), base64 of the DER in it, or, where a key has a
    /// raw form, hex or base64 of that; `whpk_` may precede it.
    pub(super) fn new(algorithm: Algorithm, text: &str) -> Result<Self, SchemeError> {
        let kind = describe(algorithm);
        let error = |found: &str| {
            let mut expected = format!("{kind} as {}", forms(algorithm));
            if !found.is_empty() {
                let _ = write!(expected, "; this is {found}");
            }
            SchemeError::new("public_key", expected)
        };
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST {
            return Err(error(if text.is_empty() { "empty" } else { "too long for a key" }));
        }
        let (bytes, found) = match decode(text) {
            Ok(bytes) => match read(&bytes) {
                Some((found, bytes)) => (bytes.to_vec(), found),
                // No DER: the raw bytes of a key, if they have its length.
                None => (bytes, Found::Raw),
            },
            Err(found) => return Err(error(&found)),
        };
        let key = Self { algorithm, bytes };
        match found {
            Found::Raw => key.check_raw().map_err(|found| error(&found)),
            found if found.is_for(algorithm) => key.check().map_err(|found| error(&found)),
            found => Err(error(found.name())),
        }
    }

    /// A key without DER around it. An RSA key has none.
    fn check_raw(self) -> Result<Self, String> {
        let is_length = match self.algorithm {
            Algorithm::Ed25519 => self.bytes.len() == 32,
            Algorithm::EcdsaP256 => self.bytes.len() == 65,
            _ => false,
        };
        if is_length { self.check() } else { Err(format!("{} bytes of another form", self.bytes.len())) }
    }

    /// Refuses keys with which a signature says nothing, or that ring would refuse each time.
    fn check(self) -> Result<Self, String> {
        match self.algorithm {
            Algorithm::Ed25519 => match <[u8; 32]>::try_from(self.bytes.as_slice()) {
                Ok(point) if is_weak(&point) => {
                    Err("a key of small order, for which anyone can make signatures".into())
                }
                Ok(_) => Ok(self),
                Err(_) => Err(format!("a key of {} bytes instead of 32", self.bytes.len())),
            },
            Algorithm::EcdsaP256 => match self.bytes.as_slice() {
                [4, rest @ ..] if rest.len() == 64 => Ok(self),
                _ => Err("a point that is not uncompressed (0x04 and 64 bytes)".into()),
            },
            _ => match modulus_bits(&self.bytes) {
                Some(bits) if RSA_BITS.contains(&bits) => Ok(self),
                Some(bits) => Err(format!("a key of {bits} bits instead of 2048 to 8192")),
                None => Err("not an RSA key".into()),
            },
        }
    }

    /// True if the algorithm is this key's, and the signature is valid.
    pub(super) fn verify(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        let is_valid = |algorithm: &'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(algorithm, &self.bytes).verify(text, signature).is_ok()
        };
        algorithm == self.algorithm
            && match algorithm {
                // ring refuses an `s` that is not reduced, and an `R` that is not canonical. Points of small order it
                // does not refuse, so that is done here, for `R` as for the key: "strict" verification.
                Algorithm::Ed25519 => {
                    signature.first_chunk::<32>().is_some_and(|point| !is_weak(point))
                        && is_valid(&signature::ED25519)
                }
                // No bytes are valid in both forms but by chance, and a valid one is made with the key in either.
                Algorithm::EcdsaP256 => {
                    is_valid(&signature::ECDSA_P256_SHA256_ASN1)
                        || is_valid(&signature::ECDSA_P256_SHA256_FIXED)
                }
                Algorithm::RsaSha256 => is_valid(&signature::RSA_PKCS1_2048_8192_SHA256),
                _ => false,
            }
    }
}

fn describe(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "an Ed25519 public key",
        Algorithm::EcdsaP256 => "a P-256 public key",
        _ => "an RSA public key of 2048 to 8192 bits",
    }
}

fn forms(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "PEM, base64 of its DER, hex or base64 of its 32 bytes, or whpk_ and base64",
        Algorithm::EcdsaP256 => "PEM, base64 of its DER, or hex or base64 of its uncompressed 65 bytes",
        _ => "PEM (a public key or a certificate) or base64 of its DER",
    }
}

/// What a text turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Raw,
    Ed25519,
    P256,
    Rsa,
    Other,
}

impl Found {
    fn is_for(self, algorithm: Algorithm) -> bool {
        matches!(
            (self, algorithm),
            (Self::Ed25519, Algorithm::Ed25519)
                | (Self::P256, Algorithm::EcdsaP256)
                | (Self::Rsa, Algorithm::RsaSha256)
        )
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "an Ed25519 key",
            Self::P256 => "a P-256 key",
            Self::Rsa => "an RSA key",
            Self::Raw | Self::Other => "a key of another kind",
        }
    }
}

/// The bytes of PEM, hex or base64. The error says what the text is instead.
fn decode(text: &str) -> Result<Vec<u8>, String> {
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
        return base64(&body).map_err(|found| format!("PEM whose content is not base64{found}"));
    }
    let text = text.strip_prefix("whpk_").unwrap_or(text);
    if let Ok(bytes) = hex::decode(text) {
        return Ok(bytes);
    }
    let text: String = text.split_ascii_whitespace().collect();
    base64(&text).map_err(|found| format!("neither hex nor base64{found}"))
}

/// The key in DER: a `SubjectPublicKeyInfo`, an `RSAPublicKey` or a certificate; `None` if it is none of them.
fn read(der: &[u8]) -> Option<(Found, &[u8])> {
    let mut outer = Reader::new(der);
    let mut inner = outer.sequence()?;
    if !outer.is_empty() {
        return None;
    }
    if modulus_bits(der).is_some() {
        return Some((Found::Rsa, der));
    }
    let mut first = inner.sequence()?;
    // In a certificate (RFC 5280), a `TBSCertificate` comes first; in a key, its algorithm.
    if first.peek() != Some(Tag::OBJECT_IDENTIFIER) {
        first.optional(Tag::VERSION);
        first.take(Tag::INTEGER)?;
        for _ in ["signature", "issuer", "validity", "subject"] {
            first.sequence()?;
        }
        inner = first.sequence()?;
        first = inner.sequence()?;
    }
    let algorithm = first.take(Tag::OBJECT_IDENTIFIER)?;
    let [0, key @ ..] = inner.take(Tag::BIT_STRING)? else { return None };
    let found = match algorithm {
        OID_ED25519 => Found::Ed25519,
        OID_RSA => Found::Rsa,
        OID_EC if first.take(Tag::OBJECT_IDENTIFIER) == Some(OID_P256) => Found::P256,
        _ => Found::Other,
    };
    Some((found, key))
}

/// The size of the modulus of an `RSAPublicKey`.
fn modulus_bits(der: &[u8]) -> Option<usize> {
    let mut outer = Reader::new(der);
    let mut key = outer.sequence()?;
    let modulus = key.take(Tag::INTEGER)?;
    key.take(Tag::INTEGER)?;
    if !key.is_empty() || !outer.is_empty() {
        return None;
    }
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let digits = modulus.get(start..)?;
    let unused = usize::try_from(digits.first()?.leading_zeros()).ok()?;
    digits.len().checked_mul(8)?.checked_sub(unused)
}

/// The `y` of the points of order 1, 2, 4 and 8 on Curve25519 that are below its prime: a signature by such a key is
/// valid for many texts, and anyone can make it. Source: <https://eprint.iacr.org/2020/1244>, table 1 (read 2026-11-26).
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    small(1),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
];

const fn small(number: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = number;
    bytes
}

/// True if an encoded point is of small order, or its `y` is not below the prime 2^255 - 19.
fn is_weak(point: &[u8; 32]) -> bool {
    let mut y = *point;
    let [first, middle @ .., last] = &mut y;
    // The sign of `x`.
    *last &= 0x7f;
    let is_reduced = *first < 0xed || *last < 0x7f || middle.iter().any(|byte| *byte != 0xff);
    !is_reduced || SMALL_ORDER.contains(&y)
}
