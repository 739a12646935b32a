//! DingTalk's family: what was sealed opens, and nothing else does.

use aes::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use arbitrary::Unstructured;
use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::{
    Reject, Secret, Stage,
    sealed::{Envelope, Key, seal, signature},
};

use super::{below, bytes};
use crate::{oracle, random::Random};

const OWNER: &str = "owner";

/// The property, with a key of its own.
pub(super) fn property(random: &Random) -> impl Fn(&[u8]) -> bool + Send + Sync + use<> {
    let secret = |text: String| Secret::new(text).expect("a secret");
    let token = secret(random.hex("token", 32));
    let key = Key::new(&secret(random.hex("aes key", 43))).expect("an AES key");
    move |input| {
        let mut input = Unstructured::new(input);
        match below(&mut input, 3) {
            0 => sealed(&token, &key, &mut input),
            1 => plaintext(&token, &key, input.take_rest()),
            _ => ciphertext(&token, &key, input.take_rest()),
        }
        true
    }
}

/// Any message opens to the same bytes; any change of the ciphertext has another signature.
fn sealed(token: &Secret, key: &Key, input: &mut Unstructured<'_>) {
    let (random, place, bit) = (bytes::<16>(input), below(input, 1 << 16), below(input, 8));
    let message = std::mem::replace(input, Unstructured::new(&[])).take_rest();
    let encrypt = seal(key, random, message, OWNER).expect("a message that is not too long");
    let signature = signature(token.expose(), "1", "n", &encrypt);
    let envelope =
        |encrypt| Envelope { signature: &signature, timestamp: "1", nonce: "n", encrypt }.verify(token);
    let opened = || envelope(&encrypt).expect("a valid signature").open(key).expect("what was sealed");
    assert!(opened().addressed_to(&["other".into()]).is_err());
    let accepted = [OWNER.to_owned()];
    let (content, owner) = opened().addressed_to(&accepted).expect("its owner");
    assert_eq!((content.bytes(), owner), (message, OWNER));

    let changed = crate::input::flipped(encrypt.as_bytes(), (place, bit)).expect("a ciphertext");
    if let Ok(changed) = String::from_utf8(changed) {
        let refused = envelope(&changed).expect_err("another signature");
        assert_eq!(refused, Reject::SignatureMismatch.at(Stage::Key));
    }
}

/// Any plaintext that the platform could have padded and encrypted is read as the protocol says.
fn plaintext(token: &Secret, key: &Key, plain: &[u8]) {
    let plain = &plain[..plain.len() - plain.len() % 16];
    let (iv, _) = key.bytes().split_at(16);
    let iv: [u8; 16] = iv.try_into().expect("16 bytes");
    let encrypt = STANDARD.encode(
        cbc::Encryptor::<aes::Aes256>::new(key.bytes().into(), &iv.into())
            .encrypt_padded_vec::<NoPadding>(plain),
    );
    let signature = signature(token.expose(), "1", "n", &encrypt);
    let envelope = Envelope { signature: &signature, timestamp: "1", nonce: "n", encrypt: &encrypt };
    let opened = envelope.verify(token).expect("a valid signature").open(key);
    match oracle::sealed(plain) {
        Some((message, owner)) => {
            let opened = opened.expect("a valid plaintext");
            assert_eq!(opened.owner_key(), owner);
            if let Ok(owner) = std::str::from_utf8(owner) {
                let accepted = [owner.to_owned()];
                let (content, _) = opened.addressed_to(&accepted).expect("its owner");
                assert_eq!(content.bytes(), message);
            }
        }
        None => assert_eq!(opened.err().map(|refused| refused.stage), Some(Stage::Seal)),
    }
}

/// A ciphertext that was not made with the key is refused, however it is signed.
fn ciphertext(token: &Secret, key: &Key, encrypt: &[u8]) {
    let encrypt = String::from_utf8_lossy(encrypt);
    let signature = signature(token.expose(), "1", "n", &encrypt);
    let envelope = Envelope { signature: &signature, timestamp: "1", nonce: "n", encrypt: &encrypt };
    // Padding and length can be valid by chance, but not the owner as well.
    if let Ok(opened) = envelope.verify(token).expect("a valid signature").open(key) {
        assert!(opened.addressed_to(&[OWNER.to_owned()]).is_err());
    }
    let unsigned = Envelope { signature: &encrypt, timestamp: "1", nonce: "n", encrypt: &encrypt };
    assert!(unsigned.verify(token).is_err());
}
