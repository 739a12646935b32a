//! Copies the log of the queue's file into the file, beside the commits.
//!
//! A commit appends the pages that it changes to the log. By default SQLite copies a long log within a commit, for which all
//! wait whose messages are in that commit or in the next one. <https://www.sqlite.org/wal.html#ckpt> (read 2026-11-27)

use std::{
    path::Path,
    sync::mpsc::{self, Receiver, Sender, TryRecvError},
    thread::{self, JoinHandle},
};

use super::sqlite::Store;

/// With so many pages of 4 KiB the log is copied, 16 MiB: pages that are written several times until then are copied once.
pub const LONG: usize = 4096;

/// With so many times as many, commits wait for the copy, so that a slow disk does not let the log grow without a bound.
const TOO_LONG: usize = 4;

/// The size of a page, in bytes.
const PAGE: usize = 4096;

/// The pages that a commit changes besides those that its messages fill: the first one of the file, the last ones of its
/// table, and that of the sequence.
const CHANGED: usize = 4;

/// A thread that copies the log. Dropping it closes its connection to the file.
#[derive(Debug)]
pub struct Copier {
    /// `None` once it is being dropped.
    orders: Option<Sender<()>>,
    copied: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    is_copying: bool,
    /// About how many pages are in the log, and with how many it is copied.
    pages: usize,
    long: usize,
}

impl Copier {
    /// Starts the thread, with a connection of its own to an existing file. A log of `long` pages is copied.
    pub fn start(path: &Path, long: usize) -> Result<Self, String> {
        let mut store = Store::open(path)?;
        let (orders, received) = mpsc::channel();
        let (done, copied) = mpsc::channel();
        let copy = move || {
            while received.recv().is_ok() {
                store.copy_log();
                if done.send(()).is_err() {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("queue-log".to_owned()).spawn(copy);
        let thread = thread.map_err(|error| format!("cannot start a thread of the queue: {error}"))?;
        Ok(Self { orders: Some(orders), copied, thread: Some(thread), is_copying: false, pages: 0, long })
    }

    /// Has the log copied if it is long. `store` is the connection that has just committed so many `bytes` of messages.
    pub fn committed(&mut self, bytes: usize, store: &mut Store) {
        self.pages += CHANGED + bytes / PAGE;
        if self.pages < self.long {
            return;
        }
        if !self.is_copying {
            self.is_copying = self.orders.as_ref().is_some_and(|orders| orders.send(()).is_ok());
        }
        // A thread that has ended is not waited for.
        let is_copied = if self.pages < self.long * TOO_LONG {
            self.copied.try_recv() != Err(TryRecvError::Empty)
        } else {
            let _ = self.copied.recv();
            true
        };
        if is_copied {
            // What was committed meanwhile, which is little. The next commit then begins the log anew.
            store.copy_log();
            self.is_copying = false;
            self.pages = 0;
        }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use letterbox_intake::Message;

    use super::{super::sqlite::Row, *};

    /// Commits a thousand messages of 6 KB one by one, and returns how many bytes the log had at most.
    fn longest_log(path: &Path, committed: &mut dyn FnMut(usize, &mut Store)) -> usize {
        let row = Row::from(&Message {
            source: "/github/default".into(),
            body: "x".repeat(6000),
            attributes: Vec::new(),
            deduplication: "1".into(),
            group: "/github/default".into(),
            trace: None,
        });
        let mut store = Store::create(path).unwrap();
        let log = path.with_extension("db-wal");
        let mut longest = 0;
        for _ in 0..1000 {
            store.insert([&row].into_iter()).unwrap();
            committed(row.size(), &mut store);
            longest = longest.max(usize::try_from(fs::metadata(&log).unwrap().len()).unwrap());
        }
        assert_eq!(store.after(0, 2000).unwrap().len(), 1000);
        longest
    }

    #[test]
    fn the_log_begins_anew_once_it_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        drop(Store::create(&path).unwrap());
        let mut copier = Copier::start(&path, 100).unwrap();
        let longest = longest_log(&path, &mut |bytes, store| copier.committed(bytes, store));
        // If the copy was slow, commits waited for it with about four times 100 pages.
        assert!((50 * PAGE..600 * PAGE).contains(&longest), "{longest}");
        drop(copier);
        assert!(fs::metadata(path).unwrap().len() > 6_000_000, "it was copied");
        // Without the copier it grows.
        let longest = longest_log(&folder.path().join("b.db"), &mut |_, _| {});
        assert!(longest > 2000 * PAGE, "{longest}");
    }
}
