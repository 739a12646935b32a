//! Rows of whole requests, as `vectors/*.json` and `vectors-senders.json` have them: how their request is built, and how
//! their facts are compared with ours.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue};
use letterbox_codec::Request;
use serde_json::Value;

/// A field of a row, which must be a string.
pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// The request of a row's `input`.
pub fn request(input: &Value) -> Request {
    let given = &input["request"];
    let body = match given["body_b64"].as_str() {
        Some(encoded) => STANDARD.decode(encoded).unwrap(),
        None => given["body"].as_str().unwrap_or_default().as_bytes().to_vec(),
    };
    let mut request = Request::new(body.into());
    *request.method_mut() = text(given, "method").parse().unwrap();
    *request.uri_mut() = text(given, "url").parse().unwrap();
    for (name, value) in given["headers"].as_object().unwrap() {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().insert(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
    }
    request
}

/// Compares a response with a row's `reply`.
pub fn reply(expect: &Value, response: &http::Response<String>) -> Result<(), String> {
    equal("status", Some(response.status().as_u16().into()), expect["status"].as_u64())?;
    if let Some(body) = expect["body"].as_str() {
        equal("body", response.body().as_str(), body)?;
    }
    if expect["json"].is_object() {
        equal("json", &serde_json::from_str::<Value>(response.body()).unwrap(), &expect["json"])?;
    }
    expect["headers"].as_object().into_iter().flatten().try_for_each(|(name, value)| {
        let got = response.headers().get(name).map(|value| value.to_str().unwrap());
        // The charset is ours.
        let got = got.map(|value| value.split(';').next().unwrap_or_default());
        equal(name, got, value.as_str())
    })
}

/// An error that names what differs.
pub fn equal<T: PartialEq + Copy + std::fmt::Debug>(name: &str, got: T, expected: T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{name}: expected {expected:?}, got {got:?}")) }
}
