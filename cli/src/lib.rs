//! Letterbox on one machine: the parts of the program `letterbox`.

pub mod commands;
pub mod credentials;
pub mod data;
pub mod doctor;
pub mod formats;
pub mod local;
pub mod options;
pub mod sender;
pub mod shell;
pub mod statistics;
pub mod terminal;
pub mod time;
