//! The credentials JSON: the credential entries of every source.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{Reject, json::Object};

/// The credential entries of every source. Every source has at least one.
pub struct Sources<C>(HashMap<String, Vec<C>>);

/// What is wrong with a credentials JSON. No variant carries a value of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Not UTF-8.
    #[error("expected UTF-8")]
    NotUtf8,
    /// Not a JSON object.
    #[error(r#"expected a JSON object of sources, such as {{"default": {{...}}}}"#)]
    NotAnObject,
    /// No source at all.
    #[error(r#"expected at least one source, such as "default""#)]
    NoSource,
    /// Two sources of one name.
    #[error("source {0}: expected to appear only once")]
    SourceTwice(String),
    /// A source whose name cannot stand in a URL.
    #[error(
        "source {0:?}: expected a name of at most 64 letters, digits, `-`, `_`, `.` or `~`, since it stands in the URL"
    )]
    SourceName(String),
    /// A source without an entry.
    #[error("source {0:?}: expected at least one entry in the list")]
    NoEntry(String),
    /// An entry that cannot be used.
    #[error("source {name:?}{}: {error}", place(*.position))]
    Entry {
        /// The name of the source.
        name: String,
        /// The position of the entry, from 1; `None` if it is the only one.
        position: Option<usize>,
        /// What is wrong with it.
        error: FieldError,
    },
}

fn place(position: Option<usize>) -> String {
    position.map(|position| format!(", entry {position}")).unwrap_or_default()
}

/// What is wrong with an entry. Displays as `<field>: <reason>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The path of the field; `None` if the entry as a whole is at fault, for example because a field is missing.
    pub field: Option<String>,
    /// What was expected. It contains no value.
    pub reason: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for FieldError {}

/// One entry of a source's credentials.
pub trait FromEntry: Sized {
    /// Reads an entry, and rejects one that could never verify anything. `json` is an object without repeated names.
    fn from_entry(json: &str) -> Result<Self, FieldError>;
}

impl<T: DeserializeOwned> FromEntry for T {
    fn from_entry(json: &str) -> Result<Self, FieldError> {
        read(&mut serde_json::Deserializer::from_str(json))
    }
}

impl<C: FromEntry> Sources<C> {
    /// Parses `{"<source>": {…}}`. A list of entries in place of an entry serves a rotation.
    pub fn parse(json: &str) -> Result<Self, CredentialsError> {
        let object = Object::parse(json).map_err(|_| CredentialsError::NotAnObject)?;
        let members = object.members().map_err(|reject| match reject {
            Reject::Malformed { field, .. } => CredentialsError::SourceTwice(field.into_owned()),
            _ => CredentialsError::NotAnObject,
        })?;
        if members.is_empty() {
            return Err(CredentialsError::NoSource);
        }
        let sources = members.into_iter().map(|(name, value)| {
            if !is_source_name(&name) {
                return Err(CredentialsError::SourceName(name));
            }
            let entries = entries(&name, value)?;
            Ok((name, entries))
        });
        sources.collect::<Result<_, _>>().map(Self)
    }

    /// Parses credentials from bytes, which must be UTF-8.
    pub fn read(json: &[u8]) -> Result<Self, CredentialsError> {
        Self::parse(std::str::from_utf8(json).map_err(|_| CredentialsError::NotUtf8)?)
    }

    /// The entries of a source; `None` if it is not configured.
    pub fn get(&self, source: &str) -> Option<&[C]> {
        self.0.get(source).map(Vec::as_slice)
    }

    /// The names of all sources, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.0.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// True for 1 to 64 characters that need no escape in a URL.
fn is_source_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~'))
}

/// The entries of one source: a list, or a single one.
fn entries<C: FromEntry>(name: &str, value: &RawValue) -> Result<Vec<C>, CredentialsError> {
    // A text that begins like a list and is valid JSON is one.
    let list = serde_json::from_str::<Vec<&RawValue>>(value.get()).unwrap_or_else(|_| vec![value]);
    if list.is_empty() {
        return Err(CredentialsError::NoEntry(name.to_owned()));
    }
    let position = |position: usize| (list.len() > 1).then(|| position.saturating_add(1));
    let entries = list.iter().enumerate().map(|(index, json)| {
        entry(json.get()).map_err(|error| CredentialsError::Entry {
            name: name.to_owned(),
            position: position(index),
            error,
        })
    });
    entries.collect()
}

fn entry<C: FromEntry>(json: &str) -> Result<C, FieldError> {
    if !json.starts_with('{') {
        return Err(FieldError { field: None, reason: "expected a JSON object".into() });
    }
    unique(json, "")?;
    C::from_entry(json)
}

/// Checks that no field appears twice, at any depth: the last would silently win over the others.
fn unique(json: &str, path: &str) -> Result<(), FieldError> {
    let Ok(object) = Object::parse(json) else { return Ok(()) };
    let members = object.members().map_err(|reject| match reject {
        Reject::Malformed { field, expected } => {
            FieldError { field: Some(format!("{path}{field}")), reason: format!("expected {expected}") }
        }
        other => FieldError { field: None, reason: other.message().into_owned() },
    })?;
    members.iter().try_for_each(|(name, value)| unique(value.get(), &format!("{path}{name}.")))
}

/// Deserialises an entry or a part of it. The error names the field and what was expected, but never a value.
pub fn read<'de, T: Deserialize<'de>>(
    from: impl Deserializer<'de, Error = serde_json::Error>,
) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(from).map_err(|error| FieldError {
        field: Some(error.path().to_string()).filter(|path| path != "."),
        reason: without_value(&error.inner().to_string()),
    })
}

/// Drops the value from an error of serde, which in credentials may be a secret, and keeps what was expected.
fn without_value(error: &str) -> String {
    const TELL_VALUES: [&str; 4] = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    let (error, _place) = error.rsplit_once(" at line ").unwrap_or((error, ""));
    if !TELL_VALUES.iter().any(|start| error.starts_with(start)) {
        return error.to_owned();
    }
    match error.rsplit_once("expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "expected another type of value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Entry {
        secret: crate::Secret,
        #[serde(default)]
        mode: Option<Mode>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        One,
    }

    #[test]
    fn one_entry_or_a_list() {
        let sources =
            Sources::<Entry>::parse(r#"{"a":{"secret":"x"},"b":[{"secret":"y"},{"secret":"z"}]}"#).unwrap();
        assert_eq!(sources.names(), ["a", "b"]);
        assert_eq!(sources.get("a").unwrap().len(), 1);
        assert_eq!(sources.get("b").unwrap().len(), 2);
        assert!(sources.get("c").is_none());
    }

    #[test]
    fn an_error_in_an_entry_has_its_place_as_data() {
        for (json, name, position, field) in [
            (r#"{"a":{"secret":""}}"#, "a", None, Some("secret")),
            (r#"{"a":{"secret":"x"},"b":[{"secret":"y"},{"secret":""}]}"#, "b", Some(2), Some("secret")),
            (r#"{"a":{"secret":{"x":1,"x":2}}}"#, "a", None, Some("secret.x")),
            (r#"{"a":[{"secret":"x"},{}]}"#, "a", Some(2), None),
            (r#"{"a":5}"#, "a", None, None),
        ] {
            let Err(CredentialsError::Entry { name: found, position: at, error }) =
                Sources::<Entry>::parse(json)
            else {
                panic!("{json}")
            };
            assert_eq!((found.as_str(), at, error.field.as_deref()), (name, position, field), "{json}");
        }
    }

    #[test]
    fn errors_name_source_and_member_and_no_value() {
        for (json, expected) in [
            ("", r#"expected a JSON object of sources, such as {"default": {...}}"#),
            ("[]", r#"expected a JSON object of sources, such as {"default": {...}}"#),
            ("{}", r#"expected at least one source, such as "default""#),
            (r#"{"a":{"secret":"x"},"a":{"secret":"x"}}"#, "source a: expected to appear only once"),
            (
                r#"{"a b":{"secret":"x"}}"#,
                r#"source "a b": expected a name of at most 64 letters, digits, `-`, `_`, `.` or `~`, since it stands in the URL"#,
            ),
            (r#"{"a":[]}"#, r#"source "a": expected at least one entry in the list"#),
            (r#"{"a":"hunter2"}"#, r#"source "a": expected a JSON object"#),
            (r#"{"a":{}}"#, r#"source "a": missing field `secret`"#),
            (r#"{"a":{"secret":""}}"#, r#"source "a": secret: expected a secret that is not empty"#),
            (
                r#"{"a":[{"secret":"x"},{"secret":" hunter2"}]}"#,
                r#"source "a", entry 2: secret: expected a secret without whitespace around it"#,
            ),
            (r#"{"a":{"secret":["hunter2, expected b"]}}"#, r#"source "a": secret: expected a string"#),
            (r#"{"a":{"secret":"x","mode":"hunter2"}}"#, r#"source "a": mode: expected `one`"#),
            (r#"{"a":{"secret":"x","secret":"y"}}"#, r#"source "a": secret: expected to appear only once"#),
            (r#"{"a":{"secret":{"x":1,"x":2}}}"#, r#"source "a": secret.x: expected to appear only once"#),
            (
                r#"{"a":{"secret":"x","secrt":"hunter2"}}"#,
                r#"source "a": secrt: unknown field `secrt`, expected `secret` or `mode`"#,
            ),
        ] {
            let error = Sources::<Entry>::parse(json).err().unwrap().to_string();
            assert_eq!(error, expected, "{json}");
            assert!(!error.contains("hunter2"));
        }
    }
}
