//! Plans, runs and conflicts as text for a terminal.

use std::fmt::Write;

use contacts::{
    model::Field,
    report::{Action, Change, Conflict, CorpReport, Counts, Halt, Report},
};

use crate::terminal::printable_lines;

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    /// What would be done.
    Plan,
    /// What was done, with every change.
    Done,
    /// What was done, without the changes.
    Summary,
}

/// The most ids that the guard's halt shows.
const SHOWN_IDS: usize = 20;

/// A report. `apply` is the command line that approves what the guard has stopped.
pub fn text(report: &Report, tense: Tense, apply: &str) -> String {
    let mut text = String::new();
    if tense == Tense::Plan {
        text += "Plan: nothing was changed.\n";
    }
    for corp in &report.corps {
        of_corp(&mut text, corp, tense, apply);
    }
    printable_lines(&text)
}

fn of_corp(text: &mut String, corp: &CorpReport, tense: Tense, apply: &str) {
    let _ = writeln!(
        text,
        "{}: {} in {} of DingTalk",
        corp.corp,
        number(corp.people, "person", "people"),
        number(corp.departments, "department", "departments")
    );
    if tense != Tense::Summary {
        corp.changes.iter().for_each(|change| line(text, &of_change(change)));
        if corp.more_changes > 0 {
            line(text, &format!("and {} more", corp.more_changes));
        }
    }
    corp.conflicts.iter().for_each(|conflict| line(text, &format!("conflict  {}", of_conflict(conflict))));
    corp.notes.iter().for_each(|note| line(text, &format!("note: {note}")));
    if let Some(halt) = &corp.halt {
        of_halt(text, halt, tense, apply);
    }
    line(text, &of_counts(&corp.counts, tense));
    if corp.busy {
        line(text, "another run is in progress, or was killed: try again in a few minutes");
    }
    if let Some(why) = &corp.unfinished {
        line(text, &format!("not finished: {why}"));
    }
    if let Some(error) = &corp.error {
        line(text, &format!("failed: {error}"));
    }
}

fn line(text: &mut String, rest: &str) {
    let _ = writeln!(text, "  {}", rest.trim_end());
}

fn of_change(change: &Change) -> String {
    let Change { action, id, wecom, name, fields, members, .. } = change;
    let mut text = format!("{}  {id}", action.name().replace('_', " "));
    if wecom != id && !wecom.is_empty() {
        text += &format!(" -> {wecom}");
    }
    if let Some(name) = name {
        text += &format!("  {name}");
    }
    if !fields.is_empty() {
        let names: Vec<_> = fields.iter().copied().map(Field::name).collect();
        text += &format!("  ({})", names.join(", "));
    }
    if !members.is_empty() {
        text += &format!("  {}", some(members, u64::try_from(members.len()).unwrap_or(u64::MAX)));
    }
    if matches!(action, Action::DisableMember | Action::DeleteMember | Action::DeleteDepartment) {
        text += &format!("  ({})", change.reason);
    }
    text
}

/// One conflict, for the list and for a report.
pub fn of_conflict(conflict: &Conflict) -> String {
    let Conflict { of, id, kind, code, detail, .. } = conflict;
    let mut text = format!("{} {id}  {}", of.name(), kind.name());
    if let Some(code) = code {
        text += &format!("  errcode {code}");
    }
    if !detail.is_empty() {
        text += &format!("  {detail}");
    }
    text
}

/// What the guard has stopped, and what approves it.
pub fn of_halt(text: &mut String, halt: &Halt, tense: Tense, apply: &str) {
    let verb = if tense == Tense::Plan { "the guard would stop this" } else { "stopped by the guard" };
    halt.reasons.iter().for_each(|reason| line(text, &format!("{verb}: {reason}")));
    let departments: Vec<_> = halt.departments.iter().map(ToString::to_string).collect();
    for (one, many, ids, count) in [
        ("person", "people", &halt.people, halt.people_count),
        ("department", "departments", &departments, halt.departments_count),
    ] {
        if count > 0 {
            line(text, &format!("  {}: {}", number(count, one, many), some(ids, count)));
        }
    }
    line(text, &format!("if this is right: {apply} --approve {}", halt.code));
}

fn some(ids: &[String], count: u64) -> String {
    let shown = ids.iter().take(SHOWN_IDS).map(String::as_str).collect::<Vec<_>>();
    let more = count.saturating_sub(u64::try_from(shown.len()).unwrap_or(u64::MAX));
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// What was written or would be, and what is open.
pub fn of_counts(counts: &Counts, tense: Tense) -> String {
    let written = listed(&[
        (counts.departments_created, "department created", "departments created"),
        (counts.departments_updated, "department updated", "departments updated"),
        (counts.departments_deleted, "department deleted", "departments deleted"),
        (counts.members_created, "member created", "members created"),
        (counts.members_updated, "member updated", "members updated"),
        (counts.members_disabled, "member disabled", "members disabled"),
        (counts.members_deleted, "member deleted", "members deleted"),
        (counts.tags_changed, "tag changed", "tags changed"),
        (counts.tag_members_changed, "tag membership changed", "tag memberships changed"),
    ]);
    let open = listed(&[
        (counts.parked, "conflict", "conflicts"),
        (counts.failed, "record failed for now", "records failed for now"),
        (
            counts.outside,
            "person is outside of the synced departments",
            "people are outside of the synced departments",
        ),
    ]);
    let mut text = match (tense, written) {
        (Tense::Plan, None) => "nothing to write".to_owned(),
        (Tense::Plan, Some(written)) => format!("would be: {written}"),
        (_, None) => "nothing was written".to_owned(),
        (_, Some(written)) => format!("done: {written}"),
    };
    if let Some(open) = open {
        text += &format!("; {open}");
    }
    text
}

fn listed(counts: &[(u64, &str, &str)]) -> Option<String> {
    let some = counts.iter().filter(|(count, ..)| *count > 0);
    let parts: Vec<_> = some.map(|(count, one, many)| number(*count, one, many)).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A number and what it counts.
pub fn number(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use contacts::report::{ConflictKind, Subject};

    use super::*;

    fn change(action: Action, id: &str, wecom: &str, name: &str) -> Change {
        Change {
            action,
            id: id.into(),
            wecom: wecom.into(),
            name: Some(name.into()),
            fields: Vec::new(),
            members: Vec::new(),
            reason: "left",
        }
    }

    fn report() -> Report {
        let mut corp = CorpReport::new("acme");
        (corp.people, corp.departments) = (1, 2);
        corp.counts = Counts { members_created: 1, members_disabled: 2, parked: 1, ..Counts::default() };
        corp.changes = vec![
            change(Action::CreateDepartment, "432825033", "2", "研发\u{1b}部"),
            Change {
                fields: vec![Field::Name, Field::Departments],
                ..change(Action::UpdateMember, "lisi", "lisi", "李四")
            },
            change(Action::DisableMember, "wangwu", "wangwu", "王五"),
        ];
        corp.conflicts = vec![Conflict {
            of: Subject::Person,
            id: "zhaoliu".into(),
            kind: ConflictKind::MobileTaken,
            code: Some(60104),
            detail: String::new(),
            hash: None,
            since: "2026-11-27T00:00:00Z".into(),
        }];
        corp.halt = Some(Halt {
            code: "3f0c5a1e".into(),
            reasons: vec!["31 of 100 members".into()],
            people: (0..31).map(|number| format!("u{number}")).collect(),
            people_count: 31,
            departments: vec![7],
            departments_count: 1,
            tags_count: 0,
            since: "2026-11-27T00:00:00Z".into(),
        });
        Report { dry_run: true, corps: vec![corp] }
    }

    #[test]
    fn a_plan_has_every_change_and_the_code() {
        let text = text(&report(), Tense::Plan, "letterbox contacts apply --stack a");
        for line in [
            "Plan: nothing was changed.\n",
            "acme: 1 person in 2 departments of DingTalk\n",
            "  create department  432825033 -> 2  研发\u{fffd}部\n",
            "  update member  lisi  李四  (name, departments)\n",
            "  disable member  wangwu  王五  (left)\n",
            "  conflict  person zhaoliu  mobile_taken  errcode 60104\n",
            "  the guard would stop this: 31 of 100 members\n",
            ", u19 and 11 more\n",
            "    1 department: 7\n",
            "  if this is right: letterbox contacts apply --stack a --approve 3f0c5a1e\n",
            "  would be: 1 member created, 2 members disabled; 1 conflict\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn after_a_plan_only_the_result_is_shown() {
        let text = text(&report(), Tense::Summary, "letterbox contacts apply");
        assert!(!text.contains("update member") && !text.contains("Plan"), "{text}");
        assert!(text.contains("  done: 1 member created") && text.contains("conflict  person"), "{text}");
        let empty = Report { dry_run: false, corps: vec![CorpReport::new("acme")] };
        assert!(super::text(&empty, Tense::Done, "").contains("nothing was written"));
    }
}
