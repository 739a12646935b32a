//! One HTTPS client for all platforms: a time limit for the whole request, a bounded body, no redirects, a proxy by the environment.

use std::{fmt, time::Duration};

use aws_smithy_http_client::{Connector, proxy::ProxyConfig};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use letterbox_intake::aws;

/// The time limit of one request, its body included.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The largest body of a response, in bytes: Stripe returns up to 100 events a page.
const LARGEST: usize = 16 * 1024 * 1024;

/// GitHub requires one of every request.
const USER_AGENT: &str = concat!("letterbox/", env!("CARGO_PKG_VERSION"));

/// A request. Its headers may hold secrets, so it is not printed.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: String,
    /// Its headers, besides `user-agent`.
    pub headers: Vec<(&'static str, String)>,
    /// Its body; empty for none.
    pub body: String,
}

impl Request {
    /// A GET request.
    pub fn get(url: String) -> Self {
        Self { method: Method::GET, url, headers: Vec::new(), body: String::new() }
    }

    /// A POST request.
    pub fn post(url: String, body: String) -> Self {
        Self { method: Method::POST, url, headers: Vec::new(), body }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A whole response.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// The beginning of the body as text, for an error's message.
    pub fn beginning(&self) -> String {
        String::from_utf8_lossy(self.body.get(..4096).unwrap_or(&self.body)).into_owned()
    }
}

/// Why there is no response. The text has no part of the request but the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError(pub String);

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The client. It keeps connections open.
#[derive(Debug)]
pub struct Client(Connector);

impl Client {
    /// A client with TLS and the system's roots; the environment may name a proxy (`HTTPS_PROXY`, `NO_PROXY`).
    pub fn new() -> Self {
        let connector = Connector::builder().proxy_config(ProxyConfig::from_env()).tls_provider(aws::TLS);
        Self(connector.build())
    }

    /// Sends one request, once.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let host = host(&request.url);
        let error = |error: String| HttpError(format!("{host}: {error}"));
        match tokio::time::timeout(TIMEOUT, self.exchange(request)).await {
            Ok(done) => done.map_err(error),
            Err(_) => Err(error(format!("no whole response within {} s", TIMEOUT.as_secs()))),
        }
    }

    async fn exchange(&self, request: Request) -> Result<Response, String> {
        let mut head = http::Request::builder()
            .method(request.method)
            .uri(request.url)
            .header("user-agent", USER_AGENT)
            .header("accept-encoding", "identity");
        for (name, value) in request.headers {
            head = head.header(name, value);
        }
        // The error of a header could show its value.
        let built = head.body(SdkBody::from(request.body)).map_err(|_| "the request cannot be built")?;
        let built = HttpRequest::try_from(built).map_err(|_| "the request cannot be built")?;
        let response = self.0.call(built).await.map_err(|error| aws::chain(&error))?;
        let response = response.try_into_http1x().map_err(|error| aws::chain(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|error| format!("the body of the response: {error}"))?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// The host of a URL, for errors: a query string may hold a token.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default().to_owned()
}

/// Text of a platform for a log or a report: no control characters, at most `most` characters.
pub fn plain(text: &str, most: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(most).collect()
}

/// A value for a query string.
pub fn query<'p>(pairs: impl IntoIterator<Item = (&'p str, String)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn an_error_names_only_the_host() {
        assert_eq!(host("https://oapi.dingtalk.com/x?access_token=hunter2"), "oapi.dingtalk.com");
        assert_eq!(host("https://a.example?x"), "a.example");
    }

    /// A server that sends `head`, and then `again` without an end.
    fn serve(head: &'static str, again: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/list?access_token=hunter2", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let _ = connection.write_all(head.as_bytes());
            while !again.is_empty() && connection.write_all(again).is_ok() {}
            // Until the client closes the connection.
            let _ = connection.read(&mut request);
        });
        url
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_does_not_come_or_end_is_an_error() {
        for head in ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"] {
            let error = Client::new().send(Request::get(serve(head, b""))).await.unwrap_err().to_string();
            assert!(error.contains("no whole response within 20 s"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_body_without_an_end_fills_no_memory() {
        let url = serve("HTTP/1.1 200 OK\r\n\r\n", &[b' '; 8192]);
        let error = Client::new().send(Request::get(url)).await.unwrap_err().to_string();
        assert!(error.contains("the body of the response"), "{error}");
    }

    #[test]
    fn a_query_is_escaped() {
        assert_eq!(query([("a[]", "x y&z".to_owned())]), "a%5B%5D=x+y%26z");
    }

    #[test]
    fn text_of_a_platform_is_cut_and_has_no_control_characters() {
        assert_eq!(plain("a\u{7}\r\n中文b", 3), "a中文");
    }
}
