//! What `open` is given: a body, an API Gateway event, or raw HTTP.

use http::{HeaderName, HeaderValue, Uri, header};
use letterbox_codec::{Request, json::Object};
use letterbox_intake::gateway;

/// More headers than any platform or proxy sends.
const MOST_HEADERS: usize = 128;

/// A message as far as it is known.
pub struct Message {
    /// Its body, and what headers and URL came with it.
    pub request: Request,
    /// The source, where the message names it.
    pub source: Option<String>,
}

impl Message {
    /// Reads whichever it is: a body of any platform begins otherwise than HTTP, and has no `requestContext`.
    pub fn read(provider: &str, bytes: Vec<u8>) -> Result<Self, String> {
        if let Some(event) = event(&bytes) {
            let event = gateway::read(event).map_err(|reject| reject.message().into_owned())?;
            let (source, request) =
                gateway::request(provider, event).map_err(|reject| reject.message().into_owned())?;
            return Ok(Self { request, source: Some(source) });
        }
        let request = if bytes.starts_with(b"HTTP/1.") {
            answer(&bytes)?
        } else if bytes.starts_with(b"POST ") {
            letter(&bytes)?
        } else {
            Request::new(bytes.into())
        };
        Ok(Self { request, source: None })
    }
}

/// The text of a gateway's event.
fn event(bytes: &[u8]) -> Option<&serde_json::value::RawValue> {
    let event = Object::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    event.get("requestContext").ok()??;
    Some(event.raw())
}

fn letter(bytes: &[u8]) -> Result<Request, String> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let end = whole(parsed.parse(bytes))?;
    let mut request = Request::new(body(bytes, end));
    take(&mut request, parsed.headers)?;
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let uri =
        Uri::builder().scheme("http").authority(host).path_and_query(parsed.path.unwrap_or("/")).build();
    *request.uri_mut() = uri.map_err(|error| format!("the request's target or host: {error}"))?;
    *request.method_mut() = http::Method::POST;
    Ok(request)
}

/// Of an answer only the body matters: nothing else of it is signed.
fn answer(bytes: &[u8]) -> Result<Request, String> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let end = whole(httparse::Response::new(&mut headers).parse(bytes))?;
    Ok(Request::new(body(bytes, end)))
}

fn whole(parsed: httparse::Result<usize>) -> Result<usize, String> {
    match parsed {
        Ok(httparse::Status::Complete(end)) => Ok(end),
        Ok(httparse::Status::Partial) => Err("expected an empty line behind the headers".to_owned()),
        Err(error) => Err(format!("not HTTP/1.1: {error}")),
    }
}

fn body(bytes: &[u8], end: usize) -> bytes::Bytes {
    bytes.get(end..).unwrap_or_default().to_vec().into()
}

fn take(request: &mut Request, headers: &[httparse::Header<'_>]) -> Result<(), String> {
    for given in headers {
        let name: HeaderName =
            given.name.parse().map_err(|_| format!("{}: not a header's name", given.name))?;
        let value =
            HeaderValue::from_bytes(given.value).map_err(|_| format!("{name}: not a header's value"))?;
        request.headers_mut().append(name, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Message, String> {
        Message::read("github", text.as_bytes().to_vec())
    }

    #[test]
    fn a_body_alone() {
        let message = read(r#"{"a":1}"#).unwrap();
        assert_eq!(message.request.body(), &r#"{"a":1}"#);
        assert_eq!((message.request.uri().query(), message.source), (None, None));
    }

    #[test]
    fn a_request_has_its_headers_and_url() {
        let message = read("POST /github/acme?a=1 HTTP/1.1\r\nHost: h:1\r\nX-A: b\r\n\r\n{}").unwrap();
        assert_eq!(message.request.uri(), "http://h:1/github/acme?a=1");
        assert_eq!(message.request.headers()["x-a"], "b");
        assert_eq!(message.request.body(), "{}");
    }

    #[test]
    fn an_answer_has_its_body() {
        let message = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}").unwrap();
        assert_eq!(message.request.body(), "{}");
        assert!(message.request.headers().is_empty());
    }

    #[test]
    fn an_event_names_its_source() {
        let event = r#"{"version":"2.0","rawPath":"/github/acme","rawQueryString":"a=1","headers":{"host":"h","x-a":"b"},
            "pathParameters":{"source":"acme"},"requestContext":{"http":{"method":"POST"}},"body":"e30=","isBase64Encoded":true}"#;
        let message = read(event).unwrap();
        assert_eq!(message.source.as_deref(), Some("acme"));
        assert_eq!(message.request.uri(), "https://h/github/acme?a=1");
        assert_eq!(message.request.headers()["x-a"], "b");
        assert_eq!(message.request.body(), "{}");
    }

    #[test]
    fn errors_say_what_was_expected() {
        for (text, expected) in [
            ("POST /github HTTP/1.1\r\nHost: h\r\n", "expected an empty line behind the headers"),
            ("POST /github HTTP/9\r\n\r\n", "not HTTP/1.1: "),
            ("POST /github HTTP/1.1\r\nHost: a b\r\n\r\n", "the request's target or host: "),
            (r#"{"requestContext":{"http":{"method":5}}}"#, "event: expected an HTTP API event"),
        ] {
            let error = read(text).err().unwrap();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
