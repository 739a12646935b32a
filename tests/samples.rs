//! Every sample event is as its case generates it, and has the outcome that is written beside it.

use std::{collections::BTreeSet, fs};

use letterbox_codec::Stage;
use letterbox_intake::Outcome;
use letterbox_tests::{cases, doctor, providers::PROVIDERS, root};

fn read(file: &std::path::Path) -> serde_json::Value {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn each_event_is_answered_as_its_name_says() {
    for case in cases::all() {
        let name = format!("{}/{}", case.provider, case.name);
        let outcome = case.replay(&read(&case.event_file())).unwrap();
        assert_eq!(outcome["status"], case.status, "{name}");
        assert_eq!(outcome, read(&case.expected_file()), "{name}");
        let queued = outcome["queued"].as_array().unwrap().len();
        let put = outcome["outcome"] == "queued";
        assert_eq!(queued, usize::from(put), "{name}");
        assert!(!put || (200..300).contains(&case.status), "{name}: queued and not acknowledged");
    }
}

#[test]
fn the_files_are_those_of_the_cases() {
    let cases = cases::all();
    for case in &cases {
        let event = case.event().unwrap();
        assert_eq!(read(&case.event_file()), event, "{}/{}: run `make events`", case.provider, case.name);
    }
    let expected: BTreeSet<_> =
        cases.iter().flat_map(|case| [case.event_file(), case.expected_file()]).collect();
    let folders = ["events", "tests/expected"]
        .into_iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    let found: BTreeSet<_> =
        files.map(|file| file.unwrap().path()).filter(|file| !file.ends_with("credentials.json")).collect();
    assert_eq!(found, expected);
}

#[test]
fn doctors_deliveries_are_those_of_its_cases() {
    let cases = doctor::all().unwrap();
    for case in &cases {
        assert_eq!(read(&case.file()), case.json(), "{}: run `make events`", case.file().display());
    }
    let expected: BTreeSet<_> = cases.iter().map(doctor::Case::file).collect();
    let folders = fs::read_dir(root().join("tests/doctor")).unwrap();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    assert_eq!(files.map(|file| file.unwrap().path()).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_status_of_the_contract_has_an_event() {
    for provider in PROVIDERS {
        let statuses: BTreeSet<u16> = (provider.cases)().iter().map(|case| case.status).collect();
        assert_eq!(statuses, provider.statuses.iter().copied().collect(), "{}", provider.name);
    }
}

#[test]
fn each_refusal_has_its_reason_and_stage() {
    for provider in PROVIDERS {
        let cases = (provider.cases)();
        let records = cases.iter().map(|case| (case.name, case.record(&read(&case.event_file())).unwrap()));
        let (refused, others): (Vec<_>, Vec<_>) =
            records.partition(|(_, record)| record.outcome == Outcome::Refused);
        assert!(others.iter().all(|(_, record)| record.stage.is_none()), "{}", provider.name);
        let refused: BTreeSet<_> = refused
            .iter()
            .map(|(name, record)| (*name, record.reason.unwrap_or_default(), record.stage))
            .collect();
        let expected: BTreeSet<_> =
            provider.refusals.iter().map(|(name, reason, stage)| (*name, *reason, Some(*stage))).collect();
        assert_eq!(refused, expected, "{}", provider.name);
    }
}

#[test]
fn each_stage_of_a_refusal_has_a_step_to_show() {
    for provider in PROVIDERS {
        let steps = letterbox_registry::find(provider.name).unwrap().facts().steps;
        let shown: Vec<Stage> = steps.iter().map(|step| step.stage).collect();
        assert!(shown.is_sorted_by(|one, next| one < next), "{}: {shown:?}", provider.name);
        for (name, _, stage) in provider.refusals {
            assert!(shown.contains(stage), "{}/{name}: {stage:?}", provider.name);
        }
    }
}

#[test]
fn all_that_concerns_keys_is_answered_alike() {
    for provider in PROVIDERS {
        let answers: BTreeSet<String> = (provider.cases)()
            .iter()
            .filter(|case| case.status == 401)
            .map(|case| {
                let outcome = case.replay(&read(&case.event_file())).unwrap();
                format!("{} {}", outcome["headers"], outcome["body"])
            })
            .collect();
        assert_eq!(answers.len(), 1, "{}: {answers:?}", provider.name);
    }
}
