//! What the archive of a stack says.

use std::time::Duration;

use crate::{
    doctor::stack::{
        finding::{about_duration, problem, unread, warning},
        survey::{ArchiveActivity, ArchiveFacts, Survey},
        verdict::{Level, Verdict},
    },
    stack::AwsError,
};

/// A record that takes longer to the bucket does not get there; the template's alarm has the same value.
const LATE: Duration = Duration::from_mins(30);

pub(super) fn archive(survey: &Survey) -> Vec<Verdict> {
    const SUBJECT: &str = "archive";
    let Some(ArchiveFacts { bucket, has_bucket, activity }) = &survey.archive else { return Vec::new() };
    let mut verdicts = Vec::new();
    match has_bucket {
        Ok(true) => {}
        Ok(false) => verdicts.push(problem(
            "archive-missing",
            SUBJECT,
            format!("The bucket {bucket} does not exist: no delivery is kept."),
            "Create a bucket of this name, or deploy with ArchiveDays=0 and then with the days again.",
        )),
        Err(error) => verdicts.push(unread(SUBJECT, error)),
    }
    let ArchiveActivity { failed, skipped, oldest } = match activity {
        Ok(activity) => activity.clone(),
        Err(AwsError::Other(_)) if survey.is_emulated => {
            let text = "not known: the emulator does not answer as CloudWatch does";
            verdicts.push(Verdict::ok("not-emulated", "archive metrics", text).level(Level::Note));
            ArchiveActivity::default()
        }
        Err(error) => {
            verdicts.push(unread("archive metrics", error));
            ArchiveActivity::default()
        }
    };
    if failed > 0 {
        verdicts.push(warning(
            "archive-failed",
            SUBJECT,
            format!("{failed} deliveries of the last three hours were processed and not archived."),
            "The functions' logs say why: `filter archived = 0` and the field archiveDetail.",
        ));
    }
    if let Some(oldest) = oldest.filter(|oldest| *oldest > LATE) {
        verdicts.push(warning(
            "archive-late",
            SUBJECT,
            format!("A record has waited for {} and is not in the bucket; after a day it is lost.", about_duration(oldest)),
            format!(
                "The log group /aws/kinesisfirehose/{}-archive says why: check the policies of bucket, role and key.",
                survey.stack.name
            ),
        ));
    }
    if skipped > 0 {
        let text =
            format!("{skipped} refused deliveries of the last three hours were too many to be archived");
        verdicts.push(Verdict::ok("archive-skipped", SUBJECT, text).level(Level::Note));
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::ok("archive", SUBJECT, format!("deliveries are kept in {bucket}")));
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(
        has_bucket: Result<bool, AwsError>,
        activity: Result<ArchiveActivity, AwsError>,
    ) -> Vec<&'static str> {
        let archive = Some(ArchiveFacts { bucket: "kept".to_owned(), has_bucket, activity });
        archive_of(archive, false)
    }

    fn archive_of(archive: Option<ArchiveFacts>, is_emulated: bool) -> Vec<&'static str> {
        let survey = Survey { is_emulated, archive, ..Survey::default() };
        super::archive(&survey).into_iter().map(|verdict| verdict.code).collect()
    }

    fn denied() -> AwsError {
        AwsError::Denied { action: "s3:ListBucket", resource: "kept".to_owned(), reason: String::new() }
    }

    #[test]
    fn each_state_of_the_archive_has_its_finding() {
        let well = || Ok(ArchiveActivity::default());
        let activity = |failed, skipped, minutes| {
            Ok(ArchiveActivity { failed, skipped, oldest: Some(Duration::from_mins(minutes)) })
        };
        assert_eq!(archive_of(None, false), [""; 0]);
        assert_eq!(codes(Ok(true), well()), ["archive"]);
        assert_eq!(codes(Ok(true), activity(0, 0, 30)), ["archive"]);
        assert_eq!(codes(Ok(false), well()), ["archive-missing"]);
        assert_eq!(codes(Err(denied()), well()), ["denied"]);
        assert_eq!(codes(Ok(true), Err(denied())), ["denied"]);
        assert_eq!(
            codes(Ok(true), activity(1, 2, 31)),
            ["archive-failed", "archive-late", "archive-skipped"]
        );
        let unknown = ArchiveFacts {
            bucket: "kept".to_owned(),
            has_bucket: Ok(true),
            activity: Err(AwsError::Other("500".to_owned())),
        };
        assert_eq!(archive_of(Some(unknown), true), ["not-emulated"]);
    }
}
