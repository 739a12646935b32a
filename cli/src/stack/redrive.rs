//! Moves the messages of a stack's dead-letter queue back to its queue.
//!
//! AWS does it as a task of SQS, which continues without the program ([`DeadLetters::start`]). Where SQS has no such tasks, the program
//! moves the messages one by one ([`DeadLetters::by_hand`]).

mod by_hand;
mod dead_letters;

pub use self::{
    by_hand::{Ended, Moved},
    dead_letters::{Count, DeadLetters, FASTEST, NoTasks, Task},
};
