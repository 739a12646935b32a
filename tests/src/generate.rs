//! Files that are generated from the code that they describe: `make generate` writes them, and a test compares them.

mod causes;
mod cli;
mod demo;
mod marked;
mod presets;
mod providers;
mod template;

use std::{fmt::Write, fs, path::Path};

use letterbox_codec::platform::Bilingual;

use crate::root;

/// The remedy if a file is not as generated.
const REMEDY: &str = "run `make generate`";

/// A generated file.
#[derive(Debug)]
pub struct Generated {
    /// Its path from the project's root.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// Every generated file. The error names what is missing.
pub fn all() -> Result<Vec<Generated>, String> {
    let mut files = Vec::new();
    files.extend(cli::pages()?);
    files.extend(causes::pages());
    files.extend(presets::pages()?);
    files.extend(providers::pages()?);
    files.extend(marked::files()?);
    files.extend(demo::files()?);
    Ok(files)
}

impl Generated {
    /// Writes the file.
    pub fn write(&self) -> Result<(), String> {
        let path = root().join(&self.path);
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        folder.and_then(|()| fs::write(path, &self.text)).map_err(|error| format!("{}: {error}", self.path))
    }

    /// Compares the file. The error names it, the first line that differs, and the remedy.
    pub fn check(&self) -> Result<(), String> {
        let path = root().join(&self.path);
        let found = fs::read_to_string(&path).map_err(|error| format!("{}: {error}; {REMEDY}", self.path))?;
        if found == self.text {
            return Ok(());
        }
        let (mut found, mut expected) = (found.lines(), self.text.lines());
        let mut number: usize = 1;
        loop {
            let (line, wanted) = (found.next(), expected.next());
            if line != wanted || line.is_none() {
                let (line, wanted) = (line.unwrap_or_default(), wanted.unwrap_or_default());
                return Err(format!(
                    "{}:{number}: not as generated; {REMEDY}\n  there: {line}\n  generated: {wanted}",
                    self.path
                ));
            }
            number = number.saturating_add(1);
        }
    }
}

/// One of the two languages of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Chinese,
}

impl Language {
    /// The text in this language.
    fn of<T>(self, texts: Bilingual<T>) -> T {
        match self {
            Self::English => texts.en,
            Self::Chinese => texts.zh,
        }
    }

    /// One of two texts.
    fn choose<T>(self, en: T, zh: T) -> T {
        self.of(Bilingual { en, zh })
    }

    /// The suffix of a page's name.
    fn ending(self) -> &'static str {
        self.choose(".md", ".zh-CN.md")
    }
}

/// A page of `docs/reference` in one language.
struct Page {
    language: Language,
    name: &'static str,
    text: String,
}

impl Page {
    /// The title, the link to the other language, and the introduction.
    fn new(
        language: Language,
        name: &'static str,
        title: Bilingual<&str>,
        introduction: Bilingual<&str>,
    ) -> Self {
        let link = language.choose(
            format!("English | [简体中文]({name}.zh-CN.md)"),
            format!("[English]({name}.md) | 简体中文"),
        );
        let (title, introduction) = (language.of(title), language.of(introduction));
        let remark = "<!-- Written by `make generate`: do not edit. -->";
        Self { language, name, text: format!("# {title}\n\n{link}\n\n{remark}\n\n{introduction}\n") }
    }

    fn heading(&mut self, title: &str) {
        let _ = write!(self.text, "\n## {title}\n");
    }

    fn subheading(&mut self, title: &str) {
        let _ = write!(self.text, "\n### {title}\n");
    }

    /// Numbered steps.
    fn steps(&mut self, steps: &[&str]) {
        self.text.push('\n');
        for (number, step) in (1..).zip(steps) {
            let _ = writeln!(self.text, "{number}. {step}");
        }
    }

    fn list(&mut self, items: &[String]) {
        self.text.push('\n');
        for item in items {
            let _ = writeln!(self.text, "- {item}");
        }
    }

    /// A paragraph; each sentence on its line.
    fn paragraph(&mut self, text: Bilingual<&str>) {
        let _ = write!(self.text, "\n{}\n", self.language.of(text));
    }

    fn table<const N: usize>(&mut self, head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        let _ = write!(self.text, "\n{}", table(head, rows));
    }

    fn file(self) -> Generated {
        let Self { language, name, text } = self;
        Generated { path: format!("docs/reference/{name}{}", language.ending()), text }
    }
}

/// A table.
fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let head = row(&head.map(str::to_owned));
    rows.into_iter().fold(format!("{head}\n|{}\n", "---|".repeat(N)), |mut lines, cells| {
        let _ = writeln!(lines, "{}", row(&cells));
        lines
    })
}

/// One row of a table. A `|` in a cell is escaped.
fn row(cells: &[String]) -> String {
    cells.iter().fold("|".to_owned(), |row, cell| {
        let space = if cell.is_empty() { "" } else { " " };
        row + space + &cell.replace('|', r"\|") + " |"
    })
}

/// A page in both languages.
fn both<E>(page: impl Fn(Language) -> Result<Page, E>) -> Result<Vec<Generated>, E> {
    [Language::English, Language::Chinese]
        .into_iter()
        .map(|language| page(language).map(Page::file))
        .collect()
}

/// Text as code; an empty text stays empty.
fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// A file of the project.
fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{}: {error}", path.display()))
}
