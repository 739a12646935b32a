//! RSA private keys, for those who play the platform: the demo keys that come with Letterbox.

use ring::{
    rand::SecureRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};

use crate::base64::{Engine, STANDARD};

/// Signs a text with RSA PKCS#1 v1.5 and SHA-256. The key is PEM (`PRIVATE KEY`, PKCS#8, RFC 5208); `None` if it is
/// anything else. The signature does not depend on `random`: ring blinds its calculation with it.
pub fn sign_rsa_sha256(private_key: &str, text: &[u8], random: &dyn SecureRandom) -> Option<Vec<u8>> {
    let (_, rest) = private_key.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(body).ok()?).ok()?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, random, text, &mut signature).ok()?;
    Some(signature)
}
