//! Reads the delivery history for the page: a few reads at a time, each with its own connection and a time limit.
//! Receiving never waits for a read: they share no lock, and reads never occupy all blocking threads.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use thiserror::Error;
use tokio::{sync::Semaphore, task, time};
use tokio_util::sync::CancellationToken;

use super::sqlite::Deliveries;

/// How many reads run at a time.
const AT_A_TIME: usize = 2;

/// The time limit of a read, including the wait for its turn. A search through a full history takes some seconds.
const LIMIT: Duration = Duration::from_secs(10);

/// Reads the history file beside a queue's file.
#[derive(Clone, Debug)]
pub struct Readers {
    queue: PathBuf,
    turns: Arc<Semaphore>,
    limit: Duration,
}

/// Why a read failed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    /// The read took longer than the limit.
    #[error("reading the delivery history took longer than {} s: narrow the search, or try again later", LIMIT.as_secs())]
    TimedOut,
    /// The history could not be read.
    #[error("{0}")]
    Failed(String),
}

impl Readers {
    /// Reads the history beside a queue's file.
    pub fn new(queue: &Path) -> Self {
        Self { queue: queue.to_owned(), turns: Arc::new(Semaphore::new(AT_A_TIME)), limit: LIMIT }
    }

    /// Waits for a turn, then reads. Dropping the future cancels the read.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Deliveries) -> Result<T, String> + Send + 'static,
    ) -> Result<T, ReadError> {
        let failed = |error: &dyn std::fmt::Display| ReadError::Failed(error.to_string());
        let bounded = time::timeout(self.limit, async {
            let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|error| failed(&error))?;
            let token = CancellationToken::new();
            let _guard = token.clone().drop_guard();
            let queue = self.queue.clone();
            let reading = task::spawn_blocking(move || {
                // Released by the thread, which may run for a moment after the future is dropped.
                let _turn = turn;
                read(&Deliveries::open(&queue)?.cancelled_by(token))
            });
            reading.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
        });
        bounded.await.unwrap_or(Err(ReadError::TimedOut))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::local::history::Filter;

    fn readers(limit: Duration) -> (tempfile::TempDir, Deliveries, Readers) {
        let folder = tempfile::tempdir().unwrap();
        let queue = folder.path().join("letterbox.db");
        let history = Deliveries::create(&queue).unwrap();
        (folder, history, Readers { limit, ..Readers::new(&queue) })
    }

    /// A read that runs until it is cancelled, and reports its begin and end.
    fn endless(
        report: mpsc::Sender<&'static str>,
    ) -> impl FnOnce(&Deliveries) -> Result<(), String> + Send + 'static {
        move |deliveries| {
            report.send("begun").unwrap();
            let ended = loop {
                if let Err(error) = deliveries.newest(&Filter::default(), None, 1) {
                    break error;
                }
            };
            report.send("ended").unwrap();
            Err(ended)
        }
    }

    #[tokio::test]
    async fn a_read_beyond_the_limit_is_cancelled() {
        let (_folder, _history, readers) = readers(Duration::from_millis(50));
        let (report, reported) = mpsc::channel();
        assert_eq!(readers.read(endless(report)).await, Err(ReadError::TimedOut));
        assert_eq!(reported.iter().collect::<Vec<_>>(), ["begun", "ended"]);
        assert_eq!(readers.read(Deliveries::last).await, Ok(0));
    }

    #[tokio::test]
    async fn dropping_a_read_cancels_it_and_releases_its_turn() {
        let (_folder, _history, readers) = readers(LIMIT);
        for _ in 0..2 * AT_A_TIME {
            let (report, reported) = mpsc::channel();
            let reading = tokio::spawn({
                let readers = readers.clone();
                async move { readers.read(endless(report)).await }
            });
            let reported = task::spawn_blocking(move || (reported.recv(), reported)).await.unwrap();
            assert_eq!(reported.0, Ok("begun"));
            reading.abort();
            let ended = task::spawn_blocking(move || reported.1.recv()).await.unwrap();
            assert_eq!(ended, Ok("ended"));
        }
        assert_eq!(readers.read(Deliveries::last).await, Ok(0));
    }
}
