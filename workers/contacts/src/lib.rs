//! The contact sync: mirrors DingTalk's directory into WeCom.
//!
//! ```text
//! pure    settings, hash, mapping, plan, guard, events, report: what was read and a clock in, decisions out;
//!         limiter, codes, json, dingtalk::{codes, answer}, wecom::{codes, answer}: answers in, what they mean out
//! read    walk (everything) and look (what events named) make a picture of DingTalk; actual has the ids of WeCom
//! write   work: record by record, what differs; proof: what is gone, and how sure that is
//! shell   calls, clients, dingtalk, wecom: the platforms; state: the table; run, lambda: one run, one invocation
//! ```
//! The state decides, not the events: an event is a hint which record to read. What DingTalk says now is compared with what
//! was last written, and the difference is written. So repeated, reordered and lost events only delay.
//!
//! The function reads the variables of every worker: `CREDENTIALS_SECRET`, `STATE_TABLE`, `METRICS_NAMESPACE`, and `QUEUE_URL`,
//! which is the queue that triggers it. If the time of an invocation ends within a complete run, the function puts a message
//! there, for which the next invocation goes on.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod actual;
mod calls;
pub mod clients;
mod codes;
mod dingtalk;
mod dry;
mod end;
pub mod events;
pub mod guard;
mod hash;
mod json;
pub mod lambda;
mod limiter;
mod look;
mod mapping;
pub mod model;
#[cfg(test)]
mod pair;
mod picture;
mod plan;
mod proof;
pub mod report;
pub mod run;
pub mod settings;
pub mod source;
pub mod state;
pub mod target;
mod tokens;
pub mod trouble;
mod walk;
mod wecom;
mod work;

pub use self::{
    clients::Platforms,
    model::Hints,
    report::Report,
    run::{Connect, Mode, Scope, run},
    settings::{Corps, CorpsError},
    state::{conflicts, status},
};
