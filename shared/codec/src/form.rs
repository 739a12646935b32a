//! `application/x-www-form-urlencoded` text: query strings and form bodies.

use std::{borrow::Cow, collections::HashMap};

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{Reject, reject::JsonPart};

/// The most fields of a form whose signature covers them sorted. Twilio's largest have less than a hundred.
const MOST_FIELDS: usize = 1000;

/// The value of `name`, percent-decoded once, or `None` if it is absent. A name that appears twice is ambiguous and gives
/// [`Reject::Malformed`].
pub fn one<'a>(text: &'a [u8], name: &str) -> Result<Option<Cow<'a, str>>, Reject> {
    let mut values = form_urlencoded::parse(text).filter(|(key, _)| key == name).map(|(_, value)| value);
    let first = values.next();
    match values.next() {
        Some(_) => Err(Reject::malformed(name.to_owned(), "to appear only once")),
        None => Ok(first),
    }
}

/// The fields of a form, name and value one after the other, in the order of their bytes and each pair once: what a signature
/// covers as `{form}`. [`Reject::Malformed`] for a form without fields, or with more than [`MOST_FIELDS`].
///
/// Nothing stands between the pieces. So that no part of a URL before them can become a field, the first name must begin as
/// names of fields do.
pub(crate) fn sorted(body: &[u8]) -> Result<Vec<u8>, Reject> {
    let mut fields: Vec<_> = form_urlencoded::parse(body).take(MOST_FIELDS.saturating_add(1)).collect();
    if fields.len() > MOST_FIELDS {
        return Err(Reject::malformed("body", "a form of at most 1000 fields"));
    }
    fields.sort_unstable();
    fields.dedup();
    let begins_a_name = |name: &str| name.starts_with(|first: char| first.is_alphanumeric() || first == '_');
    if !fields.first().is_some_and(|(name, _)| begins_a_name(name)) {
        return Err(Reject::malformed("body", "a form whose fields have names"));
    }
    Ok(fields
        .iter()
        .flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()])
        .flatten()
        .copied()
        .collect())
}

/// The JSON object of a form, in the order of its fields: a string for each, and a list of strings for a field that is
/// repeated. Percent escapes that are not UTF-8 become U+FFFD.
pub(crate) fn to_json(text: &str) -> Result<String, Reject> {
    let mut fields: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> = Vec::new();
    let mut places = HashMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let place = *places.entry(name.clone()).or_insert(fields.len());
        match fields.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => fields.push((name, vec![value])),
        }
    }
    serde_json::to_string(&Fields(fields)).map_err(|_| Reject::InvalidJson(JsonPart::Payload))
}

/// Serialises as one object.
struct Fields<'a>(Vec<(Cow<'a, str>, Vec<Cow<'a, str>>)>);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, values) in &self.0 {
            match values.as_slice() {
                [value] => map.serialize_entry(name, value)?,
                values => map.serialize_entry(name, values)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_form_are_sorted_by_their_bytes_and_each_pair_comes_once() {
        let nameless = || Err(Reject::malformed("body", "a form whose fields have names"));
        for (form, expected) in [
            ("b=1&a=2&B=3", Ok("B3a2b1")),
            ("a=2&a=10&a=2&b", Ok("a10a2b")),
            ("a=x+y%2B&%E4%B8%AD=%0D%0A", Ok("ax y+中\r\n")),
            ("_=", Ok("_")),
            ("", nameless()),
            ("&&", nameless()),
            ("=a", nameless()),
            ("a=1&=b", nameless()),
            ("%3Fx=1", nameless()),
            ("%2Fx=1&a=2", nameless()),
        ] {
            let sorted = sorted(form.as_bytes()).map(|text| String::from_utf8(text).unwrap());
            assert_eq!(sorted.as_deref(), expected.as_ref().copied(), "{form}");
        }
        assert!(sorted("a&".repeat(MOST_FIELDS).as_bytes()).is_ok());
        let many = sorted("a&".repeat(MOST_FIELDS + 1).as_bytes());
        assert_eq!(many, Err(Reject::malformed("body", "a form of at most 1000 fields")));
    }

    #[test]
    fn a_form_becomes_an_object_of_its_fields() {
        for (form, expected) in [
            ("", "{}"),
            ("a=1&b=x+y%2Bz", r#"{"a":"1","b":"x y+z"}"#),
            ("a=1&b=2&a=3", r#"{"a":["1","3"],"b":"2"}"#),
            ("a", r#"{"a":""}"#),
            ("=1&&", r#"{"":"1"}"#),
            ("n=%E4%B8%AD&q=%22%5C%0A", "{\"n\":\"中\",\"q\":\"\\\"\\\\\\n\"}"),
            ("a=%ff", "{\"a\":\"\u{fffd}\"}"),
        ] {
            assert_eq!(to_json(form).as_deref(), Ok(expected), "{form}");
        }
    }
}
