//! `application/x-www-form-urlencoded` text: query strings and form bodies.

use std::borrow::Cow;

use crate::Reject;

/// The one value of `name` (percent-decoded once), `None` where it is absent.
/// A name that comes twice is ambiguous, and refused.
pub fn one<'a>(text: &'a [u8], name: &'static str) -> Result<Option<Cow<'a, str>>, Reject> {
    let mut values = form_urlencoded::parse(text).filter(|(key, _)| key == name).map(|(_, value)| value);
    let first = values.next();
    match values.next() {
        Some(_) => Err(Reject::Malformed { field: name.into(), expected: "to be there only once" }),
        None => Ok(first),
    }
}
