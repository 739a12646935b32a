//! The text that is signed, with places for what a request brings.

/// A piece of the signed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Timestamp,
    Id,
    Body,
    Url,
    Method,
}

const PLACES: &[(&str, Part)] = &[
    ("timestamp", Part::Timestamp),
    ("id", Part::Id),
    ("body", Part::Body),
    ("url", Part::Url),
    ("method", Part::Method),
];

/// A parsed template, such as `{timestamp}.{body}`. `\n` in JSON configuration is a real line feed.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a text with {body} and any of {timestamp} {id} {url} {method}";
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, place)) = rest.split_once('{') {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let (name, after) = place.split_once('}').ok_or(EXPECTED)?;
            let (_, part) = PLACES.iter().find(|(known, _)| *known == name).ok_or(EXPECTED)?;
            parts.push(part.clone());
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        // A signature that does not cover the body vouches for nothing.
        if parts.contains(&Part::Body) { Ok(Self(parts)) } else { Err(EXPECTED) }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }

    pub(super) fn has(&self, part: &Part) -> bool {
        self.0.contains(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        let parts = Template::parse("v0:{timestamp}:{body}\n").unwrap().0;
        let literal = |text: &str| Part::Literal(text.into());
        assert_eq!(parts, [literal("v0:"), Part::Timestamp, literal(":"), Part::Body, literal("\n")]);
        for bad in ["", "{timestamp}", "{body", "{bodies}{body}", "{}{body}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
