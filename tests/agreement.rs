//! Folder, crate, binary, route, registry, template block, samples and sample events of a provider agree.

use std::{collections::BTreeSet, fs, time::Duration};

use cargo_metadata::MetadataCommand;
use letterbox_registry::PROVIDERS;
use letterbox_signed::sender::SENDERS;
use letterbox_tests::{cases, providers, root};
use serde_json::Value;

fn listed() -> BTreeSet<String> {
    PROVIDERS.iter().map(|provider| provider.name().to_owned()).collect()
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
fn folders_are_listed() {
    assert_eq!(folders("functions"), listed());
    assert_eq!(folders("events"), listed());
    assert_eq!(folders("tests/expected"), listed());
    let tested: BTreeSet<_> = providers::PROVIDERS.iter().map(|provider| provider.name.to_owned()).collect();
    assert_eq!(tested, listed(), "tests/src/providers.rs");
}

#[test]
fn crates_binaries_and_routes_are_listed() {
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
    assert_eq!(crates, listed());

    let router = &metadata.workspace_metadata["lambda"]["watch"]["router"];
    let found: BTreeSet<_> = router
        .as_object()
        .unwrap()
        .iter()
        .map(|(route, function)| (route.clone(), function.as_str().unwrap().to_owned()))
        .collect();
    let expected: BTreeSet<_> = listed()
        .into_iter()
        .flat_map(|name| {
            ["", "/", "/{source}", "/{source}/"].map(|route| (format!("/{name}{route}"), name.clone()))
        })
        .collect();
    assert_eq!(found, expected);
}

/// The template without its tags: `!Ref X` reads as `X`.
fn template() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// A provider's name in logical ids and parameters.
fn logical(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn template_blocks_are_listed() {
    let template = template();
    let resources = template["Resources"].as_object().unwrap();
    let of_kind = |kind: &str| -> BTreeSet<_> {
        resources.iter().filter(|(_, resource)| resource["Type"] == kind).map(|(id, _)| id.clone()).collect()
    };
    let expected = PROVIDERS.iter().map(|provider| logical(provider.name()) + "Function").collect();
    assert_eq!(of_kind("AWS::Serverless::Function"), expected);

    for facts in PROVIDERS.iter().map(|provider| provider.facts()) {
        let (name, block) = (facts.name, logical(facts.name));
        let function = &resources[&format!("{block}Function")];
        assert_eq!(function["Metadata"]["BuildMethod"], "rust-cargolambda", "{name}");
        assert_eq!(function["Metadata"]["BuildProperties"]["Binary"], name);

        let properties = &function["Properties"];
        let routes: BTreeSet<_> = properties["Events"]
            .as_object()
            .unwrap()
            .values()
            .map(|event| (event["Type"].as_str(), &event["Properties"]))
            .map(|(kind, route)| (kind, route["Method"].as_str(), route["Path"].as_str()))
            .collect();
        let paths = ["", "/{source}", "/{proxy+}"].map(|route| format!("/{name}{route}"));
        let expected = paths.each_ref().map(|path| (Some("HttpApi"), Some("ANY"), Some(path.as_str())));
        assert_eq!(routes, expected.into(), "{name}");

        let timeout = Duration::from_secs(properties["Timeout"].as_u64().unwrap());
        assert!(timeout > facts.deadline, "{name}: ended before its own deadline");

        let variables = keys(&properties["Environment"]["Variables"]);
        assert!(variables.contains("CREDENTIALS_SECRET"), "{name}");
        assert_eq!(variables.contains(facts.document.unwrap_or("no document")), facts.document.is_some());

        for id in [format!("{block}LogGroup"), format!("{block}Role")] {
            assert!(resources.contains_key(&id), "{name}: no {id}");
        }
        for (section, id) in [
            ("Parameters", format!("{block}Enabled")),
            ("Parameters", format!("{block}CredentialsArn")),
            ("Outputs", format!("{block}Url")),
        ] {
            assert!(template[section].get(&id).is_some(), "{name}: no {id} in {section}");
        }
    }
}

#[test]
fn the_form_shows_every_parameter_once() {
    let template = template();
    let form = &template["Metadata"]["AWS::CloudFormation::Interface"];
    let groups = form["ParameterGroups"].as_array().unwrap().iter();
    let shown: Vec<_> = groups
        .flat_map(|group| group["Parameters"].as_array().unwrap())
        .map(|id| id.as_str().unwrap())
        .collect();
    let parameters = keys(&template["Parameters"]);
    assert_eq!(shown.iter().copied().collect::<BTreeSet<_>>(), parameters);
    assert_eq!(shown.len(), parameters.len());
    assert_eq!(keys(&form["ParameterLabels"]), parameters);
}

#[test]
fn the_template_offers_every_preset() {
    for parameter in ["PaymentPreset", "SignedPreset"] {
        // The template sets a secret, so it offers no preset with a public key.
        let presets = SENDERS.iter().filter(|sender| sender.proof.key_field == "secret");
        let presets = presets.map(|sender| sender.name);
        let offered = template()["Parameters"][parameter]["AllowedValues"].clone();
        let offered: BTreeSet<_> =
            offered.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(offered, presets.chain([""]).collect(), "AllowedValues of {parameter} in template.yaml");
    }
}

#[test]
fn every_provider_has_samples_demo_credentials_and_events() {
    for provider in PROVIDERS {
        let facts = provider.facts();
        let first = facts.first_sample;
        assert!(provider.sample(first).is_some(), "{}: no sample {first}", facts.name);
        let demo =
            fs::read_to_string(root().join(format!("events/{}/credentials.json", facts.name))).unwrap();
        assert_eq!(facts.demo, demo, "{}", facts.name);
        let cases = cases::all();
        let mut own = cases.iter().filter(|case| case.provider == facts.name);
        assert!(own.any(|case| case.status < 300), "{}: no event that succeeds", facts.name);
    }
}

#[test]
fn every_folder_of_samples_is_a_preset_with_a_demo_source() {
    let signed = letterbox_registry::find("signed").unwrap();
    let demo: Value = serde_json::from_str(signed.facts().demo).unwrap();
    for sample in signed.samples() {
        let Some((preset, _)) = sample.name.split_once('/') else { continue };
        assert_eq!(demo[preset]["preset"], preset, "{}: events/signed/credentials.json", sample.name);
    }
}

#[test]
fn a_function_is_a_few_lines() {
    for facts in PROVIDERS.iter().map(|provider| provider.facts()) {
        let main = fs::read_to_string(root().join(format!("functions/{}/src/main.rs", facts.name))).unwrap();
        assert!(main.lines().count() <= 15, "{}: main.rs grows", facts.name);
    }
}

/// A file that its `main.rs` does not name is never compiled: its tests could not fail.
#[test]
fn every_test_file_is_compiled() {
    for folder in ["cli/tests", "tests"] {
        let folder = root().join(folder);
        let main = fs::read_to_string(folder.join("main.rs")).unwrap();
        let modules: BTreeSet<_> =
            main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let files = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
        let names: BTreeSet<_> = files.map(|file| file.file_stem().unwrap().to_str().unwrap()).collect();
        assert_eq!(&modules | &["main"].into(), names, "{}", folder.display());
    }
}
