//! What a preset lacks to be tried: its entry in the demo credentials, and a sample. Both come from its proof.
//!
//! What is there stays as it is, so that either can be replaced by hand.

use std::path::Path;

use letterbox_signed::sender::{SENDERS, Sender};
use serde_json::{Value, json};

use super::{Generated, read};
use crate::root;

const CREDENTIALS: &str = "events/signed/credentials.json";
const SAMPLES: &str = "functions/signed/samples";

/// The demo credentials, and the samples that are generated.
pub fn files() -> Result<Vec<Generated>, String> {
    let text = with_entries(&read(Path::new(CREDENTIALS))?, SENDERS)?;
    let mut files = vec![Generated { path: CREDENTIALS.to_owned(), text }];
    let is_missing = |sender: &&Sender| !root().join(SAMPLES).join(sender.name).is_dir();
    files.extend(SENDERS.iter().filter(is_missing).map(sample));
    Ok(files)
}

/// The credentials with an entry for each sender that has none, at the end.
fn with_entries(text: &str, senders: &[Sender]) -> Result<String, String> {
    let entries: Value = serde_json::from_str(text).map_err(|error| format!("{CREDENTIALS}: {error}"))?;
    let mut all = text.trim_end().strip_suffix('}').ok_or("expected an object")?.trim_end().to_owned();
    for sender in senders.iter().filter(|sender| entries.get(sender.name).is_none()) {
        let (name, proof) = (json!(sender.name), &sender.proof);
        let (field, key) = (proof.key_field, json!(proof.key));
        all += &format!(",\n  {name}: {{ \"preset\": {name}, \"{field}\": {key} }}");
    }
    Ok(all + "\n}\n")
}

/// The body of the proof, under its event's type.
fn sample(sender: &Sender) -> Generated {
    let name = sender.proof.event.as_ref().map_or("event", |event| event.event_type);
    let name =
        name.replace(|character: char| !character.is_ascii_alphanumeric() && !".-_".contains(character), "_");
    let text = format!("{}\n", sender.proof.body.trim_end());
    Generated { path: format!("{SAMPLES}/{}/{name}.json", sender.name), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_entry_is_added() {
        let senders = &SENDERS[..2];
        let (one, other) = (&senders[0], &senders[1]);
        let text = format!("{{\n  \"{}\": {{ \"preset\": \"mine\" }}\n}}\n", one.name);
        let added = with_entries(&text, senders).unwrap();
        let entries: Value = serde_json::from_str(&added).unwrap();
        assert_eq!(entries[one.name], json!({ "preset": "mine" }));
        let expected = json!({ "preset": other.name, other.proof.key_field: other.proof.key });
        assert_eq!(entries[other.name], expected);
        assert_eq!(with_entries(&added, senders).unwrap(), added);
    }

    #[test]
    fn a_sample_is_the_body_of_the_proof() {
        let sender = SENDERS.iter().find(|sender| sender.name == "pagerduty").unwrap();
        let sample = sample(sender);
        assert_eq!(sample.path, "functions/signed/samples/pagerduty/incident.priority_updated.json");
        assert_eq!(sample.text.trim_end(), sender.proof.body);
    }
}
