//! The delivery history: a SQLite file beside the queue's, so that neither waits for the other's writes.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use letterbox_codec::{Request, Timestamp, headers};
use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction, TransactionBehavior, params};
use tokio_util::sync::CancellationToken;

use super::{Bounds, Filter, StoredDelivery, Summary, Trace};
use crate::{
    local::sqlite::{Database, Layout},
    statistics::percentile,
};

/// The layout of the file.
const LAYOUT: Layout = Layout {
    number: 2,
    name: "deliveries",
    schema: "
    CREATE TABLE deliveries (
        id           INTEGER PRIMARY KEY AUTOINCREMENT,
        received     INTEGER NOT NULL,
        provider     TEXT NOT NULL,
        source       TEXT NOT NULL,
        type         TEXT,
        outcome      TEXT NOT NULL,
        reason       TEXT,
        status       INTEGER NOT NULL,
        milliseconds REAL NOT NULL,
        method       TEXT NOT NULL,
        url          TEXT NOT NULL,
        headers      TEXT NOT NULL,
        body         BLOB NOT NULL,
        content      BLOB,
        message      TEXT,
        trace        TEXT NOT NULL,
        bytes        INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_bytes ON deliveries (id, bytes);
    CREATE INDEX deliveries_received ON deliveries (received);
    CREATE INDEX deliveries_outcome ON deliveries (outcome);
    CREATE INDEX deliveries_source ON deliveries (source);
    CREATE INDEX deliveries_type ON deliveries (type);
",
    // With WAL, NORMAL may lose the latest deliveries in a power failure but cannot corrupt the file.
    settings: "PRAGMA synchronous = NORMAL",
};

/// The columns of a [`Summary`].
const SUMMARY: &str = "id, received, provider, source, type, outcome, reason, status, milliseconds";

/// The condition of a [`Filter`], whose fields are the first five parameters.
const FILTER: &str = "
    (?1 = '' OR provider = ?1)
    AND (?2 = '' OR instr(lower(source), lower(?2)))
    AND (?3 = '' OR outcome = ?3)
    AND (?4 = '' OR instr(lower(type), lower(?4)))
    AND (?5 = '' OR instr(lower(concat_ws(char(10), source, type, reason, url, headers,
        CAST(body AS TEXT), CAST(content AS TEXT), message)), lower(?5)))
";

/// An open file, for one thread at a time.
#[derive(Debug)]
pub struct Deliveries {
    database: RefCell<Database>,
    cancelled: CancellationToken,
}

/// How many SQLite instructions run between two checks for cancellation. A single instruction may search a whole body.
const INSTRUCTIONS: i32 = 100;

/// Totals over all stored deliveries, for the top of the page.
#[derive(Debug)]
pub struct Totals {
    /// Each outcome that occurs, with its number of deliveries.
    pub outcomes: Vec<(String, u64)>,
    /// The latest deliveries, newest first.
    pub latest: Vec<Summary>,
    /// Median and 95th percentile of their latencies, in milliseconds.
    pub latency: Option<(f64, f64)>,
}

/// Suggestions for the filters.
#[derive(Debug)]
pub struct Names {
    /// Sources.
    pub sources: Vec<String>,
    /// Event types.
    pub types: Vec<String>,
}

/// The maximum number of suggestions, since any sender can invent sources.
const NAMES: u32 = 100;

impl Deliveries {
    /// Opens the history beside a queue's file, and creates it if it is not there.
    pub fn create(queue: &Path) -> Result<Self, String> {
        Ok(Self::of(Database::create(&beside(queue), &LAYOUT)?))
    }

    /// Opens the history beside a queue's file; it must be there.
    pub fn open(queue: &Path) -> Result<Self, String> {
        Ok(Self::of(Database::open(&beside(queue), &LAYOUT)?))
    }

    fn of(database: Database) -> Self {
        Self { database: RefCell::new(database), cancelled: CancellationToken::new() }
    }

    /// Makes the running statement, and each later one, fail once the token is cancelled.
    #[must_use]
    pub fn cancelled_by(self, token: CancellationToken) -> Self {
        Self { cancelled: token, ..self }
    }

    /// Stores a delivery and returns its number. The number in `summary` is ignored.
    pub fn insert(&self, delivery: &StoredDelivery) -> Result<i64, String> {
        let row = StoredRow::of(delivery)?;
        self.with(|connection| row.insert(connection))
    }

    /// Stores deliveries in one transaction, and returns the number of each.
    pub fn insert_all(&self, deliveries: &[StoredDelivery]) -> Result<Vec<i64>, String> {
        let rows = deliveries.iter().map(StoredRow::of).collect::<Result<Vec<_>, _>>()?;
        self.with(|connection| {
            let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
            let ids = rows.iter().map(|row| row.insert(&transaction)).collect::<Result<_, _>>()?;
            transaction.commit()?;
            Ok(ids)
        })
    }

    /// The number of the newest delivery; 0 if there is none.
    pub fn last(&self) -> Result<i64, String> {
        self.with(|connection| {
            connection.query_row("SELECT coalesce(max(id), 0) FROM deliveries", [], |row| row.get(0))
        })
    }

    /// Removes the deliveries that exceed the bounds.
    pub fn prune(&self, bounds: &Bounds, now: Timestamp) -> Result<(), String> {
        let age = i64::try_from(bounds.age.as_millis()).unwrap_or(i64::MAX);
        let bytes = i64::try_from(bounds.bytes).unwrap_or(i64::MAX);
        self.with(|connection| {
            connection
                .prepare_cached(
                    "DELETE FROM deliveries WHERE received < ?1 OR id <= max(
                        coalesce((SELECT id FROM deliveries ORDER BY id DESC LIMIT 1 OFFSET ?2), 0),
                        coalesce((SELECT max(id) FROM
                            (SELECT id, sum(bytes) OVER (ORDER BY id DESC) AS total FROM deliveries)
                            WHERE total > ?3), 0))",
                )?
                .execute(params![now.0.saturating_sub(age), bounds.number, bytes])
        })?;
        Ok(())
    }

    /// The newest deliveries that match the filter, below the number `before` if that is given; newest first.
    pub fn newest(&self, filter: &Filter, before: Option<i64>, limit: u32) -> Result<Vec<Summary>, String> {
        let sql =
            format!("SELECT {SUMMARY} FROM deliveries WHERE {FILTER} AND id < ?6 ORDER BY id DESC LIMIT ?7");
        self.summaries(&sql, filter, before.unwrap_or(i64::MAX), limit)
    }

    /// The deliveries with a higher number than `id` that match the filter, oldest first.
    pub fn after(&self, filter: &Filter, id: i64, limit: u32) -> Result<Vec<Summary>, String> {
        let sql = format!("SELECT {SUMMARY} FROM deliveries WHERE {FILTER} AND id > ?6 ORDER BY id LIMIT ?7");
        self.summaries(&sql, filter, id, limit)
    }

    fn summaries(&self, sql: &str, filter: &Filter, id: i64, limit: u32) -> Result<Vec<Summary>, String> {
        let Filter { provider, source, outcome, kind, q } = filter;
        self.with(|connection| {
            all(connection, sql, params![provider, source, outcome, kind, q, id, limit], summary)
        })
    }

    /// The delivery with this number.
    pub fn get(&self, id: i64) -> Result<Option<StoredDelivery>, String> {
        let found = self.with(|connection| {
            let sql = format!(
                "SELECT {SUMMARY}, method, url, headers, body, content, message, trace FROM deliveries WHERE id = ?"
            );
            let read = |row: &Row<'_>| {
                let request = StoredRequest { method: row.get(9)?, url: row.get(10)?, headers: row.get(11)?, body: row.get(12)? };
                Ok((summary(row)?, request, row.get(13)?, row.get(14)?, row.get::<_, String>(15)?))
            };
            connection.prepare_cached(&sql)?.query_row([id], read).optional()
        })?;
        let Some((summary, request, content, message, trace)) = found else { return Ok(None) };
        let unreadable = || format!("delivery {id}: this version of Letterbox cannot read its format");
        let request = request.read().ok_or_else(unreadable)?;
        let trace: Trace = serde_json::from_str(&trace).map_err(|_| unreadable())?;
        Ok(Some(StoredDelivery { summary, request, content, message, trace }))
    }

    /// The totals, with at most `latest` of the newest deliveries.
    pub fn totals(&self, latest: u32) -> Result<Totals, String> {
        self.with(|connection| {
            let outcomes = all(
                connection,
                "SELECT outcome, count(*) FROM deliveries GROUP BY outcome ORDER BY outcome",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            let sql = format!("SELECT {SUMMARY} FROM deliveries ORDER BY id DESC LIMIT ?");
            let latest = all(connection, &sql, [latest], summary)?;
            let mut took: Vec<f64> = latest.iter().map(|one| one.milliseconds).collect();
            took.sort_unstable_by(f64::total_cmp);
            let of = |percent| percentile(&took, percent);
            Ok(Totals { outcomes, latency: of(50).zip(of(95)), latest })
        })
    }

    /// Suggestions for the filters.
    pub fn names(&self) -> Result<Names, String> {
        self.with(|connection| {
            let texts = |column: &str| {
                let sql = format!(
                    "SELECT DISTINCT {column} FROM deliveries WHERE {column} IS NOT NULL ORDER BY {column} LIMIT ?"
                );
                all(connection, &sql, [NAMES], |row| row.get(0))
            };
            Ok(Names { sources: texts("source")?, types: texts("type")? })
        })
    }

    fn with<T>(&self, act: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, String> {
        let cancelled = self.cancelled.clone();
        if cancelled.is_cancelled() {
            return Err("the read was cancelled".to_owned());
        }
        let mut database = self.database.borrow_mut();
        let connection = database.current()?;
        let done = connection
            .progress_handler(INSTRUCTIONS, Some(move || cancelled.is_cancelled()))
            .and_then(|()| act(connection));
        done.map_err(|error| database.explained(&error))
    }
}

/// `letterbox-deliveries.db` of `letterbox.db`.
fn beside(queue: &Path) -> PathBuf {
    let mut name = queue.file_stem().unwrap_or_default().to_owned();
    name.push("-deliveries");
    if let Some(extension) = queue.extension() {
        name.push(".");
        name.push(extension);
    }
    queue.with_file_name(name)
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    Ok(Summary {
        id: row.get(0)?,
        received: Timestamp(row.get(1)?),
        provider: row.get(2)?,
        source: row.get(3)?,
        kind: row.get(4)?,
        outcome: row.get(5)?,
        reason: row.get(6)?,
        status: row.get(7)?,
        milliseconds: row.get(8)?,
    })
}

/// A delivery, with those of its columns that are made from it.
struct StoredRow<'a> {
    delivery: &'a StoredDelivery,
    url: String,
    headers: String,
    trace: String,
}

impl<'a> StoredRow<'a> {
    fn of(delivery: &'a StoredDelivery) -> Result<Self, String> {
        let request = &delivery.request;
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), latin1(value.as_bytes())));
        let headers =
            serde_json::to_string(&headers.collect::<Vec<_>>()).map_err(|error| error.to_string())?;
        let trace = serde_json::to_string(&delivery.trace).map_err(|error| error.to_string())?;
        Ok(Self { delivery, url: request.uri().to_string(), headers, trace })
    }

    fn bytes(&self) -> i64 {
        let StoredDelivery { request, content, message, .. } = self.delivery;
        let bytes = [
            self.url.len(),
            self.headers.len(),
            request.body().len(),
            content.as_ref().map_or(0, Vec::len),
            message.as_ref().map_or(0, String::len),
            self.trace.len(),
        ];
        i64::try_from(bytes.iter().sum::<usize>()).unwrap_or(i64::MAX)
    }

    /// Inserts it, and returns its number.
    fn insert(&self, connection: &Connection) -> rusqlite::Result<i64> {
        let StoredDelivery { summary, request, content, message, .. } = self.delivery;
        connection
            .prepare_cached(
                "INSERT INTO deliveries (received, provider, source, type, outcome, reason, status, milliseconds,
                    method, url, headers, body, content, message, trace, bytes)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                summary.received.0,
                summary.provider,
                summary.source,
                summary.kind,
                summary.outcome,
                summary.reason,
                summary.status,
                summary.milliseconds,
                request.method().as_str(),
                self.url,
                self.headers,
                request.body().as_ref(),
                content,
                message,
                self.trace,
                self.bytes(),
            ])?;
        Ok(connection.last_insert_rowid())
    }
}

/// The columns of a request.
struct StoredRequest {
    method: String,
    url: String,
    headers: String,
    body: Vec<u8>,
}

impl StoredRequest {
    fn read(self) -> Option<Request> {
        let pairs = serde_json::from_str::<Vec<(String, String)>>(&self.headers).ok()?;
        let bytes =
            |text: String| text.chars().map(|character| u8::try_from(character).ok()).collect::<Option<_>>();
        let pairs = pairs.into_iter().map(|(name, value)| Some((name, bytes(value)?)));
        let headers = headers::collect(pairs.collect::<Option<Vec<(String, Vec<u8>)>>>()?).ok()?;
        let mut request = Request::new(Bytes::from(self.body));
        *request.method_mut() = self.method.parse().ok()?;
        *request.uri_mut() = self.url.parse().ok()?;
        *request.headers_mut() = headers;
        Some(request)
    }
}

/// Decodes bytes as Latin-1, which keeps every byte.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
