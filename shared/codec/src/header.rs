//! Labels in request headers.

use http::HeaderMap;

use crate::json::is_attribute;

/// The value of a header that is present once and fits an attribute of the event. Headers are not signed.
pub fn label<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && is_attribute(value)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_only_value_of_its_header() {
        for (values, expected) in [
            (&["push"][..], Some("push")),
            (&["push", "push"], None),
            (&[""], None),
            (&["é"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-event", value.parse().unwrap());
            }
            assert_eq!(label(&headers, "X-Event"), expected, "{values:?}");
        }
    }
}
