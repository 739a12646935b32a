//! Bounded reading of JSON that stays verbatim.
//!
//! A payload goes on the queue exactly as the platform wrote it: same digits, same key order, same escapes. So it
//! is never turned into a tree and back; single members are looked up in the raw text.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::Reject;

/// The longest text that may become part of an event's envelope (type, id, subject, ...), in bytes.
pub const LONGEST_LABEL: usize = 256;

/// A JSON object, checked whole (syntax, and nesting of at most 127), its members still raw.
#[derive(Debug)]
pub struct Object<'a>(&'a RawValue);

impl<'a> Object<'a> {
    /// Checks the whole text; [`Reject::InvalidJson`] if it is anything but one JSON object.
    pub fn parse(text: &'a str) -> Result<Self, Reject> {
        // serde_json bounds the nesting of values that are visited, but not of those that are skipped, and a raw
        // value is skipped: so visit everything once. A consumer's parser could not read deeper either.
        let _: Visited = serde_json::from_str(text).map_err(|_| Reject::InvalidJson)?;
        let raw: &RawValue = serde_json::from_str(text).map_err(|_| Reject::InvalidJson)?;
        if raw.get().starts_with('{') { Ok(Self(raw)) } else { Err(Reject::InvalidJson) }
    }

    /// The whole object, as it was written.
    pub fn raw(&self) -> &'a RawValue {
        self.0
    }

    /// The raw value of one member, `None` where it is absent or null. `path` may lead into inner objects
    /// (`repository.full_name`); a member whose own name holds the dots comes first.
    /// A member that comes twice is ambiguous, and refused.
    pub fn get(&self, path: &str) -> Result<Option<&'a RawValue>, Reject> {
        let found = match (self.member(path)?, path.split_once('.')) {
            (Some(value), _) => Some(value),
            (None, Some((outer, rest))) => match self.member(outer)? {
                Some(inner) if inner.get().starts_with('{') => Self(inner).get(rest)?,
                _ => None,
            },
            (None, None) => None,
        };
        Ok(found.filter(|value| value.get() != "null"))
    }

    /// Every member in its order; a name that comes twice is refused.
    pub fn members(&self) -> Result<Vec<(String, &'a RawValue)>, Reject> {
        let Members(members) = serde_json::from_str(self.0.get()).map_err(|_| Reject::InvalidJson)?;
        let mut names = std::collections::HashSet::new();
        match members.iter().find(|(name, _)| !names.insert(name.as_str())) {
            Some((twice, _)) => Err(Reject::malformed(twice.clone(), "to be there only once")),
            None => Ok(members),
        }
    }

    fn member(&self, name: &str) -> Result<Option<&'a RawValue>, Reject> {
        let mut json = serde_json::Deserializer::from_str(self.0.get());
        match Member(name).deserialize(&mut json) {
            Ok(value) => Ok(value),
            Err(_) => Err(Reject::malformed(name.to_owned(), "to be there only once")),
        }
    }

    /// A short text: the member's text, or a number's digits. `None` where it is absent, null, empty, or longer than
    /// [`LONGEST_LABEL`].
    pub fn label(&self, path: &str) -> Result<Option<Cow<'a, str>>, Reject> {
        let Some(value) = self.get(path)? else { return Ok(None) };
        let label = match value.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str::<Text>(value.get()).map(|Text(text)| text).ok(),
            Some(b'-' | b'0'..=b'9') => Some(Cow::Borrowed(value.get())),
            _ => None,
        };
        match label {
            Some(label) => Ok(Some(label).filter(|label| (1..=LONGEST_LABEL).contains(&label.len()))),
            None => Err(Reject::malformed(path.to_owned(), "a text")),
        }
    }

    /// A [`label`](Self::label) that must be there.
    pub fn require(&self, path: &str) -> Result<Cow<'a, str>, Reject> {
        match self.label(path)? {
            Some(label) => Ok(label),
            None if self.get(path)?.is_some() => {
                Err(Reject::malformed(path.to_owned(), "1 to 256 bytes of text"))
            }
            None => Err(Reject::missing(path.to_owned())),
        }
    }

    /// The first of several members that is there as a [`label`](Self::label).
    pub fn first_label(&self, paths: &[&str]) -> Result<Option<Cow<'a, str>>, Reject> {
        for path in paths {
            if let Some(label) = self.label(path)? {
                return Ok(Some(label));
            }
        }
        Ok(None)
    }
}

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Picks one member out of an object; an error means that it came twice.
struct Member<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Text(name)) = map.next_key()? {
            if name != self.0 {
                map.next_value::<IgnoredAny>()?;
            } else if found.replace(map.next_value()?).is_some() {
                return Err(serde::de::Error::custom("duplicate member"));
            }
        }
        Ok(found)
    }
}

/// All members of an object.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(self)
    }
}

/// A value that was visited to its depths and dropped.
struct Visited;

impl<'de> Deserialize<'de> for Visited {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Visited {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_objects_of_bounded_depth_are_read() {
        let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        let arrays = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        for (text, good) in [
            (r#"{"a":1}"#, true),
            (" \n{} ", true),
            ("", false),
            ("[]", false),
            ("\"{}\"", false),
            ("{", false),
            (r#"{"a":1}{"#, false),
            (r#"{"a":01}"#, false),
            (r#"{"a":"\ud800"}"#, false),
            ("\u{feff}{}", false),
            (&nested(127), true),
            (&nested(128), false),
            (&nested(100_000), false),
            (&arrays, false),
        ] {
            assert_eq!(Object::parse(text).is_ok(), good, "{}", text.get(..40).unwrap_or(text));
        }
    }

    #[test]
    fn members_are_found_by_name_or_path_and_stay_verbatim() {
        let object =
            Object::parse(r#"{"n":1.50e3,"t":"\u4e2d","o":{"x":{"y":"z"}},"a.b":"c","nil":null,"big":[1]}"#)
                .unwrap();
        for (path, expected) in [
            ("n", Some("1.50e3")),
            ("t", Some("中")),
            ("o.x.y", Some("z")),
            ("a.b", Some("c")),
            ("nil", None),
            ("absent", None),
            ("t.x", None),
        ] {
            assert_eq!(object.label(path).unwrap().as_deref(), expected, "{path}");
        }
        assert!(object.label("big").is_err());
        assert_eq!(object.get("o").unwrap().unwrap().get(), r#"{"x":{"y":"z"}}"#);
    }

    #[test]
    fn a_member_that_comes_twice_is_refused_only_where_it_is_read() {
        let object = Object::parse(r#"{"a":1,"a":2,"b":3,"\u0062":4,"c":5}"#).unwrap();
        assert_eq!(object.label("c").unwrap().as_deref(), Some("5"));
        assert!(object.label("a").is_err());
        assert!(object.label("b").is_err(), "an escaped name is the same name");
    }

    #[test]
    fn a_label_is_bounded() {
        let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(LONGEST_LABEL + 1));
        let object = Object::parse(&text).unwrap();
        assert_eq!(object.label("a").unwrap(), None);
        assert_eq!(object.require("a").unwrap_err(), Reject::malformed("a", "1 to 256 bytes of text"));
        assert_eq!(object.require("b").unwrap_err(), Reject::missing("b"));
    }
}
