//! Replaces what may be a secret in an API Gateway event, and leaves the rest as it came.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

/// Stands in place of a secret.
pub const MASK: &str = "***";

/// Headers that authenticate the client to a server or a proxy.
const AUTHENTICATING: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// What the names of headers with secrets contain.
const TELLING: [&str; 5] = ["api-key", "apikey", "password", "secret", "token"];

/// One that is called so and has none: Twilio's id of a delivery, which is the same in every retry.
const NO_SECRET: &str = "i-twilio-idempotency-token";

/// True if a header of that name may have a secret as its value.
pub fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    AUTHENTICATING.contains(&&*name) || (name != NO_SECRET && TELLING.iter().any(|part| name.contains(part)))
}

/// What the entries of a source declare as their secrets.
#[derive(Clone, Debug, Default)]
pub struct Secrets<'a> {
    /// Names of headers, in lower case.
    pub headers: Vec<&'a str>,
    /// Names of query parameters.
    pub parameters: Vec<&'a str>,
}

impl Secrets<'_> {
    fn has_header(&self, name: &str) -> bool {
        is_secret_header(name) || self.headers.iter().any(|secret| name.eq_ignore_ascii_case(secret))
    }
}

/// An API Gateway event without secrets, on one line. `with_body` is false to put `null` in place of the body.
///
/// # Errors
/// If the event is not a JSON object.
pub(super) fn event(
    event: &RawValue,
    secrets: &Secrets<'_>,
    with_body: bool,
) -> Result<Box<RawValue>, serde_json::Error> {
    let Members(mut members) = serde_json::from_str(event.get())?;
    for (name, value) in &mut members {
        let masked = match &**name {
            "headers" | "multiValueHeaders" => headers(value, secrets)?,
            "cookies" => Some(raw(&[MASK])?),
            "body" if !with_body => Some(raw(&())?),
            "rawQueryString" if !secrets.parameters.is_empty() => query_string(value, secrets)?,
            "queryStringParameters" | "multiValueQueryStringParameters" if !secrets.parameters.is_empty() => {
                members_of(value, |name| secrets.parameters.contains(&name))?
            }
            _ => None,
        };
        if let Some(masked) = masked {
            *value = Cow::Owned(masked);
        }
    }
    Ok(on_one_line(raw(&Members(members))?))
}

/// The same JSON without line breaks. In valid JSON they stand only between tokens.
pub(super) fn on_one_line(json: Box<RawValue>) -> Box<RawValue> {
    if !json.get().contains(['\n', '\r']) {
        return json;
    }
    let line = json.get().replace(['\n', '\r'], " ");
    RawValue::from_string(line).unwrap_or(json)
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::value::to_raw_value(value)
}

fn headers(value: &RawValue, secrets: &Secrets<'_>) -> Result<Option<Box<RawValue>>, serde_json::Error> {
    members_of(value, |name| secrets.has_header(name))
}

/// An object with masked members; `None` if it has none of them, or is no object.
fn members_of(
    value: &RawValue,
    is_secret: impl Fn(&str) -> bool,
) -> Result<Option<Box<RawValue>>, serde_json::Error> {
    let Ok(Members(mut members)) = serde_json::from_str(value.get()) else { return Ok(None) };
    let mut found = false;
    for (_, value) in members.iter_mut().filter(|(name, _)| is_secret(name)) {
        *value = Cow::Owned(raw(&MASK)?);
        found = true;
    }
    if found { raw(&Members(members)).map(Some) } else { Ok(None) }
}

fn query_string(value: &RawValue, secrets: &Secrets<'_>) -> Result<Option<Box<RawValue>>, serde_json::Error> {
    let Ok(text) = serde_json::from_str::<Cow<'_, str>>(value.get()) else { return Ok(None) };
    query(&text, &secrets.parameters).map(|masked| raw(&masked)).transpose()
}

/// A query string with masked values of the named parameters; `None` if it has none of them.
pub fn query(text: &str, names: &[&str]) -> Option<String> {
    let is_named = |pair: &str| {
        form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(name, _)| names.contains(&&*name))
    };
    if !text.split('&').any(is_named) {
        return None;
    }
    let masked = text.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_named(pair) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    });
    Some(masked.collect::<Vec<_>>().join("&"))
}

/// The members of a JSON object in their order, names that appear twice included; values as they came.
struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collector;

        impl<'de> Visitor<'de> for Collector {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((Cow::Owned(name), Cow::Borrowed(value)));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collector)
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value.as_ref())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(json: &str, secrets: &Secrets<'_>, with_body: bool) -> String {
        let json: Box<RawValue> = serde_json::from_str(json).unwrap();
        event(&json, secrets, with_body).unwrap().get().to_owned()
    }

    #[test]
    fn an_event_without_secrets_stays_as_it_came() {
        for json in [
            r#"{ "b":1.0, "a":"\u4e2d\/", "headers":{"x-signature":"\u00e9", "content-type":"a"},"body":"{\"token\":1}"}"#,
            r#"{"headers":null,"body":null}"#,
            r#"{"headers":[1],"rawQueryString":"token=1&secret=2"}"#,
            "{}",
        ] {
            // Only spaces outside of the values are not kept.
            let expected =
                json.replace("{ \"b", "{\"b").replace("0, \"a", "0,\"a").replace("/\", \"h", "/\",\"h");
            assert_eq!(masked(json, &Secrets::default(), true), expected);
        }
    }

    #[test]
    fn values_of_headers_that_may_be_secrets_are_masked() {
        let json = r#"{"headers":{"Authorization":"Bearer hunter2","cookie":"a=hunter2","PROXY-authorization":"hunter2","X-Gitlab-Token":"hunter2","x-tokens-left":["hunter2","hunter2"],"x-client-secret":"hunter2","x-password-1":"hunter2","X-Api-Key":"hunter2","x-apikey":"hunter2","I-Twilio-Idempotency-Token":"kept","x-own":"hunter2"},"multiValueHeaders":{"authorization":["hunter2"]},"cookies":["a=hunter2"],"body":"kept"}"#;
        let secrets = Secrets { headers: vec!["x-own"], ..Secrets::default() };
        assert_eq!(
            masked(json, &secrets, true),
            r#"{"headers":{"Authorization":"***","cookie":"***","PROXY-authorization":"***","X-Gitlab-Token":"***","x-tokens-left":"***","x-client-secret":"***","x-password-1":"***","X-Api-Key":"***","x-apikey":"***","I-Twilio-Idempotency-Token":"kept","x-own":"***"},"multiValueHeaders":{"authorization":"***"},"cookies":["***"],"body":"kept"}"#
        );
    }

    #[test]
    fn a_header_that_appears_twice_is_masked_twice() {
        let json = r#"{"headers":{"cookie":"1","x":"2","Cookie":"3","cookie":"4"},"headers":{"cookie":"5"}}"#;
        assert_eq!(
            masked(json, &Secrets::default(), true),
            r#"{"headers":{"cookie":"***","x":"2","Cookie":"***","cookie":"***"},"headers":{"cookie":"***"}}"#
        );
    }

    #[test]
    fn parameters_that_the_entry_declares_are_masked() {
        let json = r#"{"rawQueryString":"hub.mode=subscribe&hub.verify_token=hunter2&hub%2Everify_token=hunter2&a","queryStringParameters":{"hub.mode":"subscribe","hub.verify_token":"hunter2"}}"#;
        assert_eq!(masked(json, &Secrets::default(), true), json);
        let secrets = Secrets { parameters: vec!["hub.verify_token"], ..Secrets::default() };
        assert_eq!(
            masked(json, &secrets, true),
            r#"{"rawQueryString":"hub.mode=subscribe&hub.verify_token=***&hub%2Everify_token=***&a","queryStringParameters":{"hub.mode":"subscribe","hub.verify_token":"***"}}"#
        );
    }

    #[test]
    fn the_body_can_be_left_out() {
        let json = r#"{"isBase64Encoded":true,"body":"aGk="}"#;
        assert_eq!(masked(json, &Secrets::default(), false), r#"{"isBase64Encoded":true,"body":null}"#);
    }

    #[test]
    fn a_line_has_no_line_breaks() {
        let json = "{\r\n  \"headers\": {\n\"x\": \"a\\nb\"\n},\n\"body\": \"\\r\\n\"\n}\n";
        let masked = masked(json, &Secrets::default(), true);
        assert!(!masked.contains(['\n', '\r']), "{masked}");
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(json).unwrap(), serde_json::from_str(&masked).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        for json in ["null", "[]", "1", "\"a\""] {
            let json: Box<RawValue> = serde_json::from_str(json).unwrap();
            assert!(event(&json, &Secrets::default(), true).is_err());
        }
    }
}
