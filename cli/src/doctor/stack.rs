//! The diagnosis of a deployed stack: pure functions of what was read of it, and of the responses to its probes.

mod answer;
pub mod checks;
mod finding;
pub mod probe;
pub mod report;
pub mod survey;
pub mod verdict;
