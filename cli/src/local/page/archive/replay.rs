//! Replays from the page: plan, confirmation, progress. At most one at a time, and only while somebody looks at it.

mod job;
mod routes;

pub use self::{
    job::Replays,
    routes::{cancel, live, plan, run, show},
};
