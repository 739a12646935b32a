//! `letterbox send`: sends a delivery as the platform would.

mod load;

use std::{io::Write, thread, time::Duration};

use clap::Args;
use letterbox_codec::platform::DeliveryPolicy;
use letterbox_intake::ambient;
use letterbox_registry::PROVIDERS;

use super::CommandError;
use crate::{
    options::ProviderName,
    sender::{
        delivery::{self, OutgoingDelivery},
        post::{LONGEST, Post},
    },
    terminal::{DOUBTFUL, GOOD, QUIET, milliseconds, print_line},
    time::span,
};

/// `letterbox send`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox send --list
  letterbox send dingtalk user_add_org
  letterbox send dingtalk check_url                      # a handshake
  letterbox send github push --data push.json            # a payload of your own
  jq -c .data event.json | letterbox send payment --data -
  letterbox send github push --source acme --credentials my-credentials.json
  letterbox send opencard scenic_spot --to https://abc123.execute-api.eu-central-1.amazonaws.com
  letterbox send payment payment_success --as-platform --longest-pause 1
  letterbox send github push --repeat 1000 --rate 50/s

The exit code is 0 only if the platform would accept every response, and each arrives within the platform's \
timeout.")]
pub struct Send {
    /// The platform to act as
    #[arg(required_unless_present = "list", value_parser = ProviderName)]
    pub provider: Option<String>,
    /// The sample; with --data, the name of the event, if the platform sends it outside of the payload
    #[arg(required_unless_present_any = ["list", "data"])]
    pub sample: Option<String>,
    /// List the samples of all providers, handshakes included
    #[arg(long, conflicts_with_all = ["sample", "data", "to", "source", "credentials", "as_platform", "repeat"])]
    pub list: bool,
    /// The payload, its target and the credentials.
    #[command(flatten)]
    pub delivery: delivery::DeliveryArgs,
    /// Apply the platform's timeout and retry schedule until it would give up
    #[arg(long, conflicts_with = "repeat")]
    pub as_platform: bool,
    /// Shorten each of the platform's retry delays to at most SECONDS
    #[arg(long, value_name = "SECONDS", requires = "as_platform", value_parser = seconds)]
    pub longest_pause: Option<Duration>,
    /// The number and rate of deliveries.
    #[command(flatten)]
    pub load: load::LoadArgs,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "expected seconds, such as 1 or 0.5".to_owned())
}

/// Sends once or many times, or lists the samples.
pub fn run(args: &Send) -> Result<(), CommandError> {
    let Some(provider) = args.provider.as_deref().filter(|_| !args.list) else {
        return list(args.provider.as_deref());
    };
    let delivery = OutgoingDelivery::new(provider, args.sample.as_deref(), &args.delivery)
        .map_err(CommandError::Usage)?;
    match args.load.repeat {
        Some(count) => load::run(&delivery, &args.load, count.get()),
        None => attempts(&delivery, args),
    }
}

/// Makes one attempt, or with --as-platform as many as the platform makes.
fn attempts(delivery: &OutgoingDelivery, args: &Send) -> Result<(), CommandError> {
    let policy = delivery.entry().map(|entry| entry.delivery_policy()).map_err(CommandError::Usage)?;
    let (timeout, retry_delays) = if args.as_platform {
        (policy.timeout.unwrap_or(LONGEST), policy.retry_delays)
    } else {
        (LONGEST, &[][..])
    };
    let post = Post::new(timeout, 1);
    let mut ambient = ambient::system().map_err(CommandError::failed)?;
    for (attempt, delay) in (2..).zip(retry_delays) {
        let Some(failed) = attempt_once(delivery, &policy, &post, &ambient)? else { return Ok(()) };
        let delay = args.longest_pause.map_or(*delay, |longest| longest.min(*delay));
        print_line(DOUBTFUL, &format!("! {failed}"))?;
        print_line(
            DOUBTFUL,
            &format!("! attempt {attempt} of {} in {}", retry_delays.len() + 1, span(delay)),
        )?;
        thread::sleep(delay);
        // The same entropy keeps the delivery id; the timestamp is that of the new attempt.
        ambient.now = ambient::system().map_err(CommandError::failed)?.now;
    }
    match attempt_once(delivery, &policy, &post, &ambient)? {
        None => Ok(()),
        Some(failed) if args.as_platform => Err(failed.followed_by(policy.afterwards)),
        Some(failed) => Err(failed),
    }
}

/// Sends once. Returns the reason for which the platform would count the attempt as failed, or `None`. An error is one
/// that another attempt would not fix.
fn attempt_once(
    delivery: &OutgoingDelivery,
    policy: &DeliveryPolicy,
    post: &Post,
    ambient: &letterbox_codec::Ambient,
) -> Result<Option<CommandError>, CommandError> {
    let request = delivery.build_request(ambient).map_err(CommandError::Usage)?;
    let (name, provider) = (&delivery.sample.name, delivery.platform.name());
    let name = if name.is_empty() { "own payload" } else { name };
    print_line(QUIET, &format!("> POST {}", request.uri()))?;
    print_line(
        QUIET,
        &format!("> {name} as {provider}/{}, {} bytes", delivery.source, request.body().len()),
    )?;
    let answer = match post.send(&request) {
        Ok(answer) => answer,
        Err(unsent) => return Ok(Some(CommandError::Failed(unsent))),
    };
    let body = String::from_utf8_lossy(answer.response.body());
    print_line(QUIET, &format!("< {} in {}", answer.response.status(), milliseconds(answer.took)))?;
    print_line(QUIET, &format!("< {body}"))?;
    let content = match delivery.judge(policy, &request, &answer) {
        Ok(content) => content,
        Err(reason) => return Ok(Some(CommandError::Refused(reason))),
    };
    let limit = policy.timeout.map_or("no limit is published".to_owned(), |timeout| {
        format!("within the {} that the platform waits", span(timeout))
    });
    print_line(GOOD, &format!("= {content}"))?;
    print_line(GOOD, &format!("ok: {}; {limit}", policy.checks))?;
    Ok(None)
}

fn list(provider: Option<&str>) -> Result<(), CommandError> {
    let providers = match provider {
        Some(name) => vec![letterbox_registry::find(name).map_err(CommandError::Usage)?],
        None => PROVIDERS.to_vec(),
    };
    let mut out = std::io::stdout().lock();
    for provider in providers {
        for sample in provider.samples() {
            if writeln!(out, "{} {}", provider.name(), sample.name).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
