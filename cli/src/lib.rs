//! The parts of the program `letterbox`, which runs Letterbox on one machine.

pub mod commands;
pub mod configure;
pub mod credentials;
pub mod data;
pub mod delivery_line;
pub mod doctor;
pub mod formats;
pub mod interrupt;
pub mod local;
pub mod options;
pub mod sender;
pub mod shell;
pub mod stack;
pub mod statistics;
pub mod terminal;
pub mod time;
