//! Derives further events from one payload, each with its own id.

use letterbox_codec::json::Object;
use serde_json::{Value, value::RawValue};

/// The field that distinguishes repeats of a payload without an id.
const FIELD: &str = "letterbox_repeat";

/// Appends `suffix` to every id in the payload, or adds it as a field of its own. A payload that is not a JSON object
/// stays unchanged.
pub fn event(payload: &[u8], ids: &[String], suffix: &str) -> Vec<u8> {
    changed(payload, ids, suffix).map_or_else(|| payload.to_vec(), String::into_bytes)
}

/// The payload with changed ids; `None` if it is not a JSON object.
fn changed(payload: &[u8], ids: &[String], suffix: &str) -> Option<String> {
    let text = std::str::from_utf8(payload).ok()?;
    let mut changed = None;
    for id in ids {
        let current = changed.as_deref().unwrap_or(text);
        changed = with_id(&Object::parse(current).ok()?, id, suffix).or(changed);
    }
    if changed.is_some() {
        return changed;
    }
    let members = Object::parse(text).ok()?.members().ok()?;
    let members = members.into_iter().map(|(name, value)| (name, value.get().to_owned()));
    Some(object(members.chain([(FIELD.to_owned(), Value::from(suffix).to_string())])))
}

/// The object with the id at `path` changed and everything else unchanged; `None` if it has no such field.
fn with_id(parsed: &Object<'_>, path: &str, suffix: &str) -> Option<String> {
    let mut found = false;
    let members = parsed.members().ok()?.into_iter().map(|(name, value)| {
        let rest = path.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.'));
        let new = if name == path {
            suffixed(value, suffix)
        } else {
            rest.and_then(|rest| with_id(&Object::parse(value.get()).ok()?, rest, suffix))
        };
        found |= new.is_some();
        (name, new.unwrap_or_else(|| value.get().to_owned()))
    });
    let text = object(members);
    found.then_some(text)
}

/// The id with the suffix, as JSON; `None` if it is neither a string nor a number.
fn suffixed(value: &RawValue, suffix: &str) -> Option<String> {
    match serde_json::from_str(value.get()).ok()? {
        Value::String(id) => Some(Value::from(format!("{id}-{suffix}")).to_string()),
        Value::Number(id) => Some(Value::from(format!("{id}-{suffix}")).to_string()),
        _ => None,
    }
}

/// Writes a JSON object from its names and the raw JSON of its values.
fn object(members: impl Iterator<Item = (String, String)>) -> String {
    let members: Vec<_> = members.map(|(name, value)| format!("{}:{value}", Value::from(name))).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_changes() {
        for (payload, ids, expected) in [
            (r#"{"b":1.0,"eventId":"e"}"#, &["eventId", "BizId"][..], r#"{"b":1.0,"eventId":"e-7"}"#),
            (r#"{"BizId":"b","eventId":"e"}"#, &["eventId", "BizId"], r#"{"BizId":"b-7","eventId":"e-7"}"#),
            (r#"{"data":{"id":5,"x":[1]}}"#, &["data.id"], r#"{"data":{"id":"5-7","x":[1]}}"#),
            (r#"{"data.id":"a","data":{}}"#, &["data.id"], r#"{"data.id":"a-7","data":{}}"#),
            (r#"{"id":null,"a":"\u00e9"}"#, &["id"], r#"{"id":null,"a":"\u00e9","letterbox_repeat":"7"}"#),
            (" {} ", &[], r#"{"letterbox_repeat":"7"}"#),
            ("[1]", &["id"], "[1]"),
            (r#"{"id":1,"id":2}"#, &["id"], r#"{"id":1,"id":2}"#),
            ("payload=%7B%7D", &[], "payload=%7B%7D"),
        ] {
            let ids: Vec<_> = ids.iter().map(|id| (*id).to_owned()).collect();
            let got = event(payload.as_bytes(), &ids, "7");
            assert_eq!(String::from_utf8(got).unwrap(), expected, "{payload}");
        }
        assert_eq!(event(b"\xff", &[], "7"), b"\xff");
    }
}
