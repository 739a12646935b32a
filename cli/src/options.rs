//! Options that several commands take.

use clap::{
    Arg, Command,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};

use letterbox_registry::PROVIDERS;

/// The default URL of `serve`, and the default target of the other commands.
pub const DEFAULT_URL: &str = "http://127.0.0.1:9000";

/// The default file of the embedded queue.
pub const DATABASE: &str = "letterbox.db";

/// Parses a provider name. It accepts any text, because the list of providers reports unknown names; help and completions
/// list the known ones.
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
