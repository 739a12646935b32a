//! The record of one delivery for the operator: log line and metrics are made from it.

use letterbox_codec::{Provider, Reject, Stage};

use crate::{Outcome, archive::Archived, refreshed::RefreshResult};

/// The facts of one delivery, without payload, secrets or signatures.
#[derive(Clone, Debug)]
pub struct Record {
    /// [`Provider::NAME`].
    pub provider: &'static str,
    /// The source in the route.
    pub source: String,
    /// True if the credentials have that source.
    pub known: bool,
    /// The event's type.
    pub kind: Option<String>,
    /// The event's id.
    pub id: Option<String>,
    /// The platform's id of the delivery (OpenCard's `rid`, GitHub's GUID). It may be unverified.
    pub delivery: Option<String>,
    /// The position of the credential entry that verified it, which may still be refused for its payload.
    pub key: Option<usize>,
    /// True if the source has several credential entries, as during a rotation.
    pub rotating: bool,
    /// True if the delivery came from the archive.
    pub replayed: bool,
    /// The outcome.
    pub outcome: Outcome,
    /// A stable code: of the refusal or failure, or the provider's remark on its reply.
    pub reason: Option<&'static str>,
    /// The stage that a refused delivery did not pass.
    pub stage: Option<Stage>,
    /// Details for the operator: the field and what was expected, or the queue's error.
    pub detail: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// Milliseconds from the start of handling to the response.
    pub milliseconds: f64,
    /// The deadline in milliseconds; `None` if the delivery was refused before its source was looked up.
    pub limit: Option<f64>,
    /// Milliseconds of these for the queue call; `None` if there was none.
    pub queue_milliseconds: Option<f64>,
    /// The result of refreshing the credentials.
    pub credentials: RefreshResult,
    /// The result of refreshing the provider's document.
    pub document: RefreshResult,
    /// The result of calling the URL that the delivery asks for ([`Received::visit`]); `None` if it asks for none. The error
    /// says why.
    pub visit: Option<Result<(), String>>,
    /// Whether the archive has it.
    pub archived: Archived,
    /// The provider's names in log and metrics.
    pub(crate) names: Names,
}

/// What a provider calls its own facts in log and metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names {
    /// [`Provider::DELIVERY_FIELD`].
    pub delivery_field: Option<&'static str>,
    /// [`letterbox_codec::provider::Document::refresh_failed`].
    pub document_refresh_failed: Option<&'static str>,
}

impl Names {
    pub(crate) fn of<P: Provider>() -> Self {
        Self {
            delivery_field: P::DELIVERY_FIELD,
            document_refresh_failed: P::DOCUMENT.map(|document| document.refresh_failed),
        }
    }
}

/// The longest source name in a record, in characters: a sender may put anything into the URL.
const LOGGED_SOURCE: usize = 64;

impl Record {
    pub(crate) fn new(provider: &'static str, source: &str) -> Self {
        Self {
            provider,
            source: source.chars().take(LOGGED_SOURCE).collect(),
            known: false,
            kind: None,
            id: None,
            delivery: None,
            key: None,
            rotating: false,
            replayed: false,
            outcome: Outcome::Refused,
            reason: None,
            stage: None,
            detail: None,
            status: 0,
            milliseconds: 0.0,
            limit: None,
            queue_milliseconds: None,
            credentials: RefreshResult::Unchanged,
            document: RefreshResult::Unchanged,
            visit: None,
            archived: Archived::No,
            names: Names::default(),
        }
    }

    pub(crate) fn of<P: Provider>(source: &str) -> Self {
        Self { names: Names::of::<P>(), ..Self::new(P::NAME, source) }
    }

    pub(crate) fn refused(&mut self, reject: &Reject, stage: Stage) {
        self.stage = Some(stage);
        self.reason = Some(reject.code());
        self.detail = reject.detail().map(Into::into);
    }
}
