//! Documents behind URLs that a provider needs to verify a delivery. The shell fetches them; this module only names them.
//!
//! A provider that needs one refuses the delivery, and names the URL with the refusal. The shell fetches the document and
//! hands the same request in again, with a [`Fetched`] among its extensions. A program without a network, such as a test or
//! a diagnosis, leaves it at the refusal.

use std::fmt;

use bytes::Bytes;
use http::Request;

/// An `https` URL on the default port, without user information, fragment, or anything that two URL parsers could read
/// differently.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HttpsUrl {
    text: String,
    /// Where the host ends.
    host_end: usize,
}

/// The longest URL, in bytes.
const LONGEST: usize = 2048;

const SCHEME: &str = "https://";

impl HttpsUrl {
    /// Parses `https://<host>/<path>?<query>`; `None` for anything else.
    ///
    /// The host consists of lower-case letters, digits, hyphens and dots, so there is no port and no user information. The
    /// path has no percent escape, no empty segment and no segment of dots. Characters that RFC 3986 does not allow in a
    /// URL, a backslash among them, are refused, and so are `@` and `#` anywhere.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(SCHEME).filter(|_| text.len() <= LONGEST)?;
        let (host, target) = rest.split_once('/')?;
        let is_host =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        let labels = || host.split('.');
        let is_label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        if !host.bytes().all(is_host) || !labels().all(is_label) {
            return None;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_segment = |segment: &str| !segment.is_empty() && !segment.bytes().all(|byte| byte == b'.');
        if !path.is_empty() && !path.split('/').all(is_segment) {
            return None;
        }
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if !path.bytes().all(|byte| unreserved(byte) || byte == b'/')
            || !query.bytes().all(|byte| unreserved(byte) || b"%!$&'()*+,;=:/?".contains(&byte))
        {
            return None;
        }
        let host_end = SCHEME.len().checked_add(host.len())?;
        Some(Self { text: text.to_owned(), host_end })
    }

    /// The whole URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host.
    pub fn host(&self) -> &str {
        self.text.get(SCHEME.len()..self.host_end).unwrap_or_default()
    }

    /// The path, with its leading slash.
    pub fn path(&self) -> &str {
        let target = self.text.get(self.host_end..).unwrap_or_default();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// The query string; empty if there is none.
    pub fn query(&self) -> &str {
        self.text.split_once('?').map_or("", |(_, query)| query)
    }
}

impl fmt::Debug for HttpsUrl {
    /// Prints no query: it may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsUrl({SCHEME}{}{})", self.host(), self.path())
    }
}

/// A document that the shell has fetched for a request, among the request's extensions.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where it was fetched.
    pub url: HttpsUrl,
    /// Its content. Nothing is verified but the server's name.
    pub content: Bytes,
}

impl Fetched {
    /// The content of the document behind `url`, if it was fetched for this request.
    pub fn of<'r>(request: &'r Request<Bytes>, url: &HttpsUrl) -> Option<&'r Bytes> {
        let fetched: &Self = request.extensions().get()?;
        (fetched.url == *url).then_some(&fetched.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_reading() {
        for text in [
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a.pem",
            "https://sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:a:1:t&Token=2%3D",
            "https://a/b/c.d",
        ] {
            assert!(HttpsUrl::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "https://",
            "https:///a",
            "https://sns.us-east-1.amazonaws.com",
            "https://sns.us-east-1.amazonaws.com?a/",
            "http://sns.us-east-1.amazonaws.com/a.pem",
            "HTTPS://sns.us-east-1.amazonaws.com/a.pem",
            " https://sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com/a.pem\n",
            "https://sns.us-east-1.amazonaws.com:443/a.pem",
            "https://sns.us-east-1.amazonaws.com:/a.pem",
            "https://sns.us-east-1.amazonaws.com./a.pem",
            "https://sns..amazonaws.com/a.pem",
            "https://-sns.amazonaws.com/a.pem",
            "https://SNS.us-east-1.amazonaws.com/a.pem",
            "https://user@sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com@evil.example/a.pem",
            "https://sns.us-east-1.amazonaws.com%40evil.example/a.pem",
            "https://evil.example\\@sns.us-east-1.amazonaws.com/a.pem",
            "https://evil.example\\.sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com\\a.pem",
            "https://evil.example#@sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com/a.pem#b",
            "https://sns.us-east-1.amazonaws.com/../a.pem",
            "https://sns.us-east-1.amazonaws.com/.../a.pem",
            "https://sns.us-east-1.amazonaws.com/%2e%2e/a.pem",
            "https://sns.us-east-1.amazonaws.com//evil.example/a.pem",
            "https://sns.us-east-1.amazonaws.com/a b.pem",
            "https://sns.us-east-1.amazonaws.com/a;b.pem",
            "https://sns.us-east-1.amazonaws.com/?a=\u{e9}",
            "https://sns\u{3002}us-east-1.amazonaws.com/a.pem",
            "https://[::1]/a.pem",
            "//sns.us-east-1.amazonaws.com/a.pem",
            "https:/sns.us-east-1.amazonaws.com/a.pem",
        ] {
            assert!(HttpsUrl::parse(text).is_none(), "{text}");
        }
        assert!(HttpsUrl::parse(&format!("https://a/{}", "x".repeat(LONGEST))).is_none());
    }

    #[test]
    fn its_parts_are_those_of_its_text() {
        let url = HttpsUrl::parse("https://a.example/b/c?d=/e?f").unwrap();
        assert_eq!((url.host(), url.path(), url.query()), ("a.example", "/b/c", "d=/e?f"));
        assert_eq!(format!("{url:?}"), "HttpsUrl(https://a.example/b/c)");
        let url = HttpsUrl::parse("https://a.example/").unwrap();
        assert_eq!((url.host(), url.path(), url.query()), ("a.example", "/", ""));
    }

    #[test]
    fn a_document_counts_only_for_its_own_url() {
        let url = |path: &str| HttpsUrl::parse(&format!("https://a.example/{path}")).unwrap();
        let mut request = Request::new(Bytes::new());
        assert!(Fetched::of(&request, &url("a")).is_none());
        request.extensions_mut().insert(Fetched { url: url("a"), content: "x".into() });
        assert!(Fetched::of(&request, &url("a")).is_some());
        assert!(Fetched::of(&request, &url("b")).is_none());
    }
}
