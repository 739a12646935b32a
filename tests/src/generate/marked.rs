//! Generated lines in files that are written by hand.

use std::{fmt::Write, path::Path};

use letterbox_signed::presets::{PRESETS, Preset};
use serde_json::Value;

use super::{Generated, providers::facts, read};

/// The line before generated lines, without its indentation.
const BEGIN: &str = "# Written by `make generate` from here";
/// The line after them.
const END: &str = "# to here";

/// The files, with their generated lines as they should be.
pub fn files() -> Result<[Generated; 2], String> {
    Ok([file("Cargo.toml", &router()?)?, file("template.yaml", &allowed_presets())?])
}

fn file(path: &str, lines: &str) -> Result<Generated, String> {
    let text = read(Path::new(path))?;
    let text = between(&text, lines).ok_or_else(|| {
        format!(
            "{path}: expected the line `{BEGIN}` and after it `{END}`: put them around the generated lines"
        )
    })?;
    Ok(Generated { path: path.to_owned(), text })
}

/// The text with other lines between each pair of marks; `None` unless there is a pair, and nothing but pairs.
fn between(text: &str, lines: &str) -> Option<String> {
    let mut sections = text.split(BEGIN);
    let mut all = sections.next()?.to_owned();
    let mut is_marked = false;
    for section in sections {
        let (_, after) = section.split_once(END)?;
        let indentation = all.rsplit('\n').next().unwrap_or_default().to_owned();
        let lines = lines.lines().fold(String::new(), |mut all, line| {
            let _ = writeln!(all, "{indentation}{line}");
            all
        });
        let _ = write!(all, "{BEGIN}\n{lines}{indentation}{END}{after}");
        is_marked = true;
    }
    is_marked.then_some(all)
}

/// The routes of `cargo lambda watch`, which it reads only from Cargo.toml.
fn router() -> Result<String, String> {
    Ok(facts()?.iter().fold(String::new(), |mut lines, facts| {
        let name = facts.name;
        for route in ["", "/", "/{source}", "/{source}/"] {
            let _ = writeln!(lines, "\"/{name}{route}\" = \"{name}\"");
        }
        lines
    }))
}

/// The values of the template's parameters `PaymentPreset` and `SignedPreset`: the presets whose key is a secret, which
/// the template sets.
fn allowed_presets() -> String {
    let is_secret = |preset: &&Preset| match preset.entry().get("algorithm").and_then(Value::as_str) {
        Some(algorithm) => !matches!(algorithm, "ed25519" | "ecdsa-p256" | "rsa-sha256"),
        None => true,
    };
    PRESETS.iter().filter(is_secret).fold("- \"\"\n".to_owned(), |mut lines, preset| {
        let _ = writeln!(lines, "- {}", preset.name);
        lines
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_between_the_marks_are_replaced() {
        let text = |lines: &str| format!("a\n  {BEGIN}\n{lines}  {END}\nb\n");
        assert_eq!(between(&text("old\n"), "x: 1\ny: 2\n"), Some(text("  x: 1\n  y: 2\n")));
        let twice = |lines: &str| text(lines) + &text(lines);
        assert_eq!(between(&twice("old\n"), "x: 1\n"), Some(twice("  x: 1\n")));
        for broken in ["a\n", BEGIN, END, &format!("{}{BEGIN}", text(""))] {
            assert_eq!(between(broken, "x"), None, "{broken}");
        }
    }
}
