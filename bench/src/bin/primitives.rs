//! The primitives that Letterbox uses beside OpenSSL's, on the same bytes. `primitives [ROUNDS]` prints JSON.
//!
//! Both sides do the whole of what a delivery needs: key schedule, digest or decryption, and the comparison of a tag.

use std::hint::black_box;

use aes::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use hmac::{Hmac, KeyInit, Mac};
use letterbox_bench::{Subject, interleaved, number};
use openssl::{
    hash::{MessageDigest, hash},
    pkey::PKey,
    sign::{Signer, Verifier},
    symm::{Cipher, decrypt, decrypt_aead, encrypt, encrypt_aead},
};
use ring::{aead, signature};
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

const SIZES: [usize; 4] = [64, 1024, 16 * 1024, 256 * 1024];
const KEY: [u8; 32] = [7; 32];
const IV: [u8; 16] = [9; 16];
const NONCE: [u8; 12] = [3; 12];

type Failure = Box<dyn std::error::Error>;
type Run = Box<dyn FnMut()>;

fn main() -> Result<(), Failure> {
    let rounds = number(1, 31);
    let mut results = Vec::new();
    for size in SIZES {
        let text: &'static [u8] = vec![b'x'; size].leak();
        let mut add = |name: &str, ours: Run, theirs: Run| {
            let subjects = vec![
                Subject { name: "ours".into(), run: ours },
                Subject { name: "openssl".into(), run: theirs },
            ];
            let measured = interleaved(rounds, subjects);
            let [ours, theirs] = measured.as_slice() else { return };
            results.push(json!({
                "primitive": name,
                "bytes": size,
                "ours_us": ours.median * 1e6,
                "ours_quartiles_us": [ours.quartiles.0 * 1e6, ours.quartiles.1 * 1e6],
                "openssl_us": theirs.median * 1e6,
                "openssl_quartiles_us": [theirs.quartiles.0 * 1e6, theirs.quartiles.1 * 1e6],
                "speed": theirs.median / ours.median,
            }));
        };
        add(
            "SHA-1",
            Box::new(move || {
                black_box(Sha1::digest(black_box(text)));
            }),
            digest(MessageDigest::sha1(), text),
        );
        add(
            "SHA-256",
            Box::new(move || {
                black_box(Sha256::digest(black_box(text)));
            }),
            digest(MessageDigest::sha256(), text),
        );
        add("HMAC-SHA-1", ours_hmac::<Hmac<Sha1>>(text), hmac(MessageDigest::sha1(), text)?);
        add("HMAC-SHA-256", ours_hmac::<Hmac<Sha256>>(text), hmac(MessageDigest::sha256(), text)?);
        let sealed = encrypt(Cipher::aes_256_cbc(), &KEY, Some(&IV), text)?.leak();
        let sealed: &'static [u8] = sealed;
        add(
            "AES-256-CBC open",
            Box::new(move || {
                let mut bytes = black_box(sealed).to_vec();
                let key = cbc::Decryptor::<aes::Aes256>::new(&KEY.into(), &IV.into());
                let opened = key.decrypt_padded::<Pkcs7>(&mut bytes).map(<[u8]>::len);
                black_box(opened.is_ok());
            }),
            Box::new(move || {
                black_box(decrypt(Cipher::aes_256_cbc(), &KEY, Some(&IV), black_box(sealed)).is_ok());
            }),
        );
        let mut tag = [0; 16];
        let sealed = encrypt_aead(Cipher::aes_256_gcm(), &KEY, Some(&NONCE), b"", text, &mut tag)?;
        let with_tag: &'static [u8] = [&sealed[..], &tag[..]].concat().leak();
        let sealed: &'static [u8] = sealed.leak();
        add(
            "AES-256-GCM open",
            Box::new(move || {
                let mut bytes = black_box(with_tag).to_vec();
                let opened = aead::UnboundKey::new(&aead::AES_256_GCM, &KEY).ok().and_then(|key| {
                    let nonce = aead::Nonce::assume_unique_for_key(NONCE);
                    let opened =
                        aead::LessSafeKey::new(key).open_in_place(nonce, aead::Aad::empty(), &mut bytes);
                    opened.ok().map(|text| text.len())
                });
                black_box(opened);
            }),
            Box::new(move || {
                let opened =
                    decrypt_aead(Cipher::aes_256_gcm(), &KEY, Some(&NONCE), b"", black_box(sealed), &tag);
                black_box(opened.is_ok());
            }),
        );
        let (ours, theirs) = rsa(text)?;
        add("RSA-2048 PKCS#1 SHA-256 verify", ours, theirs);
    }
    println!("{}", json!(results));
    Ok(())
}

fn digest(kind: MessageDigest, text: &'static [u8]) -> Run {
    Box::new(move || {
        black_box(hash(kind, black_box(text)).is_ok());
    })
}

fn ours_hmac<M: Mac + KeyInit>(text: &'static [u8]) -> Run {
    Box::new(move || {
        if let Ok(mut mac) = M::new_from_slice(&KEY) {
            mac.update(black_box(text));
            black_box(mac.finalize().into_bytes());
        }
    })
}

fn hmac(kind: MessageDigest, text: &'static [u8]) -> Result<Run, Failure> {
    // A key object is made once: OpenSSL's own functions would not make one.
    let key = PKey::hmac(&KEY)?;
    Ok(Box::new(move || {
        let tag = Signer::new(kind, &key).and_then(|mut signer| signer.sign_oneshot_to_vec(black_box(text)));
        black_box(tag.is_ok());
    }))
}

/// Our verification and OpenSSL's of one signature.
fn rsa(text: &'static [u8]) -> Result<(Run, Run), Failure> {
    let key = openssl::rsa::Rsa::generate(2048)?;
    let public: &'static [u8] = key.public_key_to_der_pkcs1()?.leak();
    let key = PKey::from_rsa(key)?;
    let signature: &'static [u8] =
        Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(text)?.leak();
    let ours = move || {
        let public = signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, public);
        black_box(public.verify(black_box(text), signature).is_ok());
    };
    let theirs = move || {
        let verified = Verifier::new(MessageDigest::sha256(), &key);
        let verified = verified.and_then(|mut verifier| verifier.verify_oneshot(signature, black_box(text)));
        black_box(matches!(verified, Ok(true)));
    };
    Ok((Box::new(ours), Box::new(theirs)))
}
