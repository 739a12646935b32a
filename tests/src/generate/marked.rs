//! Generated lines in files that are written by hand.

use std::{fmt::Write, path::Path};

use super::{
    Generated, Language,
    providers::{Facts, facts},
    read, table, template,
};

/// The lines around generated lines, without their indentation.
struct Marks {
    begin: &'static str,
    end: &'static str,
}

/// In TOML and YAML.
const COMMENTS: Marks = Marks { begin: "# Written by `make generate` from here", end: "# to here" };
/// In Markdown.
const HTML: Marks = Marks { begin: "<!-- Written by `make generate` from here -->", end: "<!-- to here -->" };

/// The files, with their generated lines as they should be.
pub fn files() -> Result<[Generated; 4], String> {
    Ok([
        file("Cargo.toml", &COMMENTS, &[router()?])?,
        file("template.yaml", &COMMENTS, &template::sections()?)?,
        readme(Language::English)?,
        readme(Language::Chinese)?,
    ])
}

fn file(path: &str, marks: &Marks, sections: &[String]) -> Result<Generated, String> {
    let text = read(Path::new(path))?;
    let text = between(&text, marks, sections).ok_or_else(|| {
        let (count, Marks { begin, end }) = (sections.len(), marks);
        format!(
            "{path}: expected the line `{begin}` and after it `{end}`, {count} times: around generated lines"
        )
    })?;
    Ok(Generated { path: path.to_owned(), text })
}

/// The text with other lines between each pair of marks; `None` unless there are as many pairs as sections, and nothing but
/// pairs.
fn between(text: &str, marks: &Marks, sections: &[String]) -> Option<String> {
    let Marks { begin, end } = marks;
    let mut parts = text.split(begin);
    let mut all = parts.next()?.to_owned();
    let mut sections = sections.iter();
    for part in parts {
        let (_, after) = part.split_once(end)?;
        let indentation = all.rsplit('\n').next().unwrap_or_default().to_owned();
        let lines = sections.next()?.lines().fold(String::new(), |mut all, line| {
            let indentation = if line.is_empty() { "" } else { &indentation };
            let _ = writeln!(all, "{indentation}{line}");
            all
        });
        let _ = write!(all, "{begin}\n{lines}{indentation}{end}{after}");
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

/// The README's table of the providers, each with the link to its guide.
fn readme(language: Language) -> Result<Generated, String> {
    let head = language
        .choose(["provider", "what it receives", "how it responds"], ["provider", "接收的内容", "响应"]);
    let facts = facts()?;
    let rows = facts.iter().map(|Facts { name, reference, .. }| {
        let guide = format!("[`{name}`](docs/guides/{name}{})", language.ending());
        [guide, language.of(reference.receives).to_owned(), language.of(reference.responds).to_owned()]
    });
    file(&format!("README{}", language.ending()), &HTML, &[table(head, rows)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_between_the_marks_are_replaced() {
        let Marks { begin, end } = COMMENTS;
        let between = |text: &str, sections: &[String]| between(text, &COMMENTS, sections);
        let text = |lines: &str| format!("a\n  {begin}\n{lines}  {end}\nb\n");
        let sections = |lines: &[&str]| lines.iter().map(|&lines| lines.to_owned()).collect::<Vec<_>>();
        let expected = Some(text("  x: 1\n\n  y: 2\n"));
        assert_eq!(between(&text("old\n"), &sections(&["x: 1\n\ny: 2\n"])), expected);
        let (twice, one) = (text("old\n") + &text(""), sections(&["x: 1\n"]));
        let two = sections(&["x: 1\n", "y: 2\n"]);
        assert_eq!(between(&twice, &two), Some(text("  x: 1\n") + &text("  y: 2\n")));
        for broken in ["a\n", begin, end, &format!("{}{begin}", text("")), &twice] {
            assert_eq!(between(broken, &one), None, "{broken}");
        }
        assert_eq!(between(&text(""), &two), None);
    }
}
