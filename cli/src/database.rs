//! The SQLite file of a local server: the embedded queue, and the deliveries that its page shows.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::{deliveries, store};

/// What each layout of the file has that the one before it lacks; a file's `user_version` says how many it has.
const LAYOUTS: [&str; 2] = [store::SCHEMA, deliveries::store::SCHEMA];

/// How long one process waits for another that writes.
const BUSY: Duration = Duration::from_secs(2);

/// Opens the file, and makes it if it is not there.
pub fn create(path: &Path) -> Result<Connection, String> {
    let told = |error: rusqlite::Error| format!("{}: {error}", path.display());
    let connection = Connection::open(path).map_err(told)?;
    connection.busy_timeout(BUSY).map_err(told)?;
    // Readers do not wait for writers.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(told)?;
    laid_out(connection, path)
}

/// Opens the file; it must be there.
pub fn open(path: &Path) -> Result<Connection, String> {
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
    laid_out(connection, path)
}

/// Brings an older file to the present layout. One that another version made later is left alone.
fn laid_out(mut connection: Connection, path: &Path) -> Result<Connection, String> {
    let told = |error: rusqlite::Error| format!("{}: {error}", path.display());
    if layout(&connection).map_err(told)? == LAYOUTS.len() {
        return Ok(connection);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(told)?;
    let found = layout(&transaction).map_err(told)?;
    let missing = LAYOUTS.get(found..).ok_or_else(|| {
        format!(
            "{}: expected a database of layout {} or older, found {found}; name another file with --database",
            path.display(),
            LAYOUTS.len()
        )
    })?;
    for schema in missing {
        transaction.execute_batch(schema).map_err(told)?;
    }
    transaction.pragma_update(None, "user_version", LAYOUTS.len()).map_err(told)?;
    transaction.commit().map_err(told)?;
    Ok(connection)
}

fn layout(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_file_is_brought_up_to_date_and_a_later_one_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letterbox.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(store::SCHEMA).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection
            .execute("INSERT INTO messages (body, attributes, message_group, deduplication) VALUES ('a','b','c','d')", [])
            .unwrap();
        drop(connection);
        for open in [open, create] {
            let connection = open(&path).unwrap();
            assert_eq!(layout(&connection).unwrap(), LAYOUTS.len());
            let count = |table| {
                let select = format!("SELECT count(*) FROM {table}");
                connection.query_row(&select, [], |row| row.get::<_, i64>(0)).unwrap()
            };
            assert_eq!((count("messages"), count("deliveries")), (1, 0));
        }
        open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        for open in [open, create] {
            let told = open(&path).unwrap_err();
            assert!(told.contains("found 99; name another file"), "{told}");
        }
    }
}
