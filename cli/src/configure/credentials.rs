//! The credentials of one provider, from source to its entries: an entry goes in without losing another.

use std::collections::{BTreeMap, BTreeSet};

use letterbox_codec::credentials::{CredentialsError, Sources};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Entry, answers::PRESET};

/// The credentials of one provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Credentials(BTreeMap<String, Vec<Entry>>);

/// What to do with an entry that has other values than the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Previous {
    /// It stays, after the new one: deliveries under either are accepted.
    Keep,
    /// It is removed: deliveries under it are refused.
    Remove,
}

/// What became of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It already has such an entry.
    None,
    /// It is new.
    Added,
    /// Its entry has these further fields.
    Completed(Vec<String>),
    /// The new entry is its first, and the previous ones stay.
    Rotated,
    /// The new entry is its only one.
    Replaced,
}

/// A source has an entry with other values in these fields, and nothing says what to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict(pub Vec<String>);

impl Credentials {
    /// Parses a credentials JSON, without checking its entries.
    pub fn parse(json: &str) -> Result<Self, CredentialsError> {
        let sources = Sources::<Entry>::parse(json)?;
        let entries = |name: &str| sources.get(name).unwrap_or_default().to_vec();
        Ok(Self(sources.names().into_iter().map(|name| (name.to_owned(), entries(name))).collect()))
    }

    /// The names of the sources, sorted.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The entries of a source; none if there is no such source.
    pub fn entries(&self, source: &str) -> &[Entry] {
        self.0.get(source).map(Vec::as_slice).unwrap_or_default()
    }

    /// The credentials JSON.
    pub fn to_json(&self) -> Zeroizing<String> {
        let source = |entries: &Vec<Entry>| match &entries[..] {
            [entry] => Value::Object(entry.clone()),
            _ => entries.iter().cloned().map(Value::Object).collect(),
        };
        let sources: Map<_, _> = self.0.iter().map(|(name, list)| (name.clone(), source(list))).collect();
        Zeroizing::new(Value::Object(sources).to_string())
    }

    /// Puts an entry into a source. Fields of the source's entry that the new one does not have stay.
    pub fn put(
        &mut self,
        source: &str,
        entry: &Entry,
        previous: Option<Previous>,
    ) -> Result<Change, Conflict> {
        let entries = self.0.entry(source.to_owned()).or_default();
        if entries.is_empty() {
            entries.push(entry.clone());
            return Ok(Change::Added);
        }
        let overlaid: Vec<_> = entries.iter().map(|existing| overlay(existing, entry)).collect();
        if overlaid.iter().any(Overlaid::is_same) {
            return Ok(Change::None);
        }
        let completed = overlaid.iter().position(|overlaid| overlaid.changed.is_empty());
        if let Some((existing, overlaid)) =
            completed.and_then(|position| Some((entries.get_mut(position)?, overlaid.get(position)?)))
        {
            existing.clone_from(&overlaid.entry);
            return Ok(Change::Completed(overlaid.added.clone()));
        }
        let first = overlaid.into_iter().next();
        let Overlaid { entry, changed, .. } = first.unwrap_or_else(|| overlay(&Entry::new(), entry));
        match previous {
            None => Err(Conflict(changed)),
            Some(Previous::Keep) => {
                entries.insert(0, entry);
                Ok(Change::Rotated)
            }
            Some(Previous::Remove) => {
                *entries = vec![entry];
                Ok(Change::Replaced)
            }
        }
    }

    /// Puts a list of entries into a source, as [`Self::put`] does one. The list stays in its order.
    pub fn put_all(
        &mut self,
        source: &str,
        list: &[Entry],
        previous: Option<Previous>,
    ) -> Result<Change, Conflict> {
        if let [entry] = list {
            return self.put(source, entry, previous);
        }
        let entries = self.0.entry(source.to_owned()).or_default();
        if entries.is_empty() {
            *entries = list.to_vec();
            return Ok(Change::Added);
        }
        let contains = |all: &[Entry], entry: &Entry| {
            all.iter().map(|existing| overlay(existing, entry)).any(|overlaid| overlaid.is_same())
        };
        if list.iter().all(|entry| contains(entries, entry)) {
            return Ok(Change::None);
        }
        match previous {
            None => Err(Conflict(
                list.iter().flat_map(Entry::keys).cloned().collect::<BTreeSet<_>>().into_iter().collect(),
            )),
            Some(Previous::Keep) => {
                let kept: Vec<_> = entries.iter().filter(|entry| !contains(list, entry)).cloned().collect();
                *entries = list.iter().cloned().chain(kept).collect();
                Ok(Change::Rotated)
            }
            Some(Previous::Remove) => {
                *entries = list.to_vec();
                Ok(Change::Replaced)
            }
        }
    }
}

/// An entry with the values of another over it.
struct Overlaid {
    entry: Entry,
    /// The fields of the first that have another value now; `keys.<name>` in an object.
    changed: Vec<String>,
    /// The fields that it did not have.
    added: Vec<String>,
}

impl Overlaid {
    fn is_same(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty()
    }
}

fn overlay(existing: &Entry, new: &Entry) -> Overlaid {
    let mut overlaid = Overlaid { entry: existing.clone(), changed: Vec::new(), added: Vec::new() };
    // Under another preset, the existing fields mean something else.
    if existing.get(PRESET) != new.get(PRESET) {
        overlaid.changed = new.keys().cloned().collect();
        overlaid.changed.sort_unstable();
        overlaid.entry.clone_from(new);
        return overlaid;
    }
    for (name, value) in new {
        match (overlaid.entry.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(wanted)) => {
                for (key, value) in wanted {
                    let field = format!("{name}.{key}");
                    match inner.insert(key.clone(), value.clone()) {
                        None => overlaid.added.push(field),
                        Some(previous) if previous != *value => overlaid.changed.push(field),
                        Some(_) => {}
                    }
                }
            }
            (Some(present), value) if same(present, value) => {}
            (Some(present), value) => {
                *present = value.clone();
                overlaid.changed.push(name.clone());
            }
            (None, value) => {
                overlaid.entry.insert(name.clone(), value.clone());
                overlaid.added.push(name.clone());
            }
        }
    }
    overlaid
}

/// A string and a list of only that string mean the same.
fn same(one: &Value, other: &Value) -> bool {
    let list = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        single => vec![single.clone()],
    };
    list(one) == list(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn put(
        existing: &Value,
        source: &str,
        entry: &Value,
        previous: Option<Previous>,
    ) -> Result<(Change, Value), Vec<String>> {
        let text = existing.to_string();
        let mut credentials =
            if text == "{}" { Credentials::default() } else { Credentials::parse(&text).unwrap() };
        let change = credentials.put(source, entry.as_object().unwrap(), previous);
        let change = change.map_err(|Conflict(fields)| fields)?;
        Ok((change, serde_json::from_str(&credentials.to_json()).unwrap()))
    }

    #[test]
    fn an_entry_goes_in_without_losing_another() {
        let secret = |text: &str| json!({ "secret": text });
        for (existing, source, entry, expected) in [
            (json!({}), "default", secret("a"), (Change::Added, json!({"default": {"secret": "a"}}))),
            (secret("a"), "default", secret("a"), (Change::None, json!({"default": {"secret": "a"}}))),
            (
                secret("a"),
                "acme",
                secret("b"),
                (Change::Added, json!({"default": {"secret": "a"}, "acme": {"secret": "b"}})),
            ),
            (
                json!({"default": [{"secret": "b"}, {"secret": "a"}], "acme": {"secret": "c"}}),
                "default",
                secret("a"),
                (
                    Change::None,
                    json!({"default": [{"secret": "b"}, {"secret": "a"}], "acme": {"secret": "c"}}),
                ),
            ),
            (
                json!({"default": {"token": "t", "owner_key": ["x"], "tolerance": 300}}),
                "default",
                json!({"token": "t", "owner_key": "x"}),
                (Change::None, json!({"default": {"token": "t", "owner_key": ["x"], "tolerance": 300}})),
            ),
            (
                json!({"default": {"verification_token": "t"}}),
                "default",
                json!({"verification_token": "t", "encrypt_key": "k"}),
                (
                    Change::Completed(vec!["encrypt_key".to_owned()]),
                    json!({"default": {"verification_token": "t", "encrypt_key": "k"}}),
                ),
            ),
            (
                json!({"default": {"keys": {"0": "a"}}}),
                "default",
                json!({"keys": {"1": "b"}}),
                (
                    Change::Completed(vec!["keys.1".to_owned()]),
                    json!({"default": {"keys": {"0": "a", "1": "b"}}}),
                ),
            ),
        ] {
            assert_eq!(put(&existing, source, &entry, None), Ok(expected), "{existing} {entry}");
        }
    }

    #[test]
    fn a_list_goes_in_as_a_whole() {
        let of = |list: &[&str]| -> Vec<Entry> {
            list.iter().map(|text| json!({ "secret": text }).as_object().unwrap().clone()).collect()
        };
        let keep = Some(Previous::Keep);
        for (existing, list, previous, expected) in [
            (&[][..], &["b", "a"][..], None, Ok((Change::Added, &["b", "a"][..]))),
            (&["b", "a"], &["a", "b"], None, Ok((Change::None, &["b", "a"]))),
            (&["a"], &["b", "a"], None, Err(Conflict(vec!["secret".to_owned()]))),
            (&["a", "z"], &["b", "a"], keep, Ok((Change::Rotated, &["b", "a", "z"]))),
            (&["z"], &["b", "a"], Some(Previous::Remove), Ok((Change::Replaced, &["b", "a"]))),
        ] {
            let mut credentials = Credentials::default();
            if !existing.is_empty() {
                credentials.put_all("default", &of(existing), None).unwrap();
            }
            let change = credentials.put_all("default", &of(list), previous);
            assert_eq!(change.clone(), expected.clone().map(|(change, _)| change), "{existing:?} {list:?}");
            if let Ok((_, entries)) = expected {
                assert_eq!(credentials.entries("default"), of(entries));
            }
        }
    }

    #[test]
    fn another_value_is_a_conflict_until_somebody_decides() {
        let new = json!({"secret": "new"});
        for (existing, entry, fields, kept, replaced) in [
            (
                json!({"secret": "old", "tolerance": 60}),
                new.clone(),
                vec!["secret"],
                json!([{"secret": "new", "tolerance": 60}, {"secret": "old", "tolerance": 60}]),
                json!({"secret": "new", "tolerance": 60}),
            ),
            (
                json!({"default": [{"secret": "old"}, {"secret": "older"}]}),
                new,
                vec!["secret"],
                json!([{"secret": "new"}, {"secret": "old"}, {"secret": "older"}]),
                json!({"secret": "new"}),
            ),
            (
                json!({"default": {"keys": {"0": "a", "1": "b"}}}),
                json!({"keys": {"0": "c"}}),
                vec!["keys.0"],
                json!([{"keys": {"0": "c", "1": "b"}}, {"keys": {"0": "a", "1": "b"}}]),
                json!({"keys": {"0": "c", "1": "b"}}),
            ),
            (
                json!({"secret": "a", "preset": "stripe", "tolerance": 60}),
                json!({"secret": "a", "preset": "paddle"}),
                vec!["preset", "secret"],
                json!([{"secret": "a", "preset": "paddle"}, {"secret": "a", "preset": "stripe", "tolerance": 60}]),
                json!({"secret": "a", "preset": "paddle"}),
            ),
        ] {
            let fields: Vec<_> = fields.into_iter().map(str::to_owned).collect();
            assert_eq!(put(&existing, "default", &entry, None), Err(fields), "{existing}");
            assert_eq!(
                put(&existing, "default", &entry, Some(Previous::Keep)),
                Ok((Change::Rotated, json!({ "default": kept }))),
            );
            assert_eq!(
                put(&existing, "default", &entry, Some(Previous::Remove)),
                Ok((Change::Replaced, json!({ "default": replaced }))),
            );
        }
    }
}
