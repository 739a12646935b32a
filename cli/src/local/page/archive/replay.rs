//! Replays from the page: plan, confirmation, progress. At most one runs at a time, and only while a browser
//! shows it.

mod job;
mod routes;

pub use self::{
    job::Replays,
    routes::{cancel, live, plan, run, show},
};
