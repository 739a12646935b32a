//! `application/x-www-form-urlencoded` text: query strings and form bodies.

use std::{borrow::Cow, collections::HashMap};

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{Reject, reject::JsonPart};

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
    serde_json::to_string(&Fields(fields)).map_err(|_| Reject::InvalidJson(JsonPart::AnyPayload))
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
