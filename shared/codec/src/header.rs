//! Short texts in request headers.

use http::HeaderMap;

use crate::{Reject, json::LONGEST_LABEL};

/// The one value of a header; `None` where it is absent or empty.
pub fn label<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Reject> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(text) if text.len() <= LONGEST_LABEL && values.next().is_none() => {
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        _ => Err(Reject::malformed(name.to_owned(), "one text of at most 256 visible ASCII characters")),
    }
}
