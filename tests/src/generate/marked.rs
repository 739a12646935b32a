//! Generated lines in files that are written by hand.

use std::{fmt::Write, path::Path};

use super::{Generated, providers::facts, read, template};

/// The line before generated lines, without its indentation.
const BEGIN: &str = "# Written by `make generate` from here";
/// The line after them.
const END: &str = "# to here";

/// The files, with their generated lines as they should be.
pub fn files() -> Result<[Generated; 2], String> {
    Ok([file("Cargo.toml", &[router()?])?, file("template.yaml", &template::sections()?)?])
}

fn file(path: &str, sections: &[String]) -> Result<Generated, String> {
    let text = read(Path::new(path))?;
    let text = between(&text, sections).ok_or_else(|| {
        let count = sections.len();
        format!(
            "{path}: expected the line `{BEGIN}` and after it `{END}`, {count} times: around generated lines"
        )
    })?;
    Ok(Generated { path: path.to_owned(), text })
}

/// The text with other lines between each pair of marks; `None` unless there are as many pairs as sections, and nothing but
/// pairs.
fn between(text: &str, sections: &[String]) -> Option<String> {
    let mut parts = text.split(BEGIN);
    let mut all = parts.next()?.to_owned();
    let mut sections = sections.iter();
    for part in parts {
        let (_, after) = part.split_once(END)?;
        let indentation = all.rsplit('\n').next().unwrap_or_default().to_owned();
        let lines = sections.next()?.lines().fold(String::new(), |mut all, line| {
            let indentation = if line.is_empty() { "" } else { &indentation };
            let _ = writeln!(all, "{indentation}{line}");
            all
        });
        let _ = write!(all, "{BEGIN}\n{lines}{indentation}{END}{after}");
    }
    sections.next().is_none().then_some(all)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_between_the_marks_are_replaced() {
        let text = |lines: &str| format!("a\n  {BEGIN}\n{lines}  {END}\nb\n");
        let sections = |lines: &[&str]| lines.iter().map(|&lines| lines.to_owned()).collect::<Vec<_>>();
        let expected = Some(text("  x: 1\n\n  y: 2\n"));
        assert_eq!(between(&text("old\n"), &sections(&["x: 1\n\ny: 2\n"])), expected);
        let (twice, one) = (text("old\n") + &text(""), sections(&["x: 1\n"]));
        let two = sections(&["x: 1\n", "y: 2\n"]);
        assert_eq!(between(&twice, &two), Some(text("  x: 1\n") + &text("  y: 2\n")));
        for broken in ["a\n", BEGIN, END, &format!("{}{BEGIN}", text("")), &twice] {
            assert_eq!(between(broken, &one), None, "{broken}");
        }
        assert_eq!(between(&text(""), &two), None);
    }
}
