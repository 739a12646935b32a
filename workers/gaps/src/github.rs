//! GitHub: lists the deliveries of a hook or app, and asks for those again of which no attempt succeeded.

pub mod jwt;
pub mod page;
pub mod plan;

use std::{collections::BTreeMap, time::Duration};

use letterbox_codec::Timestamp;
use letterbox_outbound::{
    http::{Request, query},
    store::{Condition, Item},
};

use self::plan::{Gap, Groups, Rest, Scan, State};
use crate::{
    accounts::{Credential, GitHub},
    context::{Attempts, Context, Trouble, clock},
    report::AccountReport,
};

/// The most pages that a run reads of one list.
const MOST_PAGES: usize = 100;

/// The most redeliveries that a run asks for. With the pages, a run stays under the 900 points a minute of GitHub's secondary
/// limits, where a GET counts 1 and a POST 5:
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api> (read 2026-11-27).
const MOST_REDELIVERIES: usize = 100;

/// The redeliveries of a run without a pause between them.
const UNPACED: usize = 10;

/// The pause between further ones. GitHub asks for it between a large number of POST requests:
/// <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api> (read 2026-11-27).
const PACE: Duration = Duration::from_secs(1);

/// The most gaps of an account that are in memory. More wait for a later run.
const MOST_GAPS: usize = 20_000;

const SCAN: &str = "scan";

/// One account, and what is known of it.
struct Work<'w> {
    context: &'w Context<'w>,
    account: &'w GitHub,
    name: String,
    scan: Scan,
    gaps: BTreeMap<String, Gap>,
}

/// Fills the gaps of one account.
pub async fn fill(
    context: &Context<'_>,
    account: &GitHub,
    report: &mut AccountReport,
) -> Result<(), Trouble> {
    let name = account.name();
    let scan: Option<Scan> = match context.store.get(&name, SCAN).await? {
        Some(item) => Some(item.value()?),
        None => None,
    };
    let mut work = Work { context, account, name, scan: scan.unwrap_or_default(), gaps: BTreeMap::new() };
    if let Some(until) = work.scan.blocked.filter(|until| *until > clock().map_or(0, |now| now.0)) {
        return Err(Trouble::Wait(Timestamp(until)));
    }
    let done = work.fill(report).await;
    if let Err(Trouble::Wait(Timestamp(until))) = &done {
        work.scan.blocked = Some(*until);
        work.save_scan().await?;
    }
    done
}

impl Work<'_> {
    async fn fill(&mut self, report: &mut AccountReport) -> Result<(), Trouble> {
        for item in self.context.store.list(&self.name, "gap#", MOST_GAPS).await? {
            let gap: Gap = item.value()?;
            self.gaps.insert(gap.guid.clone(), gap);
        }
        // What is due is asked for even if the list could not be read to its end.
        let read = self.read(report).await;
        let tried = match &read {
            Ok(()) | Err(Trouble::Unavailable(_)) => self.redeliver(report).await,
            Err(_) => Ok(()),
        };
        let open = self.gaps.values().filter(|gap| gap.state == State::Open).count();
        report.open = u64::try_from(open).unwrap_or(u64::MAX);
        read.and(tried)
    }

    /// Reads the list from its newest delivery down to what an earlier run has seen, and then the rest that one left.
    async fn read(&mut self, report: &mut AccountReport) -> Result<(), Trouble> {
        let now = clock()?;
        let floor = self.scan.floor(now, self.context.since);
        let mut groups = Groups::default();
        let mut pages = 0;
        let (left, mut trouble) = self.read_part(&mut groups, None, floor, &mut pages).await;
        let mut seen = now.0;
        let rest = match (left, self.scan.rest.clone()) {
            // Not even the first page.
            (None, _) if trouble.is_some() => return trouble.map_or(Ok(()), Err),
            (Some(cursor), rest) => {
                Some(Rest { cursor, floor: rest.map_or(floor, |rest| rest.floor.min(floor)) })
            }
            (None, Some(rest)) => {
                let (left, found) =
                    self.read_part(&mut groups, Some(rest.cursor), rest.floor, &mut pages).await;
                if let Some(Trouble::Rejected(_) | Trouble::Missing(_)) = found {
                    // The cursor has expired: the next run reads from the newest delivery down to the same end.
                    seen = rest.floor.saturating_add(plan::OVERLAP);
                    None
                } else {
                    trouble = found;
                    left.map(|cursor| Rest { cursor, floor: rest.floor })
                }
            }
            (None, None) => None,
        };
        for gap in plan::changes(&groups, &self.gaps, now, rest.is_some()) {
            self.change(gap, report).await?;
        }
        // Only now, when every gap in them is stored.
        self.scan = Scan { seen: Some(seen), rest, blocked: None };
        if self.scan.rest.is_some() {
            report.note("the list is longer than this run read; the next run goes on".to_owned());
        }
        self.save_scan().await?;
        trouble.map_or(Ok(()), Err)
    }

    /// Reads pages from a cursor down to `floor`. Returns the cursor of what is left, and why it is left, if not only because
    /// it is much. No cursor and a trouble: nothing was read.
    async fn read_part(
        &self,
        groups: &mut Groups,
        mut cursor: Option<String>,
        floor: i64,
        pages: &mut usize,
    ) -> (Option<String>, Option<Trouble>) {
        loop {
            let is_enough = *pages >= MOST_PAGES || self.context.check_time().is_err();
            if is_enough && *pages > 0 {
                return (cursor, None);
            }
            *pages = pages.saturating_add(1);
            (self.context.progress)(&format!("{}: page {pages}", self.name));
            let (page, last) = match self.page(cursor.as_deref()).await {
                Ok(read) => read,
                Err(trouble) => return (cursor, Some(trouble)),
            };
            let next = groups.add(page, floor);
            let Some(next) = next.filter(|next| cursor.as_ref() != Some(next)) else { return (None, None) };
            cursor = Some(next);
            if let Some(until) = last
                && let Err(trouble) = self.context.wait(until).await
            {
                return (cursor, Some(trouble));
            }
        }
    }

    async fn page(&self, cursor: Option<&str>) -> Result<(page::Page, Option<Timestamp>), Trouble> {
        let size = ("per_page", page::ROWS.to_string());
        let parameters = [size].into_iter().chain(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        let url = format!("{}{}?{}", self.account.url, self.account.path(), query(parameters));
        let build = || self.authorized(Request::get(url.clone()));
        let (response, last) = self.context.call(&build, Attempts::Several).await?;
        let page = page::read(&response.headers, &response.body);
        Ok((page.map_err(|error| Trouble::Unavailable(format!("the list of deliveries: {error}")))?, last))
    }

    fn authorized(&self, request: Request) -> Result<Request, Trouble> {
        let token = match &self.account.credential {
            Credential::Token(token) => token.clone(),
            Credential::Key(key) => key.token(clock()?).map_err(Trouble::Other)?,
        };
        // An Enterprise Server accepts the version that it supports; without a header each serves its default.
        Ok(request
            .with("accept", "application/vnd.github+json")
            .with("authorization", format!("Bearer {}", token.expose())))
    }

    /// Stores a gap that is new or has changed, and counts it.
    async fn change(&mut self, gap: Gap, report: &mut AccountReport) -> Result<(), Trouble> {
        let is_new = !self.gaps.contains_key(&gap.guid);
        let condition = if is_new { Condition::Absent } else { Condition::Always };
        if self.save(&gap, condition).await? {
            match gap.state {
                State::Open if is_new => report.found = report.found.saturating_add(1),
                State::Filled if !is_new => report.filled = report.filled.saturating_add(1),
                State::GivenUp => {
                    report.given_up = report.given_up.saturating_add(1);
                    report.step("give up", &gap.guid, &gap.event);
                }
                _ => {}
            }
        }
        self.gaps.insert(gap.guid.clone(), gap);
        Ok(())
    }

    /// Asks for what is due, and gives up what was tried often enough.
    async fn redeliver(&mut self, report: &mut AccountReport) -> Result<(), Trouble> {
        let now = clock()?;
        let exhausted: Vec<_> = self.gaps.values().filter(|gap| gap.is_exhausted(now)).cloned().collect();
        for gap in exhausted {
            self.change(gap.now_is(State::GivenUp), report).await?;
        }
        for (position, gap) in plan::due(&self.gaps, now, MOST_REDELIVERIES).into_iter().enumerate() {
            if self.context.is_dry {
                report.step("redeliver", &gap.guid, &gap.event);
                continue;
            }
            if position >= UNPACED {
                tokio::time::sleep(PACE).await;
            }
            self.context.check_time()?;
            (self.context.progress)(&format!("{}: redelivery {}", self.name, position.saturating_add(1)));
            self.redeliver_one(gap, report).await?;
        }
        Ok(())
    }

    async fn redeliver_one(&mut self, gap: Gap, report: &mut AccountReport) -> Result<(), Trouble> {
        let tried = gap.tried(clock()?);
        self.save(&tried, Condition::Always).await?;
        self.gaps.insert(tried.guid.clone(), tried.clone());
        let url = format!("{}{}/{}/attempts", self.account.url, self.account.path(), tried.id);
        let build = || self.authorized(Request::post(url.clone(), String::new()));
        match self.context.call(&build, Attempts::One).await {
            Ok((_, last)) => {
                report.asked = report.asked.saturating_add(1);
                report.step("redeliver", &tried.guid, &tried.event);
                last.map_or(Ok(()), |until| Err(Trouble::Wait(until)))
            }
            // GitHub does not have it any more, or does not redeliver it.
            Err(Trouble::Missing(why) | Trouble::Rejected(why)) => {
                report.note(format!("{}: {why}", tried.guid));
                self.change(tried.now_is(State::GivenUp), report).await
            }
            Err(trouble @ (Trouble::Wait(_) | Trouble::Denied(_) | Trouble::NoTime)) => {
                // It was not tried.
                self.save(&gap, Condition::Always).await?;
                Err(match trouble {
                    Trouble::Denied(why) => Trouble::Denied(format!("redelivery is not allowed: {why}")),
                    other => other,
                })
            }
            Err(other) => Err(other),
        }
    }

    async fn save(&self, gap: &Gap, condition: Condition) -> Result<bool, Trouble> {
        let item = Item::new(&self.name, format!("gap#{}", gap.guid), gap)?.until(gap.expires());
        self.context.write(&item, condition).await
    }

    async fn save_scan(&self) -> Result<(), Trouble> {
        let item = Item::new(&self.name, SCAN, &self.scan)?;
        self.context.write(&item, Condition::Always).await.map(drop)
    }
}
