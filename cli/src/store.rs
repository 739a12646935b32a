//! The embedded queue: one SQLite file.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use letterbox_intake::{Message, Queue, QueueError};
use rusqlite::{Connection, OpenFlags, params};

/// The layout of the file; another number means another version of Letterbox made it.
const VERSION: i32 = 1;

const SCHEMA: &str = "
    CREATE TABLE messages (
        sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
        body          TEXT NOT NULL,
        attributes    TEXT NOT NULL,
        message_group TEXT NOT NULL,
        deduplication TEXT NOT NULL
    ) STRICT;
";

/// How long one process waits for another that writes.
const BUSY: Duration = Duration::from_secs(2);

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
    /// Opens the file, and makes it if it is not there.
    pub fn create(path: &Path) -> Result<Self, String> {
        let told = |error: rusqlite::Error| format!("{}: {error}", path.display());
        let mut connection = Connection::open(path).map_err(told)?;
        connection.busy_timeout(BUSY).map_err(told)?;
        // A message counts as queued only once it is on the disk; readers do not wait for writers.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(told)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(told)?;
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(told)?;
        if version(&transaction).map_err(told)? == 0 {
            transaction.execute_batch(SCHEMA).map_err(told)?;
            transaction.pragma_update(None, "user_version", VERSION).map_err(told)?;
        }
        transaction.commit().map_err(told)?;
        Self::checked(connection, path)
    }

    /// Opens the file for reading; it must be there.
    pub fn open(path: &Path) -> Result<Self, String> {
        if !path.exists() {
            return Err(format!(
                "{}: no such file; `letterbox serve` makes it, --database says where",
                path.display()
            ));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| connection.busy_timeout(BUSY).map(|()| connection))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Self::checked(connection, path)
    }

    fn checked(connection: Connection, path: &Path) -> Result<Self, String> {
        match version(&connection) {
            Ok(VERSION) => Ok(Self(Arc::new(Mutex::new(connection)))),
            Ok(other) => Err(format!(
                "{}: expected a queue of layout {VERSION}, found {other}; name another file with --database",
                path.display()
            )),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
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

fn version(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
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
