//! Who may see the page: it shows what the letters say.

use std::{ffi::OsStr, net::IpAddr};

use axum::{
    Form,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use clap::{Arg, Command, builder::TypedValueParser, error::ErrorKind};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
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

/// How the names of headers begin or end that proxies and tunnels add to what they forward. A tunnel below HTTP adds
/// none, and cannot be told from a browser.
const FORWARDING: [&str; 8] =
    ["forwarded", "x-forwarded", "x-real-ip", "x-original-", "via", "cf-", "cdn-loop", "tailscale-"];
const FORWARDING_ENDS: [&str; 2] = ["client-ip", "clientip"];

/// What every answer of the page has. Nothing is loaded from elsewhere, and nothing frames it.
const HEADERS: [(HeaderName, &str); 5] = [
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
];

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
    /// Why a request is not let in, if so.
    fn objection(&self, method: &Method, headers: &HeaderMap) -> Option<Objection> {
        // A page elsewhere can make a browser post here, but not hide that it did.
        if method != Method::GET && !is_same_origin(headers) {
            return Some(Objection::ForeignOrigin);
        }
        match self {
            Self::Loopback if headers.keys().any(is_forwarding) => Some(Objection::Forwarded),
            // A name that somebody else's server resolves to this machine is not this machine's.
            Self::Loopback if !is_loopback(host(headers)) => Some(Objection::ForeignHost),
            Self::Loopback => None,
            Self::Token(token) => {
                let mut given = bearer(headers).into_iter().chain(cookies(headers, COOKIE));
                (!given.any(|given| is_equal(given, token))).then_some(Objection::NoToken)
            }
        }
    }

    fn accepts(&self, given: &str) -> bool {
        matches!(self, Self::Token(token) if is_equal(given, token))
    }
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Objection {
    ForeignOrigin,
    ForeignHost,
    Forwarded,
    NoToken,
}

/// Lets in who may see the page.
pub async fn keep(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let mut objection = desk.guard.objection(request.method(), request.headers());
    if request.version() == Version::HTTP_10 && matches!(desk.guard, Guard::Loopback) {
        // As some proxies speak, and no browser.
        objection = Some(Objection::Forwarded);
    }
    match objection {
        None => next.run(request).await,
        Some(Objection::NoToken) => {
            let query = request.uri().query().unwrap_or_default();
            match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token") {
                Some((_, given)) if request.method() == Method::GET => {
                    admit(&desk, &given, request.headers())
                }
                _ => view::token(texts::wanted(request.headers()), false),
            }
        }
        Some(other) => error(StatusCode::FORBIDDEN, other.told()),
    }
}

/// Sees to the headers of every answer.
pub async fn dress(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// `POST /token`: the only part of the page that is open to everybody.
pub async fn enter(State(desk): State<Desk>, headers: HeaderMap, Form(given): Form<Given>) -> Response {
    match desk.guard.objection(&Method::POST, &headers) {
        None | Some(Objection::NoToken) => {}
        Some(other) => return error(StatusCode::FORBIDDEN, other.told()),
    }
    admit(&desk, &given.token, &headers)
}

/// A cookie for whoever has the token, and the page without the token in its URL.
fn admit(desk: &Desk, given: &str, headers: &HeaderMap) -> Response {
    if !desk.guard.accepts(given) {
        return view::token(texts::wanted(headers), true);
    }
    let cookie = format!("{COOKIE}={given}; HttpOnly; SameSite=Strict; Path=/");
    let headers = [(SET_COOKIE, cookie), (LOCATION, "/".to_owned())];
    (StatusCode::SEE_OTHER, headers).into_response()
}

impl Objection {
    const fn told(self) -> &'static str {
        match self {
            Self::ForeignOrigin => "only the page itself may do that",
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

/// Whether a browser says that the page itself asks; other programs say nothing.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site = text(&HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let authority = |origin: &str| origin.split_once("://").map(|(_, authority)| authority.to_owned());
    text(&ORIGIN).is_none_or(|origin| authority(origin).is_some_and(|authority| authority == host(headers)))
}

fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    FORWARDING_ENDS.iter().any(|end| name.ends_with(end))
        || FORWARDING.iter().any(|beginning| name.starts_with(beginning))
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
            ("rebound.example:9000", Some(Objection::ForeignHost)),
            ("evil@127.0.0.1", Some(Objection::ForeignHost)),
            ("127.0.0.1.example", Some(Objection::ForeignHost)),
            ("localhost.example", Some(Objection::ForeignHost)),
            ("192.168.1.5:9000", Some(Objection::ForeignHost)),
            ("a b", Some(Objection::ForeignHost)),
        ] {
            assert_eq!(
                Guard::Loopback.objection(&Method::GET, &headers(&[("host", host)])),
                expected,
                "{host}"
            );
        }
        assert_eq!(Guard::Loopback.objection(&Method::GET, &HeaderMap::new()), Some(Objection::ForeignHost));
        let mut twice = headers(&[("host", "localhost")]);
        twice.append("host", HeaderValue::from_static("localhost"));
        assert_eq!(Guard::Loopback.objection(&Method::GET, &twice), Some(Objection::ForeignHost));
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
        ] {
            let mut headers = headers(&[("host", "localhost")]);
            headers.insert(name, HeaderValue::from_static("203.0.113.7"));
            assert_eq!(
                Guard::Loopback.objection(&Method::GET, &headers),
                Some(Objection::Forwarded),
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
            let objection = guard.objection(&Method::GET, &headers(lines));
            assert_eq!(objection, (!is_in).then_some(Objection::NoToken), "{lines:?}");
        }
    }

    #[test]
    fn no_other_page_makes_a_browser_do_anything() {
        for (lines, is_in) in [
            (&[("host", "127.0.0.1:9000")][..], true),
            (&[("host", "127.0.0.1:9000"), ("origin", "http://127.0.0.1:9000")], true),
            (
                &[
                    ("host", "127.0.0.1:9000"),
                    ("origin", "http://127.0.0.1:9000"),
                    ("sec-fetch-site", "same-origin"),
                ],
                true,
            ),
            (&[("host", "127.0.0.1:9000"), ("origin", "http://127.0.0.1:8000")], false),
            (&[("host", "127.0.0.1:9000"), ("origin", "https://evil.example")], false),
            (&[("host", "127.0.0.1:9000"), ("origin", "null")], false),
            (&[("host", "127.0.0.1:9000"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "127.0.0.1:9000"), ("sec-fetch-site", "same-site")], false),
        ] {
            let objection = Guard::Loopback.objection(&Method::POST, &headers(lines));
            assert_eq!(objection, (!is_in).then_some(Objection::ForeignOrigin), "{lines:?}");
        }
    }
}
