//! `letterbox configure`: from the keys that only the user has to a stack that can be deployed.

pub mod args;
mod ask;
mod cloud;
mod given;
mod known;
mod report;
mod writing;

use std::{collections::BTreeMap, fs, io::ErrorKind};

use letterbox_registry::{PROVIDERS, Platform};

use self::{
    args::Configure,
    cloud::Cloud,
    known::{Current, GENERATE, Known, OFF, What, Wish},
};
use super::CommandError;
use crate::{
    configure::{
        Entry,
        credentials::{Change, Conflict, Previous},
        plan::{LARGEST_SECRET, Place, Plan, SecretStep, Value},
        samconfig::SamConfig,
    },
    stack::{self, logical_name},
    terminal::{GOOD, QUIET, print_line},
};

/// Decides about an entry that has other values in these fields, in a source of a provider. `None` leaves the source as it
/// is.
type Decide<'d> = dyn FnMut(&dyn Platform, &str, &Conflict) -> Result<Option<Previous>, CommandError> + 'd;

/// Configures.
pub fn run(args: &Configure) -> Result<(), CommandError> {
    let is_interactive = !args.is_complete();
    if is_interactive {
        ask::require_terminal()?;
    }
    let file = args.config_file.display().to_string();
    let text = match fs::read_to_string(&args.config_file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(CommandError::Usage(format!("{file}: {error}"))),
    };
    let wrong = |error: String| CommandError::Usage(format!("{file}: {error}"));
    let config = SamConfig::parse(text.as_deref(), &args.config_env).map_err(wrong)?;
    // What the command line gives is checked before AWS is called.
    let given = if is_interactive { None } else { Some(given::wishes(args)?) };

    let name = args.stack.as_deref().or(config.get("stack_name")).unwrap_or(stack::DEFAULT_NAME).to_owned();
    let cloud = Cloud::connect(&args.aws, &config)?;
    let known = Known { stack: cloud.stack(&name)?, config, name };

    let mut after = known.config.clone();
    after.set("stack_name", &known.name).map_err(wrong)?;
    after.set("region", cloud.region()).map_err(wrong)?;

    let wishes = match given {
        Some(wishes) => wishes,
        None => ask::wishes(&known, &cloud)?,
    };
    let plan = if is_interactive {
        plan(&known, &cloud, &wishes, &mut ask::decide)?
    } else {
        plan(&known, &cloud, &wishes, &mut given::decide(args))?
    };
    someone_is_on(&known, &plan)?;

    let mut lines = plan.lines(&file, &known.config);
    for setting in ["stack_name", "region"] {
        if let Some(value) = after.get(setting).filter(|value| known.config.get(setting) != Some(*value)) {
            lines.push(format!("{file}: set {setting} = {value:?}"));
        }
    }
    if lines.is_empty() && text.is_some() {
        print_line(GOOD, "Nothing to change: the secrets and the configuration file are as chosen.")?;
        return report::next(args, &known, &known.config, &wishes);
    }
    print_line(QUIET, &format!("Stack {} in {}:", known.name, cloud.region()))?;
    for line in &lines {
        print_line(anstyle::Style::new(), &format!("  {line}"))?;
    }
    if args.dry_run {
        return Ok(print_line(GOOD, "Nothing was changed: this was a dry run.")?);
    }
    if is_interactive && !ask::confirm()? {
        return Err(ask::cancelled());
    }
    let created = apply(&plan, &known, &cloud)?;
    let arn = |name: &str| created.get(name).cloned().unwrap_or_default();
    let after = plan.apply(&after, arn).map_err(wrong)?;
    if text.as_deref() != Some(&after.text()) {
        writing::replace(&args.config_file, &after.text()).map_err(|error| {
            CommandError::Failed(format!("{file}: {error}; the secrets are stored: run the command again"))
        })?;
    }
    print_line(GOOD, "Done.")?;
    report::next(args, &known, &after, &wishes)
}

/// What the wishes change.
fn plan(
    known: &Known,
    cloud: &Cloud,
    wishes: &[Wish],
    decide: &mut Decide<'_>,
) -> Result<Plan, CommandError> {
    let mut plan = Plan::default();
    for Wish { provider, what } in wishes {
        let parameter = logical_name(provider.name());
        let mut set = |name: String, value| {
            let is_set = matches!(&value, Value::Text(text) if known.parameter(&name).as_ref() == Some(text));
            if !is_set {
                plan.parameters.push((name, value));
            }
        };
        match what {
            What::Keep => {}
            What::Off if known.of(*provider) == OFF => {}
            What::Off => set(parameter, Value::Text(OFF.to_owned())),
            What::Generate => {
                let before = known.of(*provider);
                if before.starts_with("arn:") {
                    let lost = Conflict(vec!["secret".to_owned()]);
                    if decide(*provider, "default", &lost)? != Some(Previous::Remove) {
                        continue;
                    }
                }
                set(parameter, Value::Text(GENERATE.to_owned()));
            }
            What::Entries { sources, parameters } => {
                let current = known.current(cloud, *provider)?;
                for (name, value) in parameters {
                    set(name.clone(), Value::Text(value.clone()));
                }
                let value = match &current.stored {
                    // The stack's own secret takes entries as well as any other.
                    Some(_) if current.is_generated => Value::Text(GENERATE.to_owned()),
                    Some(stored) => Value::Text(stored.arn.clone()),
                    None => Value::ArnOf(current.new_name.clone()),
                };
                set(parameter, value);
                plan.secrets.extend(secret_step(*provider, current, sources, decide)?);
            }
        }
    }
    Ok(plan)
}

/// The change of a provider's secret; `None` if it has the entries already.
fn secret_step(
    provider: &'static dyn Platform,
    current: Current,
    sources: &BTreeMap<String, Vec<Entry>>,
    decide: &mut Decide<'_>,
) -> Result<Option<SecretStep>, CommandError> {
    let Current { stored, new_name, mut credentials, .. } = current;
    let mut changes = Vec::new();
    for (source, entries) in sources {
        let change = match credentials.put_all(source, entries, None) {
            Ok(change) => change,
            Err(conflict) => match decide(provider, source, &conflict)? {
                None => Change::None,
                // Decided, it is no conflict.
                previous => credentials.put_all(source, entries, previous).unwrap_or(Change::None),
            },
        };
        changes.push((source.clone(), change));
    }
    if changes.iter().all(|(_, change)| *change == Change::None) {
        return Ok(None);
    }
    let json = credentials.to_json();
    let failed = |error: String| CommandError::Failed(format!("{}: {error}", provider.name()));
    provider.keys(&json).map_err(|error| failed(error.to_string()))?;
    if json.len() > LARGEST_SECRET {
        return Err(failed(format!(
            "the credentials have {} bytes, and a secret at most {LARGEST_SECRET}; remove entries that no platform uses any more",
            json.len()
        )));
    }
    let place = stored.map_or(Place::New(new_name), |stored| Place::Existing(stored.arn));
    Ok(Some(SecretStep { provider: provider.name(), place, json, changes }))
}

/// A stack without any provider cannot be deployed.
fn someone_is_on(known: &Known, plan: &Plan) -> Result<(), CommandError> {
    let is_on = |provider: &&dyn Platform| {
        let name = logical_name(provider.name());
        let planned = plan.parameters.iter().rev().find(|(parameter, _)| *parameter == name);
        match planned {
            Some((_, Value::Text(text))) => text != OFF,
            Some((_, Value::ArnOf(_))) => true,
            None => known.of(*provider) != OFF,
        }
    };
    if PROVIDERS.iter().copied().any(|provider| is_on(&provider)) {
        return Ok(());
    }
    Err(CommandError::Usage(
        "no provider would be on, and such a stack cannot be deployed: choose at least one, or delete the stack with `sam delete`"
            .to_owned(),
    ))
}

/// Creates and updates the secrets. Returns the ARNs of the created ones by name.
fn apply(plan: &Plan, known: &Known, cloud: &Cloud) -> Result<BTreeMap<String, String>, CommandError> {
    let key = known.parameter("KmsKeyArn").filter(|key| !key.is_empty());
    let mut created = BTreeMap::new();
    for SecretStep { provider, place, json, .. } in &plan.secrets {
        match place {
            Place::New(name) => {
                let about = format!("Letterbox credentials for {provider}, stack {}", known.name);
                created.insert(name.clone(), cloud.create(name, &about, key.as_deref(), json)?);
            }
            Place::Existing(arn) => cloud.update(arn, json)?,
        }
    }
    Ok(created)
}
