//! Any credentials JSON: keys, or an error that has nothing of them; and any description of a scheme.

use letterbox_codec::{Stage, platform::Sample};
use letterbox_registry::{DESCRIBED, PROVIDERS};
use serde_json::Value;

use super::check;
use crate::input::ambient;

/// The fields whose values no error may contain.
const HIDDEN: [&str; 7] =
    ["secret", "token", "aes_key", "verification_token", "encrypt_key", "verify_token", "api_v3_key"];

/// A provider's name on a line, then its credentials.
pub(super) fn property(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let (name, json) = text.split_once('\n').unwrap_or((text, ""));
    let Some(provider) = PROVIDERS.iter().find(|provider| provider.name() == name) else { return false };
    match provider.keys(json) {
        Ok(keys) => {
            for source in keys.sources() {
                let entries = keys.entries(source).expect("a source that it named");
                assert!(!entries.is_empty());
            }
        }
        Err(error) => {
            let error = error.to_string();
            for secret in secrets(&serde_json::from_str(json).unwrap_or_default()) {
                assert!(!error.contains(&secret), "the error has a secret in it: {error}");
            }
        }
    }
    true
}

/// The secrets in a JSON text that are long enough not to be in a sentence by chance.
fn secrets(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if HIDDEN.contains(&&**name) => vec![text.clone()],
                value => secrets(value),
            })
            .filter(|text| text.len() >= 12 && !text.contains(' '))
            .collect(),
        Value::Array(elements) => elements.iter().flat_map(secrets).collect(),
        _ => Vec::new(),
    }
}

/// An entry of a described sender on a line, then a payload: if the entry is accepted, what it signs it verifies, and what
/// another secret signs it does not.
pub(super) fn description(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let (entry, payload) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(Value::Object(mut entry)) = serde_json::from_str(entry) else { return false };
    let with_secret = |entry: &serde_json::Map<String, Value>| {
        DESCRIBED.keys(&serde_json::json!({ "default": entry }).to_string())
    };
    let Ok(keys) = with_secret(&entry) else { return false };
    let sample = Sample { name: "a".into(), payload: payload.as_bytes().to_vec() };
    let url = "https://localhost/payment?a=1";
    let first = keys.first("default").expect("one entry");
    let Ok(request) = first.build_request(&sample, url, &ambient()) else { return false };
    if let Err(refused) = keys.receive("default", &request, &ambient()) {
        check(&refused);
        assert!(refused.stage != Stage::Key, "its own signature does not verify: {refused:?}");
    }
    let Some(Value::String(secret)) = entry.get_mut("secret") else { return true };
    // Another secret of the same form: base64 and hex have both characters.
    let other: String =
        secret.chars().map(|character| if character == 'a' { 'b' } else { character }).collect();
    if other == *secret {
        return true;
    }
    secret.clone_from(&other);
    let Ok(others) = with_secret(&entry) else { return true };
    assert!(others.receive("default", &request, &ambient()).is_err(), "accepted with another secret");
    true
}
