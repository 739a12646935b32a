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

    /// The parsed credentials of a provider; `None` if it has none. The error names the source and the field, never a
    /// value.
    pub fn keys(&self, provider: &dyn Platform) -> Option<Result<&dyn Keys, StartError>> {
        let OfProvider { json, keys } = &**self.0.get(provider.name())?;
        let keys = keys.get_or_init(|| provider.keys(json)).as_ref();
        Some(keys.map(|keys| &**keys).map_err(StartError::clone))
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
    /// The credentials of all providers.
    pub fn load(&self) -> Result<Credentials, String> {
        load(self.credentials.as_deref())
    }

    /// The parsed credentials of one provider, from those that [`Self::load`] returned.
    pub fn keys_in<'c>(
        &self,
        credentials: &'c Credentials,
        provider: &dyn Platform,
    ) -> Result<&'c dyn Keys, String> {
        let keys = credentials.keys(provider).ok_or_else(|| self.missing(provider.name()))?;
        keys.map_err(|error| error.to_string())
    }

    /// The parsed credentials of one provider.
    pub fn load_for(&self, provider: &dyn Platform) -> Result<Box<dyn Keys>, String> {
        let credentials = self.load()?;
        let json = credentials.json(provider.name()).ok_or_else(|| self.missing(provider.name()))?;
        provider.keys(json).map_err(|error| error.to_string())
    }

    fn missing(&self, name: &str) -> String {
        let place = self.credentials.as_deref().unwrap_or(Path::new("the demo credentials")).display();
        format!("{place}: no credentials of {name}; add an object under the name {name:?}")
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

    use letterbox_codec::platform::{Bilingual, Reference, Sample, Setup, SignatureScheme};
    use letterbox_registry::{Facts, Handler, HandlerParts};

    use super::*;

    const NOTHING: Bilingual<&'static str> = Bilingual { en: "", zh: "" };

    /// Counts how often credentials are parsed, and rejects them.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Platform for Counting {
        fn facts(&self) -> &'static Facts {
            &Facts {
                name: "counting",
                title: "Counting",
                chosen_secret: false,
                on_by_default: false,
                deadline: Duration::ZERO,
                max_body: 0,
                reference: Reference {
                    receives: NOTHING,
                    responds: NOTHING,
                    console: NOTHING,
                    delivery: None,
                },
                document: None,
                setup: Setup { console: "", fields: &[], source: "", read: None },
                steps: &[],
                demo: "",
                first_sample: "",
                probe: None,
                mark: None,
                seals: None,
                scheme: SignatureScheme::NotHmac,
                key_header: None,
            }
        }

        fn samples(&self) -> Vec<Sample> {
            Vec::new()
        }

        fn keys(&self, credentials: &str) -> Result<Box<dyn Keys>, StartError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(StartError::Document { place: "counting".to_owned(), error: credentials.to_owned() })
        }

        fn handler(&self, _: HandlerParts<'_>) -> Result<Box<dyn Handler>, StartError> {
            Err(StartError::NoCredentials)
        }
    }

    #[test]
    fn a_file_is_read_as_people_write_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials.json");
        for (text, expected) in [
            ("\u{feff}{\"github\":{\"default\":{\"secret\":\"hunter2\"}}}", Ok(())),
            (
                "{\"github\": {\n  \"default\": {\"secret\": \"hunter2\",}\n}}",
                Err("line 2, column 34: expected no comma"),
            ),
            ("{\"github\": {},\n}", Err("line 1, column 14: expected no comma")),
            ("{\n  \u{201c}github\u{201d}: {}}", Err("line 2, column 3: expected a straight quotation mark")),
            ("{'github': {}}", Err("line 1, column 2: ")),
            ("{\"github\": hunter2}", Err("line 1, column 12: ")),
            ("", Err("expected a JSON object of providers")),
        ] {
            std::fs::write(&file, text).unwrap();
            let loaded = load(Some(&file)).map(drop);
            match expected {
                Ok(()) => assert_eq!(loaded, Ok(()), "{text}"),
                Err(part) => {
                    let error = loaded.unwrap_err();
                    assert!(error.contains(part) && !error.contains("hunter2"), "{text}: {error}");
                }
            }
        }
    }

    #[test]
    fn credentials_are_parsed_once_and_again_only_if_they_change() {
        let platform = Counting::default();
        let parsed = |credentials: &Credentials| {
            let error = credentials.keys(&platform).map(|keys| keys.err().unwrap().to_string());
            (error, platform.0.load(Ordering::Relaxed))
        };
        let credentials: Credentials = [("counting".to_owned(), "a".to_owned())].into_iter().collect();
        let mut other = credentials.clone();
        for credentials in [&credentials, &other, &credentials] {
            assert_eq!(parsed(credentials), (Some("counting: a".to_owned()), 1));
        }
        other.insert("counting".to_owned(), "b".to_owned());
        assert_eq!(parsed(&other), (Some("counting: b".to_owned()), 2));
        assert_eq!(parsed(&credentials), (Some("counting: a".to_owned()), 2));
        assert_eq!(parsed(&Credentials::default()), (None, 2));
    }
}
