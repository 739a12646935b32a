//! `application/x-www-form-urlencoded` text: query strings and form bodies.

use std::borrow::Cow;

use crate::Reject;

/// The value of `name`, percent-decoded once, or `None` if it is absent. A name that appears twice is ambiguous and gives
/// [`Reject::Malformed`].
pub fn one<'a>(text: &'a [u8], name: &str) -> Result<Option<Cow<'a, str>>, Reject> {
    let mut values = form_urlencoded::parse(text).filter(|(key, _)| key == name).map(|(_, value)| value);
    let first = values.next();
    match values.next() {
        Some(_) => Err(Reject::Malformed { field: name.to_owned().into(), expected: "to appear only once" }),
        None => Ok(first),
    }
}
