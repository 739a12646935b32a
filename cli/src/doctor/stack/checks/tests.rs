use super::{
    super::{
        probe::{Expected, Kind},
        survey::{CertificateFacts, DocumentFacts, Probed, Read, Response},
    },
    *,
};
use crate::stack::{Output, Resource, Stack};

const DEAD_LETTERS: &str = "arn:aws:sqs:eu-central-1:1:dead";

fn queue_facts() -> QueueFacts {
    QueueFacts {
        waiting: 0,
        in_flight: 0,
        visibility_timeout: 60,
        retention: RETENTION,
        redrive: Some((DEAD_LETTERS.to_owned(), MAX_RECEIVES)),
        is_encrypted: true,
    }
}

/// A stack in which nothing is wrong.
fn healthy() -> Survey {
    let output = |value: &str| Output { value: value.to_owned(), description: String::new() };
    let stack = Stack {
        name: "hooks".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        parameters: [("VisibilityTimeoutSeconds".to_owned(), "60".to_owned())].into(),
        outputs: [("DeadLetterQueueArn".to_owned(), output(DEAD_LETTERS))].into(),
        ..Stack::default()
    };
    let probed = Probed {
        source: "default".to_owned(),
        url: "https://h/opencard/default".to_owned(),
        result: Ok((
            Kind::Signed,
            Expected::Refused(400),
            Response::Answered {
                status: 400,
                body: String::new(),
                rejected: None,
                took: Duration::from_millis(9),
                timeout: None,
                skew: None,
            },
        )),
    };
    let provider = ProviderFacts {
        name: "opencard",
        secret_id: "arn:secret".to_owned(),
        secret: Ok(Some(Ok(vec![("default".to_owned(), 1)]))),
        document: Some(DocumentFacts { place: "s3://b/cards.json".to_owned(), content: Ok(Some(Ok(()))) }),
        probes: vec![probed],
    };
    Survey {
        stack,
        providers: vec![provider],
        queue: Some(Ok(Some(queue_facts()))),
        dead_letters: Some(Ok(Some(QueueFacts::default()))),
        activity: Some(Ok(Activity { receives: Some(9), ..Activity::default() })),
        alarms: Some(Ok(Some(Subscriptions { confirmed: 1, pending: 0 }))),
        concurrency: Some(Ok(1000)),
        certificate: Some(CertificateFacts { domain: "h".to_owned(), days_left: Ok(90) }),
        ..Survey::default()
    }
}

fn denied<T>() -> Result<T, AwsError> {
    Err(AwsError::Denied {
        action: "sqs:GetQueueAttributes",
        resource: String::new(),
        reason: "no".to_owned(),
    })
}

#[allow(clippy::unnecessary_wraps, reason = "the type of the field")]
fn edit_queue(edit: fn(&mut QueueFacts)) -> Option<Read<Option<QueueFacts>>> {
    let mut queue = queue_facts();
    edit(&mut queue);
    Some(Ok(Some(queue)))
}

#[test]
fn a_healthy_stack_has_no_finding() {
    let verdicts = examine(&healthy());
    assert_eq!(
        verdicts.iter().filter(|verdict| verdict.level != Level::Ok).collect::<Vec<_>>(),
        Vec::<&Verdict>::new()
    );
    let codes: Vec<_> = verdicts.iter().map(|verdict| verdict.code).collect();
    assert_eq!(
        codes,
        [
            "stack",
            "secret",
            "catalogue",
            "queue",
            "consumer",
            "dead-letters",
            "alarms",
            "concurrency",
            "certificate",
            "probe"
        ]
    );
}

/// What is changed of a healthy stack.
type Change = fn(&mut Survey);

/// A fault, the code of the only finding, and its level.
type Row = (Change, &'static str, Level);

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn each_fault_is_one_finding() {
    use Level::{Problem, Unknown, Warning};
    let rows: &[Row] = &[
        (|s| s.stack.status = "UPDATE_ROLLBACK_COMPLETE".into(), "stack-rolled-back", Warning),
        (|s| s.stack.status = "ROLLBACK_COMPLETE".into(), "stack-failed", Problem),
        (|s| s.stack.status = "UPDATE_ROLLBACK_FAILED".into(), "stack-failed", Problem),
        (|s| s.stack.status = "DELETE_IN_PROGRESS".into(), "stack-failed", Problem),
        (|s| s.stack.status = "UPDATE_IN_PROGRESS".into(), "stack-changing", Warning),
        (|s| s.providers.clear(), "no-provider", Problem),
        (
            |s| {
                let failed = Resource { status: "UPDATE_FAILED".into(), ..Resource::default() };
                s.stack.resources.insert("Queue".into(), failed);
            },
            "resource-failed",
            Warning,
        ),
        (|s| s.providers[0].secret = Ok(None), "secret-missing", Problem),
        (|s| s.providers[0].secret = Ok(Some(Err("keys: missing".into()))), "secret-invalid", Problem),
        (|s| s.providers[0].secret = denied(), "denied", Unknown),
        (|s| s.providers[0].secret = Err(AwsError::Other("odd".into())), "unread", Unknown),
        (|s| s.providers[0].document.as_mut().unwrap().content = Ok(None), "catalogue-missing", Problem),
        (
            |s| s.providers[0].document.as_mut().unwrap().content = Ok(Some(Err("no".into()))),
            "catalogue-invalid",
            Problem,
        ),
        (|s| s.providers[0].document.as_mut().unwrap().content = denied(), "denied", Unknown),
        (|s| s.queue = Some(Ok(None)), "queue-missing", Problem),
        (|s| s.queue = Some(denied()), "denied", Unknown),
        (|s| s.queue = edit_queue(|queue| queue.redrive = None), "queue-changed", Warning),
        (
            |s| s.queue = edit_queue(|queue| queue.redrive = Some((DEAD_LETTERS.into(), 9))),
            "queue-changed",
            Warning,
        ),
        (|s| s.queue = edit_queue(|queue| queue.retention = 60), "queue-changed", Warning),
        (|s| s.queue = edit_queue(|queue| queue.visibility_timeout = 1), "queue-changed", Warning),
        (|s| s.queue = edit_queue(|queue| queue.is_encrypted = false), "queue-changed", Warning),
        (
            |s| {
                s.stack.outputs.clear();
                s.queue = edit_queue(|queue| queue.redrive = None);
            },
            "no-dead-letter-queue",
            Warning,
        ),
        (|s| s.activity = Some(denied()), "denied", Unknown),
        (
            |s| s.activity = Some(Ok(Activity { receives: Some(0), ..Activity::default() })),
            "no-consumer",
            Warning,
        ),
        (
            |s| {
                s.activity = Some(Ok(Activity::default()));
                s.queue = edit_queue(|queue| queue.waiting = 3);
            },
            "no-consumer",
            Warning,
        ),
        (
            |s| {
                s.activity = Some(Ok(Activity {
                    oldest: Some(Duration::from_secs(901)),
                    receives: Some(1),
                    oldest_dead_letter: None,
                }));
            },
            "messages-old",
            Warning,
        ),
        (|s| s.dead_letters = Some(Ok(None)), "dead-letter-queue-missing", Problem),
        (|s| s.dead_letters = edit_queue(|queue| queue.waiting = 2), "dead-letters", Warning),
        (|s| s.dead_letters = Some(denied()), "denied", Unknown),
        (
            |s| {
                s.stack.outputs.insert("NoAlarmIsRead".into(), Output::default());
            },
            "alarms-off",
            Warning,
        ),
        (|s| s.alarms = Some(Ok(None)), "alarms-unread", Warning),
        (|s| s.alarms = Some(Ok(Some(Subscriptions { confirmed: 0, pending: 0 }))), "alarms-unread", Warning),
        (
            |s| s.alarms = Some(Ok(Some(Subscriptions { confirmed: 0, pending: 1 }))),
            "alarms-unconfirmed",
            Warning,
        ),
        (|s| s.alarms = Some(denied()), "denied", Unknown),
        (|s| s.concurrency = Some(Ok(10)), "concurrency-low", Warning),
        (|s| s.concurrency = Some(denied()), "denied", Unknown),
        (|s| s.certificate.as_mut().unwrap().days_left = Ok(-1), "certificate-expired", Problem),
        (|s| s.certificate.as_mut().unwrap().days_left = Ok(29), "certificate-expiring", Warning),
        (
            |s| s.certificate.as_mut().unwrap().days_left = Err("refused".into()),
            "certificate-unread",
            Problem,
        ),
        (|s| s.providers[0].probes[0].result = Err("no key".into()), "not-probed", Unknown),
    ];
    for (break_it, code, level) in rows {
        let mut survey = healthy();
        break_it(&mut survey);
        let verdicts = examine(&survey);
        let findings: Vec<_> = verdicts.iter().filter(|verdict| verdict.is_finding()).collect();
        let [finding] = findings[..] else { panic!("{code}: {findings:?}") };
        assert_eq!((finding.code, finding.level), (*code, *level));
        assert!(*level == Unknown || finding.remedy.is_some(), "{code}");
    }
}

#[test]
fn what_is_only_worth_knowing_is_no_finding() {
    let rows: &[(Change, &str)] = &[
        (|s| s.providers[0].secret = Ok(Some(Ok(vec![("acme".into(), 2)]))), "rotation"),
        (|s| s.activity = Some(Ok(Activity::default())), "consumer-unseen"),
        (|s| (s.is_emulated, s.concurrency) = (true, Some(denied())), "not-emulated"),
        (
            |s| {
                s.is_emulated = true;
                s.queue = edit_queue(|queue| queue.in_flight = 1);
                s.activity = Some(Err(AwsError::Other("odd".into())));
            },
            "not-emulated",
        ),
        (|s| s.is_unprobed = true, "not-probed"),
    ];
    for (change, code) in rows {
        let mut survey = healthy();
        change(&mut survey);
        let verdicts = examine(&survey);
        assert!(!verdicts.iter().any(Verdict::is_finding), "{code}");
        let notes: Vec<_> = verdicts.iter().filter(|verdict| verdict.level == Level::Note).collect();
        assert_eq!(notes.iter().map(|note| note.code).collect::<Vec<_>>(), [*code]);
    }
}

#[test]
fn a_denied_read_names_the_permission() {
    let mut survey = healthy();
    survey.queue = Some(denied());
    let verdicts = examine(&survey);
    let verdict = verdicts.iter().find(|verdict| verdict.code == "denied").unwrap();
    assert!(verdict.remedy.as_ref().unwrap().starts_with("Allow sqs:GetQueueAttributes "));
    // The other checks go on.
    assert!(verdicts.iter().any(|verdict| verdict.code == "probe"));
}

#[test]
fn dead_letters_have_count_and_age() {
    let mut survey = healthy();
    survey.dead_letters = edit_queue(|queue| queue.waiting = 2);
    survey.activity = Some(Ok(Activity {
        oldest_dead_letter: Some(Duration::from_hours(2)),
        receives: Some(1),
        oldest: None,
    }));
    let verdicts = examine(&survey);
    let text = &verdicts.iter().find(|verdict| verdict.code == "dead-letters").unwrap().explanation;
    assert_eq!(text, "2 messages wait that your consumer failed on 5 times; the oldest for 2 hours.");
}

#[test]
fn a_queue_that_only_a_pipe_reads_has_the_pipe_as_its_consumer() {
    let mut survey = healthy();
    let output = Output { value: "hooks-Pipe-1".to_owned(), description: String::new() };
    survey.stack.outputs.insert("PipeName".to_owned(), output);
    survey.activity = Some(Ok(Activity { receives: Some(0), ..Activity::default() }));
    let verdicts = examine(&survey);
    let remedy = verdicts.iter().find(|verdict| verdict.code == "no-consumer").unwrap().remedy.as_deref();
    assert_eq!(
        remedy,
        Some(
            "The pipe to the event bus does not read the queue: `aws pipes describe-pipe --name hooks-Pipe-1` shows why."
        )
    );
}
