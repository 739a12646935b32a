//! A header map from untrusted data: bounded, and without a panic.
//!
//! [`HeaderMap`] panics above 24,576 entries, so every request that is built from an event, a file or a command line
//! gets its headers from here.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Reject;

/// The largest number of headers in a request. API Gateway forwards 10,240 bytes of them
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>, read 2026-11-26), the
/// local server 100 headers (hyper's default): ten times that leaves room for any proxy and any archive.
pub const MOST: usize = 1000;

/// The largest total size of all names and values, in bytes. The local server reads 408 KiB (hyper's default), and
/// a stored delivery must be readable again.
pub const MOST_BYTES: usize = 512 * 1024;

/// How much of an invalid name an error quotes, in characters.
const QUOTED: usize = 64;

/// Why a list of headers was rejected. No variant carries a value, which may be a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// More headers than [`MOST`].
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// More bytes than [`MOST_BYTES`].
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// An invalid header name.
    Name(String),
    /// A value with a control character.
    Value(HeaderName),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { found } => write!(f, "headers: expected at most {MOST}, found {found}"),
            Self::TooLong { found } => {
                write!(f, "headers: expected at most {MOST_BYTES} bytes of names and values, found {found}")
            }
            Self::Name(name) => write!(f, "the header {name:?}: expected a header's name"),
            Self::Value(name) => write!(f, "the header {name}: expected a value without control characters"),
        }
    }
}

impl std::error::Error for HeaderError {}

impl From<HeaderError> for Reject {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::TooMany { .. } => Self::malformed("headers", "at most 1000 headers"),
            HeaderError::TooLong { .. } => Self::malformed("headers", "at most 524288 bytes"),
            HeaderError::Name(_) => Self::malformed("headers", "valid names"),
            HeaderError::Value(name) => {
                Self::malformed(name.to_string(), "a value without control characters")
            }
        }
    }
}

/// Collects names and values in their order. If they exceed a limit, the error has the total of the whole list.
pub fn collect<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<HeaderMap, HeaderError>
where
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let mut map = HeaderMap::new();
    let mut size = Size::default();
    let mut invalid = None;
    for (name, value) in pairs {
        let (name, value) = (name.as_ref(), value.as_ref());
        size.add(1, name.len().saturating_add(value.len()));
        if invalid.is_some() || size.check().is_err() {
            continue;
        }
        match header(name, value) {
            Ok((name, value)) => {
                map.try_append(name, value).map_err(|_| HeaderError::TooMany { found: size.count })?;
            }
            Err(error) => invalid = Some(error),
        }
    }
    size.check()?;
    invalid.map_or(Ok(map), Err)
}

/// One header.
pub fn header(name: &[u8], value: &[u8]) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let name = HeaderName::from_bytes(name)
        .map_err(|_| HeaderError::Name(String::from_utf8_lossy(name).chars().take(QUOTED).collect()))?;
    match HeaderValue::from_bytes(value) {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(HeaderError::Value(name)),
    }
}

/// The size of a list of headers, for a list that other code collects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    count: usize,
    bytes: usize,
}

impl Size {
    /// Adds so many headers of so many bytes.
    pub fn add(&mut self, count: usize, bytes: usize) {
        self.count = self.count.saturating_add(count);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether the list is within both limits.
    pub const fn check(&self) -> Result<(), HeaderError> {
        if self.count > MOST {
            return Err(HeaderError::TooMany { found: self.count });
        }
        if self.bytes > MOST_BYTES {
            return Err(HeaderError::TooLong { found: self.bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(count: usize) -> impl Iterator<Item = (String, &'static str)> {
        (0..count).map(|number| (format!("x-{number}"), "v"))
    }

    #[test]
    fn a_list_is_bounded_in_number_and_bytes() {
        assert_eq!(collect(named(MOST)).unwrap().len(), MOST);
        for found in [MOST + 1, 24_577, 32_769, 100_000] {
            let error = collect(named(found)).unwrap_err();
            assert_eq!(error, HeaderError::TooMany { found });
            assert_eq!(error.to_string(), format!("headers: expected at most 1000, found {found}"));
            // The same name again and again fills the map as well.
            let repeated = std::iter::repeat_n(("x", "v"), found);
            assert_eq!(collect(repeated).unwrap_err(), HeaderError::TooMany { found });
        }
        let long = |bytes: usize| collect([("x", vec![b'v'; bytes - 1])]);
        assert_eq!(long(MOST_BYTES).unwrap().len(), 1);
        assert_eq!(long(MOST_BYTES + 1).unwrap_err(), HeaderError::TooLong { found: MOST_BYTES + 1 });
    }

    #[test]
    fn an_invalid_header_is_named_without_its_value() {
        for (name, value, expected) in [
            ("a b", "hunter2", "the header \"a b\": expected a header's name"),
            ("a\u{1b}[2J", "hunter2", "the header \"a\\u{1b}[2J\": expected a header's name"),
            ("a", "hunter2\u{1}", "the header a: expected a value without control characters"),
        ] {
            assert_eq!(collect([("b", "c"), (name, value)]).unwrap_err().to_string(), expected);
        }
        let several = [("a b", ""), ("a", "\u{1}"), ("c d", ""), ("e", "f")];
        assert_eq!(collect(several).unwrap_err(), HeaderError::Name("a b".into()), "the first is named");
        let name = "é".repeat(1000);
        assert_eq!(collect([(name, "")]).unwrap_err(), HeaderError::Name("é".repeat(QUOTED)));
    }

    #[test]
    fn a_refusal_states_the_limits_in_force() {
        let refusal = |error: HeaderError| Reject::from(error).message().into_owned();
        let (many, long) = (HeaderError::TooMany { found: 0 }, HeaderError::TooLong { found: 0 });
        assert_eq!(refusal(many), format!("headers: expected at most {MOST} headers"));
        assert_eq!(refusal(long), format!("headers: expected at most {MOST_BYTES} bytes"));
    }
}
