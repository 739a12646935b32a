//! Loads the credentials of all providers: from a file, or the demo credentials.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use clap::Args;
use letterbox_codec::{
    credentials::{syntax_error, without_byte_order_mark},
    json::Object,
};
use letterbox_intake::settings::StartError;
use letterbox_registry::{Keys, PROVIDERS, Platform};
use serde_json::{error::Category, value::RawValue};

use crate::data;

/// The credentials of all providers. Each provider's are parsed once, when they are first needed; a clone shares them.
#[derive(Clone, Default)]
pub struct Credentials(BTreeMap<String, Arc<OfProvider>>);

/// The credentials of one provider.
struct OfProvider {
    json: String,
    keys: OnceLock<Result<Box<dyn Keys>, StartError>>,
}

impl Credentials {
    /// The names of the providers that have credentials, sorted.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The credentials JSON of a provider.
    pub fn json(&self, provider: &str) -> Option<&str> {
        self.0.get(provider).map(|credentials| credentials.json.as_str())
    }

    /// The parsed credentials of a provider. The error names the source and the field, never a value.
    pub fn keys(&self, provider: &dyn Platform) -> Result<&dyn Keys, StartError> {
        let Some(OfProvider { json, keys }) = self.0.get(provider.name()).map(|found| &**found) else {
            return Err(StartError(format!("no credentials of {}", provider.name())));
        };
        match keys.get_or_init(|| provider.keys(json)) {
            Ok(keys) => Ok(&**keys),
            Err(error) => Err(error.clone()),
        }
    }

    /// Replaces the credentials JSON of a provider.
    pub fn insert(&mut self, provider: String, json: String) {
        self.0.insert(provider, Arc::new(OfProvider { json, keys: OnceLock::new() }));
    }
}

impl FromIterator<(String, String)> for Credentials {
    /// Collects names of providers and their credentials JSON.
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        let mut credentials = Self::default();
        pairs.into_iter().for_each(|(provider, json)| credentials.insert(provider, json));
        credentials
    }
}

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
    /// The parsed credentials of one provider.
    pub fn load_for(&self, provider: &dyn Platform) -> Result<Box<dyn Keys>, String> {
        let (file, name) = (self.credentials.as_deref(), provider.name());
        let credentials = load(file)?;
        let json = credentials.json(name).ok_or_else(|| {
            let place = file.unwrap_or(Path::new("the demo credentials")).display();
            format!("{place}: no credentials of {name}; add an object under the name {name:?}")
        })?;
        provider.keys(json).map_err(|error| format!("{name}: {error}"))
    }
}

/// Reads a file of `{"<provider>": {"<source>": {...}}}`; without a file, returns the demo credentials.
pub fn load(file: Option<&Path>) -> Result<Credentials, String> {
    let Some(file) = file else {
        let demo = PROVIDERS.iter().map(|provider| provider.facts());
        return Ok(demo.map(|facts| (facts.name.to_owned(), facts.demo.to_owned())).collect());
    };
    let place = file.display();
    let text = String::from_utf8(data::read(file, data::CREDENTIALS)?)
        .map_err(|_| format!("{place}: expected UTF-8"))?;
    // serde's message may quote the text, which contains secrets: report only the position.
    let text = without_byte_order_mark(&text);
    let members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(text).map_err(|error| match error.classify() {
            Category::Syntax => format!("{place}: {}", syntax_error(text, &error)),
            _ => format!(
                "{place}: line {}, column {}: expected a JSON object of providers, such as {{\"github\": {{\"default\": {{\"secret\": \"...\"}}}}}}",
                error.line(),
                error.column()
            ),
        })?;
    if let Err(twice) = Object::parse(text.trim_ascii()).and_then(|object| object.members()) {
        return Err(format!("{place}: {}", twice.message()));
    }
    if members.is_empty() {
        return Err(format!("{place}: expected at least one provider"));
    }
    for name in members.keys() {
        letterbox_registry::find(name).map_err(|error| format!("{place}: {error}"))?;
    }
    Ok(members.into_iter().map(|(name, json)| (name, json.get().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use letterbox_codec::platform::{Bilingual, Reference, Sample, SignatureScheme};
    use letterbox_registry::{Facts, Handler, HandlerParts};

    use super::*;

    /// Counts how often credentials are parsed, and rejects them.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Platform for Counting {
        fn facts(&self) -> &'static Facts {
            &Facts {
                name: "counting",
                deadline: Duration::ZERO,
                max_body: 0,
                reference: Reference { console: Bilingual { en: "", zh: "" }, delivery: None },
                document: None,
                steps: &[],
                demo: "",
                first_sample: "",
                mark: None,
                seals: None,
                scheme: SignatureScheme::NotHmac,
            }
        }

        fn samples(&self) -> Vec<Sample> {
            Vec::new()
        }

        fn keys(&self, credentials: &str) -> Result<Box<dyn Keys>, StartError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(StartError(credentials.to_owned()))
        }

        fn handler(&self, _: HandlerParts<'_>) -> Result<Box<dyn Handler>, StartError> {
            Err(StartError(String::new()))
        }
    }

    #[test]
    fn credentials_are_parsed_once_and_again_only_if_they_change() {
        let platform = Counting::default();
        let parsed = |credentials: &Credentials| {
            let error = credentials.keys(&platform).err().unwrap().to_string();
            (error, platform.0.load(Ordering::Relaxed))
        };
        let credentials: Credentials = [("counting".to_owned(), "a".to_owned())].into_iter().collect();
        let mut other = credentials.clone();
        for credentials in [&credentials, &other, &credentials] {
            assert_eq!(parsed(credentials), ("a".to_owned(), 1));
        }
        other.insert("counting".to_owned(), "b".to_owned());
        assert_eq!(parsed(&other), ("b".to_owned(), 2));
        assert_eq!(parsed(&credentials), ("a".to_owned(), 2));
        assert_eq!(parsed(&Credentials::default()), ("no credentials of counting".to_owned(), 2));
    }
}
