//! What the command line says to do, without questions.

use std::{collections::BTreeMap, path::Path};

use letterbox_codec::platform::{AnswerForm, Field};
use letterbox_registry::{PROVIDERS, Platform};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    args::Configure,
    known::{What, Wish},
};
use crate::{
    commands::CommandError,
    configure::{
        Entry,
        answers::{self, Questions},
        credentials::{Conflict, Credentials, Previous},
    },
    credentials, data,
};

/// The wishes of the command line, all of them checked.
pub fn wishes(args: &Configure) -> Result<Vec<Wish>, CommandError> {
    let mut wishes = Vec::new();
    if let Some(name) = &args.provider {
        let provider = letterbox_registry::find(name).map_err(CommandError::Usage)?;
        let what = if args.generate { generate(provider) } else { entry(args, provider) };
        wishes.push(Wish { provider, what: what.map_err(CommandError::Usage)? });
    }
    if let Some(file) = &args.credentials {
        wishes.extend(file_wishes(file).map_err(CommandError::Usage)?);
    }
    for name in &args.off {
        let provider = letterbox_registry::find(name).map_err(CommandError::Usage)?;
        if wishes.iter().any(|wish| wish.provider.name() == provider.name()) {
            return Err(CommandError::Usage(format!("{name}: both configured and turned off; choose one")));
        }
        wishes.push(Wish { provider, what: What::Off });
    }
    Ok(wishes)
}

/// Decides by --rotate and --replace; without either, a conflict is an error.
pub fn decide(
    args: &Configure,
) -> impl FnMut(&dyn Platform, &str, &Conflict) -> Result<Option<Previous>, CommandError> {
    let (rotate, replace) = (args.rotate, args.replace);
    move |provider, source, Conflict(fields)| match (rotate, replace) {
        (true, _) => Ok(Some(Previous::Keep)),
        (_, true) => Ok(Some(Previous::Remove)),
        _ => Err(CommandError::Failed(format!(
            "{} source {source} already has an entry with another value of {}: --rotate keeps it after the new one until the platform uses the new key, --replace removes it; nothing was changed",
            provider.name(),
            fields.join(", ")
        ))),
    }
}

fn generate(provider: &dyn Platform) -> Result<What, String> {
    let facts = provider.facts();
    if facts.chosen_secret {
        return Ok(What::Generate);
    }
    Err(format!(
        "--generate: {} issues the secret itself, or needs further fields; give them with --secret, --field-file or --field-env",
        facts.title
    ))
}

/// The entry that the options give, field by field.
fn entry(args: &Configure, provider: &dyn Platform) -> Result<What, String> {
    let questions = Questions::of(provider, args.preset.as_deref())?;
    let mut entry = questions.start();
    let mut parameters = Vec::new();
    let mut put = |path: &str, text: &str, is_hidden: bool| {
        let name = path.split_once('.').map_or(path, |(name, _)| name);
        let field = questions.field(name)?;
        if field.is_secret && !is_hidden {
            return Err(format!(
                "--field {name}: a secret on the command line is visible to other users and in the shell's history; use --field-file {path}=FILE (- for standard input) or --field-env {path}=VARIABLE"
            ));
        }
        let Some(value) = value(field, path, text)? else { return Ok(()) };
        questions.check(provider, field, &value)?;
        match (field.parameter, value, entry.get_mut(name)) {
            (Some(_), value, _) => {
                parameters.push((name.to_owned(), value.as_str().unwrap_or_default().to_owned()));
            }
            (None, Value::Object(more), Some(Value::Object(present))) => present.extend(more),
            (None, value, _) => {
                entry.insert(name.to_owned(), value);
            }
        }
        Ok(())
    };
    if let Some(file) = &args.secret {
        put("secret", &text_of(file)?, true)?;
    }
    for (path, file) in &args.field_file {
        put(path, &text_of(Path::new(file))?, true)?;
    }
    for (path, variable) in &args.field_env {
        let text = std::env::var(variable)
            .map(Zeroizing::new)
            .map_err(|_| format!("--field-env {path}: the variable {variable} is not set, or not UTF-8"))?;
        put(path, &text, true)?;
    }
    for (path, text) in &args.field {
        put(path, text, false)?;
    }
    if let Some(field) = questions.missing(&entry).next() {
        return Err(missing(field));
    }
    answers::check_source(provider, &args.source, &entry)?;
    Ok(What::Entries { sources: [(args.source.clone(), vec![entry])].into(), parameters })
}

/// The value of a field, or of one member of an object under `field.name`.
fn value(field: &Field, path: &str, text: &str) -> Result<Option<Value>, String> {
    let member = path.split_once('.').map(|(_, member)| member);
    match (field.form, member) {
        (AnswerForm::Table { .. }, Some(member)) => {
            let table: Map<_, _> = [(member.to_owned(), text.into())].into_iter().collect();
            Ok(Some(table.into()))
        }
        (_, Some(_)) => Err(format!("{path}: {} is no object; leave the part after the dot out", field.name)),
        (_, None) => answers::value(field, text),
    }
}

fn missing(Field { name, title, form, is_secret, .. }: &Field) -> String {
    let title = title.en;
    match (form, is_secret) {
        (AnswerForm::Table { .. }, _) => {
            format!("{name} is missing ({title}): give it with --field-file {name}.NAME=FILE")
        }
        (_, true) => format!(
            "{name} is missing ({title}): give it with --field-file {name}=FILE (- for standard input) or --field-env {name}=VARIABLE"
        ),
        (_, false) => format!("{name} is missing ({title}): give it with --field {name}=VALUE"),
    }
}

/// The text of a file without the line break at its end.
pub fn text_of(file: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = Zeroizing::new(data::read(file, data::CREDENTIALS)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("{}: expected UTF-8", file.display()))?;
    // A PEM keeps its lines; a secret has none.
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(Zeroizing::new(text.to_owned()))
}

/// Every provider of a credentials file.
fn file_wishes(file: &Path) -> Result<Vec<Wish>, String> {
    let place = file.display();
    let loaded = credentials::load(Some(file))?;
    let mut wishes = Vec::new();
    for &provider in PROVIDERS {
        let Some(json) = loaded.json(provider.name()) else { continue };
        provider.keys(json).map_err(|error| format!("{place}: {error}"))?;
        let parsed = Credentials::parse(json).map_err(|error| format!("{place}: {error}"))?;
        let sources: BTreeMap<String, Vec<Entry>> =
            parsed.sources().map(|source| (source.to_owned(), parsed.entries(source).to_vec())).collect();
        wishes.push(Wish { provider, what: What::Entries { sources, parameters: Vec::new() } });
    }
    Ok(wishes)
}
