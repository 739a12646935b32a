//! `letterbox doctor --stack`: reads a deployed stack, probes its functions, and reports what is wrong.

mod archive;
mod probes;
mod read;

use std::time::Duration;

use indicatif::ProgressBar;
use letterbox_intake::ambient;
use letterbox_registry::{Keys, PROVIDERS, Platform};

use super::args::Doctor;
use crate::{
    commands::CommandError,
    doctor::stack::{
        checks::examine,
        report::StackReport,
        survey::{CertificateFacts, DocumentFacts, ProviderFacts, Read, Survey},
    },
    stack::{self, Account, AwsError, Stack, account::runtime, certificate, logical_name, secrets::Secrets},
    terminal::write,
};

/// The port of HTTPS.
const HTTPS: u16 = 443;

/// Examines a stack.
pub fn run(name: &str, args: &Doctor) -> Result<(), CommandError> {
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(100));
    let examined = runtime().and_then(|runtime| runtime.block_on(examine_stack(name, args, &progress)));
    progress.finish_and_clear();
    let report = examined.map_err(|error| match error {
        AwsError::NoRegion | AwsError::NoStack { .. } => CommandError::usage(error),
        _ => CommandError::failed(error),
    })?;
    let text = if args.json { report.to_json() } else { report.to_text() };
    // A closed standard output does not change the result.
    let _ = write(text.as_bytes());
    if report.healthy { Ok(()) } else { Err(CommandError::Reported) }
}

async fn examine_stack(name: &str, args: &Doctor, progress: &ProgressBar) -> Result<StackReport, AwsError> {
    let account = Account::find(&args.stack.aws).await?;
    progress.set_message(format!("reading the stack {name}"));
    let stack = stack::read(&account, name).await?;
    let mut survey = Survey {
        is_emulated: account.config.endpoint_url().is_some(),
        is_unprobed: args.stack.no_probe,
        ..Survey::default()
    };
    for platform in PROVIDERS {
        let Some(url) = stack.output(&format!("{}Url", logical_name(platform.name()))) else { continue };
        progress.set_message(format!("reading the credentials of {}", platform.name()));
        let (mut facts, keys) = provider(&account, &stack, *platform).await;
        if let Some(keys) = keys.filter(|_| !args.stack.no_probe) {
            let url = match &args.stack.to {
                Some(base) => format!("{}/{}", base.trim_end_matches('/'), platform.name()),
                None => url.to_owned(),
            };
            facts.probes = probes::send(*platform, &*keys, &url, progress);
        }
        survey.providers.push(facts);
    }
    progress.set_message("reading the queue");
    let (queue_url, dead_letter_url) = (stack.output("QueueUrl"), stack.output("DeadLetterQueueUrl"));
    if let Some(url) = queue_url {
        survey.queue = Some(read::queue(&account, url).await);
        survey.activity = Some(read::activity(&account, url, dead_letter_url).await);
    }
    if let Some(url) = dead_letter_url {
        survey.dead_letters = Some(read::queue(&account, url).await);
    }
    progress.set_message("reading the archive");
    survey.archive = archive::read(&account, &stack).await;
    if let Some(topic) = stack.output("AlarmTopicArn") {
        progress.set_message("reading the alarms");
        survey.alarms = Some(read::subscriptions(&account, topic).await);
    }
    progress.set_message("reading the concurrency quota");
    survey.concurrency = Some(read::concurrency(&account).await);
    if let Some(domain) = stack.parameter("DomainName").filter(|domain| !domain.is_empty()) {
        progress.set_message("reading the certificate");
        let days_left = ambient::system()
            .map_err(|error| error.to_string())
            .and_then(|ambient| certificate::days_left(domain, HTTPS, ambient.now));
        survey.certificate = Some(CertificateFacts { domain: domain.to_owned(), days_left });
    }
    survey.stack = stack;
    Ok(StackReport::new(name, &account.region, examine(&survey)))
}

/// Reads the credentials and the file of a provider.
async fn provider(
    account: &Account,
    stack: &Stack,
    platform: &dyn Platform,
) -> (ProviderFacts, Option<Box<dyn Keys>>) {
    let name = logical_name(platform.name());
    let secret_id = stack.output(&format!("{name}CredentialsSecret")).unwrap_or_default().to_owned();
    let mut keys = None;
    let mut text = None;
    let secret: Read<_> = Secrets::of(account).read(&secret_id).await.map(|stored| {
        stored.map(|stored| {
            let parsed = platform.keys(&stored.text).map_err(|error| error.to_string())?;
            let entries = |source: &str| parsed.entries(source).map_or(0, |entries| entries.len());
            let sources = parsed.sources().into_iter().map(|source| (source.to_owned(), entries(source)));
            let sources = sources.collect();
            keys = Some(parsed);
            text = Some(stored.text);
            Ok(sources)
        })
    });
    let document = match platform.facts().document {
        None => None,
        Some(variable) => {
            let parameter = format!("{name}{}", logical_name(&variable.to_lowercase()));
            let place = stack.parameter(&parameter).unwrap_or_default().to_owned();
            // The file is parsed as the function does; any valid credentials will do.
            let credentials = text.as_ref().map_or(platform.facts().demo, |text| text.as_str());
            let content = read::document(account, platform, credentials, &place).await;
            Some(DocumentFacts { place, content })
        }
    };
    let name = platform.name();
    (ProviderFacts { name, secret_id, secret, document, probes: Vec::new() }, keys)
}
