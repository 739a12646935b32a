//! What the work on each account needs: the client, the state, the queue, the time that is left.

use std::time::Duration;

use letterbox_codec::{Ambient, Timestamp};
use letterbox_intake::{Message, Queue, ambient};
use letterbox_outbound::{
    http::{Client, Request, Response},
    store::{Condition, Item, Store, StoreError},
};

use crate::{
    limits::{Verdict, verdict},
    report::AccountReport,
};

/// The longest wait within a run that a platform may ask for. The account is left for a later run otherwise.
const SHORT_WAIT: Duration = Duration::from_secs(20);

/// How often a request is sent again after a failure of the server or of the connection.
const ATTEMPTS: u32 = 3;

/// The pause before the second attempt; it doubles.
const BACKOFF: Duration = Duration::from_secs(1);

/// Left at the end of a run for its report, in milliseconds.
const RESERVE: i64 = 25_000;

/// What the work on each account needs.
pub struct Context<'a> {
    /// For the requests to the platforms.
    pub client: &'a Client,
    /// The state.
    pub store: &'a dyn Store,
    /// Where events go. Not used by a dry run.
    pub queue: &'a dyn Queue,
    /// True if nothing may be changed.
    pub is_dry: bool,
    /// Looks back until then, whatever earlier runs have seen.
    pub since: Option<Timestamp>,
    /// The end of the run.
    pub ends: Timestamp,
    /// Receives each step of longer work.
    pub progress: &'a (dyn Fn(&str) + Sync),
}

/// Why the work on an account ends early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The platform allows no request before this time.
    #[error("the platform allows no request before {0}")]
    Wait(Timestamp),
    /// The rest is left for the next run, whose time comes anyway.
    #[error("no time is left")]
    NoTime,
    /// The credentials do not allow it.
    #[error("{0}")]
    Denied(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// The platform does not take the request.
    #[error("{0}")]
    Rejected(String),
    /// No usable response.
    #[error("{0}")]
    Unavailable(String),
    /// The state could not be read or written.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The queue did not accept an event.
    #[error("the queue: {0}")]
    Queue(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What became of an event for the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is on the queue.
    Done,
    /// An earlier run has put it there.
    Known,
    /// A dry run would put it there.
    Planned,
}

impl Context<'_> {
    /// Ends the work if no time is left for another step. It is asked before each: a computer may have slept since.
    pub fn check_time(&self) -> Result<(), Trouble> {
        if clock()?.0 < self.ends.0.saturating_sub(RESERVE) { Ok(()) } else { Err(Trouble::NoTime) }
    }

    /// Waits until then, if that is soon enough.
    pub async fn wait(&self, until: Timestamp) -> Result<(), Trouble> {
        let left = until.0.saturating_sub(clock()?.0).max(0);
        let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
        let is_within = until.0 < self.ends.0.saturating_sub(RESERVE);
        if left > SHORT_WAIT || !is_within {
            return Err(Trouble::Wait(until));
        }
        tokio::time::sleep(left).await;
        Ok(())
    }

    /// Sends a request of GitHub or Stripe, and again if the server fails or asks for a short wait. Beside the response is
    /// the time before which no further request is allowed.
    pub async fn call(
        &self,
        build: &(dyn Fn() -> Result<Request, Trouble> + Sync),
        attempts: Attempts,
    ) -> Result<(Response, Option<Timestamp>), Trouble> {
        let most = match attempts {
            Attempts::One => 1,
            Attempts::Several => ATTEMPTS,
        };
        let mut pause = BACKOFF;
        for attempt in 1..=most {
            self.check_time()?;
            let why = match self.client.send(build()?).await {
                Err(error) => error.to_string(),
                Ok(response) => {
                    let found = verdict(response.status, &response.headers, &response.beginning(), clock()?);
                    match found {
                        Verdict::Fine => return Ok((response, None)),
                        Verdict::Last(until) => return Ok((response, Some(until))),
                        Verdict::Denied(why) => return Err(Trouble::Denied(why)),
                        Verdict::Missing(why) => return Err(Trouble::Missing(why)),
                        Verdict::Failed(why) => return Err(Trouble::Rejected(why)),
                        Verdict::Wait(until) if attempt < most => {
                            self.wait(until).await?;
                            continue;
                        }
                        Verdict::Wait(until) => return Err(Trouble::Wait(until)),
                        Verdict::Retry(why) => why,
                    }
                }
            };
            if attempt == most {
                return Err(Trouble::Unavailable(why));
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        Err(Trouble::Unavailable("no attempt was made".to_owned()))
    }

    /// Writes an item, unless this is a dry run.
    pub async fn write(&self, item: &Item, condition: Condition) -> Result<bool, Trouble> {
        if self.is_dry {
            return Ok(true);
        }
        Ok(self.store.put(item, condition).await?)
    }

    /// Puts an event on the queue, unless its mark says that an earlier run has done so; then stores its mark until
    /// `expires`. If the run ends between the two, a later run puts the event again, with the same `id`.
    pub async fn put(&self, account: &str, message: &Message, expires: Timestamp) -> Result<Put, Trouble> {
        let id = attribute(message, "id");
        let mark = mark(id);
        if self.store.get(account, &mark).await?.is_some() {
            return Ok(Put::Known);
        }
        if self.is_dry {
            return Ok(Put::Planned);
        }
        self.check_time()?;
        self.queue.put(message).await.map_err(|error| Trouble::Queue(error.to_string()))?;
        let mark = Item::new(account, mark, &id)?.until(expires);
        self.store.put(&mark, Condition::Always).await?;
        Ok(Put::Done)
    }

    /// Stores a mark for an event that can never be put, so that it is reported once.
    pub async fn mark_unusable(&self, account: &str, id: &str, expires: Timestamp) -> Result<bool, Trouble> {
        let mark = mark(id);
        if self.store.get(account, &mark).await?.is_some() {
            return Ok(false);
        }
        self.write(&Item::new(account, mark, &id)?.until(expires), Condition::Always).await
    }
}

/// Whether a request is repeated after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempts {
    /// Once: a second request could do its work twice.
    One,
    /// Up to three times.
    Several,
}

/// The key of an event's mark.
fn mark(id: &str) -> String {
    format!("put#{id}")
}

/// An attribute of a message.
pub fn attribute<'m>(message: &'m Message, name: &str) -> &'m str {
    let found = message.attributes.iter().find(|(known, _)| *known == name);
    found.map_or("", |(_, value)| value.as_str())
}

/// Clock and entropy.
pub fn surroundings() -> Result<Ambient, Trouble> {
    ambient::system().map_err(|error| Trouble::Other(error.to_string()))
}

/// The time.
pub fn clock() -> Result<Timestamp, Trouble> {
    surroundings().map(|ambient| ambient.now)
}

/// Adds a message to the report on its account.
pub fn count(report: &mut AccountReport, message: &Message, put: Put) {
    if put == Put::Known {
        return;
    }
    report.found = report.found.saturating_add(1);
    report.step("put", attribute(message, "id"), attribute(message, "type"));
    if put == Put::Done {
        report.filled = report.filled.saturating_add(1);
    }
}
