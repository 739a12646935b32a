//! The server on this machine: it receives deliveries, queues their events, and shows both.

mod bodies;
pub mod connections;
pub mod console;
pub mod history;
pub mod page;
pub mod queue;
pub mod reception;
pub mod response;
pub mod sqlite;
pub mod worker_state;
