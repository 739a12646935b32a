//! What to do next: the command that deploys, and the URLs for the platforms.

use std::path::Path;

use anstyle::Style;
use letterbox_registry::{PROVIDERS, Platform};

use super::{
    args::Configure,
    known::{Known, What, Wish},
};
use crate::{
    commands::CommandError,
    configure::{answers::PRESET, samconfig::SamConfig},
    stack::{Stack, logical_name},
    terminal::{GOOD, QUIET, print_line},
};

/// Prints what to do next. `after` is the configuration file as it is now.
pub fn next(args: &Configure, known: &Known, after: &SamConfig, wishes: &[Wish]) -> Result<(), CommandError> {
    if needs_deployment(known, after)? {
        print_line(GOOD, "Next, deploy:")?;
        print_line(Style::new(), &format!("  {}", command(args, Path::new("functions").is_dir())))?;
    } else {
        print_line(
            Style::new(),
            "The stack needs no deployment: its functions read new credentials within five minutes.",
        )?;
    }
    let Some(stack) = &known.stack else {
        return Ok(print_line(
            QUIET,
            "Run this command again after the deployment: it then prints the URLs, and what to enter where.",
        )?);
    };
    for provider in PROVIDERS {
        let wish = wishes.iter().find(|wish| wish.provider.name() == provider.name());
        for line in urls(*provider, stack, wish.map(|wish| &wish.what)) {
            print_line(Style::new(), &line)?;
        }
    }
    Ok(())
}

/// True if the deployed stack has other parameters than the file.
fn needs_deployment(known: &Known, after: &SamConfig) -> Result<bool, CommandError> {
    let Some(stack) = &known.stack else { return Ok(true) };
    let overrides = after.overrides().map_err(CommandError::Failed)?;
    Ok(overrides.iter().any(|(name, value)| stack.parameter(name) != Some(value)))
}

/// The command that deploys: a clone of the source has to be built first, a release has not.
fn command(args: &Configure, is_source: bool) -> String {
    let mut deploy = "sam deploy".to_owned();
    if args.config_env != "default" {
        deploy += &format!(" --config-env {}", args.config_env);
    }
    if args.config_file != Path::new("samconfig.toml") {
        deploy += &format!(" --config-file {}", shell_words::quote(&args.config_file.to_string_lossy()));
    }
    if let Some(profile) = &args.aws.profile {
        deploy += &format!(" --profile {}", shell_words::quote(profile));
    }
    if is_source { format!("sam build && {deploy}") } else { deploy }
}

/// The URLs of a provider that the stack has on, and what to do with them.
fn urls(provider: &dyn Platform, stack: &Stack, wish: Option<&What>) -> Vec<String> {
    let (facts, name) = (provider.facts(), logical_name(provider.name()));
    let Some(url) = stack.output(&format!("{name}Url")) else { return Vec::new() };
    let mut lines = vec![facts.title.to_owned(), format!("  {url}")];
    let mut presets = Vec::new();
    if let Some(What::Entries { sources, .. }) = wish {
        lines.extend(
            sources.keys().filter(|source| *source != "default").map(|source| format!("  {url}/{source}")),
        );
        let entries = sources.values().flatten();
        presets.extend(entries.filter_map(|entry| entry.get(PRESET)?.as_str()));
    }
    let variants = provider.variants();
    let steps: Vec<_> = variants.iter().filter(|variant| presets.contains(&variant.name)).collect();
    if steps.is_empty() {
        lines.push(format!("  {}", facts.reference.console.en));
    }
    for variant in steps {
        lines.push(format!("  {}:", variant.title));
        lines.extend(variant.steps.en.iter().map(|step| format!("    {step}")));
    }
    if let Some(command) = stack.output(&format!("{name}SecretCommand")) {
        lines.push(format!("  the generated secret: {command}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{commands::Program, stack::Output};

    fn args(more: &[&str]) -> Configure {
        let line = ["letterbox", "configure"].iter().chain(more);
        let crate::commands::Command::Configure(args) = Program::parse_from(line).command else { panic!() };
        *args
    }

    #[test]
    fn the_command_deploys_what_was_configured() {
        for (more, is_source, expected) in [
            (&[][..], false, "sam deploy"),
            (&[], true, "sam build && sam deploy"),
            (
                &["--config-env", "ci", "--profile", "my own", "--config-file", "a b.toml"],
                false,
                "sam deploy --config-env ci --config-file 'a b.toml' --profile 'my own'",
            ),
        ] {
            assert_eq!(command(&args(more), is_source), expected);
        }
    }

    #[test]
    fn a_deployment_is_needed_if_the_parameters_differ() {
        let file = "[default.deploy.parameters]\nparameter_overrides = [\"Github=generate\"]\n";
        let config = SamConfig::parse(Some(file), "default").unwrap();
        let known = |stack| Known { config: config.clone(), name: "letterbox".to_owned(), stack };
        let stack = |value: &str| {
            let parameters = [("Github".to_owned(), value.to_owned())].into();
            Some(Stack { parameters, ..Stack::default() })
        };
        for (stack, expected) in [(None, true), (stack("off"), true), (stack("generate"), false)] {
            assert_eq!(needs_deployment(&known(stack), &config).unwrap(), expected);
        }
    }

    #[test]
    fn a_url_comes_with_what_to_do_with_it() {
        let output = |value: &str| Output { value: value.to_owned(), ..Output::default() };
        let outputs = [("SignedUrl".to_owned(), output("https://x/signed"))].into();
        let stack = Stack { outputs, ..Stack::default() };
        let signed = letterbox_registry::find("signed").unwrap();
        let entry = serde_json::json!({ "preset": "stripe" }).as_object().unwrap().clone();
        let wish =
            What::Entries { sources: [("acme".to_owned(), vec![entry])].into(), parameters: Vec::new() };
        let lines = urls(signed, &stack, Some(&wish));
        assert_eq!(lines.get(1..4).unwrap(), ["  https://x/signed", "  https://x/signed/acme", "  Stripe:"]);
        let lines = urls(signed, &stack, None);
        assert!(lines.get(2).unwrap().contains("paste the URL"), "{lines:?}");
        assert!(urls(letterbox_registry::find("github").unwrap(), &stack, None).is_empty());
    }
}
