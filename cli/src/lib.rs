//! Letterbox on one machine: the parts of the program `letterbox`.

pub mod another;
pub mod args;
pub mod completions;
pub mod credentials;
pub mod data;
pub mod database;
pub mod deliveries;
pub mod delivery;
pub mod doctor;
pub mod events;
pub mod gateway;
pub mod load;
pub mod message;
pub mod open;
pub mod page;
pub mod post;
pub mod providers;
pub mod queue;
pub mod reception;
pub mod seal;
pub mod send;
pub mod serve;
pub mod sign;
pub mod store;
pub mod terminal;
pub mod time;
