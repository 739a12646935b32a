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
    /// The name of the payload's only other member.
    Except(String),
}

/// Where the event's time stands.
#[derive(Debug)]
pub(crate) enum EventTime {
    /// In the payload.
    Payload(EventType),
    /// It is the signed timestamp.
    Signed,
}

impl EventTime {
    /// Parses `time`: a path, a text with paths (`{date}Z`), or `{timestamp}`, if the scheme has one.
    pub fn parse(text: &str, is_timed: bool) -> Result<Self, SchemeError> {
        let error = |expected: &'static str| Err(SchemeError::new("time", expected));
        if text == "{timestamp}" {
            return if is_timed { Ok(Self::Signed) } else { error("{timestamp} only if one is signed") };
        }
        match EventType::parse(text) {
            Ok(text) if text.headers().next().is_none() => Ok(Self::Payload(text)),
            _ => error(
                "the path of a member, such as data.time, a text with paths in braces, such as {date}Z, or {timestamp}",
            ),
        }
    }
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
            parts.push(match place.split_once(':') {
                _ if place.contains('{') => return Err(error()),
                Some(("header", name)) => Part::Header(name.parse().map_err(|_| error())?),
                Some(("except", name)) if !name.is_empty() => Part::Except(name.to_owned()),
                Some(("except", _)) => return Err(error()),
                _ if place.is_empty() => return Err(error()),
                _ => Part::Path(place.to_owned()),
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
            Self::Except(name) => {
                let mut others = payload.members()?.into_iter().filter(|(member, _)| member != name);
                let other = others.next().filter(|_| others.next().is_none());
                other.map(|(member, _)| Cow::Owned(member)).filter(|member| is_attribute(member))
            }
        })
    }

    /// Why there is no value.
    fn refusal(&self, payload: &Payload<'_>) -> Reject {
        match self {
            Self::Path(path) if matches!(payload.get(path), Ok(None)) => Reject::missing(path.clone()),
            Self::Path(path) => Reject::malformed(path.clone(), EXPECTED),
            Self::Header(name) => Reject::malformed(name.to_string(), "one event type"),
            Self::Except(name) => Reject::malformed(name.clone(), "one other member beside it"),
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
            ("{except:id}", vec![Part::Except("id".into())]),
            // No place of another name: a member may have a colon.
            ("{a:b}", vec![path("a:b")]),
        ] {
            assert_eq!(EventType::parse(text).unwrap().0, expected, "{text}");
        }
        for text in [
            "",
            "{",
            "}",
            "{}",
            "{a",
            "a}",
            "{a}}",
            "{{a}}",
            "{{a}",
            "{header:}",
            "{header:a b}",
            "{except:}",
            "{except:{a}}",
        ] {
            assert_eq!(EventType::parse(text).unwrap_err().field, "type", "{text}");
        }
    }
    #[test]
    fn a_time_is_a_path_a_text_or_the_signed_timestamp() {
        for text in ["created_at", "events.0.time", "{events.0.date}Z"] {
            assert!(matches!(EventTime::parse(text, false).unwrap(), EventTime::Payload(_)), "{text}");
        }
        assert!(matches!(EventTime::parse("{timestamp}", true).unwrap(), EventTime::Signed));
        for text in ["{timestamp}", "", "{", "{header:x-time}"] {
            assert_eq!(EventTime::parse(text, false).unwrap_err().field, "time", "{text}");
        }
    }
}
