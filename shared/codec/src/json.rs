//! Bounded reading of JSON whose text is kept verbatim.
//!
//! A payload is queued exactly as the platform wrote it, with the same digits, order and escapes. So it is never parsed
//! into a tree and written again; single members are looked up in the raw text.

mod members;

use std::{borrow::Cow, fmt, ops::Deref, sync::OnceLock};

use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use self::members::{Element, Index, Member, Members, Occurrence, Text};
use crate::{Reject, reject::JsonPart};

/// The longest string that may become an attribute of an event (type, id, subject, ...), in bytes.
pub const LONGEST_LABEL: usize = 256;

/// The deepest nesting: what common parsers accept, and one less of a payload, which is one level deeper in its queue message.
const fn deepest(part: JsonPart) -> usize {
    match part {
        JsonPart::Body => 127,
        JsonPart::Payload | JsonPart::AnyPayload => 126,
    }
}

/// A JSON value whose syntax and nesting are checked. Its members are raw.
pub struct Node<'a> {
    raw: &'a RawValue,
    part: JsonPart,
    /// Its own members, once one of them was looked up.
    index: OnceLock<Index<'a>>,
}

impl fmt::Debug for Node<'_> {
    /// Prints only the size: the content may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} bytes)", self.raw.get().len())
    }
}

impl<'a> Node<'a> {
    pub(crate) fn parse_part(text: &'a str, part: JsonPart) -> Result<Self, Reject> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|_| Reject::InvalidJson(part))?;
        // serde_json skips a raw value without counting how deep it goes; a consumer's parser would count.
        if depth(raw.get()) <= deepest(part) {
            Ok(Self::of(raw, part))
        } else {
            Err(Reject::InvalidJson(part))
        }
    }

    const fn of(raw: &'a RawValue, part: JsonPart) -> Self {
        Self { raw, part, index: OnceLock::new() }
    }

    pub(crate) fn is_object(&self) -> bool {
        self.raw.get().starts_with('{')
    }

    /// The whole value, verbatim.
    pub fn raw(&self) -> &'a RawValue {
        self.raw
    }

    /// All members of an object in their order; [`Reject::InvalidJson`] if it is none, [`Reject::Malformed`] if a name
    /// appears twice.
    pub fn members(&self) -> Result<Vec<(String, &'a RawValue)>, Reject> {
        let Members(members) =
            serde_json::from_str(self.raw.get()).map_err(|_| Reject::InvalidJson(self.part))?;
        let mut names = std::collections::HashSet::new();
        match members.iter().find(|(name, _)| !names.insert(name.as_str())) {
            Some((twice, _)) => Err(Reject::malformed(twice.clone(), "to appear only once")),
            None => Ok(members),
        }
    }

    /// The raw value at a path, or `None` if it is absent or null.
    ///
    /// `path` may lead into inner objects (`repository.full_name`) and, by an index from 0, into arrays
    /// (`events.0.kind`). A member whose own name contains the dots takes precedence. A member that appears twice is
    /// ambiguous and gives [`Reject::Malformed`].
    pub fn get(&self, path: &str) -> Result<Option<&'a RawValue>, Reject> {
        let found = match (self.child(path)?, path.split_once('.')) {
            (Some(value), _) => Some(value),
            (None, Some((outer, rest))) => match self.child(outer)? {
                Some(raw) => Self::of(raw, self.part).get(rest)?,
                None => None,
            },
            (None, None) => None,
        };
        Ok(found.filter(|value| value.get() != "null"))
    }

    /// The whole text with the value at a path, if there is one, replaced by another JSON text. All else stays as it is.
    pub fn with(&self, path: &str, value: &str) -> Result<Option<String>, Reject> {
        let (whole, Some(replaced)) = (self.raw.get(), self.get(path)?.map(RawValue::get)) else {
            return Ok(None);
        };
        // The raw value is a part of the whole text, so the difference of their addresses is its position.
        let start = replaced.as_ptr().addr().checked_sub(whole.as_ptr().addr());
        let parts = start
            .and_then(|start| Some((whole.get(..start)?, whole.get(start.checked_add(replaced.len())?..)?)));
        Ok(parts.map(|(before, after)| [before, value, after].concat()))
    }

    /// The member of that name, or the element with that index.
    fn child(&self, name: &str) -> Result<Option<&'a RawValue>, Reject> {
        let mut json = serde_json::Deserializer::from_str(self.raw.get());
        match self.raw.get().as_bytes().first() {
            Some(b'{') => {
                let found = match self.index.get_or_init(|| Index::of(self.raw)) {
                    Index::Members(members) => Ok(members.find(name)),
                    Index::TooMany => Member(name).deserialize(&mut json).map_err(drop),
                    Index::Unreadable => Err(()),
                };
                match found {
                    Ok(Occurrence::Never) => Ok(None),
                    Ok(Occurrence::Once(value)) => Ok(Some(value)),
                    Ok(Occurrence::Again) => Err(Reject::malformed(name.to_owned(), "to appear only once")),
                    Err(()) => Err(Reject::InvalidJson(self.part)),
                }
            }
            Some(b'[') => match index(name) {
                Some(index) => {
                    Element(index).deserialize(&mut json).map_err(|_| Reject::InvalidJson(self.part))
                }
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// A member that fits an attribute of the event: a string, or the digits of a number. `None` if it is absent or of
    /// another form, since an optional member must not cost a verified event; only one that appears twice is an error.
    pub fn label(&self, path: &str) -> Result<Option<Cow<'a, str>>, Reject> {
        Ok(self.scalar(path)?.filter(|label| is_attribute(label)))
    }

    /// A required string that fits an attribute, or else [`Reject::Missing`] or [`Reject::Malformed`].
    pub fn require(&self, path: &str) -> Result<Cow<'a, str>, Reject> {
        match self.text(path)? {
            Some(text) if is_attribute(&text) => Ok(text),
            None if self.get(path)?.is_none() => Err(Reject::missing(path.to_owned())),
            _ => Err(Reject::malformed(
                path.to_owned(),
                "a string of 1 to 256 bytes without control characters",
            )),
        }
    }

    /// A member's string, or the digits of its number; `None` if it is absent or of another type.
    pub fn scalar(&self, path: &str) -> Result<Option<Cow<'a, str>>, Reject> {
        let value = self.get(path)?.map(RawValue::get);
        Ok(match value.and_then(|value| value.as_bytes().first()) {
            Some(b'"') => self.text(path)?,
            Some(b'-' | b'0'..=b'9') => value.map(Cow::Borrowed),
            _ => None,
        })
    }

    /// A member's string, or `None` if it is absent or of another type.
    fn text(&self, path: &str) -> Result<Option<Cow<'a, str>>, Reject> {
        let text = self.get(path)?.and_then(|value| serde_json::from_str::<Text>(value.get()).ok());
        Ok(text.map(|Text(text)| text))
    }

    /// The first of several members that is a [`label`](Self::label).
    pub fn first_label(&self, paths: &[&str]) -> Result<Option<Cow<'a, str>>, Reject> {
        for path in paths {
            if let Some(label) = self.label(path)? {
                return Ok(Some(label));
            }
        }
        Ok(None)
    }
}

/// A JSON object whose syntax and nesting are checked. Its members are raw.
#[derive(Debug)]
pub struct Object<'a>(Node<'a>);

impl<'a> Deref for Object<'a> {
    type Target = Node<'a>;

    fn deref(&self) -> &Node<'a> {
        &self.0
    }
}

impl<'a> Object<'a> {
    /// Parses the JSON object of a body, nested at most 127 deep; [`Reject::InvalidJson`] for anything else.
    pub fn parse(text: &'a str) -> Result<Self, Reject> {
        let node = Node::parse_part(text, JsonPart::Body)?;
        if node.is_object() { Ok(Self(node)) } else { Err(Reject::InvalidJson(JsonPart::Body)) }
    }
}

/// The index that a segment of a path is, if it is one: decimal digits.
fn index(segment: &str) -> Option<usize> {
    let is_index = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    if is_index { segment.parse().ok() } else { None }
}

/// The depth of nesting of a valid JSON text.
fn depth(json: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                open = open.saturating_add(1);
                deepest = deepest.max(open);
            }
            b'}' | b']' => open = open.saturating_sub(1),
            b'"' => {
                while let Some(inner) = bytes.next() {
                    match inner {
                        b'"' => break,
                        // The escaped character, which may be a quotation mark.
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

/// True if `CloudEvents` (section 3.1) and SQS accept a string as an attribute: not blank, at most [`LONGEST_LABEL`]
/// bytes, no control characters, no noncharacters.
pub fn is_attribute(text: &str) -> bool {
    let forbidden = |character: char| {
        character.is_control()
            || ('\u{fdd0}'..='\u{fdef}').contains(&character)
            || u32::from(character) & 0xfffe == 0xfffe
    };
    !text.trim().is_empty() && text.len() <= LONGEST_LABEL && !text.contains(forbidden)
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
            (r#"{"a":"\ud800"}"#, true),
            (r#"{"a":1e999,"b":-0.0,"c":123456789012345678901234567890}"#, true),
            (r#"{"a":"[[\"[[\\"}"#, true),
            ("\u{feff}{}", false),
            (&nested(127), true),
            (&nested(128), false),
            (&nested(100_000), false),
            (&arrays, false),
            // Neither siblings nor what is in a string is nested.
            (&format!(r#"{{"a":[{}1]}}"#, "[],{},".repeat(100)), true),
            (&format!(r#"{{"a":"{0}\"{0}\\"}}"#, "[{".repeat(100)), true),
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
        assert_eq!(object.label("big").unwrap(), None);
        assert_eq!(object.get("o").unwrap().unwrap().get(), r#"{"x":{"y":"z"}}"#);
    }

    /// More members than an index has: each lookup reads the text.
    #[test]
    fn members_are_found_among_thousands() {
        let fields = (0..2000).map(|number| format!(r#""m{number}":{number},"#)).collect::<Vec<_>>().concat();
        let text = format!(r#"{{{fields}"twice":1,"twice":2,"last":{{"a":"b"}}}}"#);
        let object = Object::parse(&text).unwrap();
        for (path, expected) in
            [("m0", Some("0")), ("m1999", Some("1999")), ("last.a", Some("b")), ("m", None)]
        {
            assert_eq!(object.label(path).unwrap().as_deref(), expected, "{path}");
        }
        assert_eq!(object.label("twice").unwrap_err(), Reject::malformed("twice", "to appear only once"));
    }

    #[test]
    fn a_path_leads_into_arrays_by_index() {
        let list = r#"[{"n":"a"},{"n":[1,[2,{"m":3}]]},null]"#;
        let nested = format!(r#"{{"list":{list},"0":"zero","list.0":"dotted"}}"#);
        let array = Node::parse_part(list, JsonPart::Payload).unwrap();
        let object = Node::parse_part(&nested, JsonPart::Payload).unwrap();
        for (node, path, expected) in [
            (&array, "0.n", Some("a")),
            (&array, "1.n.0", Some("1")),
            (&array, "1.n.1.1.m", Some("3")),
            (&array, "2", None),
            (&array, "3", None),
            (&array, "00.n", Some("a")),
            (&array, "+0.n", None),
            (&array, "-1", None),
            (&array, "", None),
            (&array, ".n", None),
            (&array, "n", None),
            (&array, "99999999999999999999999", None),
            (&object, "list.1.n.0", Some("1")),
            (&object, "list.0", Some("dotted")),
            (&object, "0", Some("zero")),
            (&object, "0.0", None),
        ] {
            assert_eq!(node.label(path).unwrap().as_deref(), expected, "{path}");
        }
        for text in ["5", "\"text\"", "true", "null", "[]"] {
            let node = Node::parse_part(text, JsonPart::Payload).unwrap();
            assert_eq!(node.label("0").unwrap(), None, "{text}");
        }
    }

    #[test]
    fn a_member_that_comes_twice_is_refused_only_where_it_is_read() {
        let object = Object::parse(r#"{"a":1,"a":2,"b":3,"\u0062":4,"c":5}"#).unwrap();
        assert_eq!(object.label("c").unwrap().as_deref(), Some("5"));
        assert!(object.label("a").is_err());
        assert!(object.label("b").is_err(), "an escaped name is the same name");
    }

    #[test]
    fn what_is_no_attribute_is_left_out_or_refused_where_needed() {
        let long = "x".repeat(LONGEST_LABEL + 1);
        for value in [
            "5",
            r#""""#,
            r#"" ""#,
            r#""a\nb""#,
            r#""\u007f""#,
            r#""\uffff""#,
            r#""\ufdd0""#,
            "[]",
            "{}",
            "true",
            &format!("{long:?}"),
        ] {
            let text = format!(r#"{{"a":{value}}}"#);
            let object = Object::parse(&text).unwrap();
            let expected = if value == "5" { Some("5") } else { None };
            assert_eq!(object.label("a").unwrap().as_deref(), expected, "{value}");
            assert_eq!(object.require("a").unwrap_err().code(), "malformed_field", "{value}");
        }
        let longest = "x".repeat(LONGEST_LABEL);
        let text = format!(r#"{{"a":"{longest}"}}"#);
        assert_eq!(Object::parse(&text).unwrap().require("a").unwrap(), longest);
        assert_eq!(Object::parse(r#"{"a":null}"#).unwrap().require("a").unwrap_err(), Reject::missing("a"));
        assert_eq!(Object::parse(r#"{"a":"中 🎋"}"#).unwrap().require("a").unwrap(), "中 🎋");
    }
}
