//! Keys in the credentials, and how kids are shown.

use letterbox_codec::{Secret, jwe::Psk, sealed};
use serde_json::{Map, Value};

use super::diagnosis_input::DiagnosisInput;

/// True if the text can be an `aes_key`.
pub fn is_aes_key(text: &str) -> bool {
    Secret::new(text.to_owned()).is_ok_and(|text| sealed::Key::new(&text).is_ok())
}

/// True if the text can be a pre-shared key.
pub fn is_psk(text: &str) -> bool {
    Secret::new(text.to_owned()).is_ok_and(|text| Psk::new(&text).is_ok())
}

/// The kid in quotes, or a description if it could be a key: the two are easily swapped, and a key must not be shown.
pub fn kid_for_display(kid: &str) -> String {
    if is_psk(kid) { "that looks like a key".to_owned() } else { format!("{kid:?}") }
}

/// The source's tables of pre-shared keys.
pub fn key_tables(delivery: &DiagnosisInput) -> Vec<Map<String, Value>> {
    let table = |entry: Map<String, Value>| entry.get("keys")?.as_object().cloned();
    delivery.entries().into_iter().filter_map(table).collect()
}

/// A delivery whose only entry is one table of pre-shared keys.
pub fn with_table(delivery: &DiagnosisInput, table: Map<String, Value>) -> DiagnosisInput {
    delivery.with_entry([("keys".to_owned(), Value::Object(table))].into_iter().collect())
}
