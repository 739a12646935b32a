//! The card catalogue: the replies to queries.
//!
//! ```json
//! {
//!   "<srcid>": {
//!     "entries": [
//!       {
//!         "intent": { "scenic_spot": "故宫" },
//!         "surface": "mobile",
//!         "location": { "province": "江苏", "city": "南京" },
//!         "data": { "item_list": [] },
//!         "lifetime": 3600
//!       }
//!     ],
//!     "default": { "data": {} }
//!   }
//! }
//! ```
//! `surface`, `location` (and its `city`), `lifetime` and `default` are optional, and so is `entries` beside a `default`.
//! `lifetime` is in seconds from the reply, which carries the resulting Unix time. If several entries match a query, the most
//! specific one is used.
//!
//! The built-in sample, `cards.json`, returns the card of Baidu's guide for the `srcid` 123, whatever the intent, so that
//! the guide's first request shows a card. Its card 124 has an entry for one intent only.

use std::collections::HashMap;

use letterbox_codec::{
    Reject,
    json::{Node, Object, is_attribute},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

/// The longest lifetime, in seconds: a year. A larger number is likely a Unix time.
const LONGEST_LIFETIME: u32 = 31_536_000;

/// The error for a name that no query can contain.
const UNFIT: &str = "expected a string of 1 to 256 bytes without control characters";

/// All cards, indexed by `srcid`.
pub struct Catalogue(HashMap<String, Card>);

struct Card {
    entries: HashMap<Key, Entry>,
    default: Option<Entry>,
}

/// The index of an entry.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    intent: Intent,
    surface: Option<String>,
    province: Option<String>,
    city: Option<String>,
}

/// An intent. Two that differ only in the order of their fields or in whitespace are equal.
type Intent = Map<String, Value>;

/// One reply.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The card's content, verbatim. Its form depends on the `srcid`.
    pub data: Box<RawValue>,
    /// Seconds from the reply.
    pub lifetime: Option<u32>,
}

/// The parts of a query that select an entry.
pub struct Query {
    /// The card's id.
    pub srcid: String,
    key: Key,
}

/// The result of looking up a query.
pub enum Found<'c> {
    /// No such card.
    UnknownSrcid,
    /// The card has no entry for the intent, and no default.
    Nothing,
    /// The most specific entry, or the default.
    Entry(&'c Entry),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardText {
    #[serde(default)]
    entries: Vec<EntryText>,
    default: Option<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryText {
    intent: Intent,
    surface: Option<String>,
    location: Option<Location>,
    data: Box<RawValue>,
    lifetime: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Location {
    province: String,
    city: Option<String>,
}

impl Catalogue {
    /// Parses and indexes a catalogue. The error names the place in it and what was expected there.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(json)
            .map_err(|error| format!("byte {}: expected UTF-8", error.valid_up_to()))?;
        let _: serde::de::IgnoredAny = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let cards =
            Object::parse(text).and_then(|object| object.members()).map_err(|reject| match reject {
                Reject::InvalidJson(_) => "expected a JSON object of cards by srcid".to_owned(),
                twice => twice.message().into_owned(),
            })?;
        let cards = cards.into_iter().map(|(srcid, card)| {
            if !is_attribute(&srcid) {
                return Err(format!("{srcid:?}: {UNFIT}"));
            }
            let card =
                Card::parse(card.get()).map_err(|(path, error)| format!("{srcid:?}.{path}: {error}"))?;
            Ok((srcid, card))
        });
        cards.collect::<Result<_, _>>().map(Self)
    }

    /// Finds the most specific entry: a surface takes precedence over a location (links differ by surface), a city over a
    /// province, and the default is last.
    pub fn find(&self, query: &Query) -> Found<'_> {
        let Some(card) = self.0.get(&query.srcid) else { return Found::UnknownSrcid };
        let Key { surface, province, city, .. } = &query.key;
        for surface in [surface.as_ref(), None] {
            for (province, city) in
                [(province.as_ref(), city.as_ref()), (province.as_ref(), None), (None, None)]
            {
                let key = Key {
                    intent: query.key.intent.clone(),
                    surface: surface.cloned(),
                    province: province.cloned(),
                    city: city.cloned(),
                };
                if let Some(entry) = card.entries.get(&key) {
                    return Found::Entry(entry);
                }
            }
        }
        card.default.as_ref().map_or(Found::Nothing, Found::Entry)
    }
}

impl Card {
    fn parse(json: &str) -> Result<Self, (String, String)> {
        let text: CardText = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(json))
            .map_err(|error| (error.path().to_string(), without_place(&error.inner().to_string())))?;
        if text.entries.is_empty() && text.default.is_none() {
            return Err(("entries".into(), "expected at least one entry, or a default".into()));
        }
        if let Some(default) = &text.default {
            default.check().map_err(|(member, error)| (format!("default.{member}"), error))?;
        }
        let mut entries = HashMap::with_capacity(text.entries.len());
        let mut places = HashMap::new();
        for (position, entry) in text.entries.into_iter().enumerate() {
            let at = |member: &str| format!("entries[{position}]{member}");
            let (province, city) =
                entry.location.map_or((None, None), |place| (Some(place.province), place.city));
            let names =
                [("surface", &entry.surface), ("location.province", &province), ("location.city", &city)];
            if let Some((member, _)) =
                names.iter().find(|(_, name)| name.as_ref().is_some_and(|name| !is_attribute(name)))
            {
                return Err((at(&format!(".{member}")), UNFIT.into()));
            }
            let key = Key { intent: entry.intent, surface: entry.surface, province, city };
            let entry = Entry { data: entry.data, lifetime: entry.lifetime };
            entry.check().map_err(|(member, error)| (at(&format!(".{member}")), error))?;
            if let Some(first) = places.insert(key.clone(), position) {
                return Err((
                    at(""),
                    format!("expected another intent, surface or location than that of entries[{first}]"),
                ));
            }
            entries.insert(key, entry);
        }
        Ok(Self { entries, default: text.default })
    }
}

impl Entry {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.data.get() == "null" {
            return Err(("data", "expected what the card shows, not null".into()));
        }
        if self.lifetime.is_some_and(|seconds| !(1..=LONGEST_LIFETIME).contains(&seconds)) {
            let error =
                format!("expected seconds from the reply, 1 to {LONGEST_LIFETIME} (a year); not a Unix time");
            return Err(("lifetime", error));
        }
        Ok(())
    }
}

/// Removes serde's line and column, which count from the beginning of the card; the path says where the error is.
fn without_place(error: &str) -> String {
    error.rsplit_once(" at line ").map_or(error, |(error, _)| error).to_owned()
}

impl Query {
    /// Reads a query. Unknown fields are ignored.
    pub fn read(payload: &Node<'_>) -> Result<Self, Reject> {
        let text = |path: &'static str| match payload.get(path)? {
            Some(value) if !value.get().starts_with('"') => Err(Reject::malformed(path, "a string")),
            _ => Ok(payload.label(path)?.map(std::borrow::Cow::into_owned)),
        };
        let object = |path: &'static str| match payload.get(path)? {
            Some(value) => serde_json::from_str::<Intent>(value.get())
                .map(Some)
                .map_err(|_| Reject::malformed(path, "an object")),
            None => Ok(None),
        };
        let intent = object("intent")?.ok_or(Reject::missing("intent"))?;
        object("location")?;
        Ok(Self {
            srcid: payload.require("srcid")?.into_owned(),
            key: Key {
                intent,
                surface: text("surface")?,
                province: text("location.province")?,
                city: text("location.city")?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'c>(catalogue: &'c Catalogue, query: &str) -> Result<&'c str, &'static str> {
        match catalogue.find(&Query::read(&Object::parse(query).unwrap()).unwrap()) {
            Found::UnknownSrcid => Err("unknown srcid"),
            Found::Nothing => Err("nothing"),
            Found::Entry(entry) => Ok(entry.data.get()),
        }
    }

    #[test]
    fn the_most_specific_entry_is_used() {
        let catalogue = Catalogue::parse(
            r#"{"1":{"entries":[
                {"intent":{"a":1,"b":{"x":[1,2],"y":"z"}},"data":"any"},
                {"intent":{"a":1,"b":{"x":[1,2],"y":"z"}},"surface":"mobile","data":"mobile"},
                {"intent":{"a":1,"b":{"x":[1,2],"y":"z"}},"location":{"province":"江苏"},"data":"province"},
                {"intent":{"a":1,"b":{"x":[1,2],"y":"z"}},"location":{"province":"江苏","city":"南京"},"data":"city"},
                {"intent":{"a":1,"b":{"x":[1,2],"y":"z"}},"surface":"mobile","location":{"province":"江苏"},"data":"both"},
                {"intent":{},"data":"empty"}],
               "default":{"data":"default"}},
              "2":{"entries":[{"intent":{},"data":{"b":1.0,"a":2}}]}}"#
                .as_bytes(),
        )
        .unwrap();
        let intent = r#""srcid":"1","intent":{"b":{"y":"z","x":[1,2]},"a":1}"#;
        for (query, expected) in [
            (format!("{{{intent}}}"), Ok(r#""any""#)),
            (format!(r#"{{{intent},"surface":"web_h5"}}"#), Ok(r#""any""#)),
            (format!(r#"{{{intent},"surface":"mobile"}}"#), Ok(r#""mobile""#)),
            (format!(r#"{{{intent},"location":{{"province":"江苏","city":"苏州"}}}}"#), Ok(r#""province""#)),
            (format!(r#"{{{intent},"location":{{"province":"江苏","city":"南京"}}}}"#), Ok(r#""city""#)),
            (
                format!(r#"{{{intent},"surface":"mobile","location":{{"province":"江苏","city":"南京"}}}}"#),
                Ok(r#""both""#),
            ),
            (r#"{"srcid":"1","intent":{}}"#.into(), Ok(r#""empty""#)),
            (r#"{"srcid":"1","intent":{"a":1,"b":{"x":[2,1],"y":"z"}}}"#.into(), Ok(r#""default""#)),
            (r#"{"srcid":"2","intent":{},"more":1}"#.into(), Ok(r#"{"b":1.0,"a":2}"#)),
            (r#"{"srcid":"2","intent":{"a":1}}"#.into(), Err("nothing")),
            (r#"{"srcid":"3","intent":{}}"#.into(), Err("unknown srcid")),
        ] {
            assert_eq!(find(&catalogue, &query), expected, "{query}");
        }
    }

    #[test]
    fn a_query_that_cannot_be_read_says_which_member() {
        for (query, field) in [
            (r#"{"intent":{}}"#, "srcid: missing"),
            (
                r#"{"srcid":5,"intent":{}}"#,
                "srcid: expected a string of 1 to 256 bytes without control characters",
            ),
            (r#"{"srcid":"1"}"#, "intent: missing"),
            (r#"{"srcid":"1","intent":[]}"#, "intent: expected an object"),
            (r#"{"srcid":"1","intent":{},"surface":1}"#, "surface: expected a string"),
            (r#"{"srcid":"1","intent":{},"location":"x"}"#, "location: expected an object"),
            (r#"{"srcid":"1","srcid":"2","intent":{}}"#, "srcid: expected to appear only once"),
        ] {
            let reject = Query::read(&Object::parse(query).unwrap()).err().unwrap();
            assert_eq!(reject.message(), field, "{query}");
        }
    }

    #[test]
    fn errors_name_the_place() {
        for (json, expected) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("[]", "expected a JSON object of cards by srcid"),
            ("{\n\"1\": {]}", "key must be a string at line 2 column 7"),
            (r#"{"1":{},"1":{}}"#, "1: expected to appear only once"),
            (r#"{"1":{}}"#, r#""1".entries: expected at least one entry, or a default"#),
            (r#"{"1":{"entries":[{"data":1}]}}"#, r#""1".entries[0]: missing field `intent`"#),
            (
                r#"{"1":{"entries":[{"intent":{},"data":1},{"intent":[],"data":1}]}}"#,
                r#""1".entries[1].intent: invalid type: sequence, expected a map"#,
            ),
            (r#"{"1":{"entries":[{"intent":{}}]}}"#, r#""1".entries[0]: missing field `data`"#),
            (
                r#"{"1":{"entries":[{"intent":{},"data":null}]}}"#,
                r#""1".entries[0].data: expected what the card shows, not null"#,
            ),
            (
                r#"{"1":{"entries":[{"intent":{},"data":1,"lifetime":1763719200}]}}"#,
                r#""1".entries[0].lifetime: expected seconds from the reply, 1 to 31536000 (a year); not a Unix time"#,
            ),
            (
                r#"{"1":{"default":{"data":1,"lifetime":0}}}"#,
                r#""1".default.lifetime: expected seconds from the reply, 1 to 31536000 (a year); not a Unix time"#,
            ),
            (
                r#"{"1":{"entries":[{"intent":{"a":1,"b":2},"data":1},{"intent":{"b":2,"a":1},"data":2}]}}"#,
                r#""1".entries[1]: expected another intent, surface or location than that of entries[0]"#,
            ),
            (
                r#"{"1":{"entrys":[]}}"#,
                r#""1".entrys: unknown field `entrys`, expected `entries` or `default`"#,
            ),
        ] {
            assert_eq!(Catalogue::parse(json.as_bytes()).err().unwrap(), expected, "{json}");
        }
        assert_eq!(Catalogue::parse(b"{\"\xff\":1}").err().unwrap(), "byte 2: expected UTF-8");
    }

    #[test]
    fn a_hundred_thousand_entries_are_found_by_their_key() {
        let entries: Vec<_> =
            (0..100_000).map(|n| format!(r#"{{"intent":{{"n":{n},"m":"x"}},"data":{n}}}"#)).collect();
        let catalogue =
            Catalogue::parse(format!(r#"{{"1":{{"entries":[{}]}}}}"#, entries.join(",")).as_bytes()).unwrap();
        // Each by a scan would be a thousand million comparisons.
        for n in (0..100_000).step_by(10) {
            let query = format!(r#"{{"srcid":"1","intent":{{"m":"x","n":{n}}}}}"#);
            assert_eq!(find(&catalogue, &query), Ok(n.to_string().as_str()));
        }
    }
}
