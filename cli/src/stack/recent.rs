//! Recognises what came before, in bounded memory.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
};

/// So many texts are remembered.
const REMEMBERED: usize = 200_000;

/// The texts that came last, each by a hash.
#[derive(Default)]
pub struct Recent {
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Recent {
    /// Adds a text; false if it is one of those that came last.
    pub fn insert(&mut self, text: &str) -> bool {
        let hash = self.hasher.hash_one(text);
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_texts_are_known() {
        let mut recent = Recent::default();
        for number in 0..REMEMBERED + 10 {
            assert!(recent.insert(&number.to_string()));
        }
        assert_eq!((recent.known.len(), recent.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!recent.insert("10") && recent.insert("0"));
    }
}
