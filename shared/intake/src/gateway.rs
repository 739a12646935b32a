//! API Gateway's HTTP API: reads a request from payload format 2.0, and writes the response.
//!
//! `lambda_http`'s own conversion is not used: it panics on a query or a body that does not parse.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Response, Uri, header};
use lambda_http::{
    Body,
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
};
use letterbox_codec::{Reject, Request, Timestamp, headers::Size};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{ambient, replay::Verdict};

/// The source of a request that names none.
pub const DEFAULT_SOURCE: &str = "default";

/// The payload of an invocation.
pub struct Payload {
    /// The API Gateway event. An invalid one is refused here, because the runtime would log its content.
    pub event: Result<ApiGatewayV2httpRequest, Reject>,
    /// The member [`crate::replay::MEMBER`], if it is there, not checked.
    pub marker: Option<Box<RawValue>>,
}

impl Payload {
    /// Parses a payload.
    pub fn read(payload: &RawValue) -> Self {
        // Before the whole event is parsed: its header map panics when it is full.
        let (counted, marker) = match serde_json::from_str(payload.get()) {
            Ok(Scanned { headers, marker }) => (Ok(headers), marker),
            Err(error) => (Err(error), None),
        };
        if let Ok(Some(HeaderList(size))) = counted
            && let Err(error) = size.check()
        {
            return Self { event: Err(error.into()), marker };
        }
        let event = counted.and_then(|_| serde_json::from_str(payload.get()));
        let event = event.map_err(|_| Reject::malformed("event", "an HTTP API event, payload format 2.0"));
        Self { event, marker }
    }
}

/// Parses an API Gateway event.
pub fn read(event: &RawValue) -> Result<ApiGatewayV2httpRequest, Reject> {
    Payload::read(event).event
}

/// The part of a payload that is read before the whole is parsed.
#[derive(Deserialize)]
struct Scanned {
    headers: Option<HeaderList>,
    /// Its presence counts: `null` is a marker, too, and an invalid one.
    #[serde(default, rename = "letterbox", deserialize_with = "present")]
    marker: Option<Box<RawValue>>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(deserializer).map(Some)
}

/// The size of an event's headers, each of which has one value or a list of them.
struct HeaderList(Size);

impl<'de> Deserialize<'de> for HeaderList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counter;

        impl<'de> Visitor<'de> for Counter {
            type Value = HeaderList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<HeaderList, M::Error> {
                let mut size = Size::default();
                while let Some((name, value)) = map.next_entry::<Cow<'_, str>, &RawValue>()? {
                    let values = serde_json::from_str::<Vec<&RawValue>>(value.get());
                    let count = values.map_or(1, |values| values.len());
                    size.add(count, name.len().saturating_add(value.get().len()));
                }
                Ok(HeaderList(size))
            }
        }

        deserializer.deserialize_map(Counter)
    }
}

/// When the gateway received the request, according to the event.
pub fn received(event: &ApiGatewayV2httpRequest) -> Option<Timestamp> {
    Some(event.request_context.time_epoch).filter(|time| *time > 0).map(Timestamp)
}

/// The time since then; `None` if the value cannot be right (API Gateway times out after 30 s), since local tools write
/// seconds, and clocks differ.
pub fn milliseconds_since(received: Timestamp) -> Option<f64> {
    let now = ambient::system().ok()?.now;
    u16::try_from(now.0.saturating_sub(received.0)).ok().map(f64::from)
}

/// The source in the route, and the request with the exact bytes that were signed.
pub fn request(provider: &str, event: ApiGatewayV2httpRequest) -> Result<(String, Request), Reject> {
    let path = event.raw_path.as_deref().filter(|path| path.starts_with('/')).unwrap_or("/");
    let source = match event.path_parameters.get("source") {
        Some(source) => source.clone(),
        None => source(provider, path)?.to_owned(),
    };
    let body = event.body.unwrap_or_default();
    let body = if event.is_base64_encoded {
        STANDARD.decode(body).map_err(|_| Reject::malformed("body", "base64, as isBase64Encoded says"))?
    } else {
        body.into_bytes()
    };
    let host = event.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or(event.request_context.domain_name.as_deref()).unwrap_or("localhost");
    let scheme = match event.headers.get("x-forwarded-proto").map(http::HeaderValue::as_bytes) {
        Some(b"http") => "http",
        _ => "https",
    };
    let path_and_query = match event.raw_query_string.as_deref() {
        None | Some("") => path.to_owned(),
        Some(query) => format!("{path}?{query}"),
    };
    let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(path_and_query).build();
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = event.request_context.http.method;
    *request.uri_mut() = uri.map_err(|_| Reject::malformed("url", "a valid URL"))?;
    *request.headers_mut() = event.headers;
    Ok((source, request))
}

/// The source in `[/stage]/<provider>[/<source>]`, for gateways that set no path parameters; `/` alone is a
/// function URL.
pub fn source<'p>(provider: &str, path: &'p str) -> Result<&'p str, Reject> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    if segments.peek().is_none() {
        return Ok(DEFAULT_SOURCE);
    }
    let mut segments = segments.skip_while(|segment| *segment != provider);
    match (segments.next(), segments.next(), segments.next()) {
        (Some(_), None, _) => Ok(DEFAULT_SOURCE),
        (Some(_), Some(source), None) => Ok(source),
        _ => Err(Reject::UnknownSource),
    }
}

/// The response in API Gateway's format.
#[derive(Serialize)]
pub struct Answered {
    #[serde(flatten)]
    response: ApiGatewayV2httpResponse,
    /// Only in response to a replay.
    #[serde(rename = "letterbox", skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
}

/// Converts a response; `verdict` is for the caller that replays a delivery.
pub fn response(response: Response<String>, verdict: Option<Verdict>) -> Answered {
    let (parts, body) = response.into_parts();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = parts.status.as_u16().into();
    answer.headers = parts.headers;
    answer.body = Some(Body::Text(body));
    Answered { response: answer, verdict }
}

#[cfg(test)]
mod tests {
    use letterbox_codec::headers::{MOST, MOST_BYTES};

    use super::*;

    fn post(more: &serde_json::Value) -> ApiGatewayV2httpRequest {
        let mut json =
            serde_json::json!({ "rawPath": "/github", "requestContext": { "http": { "method": "POST" } } });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_source_is_in_the_path() {
        for (path, expected) in [
            ("/github", Ok("default")),
            ("/github/", Ok("default")),
            ("/github/acme", Ok("acme")),
            ("/prod/github/acme", Ok("acme")),
            ("/", Ok("default")),
            ("", Ok("default")),
            ("/github/a/b", Err(Reject::UnknownSource)),
            ("/nobody", Err(Reject::UnknownSource)),
            ("/nobody/else", Err(Reject::UnknownSource)),
        ] {
            let got = request("github", post(&serde_json::json!({ "rawPath": path })));
            assert_eq!(got.map(|(source, _)| source), expected.map(str::to_owned), "{path}");
        }
        let named = post(&serde_json::json!({ "rawPath": "/any", "pathParameters": { "source": "acme" } }));
        assert_eq!(request("github", named).unwrap().0, "acme");
    }

    #[test]
    fn bodies_headers_and_query_come_as_they_were() {
        let (_, got) = request(
            "github",
            post(&serde_json::json!({
                "rawQueryString": "nonce=a%2Bb&timeStamp=1&x=1&x=2",
                "headers": { "X-Signature": "é", "Host": "hooks.example.net" },
                "body": "/wD+", "isBase64Encoded": true,
            })),
        )
        .unwrap();
        assert_eq!(got.body().as_ref(), b"\xff\x00\xfe");
        assert_eq!(got.uri(), "https://hooks.example.net/github?nonce=a%2Bb&timeStamp=1&x=1&x=2");
        assert_eq!(got.headers()["x-signature"].as_bytes(), "é".as_bytes());
    }

    #[test]
    fn what_is_no_event_is_refused_and_not_shown() {
        for text in ["null", "[]", "{}", r#"{"headers":{"x-secret":"Pa55\u007fword"}}"#] {
            let event: Box<RawValue> = serde_json::from_str(text).unwrap();
            let message = read(&event).unwrap_err().message().into_owned();
            assert_eq!(message, "event: expected an HTTP API event, payload format 2.0");
        }
    }

    /// Everything that a sender controls stands inside of a member that the gateway builds.
    #[test]
    fn only_a_member_of_the_payload_itself_is_a_marker() {
        let marker = r#"{"receivedtime":"2026-11-27T03:20:00.123Z"}"#;
        let sent = serde_json::json!({
            "version": "2.0",
            "rawPath": "/github/letterbox",
            "rawQueryString": "letterbox=%7B%22receivedtime%22%3A%222026-11-27T03%3A20%3A00.123Z%22%7D",
            "queryStringParameters": { "letterbox": marker },
            "pathParameters": { "source": "letterbox", "letterbox": marker },
            "stageVariables": { "letterbox": marker },
            "cookies": [format!("letterbox={marker}"), "letterbox"],
            "headers": { "letterbox": marker, "x-letterbox": marker, "receivedtime": "2026-11-27T03:20:00.123Z" },
            "requestContext": {
                "http": { "method": "POST", "userAgent": format!("\",\"letterbox\":{marker}") },
                "authorizer": { "letterbox": marker },
            },
            "body": format!(r#"","letterbox":{marker},"x":""#),
        });
        let payload = |json: &serde_json::Value| {
            Payload::read(&serde_json::from_str::<Box<RawValue>>(&json.to_string()).unwrap())
        };
        let read = payload(&sent);
        assert!(read.event.is_ok());
        assert!(read.marker.is_none(), "{:?}", read.marker);

        for given in [serde_json::from_str(marker).unwrap(), serde_json::Value::Null, 1.into()] {
            let mut replayed = sent.clone();
            replayed["letterbox"] = given.clone();
            let read = payload(&replayed);
            assert!(read.event.is_ok());
            assert_eq!(read.marker.unwrap().get(), given.to_string());
        }
    }

    #[test]
    fn the_verdict_is_a_member_of_the_response_to_a_replay_alone() {
        let response = || Response::builder().status(401).header("x-a", "b").body("no".to_owned()).unwrap();
        let ordinary = serde_json::to_value(super::response(response(), None)).unwrap();
        assert_eq!(
            (&ordinary["statusCode"], &ordinary["headers"]["x-a"], &ordinary["body"]),
            (&401.into(), &"b".into(), &"no".into())
        );
        let verdict = Verdict {
            outcome: crate::Outcome::Refused,
            reason: Some("signature_mismatch".into()),
            detail: None,
            id: None,
            kind: None,
        };
        let mut answered = serde_json::to_value(super::response(response(), Some(verdict))).unwrap();
        let verdict = answered.as_object_mut().unwrap().remove("letterbox").unwrap();
        assert_eq!(answered, ordinary);
        assert_eq!(
            verdict,
            serde_json::json!({
                "outcome": "refused", "reason": "signature_mismatch", "detail": null, "id": null, "type": null,
            })
        );
    }

    #[test]
    fn more_headers_than_a_map_holds_are_refused() {
        let event = |headers: &str| {
            let text = format!(
                r#"{{"rawPath":"/github","headers":{{{headers}}},"requestContext":{{"http":{{"method":"POST"}}}}}}"#
            );
            read(&serde_json::from_str::<Box<RawValue>>(&text).unwrap())
        };
        let named =
            |count: usize| (0..count).map(|number| format!(r#""x-{number}":"v""#)).collect::<Vec<_>>();
        let values = |count: usize| vec![r#""v""#; count].join(",");
        assert_eq!(event(&named(MOST).join(",")).unwrap().headers.len(), MOST);
        assert_eq!(event(&format!(r#""x":[{}]"#, values(MOST))).unwrap().headers.len(), MOST);
        for (headers, expected) in [
            (named(MOST + 1).join(","), "headers: expected at most 1000 headers"),
            (named(40_000).join(","), "headers: expected at most 1000 headers"),
            (format!(r#""x":[{}]"#, values(40_000)), "headers: expected at most 1000 headers"),
            (format!(r#""x":"{}""#, "v".repeat(MOST_BYTES)), "headers: expected at most 524288 bytes"),
        ] {
            let reject = event(&headers).unwrap_err();
            assert_eq!((reject.status(), reject.code()), (400, "malformed_field"));
            assert_eq!(reject.message(), expected);
        }
    }

    #[test]
    fn what_does_not_parse_is_refused() {
        for bad in [
            serde_json::json!({ "body": "%", "isBase64Encoded": true }),
            serde_json::json!({ "rawQueryString": "a b" }),
            serde_json::json!({ "headers": { "host": "a b" } }),
        ] {
            assert_eq!(request("github", post(&bad)).unwrap_err().status(), 400, "{bad}");
        }
    }
}
