//! Bounds the memory of request bodies that are still arriving: any client can start large bodies and never finish them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// The maximum total size of all bodies that are still arriving, in bytes.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// All bodies that are still arriving.
#[derive(Clone, Debug)]
pub struct Bodies {
    most_bytes: usize,
    arriving: Arc<Mutex<Arriving>>,
}

#[derive(Debug, Default)]
struct Arriving {
    next: u64,
    bytes: usize,
    /// By number: a later one has a higher number.
    bodies: BTreeMap<u64, Body>,
}

#[derive(Debug, Default)]
struct Body {
    bytes: usize,
    dropped: CancellationToken,
}

/// One body that is still arriving.
#[derive(Debug)]
pub struct ArrivingBody {
    number: u64,
    bodies: Bodies,
    /// Cancelled when the body must be dropped to free memory.
    pub dropped: CancellationToken,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { most_bytes: MOST_BYTES, arriving: Arc::default() }
    }
}

impl Bodies {
    /// Counts a body until the result is dropped.
    #[must_use]
    pub fn begin(&self) -> ArrivingBody {
        let body = Body::default();
        let dropped = body.dropped.clone();
        let mut arriving = self.lock();
        let number = arriving.next;
        arriving.next = number.wrapping_add(1);
        arriving.bodies.insert(number, body);
        ArrivingBody { number, bodies: self.clone(), dropped }
    }

    fn lock(&self) -> MutexGuard<'_, Arriving> {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ArrivingBody {
    /// Counts bytes that have arrived. If all bodies together exceed the limit, the oldest ones are dropped.
    pub fn add(&self, bytes: usize) {
        let mut arriving = self.bodies.lock();
        if let Some(body) = arriving.bodies.get_mut(&self.number) {
            body.bytes = body.bytes.saturating_add(bytes);
            arriving.bytes = arriving.bytes.saturating_add(bytes);
        }
        while arriving.bytes > self.bodies.most_bytes {
            let Some((_, body)) = arriving.bodies.pop_first() else { break };
            arriving.bytes = arriving.bytes.saturating_sub(body.bytes);
            body.dropped.cancel();
        }
    }
}

impl Drop for ArrivingBody {
    fn drop(&mut self) {
        let mut arriving = self.bodies.lock();
        if let Some(body) = arriving.bodies.remove(&self.number) {
            arriving.bytes = arriving.bytes.saturating_sub(body.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bodies_that_began_first_are_dropped() {
        let bodies = Bodies { most_bytes: 100, ..Bodies::default() };
        let [first, second, third] = [bodies.begin(), bodies.begin(), bodies.begin()];
        let dropped = || [&first, &second, &third].map(|body| body.dropped.is_cancelled());
        third.add(40);
        first.add(30);
        second.add(30);
        assert_eq!(dropped(), [false, false, false]);
        third.add(1);
        assert_eq!(dropped(), [true, false, false]);
        // A dropped body is no longer counted.
        first.add(100);
        assert_eq!(dropped(), [true, false, false]);
        third.add(60);
        assert_eq!(dropped(), [true, true, true]);
        drop((first, second, third));
        let rest = bodies.lock();
        assert_eq!((rest.bytes, rest.bodies.len()), (0, 0));
        drop(rest);
        let finished = bodies.begin();
        finished.add(100);
        drop(finished);
        let next = bodies.begin();
        next.add(100);
        assert!(!next.dropped.is_cancelled());
    }
}
