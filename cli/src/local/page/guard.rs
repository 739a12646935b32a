//! Decides which requests may see the page, because it shows the content of deliveries.

use std::{ffi::OsStr, net::IpAddr};

use clap::{Arg, Command, builder::TypedValueParser, error::ErrorKind};
use http::{
    HeaderMap, HeaderName, Method, Uri,
    header::{AUTHORIZATION, HOST, ORIGIN},
};
use letterbox_codec::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::cookies::cookies;

/// The cookie with the token.
pub const COOKIE: &str = "letterbox_token";

/// The minimum length of a token in characters; a shorter one could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Prefixes and suffixes of headers that proxies, tunnels and gateways add to requests that they forward. Browsers send no
/// header `x-…` of their own; a script may send [`OF_SCRIPTS`]. A tunnel below HTTP adds no header: its requests look like
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

/// Fetch Metadata headers, with which a browser describes the origin of a request. <https://www.w3.org/TR/fetch-metadata/> (read 2026-11-26)
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Sent by a browser that loads a page ahead, before the user follows a link to it.
/// <https://wicg.github.io/nav-speculation/prefetch.html#sec-purpose-header> (read 2026-11-26)
const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");

/// The parameters of the filters, and those of a place in the archive's list.
const FILTERS: [&str; 10] =
    ["provider", "source", "outcome", "type", "q", "reason", "since", "until", "after", "reached"];

/// The access rule of the page.
#[derive(Debug)]
pub enum Guard {
    /// The server listens on the loopback address; only requests that come directly from this machine may see the page.
    Loopback,
    /// Only requests with this token may see the page.
    Token(Secret),
}

/// Parses a token from the command line or the environment. It may contain only characters that need no escaping in a URL
/// or a cookie. clap's own parsers would print an invalid value.
#[derive(Clone)]
pub struct TokenParser;

impl TypedValueParser for TokenParser {
    type Value = Secret;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, given: &OsStr) -> Result<Secret, clap::Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let token = given.to_str().filter(|text| text.len() >= SHORTEST_TOKEN && text.bytes().all(is_plain));
        token.and_then(|text| Secret::new(text.to_owned()).ok()).ok_or_else(|| {
            let message = format!(
                "--token or LETTERBOX_TOKEN: expected at least {SHORTEST_TOKEN} letters, digits, `-`, `.`, `_` or `~`"
            );
            clap::Error::raw(ErrorKind::ValueValidation, message + "\n").with_cmd(command)
        })
    }
}

impl Guard {
    /// The reason to deny a request; `None` if it may see the page.
    pub fn denied(&self, headers: &HeaderMap) -> Option<AccessDenied> {
        match self {
            Self::Loopback if headers.keys().any(is_forwarding) => Some(AccessDenied::Forwarded),
            // The DNS name of another site may resolve to this machine (DNS rebinding).
            Self::Loopback if !is_loopback(host(headers)) => Some(AccessDenied::ForeignHost),
            Self::Loopback => None,
            Self::Token(token) => {
                let mut given = bearer(headers).into_iter().chain(cookies(headers, COOKIE));
                (!given.any(|given| is_equal(given, token))).then_some(AccessDenied::NoToken)
            }
        }
    }

    /// True if `given` is the token.
    pub fn accepts(&self, given: &str) -> bool {
        matches!(self, Self::Token(token) if is_equal(given, token))
    }
}

/// Why a request may not see the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessDenied {
    /// A browser sent it for a page of another origin.
    OtherSite,
    /// Its Host header is not a loopback name.
    ForeignHost,
    /// A proxy forwarded it.
    Forwarded,
    /// It has no valid token.
    NoToken,
}

impl AccessDenied {
    /// The message for the response: the reason, and what to do.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::OtherSite => {
                "refused: a page of another site sent this request; open the page itself, or paste its address into the address bar"
            }
            Self::ForeignHost => {
                "the page is for this machine alone: open it as 127.0.0.1 or localhost, or start `letterbox serve` with --token"
            }
            Self::Forwarded => {
                "the page is for this machine alone, and a proxy or tunnel forwarded this request: start `letterbox serve` with --token"
            }
            Self::NoToken => {
                "the page requires the token: enter it on the page, or send it as a bearer token"
            }
        }
    }
}

/// True if the browser reports that a page of another origin caused the request; other programs send no such headers. A
/// link that the user follows is allowed unless it filters: the duration of a filter reveals what is stored.
pub fn is_from_other_site(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    // A browser never sends these headers twice or with bytes beyond ASCII: such a value counts as empty.
    let text = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let first = values.next()?;
        Some(first.to_str().ok().filter(|_| values.next().is_none()).unwrap_or_default())
    };
    if text(&SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none") {
        let query = uri.query().unwrap_or_default();
        let filters = form_urlencoded::parse(query.as_bytes())
            .any(|(name, text)| FILTERS.contains(&&*name) && !text.is_empty());
        let is_ahead = headers.contains_key(SEC_PURPOSE);
        let is_link = method == Method::GET
            && !is_ahead
            && text(&SEC_FETCH_MODE) == Some("navigate")
            && text(&SEC_FETCH_DEST) == Some("document");
        return !is_link || filters;
    }
    let authority = |origin: &str| origin.split_once("://").map(|(_, authority)| authority.to_owned());
    text(&ORIGIN).is_some_and(|origin| authority(origin).is_none_or(|authority| authority != host(headers)))
}

fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    let has_prefix = FORWARDING.iter().any(|beginning| name.starts_with(beginning));
    (has_prefix && name != OF_SCRIPTS) || FORWARDING_ENDS.iter().any(|end| name.ends_with(end))
}

/// The value of the Host header; empty if there is none or more than one.
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

/// Constant-time comparison of digests, so that neither the token nor its length leaks.
fn is_equal(given: &str, token: &Secret) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(token.expose())).into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

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
    fn only_requests_with_the_token_may_see_the_page() {
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
    fn requests_caused_by_another_site_are_refused() {
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
            let uri = Uri::from_static("/deliveries?type=&q=");
            for (method, is_in) in [(Method::POST, posts), (Method::GET, gets)] {
                assert_eq!(is_from_other_site(&method, &uri, &headers), !is_in, "{method} {lines:?}");
            }
        }
        // The duration of a filter reveals whether it found anything.
        for name in FILTERS {
            let filtered = format!("/deliveries/1?before=9&{name}=a").parse().unwrap();
            assert!(is_from_other_site(&Method::GET, &filtered, &headers(&link)), "{name}");
        }
        assert!(!is_from_other_site(&Method::GET, &Uri::from_static("/?token=a&before=9"), &headers(&link)));
        // The user has not followed a page that the browser loads ahead.
        for purpose in ["prefetch", "prefetch;prerender"] {
            let headers = headers(&[link[0], navigate, document, ("sec-purpose", purpose)]);
            assert!(
                is_from_other_site(&Method::GET, &Uri::from_static("/deliveries"), &headers),
                "{purpose}"
            );
        }
    }
}
