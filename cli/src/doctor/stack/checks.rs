//! The checks of a stack, and what each says.

mod archive;

use std::time::Duration;

use super::{
    answer,
    finding::{about_duration, problem, unread, warning},
    survey::{Activity, ProviderFacts, QueueFacts, Subscriptions, Survey},
    verdict::{Level, Verdict},
};
use crate::stack::AwsError;

/// Fewer concurrent executions than this are used up by a burst of webhooks. AWS's default is 1,000.
const FEW_EXECUTIONS: u32 = 100;
/// ACM renews a certificate 60 days before it expires, and warns from 45 days on.
/// Source, read 2026-11-26: <https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html>
const FEW_DAYS: i64 = 30;
/// An event that waits longer than this has no consumer that keeps up; the template's alarm has the same value.
const OLD: Duration = Duration::from_mins(15);
/// What the template sets for the queue.
const RETENTION: u64 = 1_209_600;
const MAX_RECEIVES: u64 = 5;

/// The checks, in the order in which they are reported.
const CHECKS: [fn(&Survey) -> Vec<Verdict>; 10] = [
    stack,
    resources,
    secrets,
    documents,
    queue,
    dead_letters,
    archive::archive,
    alarms,
    concurrency,
    certificate,
];

/// Everything that can be said of a stack.
pub fn examine(survey: &Survey) -> Vec<Verdict> {
    let mut verdicts: Vec<_> = CHECKS.iter().flat_map(|check| check(survey)).collect();
    let probed = survey.providers.iter().flat_map(|provider| {
        provider.probes.iter().map(|probed| answer::judge(&survey.stack.name, provider.name, probed))
    });
    verdicts.extend(probed);
    if survey.is_unprobed {
        verdicts.push(
            Verdict::ok(
                "not-probed",
                "probes",
                "not sent, as --no-probe says; whether the functions respond is not known",
            )
            .level(Level::Note),
        );
    }
    verdicts
}

fn stack(survey: &Survey) -> Vec<Verdict> {
    let stack = &survey.stack;
    let reason = stack.status_reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let says = |text: &str| format!("CloudFormation reports {}{reason}: {text}", stack.status);
    let events = format!("`aws cloudformation describe-stack-events --stack-name {}`", stack.name);
    let verdict = match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => {
            Verdict::ok("stack", "stack", stack.status.clone())
        }
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => warning(
            "stack-rolled-back",
            "stack",
            says("the last change failed, and the stack is as it was before."),
            format!("The first failed event of {events} says why. Fix that, and deploy again."),
        ),
        "ROLLBACK_COMPLETE" => problem(
            "stack-failed",
            "stack",
            says("it could not be created."),
            format!(
                "The first failed event of {events} says why. Delete the stack, fix that, and deploy again."
            ),
        ),
        status if stack.is_changing() && !status.contains("DELETE") => warning(
            "stack-changing",
            "stack",
            says("a change is under way."),
            "Wait until it ends, and run doctor again.",
        ),
        _ => problem(
            "stack-failed",
            "stack",
            says("it is not as the template says."),
            format!("The first failed event of {events} says why. Fix that, and deploy again."),
        ),
    };
    let mut verdicts = vec![verdict];
    if survey.providers.is_empty() {
        verdicts.push(problem(
            "no-provider",
            "stack",
            "No output of the stack is the URL of a provider.",
            "Check that the name is that of a Letterbox stack, and turn a provider on.",
        ));
    }
    verdicts
}

fn resources(survey: &Survey) -> Vec<Verdict> {
    let failed = survey.stack.resources.iter().filter(|(_, resource)| resource.status.ends_with("_FAILED"));
    failed
        .map(|(id, resource)| {
            warning(
                "resource-failed",
                id,
                format!("CloudFormation reports {} of this {}.", resource.status, resource.kind),
                "Its events in the CloudFormation console say why.",
            )
        })
        .collect()
}

fn secrets(survey: &Survey) -> Vec<Verdict> {
    survey.providers.iter().flat_map(secret).collect()
}

fn secret(provider: &ProviderFacts) -> Vec<Verdict> {
    let subject = format!("{} credentials", provider.name);
    let id = &provider.secret_id;
    let put = format!(
        "aws secretsmanager put-secret-value --secret-id {id} --secret-string file://credentials.json"
    );
    let sources = match &provider.secret {
        Err(error) => return vec![unread(&subject, error)],
        Ok(None) => {
            return vec![problem(
                "secret-missing",
                &subject,
                format!("There is no secret {id}: the function cannot start."),
                "Create a secret with the credentials, and set the provider's parameter to its ARN. A secret that was deleted lately can be restored with `aws secretsmanager restore-secret`.",
            )];
        }
        Ok(Some(Err(error))) => {
            return vec![problem(
                "secret-invalid",
                &subject,
                format!("The function would not accept the secret: {error}."),
                format!(
                    "Correct what the explanation names, and store it: `{put}`. Functions that run keep the previous credentials; new ones cannot start."
                ),
            )];
        }
        Ok(Some(Ok(sources))) => sources,
    };
    let names: Vec<_> = sources.iter().map(|(name, _)| name.as_str()).collect();
    let mut verdicts = vec![Verdict::ok("secret", &subject, format!("valid, for {}", names.join(", ")))];
    verdicts.extend(sources.iter().filter(|(_, entries)| *entries > 1).map(|(name, entries)| {
        Verdict::ok(
            "rotation",
            format!("{}/{name}", provider.name),
            format!("has {entries} entries, as while keys rotate; remove the old one once the metric KeyPosition no longer shows it"),
        )
        .level(Level::Note)
    }));
    verdicts
}

fn documents(survey: &Survey) -> Vec<Verdict> {
    let with_document =
        survey.providers.iter().filter_map(|provider| Some((provider, provider.document.as_ref()?)));
    with_document
        .map(|(provider, document)| {
            let subject = format!("{} catalogue", provider.name);
            let place = &document.place;
            match &document.content {
                Err(error) => unread(&subject, error),
                Ok(None) => problem(
                    "catalogue-missing",
                    &subject,
                    format!("There is no object {place}: the function cannot start."),
                    format!("Upload it: `aws s3 cp cards.json {place}`."),
                ),
                Ok(Some(Err(error))) => problem(
                    "catalogue-invalid",
                    &subject,
                    format!("The function would not accept {place}: {error}."),
                    format!("Correct it, and upload it: `aws s3 cp cards.json {place}`."),
                ),
                Ok(Some(Ok(()))) => Verdict::ok("catalogue", subject, format!("{place} is valid")),
            }
        })
        .collect()
}

fn queue(survey: &Survey) -> Vec<Verdict> {
    const SUBJECT: &str = "queue";
    let queue = match &survey.queue {
        None => return Vec::new(),
        Some(Err(error)) => return vec![unread(SUBJECT, error)],
        Some(Ok(None)) => {
            return vec![problem(
                "queue-missing",
                SUBJECT,
                "The queue does not exist: every delivery gets 503.",
                "Deploy with another EventQueue: fifo instead of standard or the other way round, or the ARN of a queue; CloudFormation does not create a deleted queue again.",
            )];
        }
        Some(Ok(Some(queue))) => queue,
    };
    let mut verdicts = vec![Verdict::ok(
        "queue",
        SUBJECT,
        format!("{} messages wait, {} are with a consumer", queue.waiting, queue.in_flight),
    )];
    verdicts.extend(changed(survey, queue));
    let activity = match &survey.activity {
        Some(Ok(activity)) => activity.clone(),
        Some(Err(AwsError::Other(_))) if survey.is_emulated => {
            let text = "not known: the emulator does not answer as CloudWatch does";
            verdicts.push(Verdict::ok("not-emulated", "queue metrics", text).level(Level::Note));
            Activity::default()
        }
        Some(Err(error)) => {
            verdicts.push(unread("queue metrics", error));
            Activity::default()
        }
        None => Activity::default(),
    };
    verdicts.push(consumer(queue, &activity, survey.stack.output("PipeName")));
    verdicts.extend(activity.oldest.filter(|oldest| *oldest > OLD).map(|oldest| {
        warning(
            "messages-old",
            SUBJECT,
            format!("The oldest message has waited for {}.", about_duration(oldest)),
            "Look at your consumer's log: it does not run, fails, or is too slow. SQS deletes messages after 14 days.",
        )
    }));
    verdicts
}

/// Whether the queue is as the template says; only of one that the stack created.
fn changed(survey: &Survey, queue: &QueueFacts) -> Option<Verdict> {
    let Some(dead_letters) = survey.stack.output("DeadLetterQueueArn") else {
        return queue.redrive.is_none().then(|| {
            warning(
                "no-dead-letter-queue",
                "queue",
                "The existing queue has no dead-letter queue: a message that your consumer fails on comes again until it expires.",
                "Set a redrive policy on the queue.",
            )
        });
    };
    let mut differences = Vec::new();
    match &queue.redrive {
        Some((target, receives)) if target == dead_letters && *receives == MAX_RECEIVES => {}
        Some((_, receives)) => {
            differences.push(format!("the redrive policy is another one ({receives} receives)"));
        }
        None => differences.push("the redrive policy is missing".to_owned()),
    }
    if queue.retention != RETENTION {
        differences.push(format!("messages are kept for {} s instead of {RETENTION} s", queue.retention));
    }
    let visibility =
        survey.stack.parameter("VisibilityTimeoutSeconds").and_then(|text| text.parse::<u64>().ok());
    if let Some(visibility) = visibility.filter(|visibility| *visibility != queue.visibility_timeout) {
        differences.push(format!(
            "the visibility timeout is {} s instead of {visibility} s",
            queue.visibility_timeout
        ));
    }
    if !queue.is_encrypted {
        differences.push("it is not encrypted at rest".to_owned());
    }
    (!differences.is_empty()).then(|| {
        warning(
            "queue-changed",
            "queue",
            format!("The queue is not as the template says: {}.", differences.join("; ")),
            "Set it back in the SQS console; CloudFormation does not notice such a change.",
        )
    })
}

/// Whether something reads the queue: the consumer, or the pipe of that name.
fn consumer(queue: &QueueFacts, activity: &Activity, pipe: Option<&str>) -> Verdict {
    const SUBJECT: &str = "consumer";
    let remedy = pipe.map_or_else(
        || "Start your consumer, or check its event source mapping and its permission sqs:ReceiveMessage on the queue.".to_owned(),
        |name| format!("The pipe to the event bus does not read the queue: `aws pipes describe-pipe --name {name}` shows why."),
    );
    match (queue.in_flight, activity.receives) {
        (1.., _) => Verdict::ok("consumer", SUBJECT, "seen: it holds messages"),
        (0, Some(receives @ 1..)) => {
            Verdict::ok("consumer", SUBJECT, format!("seen: it asked for messages {receives} times in the last three hours"))
        }
        (0, _) if queue.waiting > 0 => warning(
            "no-consumer",
            SUBJECT,
            format!("{} messages wait, and no consumer was seen.", queue.waiting),
            remedy,
        ),
        (0, Some(0)) => warning(
            "no-consumer",
            SUBJECT,
            "Nothing asked for messages in the last three hours.",
            remedy,
        ),
        (0, None) => Verdict::ok(
            "consumer-unseen",
            SUBJECT,
            "not seen, and nothing waits: CloudWatch has no data of an unused queue, and an emulator has none at all",
        )
        .level(Level::Note),
    }
}

fn dead_letters(survey: &Survey) -> Vec<Verdict> {
    const SUBJECT: &str = "dead-letter queue";
    let age = match &survey.activity {
        Some(Ok(activity)) => activity.oldest_dead_letter,
        _ => None,
    };
    let verdict = match &survey.dead_letters {
        None => return Vec::new(),
        Some(Err(error)) => unread(SUBJECT, error),
        Some(Ok(None)) => problem(
            "dead-letter-queue-missing",
            SUBJECT,
            "The dead-letter queue does not exist: SQS cannot move messages there.",
            "Create a queue of this name and type, or set another redrive policy on the queue.",
        ),
        Some(Ok(Some(queue))) if queue.waiting + queue.in_flight > 0 => warning(
            "dead-letters",
            SUBJECT,
            format!(
                "{} messages wait that your consumer failed on {MAX_RECEIVES} times{}.",
                queue.waiting + queue.in_flight,
                age.map(|age| format!("; the oldest for {}", about_duration(age))).unwrap_or_default()
            ),
            "Fix the consumer, then redrive them to the queue. SQS deletes them 14 days after they were first sent.",
        ),
        Some(Ok(Some(_))) => Verdict::ok("dead-letters", SUBJECT, "empty"),
    };
    vec![verdict]
}

fn alarms(survey: &Survey) -> Vec<Verdict> {
    const SUBJECT: &str = "alarms";
    const SET: &str = "Set Alarms to a mail address, or to the ARN of a topic, and deploy again.";
    if survey.stack.output("NoAlarmIsRead").is_some() {
        return vec![warning(
            "alarms-off",
            SUBJECT,
            "There are no alarms: nobody hears of lost or refused deliveries.",
            SET,
        )];
    }
    let verdict = match &survey.alarms {
        None => return Vec::new(),
        Some(Err(error)) => unread(SUBJECT, error),
        Some(Ok(None)) => warning("alarms-unread", SUBJECT, "The topic of the alarms does not exist.", SET),
        Some(Ok(Some(Subscriptions { confirmed: 0, pending: 0 }))) => warning(
            "alarms-unread",
            SUBJECT,
            "Nobody subscribes to the topic of the alarms.",
            "Subscribe somebody: `aws sns subscribe`, with the output AlarmTopicArn.",
        ),
        Some(Ok(Some(Subscriptions { confirmed: 0, pending }))) => warning(
            "alarms-unconfirmed",
            SUBJECT,
            format!(
                "No subscription to the alarms is confirmed; {pending} wait for it. Nobody gets the alarms."
            ),
            "Open the link in the mail `AWS Notification - Subscription Confirmation`. SNS deletes an unconfirmed subscription after 48 hours; then subscribe again.",
        ),
        Some(Ok(Some(Subscriptions { confirmed, pending: 1.. }))) => Verdict::ok(
            "alarms",
            SUBJECT,
            format!("{confirmed} subscriptions are confirmed; others still wait for it"),
        ),
        Some(Ok(Some(Subscriptions { confirmed, .. }))) => {
            Verdict::ok("alarms", SUBJECT, format!("{confirmed} confirmed subscriptions"))
        }
    };
    vec![verdict]
}

fn concurrency(survey: &Survey) -> Vec<Verdict> {
    const SUBJECT: &str = "concurrency quota";
    let verdict = match &survey.concurrency {
        None => return Vec::new(),
        Some(Err(_)) if survey.is_emulated => {
            Verdict::ok("not-emulated", SUBJECT, "not known: the emulator has no Service Quotas")
                .level(Level::Note)
        }
        Some(Err(error)) => {
            let verdict = unread(SUBJECT, error);
            let by_hand =
                "`aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions` shows it, too.";
            let remedy = verdict
                .remedy
                .as_ref()
                .map_or_else(|| by_hand.to_owned(), |first| format!("{first} {by_hand}"));
            verdict.remedy(remedy)
        }
        Some(Ok(quota)) if *quota < FEW_EXECUTIONS => warning(
            "concurrency-low",
            SUBJECT,
            format!(
                "The account may run {quota} Lambda functions at once in this region, all applications together; AWS's default is 1000. During a burst of webhooks Lambda refuses the others, and a platform that does not retry loses them."
            ),
            "Request an increase: `aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000`.",
        ),
        Some(Ok(quota)) => Verdict::ok("concurrency", SUBJECT, format!("{quota} Lambda functions at once")),
    };
    vec![verdict]
}

fn certificate(survey: &Survey) -> Vec<Verdict> {
    let Some(certificate) = &survey.certificate else { return Vec::new() };
    let subject = format!("certificate of {}", certificate.domain);
    let renew = "ACM renews a certificate that is in use and whose DNS record for validation is there: look at it in the ACM console.";
    let verdict = match &certificate.days_left {
        Err(reason) => problem(
            "certificate-unread",
            &subject,
            format!("It could not be read: {reason}."),
            "Check the DNS record of the domain: it leads to the output DomainTarget.",
        ),
        Ok(days @ ..0) => problem(
            "certificate-expired",
            &subject,
            format!("It expired {} days ago: platforms cannot connect.", days.unsigned_abs()),
            renew,
        ),
        Ok(days @ 0..FEW_DAYS) => {
            warning("certificate-expiring", &subject, format!("It expires in {days} days."), renew)
        }
        Ok(days) => Verdict::ok("certificate", subject, format!("valid for {days} days")),
    };
    vec![verdict]
}

#[cfg(test)]
mod tests;
