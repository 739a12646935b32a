//! Replays deliveries of the archive: puts their events on the queue again.
//!
//! ```text
//! Reader ─▶ Way ─▶ queue or function ─▶ Journal (on disk) ─▶ the next one
//! ```
//! A delivery counts as done once the journal has it on disk. A run that was killed therefore replays at most those again
//! that it had not finished, and loses none.

pub mod journal;
pub mod plan;
mod run;
mod targets;
mod ways;

pub use self::{
    journal::Journal,
    plan::{LOST, Obstacle, Plan, Way},
    run::{Pace, Replayed, Step, Stopped, Summary, run},
    targets::{Failure, Targets},
    ways::Ways,
};
