//! A queue in memory, for tests that drive the real handler.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::{Message, Put, Queue, QueueError};

/// Stores messages in a list, or fails.
#[derive(Debug, Default)]
pub struct Memory {
    messages: Mutex<Vec<Message>>,
    down: AtomicBool,
}

impl Memory {
    /// Removes and returns all messages, oldest first.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets whether the queue fails from now on.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

impl Queue for Memory {
    fn put<'a>(&'a self, message: &'a Message) -> Put<'a> {
        Box::pin(async move {
            if self.down.load(Ordering::SeqCst) {
                return Err(QueueError("the queue is down".into()));
            }
            self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
            Ok(())
        })
    }
}
