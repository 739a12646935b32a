//! Puts records in order, and keeps one of each delivery.

use std::collections::BTreeMap;

use letterbox_codec::Timestamp;

use super::{ArchivedDelivery, Order, Position};
use crate::stack::recent::Recent;

/// The records that wait for their place have at most this size, in bytes. Beyond it they are passed on early, so that their
/// order is approximate.
const LARGEST: usize = 80 * 1024 * 1024;

/// The records that wait for their place in the order.
pub struct Merge {
    order: Order,
    waiting: BTreeMap<Position, ArchivedDelivery>,
    size: usize,
    /// Those that were passed on last. A second record of an earlier one is not recognised.
    passed: Recent,
}

impl Merge {
    /// An empty one.
    pub fn new(order: Order) -> Self {
        Self { order, waiting: BTreeMap::new(), size: 0, passed: Recent::default() }
    }

    /// Adds a record.
    pub fn push(&mut self, delivery: ArchivedDelivery) {
        let position = delivery.position();
        if let Some(known) = self.waiting.get(&position) {
            if !delivery.corrects(known) {
                return;
            }
            self.size = self.size.saturating_sub(known.size());
        }
        self.size = self.size.saturating_add(delivery.size());
        self.waiting.insert(position, delivery);
    }

    /// Removes and returns the next delivery. `bound` is the latest time (newest first) or the earliest time (oldest first)
    /// that is still to come; `None` if nothing is.
    pub fn pop(&mut self, bound: Option<Timestamp>) -> Option<ArchivedDelivery> {
        loop {
            let next = match self.order {
                Order::NewestFirst => self.waiting.last_entry(),
                Order::OldestFirst => self.waiting.first_entry(),
            }?;
            let is_due = match (bound, self.order) {
                (None, _) => true,
                (Some(bound), Order::NewestFirst) => next.key().time > bound,
                (Some(bound), Order::OldestFirst) => next.key().time < bound,
            };
            if !is_due && self.size <= LARGEST {
                return None;
            }
            let delivery = next.remove();
            self.size = self.size.saturating_sub(delivery.size());
            if self.passed.insert(&delivery.request_id) {
                return Some(delivery);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(time: i64, id: &str, outcome: &str) -> ArchivedDelivery {
        let time = Timestamp(time);
        let line = format!(
            r#"{{"time":"{time}","provider":"github","source":"default","outcome":"{outcome}","reason":null,"id":null,"event":{{"requestContext":{{"requestId":"{id}"}}}}}}"#
        );
        ArchivedDelivery::parse(line.as_bytes()).unwrap()
    }

    fn all(merge: &mut Merge, bound: Option<i64>) -> Vec<String> {
        std::iter::from_fn(|| merge.pop(bound.map(Timestamp)))
            .map(|one| format!("{}{}", one.request_id, one.record.time.0))
            .collect()
    }

    #[test]
    fn deliveries_come_in_order_up_to_the_bound() {
        for (order, expected) in [
            (Order::NewestFirst, [["c3", "b3"], ["b2", "a1"]]),
            (Order::OldestFirst, [["a1", "b2"], ["b3", "c3"]]),
        ] {
            let mut merge = Merge::new(order);
            for (time, id) in [(3, "b"), (1, "a"), (3, "c"), (2, "b")] {
                // One id at two times is one delivery, see below; here they are two.
                let id = if time == 2 { "b " } else { id };
                merge.push(delivery(time, id, "queued"));
            }
            let bound = if order == Order::NewestFirst { 2 } else { 3 };
            let shown = |merge: &mut Merge, bound| {
                all(merge, bound).into_iter().map(|one| one.replace(' ', "")).collect::<Vec<_>>()
            };
            assert_eq!(shown(&mut merge, Some(bound)), expected[0]);
            assert_eq!(shown(&mut merge, None), expected[1]);
            assert_eq!(merge.size, 0);
        }
    }

    #[test]
    fn a_delivery_comes_once_and_as_it_was_corrected() {
        for outcomes in [["queued", "failed"], ["failed", "queued"]] {
            let mut merge = Merge::new(Order::NewestFirst);
            for outcome in outcomes {
                merge.push(delivery(1, "a", outcome));
            }
            let found = merge.pop(None).unwrap();
            assert_eq!(found.record.outcome.as_str(), "failed");
            // It comes again, later than expected.
            merge.push(delivery(1, "a", "queued"));
            merge.push(delivery(0, "b", "queued"));
            assert_eq!(all(&mut merge, None), ["b0"]);
            assert_eq!(merge.size, 0);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut merge = Merge::new(Order::OldestFirst);
        let mut large = delivery(1, "a", "queued");
        large.record.message = serde_json::from_str(&format!("\"{}\"", "x".repeat(LARGEST))).unwrap();
        merge.push(large);
        assert!(merge.pop(Some(Timestamp(0))).is_some(), "it is passed on early");
        merge.push(delivery(1, "b", "queued"));
        assert!(merge.pop(Some(Timestamp(0))).is_none());
    }
}
