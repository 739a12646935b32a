//! `application/x-www-form-urlencoded` text: query strings and form bodies.

use std::borrow::Cow;

use crate::Reject;

/// The value of `name`, percent-decoded once; `None` if it is absent, [`Reject::Malformed`] if it appears twice.
pub fn one<'a>(text: &'a [u8], name: &'static str) -> Result<Option<Cow<'a, str>>, Reject> {
    let mut values = form_urlencoded::parse(text).filter(|(key, _)| key == name).map(|(_, value)| value);
    let first = values.next();
    match values.next() {
        Some(_) => Err(Reject::Malformed { field: name.into(), expected: "to appear only once" }),
        None => Ok(first),
    }
}
