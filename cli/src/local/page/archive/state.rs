//! The state of the page: the stack, its archive, and its credentials.

use std::{
    collections::{BTreeSet, VecDeque},
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::{sync::watch, task};

use super::{
    super::{
        texts::Texts,
        view::{
            self, Page, RowView, Shown,
            delivery::{DeliveryView, Origin},
            place::{ArchivePlace, ListingView, Place},
        },
    },
    judge::{self, Judged},
    key::{self, Cursor},
    query::{ArchiveQuery, OUTCOMES},
    reading::{Listing, Readings},
    replay::Replays,
    target::Target,
};
use crate::{
    local::{history::sqlite::Names, reception::now, response::error},
    shell::word,
    stack::{AwsError, archive::ArchivedDelivery, credentials::StackCredentials},
};

/// A shared [`PageContext`].
#[derive(Clone)]
pub struct PageState(Arc<Shared>);

/// Everything that a request for the page needs.
pub struct PageContext {
    /// The stack.
    pub target: Target,
    /// Becomes true when the server shuts down.
    pub ending: watch::Receiver<bool>,
}

/// The context, and what requests share.
pub struct Shared {
    pub target: Arc<Target>,
    pub ending: watch::Receiver<bool>,
    pub replays: Replays,
    readings: Readings,
    recent: Mutex<Recent>,
}

impl Deref for PageState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What a request asks the page to show.
pub struct Wanted {
    /// Which deliveries the list shows.
    pub query: ArchiveQuery,
    /// Where the list begins.
    pub cursor: Cursor,
    /// The key of the delivery to show beside the list.
    pub key: Option<String>,
    /// False if only the delivery is looked at.
    pub has_list: bool,
}

impl PageState {
    /// Shares the context among all requests.
    pub fn new(context: PageContext) -> Self {
        let PageContext { target, ending } = context;
        let readings = Readings::new(target.archive.clone());
        Self(Arc::new(Shared {
            target: Arc::new(target),
            ending,
            replays: Replays::default(),
            readings,
            recent: Mutex::default(),
        }))
    }

    /// The delivery with this key; the error is the response.
    pub async fn find(&self, key: &str) -> Result<Arc<ArchivedDelivery>, Response> {
        let found = self.look_for(key).await;
        let found = found.map_err(|failed| error(StatusCode::BAD_GATEWAY, &failed.to_string()))?;
        found.ok_or_else(|| {
            error(StatusCode::NOT_FOUND, "no such delivery in the archive: it has expired, or never existed")
        })
    }

    /// The delivery with this key: one that was read lately, or from the archive.
    async fn look_for(&self, key: &str) -> Result<Option<Arc<ArchivedDelivery>>, AwsError> {
        let Some(position) = key::position(key) else { return Ok(None) };
        if let Some(known) = self.recent().find(&position.request_id) {
            return Ok(Some(known));
        }
        let found = self.readings.find(&position).await?.map(Arc::new);
        if let Some(found) = &found {
            self.recent().add(Arc::clone(found));
        }
        Ok(found)
    }

    /// The whole page.
    pub async fn show(&self, t: &'static Texts, wanted: Wanted) -> Response {
        let Wanted { query, cursor, key, has_list } = wanted;
        let parameters = view::query(&query);
        let filter = query.filter(now());
        let range = filter.as_ref().ok().map(|filter| (filter.since, filter.until));
        let listed = match filter {
            Err(error) => Err((StatusCode::BAD_REQUEST, t.archive.bad_filter, error)),
            Ok(_) if !has_list => Ok(Listing::default()),
            Ok(filter) => self
                .readings
                .list(filter, &cursor)
                .await
                .map_err(|error| (StatusCode::BAD_GATEWAY, t.archive.read_failed, error.to_string())),
        };
        let (status, listing, failure) = match listed {
            Ok(listing) => (StatusCode::OK, listing, None),
            Err((status, reason, detail)) => (status, Listing::default(), Some((reason, detail))),
        };
        let (shown, status) = match &key {
            None => (Shown::Nothing, status),
            Some(key) => self.shown(t, key, parameters.clone()).await,
        };
        let older = listing.next.as_ref().map(|next| {
            let mut older = form_urlencoded::Serializer::new(parameters.trim_start_matches('?').to_owned());
            format!("/deliveries?{}", older.extend_pairs(next.parameters()).finish())
        });
        let current = key.as_deref().and_then(key::position).map(|position| key::key(&position));
        let path =
            current.as_ref().map_or_else(|| "/deliveries".to_owned(), |key| format!("/deliveries/{key}"));
        let page = Page {
            t,
            filter: &query.common(),
            outcomes: &OUTCOMES,
            names: names(&listing.deliveries),
            is_newest: cursor.is_start(),
            older,
            here: form_urlencoded::byte_serialize(format!("{path}{parameters}").as_bytes()).collect(),
            shown,
            notice: None,
            place: Place::Archive(ArchivePlace {
                stack: self.target.stack.name.clone(),
                region: self.target.account.region.clone(),
                is_choosing: query.is_choosing(),
                reasons: reasons(&listing.deliveries),
                reason: query.reason,
                since: query.since,
                until: query.until,
                range,
                failure,
                listing: ListingView {
                    count: listing.progress.records,
                    unreadable: listing.progress.unreadable,
                    reached: listing.reached,
                    is_unfinished: listing.is_unfinished,
                },
            }),
            rows: self.rows(t, listing.deliveries, current.as_deref(), &parameters),
            query: parameters,
            version: env!("CARGO_PKG_VERSION"),
        };
        (status, view::html(&page)).into_response()
    }

    /// The lines of the list. `current` is the key of the delivery beside it.
    fn rows(
        &self,
        t: &'static Texts,
        deliveries: Vec<ArchivedDelivery>,
        current: Option<&str>,
        query: &str,
    ) -> Vec<RowView> {
        let mut recent = self.recent();
        let rows = deliveries.into_iter().map(|delivery| {
            let line = judge::line(&delivery);
            recent.add(Arc::new(delivery));
            RowView { t, is_shown: current == Some(&*line.key), line, query: query.to_owned() }
        });
        rows.collect()
    }

    /// The delivery with this key, and the status of the response.
    async fn shown(&self, t: &'static Texts, key: &str, query: String) -> (Shown, StatusCode) {
        match self.look_for(key).await {
            Ok(Some(delivery)) => {
                (Shown::Delivery(Box::new(self.view(t, delivery, query).await)), StatusCode::OK)
            }
            Ok(None) => (Shown::Gone(t.archive.gone), StatusCode::NOT_FOUND),
            Err(error) => (Shown::Failed(t.archive.read_failed, error.to_string()), StatusCode::BAD_GATEWAY),
        }
    }

    /// The delivery, judged again.
    async fn view(&self, t: &'static Texts, delivery: Arc<ArchivedDelivery>, query: String) -> DeliveryView {
        // Read again each time: they may have been corrected meanwhile.
        let mut known = StackCredentials::of(&self.target.account, &self.target.stack);
        let credentials = known.of_provider(&delivery.record.provider).await.cloned();
        let doctor = format!("{} --id {}", self.target.command("deliveries"), word(&delivery.request_id));
        let record = Arc::clone(&delivery);
        // Decrypting and the search for the cause keep a core busy.
        let judged = task::spawn_blocking(move || judge::judge(&record, credentials)).await;
        let Judged { delivery, diagnosis, judgement } =
            judged.unwrap_or_else(|ended| judge::unjudged(&delivery, &ended.to_string()));
        let origin = Origin::Archive { doctor, judgement };
        DeliveryView { t, delivery, query, diagnosis, origin }
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The response for an archived event that is no request.
pub fn unreadable(reason: &str) -> Response {
    error(
        StatusCode::UNPROCESSABLE_ENTITY,
        &format!("the archived API Gateway event cannot be read: {reason}"),
    )
}

/// Suggestions for the filters.
fn names(deliveries: &[ArchivedDelivery]) -> Names {
    let sources: BTreeSet<_> = deliveries.iter().map(|delivery| delivery.record.source.clone()).collect();
    let types: BTreeSet<_> = deliveries.iter().filter_map(|delivery| delivery.record.kind.clone()).collect();
    Names { sources: sources.into_iter().collect(), types: types.into_iter().collect() }
}

/// Suggestions for the reason.
fn reasons(deliveries: &[ArchivedDelivery]) -> Vec<String> {
    let reasons: BTreeSet<_> =
        deliveries.iter().filter_map(|delivery| delivery.record.reason.clone()).collect();
    reasons.into_iter().collect()
}

/// How much of the deliveries that were read lately is kept, in bytes.
const RECENT: usize = 32 * 1024 * 1024;

/// Deliveries that were read lately, the oldest reading first: a click on a line need not search the archive again.
#[derive(Default)]
struct Recent {
    deliveries: VecDeque<Arc<ArchivedDelivery>>,
    size: usize,
}

impl Recent {
    fn find(&self, request_id: &str) -> Option<Arc<ArchivedDelivery>> {
        self.deliveries.iter().rev().find(|delivery| delivery.request_id == request_id).cloned()
    }

    fn add(&mut self, delivery: Arc<ArchivedDelivery>) {
        if let Some(known) = self.deliveries.iter().position(|known| known.request_id == delivery.request_id)
        {
            let known = self.deliveries.remove(known);
            self.size = self.size.saturating_sub(known.map_or(0, |known| known.size()));
        }
        self.size = self.size.saturating_add(delivery.size());
        self.deliveries.push_back(delivery);
        while self.size > RECENT
            && let Some(oldest) = self.deliveries.pop_front()
        {
            self.size = self.size.saturating_sub(oldest.size());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: usize, size: usize) -> Arc<ArchivedDelivery> {
        let line = format!(
            r#"{{"time":"2026-11-27T03:20:00.123Z","provider":"github","source":"acme","outcome":"queued","reason":null,"id":null,"event":{{"requestContext":{{"requestId":"{id}"}},"body":"{}"}}}}"#,
            "x".repeat(size)
        );
        Arc::new(ArchivedDelivery::parse(line.as_bytes()).unwrap())
    }

    #[test]
    fn what_was_read_lately_is_bounded_by_its_size() {
        let mut recent = Recent::default();
        for id in 0..40 {
            recent.add(delivery(id, 1_000_000));
        }
        assert!(recent.size <= RECENT && recent.deliveries.len() > 30, "{}", recent.size);
        assert!(recent.find("0").is_none() && recent.find("39").is_some());
        let size = recent.size;
        recent.add(delivery(39, 1_000_000));
        assert_eq!(recent.size, size);
        recent.add(delivery(99, RECENT));
        assert_eq!((recent.size, recent.deliveries.len()), (0, 0));
    }
}
