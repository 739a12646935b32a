//! The Lambda function: one run for each invocation, whose event does not matter.

use std::{process::ExitCode, sync::Arc, time::SystemTime};

use letterbox_outbound::worker::{self, Worker, log_line};
use serde_json::{Value, json};

use crate::{Accounts, Filler, Mode, Report};

/// The metrics of a run.
pub const METRICS: [&str; 4] = ["GapsFound", "GapsFilled", "GapsFailed", "GapsGivenUp"];

/// Runs the function until the runtime ends. An error at start is logged and gives a failure exit code.
pub fn run() -> ExitCode {
    let filler = Arc::new(Filler::default());
    worker::run("letterbox gaps", move |worker, _, deadline| {
        let filler = Arc::clone(&filler);
        async move { invoke(&worker, &filler, deadline).await }
    })
}

/// One run. It errs if an account could not be done, so that Lambda counts the invocation as failed.
async fn invoke(worker: &Worker, filler: &Filler, deadline: SystemTime) -> Result<Value, String> {
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let milliseconds = i64::try_from(left.as_millis()).unwrap_or_default();
    let done = fill(worker, filler, milliseconds).await;
    for account in done.iter().flat_map(|report| &report.accounts) {
        let is_failed = account.error.is_some() || account.given_up > 0;
        log_line(is_failed, "account", json!(account));
    }
    let (counts, error) = match &done {
        Ok(report) => {
            let failed = report.failed_accounts().saturating_add(report.given_up());
            ([report.found(), report.filled(), failed, report.given_up()], summary(report))
        }
        Err(error) => ([0, 0, 1, 0], Some(error.clone())),
    };
    let busy = done.as_ref().is_ok_and(|report| report.busy);
    worker.log_run(json!({ "busy": busy }), error.as_deref(), METRICS, counts);
    let report = done?;
    match error {
        Some(error) => Err(error),
        None => Ok(json!({ "busy": report.busy, "found": report.found(), "filled": report.filled() })),
    }
}

async fn fill(worker: &Worker, filler: &Filler, milliseconds: i64) -> Result<Report, String> {
    let accounts = worker.credentials(Accounts::read).await?;
    let mode = Mode { is_dry: false, since: None, milliseconds };
    let run = filler.run(&accounts, &worker.store, &worker.queue, mode, &|_| {});
    run.await.map_err(|error| error.to_string())
}

/// The errors of all accounts; `None` if there are none.
fn summary(report: &Report) -> Option<String> {
    let failed = report.accounts.iter().filter_map(|account| {
        let error = account.error.as_ref()?;
        Some(format!("{}: {error}", account.account))
    });
    let failed: Vec<_> = failed.collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::AccountReport;

    #[test]
    fn a_run_fails_if_an_account_does() {
        let good = AccountReport::new("stripe/payment/default".into());
        let bad = AccountReport { error: Some("HTTP 401".into()), ..AccountReport::new("dingtalk/a".into()) };
        let report = |accounts| Report { accounts, ..Report::default() };
        assert_eq!(summary(&report(vec![good.clone()])), None);
        assert_eq!(summary(&report(vec![good, bad])).as_deref(), Some("dingtalk/a: HTTP 401"));
    }
}
