//! SQLite files: opened, made, and held to their layout.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// What a file holds.
pub struct Layout {
    /// Its `user_version`. Another number means another kind of file, or that another version of Letterbox made it.
    pub number: i32,
    /// Its name, for a person.
    pub name: &'static str,
    /// Its tables.
    pub schema: &'static str,
}

/// How long one process waits for another that writes.
const BUSY: Duration = Duration::from_secs(2);

/// Opens the file, and makes it if it is not there.
pub fn create(path: &Path, layout: &Layout) -> Result<Connection, String> {
    let told = |error: rusqlite::Error| told(path, &error);
    let mut connection = Connection::open(path).map_err(told)?;
    connection.busy_timeout(BUSY).map_err(told)?;
    // Readers do not wait for writers.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(told)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(told)?;
    if number(&transaction).map_err(told)? == 0 {
        transaction.execute_batch(layout.schema).map_err(told)?;
        transaction.pragma_update(None, "user_version", layout.number).map_err(told)?;
    }
    transaction.commit().map_err(told)?;
    checked(connection, path, layout)
}

/// Opens the file; it must be there.
pub fn open(path: &Path, layout: &Layout) -> Result<Connection, String> {
    if !path.exists() {
        return Err(format!(
            "{}: no such file; `letterbox serve` makes it, --database says where",
            path.display()
        ));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .and_then(|connection| connection.busy_timeout(BUSY).map(|()| connection))
        .map_err(|error| told(path, &error))?;
    checked(connection, path, layout)
}

fn checked(connection: Connection, path: &Path, layout: &Layout) -> Result<Connection, String> {
    match number(&connection).map_err(|error| told(path, &error))? {
        found if found == layout.number => Ok(connection),
        found => Err(format!(
            "{}: expected {} of layout {}, found {found}; name another file with --database",
            path.display(),
            layout.name,
            layout.number
        )),
    }
}

fn told(path: &Path, error: &rusqlite::Error) -> String {
    format!("{}: {error}; --database names another file", path.display())
}

fn number(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_layout_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let layout = Layout { number: 7, name: "a test", schema: "CREATE TABLE a (b TEXT) STRICT" };
        create(&path, &layout).unwrap().execute("INSERT INTO a VALUES ('c')", []).unwrap();
        for open in [open, create] {
            let found: String =
                open(&path, &layout).unwrap().query_row("SELECT b FROM a", [], |row| row.get(0)).unwrap();
            assert_eq!(found, "c");
            let told = open(&path, &Layout { number: 8, ..layout }).unwrap_err();
            assert!(told.contains("expected a test of layout 8, found 7; name another file"), "{told}");
        }
    }
}
