//! The state of a worker on this machine: one SQLite file.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use letterbox_codec::Timestamp;
use letterbox_outbound::store::{Condition, Item, Pending, Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::local::sqlite::{Database, Layout};

/// The tables of every worker's file.
const SCHEMA: &str = "
    CREATE TABLE items (
        partition TEXT NOT NULL,
        key       TEXT NOT NULL,
        body      TEXT NOT NULL,
        revision  INTEGER NOT NULL,
        expires   INTEGER,
        PRIMARY KEY (partition, key)
    ) STRICT, WITHOUT ROWID;
";

const SETTINGS: &str = "PRAGMA synchronous = FULL";

/// The file of the gap filler.
pub static GAPS: Layout =
    Layout { number: 3, name: "a state of the gap filler", schema: SCHEMA, settings: SETTINGS };

/// The file of the contact sync.
pub static CONTACTS: Layout =
    Layout { number: 4, name: "a state of the contact sync", schema: SCHEMA, settings: SETTINGS };

const COLUMNS: &str = "partition, key, body, revision, expires";

/// An open file. Any number of processes may have it open.
#[derive(Clone, Debug)]
pub struct WorkerState(Arc<Mutex<Database>>);

impl WorkerState {
    /// Opens the state, or creates it if the file does not exist, and deletes what has expired.
    pub fn create(path: &Path, layout: &'static Layout, now: Timestamp) -> Result<Self, String> {
        let database = Database::create(path, layout)?;
        let expired = database.raw().execute("DELETE FROM items WHERE expires < ?", params![now.0]);
        expired.map_err(|error| database.explained(&error))?;
        Ok(Self(Arc::new(Mutex::new(database))))
    }

    fn run<'a, T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<'a, T> {
        let state = self.clone();
        let work = move || {
            let mut database = state.0.lock().unwrap_or_else(PoisonError::into_inner);
            let done = work(database.current()?);
            let done = done.map_err(|error| database.explained(&error))?;
            database.check_in_place()?;
            Ok::<_, String>(done)
        };
        Box::pin(async move {
            match tokio::task::spawn_blocking(work).await {
                Ok(done) => done.map_err(StoreError),
                Err(error) => Err(StoreError(error.to_string())),
            }
        })
    }
}

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        partition: row.get(0)?,
        key: row.get(1)?,
        body: row.get(2)?,
        revision: row.get(3)?,
        expires: row.get::<_, Option<i64>>(4)?.map(Timestamp),
    })
}

fn write(connection: &Connection, item: &Item) -> rusqlite::Result<()> {
    let expires = item.expires.map(|expires| expires.0);
    let values = params![item.partition, item.key, item.body, item.revision, expires];
    connection.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)", values).map(drop)
}

impl Store for WorkerState {
    fn get<'a>(&'a self, partition: &'a str, key: &'a str) -> Pending<'a, Option<Item>> {
        let (partition, key) = (partition.to_owned(), key.to_owned());
        self.run(move |connection| {
            let select = format!("SELECT {COLUMNS} FROM items WHERE partition = ? AND key = ?");
            connection.query_row(&select, params![partition, key], item).optional()
        })
    }

    fn list<'a>(&'a self, partition: &'a str, prefix: &'a str, most: usize) -> Pending<'a, Vec<Item>> {
        let (partition, prefix) = (partition.to_owned(), prefix.to_owned());
        self.run(move |connection| {
            let mut select = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM items WHERE partition = ?1 AND substr(key, 1, length(?2)) = ?2 ORDER BY key LIMIT ?3"
            ))?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            select.query_map(params![partition, prefix, most], item)?.collect()
        })
    }

    fn put<'a>(&'a self, item: &'a Item, condition: Condition) -> Pending<'a, bool> {
        let item = item.clone();
        self.run(move |connection| {
            let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
            let found: Option<u64> = transaction
                .query_row(
                    "SELECT revision FROM items WHERE partition = ? AND key = ?",
                    params![item.partition, item.key],
                    |row| row.get(0),
                )
                .optional()?;
            let holds = match condition {
                Condition::Always => true,
                Condition::Absent => found.is_none(),
                Condition::Revision(revision) => found == Some(revision),
            };
            if holds {
                write(&transaction, &item)?;
            }
            transaction.commit()?;
            Ok(holds)
        })
    }

    fn put_all<'a>(&'a self, items: &'a [Item]) -> Pending<'a, ()> {
        let items = items.to_vec();
        self.run(move |connection| {
            let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
            items.iter().try_for_each(|item| write(&transaction, item))?;
            transaction.commit()
        })
    }

    fn delete<'a>(&'a self, partition: &'a str, key: &'a str) -> Pending<'a, ()> {
        let (partition, key) = (partition.to_owned(), key.to_owned());
        self.run(move |connection| {
            let delete = "DELETE FROM items WHERE partition = ? AND key = ?";
            connection.execute(delete, params![partition, key]).map(drop)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(key: &str, revision: u64) -> Item {
        let expires = Some(Timestamp(5));
        Item { partition: "p".into(), key: key.into(), body: "1".into(), revision, expires }
    }

    #[tokio::test]
    async fn items_are_written_on_conditions_and_expire() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gaps.db");
        let state = WorkerState::create(&path, &GAPS, Timestamp(1)).unwrap();
        assert!(state.put(&new("a%", 1), Condition::Absent).await.unwrap());
        assert!(!state.put(&new("a%", 2), Condition::Absent).await.unwrap());
        assert!(!state.put(&new("a%", 2), Condition::Revision(2)).await.unwrap());
        assert!(state.put(&new("a%", 2), Condition::Revision(1)).await.unwrap());
        state.put_all(&[new("a_", 1), new("b", 1)]).await.unwrap();
        let keys = |items: Vec<Item>| items.into_iter().map(|item| item.key).collect::<Vec<_>>();
        assert_eq!(keys(state.list("p", "a", 9).await.unwrap()), ["a%", "a_"]);
        assert_eq!(keys(state.list("p", "a%", 9).await.unwrap()), ["a%"]);
        assert_eq!(keys(state.list("p", "", 1).await.unwrap()), ["a%"]);
        assert_eq!(state.get("p", "a%").await.unwrap(), Some(new("a%", 2)));
        state.delete("p", "b").await.unwrap();
        assert_eq!(state.get("p", "b").await.unwrap(), None);
        drop(state);
        let state = WorkerState::create(&path, &GAPS, Timestamp(6)).unwrap();
        assert_eq!(state.list("p", "", 9).await.unwrap(), []);
        // The state of one worker is none of another.
        let error = WorkerState::create(&path, &CONTACTS, Timestamp(6)).unwrap_err();
        assert!(error.contains("a state of the contact sync"), "{error}");
    }
}
