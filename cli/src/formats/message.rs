//! Reads one message: a body, an API Gateway event or raw HTTP.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use letterbox_codec::{
    Request,
    headers::{self, HeaderError},
    json::Object,
};
use letterbox_intake::gateway;

/// A message, and its source if that is known.
pub struct Message {
    /// The body, with its headers and URL if the input has them.
    pub request: Request,
    /// The source, if the message names it.
    pub source: Option<String>,
}

impl Message {
    /// Detects the format and reads it. No platform's body begins like HTTP or has a `requestContext`.
    pub fn read(provider: &str, bytes: Vec<u8>) -> Result<Self, String> {
        if let Some(event) = event(&bytes) {
            let event = gateway::read(event).map_err(|reject| reject.message().into_owned())?;
            let (source, request) =
                gateway::request(provider, event).map_err(|reject| reject.message().into_owned())?;
            return Ok(Self { request, source: Some(source) });
        }
        let request = if let Some(response) = response(&bytes) {
            // Only the body is needed: no platform signs another part of a response.
            Request::new(response?.1)
        } else if bytes.starts_with(b"POST ") {
            request(&bytes)?
        } else {
            Request::new(bytes.into())
        };
        Ok(Self { request, source: None })
    }
}

/// The JSON of an API Gateway event.
fn event(bytes: &[u8]) -> Option<&serde_json::value::RawValue> {
    let event = Object::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    event.get("requestContext").ok()??;
    Some(event.raw())
}

fn request(bytes: &[u8]) -> Result<Request, String> {
    let mut headers = vec![httparse::EMPTY_HEADER; headers::MOST];
    let mut parsed = httparse::Request::new(&mut headers);
    let end = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Err("expected an empty line after the headers".to_owned()),
        Err(httparse::Error::TooManyHeaders) => {
            let found =
                bytes.split(|byte| *byte == b'\n').skip(1).take_while(|line| !line.trim_ascii().is_empty());
            return Err(HeaderError::TooMany { found: found.count() }.to_string());
        }
        Err(error) => return Err(format!("expected an HTTP/1.1 request: {error}")),
    };
    let mut request = Request::new(Bytes::copy_from_slice(bytes.get(end..).unwrap_or_default()));
    let given = parsed.headers.iter().map(|header| (header.name, header.value));
    *request.headers_mut() = headers::collect(given).map_err(|error| error.to_string())?;
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let uri =
        Uri::builder().scheme("http").authority(host).path_and_query(parsed.path.unwrap_or("/")).build();
    *request.uri_mut() = uri.map_err(|error| format!("the request's target or host: {error}"))?;
    *request.method_mut() = http::Method::POST;
    Ok(request)
}

/// The status and body of a response, as `curl --include` prints it; `None` if the bytes do not begin like one.
pub fn response(bytes: &[u8]) -> Option<Result<(StatusCode, Bytes), String>> {
    const EXPECTED: &str =
        "expected a status line, headers, an empty line and the body, as `curl --include` prints them";
    if !bytes.starts_with(b"HTTP/") {
        return None;
    }
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let end = ends.iter().find_map(|end| {
        let at = bytes.windows(end.len()).position(|window| window == *end)?;
        Some((bytes.get(..at)?, bytes.get(at.checked_add(end.len())?..)?))
    });
    let read = end.and_then(|(head, body)| {
        let status = String::from_utf8_lossy(head).split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some((status, Bytes::copy_from_slice(body)))
    });
    Some(read.ok_or_else(|| EXPECTED.to_owned()))
}

/// Splits `NAME: VALUE`.
pub fn name_and_value(line: &str) -> Result<(&str, &str), String> {
    let (name, value) =
        line.split_once(':').ok_or("expected `NAME: VALUE`, such as `X-GitHub-Event: push`")?;
    Ok((name.trim(), value.trim()))
}

/// Parses a header from `NAME: VALUE`.
pub fn header_line(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = name_and_value(line)?;
    headers::header(name.as_bytes(), value.as_bytes()).map_err(|error| error.to_string())
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
        for head in ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/2 401\na: b\n\n"] {
            let message = read(&format!("{head}{{}}")).unwrap();
            assert_eq!(message.request.body(), "{}");
            assert!(message.request.headers().is_empty());
        }
    }

    #[test]
    fn a_header_has_a_name_and_a_value() {
        let (name, value) = header_line("X-Signature:  t=1,v1=a:b ").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-signature", "t=1,v1=a:b"));
        for (line, expected) in [
            ("X-Signature", "expected `NAME: VALUE`"),
            ("a b: c", "expected a header's name"),
            ("a: hunter2\u{1}", "the header a: expected a value without"),
        ] {
            let error = header_line(line).unwrap_err();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
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
            ("POST /github HTTP/1.1\r\nHost: h\r\n", "expected an empty line after the headers"),
            ("POST /github HTTP/9\r\n\r\n", "expected an HTTP/1.1 request: "),
            ("POST /github HTTP/1.1\r\nHost: a b\r\n\r\n", "the request's target or host: "),
            ("HTTP/1.1 200 OK\r\n", "expected a status line, "),
            (r#"{"requestContext":{"http":{"method":5}}}"#, "event: expected an HTTP API event"),
        ] {
            let error = read(text).err().unwrap();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
