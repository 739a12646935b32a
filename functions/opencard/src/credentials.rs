//! One entry of the credentials: a table of pre-shared keys.

use std::collections::HashMap;

use letterbox_codec::{
    Secret,
    jwe::{LONGEST_KID, Psk},
};
use serde::{Deserialize, Deserializer, de::Error};

/// The keys of one app, by `kid`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[serde(deserialize_with = "table")]
    keys: HashMap<String, PskEntry>,
}

#[derive(Debug)]
struct PskEntry(Psk);

impl Credentials {
    pub(crate) fn psk(&self, kid: &str) -> Option<&Psk> {
        self.keys.get(kid).map(|PskEntry(psk)| psk)
    }

    /// The key that the platform would use: that of the first `kid`.
    #[cfg(feature = "platform")]
    pub(crate) fn first(&self) -> Option<(&str, &Psk)> {
        self.keys.iter().map(|(kid, PskEntry(psk))| (kid.as_str(), psk)).min_by_key(|(kid, _)| *kid)
    }
}

fn table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashMap<String, PskEntry>, D::Error> {
    let keys = HashMap::<String, PskEntry>::deserialize(deserializer)?;
    if keys.is_empty() || keys.keys().any(|kid| !(1..=LONGEST_KID).contains(&kid.len())) {
        return Err(D::Error::custom("expected at least one key, each under its kid of 1 to 128 bytes"));
    }
    Ok(keys)
}

impl<'de> Deserialize<'de> for PskEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let psk = Psk::new(&Secret::deserialize(deserializer)?);
        psk.map(Self).map_err(|expected| D::Error::custom(format!("expected {expected}")))
    }
}
