//! Loads the credentials of all providers: from a file, or the demo credentials.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Args;
use letterbox_codec::json::Object;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    data,
    providers::{self, PROVIDERS},
};

/// Provider → its credentials JSON.
pub type Credentials = BTreeMap<String, String>;

/// The source and the credentials that a command uses.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The source, in the URL and in the credentials; from the URL if it names one, else `default`
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// A JSON file, from provider to its credentials; without it, the demo credentials
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
}

impl KeyArgs {
    /// The credentials JSON of one provider.
    pub fn load_for(&self, provider: &str) -> Result<String, String> {
        let file = self.credentials.as_deref();
        load(file)?.remove(provider).ok_or_else(|| {
            let place = file.unwrap_or(Path::new("the demo credentials")).display();
            format!("{place}: no credentials of {provider}; add an object under the name {provider:?}")
        })
    }
}

/// Reads a file of `{"<provider>": {"<source>": {...}}}`; without a file, returns the demo credentials.
pub fn load(file: Option<&Path>) -> Result<Credentials, String> {
    let Some(file) = file else {
        return Ok(PROVIDERS.iter().map(|row| (row.name.to_owned(), row.demo.to_owned())).collect());
    };
    let place = file.display();
    let text = String::from_utf8(data::read(file, data::CREDENTIALS)?)
        .map_err(|_| format!("{place}: expected UTF-8"))?;
    // serde's message may quote the text, which contains secrets: report only the position.
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text).map_err(|error| {
        format!(
            "{place}: line {}, column {}: expected a JSON object of providers, such as {{\"github\": {{\"default\": {{\"secret\": \"...\"}}}}}}",
            error.line(),
            error.column()
        )
    })?;
    if let Err(twice) = Object::parse(text.trim_ascii()).and_then(|object| object.members()) {
        return Err(format!("{place}: {}", twice.message()));
    }
    if members.is_empty() {
        return Err(format!("{place}: expected at least one provider"));
    }
    for name in members.keys() {
        providers::find(name).map_err(|error| format!("{place}: {error}"))?;
    }
    Ok(members.into_iter().map(|(name, json)| (name, json.get().to_owned())).collect())
}

/// The number of a source's entries in a provider's credentials JSON.
pub fn entry_count(credentials: &str, source: &str) -> usize {
    entries(credentials, source).len()
}

/// True if an entry of the source names this header, for example as the header of the signature.
pub fn names_header(credentials: &str, source: &str, header: &str) -> bool {
    let entries = entries(credentials, source);
    let mut texts =
        entries.iter().filter_map(Value::as_object).flat_map(Map::values).filter_map(Value::as_str);
    texts.any(|text| text.eq_ignore_ascii_case(header))
}

/// The credentials JSON with only one entry of one source, by position.
pub fn with_single_entry(credentials: &str, source: &str, position: usize) -> Option<String> {
    let entry = entries(credentials, source).into_iter().nth(position)?;
    Some(json!({ source: entry }).to_string())
}

fn entries(credentials: &str, source: &str) -> Vec<Value> {
    let mut sources: BTreeMap<String, Value> = serde_json::from_str(credentials).unwrap_or_default();
    match sources.remove(source) {
        Some(Value::Array(list)) => list,
        one => one.into_iter().collect(),
    }
}
