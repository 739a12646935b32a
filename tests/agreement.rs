//! Folder, crate, binary, route, row, samples and sample events of a provider agree.

use std::{collections::BTreeSet, fs};

use cargo_metadata::MetadataCommand;
use letterbox::providers::PROVIDERS;
use letterbox_tests::{cases, root};

fn rows() -> BTreeSet<String> {
    PROVIDERS.iter().map(|row| row.name.to_owned()).collect()
}

fn folders(of: &str) -> BTreeSet<String> {
    fs::read_dir(root().join(of))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn folders_are_rows() {
    assert_eq!(folders("functions"), rows());
    assert_eq!(folders("events"), rows());
    assert_eq!(folders("tests/expected"), rows());
}

#[test]
fn crates_binaries_and_routes_are_rows() {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let functions = root().join("functions");
    let mut crates = BTreeSet::new();
    for package in metadata.packages.iter().filter(|package| package.manifest_path.starts_with(&functions)) {
        let name = package.name.to_string();
        assert_eq!(package.manifest_path.parent().unwrap().file_name(), Some(name.as_str()));
        assert!(
            package.targets.iter().any(|target| target.is_bin() && target.name == name),
            "{name}: no binary"
        );
        crates.insert(name);
    }
    assert_eq!(crates, rows());

    let router = &metadata.workspace_metadata["lambda"]["watch"]["router"];
    let found: BTreeSet<_> = router
        .as_object()
        .unwrap()
        .iter()
        .map(|(route, function)| (route.clone(), function.as_str().unwrap().to_owned()))
        .collect();
    let expected: BTreeSet<_> = rows()
        .into_iter()
        .flat_map(|name| [(format!("/{name}"), name.clone()), (format!("/{name}/{{source}}"), name)])
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_provider_has_samples_demo_credentials_and_events() {
    for row in &PROVIDERS {
        assert!((row.sample)(row.try_sample).is_some(), "{}: no sample {}", row.name, row.try_sample);
        let demo = fs::read_to_string(root().join(format!("events/{}/credentials.json", row.name))).unwrap();
        assert_eq!(row.demo, demo, "{}", row.name);
        let cases = cases::all();
        let mut own = cases.iter().filter(|case| case.provider == row.name);
        assert!(own.any(|case| case.status < 300), "{}: no event that succeeds", row.name);
    }
}

#[test]
fn a_function_is_a_few_lines() {
    for row in &PROVIDERS {
        let main = fs::read_to_string(root().join(format!("functions/{}/src/main.rs", row.name))).unwrap();
        assert!(main.lines().count() <= 15, "{}: main.rs grows", row.name);
    }
}
