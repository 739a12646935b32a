//! The fuzzer's targets for some seconds, as a machine without the fuzzer can run them: every input of the corpora, and
//! copies of them with a few bytes changed. `make fuzz` runs the same targets for hours.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use letterbox_fuzz_targets::{Target, targets};
use letterbox_tests::root;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::properties::{edited, edits};

/// How many changed inputs each target gets, unless [`CASES`] says another number.
const SOME: u32 = 40;

/// The variable with another number.
const CASES: &str = "LETTERBOX_FUZZ_CASES";

/// The targets whose inputs take milliseconds each: a tenth of the number.
const SLOW: [&str; 2] = ["doctor", "catalogue"];

/// The keys are the same in every run, so that a failure can be repeated.
const SEED: [u8; 32] = *b"the keys of the tests, no secret";

fn corpus(target: &str) -> PathBuf {
    root().join("fuzz/corpus").join(target)
}

/// The inputs of a target, by the names of their files.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = corpus(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<_> = files
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect();
    inputs.sort();
    inputs
}

/// Runs the targets of one kind.
fn run(of_kind: impl Fn(&Target) -> bool) {
    let number = env::var(CASES).map_or(SOME, |text| text.parse().expect(CASES));
    let mut run = 0;
    for target in targets(SEED).into_iter().filter(of_kind) {
        let inputs = inputs(&target.name);
        let reached = inputs.iter().filter(|(name, input)| {
            println!("{}/{name}", target.name);
            target.run(input)
        });
        // A target whose inputs are all of another form would hold for nothing.
        assert!(reached.count() > 0, "{}: no input reaches the property", target.name);
        let cases = if SLOW.contains(&&*target.name) { number / 10 } else { number };
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
        let strategy = (any::<prop::sample::Index>(), edits());
        let changed = TestRunner::new_with_rng(config, rng).run(&strategy, |(which, edits)| {
            let (_, input) = which.get(&inputs);
            target.run(&edited(input, &edits));
            Ok(())
        });
        assert!(changed.is_ok(), "{}: {}", target.name, changed.unwrap_err());
        run += 1;
    }
    assert!(run > 0);
}

#[test]
fn every_target_holds_for_whole_requests_without_the_key() {
    run(|target| target.name.starts_with("receive-"));
}

#[test]
fn every_target_holds_for_sealed_deliveries() {
    run(|target| target.name.starts_with("sealed-"));
}

#[test]
fn every_target_holds_for_all_else() {
    run(|target| !["receive-", "sealed-"].iter().any(|kind| target.name.starts_with(kind)));
}

#[test]
fn every_target_has_a_small_corpus_and_every_corpus_a_target() {
    let names: BTreeSet<_> = targets(SEED).into_iter().map(|target| target.name).collect();
    let folders = fs::read_dir(root().join("fuzz/corpus")).unwrap();
    let folders: BTreeSet<_> =
        folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, folders);
    let size: usize = names.iter().flat_map(|name| inputs(name)).map(|(_, input)| input.len()).sum();
    assert!(size < 400 * 1024, "{size} bytes");
}
