//! Configured keys: read or refused with an error that has nothing of them.

use arbitrary::Unstructured;
use letterbox_codec::{
    Secret, aead,
    jwe::Psk,
    sealed,
    signature::{Algorithm, Certificate, Key, RsaHash, SecretEncoding},
};

use super::{below, bytes};
use crate::random::Random;

/// Any text as a public key or a certificate.
pub(super) fn public_key(input: &[u8]) -> bool {
    if let Ok(certificate) = Certificate::from_pem(input) {
        assert!(certificate.verify(RsaHash::Sha256, b"text", b"signature", b"").is_err());
    }
    let text = String::from_utf8_lossy(input);
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256, Algorithm::RsaSha256] {
        if let Err(error) = Key::public(algorithm, &text) {
            assert!(is_fixed(&text) || !error.to_string().contains(&*text), "{error}");
        }
    }
    true
}

/// True if a text can be a part of the sentences of an error.
fn is_fixed(text: &str) -> bool {
    text.len() < 12 || text.contains(' ')
}

/// Any text as a secret.
pub(super) fn secret(input: &[u8]) -> bool {
    let Ok(secret) = Secret::new(String::from_utf8_lossy(input).into_owned()) else { return false };
    let text = secret.expose();
    let hidden = |error: &str| assert!(is_fixed(text) || !error.contains(text), "{error}");
    for encoding in [SecretEncoding::Text, SecretEncoding::Hex, SecretEncoding::Base64, SecretEncoding::Whsec]
    {
        if let Err(error) = Key::new(&secret, encoding) {
            hidden(&error.to_string());
        }
    }
    match Psk::new(&secret) {
        Ok(psk) => assert_eq!(format!("{psk:?}"), "Psk(..)"),
        Err(error) => hidden(&error),
    }
    assert_eq!(
        sealed::Key::new(&secret).is_ok(),
        text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    );
    assert_eq!(aead::Key::of_text(&secret).is_ok(), text.len() == 32);
    true
}

/// AES-GCM: what was sealed opens, and nothing else does.
pub(super) fn aead(random: &Random) -> impl Fn(&[u8]) -> bool + Send + Sync + use<> {
    let key = aead::Key::of_text(&Secret::new(random.hex("aead", 32)).expect("a secret")).expect("a key");
    move |input| {
        let mut input = Unstructured::new(input);
        let (nonce, place, bit) = (bytes::<12>(&mut input), below(&mut input, 1 << 16), below(&mut input, 8));
        let aad = bytes::<4>(&mut input);
        let text = input.take_rest();
        assert!(key.open(&nonce, &aad, text.to_vec()).is_err(), "opened what was not sealed");
        let sealed = key.seal(nonce, &aad, text).expect("a text that is not too long");
        assert_eq!(key.open(&nonce, &aad, sealed.clone()).expect("what was sealed").bytes(), text);
        let changed = crate::input::flipped(&sealed, (place, bit)).expect("a ciphertext");
        assert!(key.open(&nonce, &aad, changed).is_err());
        true
    }
}
