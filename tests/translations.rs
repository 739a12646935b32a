//! A document and its translation have the same structure, and no broken links.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use letterbox_registry::PROVIDERS;
use letterbox_tests::root;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// The suffix of a translation's name; that of the original is `.md`.
const TRANSLATED: &str = ".zh-CN.md";

/// A heading, and the text below it up to the next one. The first section is the text before any heading.
#[derive(Default)]
struct Section {
    level: Option<HeadingLevel>,
    title: String,
    code: Vec<Code>,
    tables: Vec<Table>,
    links: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Code {
    language: String,
    /// The lines that are the same in every language.
    kept: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Table {
    columns: usize,
    /// The code in the first cell of each row, the head included.
    rows: Vec<Vec<String>>,
}

/// The sections of a document, whose path is relative to the project's root.
fn sections(path: &Path) -> Vec<Section> {
    let markdown = fs::read_to_string(root().join(path)).unwrap_or_else(|error| fail(path, error));
    let mut sections = vec![Section::default()];
    let mut text = String::new();
    let mut first_cell = false;
    for event in Parser::new_ext(&markdown, Options::ENABLE_TABLES) {
        if let Event::Start(Tag::Heading { level, .. }) = event {
            text.clear();
            sections.push(Section { level: Some(level), ..Section::default() });
        }
        let section = sections.last_mut().unwrap();
        match event {
            Event::End(TagEnd::Heading(_)) => section.title.clone_from(&text),
            Event::Start(Tag::CodeBlock(kind)) => {
                text.clear();
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                section.code.push(Code { language, kept: vec![] });
            }
            Event::End(TagEnd::CodeBlock) => {
                let code = section.code.last_mut().unwrap();
                code.kept = kept(&code.language, &text);
            }
            Event::Start(Tag::Table(columns)) => {
                section.tables.push(Table { columns: columns.len(), rows: vec![] });
            }
            Event::Start(Tag::TableHead | Tag::TableRow) => {
                section.tables.last_mut().unwrap().rows.push(vec![]);
                first_cell = true;
            }
            Event::End(TagEnd::TableCell) => first_cell = false,
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                section.links.push(dest_url.into_string());
            }
            Event::Code(code) => {
                text.push_str(&code);
                if first_cell {
                    let row = section.tables.last_mut().unwrap().rows.last_mut().unwrap();
                    row.push(code.into_string());
                }
            }
            Event::Text(more) => text.push_str(&more),
            _ => {}
        }
    }
    sections
}

/// The lines of a code block that a translation leaves as they are: data, and commands to their end.
fn kept(language: &str, text: &str) -> Vec<String> {
    let mut goes_on = false;
    text.lines()
        .filter(|line| {
            let command = goes_on || line.starts_with("$ ");
            goes_on = command && line.ends_with('\\');
            language == "json" || language == "console" && command
        })
        .map(str::to_owned)
        .collect()
}

fn fail(path: &Path, what: impl std::fmt::Display) -> ! {
    panic!("{}: {what}", path.display())
}

/// The anchor that GitHub generates for a heading: lower case, no punctuation, hyphens for spaces.
fn slug(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter(|character| character.is_alphanumeric() || "-_ ".contains(*character))
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

/// Which section an anchor leads to; GitHub numbers those of equal headings.
fn section_at(anchor: &str, sections: &[Section]) -> Option<usize> {
    let mut seen = BTreeMap::new();
    sections.iter().position(|section| {
        let slug = slug(&section.title);
        let earlier = seen.entry(slug.clone()).or_insert(0);
        let own = if *earlier == 0 { slug } else { format!("{slug}-{earlier}") };
        *earlier += 1;
        own == anchor
    })
}

/// Where the links within the project (those without a scheme) lead: a file, and the number of a section in it.
fn targets(path: &Path, section: &Section) -> Vec<(PathBuf, Option<usize>)> {
    let project = root().canonicalize().unwrap();
    let within = section.links.iter().filter(|link| !link.contains(':'));
    within
        .map(|link| {
            let (file, anchor) = match link.split_once('#') {
                Some((file, anchor)) => (file, Some(anchor)),
                None => (link.as_str(), None),
            };
            let file = if file.is_empty() { path.to_owned() } else { path.with_file_name(file) };
            let file = project.join(file).canonicalize();
            let file = file.unwrap_or_else(|error| fail(path, format!("{link}: {error}")));
            let file = file.strip_prefix(&project).unwrap().to_owned();
            let at = anchor.map(|anchor| {
                let found = section_at(anchor, &sections(&file));
                found.unwrap_or_else(|| fail(path, format!("{link}: no such heading")))
            });
            (file, at)
        })
        .collect()
}

/// The paths of the entries of a folder, relative to the project's root as the folder is.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    entries.map(|entry| folder.join(entry.unwrap().file_name())).collect()
}

/// Every Markdown file at the root, and in `docs/` and the folders in it.
fn documents() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("docs")];
    let mut paths = entries(Path::new(""));
    while let Some(folder) = folders.pop() {
        let (inner, files): (Vec<_>, Vec<_>) =
            entries(&folder).into_iter().partition(|path| root().join(path).is_dir());
        folders.extend(inner);
        paths.extend(files);
    }
    paths.retain(|path| path.extension().is_some_and(|end| end == "md"));
    paths.sort();
    paths
}

fn original(path: &Path) -> PathBuf {
    path.to_str().unwrap().replace(TRANSLATED, ".md").into()
}

fn translation(original: &Path) -> PathBuf {
    original.to_str().unwrap().replace(".md", TRANSLATED).into()
}

/// Every document that has a translation, and the translation.
fn pairs() -> impl Iterator<Item = (PathBuf, PathBuf)> {
    documents().into_iter().map(|path| (original(&path), path)).filter(|(original, path)| original != path)
}

/// Compares a part of every section with that of its translation.
fn compare<T: std::fmt::Debug + PartialEq>(part: impl Fn(&Path, &Section) -> T) {
    for (original, translation) in pairs() {
        for (section, translated) in sections(&original).iter().zip(&sections(&translation)) {
            let (title, file) = (&section.title, translation.display());
            assert_eq!(
                part(&original, section),
                part(&translation, translated),
                "\"{title}\" and its counterpart in {file}"
            );
        }
    }
}

/// The documents that a user needs, each in both languages.
#[test]
fn the_readme_each_guide_and_each_reference_page_come_in_both_languages() {
    let documents = documents();
    let guides =
        PROVIDERS.iter().map(|provider| PathBuf::from(format!("docs/guides/{}.md", provider.name())));
    let references = documents.iter().filter(|path| path.starts_with("docs/reference")).cloned();
    let originals: BTreeSet<_> =
        guides.chain(references).chain(["README.md".into()]).map(|path| original(&path)).collect();
    let wanted = originals.into_iter().flat_map(|path| [translation(&path), path]);
    let missing: Vec<_> = wanted.filter(|path| !documents.contains(path)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
}

#[test]
fn a_readme_has_at_most_200_lines() {
    for name in ["README.md", "README.zh-CN.md"] {
        let lines = fs::read_to_string(root().join(name)).unwrap().lines().count();
        assert!(lines <= 200, "{name} has {lines} lines: move some to docs/");
    }
}

#[test]
fn headings_are_those_of_the_original() {
    for (original, translation) in pairs() {
        let [levels, translated] = [&original, &translation]
            .map(|path| sections(path).iter().map(|section| section.level).collect::<Vec<_>>());
        assert_eq!(levels, translated, "{}", translation.display());
    }
}

#[test]
fn code_is_that_of_the_original() {
    compare(|_, section| section.code.clone());
}

#[test]
fn tables_are_those_of_the_original() {
    compare(|_, section| section.tables.clone());
}

#[test]
fn links_lead_where_those_of_the_original_do() {
    compare(|path, section| {
        let found = targets(path, section).into_iter();
        let mut found: Vec<_> = found.map(|(file, at)| (original(&file), at)).collect();
        found.sort();
        found
    });
}

#[test]
fn no_link_leads_nowhere() {
    for path in documents() {
        for section in sections(&path) {
            targets(&path, &section);
        }
    }
}

#[test]
fn a_document_and_its_translation_link_to_each_other_at_the_top() {
    for (original, translation) in pairs() {
        for (here, other) in [(&original, &translation), (&translation, &original)] {
            // Before the heading or below it.
            let top = sections(here).into_iter().take(2);
            let links: Vec<_> = top.flat_map(|section| targets(here, &section)).collect();
            assert!(
                links.contains(&(other.clone(), None)),
                "{}: no link to {}",
                here.display(),
                other.display()
            );
        }
    }
}

#[test]
fn a_translation_links_to_translations() {
    let pairs: BTreeMap<_, _> = pairs().collect();
    let mut missed = Vec::new();
    for (own, translation) in &pairs {
        let links = sections(translation).into_iter().flat_map(|section| targets(translation, &section));
        let missing = links.filter(|(file, _)| file != own && pairs.contains_key(file));
        missed.extend(missing.map(|(file, _)| (translation, file)));
    }
    assert!(missed.is_empty(), "links to the original instead: {missed:?}");
}
