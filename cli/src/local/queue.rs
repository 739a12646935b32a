//! The queue of the local server, in place of SQS.

mod copier;
pub mod embedded;
pub mod sqlite;
