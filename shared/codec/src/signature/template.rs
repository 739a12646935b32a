//! The text that is signed, with places for what a request brings.

use http::HeaderName;

/// A piece of the signed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Timestamp,
    Id,
    Body,
    /// The sorted fields of a form.
    Form,
    Url,
    Method,
    /// The value of a header.
    Header(HeaderName),
    /// The decoded value of a query parameter.
    Query(String),
    /// The list of covered headers, as it came.
    Covered,
    /// The values of the covered headers.
    CoveredValues,
}

const PLACES: &[(&str, Part)] = &[
    ("timestamp", Part::Timestamp),
    ("id", Part::Id),
    ("body", Part::Body),
    ("form", Part::Form),
    ("url", Part::Url),
    ("method", Part::Method),
    ("covered", Part::Covered),
    ("covered_values", Part::CoveredValues),
];

const EXPECTED: &str = "a text with {body} or {form} and any of {timestamp} {id} {url} {method} {header:<name>} {query:<name>} \
                        {covered} {covered_values}";

/// A parsed template, such as `{timestamp}.{body}`. `\n` in JSON configuration is a real line feed.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, place)) = rest.split_once('{') {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let (name, after) = place.split_once('}').ok_or(EXPECTED)?;
            parts.push(part(name).ok_or(EXPECTED)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        // A signature that does not cover the body says nothing about the event.
        if parts.contains(&Part::Body) || parts.contains(&Part::Form) {
            Ok(Self(parts))
        } else {
            Err(EXPECTED)
        }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }

    pub(super) fn has(&self, part: &Part) -> bool {
        self.0.contains(part)
    }

    /// The headers that it names.
    pub(super) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().filter_map(|part| match part {
            Part::Header(name) => Some(name),
            _ => None,
        })
    }
}

/// The part that a place in braces stands for.
fn part(place: &str) -> Option<Part> {
    match place.split_once(':') {
        Some(("header", name)) => name.parse().ok().map(Part::Header),
        Some(("query", name)) if !name.is_empty() => Some(Part::Query(name.to_owned())),
        Some(_) => None,
        None => PLACES.iter().find(|(known, _)| *known == place).map(|(_, part)| part.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        let parts = Template::parse("v0:{timestamp}:{body}\n{header:X-Id}{query:data.id}").unwrap().0;
        let literal = |text: &str| Part::Literal(text.into());
        let expected = [
            literal("v0:"),
            Part::Timestamp,
            literal(":"),
            Part::Body,
            literal("\n"),
            Part::Header(HeaderName::from_static("x-id")),
            Part::Query("data.id".into()),
        ];
        assert_eq!(parts, expected);
        for bad in [
            "",
            "{timestamp}",
            "{body",
            "{bodies}{body}",
            "{}{body}",
            "{header:}{body}",
            "{header:a b}{body}",
            "{query:}{body}",
            "{cookie:a}{body}",
            // The values of covered headers alone leave the body unsigned.
            "{covered}.{covered_values}",
            "{header:body}",
            "{header:form}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
