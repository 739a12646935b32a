//! Single passes over the raw text of an object or an array.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// The most members that an index has: a payload has tens of them, and one of 1 MiB may have a hundred thousand.
const MOST_INDEXED: usize = 1024;

/// Where an object's members are, so that several lookups read its text once.
pub(super) enum Index<'a> {
    /// All of them.
    Members(Indexed<'a>),
    /// There are more than [`MOST_INDEXED`]; each lookup reads the text.
    TooMany,
    /// A name is no Unicode text.
    Unreadable,
}

/// All members of an object in their order.
pub(super) struct Indexed<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Index<'a> {
    /// Reads an object.
    pub(super) fn of(object: &'a RawValue) -> Self {
        match serde_json::from_str(object.get()) {
            Ok(Bounded(Some(members))) => Self::Members(Indexed(members)),
            Ok(Bounded(None)) => Self::TooMany,
            Err(_) => Self::Unreadable,
        }
    }
}

impl<'a> Indexed<'a> {
    /// Finds a member by its name.
    pub(super) fn find(&self, name: &str) -> Occurrence<'a> {
        let mut found = self.0.iter().filter(|(member, _)| member == name);
        match (found.next(), found.next()) {
            (None, _) => Occurrence::Never,
            (Some((_, value)), None) => Occurrence::Once(value),
            (Some(_), Some(_)) => Occurrence::Again,
        }
    }
}

/// All members of an object; `None` if there are more than [`MOST_INDEXED`].
struct Bounded<'a>(Option<Vec<(Cow<'a, str>, &'a RawValue)>>);

impl<'de> Deserialize<'de> for Bounded<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Bounded<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                let mut are_all = true;
                while let Some(Text(name)) = map.next_key()? {
                    if are_all && members.len() < MOST_INDEXED {
                        members.push((name, map.next_value()?));
                    } else {
                        are_all = false;
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Bounded(are_all.then_some(members)))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// A string, borrowed if it has no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// How often a member appears.
#[derive(Clone, Copy)]
pub(super) enum Occurrence<'a> {
    Never,
    Once(&'a RawValue),
    Again,
}

/// Finds one member of an object by name.
pub(super) struct Member<'n>(pub(super) &'n str);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Occurrence<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Occurrence<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Occurrence::Never;
        while let Some(Text(name)) = map.next_key()? {
            if name == self.0 {
                let value = map.next_value()?;
                found = if matches!(found, Occurrence::Never) {
                    Occurrence::Once(value)
                } else {
                    Occurrence::Again
                };
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Finds one element of an array by its index.
pub(super) struct Element(pub(super) usize);

impl<'de> DeserializeSeed<'de> for Element {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Element {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        for _ in 0..self.0 {
            if elements.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = elements.next_element()?;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// All members of an object.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_all_members_or_none() {
        for (members, has_all) in [(0, true), (1, true), (MOST_INDEXED, true), (MOST_INDEXED + 1, false)] {
            let fields: Vec<_> = (0..members).map(|number| format!(r#""{number}":{number}"#)).collect();
            let object: Box<RawValue> = serde_json::from_str(&format!("{{{}}}", fields.join(","))).unwrap();
            match Index::of(&object) {
                Index::Members(Indexed(found)) => assert!(has_all && found.len() == members, "{members}"),
                Index::TooMany => assert!(!has_all, "{members}"),
                Index::Unreadable => panic!("{members}"),
            }
        }
    }
}
