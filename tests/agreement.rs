//! Folder, crate, binary, route, registry, template, samples and sample events of a provider agree.

use std::{collections::BTreeSet, fmt::Debug, fs};

use cargo_metadata::MetadataCommand;
use letterbox_intake::archive::mask::is_secret_header;
use letterbox_registry::PROVIDERS;
use letterbox_tests::{cases, fixed, providers, root};
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

/// Fails if `place` does not have exactly the `expected` names, and says which it lacks and which are too many.
fn assert_has<T: Ord + Debug>(place: &str, found: &BTreeSet<T>, expected: &BTreeSet<T>) {
    let missing: Vec<_> = expected.difference(found).collect();
    let surplus: Vec<_> = found.difference(expected).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{place}: add {missing:?}, or remove {surplus:?}; the list of the providers is registry/src/lib.rs"
    );
}

#[test]
fn folders_are_listed() {
    for folder in ["functions", "events", "tests/expected", "tests/doctor"] {
        assert_has(folder, &folders(folder), &listed());
    }
    let tested = providers::PROVIDERS.iter().map(|provider| provider.name.to_owned()).collect();
    assert_has("tests/src/providers.rs", &tested, &listed());
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
    assert_has("the crates in functions", &crates, &listed());

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
    assert_has("Cargo.toml, the routes that `make generate` writes", &found, &expected);
}

/// A worker has one name for folder, crate, binary and block, and a parameter that is off by default.
#[test]
fn workers_have_one_name_and_are_off() {
    let template = template();
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let workers = folders("workers");
    assert!(!workers.is_empty());
    for name in workers {
        let package = metadata.packages.iter().find(|package| package.name.as_str() == name).unwrap();
        assert!(package.manifest_path.starts_with(root().join("workers").join(&name)));
        assert!(
            package.targets.iter().any(|target| target.is_bin() && target.name == name),
            "{name}: no binary"
        );
        let (first, rest) = name.split_at(1);
        let id = format!("{}{rest}", first.to_uppercase());
        assert_eq!(template["Parameters"][&id]["Default"], "off");
        let resources = template["Resources"].as_object().unwrap().iter();
        let own: Vec<_> = resources.filter(|(logical, _)| logical.starts_with(&id)).collect();
        assert!(own.iter().all(|(_, one)| one["Condition"].as_str().unwrap().starts_with(&id)), "{name}");
        let function = &template["Resources"][format!("{id}Function")]["Properties"];
        assert_eq!(function["CodeUri"], format!("workers/{name}"));
        assert!(
            listed().iter().all(|provider| !name.starts_with(provider.as_str())),
            "{name}: also a provider's"
        );
    }
}

/// The template without its tags: `!Ref X` reads as `X`.
fn template() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// What the generated blocks do not have by themselves: the variable of a file that the provider takes its replies from.
#[test]
fn a_provider_with_a_document_gets_it() {
    let template = template();
    for facts in PROVIDERS.iter().map(|provider| provider.facts()) {
        let (first, rest) = facts.name.split_at(1);
        let function = &template["Resources"][format!("{}{rest}Function", first.to_uppercase())];
        let variables = &function["Properties"]["Environment"]["Variables"];
        let expected = ["CREDENTIALS_SECRET"].into_iter().chain(facts.document).collect();
        assert_eq!(keys(variables), expected, "{}: see EXTRAS in tests/src/generate/template.rs", facts.name);
    }
}

#[test]
fn what_the_stack_generates_is_a_valid_credentials_json() {
    let generated = r#"{"secret":"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"}"#;
    for provider in PROVIDERS.iter().filter(|provider| provider.facts().chosen_secret) {
        let keys = provider.keys(generated).unwrap_or_else(|error| panic!("{}: {error}", provider.name()));
        assert_eq!(keys.sources(), ["default"]);
    }
}

/// The metric of each alarm in the stack's own namespace is one that a function writes, or a filter of the access log.
#[test]
fn alarms_watch_metrics_that_exist() {
    let template = template();
    let resources = template["Resources"].as_object().unwrap().values();
    let metrics = fs::read_to_string(root().join("shared/intake/src/metrics.rs")).unwrap();
    let of_workers: Vec<_> = gaps::lambda::METRICS.into_iter().chain(contacts::lambda::METRICS).collect();
    let filtered = |name: &str| {
        let mut filters =
            resources.clone().map(|one| &one["Properties"]["MetricTransformations"][0]["MetricName"]);
        filters.any(|found| found == name)
    };
    let mut count = 0;
    for alarm in resources.clone().filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        let several = properties["Metrics"].as_array().into_iter().flatten();
        let several = several.map(|metric| &metric["MetricStat"]["Metric"]);
        for metric in several.chain([properties]).filter(|metric| metric.get("Dimensions").is_none()) {
            let Some(name) = metric["MetricName"].as_str() else { continue };
            let written = metrics.contains(&format!("(\"{name}\", \"Count\", Per::Stack,"))
                || of_workers.contains(&name);
            assert!(written || filtered(name), "nobody writes the metric {name}");
            count += 1;
        }
    }
    assert_eq!(count, 8);
}

/// Without it, a delivery from the archive could not be verified again.
#[test]
fn the_archive_has_every_header_that_is_signed() {
    let mut count = 0;
    for provider in PROVIDERS {
        let keys = provider.keys(provider.facts().demo).unwrap();
        for entry in keys.sources().into_iter().flat_map(|source| keys.entries(source).unwrap()) {
            let secret = entry.secret_headers();
            for header in entry.headers().into_iter().filter(|header| !secret.contains(header)) {
                assert!(!is_secret_header(header), "{}: {header}", provider.name());
                count += 1;
            }
            assert!(secret.iter().all(|header| entry.headers().contains(header)), "{}", provider.name());
        }
    }
    assert!(count > 60, "{count} headers");
}

/// GitHub only signs, in headers of fixed names, and signs no id.
#[test]
fn a_provider_has_none_of_what_it_does_not_say() {
    let github = letterbox_registry::find("github").unwrap();
    assert!(github.variants().is_empty());
    let keys = github.keys(github.facts().demo).unwrap();
    let entry = keys.first("default").unwrap();
    for list in [entry.headers(), entry.id_members(), entry.secret_headers(), entry.secret_parameters()] {
        assert_eq!(list, [""; 0]);
    }
    assert!(entry.seal(b"{}", &fixed()).is_none());
}

#[test]
fn every_role_takes_the_permissions_boundary() {
    let template = template();
    let resources = template["Resources"].as_object().unwrap();
    let roles = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role");
    for (id, role) in roles {
        assert_eq!(role["Properties"]["PermissionsBoundary"][1], "PermissionsBoundaryArn", "{id}");
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
    assert_has("template.yaml, ParameterGroups", &shown.iter().copied().collect(), &parameters);
    assert_eq!(shown.len(), parameters.len(), "template.yaml, ParameterGroups: a parameter twice");
    assert_has("template.yaml, ParameterLabels", &keys(&form["ParameterLabels"]), &parameters);
    let own: BTreeSet<_> = listed().union(&folders("workers")).cloned().collect();
    let is_own = |id: &str| own.iter().any(|name| id.to_lowercase().starts_with(name));
    let others = parameters.iter().filter(|id| !is_own(id)).count();
    assert!(others <= 15, "{others} questions besides the providers' and the workers'");
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

/// An empty guide would satisfy the tests of the translations.
#[test]
fn every_guide_says_where_to_send_and_how_to_try_it() {
    for name in listed() {
        let guide = fs::read_to_string(root().join(format!("docs/guides/{name}.md"))).unwrap();
        for expected in [format!("/{name}"), format!(" send {name}"), "credentials".to_owned()] {
            assert!(guide.contains(&expected), "docs/guides/{name}.md: nothing about `{expected}`");
        }
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
