//! The embedded queue: one SQLite file.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use letterbox_intake::{Message, Queue, QueueError};
use rusqlite::{Connection, params};

use crate::local::sqlite::{self, Layout};

/// Its file.
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
};

/// An open file. Any number of processes may have it open.
#[derive(Clone, Debug)]
pub struct Store(Arc<Mutex<Connection>>);

/// A message that the store holds.
#[derive(Debug)]
pub struct Stored {
    /// Its place in the queue: rises by at least one with every message.
    pub sequence: i64,
    /// The CloudEvents object.
    pub body: String,
}

impl Store {
    /// Opens the queue, and makes it if it is not there.
    pub fn create(path: &Path) -> Result<Self, String> {
        let connection = sqlite::create(path, &LAYOUT)?;
        // A message counts as queued only once it is on the disk.
        let durable = connection.pragma_update(None, "synchronous", "FULL");
        durable.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Opens the queue; it must be there.
    pub fn open(path: &Path) -> Result<Self, String> {
        Ok(Self(Arc::new(Mutex::new(sqlite::open(path, &LAYOUT)?))))
    }

    /// Messages behind `sequence`, oldest first, at most `limit`.
    pub fn after(&self, sequence: i64, limit: u32) -> Result<Vec<Stored>, String> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || -> rusqlite::Result<Vec<Stored>> {
            let mut select = connection.prepare_cached(
                "SELECT sequence, body FROM messages WHERE sequence > ? ORDER BY sequence LIMIT ?",
            )?;
            let rows = select.query_map(params![sequence, limit], |row| {
                Ok(Stored { sequence: row.get(0)?, body: row.get(1)? })
            })?;
            rows.collect::<Result<_, _>>()
        };
        read().map_err(|error| error.to_string())
    }

    fn insert(&self, message: &Message) -> rusqlite::Result<()> {
        let attributes: serde_json::Map<_, _> = message
            .attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
            .collect();
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection
            .prepare_cached(
                "INSERT INTO messages (body, attributes, message_group, deduplication) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![
                message.body,
                serde_json::Value::Object(attributes).to_string(),
                message.group,
                message.deduplication
            ])?;
        Ok(())
    }
}

impl Queue for Store {
    async fn put(&self, message: &Message) -> Result<(), QueueError> {
        let (store, message) = (self.clone(), message.clone());
        let inserted = tokio::task::spawn_blocking(move || store.insert(&message)).await;
        match inserted {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(QueueError(error.to_string())),
            Err(error) => Err(QueueError(error.to_string())),
        }
    }
}
