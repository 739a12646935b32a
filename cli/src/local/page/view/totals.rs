//! The top of the local page: counts and latencies of the stored deliveries.

use askama::Template;

use super::query::query;
use crate::local::{
    history::{Filter, sqlite::Totals},
    page::texts::Texts,
};

/// How many of the latest deliveries the latency chart shows.
pub const BARS: u32 = 80;

/// The height of the latency chart and the width of a bar with its gap, in the chart's units.
const CHART: (f64, f64) = (40.0, 4.0);

/// The top of the page.
#[derive(Template)]
#[template(path = "totals.html")]
pub struct TotalsView {
    t: &'static Texts,
    count: u64,
    /// Each outcome, its number of deliveries, and the query string that lists them.
    outcomes: Vec<(String, u64, String)>,
    latency: Option<(String, String)>,
    bars: Vec<Bar>,
    width: f64,
}

/// A bar of the latency chart.
struct Bar {
    x: f64,
    y: f64,
    height: f64,
    outcome: String,
    title: String,
}

impl TotalsView {
    /// The counts, and a bar for each of the latest deliveries.
    pub fn new(t: &'static Texts, totals: Totals) -> Self {
        let most = totals.latest.iter().map(|one| one.milliseconds).fold(1.0, f64::max);
        let (height, step) = CHART;
        let width = f64::from(BARS) * step;
        // Always as wide as a full chart, with the newest delivery at the right end.
        let mut x = width;
        let bars: Vec<Bar> = totals
            .latest
            .iter()
            .map(|one| {
                let tall = (one.milliseconds / most * height).max(1.0);
                x -= step;
                Bar {
                    x,
                    y: height - tall,
                    height: tall,
                    outcome: one.outcome.clone(),
                    title: format!(
                        "{:.1} ms, {}/{}, {}",
                        one.milliseconds,
                        one.provider,
                        one.source,
                        t.outcome(&one.outcome)
                    ),
                }
            })
            .collect();
        let shown = |milliseconds: f64| format!("{milliseconds:.1} ms");
        Self {
            t,
            count: totals.outcomes.iter().map(|(_, count)| count).sum(),
            outcomes: totals
                .outcomes
                .into_iter()
                .map(|(outcome, count)| {
                    let filter = Filter { outcome: outcome.clone(), ..Filter::default() };
                    (outcome, count, query(&filter))
                })
                .collect(),
            latency: totals.latency.map(|(median, p95)| (shown(median), shown(p95))),
            width,
            bars,
        }
    }
}
