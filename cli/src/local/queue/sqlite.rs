//! The file of the embedded queue: SQLite.

use std::path::Path;

use letterbox_intake::Message;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

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
    // A message is queued only once it is on disk. No commit copies the log: the copier does.
    settings: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0",
};

/// An open file. Any number of processes may have it open.
#[derive(Debug)]
pub struct Store(Database);

/// A message on the queue.
#[derive(Debug)]
pub struct Stored {
    /// Its position in the queue: it increases by at least one with every message.
    pub sequence: i64,
    /// The CloudEvents object.
    pub body: String,
}

/// A message in the form in which the file stores it.
#[derive(Debug)]
pub struct Row {
    body: String,
    attributes: String,
    group: String,
    deduplication: String,
}

impl Row {
    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.body.len() + self.attributes.len() + self.group.len() + self.deduplication.len()
    }
}

impl From<&Message> for Row {
    fn from(message: &Message) -> Self {
        let attributes = message.attributes.iter();
        let attributes = attributes.map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
        Self {
            body: message.body.clone(),
            attributes: serde_json::Value::Object(attributes.collect()).to_string(),
            group: message.group.clone(),
            deduplication: message.deduplication.clone(),
        }
    }
}

impl Store {
    /// Opens the queue, or creates it if the file does not exist.
    pub fn create(path: &Path) -> Result<Self, String> {
        Ok(Self(Database::create(path, &LAYOUT)?))
    }

    /// Opens an existing queue.
    pub fn open(path: &Path) -> Result<Self, String> {
        Ok(Self(Database::open(path, &LAYOUT)?))
    }

    /// Messages after the position `sequence`, oldest first, at most `limit`.
    pub fn after(&self, sequence: i64, limit: u32) -> Result<Vec<Stored>, String> {
        let read = || -> rusqlite::Result<Vec<Stored>> {
            let mut select = self.0.raw().prepare_cached(
                "SELECT sequence, body FROM messages WHERE sequence > ? ORDER BY sequence LIMIT ?",
            )?;
            let rows = select.query_map(params![sequence, limit], |row| {
                Ok(Stored { sequence: row.get(0)?, body: row.get(1)? })
            })?;
            rows.collect::<Result<_, _>>()
        };
        read().map_err(|error| self.0.explained(&error))
    }

    /// Inserts messages in one transaction; `Ok` means that all of them are on disk; after an error none may be
    /// acknowledged. Checks before and after that the open file is still the one at the path, because SQLite keeps writing to
    /// a file that was deleted or moved.
    pub fn insert<'a>(&mut self, rows: impl Iterator<Item = &'a Row>) -> Result<(), String> {
        insert(self.0.current()?, rows).map_err(|error| self.0.explained(&error))?;
        self.0.check_in_place()
    }

    /// Copies what is in the log into the file, without waiting for other connections. An error is none of the messages':
    /// they are in the log, and the next copy has them as well.
    pub fn copy_log(&mut self) {
        if let Ok(connection) = self.0.current() {
            let _ = connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
        }
    }
}

fn insert<'a>(connection: &Connection, rows: impl Iterator<Item = &'a Row>) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO messages (body, attributes, message_group, deduplication) VALUES (?, ?, ?, ?)",
        )?;
        for Row { body, attributes, group, deduplication } in rows {
            insert.execute(params![body, attributes, group, deduplication])?;
        }
    }
    transaction.commit()
}
