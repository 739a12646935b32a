//! The embedded queue: one thread that commits all waiting messages together.
//!
//! A commit waits for the disk, and the disk takes about as long for a hundred messages as for one. While one commit waits,
//! the next messages gather. No message is acknowledged before its own commit.

use std::{
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use letterbox_intake::{Message, Queue, QueueError, queue::Put};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{
    copier::{Copier, LONG},
    sqlite::{Row, Store},
};

/// How many messages may wait for the thread; further ones wait for room.
const WAITING: usize = 1024;

/// How many bytes of them, while the disk does not answer: a message whose delivery has been refused stays until then.
const WAITING_BYTES: u32 = 64 * 1024 * 1024;

/// A transaction has at most so many bytes, so that small messages do not wait long for large ones.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The embedded queue. Dropping it closes the file.
#[derive(Debug)]
pub struct Embedded {
    /// `None` once it is being dropped.
    waiting: Option<mpsc::Sender<Waiting>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

/// A message that waits to be committed.
#[derive(Debug)]
struct Waiting {
    row: Row,
    done: oneshot::Sender<Result<(), String>>,
    /// Its part of the bytes that may wait.
    _room: OwnedSemaphorePermit,
}

impl Embedded {
    /// Opens the queue, or creates it if the file does not exist.
    pub fn create(path: &Path) -> Result<Self, String> {
        let store = Store::create(path)?;
        let copier = Copier::start(path, LONG)?;
        let (waiting, received) = mpsc::channel(WAITING);
        let run = move || run(store, copier, received);
        let thread = thread::Builder::new().name("queue".to_owned()).spawn(run);
        let thread = thread.map_err(|error| format!("cannot start the thread of the queue: {error}"))?;
        let room = Arc::new(Semaphore::new(WAITING_BYTES as usize));
        Ok(Self { waiting: Some(waiting), room, thread: Some(thread) })
    }

    async fn send(&self, row: Row) -> Result<(), QueueError> {
        let ended = || QueueError("the queue is closed: the server is shutting down".to_owned());
        let (done, committed) = oneshot::channel();
        let waiting = self.waiting.as_ref().ok_or_else(ended)?;
        let bytes = u32::try_from(row.size()).unwrap_or(WAITING_BYTES).min(WAITING_BYTES);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| ended())?;
        waiting.send(Waiting { row, done, _room: room }).await.map_err(|_| ended())?;
        committed.await.map_err(|_| ended())?.map_err(QueueError)
    }
}

impl Queue for Embedded {
    fn put<'a>(&'a self, message: &'a Message) -> Put<'a> {
        Box::pin(self.send(Row::from(message)))
    }
}

impl Drop for Embedded {
    /// Waits until the file is closed: only the last process that closes it copies the log into it, without which it cannot
    /// be read on read-only media.
    fn drop(&mut self) {
        drop(self.waiting.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut store: Store, mut copier: Copier, mut received: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    while let Some(first) = received.blocking_recv() {
        collect(first, &mut received, &mut batch);
        let committed = store.insert(batch.iter().map(|waiting| &waiting.row));
        let bytes = batch.iter().map(|waiting| waiting.row.size()).sum();
        for waiting in batch.drain(..) {
            // The delivery's deadline may have passed meanwhile; then the platform sends it again.
            let _ = waiting.done.send(committed.clone());
        }
        copier.committed(bytes, &mut store);
    }
}

/// Fills the batch with all that waits, without those whose delivery has been answered: they will be sent again.
fn collect(first: Waiting, received: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>) {
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(waiting) = next {
        if !waiting.done.is_closed() {
            bytes += waiting.row.size();
            batch.push(waiting);
        }
        next = if bytes < MOST_BYTES && batch.len() < WAITING { received.try_recv().ok() } else { None };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn message(number: usize) -> Message {
        Message {
            source: "/github/default".into(),
            body: format!("{{\"id\":\"{number}\"}}"),
            attributes: vec![("type", "github.push".into())],
            deduplication: number.to_string(),
            group: "/github/default".into(),
            trace: None,
        }
    }

    fn stored(path: &Path) -> Vec<String> {
        let all = Store::open(path).unwrap().after(0, 10_000).unwrap();
        all.into_iter().map(|stored| stored.body).collect()
    }

    #[tokio::test]
    async fn messages_are_on_the_queue_when_they_are_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let queue = Arc::new(Embedded::create(&path).unwrap());
        let puts = (0..500).map(|number| {
            let (queue, path) = (Arc::clone(&queue), path.clone());
            tokio::spawn(async move {
                queue.put(&message(number)).await.unwrap();
                if number % 50 == 0 {
                    // By another connection, which sees only what is committed.
                    assert!(stored(&path).contains(&message(number).body));
                }
            })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap();
        }
        drop(queue);
        assert!(!folder.path().join("a.db-wal").exists(), "closed");
        let mut found = stored(&path);
        found.sort();
        let mut expected: Vec<_> = (0..500).map(|number| message(number).body).collect();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn all_that_share_a_failed_commit_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let queue = Embedded::create(&path).unwrap();
        queue.put(&message(0)).await.unwrap();
        let moved = folder.path().join("moved.db");
        std::fs::rename(&path, &moved).unwrap();
        let (first, second) = (message(1), message(2));
        let (first, second) = tokio::join!(queue.put(&first), queue.put(&second));
        for refused in [first, second] {
            assert!(refused.unwrap_err().0.contains("was deleted, moved or replaced"));
        }
        std::fs::rename(&moved, &path).unwrap();
        queue.put(&message(3)).await.unwrap();
        assert_eq!(stored(&path), [message(0).body, message(3).body]);
    }

    #[tokio::test]
    async fn a_message_that_nobody_waits_for_is_not_queued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let (waiting, mut received) = mpsc::channel(WAITING);
        let room = Arc::new(Semaphore::new(3));
        let mut deliveries = Vec::new();
        for number in 0..3 {
            let (done, committed) = oneshot::channel();
            let room = Arc::clone(&room).try_acquire_owned().unwrap();
            waiting.send(Waiting { row: Row::from(&message(number)), done, _room: room }).await.unwrap();
            deliveries.push(committed);
        }
        // Its deadline has passed.
        drop(deliveries.remove(1));
        let mut batch = Vec::new();
        let first = received.recv().await.unwrap();
        collect(first, &mut received, &mut batch);
        let mut store = Store::create(&path).unwrap();
        store.insert(batch.iter().map(|waiting| &waiting.row)).unwrap();
        assert_eq!(stored(&path), [message(0).body, message(2).body]);
    }

    #[tokio::test]
    async fn messages_wait_in_bounded_memory() {
        let (waiting, mut received) = mpsc::channel(WAITING);
        let size = Row::from(&message(0)).size();
        // The thread that takes them hangs.
        let queue =
            Embedded { waiting: Some(waiting), room: Arc::new(Semaphore::new(2 * size)), thread: None };
        let late = Duration::from_millis(10);
        for number in 0..3 {
            assert!(timeout(late, queue.put(&message(number))).await.is_err(), "nothing is committed");
        }
        drop(received.try_recv().unwrap());
        assert!(timeout(late, queue.put(&message(3))).await.is_err());
        let waited: Vec<_> = std::iter::from_fn(|| received.try_recv().ok()).collect();
        assert_eq!(waited.len(), 2, "the third was not taken");
    }
}
