//! The state in memory, for tests, and for a dry run without a stack.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Condition, Item, Pending, Store};

/// The items of this process.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<(String, String), Item>>);

impl Memory {
    fn items(&self) -> MutexGuard<'_, BTreeMap<(String, String), Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at(item: &Item) -> (String, String) {
    (item.partition.clone(), item.key.clone())
}

impl Store for Memory {
    fn get<'a>(&'a self, partition: &'a str, key: &'a str) -> Pending<'a, Option<Item>> {
        let found = self.items().get(&(partition.to_owned(), key.to_owned())).cloned();
        Box::pin(async { Ok(found) })
    }

    fn list<'a>(&'a self, partition: &'a str, prefix: &'a str, most: usize) -> Pending<'a, Vec<Item>> {
        let found: Vec<_> = self
            .items()
            .values()
            .filter(|item| item.partition == partition && item.key.starts_with(prefix))
            .take(most)
            .cloned()
            .collect();
        Box::pin(async { Ok(found) })
    }

    fn put<'a>(&'a self, item: &'a Item, condition: Condition) -> Pending<'a, bool> {
        let mut items = self.items();
        let found = items.get(&at(item)).map(|item| item.revision);
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => found.is_none(),
            Condition::Revision(revision) => found == Some(revision),
        };
        if holds {
            items.insert(at(item), item.clone());
        }
        Box::pin(async move { Ok(holds) })
    }

    fn put_all<'a>(&'a self, items: &'a [Item]) -> Pending<'a, ()> {
        self.items().extend(items.iter().map(|item| (at(item), item.clone())));
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a self, partition: &'a str, key: &'a str) -> Pending<'a, ()> {
        self.items().remove(&(partition.to_owned(), key.to_owned()));
        Box::pin(async { Ok(()) })
    }
}
