//! A queue in memory, for tests that drive the real handler.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::{Message, Queue, QueueError};

/// Keeps messages in a list, or refuses them.
#[derive(Debug, Default)]
pub struct Memory {
    messages: Mutex<Vec<Message>>,
    down: AtomicBool,
}

impl Memory {
    /// All messages so far, oldest first; the queue is empty afterwards.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on the queue refuses (or accepts again).
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

impl Queue for Memory {
    async fn put(&self, message: &Message) -> Result<(), QueueError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(QueueError("the queue is down".into()));
        }
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        Ok(())
    }
}
