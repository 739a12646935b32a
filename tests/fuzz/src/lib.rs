//! The fuzzer's targets: each is a property that holds for any input.
//!
//! `fuzz/` runs one of them for hours under libFuzzer; `tests/fuzzing.rs` runs all of them for some seconds, over the corpora
//! in `fuzz/corpus/` and over changed copies of them. Both call the same functions.
//!
//! A target panics if its property is violated. In all of them nothing may panic otherwise, and
//! - no request is accepted that was not signed or encrypted with the key ([`receive`], [`codec`]),
//! - what was sealed opens to the same bytes, and after any change it is refused ([`sealed`], [`codec`]).

pub mod codec;
pub mod input;
mod oracle;
#[cfg(feature = "program")]
pub mod program;
#[cfg(feature = "providers")]
pub mod providers;
pub mod random;

use crate::random::Random;

/// A property that holds for any input.
pub struct Target {
    /// Its name: that of its corpus.
    pub name: String,
    run: Run,
}

/// Panics if the property does not hold for an input. False if the input is not of the form that the property is about.
type Run = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

impl Target {
    fn new(name: impl Into<String>, run: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// Checks the property for one input. False if the input is not of the form that the property is about; of a target
    /// `sealed-...`, if the delivery is not accepted.
    ///
    /// # Panics
    /// If it does not hold.
    pub fn run(&self, input: &[u8]) -> bool {
        (self.run)(input)
    }
}

/// All targets. Their keys come from `seed`, so that no input can contain what was signed with them.
pub fn targets(seed: [u8; 32]) -> Vec<Target> {
    #[allow(unused_mut)]
    let mut targets = codec::targets(&Random::new(seed));
    #[cfg(feature = "providers")]
    targets.extend(providers::targets(&Random::new(seed)));
    #[cfg(feature = "program")]
    targets.extend(program::targets());
    targets
}
