//! Stripe: lists the events that were not delivered, and puts them on the queue.

pub mod page;

use letterbox_codec::Timestamp;
use letterbox_outbound::{
    http::Request,
    store::{Condition, Item},
};

use self::page::{Listed, Scan, Window};
use crate::{
    accounts::Stripe,
    context::{Attempts, Context, Trouble, clock, count, surroundings},
    event,
    report::AccountReport,
};

/// The most pages that a run reads.
const MOST_PAGES: usize = 50;

/// How long the mark of an event is stored: longer than Stripe lists it. In milliseconds.
const MARKED: i64 = (page::KEPT + 5 * 24 * 3600) * 1000;

const SCAN: &str = "scan";

/// Fills the gaps of one account.
pub async fn fill(
    context: &Context<'_>,
    account: &Stripe,
    report: &mut AccountReport,
) -> Result<(), Trouble> {
    let name = account.name();
    let scan: Option<Scan> = match context.store.get(&name, SCAN).await? {
        Some(item) => Some(item.value()?),
        None => None,
    };
    let mut work = Work { context, account, name, scan: scan.unwrap_or_default() };
    let now = clock()?;
    if let Some(until) = work.scan.blocked.filter(|until| *until > now.0) {
        return Err(Trouble::Wait(Timestamp(until)));
    }
    let done = work.fill(now, report).await;
    if let Err(Trouble::Wait(Timestamp(until))) = &done {
        work.scan.blocked = Some(*until);
        work.save().await?;
    }
    done
}

struct Work<'w> {
    context: &'w Context<'w>,
    account: &'w Stripe,
    name: String,
    scan: Scan,
}

impl Work<'_> {
    async fn fill(&mut self, now: Timestamp, report: &mut AccountReport) -> Result<(), Trouble> {
        let window = self.scan.window(now, self.context.since);
        let (to, rest) = (window.to, self.scan.rest.clone());
        let mut pages = 0;
        let (left, mut trouble) = self.read(window, &mut pages, report).await;
        let rest = match (left, rest) {
            (Some(left), rest) => {
                let from = rest.map_or(left.from, |rest| rest.from.min(left.from));
                Some(Window { from, ..left })
            }
            (None, Some(rest)) => {
                let (left, found) = self.read(rest, &mut pages, report).await;
                trouble = found;
                left
            }
            (None, None) => None,
        };
        // Everything newer is on the queue, and marked.
        self.scan = Scan { seen: Some(to), rest, blocked: None };
        if self.scan.rest.is_some() {
            report.note("the list is longer than this run read; the next run goes on".to_owned());
        }
        self.save().await?;
        trouble.map_or(Ok(()), Err)
    }

    /// Reads a part of the list, and puts its events on the queue. Returns what is left of it, and why, if not only because
    /// it is much.
    async fn read(
        &self,
        mut window: Window,
        pages: &mut usize,
        report: &mut AccountReport,
    ) -> (Option<Window>, Option<Trouble>) {
        while window.from <= window.to {
            if *pages >= MOST_PAGES || self.context.check_time().is_err() {
                return (Some(window), None);
            }
            *pages = pages.saturating_add(1);
            (self.context.progress)(&format!("{}: page {pages}", self.name));
            let (read, last) = match self.page(&window).await {
                Ok(read) => read,
                Err(trouble) => return (Some(window), Some(trouble)),
            };
            // The oldest first. If one fails, the whole page is read again, and the marks tell what was put.
            for event in read.events.iter().rev() {
                if let Err(trouble) = self.put(event, report).await {
                    return (Some(window), Some(trouble));
                }
            }
            let after = read.events.last().map(|event| event.id.clone());
            if !read.has_more || after.is_none() || after == window.after {
                return (None, None);
            }
            window.after = after;
            if let Some(until) = last
                && let Err(trouble) = self.context.wait(until).await
            {
                return (Some(window), Some(trouble));
            }
        }
        (None, None)
    }

    async fn page(&self, window: &Window) -> Result<(page::Page, Option<Timestamp>), Trouble> {
        let url = format!("{}/v1/events?{}", self.account.url, window.query(&self.account.types));
        let build = || {
            let key = format!("Bearer {}", self.account.api_key.expose());
            let request = Request::get(url.clone()).with("authorization", key);
            Ok(match &self.account.account {
                Some(account) => request.with("stripe-account", account),
                None => request,
            })
        };
        let (response, last) = self.context.call(&build, Attempts::Several).await?;
        let page = page::read(&response.body);
        Ok((page.map_err(|error| Trouble::Unavailable(format!("the list of events: {error}")))?, last))
    }

    async fn put(&self, listed: &Listed, report: &mut AccountReport) -> Result<(), Trouble> {
        let ambient = surroundings()?;
        let expires = Timestamp(ambient.now.0.saturating_add(MARKED));
        let (provider, source) = (self.account.provider, &self.account.source);
        let largest = self.context.queue.largest();
        match event::stripe(provider, source, &listed.json, &ambient, largest) {
            Ok(message) => {
                let put = self.context.put(&self.name, &message, expires).await?;
                count(report, &message, put);
            }
            Err(error) => {
                if self.context.mark_unusable(&self.name, &listed.id, expires).await? {
                    report.found = report.found.saturating_add(1);
                    report.given_up = report.given_up.saturating_add(1);
                    report.step("give up", &listed.id, "");
                    report.note(format!("{}: {error}", listed.id));
                }
            }
        }
        Ok(())
    }

    async fn save(&self) -> Result<(), Trouble> {
        let item = Item::new(&self.name, SCAN, &self.scan)?;
        self.context.write(&item, Condition::Always).await.map(drop)
    }
}
