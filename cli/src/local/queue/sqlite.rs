//! The embedded queue: one SQLite file.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use letterbox_intake::{Message, Queue, QueueError, queue::Put};
use rusqlite::params;

use crate::local::sqlite::{Database, Layout};

/// The layout of the file.
const LAYOUT: Layout = Layout {
    number: 1,
    name: "a queue",
    schema: "
    CREATE TABLE messages (
        sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
        body          TEXT NOT NULL,
        attributes    TEXT NOT NULL,
        message_group TEXT NOT NULL,
        deduplication TEXT NOT NULL
    ) STRICT;
",
    // A message is queued only once it is on disk.
    settings: "PRAGMA synchronous = FULL",
};

/// An open file. Any number of processes may have it open.
#[derive(Clone, Debug)]
pub struct Store(Arc<Mutex<Database>>);

/// A message on the queue.
#[derive(Debug)]
pub struct Stored {
    /// Its position in the queue: it increases by at least one with every message.
    pub sequence: i64,
    /// The CloudEvents object.
    pub body: String,
}

impl Store {
    /// Opens the queue, or creates it if the file does not exist.
    pub fn create(path: &Path) -> Result<Self, String> {
        Ok(Self(Arc::new(Mutex::new(Database::create(path, &LAYOUT)?))))
    }

    /// Opens an existing queue.
    pub fn open(path: &Path) -> Result<Self, String> {
        Ok(Self(Arc::new(Mutex::new(Database::open(path, &LAYOUT)?))))
    }

    /// Messages after the position `sequence`, oldest first, at most `limit`.
    pub fn after(&self, sequence: i64, limit: u32) -> Result<Vec<Stored>, String> {
        let database = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || -> rusqlite::Result<Vec<Stored>> {
            let mut select = database.raw().prepare_cached(
                "SELECT sequence, body FROM messages WHERE sequence > ? ORDER BY sequence LIMIT ?",
            )?;
            let rows = select.query_map(params![sequence, limit], |row| {
                Ok(Stored { sequence: row.get(0)?, body: row.get(1)? })
            })?;
            rows.collect::<Result<_, _>>()
        };
        read().map_err(|error| error.to_string())
    }

    /// Inserts a message. Checks before and after that the open file is still the one at the path, because SQLite keeps
    /// writing to a file that was deleted or moved.
    fn insert(&self, message: &Message) -> Result<(), String> {
        let attributes = message.attributes.iter();
        let attributes = attributes.map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
        let attributes = serde_json::Value::Object(attributes.collect()).to_string();
        let mut database = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inserted = database
            .current()?
            .prepare_cached(
                "INSERT INTO messages (body, attributes, message_group, deduplication) VALUES (?, ?, ?, ?)",
            )
            .and_then(|mut insert| {
                insert.execute(params![message.body, attributes, message.group, message.deduplication])
            });
        inserted.map_err(|error| error.to_string())?;
        database.check_in_place()
    }
}

impl Queue for Store {
    fn put<'a>(&'a self, message: &'a Message) -> Put<'a> {
        let (store, message) = (self.clone(), message.clone());
        Box::pin(async move {
            match tokio::task::spawn_blocking(move || store.insert(&message)).await {
                Ok(inserted) => inserted.map_err(QueueError),
                Err(error) => Err(QueueError(error.to_string())),
            }
        })
    }
}
