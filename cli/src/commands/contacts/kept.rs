//! `letterbox contacts conflicts` and `status`: what the state says, without a call to a platform.

use std::fmt::Write;

use clap::Args;
use contacts::{
    report::Conflict,
    state::{self, RunSummary},
};
use serde::Serialize;

use super::{
    args::{Access, Common, Places},
    shown::{Tense, number, of_conflict, of_counts, of_halt},
};
use crate::{
    commands::CommandError,
    stack::account::runtime,
    terminal::{printable_json, printable_lines, write},
};

/// `letterbox contacts conflicts`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  letterbox contacts conflicts --stack letterbox
  letterbox contacts conflicts --credentials contacts.json --json | jq '.corps[].conflicts[] | select(.kind == \"mobile_taken\")'

A conflict waits for you, and stops no other record. It ends when a run writes the record. Conflicts about the same value \
have the same mark: the state has no numbers and addresses, only keyed hashes.

Exit codes: 0 there are none; 1 there are some, or the state could not be read; 2 usage error.")]
pub struct Conflicts {
    /// Whose.
    #[command(flatten)]
    pub common: Common,
}

/// `letterbox contacts status`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  letterbox contacts status --stack letterbox
  letterbox contacts status --credentials contacts.json --state /var/lib/letterbox/contacts.db --json

Exit codes: 0 the last complete run of every company succeeded; 1 one failed, was stopped by the guard, or has never run; \
2 usage error.")]
pub struct Status {
    /// Whose.
    #[command(flatten)]
    pub common: Common,
}

#[derive(Serialize)]
struct Corps<T> {
    corps: Vec<T>,
}

#[derive(Serialize)]
struct CorpConflicts {
    corp: String,
    conflicts: Vec<Conflict>,
}

/// Prints the conflicts.
pub fn conflicts(Conflicts { common }: &Conflicts) -> Result<(), CommandError> {
    let corps = runtime()?.block_on(async {
        let places = common.places(Access::Read).await?;
        let mut corps = Vec::new();
        for corp in names(common, &places) {
            let conflicts = state::conflicts(&*places.store, &corp).await.map_err(CommandError::failed)?;
            corps.push(CorpConflicts { corp, conflicts });
        }
        Ok::<_, CommandError>(corps)
    })?;
    let is_empty = corps.iter().all(|corp| corp.conflicts.is_empty());
    print(common, corps, text_of_conflicts)?;
    if is_empty { Ok(()) } else { Err(CommandError::Reported) }
}

/// Prints the status.
pub fn status(Status { common }: &Status) -> Result<(), CommandError> {
    let corps = runtime()?.block_on(async {
        let places = common.places(Access::Read).await?;
        let mut corps = Vec::new();
        for corp in names(common, &places) {
            corps.push(state::status(&*places.store, &corp).await.map_err(CommandError::failed)?);
        }
        Ok::<_, CommandError>(corps)
    })?;
    let is_good = corps
        .iter()
        .all(|corp| corp.halt.is_none() && corp.last.all.as_ref().is_some_and(|run| run.error.is_none()));
    print(common, corps, |corps| text_of_status(corps, &common.command("apply")))?;
    if is_good { Ok(()) } else { Err(CommandError::Reported) }
}

fn names(common: &Common, places: &Places) -> Vec<String> {
    let names = places.corps.iter().map(|corp| corp.name.clone());
    names.filter(|name| common.corp.as_ref().is_none_or(|only| only == name)).collect()
}

fn print<T: Serialize>(
    common: &Common,
    corps: Vec<T>,
    text: impl FnOnce(&[T]) -> String,
) -> Result<(), CommandError> {
    let text = if common.json {
        let json = serde_json::to_string_pretty(&Corps { corps }).map_err(CommandError::failed)?;
        format!("{}\n", printable_json(&json))
    } else {
        printable_lines(&text(&corps))
    };
    let _ = write(text.as_bytes());
    Ok(())
}

fn text_of_conflicts(corps: &[CorpConflicts]) -> String {
    let mut text = String::new();
    for CorpConflicts { corp, conflicts } in corps {
        let count = u64::try_from(conflicts.len()).unwrap_or(u64::MAX);
        let _ = writeln!(text, "{corp}: {}", number(count, "conflict", "conflicts"));
        for conflict in conflicts {
            let _ = write!(text, "  since {}  {}", minute(&conflict.since), of_conflict(conflict));
            let mark = conflict.hash.as_deref().and_then(|hash| hash.get(..8));
            let is_shared = conflicts.iter().filter(|other| other.hash == conflict.hash).count() > 1;
            if let Some(mark) = mark.filter(|_| is_shared) {
                let _ = write!(text, "  value {mark}");
            }
            text.push('\n');
        }
    }
    text
}

fn text_of_status(corps: &[state::Status], apply: &str) -> String {
    let mut text = String::new();
    for corp in corps {
        let _ = writeln!(
            text,
            "{}: {}, {}, {}, {}, {}",
            corp.corp,
            number(corp.departments, "department", "departments"),
            number(corp.members, "member", "members"),
            number(corp.disabled, "disabled member", "disabled members"),
            number(corp.tags, "tag", "tags"),
            number(corp.conflicts, "conflict", "conflicts")
        );
        of_run(&mut text, "last complete run", corp.last.all.as_ref(), corp.halt.is_some());
        of_run(&mut text, "last run of events", corp.last.events.as_ref(), corp.halt.is_some());
        if let Some(halt) = &corp.halt {
            of_halt(&mut text, halt, Tense::Done, apply);
        }
    }
    text
}

/// When a run ended, and what it did. What the guard said is shown once.
fn of_run(text: &mut String, name: &str, run: Option<&RunSummary>, is_halted: bool) {
    let Some(run) = run else {
        let _ = writeln!(text, "  {name}: never");
        return;
    };
    let _ = writeln!(text, "  {name}: {}: {}", minute(&run.ended), of_counts(&run.counts, Tense::Done));
    let error = run.error.as_ref().filter(|_| !is_halted);
    for (what, why) in [("not finished", run.unfinished.as_ref()), ("failed", error)] {
        if let Some(why) = why {
            let _ = writeln!(text, "    {what}: {why}");
        }
    }
}

/// A time to the minute, in UTC.
fn minute(time: &str) -> String {
    time.get(..16).map_or_else(|| time.to_owned(), |minute| minute.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use contacts::report::{ConflictKind, Subject};

    use super::*;

    fn conflict(id: &str, hash: &str) -> Conflict {
        Conflict {
            of: Subject::Person,
            id: id.into(),
            kind: ConflictKind::MobileTaken,
            code: None,
            detail: String::new(),
            hash: Some(hash.into()),
            since: "2026-11-27T01:02:03Z".into(),
        }
    }

    #[test]
    fn conflicts_about_one_value_have_one_mark() {
        let conflicts =
            vec![conflict("a", "0123456789"), conflict("b", "0123456789"), conflict("c", "99999999")];
        let corps = [CorpConflicts { corp: "acme".into(), conflicts }];
        assert_eq!(
            text_of_conflicts(&corps),
            "acme: 3 conflicts\n  since 2026-11-27 01:02  person a  mobile_taken  value 01234567\n  \
             since 2026-11-27 01:02  person b  mobile_taken  value 01234567\n  \
             since 2026-11-27 01:02  person c  mobile_taken\n"
        );
    }

    #[test]
    fn a_company_without_a_run_says_so() {
        let status = state::Status { corp: "acme".into(), ..state::Status::default() };
        assert!(text_of_status(&[status], "").contains("last complete run: never"));
    }
}
