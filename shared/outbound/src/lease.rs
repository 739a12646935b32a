//! One run at a time: who holds the lease may run.

use letterbox_codec::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::{Condition, Item, Store, StoreError};

/// The key of the lease in its partition.
pub const LEASE: &str = "lease";

/// After the end of a run, in milliseconds, before another may begin that the first has not released.
pub const SLACK: i64 = 15_000;

/// A lease that was acquired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease(Item);

/// Who may run until when.
#[derive(Serialize, Deserialize)]
struct Written {
    /// Anyone else may from then on.
    until: i64,
}

/// Takes the lease of a partition until the end of the run; `None` if another run has it.
pub async fn acquire(
    store: &dyn Store,
    partition: &str,
    now: Timestamp,
    ends: Timestamp,
) -> Result<Option<Lease>, StoreError> {
    let found = store.get(partition, LEASE).await?;
    let (condition, revision) = match &found {
        None => (Condition::Absent, 1),
        Some(item) => {
            if item.value::<Written>()?.until > now.0 {
                return Ok(None);
            }
            (Condition::Revision(item.revision), item.revision.wrapping_add(1))
        }
    };
    let lease = Written { until: ends.0.saturating_add(SLACK) };
    let item = Item { revision, ..Item::new(partition, LEASE, &lease)? };
    Ok(store.put(&item, condition).await?.then_some(Lease(item)))
}

/// Ends the lease. If that fails, it ends by itself.
pub async fn release(store: &dyn Store, Lease(lease): Lease) {
    if let Ok(ended) = Item::new(&lease.partition, LEASE, &Written { until: 0 }) {
        let ended = Item { revision: lease.revision.wrapping_add(1), ..ended };
        let _ = store.put(&ended, Condition::Revision(lease.revision)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;

    #[tokio::test]
    async fn one_run_has_the_lease_at_a_time() {
        let store = Memory::default();
        let (now, ends) = (Timestamp(1000), Timestamp(2000));
        let lease = acquire(&store, "run", now, ends).await.unwrap().unwrap();
        assert_eq!(acquire(&store, "run", now, ends).await.unwrap(), None);
        assert_eq!(acquire(&store, "run", Timestamp(ends.0 + SLACK - 1), ends).await.unwrap(), None);
        // Another partition has a lease of its own.
        assert!(acquire(&store, "other", now, ends).await.unwrap().is_some());
        release(&store, lease.clone()).await;
        let second = acquire(&store, "run", now, ends).await.unwrap().unwrap();
        // The first one, which took too long, does not release the lease of the second.
        release(&store, lease).await;
        assert_eq!(acquire(&store, "run", now, ends).await.unwrap(), None);
        // One that ended without a release blocks until its time is over.
        let (now, ends) = (Timestamp(ends.0 + SLACK), Timestamp(90_000));
        assert!(acquire(&store, "run", now, ends).await.unwrap().is_some());
        release(&store, second).await;
        assert_eq!(acquire(&store, "run", now, ends).await.unwrap(), None);
    }
}
