//! Keys in the credentials, and how kids are shown.

use letterbox_codec::{Secret, jwe::Psk, sealed};
use serde_json::{Map, Value};

use super::diagnosis_input::Delivery;

/// True if the text can be an `aes_key`.
pub fn is_aes_key(text: &str) -> bool {
    Secret::new(text.to_owned()).is_ok_and(|text| sealed::Key::new(&text).is_ok())
}

/// True if the text can be a pre-shared key.
pub fn is_psk(text: &str) -> bool {
    Secret::new(text.to_owned()).is_ok_and(|text| Psk::new(&text).is_ok())
}

/// A kid in words. Kids and keys are easily swapped: what could be a key is not told.
pub fn told(kid: &str) -> String {
    if is_psk(kid) { "that looks like a key".to_owned() } else { format!("{kid:?}") }
}

/// The source's tables of pre-shared keys.
pub fn tables(delivery: &Delivery) -> Vec<Map<String, Value>> {
    let table = |entry: Map<String, Value>| entry.get("keys")?.as_object().cloned();
    delivery.entries().into_iter().filter_map(table).collect()
}

/// A delivery whose only entry is one table of pre-shared keys.
pub fn with_table(delivery: &Delivery, table: Map<String, Value>) -> Delivery {
    delivery.with_entry([("keys".to_owned(), Value::Object(table))].into_iter().collect())
}
