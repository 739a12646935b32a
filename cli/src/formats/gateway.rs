//! Writes API Gateway events, in payload format 2.0.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::{Request, Timestamp};
use serde_json::{Map, Value, json};

/// The event with which API Gateway passes on a request to `[/stage]/<provider>[/<source>]`: header names in lower case,
/// a body that is not UTF-8 in base64, the time in milliseconds since the epoch.
pub fn event(request: &Request, provider: &str, now: Timestamp) -> Value {
    let uri = request.uri();
    let path = uri.path();
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let (route, parameters) = match segments.skip_while(|segment| *segment != provider).nth(1) {
        Some(source) => (format!("POST /{provider}/{{source}}"), json!({ "source": source })),
        None => (format!("POST /{provider}"), Value::Null),
    };
    let mut headers = Map::new();
    for name in request.headers().keys() {
        // API Gateway joins the values of a repeated header in this way.
        let values = request.headers().get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(name.as_str().to_owned(), values.join(",").into());
    }
    // The parts of the URL that a signature may cover.
    let host = uri.authority().map_or("localhost", |host| host.as_str());
    let scheme = uri.scheme_str().unwrap_or("https");
    let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
    headers.insert("host".into(), host.into());
    headers.insert("content-length".into(), request.body().len().to_string().into());
    headers.insert("x-forwarded-for".into(), "203.0.113.7".into());
    headers.insert("x-forwarded-port".into(), port.to_string().into());
    headers.insert("x-forwarded-proto".into(), scheme.into());
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": uri.query().unwrap_or_default(),
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
            "time": time(now),
            "timeEpoch": now.0,
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

/// The time in API Gateway's format: `21/Nov/2026:10:00:00 +0000`.
fn time(Timestamp(milliseconds): Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}
