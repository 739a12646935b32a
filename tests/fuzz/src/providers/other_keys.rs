//! Credentials of the same form as the demo's, with keys that nobody has.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use letterbox_registry::Platform;
use serde_json::Value;

use crate::random::Random;

/// Public keys whose private halves were thrown away when they were made: of RSA and P-256, and a certificate.
const RSA: &str = include_str!("../../other/rsa.pem");
const P256: &str = include_str!("../../other/p256.txt");
const CERTIFICATE: &str = include_str!("../../other/certificate.pem");

/// The names of fields whose value is a secret, or verifies what was signed.
const SECRETS: [&str; 7] =
    ["secret", "token", "aes_key", "verification_token", "encrypt_key", "verify_token", "api_v3_key"];

/// The demo credentials of a provider, with other keys.
pub(super) fn of(provider: &dyn Platform, random: &Random) -> String {
    let mut credentials = serde_json::from_str(provider.facts().demo).expect("the demo credentials are JSON");
    let mut replaced = 0;
    replace(&mut credentials, "", &mut |name, value| {
        replaced += 1;
        other(name, value, random)
    });
    assert!(replaced > 0, "{}: the demo credentials have no key that is known here", provider.name());
    credentials.to_string()
}

/// Replaces the texts of all keys.
fn replace(value: &mut Value, path: &str, other: &mut impl FnMut(&str, &str) -> String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = format!("{path}.{name}");
                match value {
                    Value::String(text) if is_key(&path) => *text = other(&path, text),
                    value => replace(value, &path, other),
                }
            }
        }
        Value::Array(elements) => {
            for (number, element) in elements.iter_mut().enumerate() {
                replace(element, &format!("{path}.{number}"), other);
            }
        }
        _ => {}
    }
}

fn is_key(path: &str) -> bool {
    let mut names = path.rsplit('.');
    let name = names.next().unwrap_or_default();
    SECRETS.contains(&name)
        || name == "public_key"
        || [".keys.", ".certificates."].iter().any(|table| path.contains(table))
}

/// A key of the same form as `key`.
fn other(path: &str, key: &str, random: &Random) -> String {
    if key.contains("BEGIN CERTIFICATE") {
        return CERTIFICATE.to_owned();
    }
    if key.contains("BEGIN PUBLIC KEY") || key.len() > 200 {
        return RSA.to_owned();
    }
    if key.len() == P256.trim().len() {
        return P256.trim().to_owned();
    }
    if let Some(key) = key.strip_prefix("whpk_") {
        let length = STANDARD.decode(key).map_or(0, |bytes| bytes.len());
        assert_eq!(length, 32, "{path}");
        return format!("whpk_{}", STANDARD.encode(point(path, random)));
    }
    if path.ends_with(".public_key") && key.len() == 64 {
        return hex::encode(point(path, random));
    }
    if path.contains(".keys.") {
        return URL_SAFE_NO_PAD.encode(random.bytes::<16>(path));
    }
    let is_hex = key.len() >= 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (key.split_once("whsec_"), key.split_once(':')) {
        (Some((version, key)), _) if STANDARD.decode(key).is_ok() => {
            format!("{version}whsec_{}", STANDARD.encode(random.bytes::<24>(path)))
        }
        (_, Some((user, _))) => format!("{user}:{}", random.hex(path, 40)),
        _ if is_hex || path.ends_with(".aes_key") => random.hex(path, key.len()),
        _ => random.hex(path, key.len().max(32)),
    }
}

/// The first of the random points that Ed25519 has: half of all numbers are one.
fn point(path: &str, random: &Random) -> [u8; 32] {
    use letterbox_codec::signature::{Algorithm, Key};

    let mut points = (0..64).map(|number| random.bytes::<32>(&format!("{path}{number}")));
    let is_point = |point: &[u8; 32]| Key::public(Algorithm::Ed25519, &hex::encode(point)).is_ok();
    points.find(is_point).expect("one of 64 numbers is a point")
}
