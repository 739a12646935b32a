//! One entry of the credentials, and the URLs that Twilio may have signed.

use std::borrow::Cow;

use letterbox_codec::{
    Request,
    signature::{Algorithm, Description, Encoding, Key, Scheme, SchemeError},
};
use serde::{Deserialize, Deserializer, de::Error};

/// The header with the signature.
pub(crate) const SIGNATURE: &str = "x-twilio-signature";

/// The query parameter with the hash of a body that is no form.
pub(crate) const BODY_HASH: &str = "bodySHA256";

/// The auth token of one account.
#[derive(Deserialize)]
#[serde(try_from = "Entry")]
pub struct Credentials {
    pub(crate) secret: Key,
    pub(crate) scheme: Scheme,
    url: Option<String>,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(deserialize_with = "Key::from_text")]
    secret: Key,
    /// The URL as Twilio knows it, where the gateway changes it; else the one that was called.
    #[serde(default, deserialize_with = "absolute_url")]
    url: Option<String>,
}

impl TryFrom<Entry> for Credentials {
    type Error = SchemeError;

    fn try_from(entry: Entry) -> Result<Self, SchemeError> {
        let scheme = Scheme::new(Description {
            header: SIGNATURE.into(),
            algorithm: Algorithm::Sha1,
            encoding: Encoding::Base64,
            template: "{url}{form}".into(),
            ..Description::default()
        })?;
        Ok(Self { secret: entry.secret, scheme, url: entry.url })
    }
}

fn absolute_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let (url, _) = fragment(&text);
    let parsed = url.parse::<http::Uri>().ok();
    let is_absolute = parsed.is_some_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    });
    if is_absolute {
        Ok(Some(text))
    } else {
        Err(D::Error::custom("expected an absolute URL, such as https://hooks.example.com/twilio"))
    }
}

impl Credentials {
    /// The URLs that Twilio may have signed, the likeliest first: with and without a port, as its own libraries try them
    /// (<https://github.com/twilio/twilio-python/blob/main/twilio/request_validator.py>, read 2026-11-26).
    ///
    /// The entry's URL comes in place of the one that was called. Without a query string of its own it gets the request's;
    /// with one, the hash that Twilio adds for a JSON body. Its fragment, which has Twilio's connection overrides, is not sent
    /// and mostly not signed.
    pub(crate) fn urls(&self, request: &Request) -> Vec<String> {
        let called = request.uri().to_string();
        let known = match &self.url {
            None => vec![called],
            Some(text) => {
                let (url, fragment) = fragment(text);
                let url = with_query(url, request.uri().query().unwrap_or_default());
                let whole = (!fragment.is_empty()).then(|| format!("{url}{fragment}"));
                std::iter::once(url.into_owned()).chain(whole).collect()
            }
        };
        let mut urls = Vec::new();
        for url in known.iter().flat_map(|url| ports(url)) {
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        urls
    }
}

/// A URL without its fragment, and the fragment with its `#`.
fn fragment(url: &str) -> (&str, &str) {
    url.find('#').and_then(|at| url.split_at_checked(at)).unwrap_or((url, ""))
}

fn with_query<'u>(url: &'u str, query: &str) -> Cow<'u, str> {
    let (own, separator) = match url.split_once('?') {
        Some((_, own)) => (own, "&"),
        None => return if query.is_empty() { url.into() } else { format!("{url}?{query}").into() },
    };
    let is_hash = |parameter: &&str| parameter.split_once('=').is_some_and(|(name, _)| name == BODY_HASH);
    match query.split('&').find(is_hash) {
        Some(hash) if !own.split('&').any(|parameter| is_hash(&parameter)) => {
            format!("{url}{separator}{hash}").into()
        }
        _ => url.into(),
    }
}

/// A URL without a port, and with the one that it has or else the standard one.
fn ports(url: &str) -> [String; 2] {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        // A colon before the host belongs to a password, and one inside of brackets to an IPv6 address.
        let host = authority.rfind(['@', ']']).unwrap_or_default();
        let port = authority.get(host..)?.rfind(':').and_then(|at| at.checked_add(host));
        let (host, port) = authority.split_at_checked(port.unwrap_or(authority.len()))?;
        Some((scheme, host, port, path))
    });
    let Some((scheme, host, port, path)) = parts else { return [url.to_owned(), url.to_owned()] };
    let standard = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let port = if port.is_empty() { standard } else { port };
    [format!("{scheme}://{host}{path}"), format!("{scheme}://{host}{port}{path}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_tried_with_and_without_a_port() {
        for (url, without, with) in [
            ("https://h/p?a=b:1", "https://h/p?a=b:1", "https://h:443/p?a=b:1"),
            ("http://h", "http://h", "http://h:80"),
            ("https://h:8443/", "https://h/", "https://h:8443/"),
            ("https://u:p@h/p", "https://u:p@h/p", "https://u:p@h:443/p"),
            ("https://u:p@h:1/p", "https://u:p@h/p", "https://u:p@h:1/p"),
            ("https://[::1]/p", "https://[::1]/p", "https://[::1]:443/p"),
            ("https://[::1]:9/p", "https://[::1]/p", "https://[::1]:9/p"),
            ("https://h?a=/:x@", "https://h?a=/:x@", "https://h:443?a=/:x@"),
            ("no url", "no url", "no url"),
        ] {
            assert_eq!(ports(url), [without, with]);
        }
    }

    #[test]
    fn the_entrys_url_is_completed_by_the_request() {
        let called = "https://gateway.example.com/prod/twilio?x=1&bodySHA256=ab%20";
        for (url, expected) in [
            (None, &[called, "https://gateway.example.com:443/prod/twilio?x=1&bodySHA256=ab%20"][..]),
            (
                Some("https://h:443/t"),
                &["https://h/t?x=1&bodySHA256=ab%20", "https://h:443/t?x=1&bodySHA256=ab%20"],
            ),
            (
                Some("https://h/t/?y=2"),
                &["https://h/t/?y=2&bodySHA256=ab%20", "https://h:443/t/?y=2&bodySHA256=ab%20"],
            ),
            (
                Some("https://h/t?bodySHA256=cd"),
                &["https://h/t?bodySHA256=cd", "https://h:443/t?bodySHA256=cd"],
            ),
            (
                Some("https://h/t?y#rc=2"),
                &[
                    "https://h/t?y&bodySHA256=ab%20",
                    "https://h:443/t?y&bodySHA256=ab%20",
                    "https://h/t?y&bodySHA256=ab%20#rc=2",
                    "https://h:443/t?y&bodySHA256=ab%20#rc=2",
                ],
            ),
        ] {
            let entry = serde_json::json!({ "secret": "s", "url": url });
            let key: Credentials = serde_json::from_value(entry).unwrap();
            let mut request = Request::default();
            *request.uri_mut() = called.parse().unwrap();
            assert_eq!(key.urls(&request), expected, "{url:?}");
        }
    }

    #[test]
    fn a_url_is_absolute() {
        for url in ["", "h/t", "/t", "ftp://h/t", "https://", "https:///t", "https://h/ t"] {
            let entry = serde_json::json!({ "secret": "s", "url": url });
            let error = serde_json::from_value::<Credentials>(entry).err().unwrap().to_string();
            assert!(error.starts_with("expected an absolute URL"), "{url}: {error}");
        }
    }
}
