//! From answers to an entry: the JSON value of an answer, and its check by the provider's own parser.

use letterbox_codec::{
    credentials::{CredentialsError, Sources},
    platform::{AnswerForm, Field, Need, Variant},
};
use letterbox_intake::settings::StartError;
use letterbox_registry::Platform;
use serde_json::{Value, json};

use super::Entry;

/// The field that names a preset.
pub const PRESET: &str = "preset";

/// What to ask for one entry: the provider's own fields, or those of one of its presets.
#[derive(Clone, Debug)]
pub struct Questions {
    /// The preset.
    pub variant: Option<Variant>,
    /// What to ask.
    pub fields: Vec<Field>,
    /// Values for the fields that are not answered yet, so that each answer can be checked at once.
    example: Entry,
}

impl Questions {
    /// What to ask for an entry of the provider. The error names all presets.
    pub fn of(provider: &dyn Platform, preset: Option<&str>) -> Result<Self, String> {
        let facts = provider.facts();
        let Some(preset) = preset else {
            let sources = Sources::<Entry>::parse(facts.demo).map_err(|error| error.to_string())?;
            let example = sources.get("default").and_then(<[_]>::first).cloned().unwrap_or_default();
            return Ok(Self { variant: None, fields: facts.setup.fields.to_vec(), example });
        };
        let mut variants = provider.variants();
        if variants.is_empty() {
            return Err(format!("{} has no presets: leave --preset out", facts.name));
        }
        let names = || variants.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
        let position = variants.iter().position(|variant| variant.name == preset);
        let position = position.ok_or_else(|| format!("preset: expected one of {}", names()))?;
        let variant = variants.swap_remove(position);
        let example = serde_json::from_str(&variant.example).map_err(|error| error.to_string())?;
        Ok(Self { fields: variant.fields.clone(), variant: Some(variant), example })
    }

    /// The entry before any answer: it names the preset.
    pub fn start(&self) -> Entry {
        let preset = self.variant.iter().map(|variant| (PRESET.to_owned(), variant.name.into()));
        preset.collect()
    }

    /// The field of that name; the error names all fields.
    pub fn field(&self, name: &str) -> Result<&Field, String> {
        self.fields.iter().find(|field| field.name == name).ok_or_else(|| {
            let names: Vec<_> = self.fields.iter().map(|field| field.name).collect();
            format!("{name}: no field to answer; there are {}", names.join(", "))
        })
    }

    /// Checks one answer as the function would. The error says what is wrong with it, and never contains it.
    pub fn check(&self, provider: &dyn Platform, field: &Field, value: &Value) -> Result<(), String> {
        if let Some(check) = field.parameter {
            let text = value.as_str().unwrap_or_default();
            return check(text).map_err(|expected| format!("{}: expected {expected}", field.name));
        }
        let mut entry = self.example.clone();
        entry.insert(field.name.to_owned(), value.clone());
        check_entry(provider, &entry)
    }

    /// The required fields that an entry does not have.
    pub fn missing<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Field> {
        let required = self.fields.iter().filter(|field| field.need != Need::Optional);
        required.filter(|field| field.parameter.is_none() && !entry.contains_key(field.name))
    }
}

/// Checks an entry as the function would.
pub fn check_entry(provider: &dyn Platform, entry: &Entry) -> Result<(), String> {
    check_source(provider, "default", entry)
}

/// Checks the name of a source, and its entry, as the function would. The error contains no value.
pub fn check_source(provider: &dyn Platform, source: &str, entry: &Entry) -> Result<(), String> {
    provider.keys(&json!({ source: entry }).to_string()).map(drop).map_err(|error| match error {
        StartError::Credentials { error: CredentialsError::Entry { error, .. }, .. } => error.to_string(),
        StartError::Credentials { error, .. } => error.to_string(),
        other => other.to_string(),
    })
}

/// The JSON value of a typed answer, or `None` for one that leaves the field out.
pub fn value(field: &Field, text: &str) -> Result<Option<Value>, String> {
    if text.is_empty() && field.need == Need::Optional {
        return Ok(None);
    }
    if text.is_empty() && field.need == Need::Required {
        return Err(format!("{}: expected a value", field.name));
    }
    Ok(match field.form {
        AnswerForm::Line | AnswerForm::LineOrFile => Some(text.into()),
        AnswerForm::List => Some(list(text)),
        AnswerForm::Flag => match text {
            "true" => Some(true.into()),
            // The default, which an entry leaves out.
            "false" => None,
            _ => return Err(format!("{}: expected true or false", field.name)),
        },
        AnswerForm::Choice(choices) => {
            let position = choices.iter().position(|choice| choice.value == text);
            let position = position.ok_or_else(|| {
                let values: Vec<_> = choices.iter().map(|choice| choice.value).collect();
                format!("{}: expected one of {}", field.name, values.join(", "))
            })?;
            (position > 0).then(|| text.into())
        }
        AnswerForm::Table { .. } => {
            return Err(format!("{0}: expected a name for each value: {0}.<name>", field.name));
        }
    })
}

/// One string, or the list of those between commas.
fn list(text: &str) -> Value {
    let items: Vec<_> = text.split(',').map(str::trim).collect();
    match items[..] {
        [one] => one.into(),
        _ => items.into(),
    }
}

#[cfg(test)]
mod tests {
    use letterbox_codec::platform::Bilingual;
    use letterbox_registry::PROVIDERS;

    use super::*;

    const TEXT: Bilingual<&str> = Bilingual { en: "", zh: "" };
    const FIELD: Field = Field::shown("name", TEXT, TEXT);

    #[test]
    fn the_fields_of_every_provider_and_preset_suffice_for_an_entry() {
        for provider in PROVIDERS {
            let presets = provider.variants().into_iter().map(|variant| Some(variant.name));
            for preset in presets.chain([None]) {
                let questions = Questions::of(*provider, preset).unwrap();
                assert_eq!(check_entry(*provider, &questions.example), Ok(()), "{}", provider.name());
                // What is asked for, with values of the example, is an entry.
                let mut entry = questions.start();
                for field in questions.fields.iter().filter(|field| field.parameter.is_none()) {
                    let value = questions.example.get(field.name);
                    assert!(
                        value.is_some() || field.need == Need::Optional,
                        "{} {preset:?}: {}",
                        provider.name(),
                        field.name
                    );
                    entry.extend(value.map(|value| (field.name.to_owned(), value.clone())));
                }
                assert_eq!(check_entry(*provider, &entry), Ok(()), "{} {preset:?}", provider.name());
                assert_eq!(questions.missing(&entry).count(), 0);
            }
        }
    }

    #[test]
    fn every_question_says_where_its_answer_is() {
        for provider in PROVIDERS {
            let setup = &provider.facts().setup;
            let variants = provider.variants();
            let fields = setup.fields.iter().chain(variants.iter().flat_map(|variant| &variant.fields));
            for Field { name, title, found, .. } in fields {
                let texts = [title.en, title.zh, found.en, found.zh];
                assert!(texts.iter().all(|text| !text.is_empty()), "{}: {name}", provider.name());
            }
            let sources = variants.iter().map(|variant| variant.source).chain([setup.source]);
            for source in sources {
                assert!(source.starts_with("https://"), "{}: {source}", provider.name());
            }
        }
    }

    #[test]
    fn every_required_field_is_needed_and_every_answer_is_checked() {
        for provider in PROVIDERS {
            let questions = Questions::of(*provider, None).unwrap();
            for field in &questions.fields {
                let wrong = Value::Number(5.into());
                let error = questions.check(*provider, field, &wrong).unwrap_err();
                assert!(error.starts_with(field.name), "{}: {error}", provider.name());
                if field.need != Need::Optional && field.parameter.is_none() {
                    let mut entry = questions.example.clone();
                    entry.remove(field.name);
                    assert!(check_entry(*provider, &entry).is_err(), "{}: {}", provider.name(), field.name);
                }
            }
        }
    }

    #[test]
    fn a_wrong_answer_is_reported_and_not_repeated() {
        for provider in PROVIDERS {
            let questions = Questions::of(*provider, None).unwrap();
            let secrets = questions.fields.iter().filter(|field| field.is_secret);
            for field in secrets {
                let error = questions.check(*provider, field, &" hunter2 ".into()).unwrap_err();
                assert!(error.starts_with(field.name) && !error.contains("hunter2"), "{error}");
            }
        }
    }

    #[test]
    fn an_answer_has_the_form_of_its_field() {
        let choices = &[
            letterbox_codec::platform::Choice { value: "a", about: TEXT },
            letterbox_codec::platform::Choice { value: "b", about: TEXT },
        ];
        let optional = |form| FIELD.with_form(form).with_need(Need::Optional);
        for (field, text, expected) in [
            (FIELD, "x", Ok(Some("x".into()))),
            (FIELD, "", Err("name: expected a value")),
            (FIELD.with_need(Need::RequiredOrEmpty), "", Ok(Some("".into()))),
            (FIELD.with_need(Need::Optional), "", Ok(None)),
            (FIELD.with_form(AnswerForm::List), "x", Ok(Some("x".into()))),
            (FIELD.with_form(AnswerForm::List), "x, y", Ok(Some(json!(["x", "y"])))),
            (optional(AnswerForm::Flag), "true", Ok(Some(true.into()))),
            (optional(AnswerForm::Flag), "false", Ok(None)),
            (optional(AnswerForm::Flag), "yes", Err("name: expected true or false")),
            (optional(AnswerForm::Choice(choices)), "a", Ok(None)),
            (optional(AnswerForm::Choice(choices)), "b", Ok(Some("b".into()))),
            (optional(AnswerForm::Choice(choices)), "c", Err("name: expected one of a, b")),
            (
                FIELD.with_form(AnswerForm::Table { name: TEXT, of_files: false }),
                "x",
                Err("name: expected a name for each value: name.<name>"),
            ),
        ] {
            assert_eq!(value(&field, text), expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn an_unknown_preset_or_field_names_the_known_ones() {
        let of = |name| letterbox_registry::find(name).unwrap();
        let error = Questions::of(of("signed"), Some("strip")).unwrap_err();
        assert!(error.contains("paddle, pagerduty"), "{error}");
        let error = Questions::of(of("github"), Some("stripe")).unwrap_err();
        assert_eq!(error, "github has no presets: leave --preset out");
        let questions = Questions::of(of("github"), None).unwrap();
        assert_eq!(questions.field("token").unwrap_err(), "token: no field to answer; there are secret");
    }
}
