//! Faults of the credentials that a correction shows: swapped fields, and keys in another form.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::doctor::{
    causes,
    diagnosis_input::{DiagnosisInput, Progress, Refusal},
    finding::{Finding, Variants},
    keys::{is_aes_key, is_psk, key_tables, with_table},
};

pub(super) fn token_and_aes_key_swapped(delivery: &DiagnosisInput) -> Variants<'_> {
    let swapped = delivery.texts("aes_key").into_iter().filter_map(move |(mut entry, aes_key)| {
        let token = entry.get("token")?.as_str()?.to_owned();
        (is_aes_key(&token) && !is_aes_key(&aes_key)).then(|| {
            entry.insert("token".into(), aes_key.into());
            entry.insert("aes_key".into(), token.into());
            Finding::new(&causes::TOKEN_AES_KEY_SWAPPED, "").corrected(delivery.with_entry(entry))
        })
    });
    Box::new(swapped)
}

pub(super) fn aes_key_with_more_around_it(delivery: &DiagnosisInput) -> Variants<'_> {
    let stripped = delivery.texts("aes_key").into_iter().filter_map(move |(entry, text)| {
        let inner: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        (inner != text && is_aes_key(&inner)).then(|| {
            let count = text.chars().count();
            let detail = format!("It has {count} characters, of which 43 are letters and digits.");
            Finding::new(&causes::AES_KEY_LENGTH, detail)
                .corrected(delivery.with_member(&entry, "aes_key", inner))
        })
    });
    Box::new(stripped)
}

pub(super) fn kid_and_key_swapped(delivery: &DiagnosisInput) -> Variants<'_> {
    let swapped = key_tables(delivery).into_iter().filter_map(move |table| {
        let swap = |(kid, key): (&String, &Value)| {
            let key = key.as_str().filter(|key| is_psk(kid) && !is_psk(key))?;
            Some((key.to_owned(), Value::String(kid.clone())))
        };
        let table = table.iter().map(swap).collect::<Option<Map<_, _>>>()?;
        Some(Finding::new(&causes::PSK_SWAPPED, "").corrected(with_table(delivery, table)))
    });
    Box::new(swapped)
}

pub(super) fn pre_shared_key_in_another_encoding(delivery: &DiagnosisInput) -> Variants<'_> {
    /// Another form of a key, and how to bring it to base64url.
    type Form = (&'static str, fn(&str) -> Option<String>);
    const FORMS: [Form; 3] = [
        ("base64 with `+` and `/`", |text| {
            (text.contains(['+', '/'])).then(|| text.replace('+', "-").replace('/', "_"))
        }),
        ("hex", |text| Some(URL_SAFE_NO_PAD.encode(hex::decode(text).ok()?))),
        ("16 plain characters", |text| Some(URL_SAFE_NO_PAD.encode(text))),
    ];
    let mut variants = Vec::new();
    for table in key_tables(delivery) {
        for (form, write) in FORMS {
            let mut table = table.clone();
            let mut found = false;
            for key in table.values_mut() {
                let better =
                    key.as_str().filter(|key| !is_psk(key)).and_then(write).filter(|key| is_psk(key));
                if let Some(better) = better {
                    *key = better.into();
                    found = true;
                }
            }
            if found {
                let finding = Finding::new(&causes::PSK_ENCODING, format!("It is written as {form}."));
                variants.push(finding.corrected(with_table(delivery, table)));
            }
        }
    }
    Box::new(variants.into_iter())
}

/// A function starts with all of its sources, or not at all.
pub(super) fn another_source_is_broken(delivery: &DiagnosisInput) -> Variants<'_> {
    let Err(Refusal::Start(error)) = delivery.attempt() else { return Box::new(std::iter::empty()) };
    let mut sources = delivery.sources(delivery.provider.name());
    sources.retain(|name, _| *name == delivery.source);
    let alone = delivery.with_sources(sources);
    if alone.progress() == Progress::NotStarted {
        return Box::new(std::iter::empty());
    }
    let finding = Finding::new(&causes::CREDENTIALS_INVALID, format!("{error}."));
    Box::new(std::iter::once(finding.corrected(alone)))
}
