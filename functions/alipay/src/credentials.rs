//! One entry of the credentials.

use std::{borrow::Cow, fmt};

use letterbox_codec::signature::{Algorithm, Key};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// The credentials of one app.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The apps whose notifications are accepted. `None`: those of every app that the key signs for, which is one in mainland
    /// China; older international notifications name no app.
    #[serde(default, deserialize_with = "app_ids")]
    pub(crate) app_id: Option<Vec<String>>,
    /// Alipay's key, not the app's own.
    #[serde(deserialize_with = "public_key")]
    pub(crate) public_key: Key,
    #[serde(default)]
    pub(crate) region: Region,
}

/// Which Alipay sends the notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Region {
    /// Mainland China.
    #[default]
    Cn,
    /// International.
    Intl,
}

impl Region {
    /// The exact body that acknowledges a notification:
    /// - <https://opendocs.alipay.com/open/270/105902>
    /// - <https://docs.antom.com/ac/web/async> (both read 2026-11-26, the first in a copy of others)
    pub(crate) const fn acknowledgement(self) -> &'static str {
        match self {
            Self::Cn => "success",
            Self::Intl => "SUCCESS",
        }
    }
}

fn public_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
    Key::public(Algorithm::RsaSha256, &Cow::<str>::deserialize(deserializer)?)
        .map_err(|error| D::Error::custom(format!("expected {}", error.expected)))
}

/// One app id, or a list of them.
fn app_ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    struct OneOrMore;

    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an app id as a string, or a list of them")
        }

        fn visit_str<E: Error>(self, one: &str) -> Result<Vec<String>, E> {
            Ok(vec![one.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut ids = Vec::new();
            while let Some(id) = list.next_element()? {
                ids.push(id);
            }
            Ok(ids)
        }
    }

    let ids = deserializer.deserialize_any(OneOrMore)?;
    // An empty list would accept nothing, and an empty id would look like one that is accepted.
    if ids.is_empty() || ids.iter().any(|id| id.is_empty() || id.trim() != id) {
        return Err(D::Error::custom("expected app ids that are not empty, without whitespace around them"));
    }
    Ok(Some(ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_one_app_or_a_list_of_them() {
        let ids = |json: &str| {
            app_ids(&mut serde_json::Deserializer::from_str(json)).map_err(|error| error.to_string())
        };
        assert_eq!(ids(r#""1""#).unwrap().unwrap(), ["1"]);
        assert_eq!(ids(r#"["1","2"]"#).unwrap().unwrap(), ["1", "2"]);
        let empty = "expected app ids that are not empty, without whitespace around them";
        for (json, expected) in [
            ("[]", empty),
            (r#""""#, empty),
            (r#"["1",""]"#, empty),
            (r#"["1"," 2"]"#, empty),
            ("5", "expected an app id as a string, or a list of them"),
        ] {
            let error = ids(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
