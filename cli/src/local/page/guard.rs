//! Who may see the page, which shows what deliveries contain.

use std::{ffi::OsStr, net::IpAddr};

use axum::{
    Form,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use clap::{Arg, Command, builder::TypedValueParser, error::ErrorKind};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, LOCATION, ORIGIN, REFERRER_POLICY,
        SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
    },
};
use letterbox_codec::Secret;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Desk, texts, view};
use crate::local::response::error;

/// The cookie that holds the token.
const COOKIE: &str = "letterbox_token";

/// A shorter token could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// How the names of headers begin or end that proxies, tunnels and gateways add to what they forward. No browser sends a
/// header `x-…` on its own; a script may send [`OF_SCRIPTS`]. A tunnel below HTTP adds no header: its requests look like
/// those of a browser on this machine.
const FORWARDING: [&str; 16] = [
    "akamai-",
    "cdn-",
    "cf-",
    "client-ip",
    "cloudfront-",
    "fastly-",
    "fly-",
    "forwarded",
    "incap-",
    "ngrok-",
    "proxy-",
    "tailscale-",
    "true-client-",
    "via",
    "wl-proxy-",
    "x-",
];
const FORWARDING_ENDS: [&str; 2] = ["client-ip", "clientip"];
const OF_SCRIPTS: &str = "x-requested-with";

/// Headers of every response of the server. Nothing is loaded from elsewhere, nothing frames it, and no page of another
/// origin holds a window of it.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // None at all would make a browser hide the origin of the page's own forms.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// What the browser says about where a request comes from. <https://www.w3.org/TR/fetch-metadata/> (read 2026-11-26)
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// What stands between a request and the page.
#[derive(Debug)]
pub enum Guard {
    /// The server is reachable from this machine alone, and only what comes from it directly is let in.
    Loopback,
    /// Whoever has the token.
    Token(Secret),
}

/// The token as a form or a URL gives it.
#[derive(Deserialize)]
pub struct Given {
    token: String,
}

/// Reads a token as the command line or the environment gives it: nothing that would have to be escaped in a URL or a
/// cookie. Of one that is wrong clap's own parsers would print the value.
#[derive(Clone)]
pub struct TokenParser;

impl TypedValueParser for TokenParser {
    type Value = Secret;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, given: &OsStr) -> Result<Secret, clap::Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let token = given.to_str().filter(|text| text.len() >= SHORTEST_TOKEN && text.bytes().all(is_plain));
        token.and_then(|text| Secret::new(text.to_owned()).ok()).ok_or_else(|| {
            let told = format!(
                "--token or LETTERBOX_TOKEN: expected at least {SHORTEST_TOKEN} letters, digits, `-`, `.`, `_` or `~`"
            );
            clap::Error::raw(ErrorKind::ValueValidation, told + "\n").with_cmd(command)
        })
    }
}

impl Guard {
    /// Why a request may not see the page, if so.
    fn denied(&self, headers: &HeaderMap) -> Option<AccessDenied> {
        match self {
            Self::Loopback if headers.keys().any(is_forwarding) => Some(AccessDenied::Forwarded),
            // Another server's DNS name may resolve to this machine.
            Self::Loopback if !is_loopback(host(headers)) => Some(AccessDenied::ForeignHost),
            Self::Loopback => None,
            Self::Token(token) => {
                let mut given = bearer(headers).into_iter().chain(cookies(headers, COOKIE));
                (!given.any(|given| is_equal(given, token))).then_some(AccessDenied::NoToken)
            }
        }
    }

    fn accepts(&self, given: &str) -> bool {
        matches!(self, Self::Token(token) if is_equal(given, token))
    }
}

/// Why a request may not see the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AccessDenied {
    OtherSite,
    ForeignHost,
    Forwarded,
    NoToken,
}

/// Refuses requests that a browser sends for a page of another origin: such a page could not read the response, but it
/// could measure how long it takes, and so find out what the kept deliveries contain.
pub async fn refuse_other_sites(request: Request, next: Next) -> Response {
    if is_from_other_site(request.method(), request.uri(), request.headers()) {
        return AccessDenied::OtherSite.response();
    }
    next.run(request).await
}

/// Lets through who may see the page.
pub async fn require_access(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let mut denied = desk.guard.denied(request.headers());
    if request.version() == Version::HTTP_10 && matches!(desk.guard, Guard::Loopback) {
        // Some proxies speak HTTP/1.0, and no browser does.
        denied = Some(AccessDenied::Forwarded);
    }
    match denied {
        None => next.run(request).await,
        Some(AccessDenied::NoToken) => {
            let query = request.uri().query().unwrap_or_default();
            match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token") {
                Some((_, given)) if request.method() == Method::GET => {
                    set_token_cookie(&desk, &given, request.headers())
                }
                _ => view::token(texts::wanted(request.headers()), false),
            }
        }
        Some(denied) => denied.response(),
    }
}

/// Adds [`HEADERS`] to a response.
pub async fn add_security_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Sees to it that a request names its host in one place: in HTTP/2, and in HTTP/1.1 with a whole URL, it is in the URL.
/// Sources whose signature covers the URL, and the page, look at the header `Host`.
pub async fn require_one_host(mut request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(authority)) = authority {
        let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
        if hosts.iter().any(|host| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())) {
            return error(StatusCode::BAD_REQUEST, "the header Host and the URL name different hosts");
        }
        request.headers_mut().insert(HOST, authority);
    }
    next.run(request).await
}

/// `POST /token`: the only part of the page that needs no token.
pub async fn submit_token(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Response {
    match desk.guard.denied(&headers) {
        None | Some(AccessDenied::NoToken) => {}
        Some(denied) => return denied.response(),
    }
    set_token_cookie(&desk, &given.token, &headers)
}

/// A cookie for whoever has the token, and the page without the token in its URL.
fn set_token_cookie(desk: &Desk, given: &str, headers: &HeaderMap) -> Response {
    if !desk.guard.accepts(given) {
        return view::token(texts::wanted(headers), true);
    }
    let cookie = format!("{COOKIE}={given}; HttpOnly; SameSite=Strict; Path=/");
    let headers = [(SET_COOKIE, cookie), (LOCATION, "/".to_owned())];
    (StatusCode::SEE_OTHER, headers).into_response()
}

impl AccessDenied {
    fn response(self) -> Response {
        error(StatusCode::FORBIDDEN, self.explanation())
    }

    const fn explanation(self) -> &'static str {
        match self {
            Self::OtherSite => {
                "refused: a page of another site sent this request; open the page itself, or paste its address into the address bar"
            }
            Self::ForeignHost => {
                "the page is for this machine alone: call it by 127.0.0.1 or localhost, or give `letterbox serve` a --token"
            }
            Self::Forwarded => {
                "the page is for this machine alone, and a proxy or tunnel forwarded this request: give `letterbox serve` a --token"
            }
            Self::NoToken => "the page needs the token",
        }
    }
}

/// Whether a browser says that a page of another origin made it send the request; other programs say nothing. The exception
/// is a link that leads here, if it searches nothing.
fn is_from_other_site(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    // A header that is there twice, or that is no text, is not what a browser sends.
    let text = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let first = values.next()?;
        Some(first.to_str().ok().filter(|_| values.next().is_none()).unwrap_or_default())
    };
    match text(&SEC_FETCH_SITE) {
        Some("same-origin" | "none") => {}
        Some(_) => {
            let query = uri.query().unwrap_or_default();
            let searches =
                form_urlencoded::parse(query.as_bytes()).any(|(name, text)| name == "q" && !text.is_empty());
            let is_link = method == Method::GET
                && text(&SEC_FETCH_MODE) == Some("navigate")
                && text(&SEC_FETCH_DEST) == Some("document");
            return !is_link || searches;
        }
        None => {}
    }
    let authority = |origin: &str| origin.split_once("://").map(|(_, authority)| authority.to_owned());
    text(&ORIGIN).is_some_and(|origin| authority(origin).is_none_or(|authority| authority != host(headers)))
}

fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    let begins_so = FORWARDING.iter().any(|beginning| name.starts_with(beginning));
    (begins_so && name != OF_SCRIPTS) || FORWARDING_ENDS.iter().any(|end| name.ends_with(end))
}

/// The one host that is called; empty where there is none or more than one.
fn host(headers: &HeaderMap) -> &str {
    let mut hosts = headers.get_all(HOST).into_iter();
    let only = hosts.next().filter(|_| hosts.next().is_none());
    only.and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn is_loopback(host: &str) -> bool {
    let authority = host.parse::<http::uri::Authority>().ok();
    let Some(authority) = authority.filter(|authority| !authority.as_str().contains('@')) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// The value of a cookie.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    cookies(headers, name).next()
}

/// Its values, should there be more than one.
fn cookies<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(http::header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';'));
    pairs.filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// In a time that tells nothing of the token, its length included.
fn is_equal(given: &str, token: &Secret) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(token.expose())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn without_a_token_only_this_machine_is_let_in() {
        for (host, expected) in [
            ("127.0.0.1:9000", None),
            ("localhost:9000", None),
            ("LOCALHOST", None),
            ("[::1]:9000", None),
            ("127.1.2.3", None),
            ("rebound.example:9000", Some(AccessDenied::ForeignHost)),
            ("evil@127.0.0.1", Some(AccessDenied::ForeignHost)),
            ("127.0.0.1.example", Some(AccessDenied::ForeignHost)),
            ("localhost.example", Some(AccessDenied::ForeignHost)),
            ("192.168.1.5:9000", Some(AccessDenied::ForeignHost)),
            ("a b", Some(AccessDenied::ForeignHost)),
        ] {
            assert_eq!(Guard::Loopback.denied(&headers(&[("host", host)])), expected, "{host}");
        }
        assert_eq!(Guard::Loopback.denied(&HeaderMap::new()), Some(AccessDenied::ForeignHost));
        let mut twice = headers(&[("host", "localhost")]);
        twice.append("host", HeaderValue::from_static("localhost"));
        assert_eq!(Guard::Loopback.denied(&twice), Some(AccessDenied::ForeignHost));
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-real-ip",
            "x-original-host",
            "via",
            "cf-ray",
            "true-client-ip",
            "x-azure-clientip",
            "tailscale-user-login",
            "x-envoy-external-address",
            "x-azure-socketip",
            "x-appengine-user-ip",
            "x-host",
            "x-scheme",
            "x-client-ip",
            "x-cluster-client-ip",
            "x-proxyuser-ip",
            "x-cloud-trace-context",
            "fastly-client-ip",
            "fly-client-ip",
            "ngrok-trace-id",
            "wl-proxy-client-ip",
            "proxy-connection",
        ] {
            let headers = headers(&[("host", "localhost"), (name, "203.0.113.7")]);
            assert_eq!(Guard::Loopback.denied(&headers), Some(AccessDenied::Forwarded), "{name}");
        }
        for name in
            ["x-requested-with", "viewport-width", "accept", "sec-fetch-site", "last-event-id", "priority"]
        {
            assert_eq!(
                Guard::Loopback.denied(&headers(&[("host", "localhost"), (name, "a")])),
                None,
                "{name}"
            );
        }
    }

    #[test]
    fn with_a_token_whoever_has_it_is_let_in() {
        let guard = Guard::Token(Secret::new("0123456789abcdef".into()).unwrap());
        for (lines, is_in) in [
            (&[("cookie", "a=b; letterbox_token=0123456789abcdef; c=d")][..], true),
            (&[("authorization", "Bearer 0123456789abcdef"), ("x-forwarded-for", "203.0.113.7")], true),
            (&[("cookie", "letterbox_token=0123456789abcdee")], false),
            (&[("cookie", "letterbox_token=")], false),
            (&[("cookie", "xletterbox_token=0123456789abcdef")], false),
            (&[("authorization", "Basic 0123456789abcdef")], false),
            (&[("host", "127.0.0.1")], false),
        ] {
            let denied = guard.denied(&headers(lines));
            assert_eq!(denied, (!is_in).then_some(AccessDenied::NoToken), "{lines:?}");
        }
    }

    #[test]
    fn a_page_of_another_site_makes_a_browser_do_nothing() {
        let navigate = ("sec-fetch-mode", "navigate");
        let document = ("sec-fetch-dest", "document");
        let link = [("sec-fetch-site", "cross-site"), navigate, document];
        for (lines, posts, gets) in [
            (&[][..], true, true),
            (&[("origin", "http://127.0.0.1:9000")], true, true),
            (&[("origin", "http://127.0.0.1:9000"), ("sec-fetch-site", "same-origin")], true, true),
            (&[("sec-fetch-site", "none"), navigate, document], true, true),
            (&[("origin", "http://127.0.0.1:8000")], false, false),
            (&[("origin", "https://evil.example")], false, false),
            (&[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], false, false),
            (&[("origin", "null")], false, false),
            (&[("sec-fetch-site", "cross-site")], false, false),
            (&[("sec-fetch-site", "same-site")], false, false),
            (&[("sec-fetch-site", "")], false, false),
            (&[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], false, false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "no-cors"),
                    ("sec-fetch-dest", "image"),
                ],
                false,
                false,
            ),
            (&[("sec-fetch-site", "cross-site"), navigate, ("sec-fetch-dest", "iframe")], false, false),
            (&[("sec-fetch-site", "cross-site"), navigate], false, false),
            (&link, false, true),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("host", "127.0.0.1:9000")].iter().chain(lines) {
                headers.append(*name, HeaderValue::from_static(value));
            }
            let uri = Uri::from_static("/deliveries?provider=github&q=");
            for (method, is_in) in [(Method::POST, posts), (Method::GET, gets)] {
                assert_eq!(is_from_other_site(&method, &uri, &headers), !is_in, "{method} {lines:?}");
            }
        }
        // How long a search takes says what it found.
        let search = Uri::from_static("/deliveries?q=a");
        assert!(is_from_other_site(&Method::GET, &search, &headers(&link)));
    }
}
