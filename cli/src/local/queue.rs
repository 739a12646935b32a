//! The queue of the local server, in place of SQS.

pub mod embedded;
pub mod sqlite;
