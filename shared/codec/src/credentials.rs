//! The credentials JSON: the credential entries of every source.

use std::{collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, SeqAccess, Visitor},
};
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
    /// Not JSON: where, and what is wrong there.
    #[error("{0}")]
    Syntax(String),
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
    /// The entry that the whole object is cannot be used.
    #[error(r#"source "default" (the object has no other source): {0}"#)]
    Flat(FieldError),
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
    /// Parses `{"<source>": {…}}`. A list of entries in place of an entry serves a rotation. An object without objects in it
    /// is the entry of the source `default`: consoles for keys and values write it so. A byte order mark is skipped.
    pub fn parse(json: &str) -> Result<Self, CredentialsError> {
        let json = without_byte_order_mark(json);
        let object = Object::parse(json).map_err(|_| {
            let syntax = serde_json::from_str::<&RawValue>(json).err().filter(|_| !json.trim().is_empty());
            syntax.map_or(CredentialsError::NotAnObject, |found| {
                CredentialsError::Syntax(syntax_error(json, &found))
            })
        })?;
        let members = object.members().map_err(|reject| match reject {
            Reject::Malformed { field, .. } => CredentialsError::SourceTwice(field.into_owned()),
            _ => CredentialsError::NotAnObject,
        })?;
        if members.is_empty() {
            return Err(CredentialsError::NoSource);
        }
        if is_entry(&members) {
            let key = entry(json.trim_ascii()).map_err(CredentialsError::Flat)?;
            return Ok(Self(HashMap::from([("default".to_owned(), vec![key])])));
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

/// The text behind a byte order mark.
pub fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// True for the members of one entry: at least one value is no list and no object, and no list has an object in it.
fn is_entry(members: &[(String, &RawValue)]) -> bool {
    let holds_object = |value: &RawValue| match value.get().as_bytes().first() {
        Some(b'{') => true,
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(value.get())
            .is_ok_and(|list| list.iter().any(|one| one.get().starts_with('{'))),
        _ => false,
    };
    let is_scalar = |value: &RawValue| !value.get().starts_with(['[', '{']);
    members.iter().any(|(_, value)| is_scalar(value)) && !members.iter().any(|(_, value)| holds_object(value))
}

/// Quotation marks that word processors put in place of `"`.
const TYPOGRAPHIC: [char; 10] = ['“', '”', '„', '‟', '‘', '’', '«', '»', '＂', '″'];

/// Where a JSON text is wrong, and what is wrong there; no part of the text but the wrong character.
pub fn syntax_error(json: &str, error: &serde_json::Error) -> String {
    // The column counts bytes, and the byte there is the first that does not fit.
    let before = json.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    let at = before.saturating_add(error.column().saturating_sub(1)).min(json.len());
    let found = (0..4).find_map(|back| json.get(at.checked_sub(back)?..)).unwrap_or_default();
    let start = json.get(..json.len().saturating_sub(found.len())).unwrap_or_default();
    let place = |before: &str| {
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
        format!("line {line}, column {column}")
    };
    if let Some(quote) = found.chars().next().filter(|character| TYPOGRAPHIC.contains(character)) {
        return format!("{}: expected a straight quotation mark (\"), found {quote}", place(start));
    }
    if let Some(before) = start.trim_end().strip_suffix(',').filter(|_| found.starts_with(['}', ']'])) {
        return format!("{}: expected no comma after the last member", place(before));
    }
    let text = error.to_string();
    let expected = text.rsplit_once(" at line ").map_or(text.as_str(), |(expected, _)| expected);
    format!("{}: not JSON: {expected}", place(start))
}

/// True for 1 to 64 characters that need no escape in a URL.
pub fn is_source_name(name: &str) -> bool {
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
    unique(json)?;
    C::from_entry(json)
}

/// Checks that no field of an entry appears twice, at any depth: the last would silently replace the others.
pub fn unique(json: &str) -> Result<(), FieldError> {
    unique_below(json, "")
}

fn unique_below(json: &str, path: &str) -> Result<(), FieldError> {
    let Ok(object) = Object::parse(json) else { return Ok(()) };
    let members = object.members().map_err(|reject| match reject {
        Reject::Malformed { field, expected } => {
            FieldError { field: Some(format!("{path}{field}")), reason: format!("expected {expected}") }
        }
        other => FieldError { field: None, reason: other.message().into_owned() },
    })?;
    members.iter().try_for_each(|(name, value)| unique_below(value.get(), &format!("{path}{name}.")))
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

/// Deserialises a string, or a list of strings that is not empty.
pub fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMore;

    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string, or a list of strings that is not empty")
        }

        fn visit_str<E: Error>(self, one: &str) -> Result<Vec<String>, E> {
            Ok(vec![one.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            if texts.is_empty() { Err(A::Error::invalid_length(0, &self)) } else { Ok(texts) }
        }
    }

    deserializer.deserialize_any(OneOrMore)
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

    #[test]
    fn a_flat_object_is_the_source_default() {
        let flat = Sources::<Entry>::parse("\u{feff} {\"secret\":\"x\",\"mode\":\"one\"}\n").unwrap();
        assert_eq!((flat.names(), flat.get("default").unwrap().len()), (vec!["default"], 1));
        for (json, expected) in [
            (r#"{"secret":""}"#, "secret: expected a secret that is not empty"),
            (r#"{"secret":"hunter2","secret":"hunter2"}"#, "source secret: expected to appear only once"),
            (r#"{"secrt":"hunter2"}"#, "secrt: unknown field `secrt`, expected `secret` or `mode`"),
            (r#"{"secret":"hunter2","mode":["hunter2"]}"#, "mode: "),
            // Not flat: a source's entry is an object.
            (
                r#"{"secret":"hunter2","default":{"secret":"x"}}"#,
                r#"source "secret": expected a JSON object"#,
            ),
            (r#"{"secret":"hunter2","list":[{}]}"#, r#"source "secret": expected a JSON object"#),
        ] {
            let error = Sources::<Entry>::parse(json).err().unwrap().to_string();
            assert!(error.contains(expected), "{json}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_syntax_error_names_its_place_and_what_is_wrong() {
        for (json, expected) in [
            (
                "{\n  \"a\": {\"secret\": \"hunter2\"},\n}",
                "line 2, column 29: expected no comma after the last member",
            ),
            (
                "{\"a\": [{\"secret\": \"hunter2\"},\n ]}",
                "line 1, column 29: expected no comma after the last member",
            ),
            (
                "{\n  “a”: {\"secret\": \"hunter2\"}}",
                "line 2, column 3: expected a straight quotation mark (\"), found “",
            ),
            (
                "{\"a\": {\"中\": ’hunter2’}}",
                "line 1, column 13: expected a straight quotation mark (\"), found ’",
            ),
            ("{\"a\": {\"secret\": \"hunter2\"", "line 1, column 26: not JSON: EOF while parsing an object"),
            ("{'a': {}}", "line 1, column 2: not JSON: key must be a string"),
            ("{\"a\": hunter2}", "line 1, column 7: not JSON: expected value"),
            ("{\"a\": {}} x", "line 1, column 11: not JSON: trailing characters"),
        ] {
            let error = Sources::<Entry>::parse(json).err().unwrap().to_string();
            assert_eq!(error, expected, "{json}");
        }
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Entry {
        secret: crate::Secret,
        #[serde(default)]
        mode: Option<Mode>,
    }

    #[test]
    fn one_string_is_a_list_of_one() {
        let list = |json: &str| one_or_more(&mut serde_json::Deserializer::from_str(json));
        let expected = "a string, or a list of strings that is not empty";
        for (json, list_of) in
            [(r#""a""#, &["a"][..]), (r#"["a"]"#, &["a"]), (r#"["a","","a"]"#, &["a", "", "a"])]
        {
            assert_eq!(list(json).unwrap(), list_of, "{json}");
        }
        for json in ["[]", "5", "null", "{}"] {
            assert!(list(json).unwrap_err().to_string().contains(expected), "{json}");
        }
        for json in ["[5]", r#"["a",null]"#] {
            assert!(list(json).unwrap_err().to_string().contains("expected a string"), "{json}");
        }
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
            (r#"{"a":{"secret":"x"},"b":"hunter2"}"#, r#"source "b": expected a JSON object"#),
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
