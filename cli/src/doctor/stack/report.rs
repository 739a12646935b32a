//! The report on a stack, for people and for programs.

use serde::Serialize;

use super::verdict::{Level, Verdict};
use crate::terminal::{printable, printable_json};

/// The result of a diagnosis. `--json` prints these fields.
#[derive(Debug, Serialize)]
pub struct StackReport {
    /// True if no check found anything.
    pub healthy: bool,
    /// The stack's name.
    pub stack: String,
    /// Its region.
    pub region: String,
    /// What the checks say, in their order.
    pub checks: Vec<Verdict>,
}

impl StackReport {
    /// The report of these checks.
    pub fn new(stack: &str, region: &str, checks: Vec<Verdict>) -> Self {
        let healthy = !checks.iter().any(Verdict::is_finding);
        Self { healthy, stack: stack.to_owned(), region: region.to_owned(), checks }
    }

    /// One JSON object on a line.
    pub fn to_json(&self) -> String {
        // Texts alone: there is nothing in it that could not be written.
        printable_json(&serde_json::to_string(self).unwrap_or_default()) + "\n"
    }

    /// The report in words: what needs a look comes last, where a terminal ends.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let (findings, rest): (Vec<_>, Vec<_>) = self.checks.iter().partition(|verdict| verdict.is_finding());
        for verdict in rest {
            let mark = if verdict.level == Level::Ok { "ok" } else { "note" };
            text +=
                &format!("{mark}: {}: {}\n", printable(&verdict.subject), printable(&verdict.explanation));
        }
        for verdict in &findings {
            let level = match verdict.level {
                Level::Problem => "problem",
                Level::Warning => "warning",
                _ => "unknown",
            };
            let (subject, explanation) = (printable(&verdict.subject), printable(&verdict.explanation));
            text += &format!("\n{level}: {subject}: {}\n{explanation}\n", verdict.code);
            if let Some(remedy) = &verdict.remedy {
                text += &format!("What to do: {}\n", printable(remedy));
            }
        }
        let name = printable(&self.stack);
        let summary = match findings.len() {
            0 => format!("{name}: nothing is wrong"),
            1 => format!("{name}: 1 finding"),
            count => format!("{name}: {count} findings"),
        };
        text + &format!("\n{summary}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_come_last_with_what_to_do() {
        let ok = Verdict::ok("stack", "stack", "CREATE_COMPLETE");
        let note = Verdict::ok("rotation", "github", "two entries").level(Level::Note);
        let problem =
            Verdict::ok("gone", "queue", "it is gone\u{1b}").level(Level::Problem).remedy("make it");
        let report =
            StackReport::new("hooks", "eu-central-1", vec![problem.clone(), ok.clone(), note.clone()]);
        assert!(!report.healthy);
        assert_eq!(
            report.to_text(),
            "ok: stack: CREATE_COMPLETE\nnote: github: two entries\n\nproblem: queue: gone\nit is gone\u{fffd}\nWhat to do: make it\n\nhooks: 1 finding\n"
        );
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        assert_eq!(json["checks"][0]["level"], "problem");
        assert_eq!(json["region"], "eu-central-1");
        let healthy = StackReport::new("hooks", "eu-central-1", vec![ok, note]);
        assert!(healthy.healthy && healthy.to_text().ends_with("\nhooks: nothing is wrong\n"));
        for level in [Level::Unknown, Level::Warning, Level::Problem] {
            assert!(!StackReport::new("hooks", "", vec![problem.clone().level(level)]).healthy);
        }
    }
}
