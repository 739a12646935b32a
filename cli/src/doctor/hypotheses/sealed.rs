//! Faults around a sealed message: DingTalk's token, `aes_key`, owner key and clock.

use letterbox_codec::{
    Secret, Stage, Timestamp, form,
    sealed::{self, Envelope, Opened},
};
use serde_json::Value;

use super::hmac::distance;
use crate::doctor::{
    causes,
    diagnosis_input::{DiagnosisInput, Entry, Progress},
    finding::{Finding, Variants},
};

/// The parts of a sealed message, as they stand in query and body.
struct Parts {
    timestamp: String,
    nonce: String,
    encrypt: String,
}

fn parameter(delivery: &DiagnosisInput, name: &'static str) -> Option<String> {
    let query = delivery.request.uri().query().unwrap_or_default().as_bytes();
    form::one(query, name).ok().flatten().map(std::borrow::Cow::into_owned).filter(|value| !value.is_empty())
}

fn parts(delivery: &DiagnosisInput) -> Option<Parts> {
    let encrypt = delivery.body_object()?.get("encrypt").ok()??.get().to_owned();
    Some(Parts {
        timestamp: parameter(delivery, "timestamp").or_else(|| parameter(delivery, "timeStamp"))?,
        nonce: parameter(delivery, "nonce")?,
        encrypt: serde_json::from_str(&encrypt).ok()?,
    })
}

/// The entries of a source that seals.
fn keys(delivery: &DiagnosisInput) -> Vec<(Entry, String, String)> {
    let both = |(entry, aes_key): (Entry, String)| {
        let token = entry.get("token")?.as_str()?.to_owned();
        Some((entry, token, aes_key))
    };
    delivery.texts("aes_key").into_iter().filter_map(both).collect()
}

/// The delivery if it were signed with this token; a function can be asked then what it makes of the rest.
fn signed_again(delivery: &DiagnosisInput, token: &str) -> Option<DiagnosisInput> {
    let Parts { timestamp, nonce, encrypt } = parts(delivery)?;
    let signature = sealed::signature(token, &timestamp, &nonce, &encrypt);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("msg_signature", &signature), ("timestamp", &timestamp), ("nonce", &nonce)])
        .finish();
    delivery.with_query(&query)
}

/// What the entry's `aes_key` makes of the message, whatever its signature.
fn unsealed(delivery: &DiagnosisInput, token: &str, aes_key: &str) -> Option<Opened> {
    let Parts { timestamp, nonce, encrypt } = parts(delivery)?;
    let token = Secret::new(token.to_owned()).ok()?;
    let key = sealed::Key::new(&Secret::new(aes_key.to_owned()).ok()?).ok()?;
    let signature = sealed::signature(token.expose(), &timestamp, &nonce, &encrypt);
    let envelope =
        Envelope { signature: &signature, timestamp: &timestamp, nonce: &nonce, encrypt: &encrypt };
    envelope.verify(&token).ok()?.open(&key).ok()
}

/// True if the signature is that of the entry's token.
fn token_matches(delivery: &DiagnosisInput, entry: &Entry) -> bool {
    delivery.with_entry(entry.clone()).progress().has_passed(Stage::Key)
}

/// The owner key of a message, where it is a text that can be one: with a wrong `aes_key` it is noise.
fn owner_key(opened: &Opened) -> Option<String> {
    let text = std::str::from_utf8(opened.owner_key()).ok()?;
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.to_owned())
}

/// Which kind of owner key this is, by its form.
fn kind(owner_key: &str) -> &'static str {
    let is_hex = |rest: &str| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (owner_key.strip_prefix("suite"), owner_key.strip_prefix("ding")) {
        (Some("4xxxxxxxxxxxxxxx"), _) => "the key of a suite that is being created",
        (Some(_), _) => "a SuiteKey (third-party app)",
        (_, Some(rest)) if is_hex(rest) => "a CorpId (callback registered by API)",
        (_, Some(_)) => "an AppKey, also called Client ID (internal app)",
        (None, None) if owner_key.is_empty() => "empty",
        (None, None) => "of no known kind (the customKey of a custom app, perhaps)",
    }
}

/// A form parser in transit reads `+` as a space.
pub(super) fn spaces_for_plus(delivery: &DiagnosisInput) -> Variants<'_> {
    let Some(Parts { encrypt, .. }) = parts(delivery).filter(|parts| parts.encrypt.contains(' ')) else {
        return Box::new(std::iter::empty());
    };
    let body = serde_json::json!({ "encrypt": encrypt.replace(' ', "+") }).to_string();
    let detail = "The `+` of `encrypt` came as spaces: something read the body as a form.";
    Box::new(std::iter::once(Finding::new(&causes::BODY_CHANGED, detail).corrected(delivery.with_body(body))))
}

/// `signature`, or lower case, where `msg_signature` as it came does not match.
pub(super) fn another_signature_parameter(delivery: &DiagnosisInput) -> Variants<'_> {
    let query = |name: &'static str, value: String| {
        let Parts { timestamp, nonce, .. } = parts(delivery)?;
        let pairs = [(name, value), ("timestamp", timestamp), ("nonce", nonce)];
        delivery.with_query(&form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    };
    let signature = parameter(delivery, "signature");
    let first = parameter(delivery, "msg_signature").or_else(|| signature.clone());
    if !delivery.is_sealed() {
        return Box::new(std::iter::empty());
    }
    let lower = first.filter(|text| text.bytes().any(|byte| byte.is_ascii_uppercase())).and_then(|text| {
        let finding = Finding::new(
            &causes::SIGNATURE_ENCODING,
            "It is in upper case, and DingTalk writes lower-case hex.",
        );
        Some(
            finding
                .remedy("Let the proxy hand on the query as it is.")
                .corrected(query("msg_signature", text.to_lowercase())?),
        )
    });
    let other = signature.and_then(|text| {
        let detail = "`msg_signature` is not that of the message, though `signature` is.";
        Some(Finding::new(&causes::QUERY_CHANGED, detail).corrected(query("signature", text)?))
    });
    Box::new([lower, other].into_iter().flatten())
}

pub(super) fn stale(delivery: &DiagnosisInput) -> Variants<'_> {
    let sent =
        parts(delivery).filter(|_| delivery.is_sealed()).and_then(|parts| Timestamp::guess(&parts.timestamp));
    let variant = move |(sent, _)| {
        Finding::new(&causes::TIMESTAMP_STALE, distance(sent, delivery))
            .corrected(DiagnosisInput { now: sent, ..delivery.clone() })
    };
    Box::new(sent.map(variant).into_iter())
}

pub(super) fn owner(delivery: &DiagnosisInput) -> Variants<'_> {
    let variants = keys(delivery)
        .into_iter()
        .filter(move |(entry, ..)| token_matches(delivery, entry))
        .filter_map(move |(entry, token, aes_key)| {
            let carried = owner_key(&unsealed(delivery, &token, &aes_key)?)?;
            let named: Vec<&str> = match entry.get("owner_key")? {
                Value::String(one) => vec![one],
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                _ => return None,
            };
            if named.contains(&carried.as_str()) {
                return None;
            }
            let kinds: Vec<_> = named.iter().map(|key| kind(key)).collect();
            let detail = format!(
                "The message carries {carried:?}, which is {}. The entry names {}.",
                kind(&carried),
                kinds.join(", and ")
            );
            let finding = Finding::new(&causes::OWNER_KEY_MISMATCH, detail).remedy(format!(
                "Set `\"owner_key\": {carried:?}`, or a list with it, if this app or corp is yours."
            ));
            Some(finding.corrected(delivery.with_member(&entry, "owner_key", carried)))
        });
    Box::new(variants)
}

/// The `aes_key` decrypts, the token does not match, and the content is noise or JSON: that tells a changed body from
/// another token.
pub(super) fn garbled(delivery: &DiagnosisInput) -> Variants<'_> {
    let variants = keys(delivery)
        .into_iter()
        .filter(move |(entry, ..)| !token_matches(delivery, entry))
        .filter_map(move |(entry, token, _)| {
            let anew = signed_again(delivery, &token)?.with_entry(entry);
            // Whole but for a part in the middle: the owner key at its end was right.
            (anew.progress() == Progress::RefusedAt(Stage::Payload)).then(|| {
                let detail = "Letterbox could decrypt `encrypt`, but in part to noise.";
                Finding::new(&causes::BODY_CHANGED, detail).corrected(anew)
            })
        });
    Box::new(variants)
}

pub(super) fn token(delivery: &DiagnosisInput) -> Variants<'_> {
    let variants = keys(delivery).into_iter().filter(move |(entry, ..)| !token_matches(delivery, entry)).filter_map(
        move |(entry, token, aes_key)| {
            owner_key(&unsealed(delivery, &token, &aes_key)?)?;
            let anew = signed_again(delivery, &token)?.with_entry(entry);
            let known = delivery.others().into_iter().find(|(_, other)| token_matches(delivery, other));
            let detail = match known {
                Some((source, _)) => format!("The aes_key matches. The token that signed it is that of {source:?}."),
                None => "The aes_key matches. Either the token is from another refresh of the console, or `timestamp` or `nonce` was changed in transit.".to_owned(),
            };
            (anew.progress().has_passed(Stage::Seal)).then(|| Finding::new(&causes::TOKEN_MISMATCH, detail).corrected(anew))
        },
    );
    Box::new(variants)
}

pub(super) fn aes_key_of_another_source(delivery: &DiagnosisInput) -> Variants<'_> {
    let mut variants = Vec::new();
    for (entry, ..) in keys(delivery).into_iter().filter(move |(entry, ..)| token_matches(delivery, entry)) {
        for (source, other) in delivery.others() {
            let Some(aes_key) = other.get("aes_key") else { continue };
            let delivery = delivery.with_member(&entry, "aes_key", aes_key.clone());
            if delivery.progress().has_passed(Stage::Seal) {
                let detail = format!("The aes_key that decrypts it is that of {source:?}.");
                variants.push(Finding::new(&causes::AES_KEY_MISMATCH, detail).corrected(delivery));
            }
        }
    }
    Box::new(variants.into_iter())
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn owner_keys_are_known_by_their_form() {
        for (key, expected) in [
            ("dingoaxmb1pnjtdrqpbc", "an AppKey"),
            ("ding5f2a9c7be41d08633f7c0a94d2e6b815", "a CorpId"),
            ("suiteabcdefgh12345678", "a SuiteKey"),
            ("suite4xxxxxxxxxxxxxxx", "the key of a suite"),
            ("custom", "of no known kind"),
            ("", "empty"),
        ] {
            assert!(kind(key).starts_with(expected), "{key}");
        }
    }
}
