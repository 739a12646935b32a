//! Faults of the credentials that show without a look at the delivery.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::doctor::{
    causes,
    diagnosis_input::{DiagnosisInput, Progress, Refusal},
    finding::{Finding, Variant},
    keys::{is_aes_key, is_psk, key_tables, with_table},
};

/// The members that hold what was copied from a dashboard. White space in the others may be meant.
const COPIED: [&str; 5] = ["secret", "token", "aes_key", "owner_key", "keys"];

/// Characters that no one sees and `trim` keeps.
const INVISIBLE: [char; 5] = ['\u{feff}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}'];

/// Quotes that come along when a value is copied.
const QUOTES: [(&str, &str); 6] = [
    ("\\\"", "\\\""),
    ("\"", "\""),
    ("'", "'"),
    ("`", "`"),
    ("\u{201c}", "\u{201d}"),
    ("\u{2018}", "\u{2019}"),
];

/// What characters are called.
const NAMES: [(char, &str); 4] =
    [('\n', "a line feed"), ('\r', "a carriage return"), (' ', "a space"), ('\t', "a tab")];

/// Corrects a text, and describes its fault; `None` if it has none.
type Fix = fn(&str) -> Option<(String, String)>;

pub(super) fn white_space(delivery: &DiagnosisInput) -> Vec<Variant> {
    corrected(delivery, trimmed)
        .map(|(delivery, places)| Finding::new(&causes::SECRET_HAS_WHITESPACE, places).corrected(delivery))
        .into_iter()
        .collect()
}

pub(super) fn quotes(delivery: &DiagnosisInput) -> Vec<Variant> {
    corrected(delivery, unquoted)
        .map(|(delivery, places)| Finding::new(&causes::SECRET_HAS_QUOTES, places).corrected(delivery))
        .into_iter()
        .collect()
}

fn trimmed(text: &str) -> Option<(String, String)> {
    let outside = |character: char| character.is_whitespace() || INVISIBLE.contains(&character);
    let inner = text.trim_matches(outside);
    if inner == text || inner.is_empty() {
        return None;
    }
    let name = |character: Option<char>| {
        let found = NAMES.iter().find(|(known, _)| Some(*known) == character);
        found.map_or("an invisible character", |(_, name)| name)
    };
    let said = if text.ends_with(inner) {
        format!("starts with {}", name(text.chars().next()))
    } else {
        format!("ends with {}", name(text.chars().next_back()))
    };
    Some((inner.to_owned(), said))
}

fn unquoted(text: &str) -> Option<(String, String)> {
    let inner = QUOTES.iter().find_map(|(open, close)| {
        text.trim().strip_prefix(open)?.strip_suffix(close).filter(|inner| !inner.trim().is_empty())
    })?;
    Some((inner.trim().to_owned(), "stands in quotes".to_owned()))
}

/// The delivery with every copied text of the provider's sources corrected, and the places; never a value.
fn corrected(delivery: &DiagnosisInput, fix: Fix) -> Option<(DiagnosisInput, String)> {
    let mut sources = delivery.sources(delivery.provider.name());
    let mut places = Vec::new();
    for (source, value) in &mut sources {
        let entries: Vec<&mut Value> = match value {
            Value::Array(list) => list.iter_mut().collect(),
            one => vec![one],
        };
        let several = entries.len() > 1;
        for (number, entry) in (1..).zip(entries) {
            for member in COPIED {
                let Some(value) = entry.get_mut(member) else { continue };
                let texts: Vec<&mut Value> = match value {
                    Value::Array(list) => list.iter_mut().collect(),
                    Value::Object(table) => table.values_mut().collect(),
                    one => vec![one],
                };
                for text in texts {
                    let Some((better, said)) = text.as_str().and_then(fix) else { continue };
                    *text = better.into();
                    let entry = if several { format!(", entry {number}") } else { String::new() };
                    places.push(format!("Source {source:?}{entry}: {member} {said}."));
                }
            }
        }
    }
    if places.is_empty() { None } else { Some((delivery.with_sources(sources), places.join(" "))) }
}

pub(super) fn token_and_aes_key_swapped(delivery: &DiagnosisInput) -> Vec<Variant> {
    let swapped = delivery.texts("aes_key").into_iter().filter_map(|(mut entry, aes_key)| {
        let token = entry.get("token")?.as_str()?.to_owned();
        (is_aes_key(&token) && !is_aes_key(&aes_key)).then(|| {
            entry.insert("token".into(), aes_key.into());
            entry.insert("aes_key".into(), token.into());
            Finding::new(&causes::TOKEN_AES_KEY_SWAPPED, "").corrected(delivery.with_entry(entry))
        })
    });
    swapped.collect()
}

pub(super) fn aes_key_with_more_around_it(delivery: &DiagnosisInput) -> Vec<Variant> {
    let stripped = delivery.texts("aes_key").into_iter().filter_map(|(entry, text)| {
        let inner: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        (inner != text && is_aes_key(&inner)).then(|| {
            let count = text.chars().count();
            let detail = format!("It has {count} characters, of which 43 are letters and digits.");
            Finding::new(&causes::AES_KEY_LENGTH, detail)
                .corrected(delivery.with_member(&entry, "aes_key", inner))
        })
    });
    stripped.collect()
}

pub(super) fn kid_and_key_swapped(delivery: &DiagnosisInput) -> Vec<Variant> {
    let swapped = key_tables(delivery).into_iter().filter_map(|table| {
        let swap = |(kid, key): (&String, &Value)| {
            let key = key.as_str().filter(|key| is_psk(kid) && !is_psk(key))?;
            Some((key.to_owned(), Value::String(kid.clone())))
        };
        let table = table.iter().map(swap).collect::<Option<Map<_, _>>>()?;
        Some(Finding::new(&causes::PSK_SWAPPED, "").corrected(with_table(delivery, table)))
    });
    swapped.collect()
}

pub(super) fn pre_shared_key_in_another_encoding(delivery: &DiagnosisInput) -> Vec<Variant> {
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
    variants
}

/// A function starts with all of its sources, or not at all.
pub(super) fn another_source_is_broken(delivery: &DiagnosisInput) -> Vec<Variant> {
    let Err(Refusal::Start(error)) = delivery.attempt() else { return Vec::new() };
    let mut sources = delivery.sources(delivery.provider.name());
    sources.retain(|name, _| *name == delivery.source);
    let alone = delivery.with_sources(sources);
    if alone.progress() == Progress::NotStarted {
        return Vec::new();
    }
    vec![
        Finding::new(&causes::CREDENTIALS_INVALID, format!("{}: {error}.", delivery.provider.name()))
            .corrected(alone),
    ]
}
