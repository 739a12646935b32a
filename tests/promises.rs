//! Every test that SECURITY.md names exists.

use std::{
    fs,
    path::{Path, PathBuf},
};

use letterbox_tests::root;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Every Rust file of the workspace's own crates.
fn sources() -> Vec<PathBuf> {
    let mut folders: Vec<_> = ["shared", "functions", "workers", "cli", "tests"].map(PathBuf::from).into();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The tests in the third column of SECURITY.md's tables.
fn named() -> Vec<String> {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let (mut column, mut names) = (0, Vec::new());
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) | Event::End(TagEnd::Table) => column = 0,
            Event::End(TagEnd::TableCell) => column += 1,
            Event::Code(code) if column == 2 => names.push(code.into_string()),
            _ => {}
        }
    }
    names
}

/// True if a test exists: a file in Python, or a function such as `queue::sqs::tests::name`.
fn exists(name: &str, sources: &[PathBuf]) -> bool {
    if Path::new(name).extension().is_some_and(|extension| extension == "py") {
        return root().join(name).is_file();
    }
    let mut module: Vec<_> = name.split("::").filter(|part| *part != "tests").collect();
    let Some(function) = module.pop() else { return false };
    let file = PathBuf::from_iter(&module).with_extension("rs");
    let head = format!("fn {function}(");
    let mut files = sources.iter().filter(|path| !module.is_empty() && path.ends_with(&file));
    files.any(|path| fs::read_to_string(root().join(path)).unwrap().contains(&head))
}

#[test]
fn every_test_that_a_promise_names_is_there() {
    let sources = sources();
    let names = named();
    assert!(names.len() > 15, "only {names:?}: is the table still there?");
    let missing: Vec<_> = names.iter().filter(|name| !exists(name, &sources)).collect();
    assert!(missing.is_empty(), "SECURITY.md names tests that are not there: {missing:?}");
}

#[test]
fn a_test_is_looked_for_where_its_name_says() {
    let sources = sources();
    let own = "promises::a_test_is_looked_for_where_its_name_says";
    assert!(exists(own, &sources) && exists("tests/browser/test_other_sites.py", &sources));
    for wrong in [
        "samples::a_test_is_looked_for_where_its_name_says",
        "a_test_is_looked_for_where_its_name_says",
        "promises::a_test_that_nobody_wrote",
        "tests/browser/test_nothing.py",
    ] {
        assert!(!exists(wrong, &sources), "{wrong}");
    }
}
