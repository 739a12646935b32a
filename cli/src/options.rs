//! Options that several commands take.

use clap::{
    Arg, Command,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};

use letterbox_registry::PROVIDERS;

/// Where `serve` serves and the others send, unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:9000";

/// Where the embedded queue is, unless told otherwise.
pub const DATABASE: &str = "letterbox.db";

/// Any text, since the list of providers finds an unknown one; help and completions offer those that there are.
#[derive(Clone)]
pub struct ProviderName;

impl TypedValueParser for ProviderName {
    type Value = String;

    fn parse_ref(
        &self,
        builder: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(builder, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(PROVIDERS.iter().map(|provider| PossibleValue::new(provider.name()))))
    }
}

/// The names of the providers whose platforms sign and do not encrypt.
pub fn signing_only() -> String {
    let signing = PROVIDERS.iter().map(|provider| provider.facts()).filter(|facts| facts.seals.is_none());
    signing.map(|facts| facts.name).collect::<Vec<_>>().join(", ")
}
