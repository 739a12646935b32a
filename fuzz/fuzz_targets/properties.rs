//! Runs one property of `letterbox-fuzz-targets` on the inputs of libFuzzer: the one that the variable `TARGET` names.
#![no_main]

use std::sync::OnceLock;

use letterbox_fuzz_targets::{Target, targets};
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<Target> = OnceLock::new();

/// The target, with keys of this run.
fn chosen() -> Target {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("random bytes");
    let mut targets = targets(seed);
    let names = targets.iter().map(|target| &*target.name).collect::<Vec<_>>().join(" ");
    let name = std::env::var("TARGET").unwrap_or_default();
    let found = targets.iter().position(|target| target.name == name);
    let position = found.unwrap_or_else(|| panic!("TARGET={name:?}: expected one of {names}"));
    targets.swap_remove(position)
}

fuzz_target!(|input: &[u8]| {
    TARGET.get_or_init(chosen).run(input);
});
