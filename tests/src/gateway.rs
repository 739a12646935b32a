//! API Gateway's side: the event of a request, in payload format 2.0.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::Request;
use serde_json::{Map, Value, json};

/// The event that the gateway makes of a request to `/<provider>[/<source>]`: header names in lower case, a body that
/// is no text in base64, milliseconds since the epoch.
pub fn event(request: &Request, now: i64) -> Value {
    let path = request.uri().path();
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (route, parameters) = match segments.as_slice() {
        [provider, source] => (format!("POST /{provider}/{{source}}"), json!({ "source": source })),
        _ => (format!("POST {path}"), Value::Null),
    };
    let mut headers: Map<String, Value> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let host = "letterbox.execute-api.us-east-1.amazonaws.com";
    headers.insert("host".into(), host.into());
    headers.insert("content-length".into(), request.body().len().to_string().into());
    headers.insert("x-forwarded-for".into(), "203.0.113.7".into());
    headers.insert("x-forwarded-port".into(), "443".into());
    headers.insert("x-forwarded-proto".into(), "https".into());
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": request.uri().query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "letterbox",
            "domainName": host,
            "domainPrefix": "letterbox",
            "http": {
                "method": request.method().as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "letterbox-sample",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route,
            "stage": "$default",
            "time": "21/Nov/2026:10:00:00 +0000",
            "timeEpoch": now,
        },
    });
    if let Value::Object(members) = &mut event {
        if !parameters.is_null() {
            members.insert("pathParameters".into(), parameters);
        }
        let text = std::str::from_utf8(request.body());
        let body = text.map_or_else(|_| STANDARD.encode(request.body()), str::to_owned);
        members.insert("body".into(), body.into());
        members.insert("isBase64Encoded".into(), text.is_err().into());
    }
    event
}
