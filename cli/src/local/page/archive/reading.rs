//! Reads the archive for the page: a few reads at a time, each bounded in time and memory.

use std::{sync::Arc, time::Duration};

use letterbox_codec::Timestamp;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::key::Cursor;
use crate::stack::{
    AwsError,
    archive::{Archive, ArchivedDelivery, Filter, Order, Position, Progress, Reader},
};

/// How many deliveries the list shows at a time.
pub const LINES: usize = 100;

/// How much of a page's deliveries is read at most, in bytes, whatever their number.
const LARGEST_PAGE: usize = 32 * 1024 * 1024;

/// How many reads run at a time.
const AT_A_TIME: usize = 2;

/// How long a page of the list looks for deliveries before it shows how far it has come.
const SEARCH_TIME: Duration = Duration::from_secs(5);

/// The time limit of a read that has come no further than the one before, and of the search for one delivery.
const LIMIT: Duration = Duration::from_mins(1);

/// Reads an archive.
#[derive(Clone)]
pub struct Readings {
    archive: Archive,
    turns: Arc<Semaphore>,
    search_time: Duration,
}

/// A page of the list.
#[derive(Default)]
pub struct Listing {
    /// The deliveries, newest first.
    pub deliveries: Vec<ArchivedDelivery>,
    /// Where to go on; `None` if that was all.
    pub next: Option<Cursor>,
    /// True if the page ends because it has taken long enough, not because it is full.
    pub is_unfinished: bool,
    /// What has been read.
    pub progress: Progress,
    /// The time up to which everything was looked at; `None` if that was all.
    pub reached: Option<Timestamp>,
}

impl Readings {
    /// Reads that archive.
    pub fn new(archive: Archive) -> Self {
        Self { archive, turns: Arc::new(Semaphore::new(AT_A_TIME)), search_time: SEARCH_TIME }
    }

    /// The newest deliveries after the cursor that the filter passes. Dropping the future ends the reading.
    pub async fn list(&self, mut filter: Filter, cursor: &Cursor) -> Result<Listing, AwsError> {
        let _turn = self.turn().await?;
        filter.after = cursor.after();
        if let Some(Timestamp(reached)) = cursor.reached() {
            let until = Timestamp(reached.saturating_add(1));
            filter.until = Some(filter.until.map_or(until, |given| given.min(until)));
        }
        let started = Instant::now();
        let mut reader = self.archive.read(Order::NewestFirst, filter);
        let mut listing = Listing::default();
        let mut size = 0_usize;
        let mut last: Option<Position> = cursor.after();
        loop {
            if listing.deliveries.len() >= LINES || size >= LARGEST_PAGE {
                return Ok(listing.ended(&reader, Some(Cursor::new(last.as_ref(), None)), false));
            }
            // A large object may take longer than that. The next page can only begin after it if it was read to its end.
            let has_moved = match (reader.reached(), cursor.reached()) {
                (Some(now), Some(before)) => now < before,
                (now, _) => now.is_some(),
            };
            let wait = if has_moved { self.search_time } else { LIMIT };
            match timeout_at((started + wait).min(Instant::now() + CHECK), reader.next()).await {
                Ok(Ok(Some(delivery))) => {
                    size = size.saturating_add(delivery.size());
                    last = Some(delivery.position());
                    listing.deliveries.push(delivery);
                }
                Ok(Ok(None)) => return Ok(listing.ended(&reader, None, false)),
                Ok(Err(error)) => return Err(error),
                Err(_) if started.elapsed() < wait => {}
                Err(_) if has_moved => {
                    let next = Cursor::new(last.as_ref(), reader.reached());
                    return Ok(listing.ended(&reader, Some(next), true));
                }
                Err(_) => return Err(too_slow()),
            }
        }
    }

    /// The delivery at that position.
    pub async fn find(&self, position: &Position) -> Result<Option<ArchivedDelivery>, AwsError> {
        let _turn = self.turn().await?;
        let filter = Filter {
            since: Some(position.time),
            until: Some(Timestamp(position.time.0.saturating_add(1))),
            id: Some(position.request_id.clone()),
            ..Filter::default()
        };
        let mut reader = self.archive.read(Order::NewestFirst, filter);
        let end = Instant::now() + LIMIT;
        loop {
            match timeout_at(end, reader.next()).await.map_err(|_| too_slow())?? {
                // The id may be that of the event.
                Some(found) if found.request_id != position.request_id => {}
                found => return Ok(found),
            }
        }
    }

    async fn turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit, AwsError> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let turn = tokio::time::timeout(LIMIT, turn).await.map_err(|_| too_slow())?;
        turn.map_err(|error| AwsError::Other(error.to_string()))
    }
}

/// The interval at which a list checks how far it has come.
const CHECK: Duration = Duration::from_millis(200);

fn too_slow() -> AwsError {
    AwsError::Other(format!(
        "reading the archive took longer than {} s: narrow the time range, or try again later",
        LIMIT.as_secs()
    ))
}

impl Listing {
    fn ended(mut self, reader: &Reader, next: Option<Cursor>, is_unfinished: bool) -> Self {
        self.progress = *reader.progress();
        self.reached = match (&next, is_unfinished) {
            (None, _) => None,
            (Some(_), true) => reader.reached(),
            (Some(_), false) => self.deliveries.last().map(|last| last.record.time),
        };
        self.next = next;
        self.is_unfinished = is_unfinished;
        self
    }
}
