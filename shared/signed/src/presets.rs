//! The presets: named schemes, compiled from `presets/<name>.toml` by the build script.

use std::time::Duration;

use serde_json::{Map, Value};

/// Reserved of a sender's timeout for the network and the gateway.
pub const MARGIN: Duration = Duration::from_millis(500);

/// The scheme of one sender, under a name.
#[derive(Debug)]
pub struct Preset {
    /// The name that an entry gives as `preset`.
    pub name: &'static str,
    /// How long the sender waits for the whole response; `None` if it publishes no limit.
    pub timeout: Option<Duration>,
    /// The fields of an entry that the preset sets.
    pub(crate) fields: &'static [(&'static str, Field)],
}

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    Text(&'static str),
    #[allow(dead_code, reason = "constructed only if a preset has a number")]
    Number(u32),
    #[allow(dead_code, reason = "constructed only if a preset has a boolean")]
    Bool(bool),
    #[allow(dead_code, reason = "constructed only if a preset has a list")]
    List(&'static [Self]),
    #[allow(dead_code, reason = "constructed only if a preset has a table")]
    Table(&'static [(&'static str, Self)]),
}

/// Every preset, sorted by name.
#[allow(clippy::pedantic, reason = "generated")]
pub static PRESETS: &[Preset] = include!(concat!(env!("OUT_DIR"), "/presets.rs"));

impl Preset {
    /// The preset of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The fields of an entry that the preset sets, with their values.
    pub fn entry(&self) -> Map<String, Value> {
        self.fields.iter().map(|(field, value)| ((*field).to_owned(), (*value).into())).collect()
    }

    /// True if a handshake of it compares a query parameter with the entry's `verify_token`.
    #[cfg(feature = "sender")]
    pub(crate) fn has_token(&self) -> bool {
        let handshakes = self.fields.iter().filter(|(field, _)| *field == "handshake");
        let handshakes = handshakes
            .filter_map(|(_, value)| if let Field::List(list) = value { Some(*list) } else { None });
        let mut members = handshakes
            .flatten()
            .filter_map(|one| if let Field::Table(members) = one { Some(*members) } else { None });
        members.any(|members| members.iter().any(|(name, _)| *name == "token_query"))
    }

    /// When a response must be ready, so that it reaches the sender within its timeout.
    pub fn deadline(&self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout.saturating_sub(MARGIN))
    }
}

impl From<Field> for Value {
    fn from(field: Field) -> Self {
        match field {
            Field::Text(text) => text.into(),
            Field::Number(number) => number.into(),
            Field::Bool(is_set) => is_set.into(),
            Field::List(values) => values.iter().copied().collect(),
            Field::Table(table) => table.iter().copied().collect(),
        }
    }
}

#[cfg(all(test, feature = "sender"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_handshake_that_compares_a_parameter_has_a_token() {
        let with: Vec<_> = PRESETS.iter().filter(|preset| preset.has_token()).map(|it| it.name).collect();
        assert_eq!(with, ["meta"]);
    }
}
