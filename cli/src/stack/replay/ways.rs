//! How each delivery of a stack is replayed: reads the archive to make a plan.

use std::collections::BTreeSet;

use super::{Journal, Obstacle, Plan, Way};
use crate::stack::{
    AwsError,
    archive::{Archive, ArchivedDelivery, Filter, Order, Progress},
};

/// How to replay each delivery of a stack.
#[derive(Clone)]
pub struct Ways {
    providers: BTreeSet<String>,
    /// Sources whose deliveries cannot be judged without a masked header.
    masked: BTreeSet<(String, String)>,
    /// Those whose credentials have been looked at.
    seen: BTreeSet<(String, String)>,
}

impl Ways {
    /// For a stack with the functions of these providers.
    pub fn new<'a>(providers: impl Iterator<Item = &'a str>) -> Self {
        let providers = providers.map(str::to_owned).collect();
        Self { providers, masked: BTreeSet::new(), seen: BTreeSet::new() }
    }

    /// The way of one delivery, as far as its source is known.
    pub fn of(&self, delivery: &ArchivedDelivery) -> Way {
        let way = Way::of(delivery, &self.providers);
        if way == Way::Function && self.masked.contains(&source(delivery)) {
            return Way::Not(Obstacle::Masked);
        }
        way
    }

    /// The way of one delivery. Asks `is_masked` once for each source whether its deliveries can be judged again.
    async fn look(
        &mut self,
        delivery: &ArchivedDelivery,
        is_masked: &mut impl AsyncFnMut(&ArchivedDelivery) -> bool,
    ) -> Way {
        let is_judged = Way::of(delivery, &self.providers) == Way::Function;
        if is_judged && self.seen.insert(source(delivery)) && is_masked(delivery).await {
            self.masked.insert(source(delivery));
        }
        self.of(delivery)
    }

    /// Reads the archive, and plans. What the journal has is done. `is_masked` says whether a delivery cannot be judged again
    /// because a header that holds its secret is masked; `reading` receives how far the reading has come.
    pub async fn plan(
        &mut self,
        archive: &Archive,
        filter: &Filter,
        journal: Option<&Journal>,
        mut is_masked: impl AsyncFnMut(&ArchivedDelivery) -> bool,
        mut reading: impl FnMut(&Plan, &Progress),
    ) -> Result<(Plan, Progress), AwsError> {
        let mut reader = archive.read(Order::OldestFirst, filter.clone());
        let mut plan = Plan::default();
        while let Some(delivery) = reader.next().await? {
            if journal.is_some_and(|journal| journal.has(&delivery.request_id)) {
                plan.done = plan.done.saturating_add(1);
            } else {
                let way = self.look(&delivery, &mut is_masked).await;
                plan.add(&delivery, way);
            }
            reading(&plan, reader.progress());
        }
        Ok((plan, *reader.progress()))
    }
}

fn source(delivery: &ArchivedDelivery) -> (String, String) {
    (delivery.record.provider.clone(), delivery.record.source.clone())
}
