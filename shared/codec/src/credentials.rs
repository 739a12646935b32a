//! The credentials JSON: the credential entries of every source.

use std::{collections::HashMap, fmt};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::json::Object;

/// The credential entries of every source. Every source has at least one.
pub struct Sources<C>(HashMap<String, Vec<C>>);

/// What is wrong with a credentials JSON: the source, the field and what was expected, but never a value.
#[derive(Debug, PartialEq, Eq)]
pub struct CredentialsError(String);

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CredentialsError {}

impl<C: DeserializeOwned> Sources<C> {
    /// Parses `{"<source>": {…}}`. A list of entries in place of an entry serves a rotation.
    pub fn parse(json: &str) -> Result<Self, CredentialsError> {
        let error = |text: String| CredentialsError(text);
        let object = Object::parse(json)
            .map_err(|_| error(r#"expected a JSON object of sources, such as {"default": {...}}"#.into()))?;
        let members = object.members().map_err(|twice| error(format!("source {}", twice.message())))?;
        if members.is_empty() {
            return Err(error(r#"expected at least one source, such as "default""#.into()));
        }
        let mut sources = HashMap::new();
        for (name, value) in members {
            if !is_source_name(&name) {
                return Err(error(format!(
                    "source {name:?}: expected a name of at most 64 letters, digits, `-`, `_`, `.` or `~`, since it stands in the URL"
                )));
            }
            let entries: Vec<&serde_json::value::RawValue> = if value.get().starts_with('[') {
                serde_json::from_str(value.get())
                    .map_err(|_| error(format!("source {name:?}: expected a list")))?
            } else {
                vec![value]
            };
            if entries.is_empty() {
                return Err(error(format!("source {name:?}: expected at least one entry in the list")));
            }
            let keys = entries.iter().enumerate().map(|(position, entry)| {
                self::entry(entry.get()).map_err(|text| match entries.len() {
                    1 => error(format!("source {name:?}: {text}")),
                    _ => error(format!("source {name:?}, entry {}: {text}", position.saturating_add(1))),
                })
            });
            sources.insert(name.clone(), keys.collect::<Result<_, _>>()?);
        }
        Ok(Self(sources))
    }

    /// Parses credentials from bytes, which must be UTF-8.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let json = std::str::from_utf8(json).map_err(|_| "expected UTF-8".to_owned())?;
        Self::parse(json).map_err(|error| error.to_string())
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

fn entry<C: DeserializeOwned>(json: &str) -> Result<C, String> {
    if !json.starts_with('{') {
        return Err("expected a JSON object".into());
    }
    unique(json, "")?;
    read(&mut serde_json::Deserializer::from_str(json))
}

/// Checks that no field appears twice, at any depth: the last would silently replace the others.
fn unique(json: &str, path: &str) -> Result<(), String> {
    let Ok(object) = Object::parse(json) else { return Ok(()) };
    for (name, value) in object.members().map_err(|twice| format!("{path}{}", twice.message()))? {
        unique(value.get(), &format!("{path}{name}."))?;
    }
    Ok(())
}

/// Deserialises an entry or a part of it. The error names the field and what was expected, but never a value.
pub fn read<'de, T: Deserialize<'de>>(
    from: impl Deserializer<'de, Error = serde_json::Error>,
) -> Result<T, String> {
    serde_path_to_error::deserialize(from).map_err(|error| {
        let text = without_value(&error.inner().to_string());
        match error.path().to_string().as_str() {
            "." => text,
            path => format!("{path}: {text}"),
        }
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
