//! The queues that a local server can put events on.

pub mod sqlite;

use letterbox_intake::{
    Message, Queue, QueueError,
    queue::{memory::Memory, sqs::Sqs},
};

use self::sqlite::Store;

/// Where a local server puts events.
#[derive(Debug)]
pub enum LocalQueue {
    /// The embedded queue, in a SQLite file.
    Store(Store),
    /// An SQS queue.
    Sqs(Sqs),
    /// In memory, for tests.
    Memory(Memory),
}

impl Queue for LocalQueue {
    async fn put(&self, message: &Message) -> Result<(), QueueError> {
        match self {
            Self::Store(store) => store.put(message).await,
            Self::Sqs(sqs) => sqs.put(message).await,
            Self::Memory(memory) => memory.put(message).await,
        }
    }
}
