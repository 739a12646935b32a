//! The event's type, as an entry says where it stands.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use letterbox_codec::{
    Reject, header,
    json::is_attribute,
    signature::{HeaderFamily, SchemeError},
    verified::Payload,
};

/// Where the event's type stands: one place, or a text with places.
#[derive(Debug)]
pub(crate) struct EventType(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// A path in the payload.
    Path(String),
    /// A header, which is not signed.
    Header(HeaderName),
}

impl EventType {
    /// Parses `type`: a path (`events.0.kind`), or a text with places (`{entity}.{header:x-action}`).
    pub fn parse(text: &str) -> Result<Self, SchemeError> {
        const EXPECTED: &str = "the path of a member, such as data.kind, or a text with paths and headers in braces, such as {entity}.{header:x-action}";
        let error = || SchemeError::new("type", EXPECTED);
        if !text.contains(['{', '}']) {
            return if text.is_empty() { Err(error()) } else { Ok(Self(vec![Part::Path(text.to_owned())])) };
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, place)) = rest.split_once('{') {
            parts.push(Part::Literal(literal.to_owned()));
            let (place, after) = place.split_once('}').ok_or_else(error)?;
            parts.push(match place.strip_prefix("header:") {
                Some(name) => Part::Header(name.parse().map_err(|_| error())?),
                None if place.is_empty() || place.contains('{') => return Err(error()),
                None => Part::Path(place.to_owned()),
            });
            rest = after;
        }
        if rest.contains('}') {
            return Err(error());
        }
        parts.push(Part::Literal(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Literal(text) if text.is_empty()));
        Ok(Self(parts))
    }

    /// The type is the value of a header.
    pub fn header(name: HeaderName) -> Self {
        Self(vec![Part::Header(name)])
    }

    /// The headers that the type is read from.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().filter_map(|part| match part {
            Part::Header(name) => Some(name),
            _ => None,
        })
    }

    /// The type of a delivery; `default` where a place has no value that can be one. Without a default that is
    /// [`Reject::Missing`] or [`Reject::Malformed`].
    pub fn read<'p>(
        &self,
        payload: &Payload<'p>,
        headers: &'p HeaderMap,
        family: HeaderFamily<'_>,
        default: Option<&str>,
    ) -> Result<Cow<'p, str>, Reject> {
        let mut text = Cow::Borrowed("");
        for part in &self.0 {
            let Some(value) = part.read(payload, headers, family)? else {
                return match default {
                    Some(default) => Ok(Cow::Owned(default.to_owned())),
                    None => Err(part.refusal(payload)),
                };
            };
            // `+` keeps the borrow where there is one part alone.
            text += value;
        }
        if is_attribute(&text) { Ok(text) } else { Err(Reject::malformed("type", EXPECTED)) }
    }
}

const EXPECTED: &str = "a string or number of 1 to 256 bytes without control characters";

impl Part {
    /// The value, if there is one that can be a type or a part of it.
    fn read<'p>(
        &self,
        payload: &Payload<'p>,
        headers: &'p HeaderMap,
        family: HeaderFamily<'_>,
    ) -> Result<Option<Cow<'p, str>>, Reject> {
        Ok(match self {
            Self::Literal(text) => Some(Cow::Owned(text.clone())),
            Self::Path(path) => payload.label(path)?,
            Self::Header(name) => header::label(headers, family.name(name).as_str()).map(Cow::Borrowed),
        })
    }

    /// Why there is no value.
    fn refusal(&self, payload: &Payload<'_>) -> Reject {
        match self {
            Self::Path(path) if matches!(payload.get(path), Ok(None)) => Reject::missing(path.clone()),
            Self::Path(path) => Reject::malformed(path.clone(), EXPECTED),
            Self::Header(name) => Reject::malformed(name.to_string(), "one event type"),
            Self::Literal(_) => Reject::malformed("type", EXPECTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_place_and_braces_make_a_text() {
        let path = |text: &str| Part::Path(text.into());
        let literal = |text: &str| Part::Literal(text.into());
        let header = Part::Header(HeaderName::from_static("x-kind"));
        for (text, expected) in [
            ("data.kind", vec![path("data.kind")]),
            ("events.0.kind", vec![path("events.0.kind")]),
            ("{entity}.{action}", vec![path("entity"), literal("."), path("action")]),
            ("a/{0.b}", vec![literal("a/"), path("0.b")]),
            ("{header:X-Kind}.{action}", vec![header, literal("."), path("action")]),
            ("{a}{b}!", vec![path("a"), path("b"), literal("!")]),
        ] {
            assert_eq!(EventType::parse(text).unwrap().0, expected, "{text}");
        }
        for text in ["", "{", "}", "{}", "{a", "a}", "{a}}", "{{a}}", "{header:}", "{header:a b}"] {
            assert_eq!(EventType::parse(text).unwrap_err().field, "type", "{text}");
        }
    }
}
