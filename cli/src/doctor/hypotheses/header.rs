//! The header with the signature was changed in transit.

use crate::doctor::{
    causes,
    diagnosis_input::DiagnosisInput,
    finding::{Finding, Variants},
    signing::schemes,
};

/// The header as it was before a change, or `None` where that change cannot have been.
type Undo = fn(&str) -> Option<String>;

/// Changes of one value.
const CHANGES: [(&str, Undo); 8] = [
    ("has quotes around it", |value| Some(value.trim().strip_prefix('"')?.strip_suffix('"')?.to_owned())),
    ("has percent escapes in it, such as `%3D`", |value| {
        Some(percent_encoding::percent_decode_str(value).decode_utf8().ok()?.into_owned())
    }),
    ("has spaces where there was `+`", |value| Some(value.replace(' ', "+"))),
    ("has spaces in it", |value| Some(value.split_whitespace().collect())),
    ("has escapes of HTML in it, such as `&#x3D;`", |value| {
        Some(
            value.replace("&#x3D;", "=").replace("&#61;", "=").replace("&equals;", "=").replace("&#43;", "+"),
        )
    }),
    ("has an escape such as `\\u003d` in it", |value| {
        Some(
            value
                .replace("\\u003d", "=")
                .replace("\\u003D", "=")
                .replace("\\u002b", "+")
                .replace("\\u002B", "+"),
        )
    }),
    ("ends with a comma or semicolon", |value| Some(value.trim_end_matches([',', ';', ' ']).to_owned())),
    ("has its name in front of it", |value| Some(value.split_once(": ")?.1.to_owned())),
];

/// A header that came several times, or whose values a gateway joined with commas: each value alone.
pub(super) fn joined(delivery: &DiagnosisInput) -> Variants<'_> {
    let variants = schemes(delivery).into_iter().flat_map(move |signing| {
        signing.names().into_iter().flat_map(move |name| {
            let values = values(delivery, &name);
            let times = delivery.request.headers().get_all(name.as_str()).iter().count();
            let (count, how) = match (values.len(), times) {
                (0 | 1, _) => return Vec::new(),
                (count, 1) => (count, format!("{name} contains several values, joined by commas")),
                (count, times) => (count, format!("{name} comes {times} times")),
            };
            let variant = |(number, value): (usize, &String)| {
                let detail = format!("{how}. Value {number} of {count} alone is accepted.");
                let remedy = format!(
                    "Configure the sender or the gateway to send {name} once, with one value or in the form that the scheme has for several."
                );
                let finding = Finding::new(&causes::SIGNATURE_MALFORMED, detail).remedy(remedy);
                Some(finding.corrected(delivery.with_header(&name, value)?))
            };
            (1..).zip(&values).filter_map(variant).collect()
        })
    });
    Box::new(variants)
}

/// The values of a header, each alone: those that came apart, and those that commas join. A prefix such as `v1,` has a
/// comma of its own, so a value can begin at each part.
fn values(delivery: &DiagnosisInput, name: &str) -> Vec<String> {
    let came = delivery.request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut values = Vec::new();
    for value in came {
        let parts: Vec<_> = value.split(',').map(str::trim).collect();
        let marks: Vec<_> = parts.iter().map(|part| mark(part)).collect();
        let starts: Vec<_> = (0..parts.len()).filter(|start| marks.get(*start) == marks.first()).collect();
        for (position, start) in starts.iter().enumerate() {
            let end = starts.get(position.saturating_add(1)).copied().unwrap_or(parts.len());
            values.extend(parts.get(*start..end).map(|parts| parts.join(",")));
        }
    }
    values
}

/// What a part begins with: a name and `=`, a version such as `v1`, or nothing. Values of one header begin alike.
fn mark(part: &str) -> &str {
    match part.split_once('=') {
        Some((name, rest)) if !rest.trim_matches('=').is_empty() => name,
        _ if part.len() <= 4 && part.starts_with('v') => "v",
        _ => "",
    }
}

pub(super) fn altered(delivery: &DiagnosisInput) -> Variants<'_> {
    let variants = schemes(delivery).into_iter().flat_map(move |signing| {
        signing.names().into_iter().flat_map(move |name| {
            let Some(value) = delivery.header(&name).map(str::to_owned) else { return Vec::new() };
            let undone = CHANGES.iter().filter_map(|(described, undo)| Some((*described, undo(&value)?)));
            let variant = |(described, undone): (&str, String)| {
                let finding = Finding::new(&causes::SIGNATURE_MALFORMED, format!("{name} {described}."));
                Some(finding.corrected(delivery.with_header(&name, &undone)?))
            };
            undone.filter(|(_, undone)| *undone != value).filter_map(variant).collect()
        })
    });
    Box::new(variants)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Credentials;

    fn values_of(headers: &[&str]) -> Vec<String> {
        let mut request = letterbox_codec::Request::default();
        for value in headers {
            request.headers_mut().append("x-a", value.parse().unwrap());
        }
        let delivery = DiagnosisInput {
            provider: letterbox_registry::DESCRIBED,
            source: "default".into(),
            request,
            now: letterbox_codec::Timestamp(0),
            credentials: Credentials::default(),
        };
        values(&delivery, "x-a")
    }

    #[test]
    fn joined_values_are_taken_apart() {
        for (headers, expected) in [
            (&["v1,AAAA,v1,BBBB="][..], &["v1,AAAA", "v1,BBBB="][..]),
            (&["v1,AAAA,v1a,BBBB"], &["v1,AAAA", "v1a,BBBB"]),
            (&["v1,AAAA"], &["v1,AAAA"]),
            (&["sha256=ab, sha256=cd"], &["sha256=ab", "sha256=cd"]),
            (&["t=1,v1=a,t=2,v1=b"], &["t=1,v1=a", "t=2,v1=b"]),
            (&["t=1,v1=a,v1=b"], &["t=1,v1=a,v1=b"]),
            (&["abcdef,012345"], &["abcdef", "012345"]),
            (&["abcd==", "t=1,v1=a"], &["abcd==", "t=1,v1=a"]),
            (&[], &[]),
        ] {
            assert_eq!(values_of(headers), expected, "{headers:?}");
        }
    }
}
