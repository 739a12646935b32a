//! The questions of `letterbox configure`. Nothing changes before the last answer.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, IsTerminal},
    path::Path,
    rc::Rc,
};

use inquire::{
    Confirm, InquireError, MultiSelect, Password, PasswordDisplayMode, Select, Text, list_option::ListOption,
    validator::Validation,
};
use letterbox_codec::platform::{AnswerForm, Choice, Field, Need, Variant};
use letterbox_registry::{PROVIDERS, Platform};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{
    cloud::Cloud,
    given,
    known::{Current, Known, OFF, What, Wish, document},
};
use crate::{
    commands::CommandError,
    configure::{
        Entry,
        answers::{self, Questions},
        credentials::{Conflict, Previous},
    },
    terminal::{GOOD, QUIET, note, printable},
};

/// Checks that there is a terminal to ask on.
pub fn require_terminal() -> Result<(), CommandError> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    Err(CommandError::Usage(
        "there is no terminal to ask questions on: say what to do with --provider NAME and --secret FILE (- for standard input), --field-file or --field-env, with --provider NAME --generate, with --credentials FILE, or with --off NAME"
            .to_owned(),
    ))
}

/// The error of a run that the user ended.
pub fn cancelled() -> CommandError {
    CommandError::Failed("cancelled: nothing was changed".to_owned())
}

fn failed(error: InquireError) -> CommandError {
    match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => cancelled(),
        other => CommandError::Failed(format!("the question could not be asked: {other}")),
    }
}

/// The last question.
pub fn confirm() -> Result<bool, CommandError> {
    Confirm::new("Do this?").prompt().map_err(failed)
}

/// Asks what to do with an entry that has other values.
pub fn decide(
    provider: &dyn Platform,
    source: &str,
    Conflict(fields): &Conflict,
) -> Result<Option<Previous>, CommandError> {
    let title = provider.facts().title;
    note(
        QUIET,
        &format!("{title}, source {source}: there is an entry with another value of {}.", fields.join(", ")),
    );
    let choices = [
        Labelled(Some(Previous::Keep), "Accept both, until the platform uses the new key (rotation)"),
        Labelled(Some(Previous::Remove), "Replace it: deliveries signed with the previous key are refused"),
        Labelled(None, "Leave it as it is"),
    ];
    let chosen =
        Select::new("What to do with the previous entry?", choices.to_vec()).prompt().map_err(failed)?;
    Ok(chosen.0)
}

/// Asks which platforms, and what each one needs.
pub fn wishes(known: &Known, cloud: &Cloud) -> Result<Vec<Wish>, CommandError> {
    let titles: Vec<_> = PROVIDERS.iter().map(|provider| provider.facts().title).collect();
    let on: Vec<_> = (0..PROVIDERS.len())
        .filter(|&position| PROVIDERS.get(position).is_some_and(|provider| known.of(*provider) != OFF))
        .collect();
    let chosen = MultiSelect::new("Which platforms send webhooks?", titles)
        .with_default(&on)
        .with_page_size(PROVIDERS.len())
        .with_keep_filter(false)
        .with_scorer(&|typed, _, title, position| score(typed, title, position))
        .with_help_message("↑↓ to move, space to choose or not, type to search, enter when done")
        .with_validator(|chosen: &[ListOption<&&str>]| {
            Ok(if chosen.is_empty() {
                Validation::Invalid("choose at least one with the space bar".into())
            } else {
                Validation::Valid
            })
        })
        .raw_prompt()
        .map_err(failed)?;
    let mut wishes = Vec::new();
    for (position, &provider) in PROVIDERS.iter().enumerate() {
        let is_chosen = chosen.iter().any(|option| option.index == position);
        let what = if is_chosen { one(known, cloud, provider)? } else { What::Off };
        wishes.push(Wish { provider, what });
    }
    Ok(wishes)
}

/// Asks about one provider.
fn one(known: &Known, cloud: &Cloud, provider: &'static dyn Platform) -> Result<What, CommandError> {
    let facts = provider.facts();
    note(GOOD, facts.title);
    let current = known.current(cloud, provider)?;
    if current.stored.is_some() && leave(&current)? {
        return Ok(enough(&current));
    }
    let preset = preset(provider)?;
    if let Some(Preset::File) = preset {
        return own_scheme(provider, &current);
    }
    let preset = match preset {
        Some(Preset::Of(name)) => Some(name),
        _ => None,
    };
    if preset.is_none() && facts.chosen_secret && current.stored.is_none() && generate(facts.title)? {
        return Ok(What::Generate);
    }
    let questions = Questions::of(provider, preset).map_err(CommandError::Failed)?;
    let questions = Rc::new(questions);
    where_to_look(facts.setup.console, questions.variant.as_ref());
    let source = source(provider, &current)?;
    let mut entry = questions.start();
    let mut parameters = Vec::new();
    for field in &questions.fields {
        if field.parameter.is_some() {
            parameters.extend(parameter(known, provider, &questions, field)?);
        } else if let Some(value) = answer(provider, &questions, field)? {
            entry.insert(field.name.to_owned(), value);
        }
    }
    answers::check_source(provider, &source, &entry).map_err(CommandError::Failed)?;
    Ok(What::Entries { sources: [(source, vec![entry])].into(), parameters })
}

/// Turns a provider on with the credentials that it has.
fn enough(current: &Current) -> What {
    if current.is_used {
        return What::Keep;
    }
    What::Entries { sources: BTreeMap::new(), parameters: Vec::new() }
}

/// A provider that has credentials may stay as it is.
fn leave(current: &Current) -> Result<bool, CommandError> {
    let sources: Vec<_> = current.credentials.sources().collect();
    let message = format!("There are credentials of the source {}.", sources.join(", "));
    let choices = vec![Labelled(true, "Leave them as they are"), Labelled(false, "Add or change a source")];
    let chosen = Select::new(&message, choices).prompt().map_err(failed)?;
    Ok(chosen.0)
}

/// Who makes the secret.
fn generate(title: &str) -> Result<bool, CommandError> {
    let message = format!("The secret for {title}:");
    let choices = vec![
        Labelled(true, "Let the stack generate one; a command prints it after the deployment"),
        Labelled(false, "Enter the one that the platform already has"),
    ];
    Ok(Select::new(&message, choices).prompt().map_err(failed)?.0)
}

/// Which sender.
#[derive(Clone, Copy)]
enum Preset {
    Of(&'static str),
    Default,
    File,
}

/// Asks for the preset; `None` if the provider has none.
fn preset(provider: &dyn Platform) -> Result<Option<Preset>, CommandError> {
    let variants = provider.variants();
    if variants.is_empty() {
        return Ok(None);
    }
    let mut choices: Vec<_> =
        variants.iter().map(|variant| Labelled(Preset::Of(variant.name), variant.title.to_owned())).collect();
    choices.push(Labelled(
        Preset::Default,
        "Another sender: HMAC-SHA-256 of the body, as hex in X-Signature".to_owned(),
    ));
    choices.push(Labelled(
        Preset::File,
        "Another sender: its entry, with a scheme of its own, is in a file".to_owned(),
    ));
    let chosen = Select::new("Which sender?", choices)
        .with_scorer(&|typed, _, title, position| score(typed, title, position))
        .with_help_message("type to search, ↑↓ to move, enter to choose")
        .prompt()
        .map_err(failed)?;
    Ok(Some(chosen.0))
}

/// A scheme that is written out, in a file.
fn own_scheme(provider: &'static dyn Platform, current: &Current) -> Result<What, CommandError> {
    let source = source(provider, current)?;
    let named = source.clone();
    let read = move |path: &str| -> Result<Entry, String> {
        let text = given::text_of(Path::new(path))?;
        let entry: Entry = serde_json::from_str(&text).map_err(
            |_| "expected a JSON object: one entry, such as {\"secret\": \"...\", \"header\": \"...\"}",
        )?;
        answers::check_source(provider, &named, &entry)?;
        Ok(entry)
    };
    let check = read.clone();
    let path = Text::new("File with the entry")
        .with_help_message("one JSON object; docs/reference/credentials.md lists its fields")
        .with_validator(move |path: &str| Ok(validation(check(path).map(drop))))
        .prompt()
        .map_err(failed)?;
    let entry = read(&path).map_err(CommandError::Failed)?;
    Ok(What::Entries { sources: [(source, vec![entry])].into(), parameters: Vec::new() })
}

/// The source of the new entry. Without credentials it is `default`.
fn source(provider: &'static dyn Platform, current: &Current) -> Result<String, CommandError> {
    let names: Vec<_> = current.credentials.sources().collect();
    if names.is_empty() {
        return Ok("default".to_owned());
    }
    let help = format!("the last part of the URL; there are {}", names.join(", "));
    let example = provider.facts().demo;
    let entry = crate::configure::credentials::Credentials::parse(example)
        .ok()
        .and_then(|demo| demo.entries("default").first().cloned())
        .unwrap_or_default();
    Text::new("Source")
        .with_default("default")
        .with_help_message(&help)
        .with_validator(move |source: &str| {
            Ok(validation(
                provider.keys(&document(source, &entry)).map(drop).map_err(|error| error.to_string()),
            ))
        })
        .prompt()
        .map_err(failed)
}

/// Where the answers are.
fn where_to_look(console: &str, variant: Option<&Variant>) {
    match variant {
        Some(Variant { steps, source, .. }) => {
            for (number, step) in steps.en.iter().enumerate() {
                note(QUIET, &format!("  {}. {step}", number.saturating_add(1)));
            }
            note(QUIET, &format!("  {source}"));
        }
        None if console.is_empty() => {}
        None => note(QUIET, &format!("  {console}")),
    }
}

/// Asks for a parameter of the stack; the answer may be the value that it has.
fn parameter(
    known: &Known,
    provider: &'static dyn Platform,
    questions: &Rc<Questions>,
    field: &Field,
) -> Result<Option<(String, String)>, CommandError> {
    let present = known.parameter(field.name).filter(|value| !value.is_empty());
    let check = checker(provider, questions, field);
    let mut prompt = Text::new(field.title.en)
        .with_help_message(field.found.en)
        .with_validator(move |text: &str| Ok(validation(check(&text.into()))));
    if let Some(present) = &present {
        prompt = prompt.with_default(present);
    }
    let value = prompt.prompt().map_err(failed)?;
    Ok(Some((field.name.to_owned(), value)))
}

/// Asks for one field.
fn answer(
    provider: &'static dyn Platform,
    questions: &Rc<Questions>,
    field: &Field,
) -> Result<Option<Value>, CommandError> {
    match field.form {
        AnswerForm::Flag => {
            let yes = Confirm::new(field.title.en).with_default(false).with_help_message(field.found.en);
            Ok(yes.prompt().map_err(failed)?.then_some(Value::Bool(true)))
        }
        AnswerForm::Choice(choices) => {
            let labels = choices.iter().map(|Choice { value, about }| Labelled(*value, about.en)).collect();
            let select = Select::new(field.title.en, labels).with_help_message(field.found.en);
            let chosen = select.prompt().map_err(failed)?;
            answers::value(field, chosen.0).map_err(CommandError::Failed)
        }
        AnswerForm::Table { name, of_files } => table(provider, questions, field, name.en, of_files),
        AnswerForm::Line | AnswerForm::List | AnswerForm::LineOrFile => {
            let check = checker(provider, questions, field);
            let (asked, resolve) = (*field, resolver(field));
            let parse = move |text: &str| answers::value(&asked, &resolve(text)?);
            let checked = parse.clone();
            let text = line(field, field.title.en, move |text| match checked(text)? {
                Some(value) => check(&value),
                None => Ok(()),
            })?;
            parse(&text).map_err(CommandError::Failed)
        }
    }
}

/// Asks for names and values until there are enough.
fn table(
    provider: &'static dyn Platform,
    questions: &Rc<Questions>,
    field: &Field,
    name: &str,
    of_files: bool,
) -> Result<Option<Value>, CommandError> {
    let mut table = Map::new();
    loop {
        let title = if table.is_empty() { name.to_owned() } else { format!("Another: {name}") };
        let is_first = table.is_empty();
        let help = if is_first { field.found.en } else { "enter without a name to finish" };
        let key = Text::new(&title)
            .with_help_message(help)
            .with_validator(move |text: &str| {
                Ok(validation(if is_first && text.is_empty() {
                    Err("expected a value".to_owned())
                } else {
                    Ok(())
                }))
            })
            .prompt()
            .map_err(failed)?;
        if key.is_empty() {
            return Ok(Some(table.into()));
        }
        let (check, member) = (checker(provider, questions, field), key.clone());
        let single = Field { need: Need::Required, ..*field };
        let resolve =
            move |text: &str| if of_files { content(text) } else { Ok(Zeroizing::new(text.to_owned())) };
        let title = if of_files { format!("{}: file", field.title.en) } else { field.title.en.to_owned() };
        let text = line(&single, &title, move |text| {
            if text.is_empty() {
                return Err("expected a value".to_owned());
            }
            check(&json!({ &*member: resolve(text)?.as_str() }))
        })?;
        let value = resolve(&text).map_err(CommandError::Failed)?;
        table.insert(key, value.as_str().into());
    }
}

/// Asks for one line, hidden if it is a secret.
fn line(
    field: &Field,
    title: &str,
    check: impl Fn(&str) -> Result<(), String> + Clone + 'static,
) -> Result<Zeroizing<String>, CommandError> {
    let help = match (field.need, field.form) {
        (Need::Optional, _) => format!("{}; enter to leave it out", field.found.en),
        (Need::RequiredOrEmpty, _) => format!("{}; enter for an empty one", field.found.en),
        (_, AnswerForm::List) => format!("{}; commas between several", field.found.en),
        (_, AnswerForm::LineOrFile) => format!("{}; paste it, or enter a file's path", field.found.en),
        _ => field.found.en.to_owned(),
    };
    let validator = move |text: &str| Ok(validation(check(text)));
    let text = if field.is_secret {
        Password::new(title)
            .with_display_mode(PasswordDisplayMode::Masked)
            .without_confirmation()
            .with_help_message(&help)
            .with_validator(validator)
            .prompt()
    } else {
        Text::new(title).with_help_message(&help).with_validator(validator).prompt()
    };
    text.map(Zeroizing::new).map_err(failed)
}

/// The check of an answer, which outlives the question.
fn checker(
    provider: &'static dyn Platform,
    questions: &Rc<Questions>,
    field: &Field,
) -> impl Fn(&Value) -> Result<(), String> + Clone + 'static {
    let (questions, field) = (Rc::clone(questions), *field);
    move |value| questions.check(provider, &field, value)
}

/// What a typed line stands for.
fn resolver(field: &Field) -> impl Fn(&str) -> Result<Zeroizing<String>, String> + Clone + 'static {
    let may_be_file = matches!(field.form, AnswerForm::LineOrFile);
    move |text| {
        if may_be_file && Path::new(text).is_file() {
            content(text)
        } else {
            Ok(Zeroizing::new(text.to_owned()))
        }
    }
}

/// The content of a file that the user names.
fn content(path: &str) -> Result<Zeroizing<String>, String> {
    // Standard input is the terminal.
    if Path::new(path).is_file() {
        given::text_of(Path::new(path))
    } else {
        Err(format!("{path}: no such file"))
    }
}

/// Ranks a title that contains what was typed: one that equals it comes first, then those that start with it, each group in
/// the order of the list.
fn score(typed: &str, title: &str, position: usize) -> Option<i64> {
    let (typed, title) = (typed.to_lowercase(), title.to_lowercase());
    let group = match () {
        () if title == typed => 2,
        () if title.starts_with(&typed) => 1,
        () if title.contains(&typed) => 0,
        () => return None,
    };
    Some(group * 1_000_000 - i64::try_from(position).unwrap_or(0))
}

fn validation(checked: Result<(), String>) -> Validation {
    match checked {
        Ok(()) => Validation::Valid,
        Err(error) => Validation::Invalid(printable(&error).into()),
    }
}

/// A choice with its text.
#[derive(Clone)]
struct Labelled<T, L>(T, L);

impl<T, L: fmt::Display> fmt::Display for Labelled<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_title_comes_first() {
        let titles = ["Stripe (thin events)", "Stripe", "Acme with Stripe", "Acme"];
        let ranked = |typed: &str| {
            let scored = titles.iter().enumerate();
            let mut scored: Vec<_> = scored
                .filter_map(|(position, title)| Some((score(typed, title, position)?, *title)))
                .collect();
            scored.sort_unstable_by_key(|(score, _)| std::cmp::Reverse(*score));
            scored.into_iter().map(|(_, title)| title).collect::<Vec<_>>()
        };
        assert_eq!(ranked("stripe"), ["Stripe", "Stripe (thin events)", "Acme with Stripe"]);
        assert_eq!(ranked(""), titles);
        assert!(ranked("paddle").is_empty());
    }
}
