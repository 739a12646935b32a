//! The gap filler: on a clock, it asks the platforms for what they could not deliver, and has it delivered.
//!
//! ```text
//! pure    accounts, limits, github::{page, plan}, stripe::page, dingtalk::answer: bytes and a clock in, decisions out
//! shell   context, run, lambda: the requests, the state, the queue
//! ```
//! - GitHub keeps what it sent for some days and redelivers it on request: the delivery comes again the ordinary way.
//! - Stripe and DingTalk hand out the event itself. It is put on the queue as the function would have put it.
//!
//! What holds when a run ends between any two steps: an event is put on the queue before its mark is stored, and an
//! answer of DingTalk, which is given only once, is stored before anything else happens to it. So nothing that was read and
//! stored is lost, and at most the one event between its put and its mark is put again, with the same `id`.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

pub mod accounts;
mod context;
pub mod dingtalk;
mod event;
pub mod github;
pub mod lambda;
mod limits;
pub mod report;
pub mod run;
pub mod stripe;

pub use self::{
    accounts::Accounts,
    report::Report,
    run::{Filler, Mode, RunError},
};
