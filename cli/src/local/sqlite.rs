//! SQLite files: opened, created, checked for their layout, and watched for being deleted or moved while in use.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig};

/// The expected content of a file.
#[derive(Debug)]
pub struct Layout {
    /// Its `user_version`. A different number means another kind of file, or one of another version of Letterbox.
    pub number: i32,
    /// A description for messages, with its article.
    pub name: &'static str,
    /// Its tables.
    pub schema: &'static str,
    /// Statements that each new connection runs.
    pub settings: &'static str,
}

/// The first bytes of a log that is not empty, without the last bit.
/// <https://www.sqlite.org/fileformat2.html#the_write_ahead_log> (read 2026-11-26)
const LOG_MAGIC: u32 = 0x377f_0682;

/// How long a process waits while another one writes.
const BUSY: Duration = Duration::from_secs(2);

/// The suffixes of a database's files in WAL mode. SQLite keeps writing to a file that was deleted or renamed, and a
/// process that opens the path does not see those writes.
const FILES: [&str; 3] = ["", "-wal", "-shm"];

/// Device and inode of each of [`FILES`]; `None` if the file does not exist.
type Identity = [Option<(u64, u64)>; FILES.len()];

/// An open database, together with the identity of its files.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    layout: &'static Layout,
    connection: Connection,
    identity: Identity,
}

impl Database {
    /// Opens the file, or creates it if it does not exist.
    pub fn create(path: &Path, layout: &'static Layout) -> Result<Self, String> {
        let described = |error: rusqlite::Error| described(path, &error);
        let mut connection = Connection::open(plain(path)).map_err(described)?;
        connection.busy_timeout(BUSY).map_err(described)?;
        // Readers do not wait for writers.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(described)?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(described)?;
        if number(&transaction).map_err(described)? == 0 {
            transaction.execute_batch(layout.schema).map_err(described)?;
            transaction.pragma_update(None, "user_version", layout.number).map_err(described)?;
        }
        transaction.commit().map_err(described)?;
        Self::checked(connection, path, layout)
    }

    /// Opens an existing file, read-only if it cannot be written.
    pub fn open(path: &Path, layout: &'static Layout) -> Result<Self, String> {
        if !path.exists() {
            return Err(format!(
                "{}: no such file; `letterbox serve` creates it, or name another with --database",
                path.display()
            ));
        }
        let opened = open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE).or_else(|error| {
            let is_read_only = matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
            );
            if is_read_only { open_read_only(path) } else { Err(error) }
        });
        Self::checked(opened.map_err(|error| described(path, &error))?, path, layout)
    }

    fn checked(connection: Connection, path: &Path, layout: &'static Layout) -> Result<Self, String> {
        let described = |error: rusqlite::Error| described(path, &error);
        let found = number(&connection).map_err(described)?;
        if found != layout.number {
            return Err(format!(
                "{}: expected {} of layout {}, found {found}; name another file with --database",
                path.display(),
                layout.name,
                layout.number
            ));
        }
        if !path.is_file() {
            return Err(format!(
                "{}: expected a regular file; name another file with --database",
                path.display()
            ));
        }
        connection.execute_batch(layout.settings).map_err(described)?;
        Ok(Self { path: path.to_owned(), layout, identity: identity(path), connection })
    }

    /// The open file, even if the path now leads to another file.
    pub fn raw(&self) -> &Connection {
        &self.connection
    }

    /// An error of a statement as a text for the operator.
    pub fn explained(&self, error: &rusqlite::Error) -> String {
        explained(&self.path, error)
    }

    /// The file at the path; reopens it if it has been replaced.
    pub fn current(&mut self) -> Result<&Connection, String> {
        if self.check_in_place().is_err() && self.is_replaced() {
            let mut replacement = Self::open(&self.path, self.layout)?;
            std::mem::swap(self, &mut replacement);
            // Writes the rest of the old file's log into the old file, wherever that is now.
            let _ = replacement.connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
        }
        self.check_in_place()?;
        Ok(&self.connection)
    }

    /// Returns an error if the open file is no longer the one at the path.
    pub fn check_in_place(&self) -> Result<(), String> {
        let now = identity(&self.path);
        if now == self.identity {
            return match self.emptied() {
                None => Ok(()),
                Some(ending) => Err(format!(
                    "{}{ending} was emptied while in use: end and start `letterbox serve`",
                    self.path.display()
                )),
            };
        }
        let gone = FILES.iter().zip(now).zip(self.identity).find(|((_, now), opened)| now != opened);
        let name = gone.map_or("", |((name, _), _)| name);
        Err(format!(
            "{}{name} was deleted, moved or replaced while in use: put it back, or restart `letterbox serve`",
            self.path.display()
        ))
    }

    /// The one of [`FILES`] that another program emptied. SQLite does not notice: it continues to append to the log at the
    /// former end, and the next process that opens the file finds nothing in such a log. The database file itself is not opened
    /// here, because closing it would end SQLite's locks on it.
    fn emptied(&self) -> Option<&'static str> {
        if fs::metadata(&self.path).is_ok_and(|file| file.len() == 0) {
            return Some("");
        }
        let mut magic = [0; 4];
        let log = fs::File::open(beside(&self.path, "-wal"));
        let is_read = log.and_then(|mut log| log.read_exact(&mut magic)).is_ok();
        // A log without content was restarted by SQLite itself.
        (is_read && u32::from_be_bytes(magic) & !1 != LOG_MAGIC).then_some("-wal")
    }

    /// True if another file is at the path.
    fn is_replaced(&self) -> bool {
        let now = identity(&self.path)[0];
        now.is_some() && now != self.identity[0]
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_replaced() || self.emptied().is_some() {
            // Closing would delete the log at the path, which now belongs to the other file, or copy the gaps of an
            // emptied log into the database.
            let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
    }
}

fn open_with(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let is_uri = flags.contains(OpenFlags::SQLITE_OPEN_URI);
    let path = if is_uri { path.to_owned() } else { plain(path) };
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    // SQLite does not read the file before the first statement.
    number(&connection)?;
    Ok(connection)
}

/// Opens a file on read-only media, where SQLite cannot create the index of the log (`-shm`). Without a log, the file is
/// opened as immutable. <https://www.sqlite.org/wal.html#read_only_databases>
/// (read 2026-11-26)
fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY).or_else(|error| {
        let log = fs::metadata(beside(path, "-wal"));
        if log.is_ok_and(|log| log.len() > 0) { Err(error) } else { open_immutable(path) }
    })
}

fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let name: String = form_urlencoded::byte_serialize(plain(path).as_os_str().as_encoded_bytes()).collect();
    // In a form a plus is a space; in a URI it is a plus.
    let uri = format!("file:{}?immutable=1", name.replace('+', "%20"));
    open_with(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
}

/// The absolute path: SQLite would give a relative `:memory:` or `file:a` another meaning than a file of that name.
fn plain(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The path with a suffix appended to its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn identity(path: &Path) -> Identity {
    FILES.map(|ending| fs::metadata(beside(path, ending)).ok().map(|file| device_and_inode(&file)))
}

#[cfg(unix)]
fn device_and_inode(file: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}

/// Without inode numbers, only the file's existence is checked.
#[cfg(not(unix))]
fn device_and_inode(_: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

fn described(path: &Path, error: &rusqlite::Error) -> String {
    format!("{}; name another file with --database", explained(path, error))
}

/// An error of SQLite, the file that it concerns, and what to do about it.
fn explained(path: &Path, error: &rusqlite::Error) -> String {
    let what_to_do = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => ": free some space; writing then continues automatically",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ": another program writes to the file; wait for it, or end it; writing then continues automatically"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            ": make the file and its folder writable"
        }
        Some(ErrorCode::SystemIoFailure) => {
            ": the system refuses to read or write it; look for a file size limit, a quota, a disk that is read-only or \
            failing; once that is fixed, writing continues automatically"
        }
        _ => "",
    };
    format!("{}: {error}{what_to_do}", path.display())
}

fn number(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout =
        Layout { number: 7, name: "a test", schema: "CREATE TABLE a (b TEXT) STRICT", settings: "" };
    const OTHER: Layout = Layout { number: 8, ..LAYOUT };

    fn insert(database: &mut Database) -> Result<(), String> {
        let done = database.current()?.execute("INSERT INTO a VALUES ('c')", []);
        done.map(drop).map_err(|error| error.to_string())
    }

    fn count(database: &Database) -> u32 {
        database.raw().query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_file_of_another_layout_is_rejected_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        insert(&mut Database::create(&path, &LAYOUT).unwrap()).unwrap();
        for open in [Database::open, Database::create] {
            assert_eq!(count(&open(&path, &LAYOUT).unwrap()), 1);
            let refused = open(&path, &OTHER).unwrap_err();
            assert!(refused.contains("expected a test of layout 8, found 7; name another file"), "{refused}");
        }
    }

    #[test]
    fn writing_fails_while_a_file_is_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut database = Database::create(&path, &LAYOUT).unwrap();
        for ending in FILES {
            let (file, moved) = (beside(&path, ending), folder.path().join("moved"));
            insert(&mut database).unwrap();
            fs::rename(&file, &moved).unwrap();
            let refused = insert(&mut database).unwrap_err();
            assert!(refused.contains(&format!("a.db{ending} was deleted, moved or replaced")), "{refused}");
            assert!(database.check_in_place().is_err());
            fs::rename(&moved, &file).unwrap();
            insert(&mut database).unwrap();
        }
        drop(database);
        assert_eq!(count(&Database::open(&path, &LAYOUT).unwrap()), 6);
    }

    #[test]
    fn a_file_that_was_emptied_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        for (name, ending) in [("a.db", ""), ("b.db", "-wal")] {
            let path = folder.path().join(name);
            let mut database = Database::create(&path, &LAYOUT).unwrap();
            insert(&mut database).unwrap();
            database.raw().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            for _ in 0..2 {
                insert(&mut database).unwrap();
                database.check_in_place().unwrap();
            }
            fs::File::options().write(true).open(beside(&path, ending)).unwrap().set_len(0).unwrap();
            for _ in 0..2 {
                let refused = insert(&mut database).and_then(|()| database.check_in_place()).unwrap_err();
                assert!(refused.contains(&format!("{name}{ending} was emptied while in use")), "{refused}");
            }
            drop(database);
            if ending == "-wal" {
                assert_eq!(count(&Database::create(&path, &LAYOUT).unwrap()), 1, "what was in the database");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_no_database() {
        for path in ["/dev/null", "/"] {
            assert!(Database::create(Path::new(path), &LAYOUT).is_err(), "{path}");
        }
    }

    #[test]
    fn a_replacement_file_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let [path, moved, other] = ["a.db", "moved.db", "other.db"].map(|name| folder.path().join(name));
        let mut database = Database::create(&path, &LAYOUT).unwrap();
        insert(&mut database).unwrap();
        fs::rename(&path, &moved).unwrap();
        drop(Database::create(&other, &LAYOUT).unwrap());
        fs::rename(&other, &path).unwrap();
        for _ in 0..2 {
            insert(&mut database).unwrap();
        }
        assert_eq!(count(&database), 2);
        drop(database);
        assert_eq!(count(&Database::open(&path, &LAYOUT).unwrap()), 2);
        // The earlier row is in the file that was moved.
        assert_eq!(count(&Database::open(&moved, &LAYOUT).unwrap()), 1);
        fs::write(&other, "no database").unwrap();
        let mut database = Database::create(&path, &LAYOUT).unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(insert(&mut database).is_err());
    }

    #[test]
    fn a_read_only_file_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b?#%+中.db");
        insert(&mut Database::create(&path, &LAYOUT).unwrap()).unwrap();
        for open in [open_read_only, open_immutable] {
            let connection = open(&path).unwrap();
            assert!(connection.is_readonly(rusqlite::MAIN_DB).unwrap());
            assert_eq!(count(&Database::checked(connection, &path, &LAYOUT).unwrap()), 1);
        }
    }
}
