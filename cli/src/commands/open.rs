//! `letterbox open`: one message, verified and in clear.

use std::path::PathBuf;

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use letterbox_codec::{
    Reject, Rejected, Timestamp,
    headers::{self, HeaderError},
    stage::first_accepted,
};
use letterbox_intake::{ambient, gateway::DEFAULT_SOURCE};

use super::CommandError;
use crate::{
    credentials, data,
    doctor::{Report, diagnosis_input::DiagnosisInput},
    formats::message::{self, Message},
    options::{ProviderName, signing_only},
    terminal::{GOOD, note, write_content},
    time,
};

const EXAMPLES: &str = "\
Examples:
  letterbox open dingtalk --data response.json
  letterbox open dingtalk --data body.json --url 'https://h/dingtalk?signature=...'
  letterbox open opencard --data query.jwt
  letterbox open github --data body.json --header 'X-Hub-Signature-256: sha256=...'
  letterbox open payment --data event.json --at 2026-11-21T10:00:00Z
  letterbox sign github push --as raw | letterbox open github

The message is one of
  a body      of a request, or of an encrypted response; add --url and --header of the request
  an event    of API Gateway, as in events/ or from `letterbox sign --as event`
  raw HTTP    a request, or a response as `curl --include` prints it

Verification results go to standard error, the payload to standard output.";

/// The examples, and which messages cannot be decrypted.
fn after_help() -> String {
    let signing = signing_only();
    format!(
        "{EXAMPLES}\n\n{signing} only sign: open verifies a request by its headers. Their responses are neither\nsigned nor encrypted."
    )
}

/// `letterbox open`
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct Open {
    /// The platform whose message it is
    #[arg(value_parser = ProviderName)]
    pub provider: String,
    /// The message
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    pub data: PathBuf,
    /// A header that belongs to the body; may be given several times
    #[arg(long, value_name = "NAME: VALUE", value_parser = message::header_line)]
    pub header: Vec<(HeaderName, HeaderValue)>,
    /// The URL that was called, query string included
    #[arg(long, value_name = "URL")]
    pub url: Option<http::Uri>,
    /// Compare a signed timestamp to this time instead of now: RFC 3339, or Unix seconds or milliseconds
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub at: Option<Timestamp>,
    /// Which key.
    #[command(flatten)]
    pub key: credentials::KeyArgs,
}

/// Prints the message in clear.
pub fn run(args: &Open) -> Result<(), CommandError> {
    let provider = letterbox_registry::find(&args.provider).map_err(CommandError::Usage)?;
    let place = args.data.display();
    let bytes = data::read(&args.data, data::MESSAGE)
        .map_err(|error| CommandError::Usage(format!("--data {error}")))?;
    let message = Message::read(provider.name(), bytes)
        .map_err(|error| CommandError::Usage(format!("--data {place}: {error}")))?;
    let source = args.key.source.clone().or(message.source).unwrap_or_else(|| DEFAULT_SOURCE.to_owned());
    let mut request = message.request;
    *request.headers_mut() =
        with(request.headers(), &args.header).map_err(|error| CommandError::Usage(error.to_string()))?;
    if let Some(url) = &args.url {
        *request.uri_mut() = url.clone();
    }
    let now = match args.at {
        Some(at) => at,
        None => ambient::system().map_err(CommandError::failed)?.now,
    };
    let credentials = args.key.load().map_err(CommandError::Usage)?;
    let keys = args.key.keys_in(&credentials, provider).map_err(CommandError::Usage)?;
    let entries = keys.entries(&source).map_err(CommandError::Usage)?;
    let opened = first_accepted(&entries, |entry| entry.open(&request, now));
    let (_, opened) = opened.map_err(|rejected| {
        let code = rejected.reject.code();
        let route = format!("{}/{source}", provider.name());
        let why = option_that_helps(&rejected.reject).map_or_else(
            || {
                let credentials = credentials.clone();
                explanation(DiagnosisInput { provider, source, request, now, credentials }, rejected)
            },
            str::to_owned,
        );
        CommandError::Refused(format!("--data {place}: not accepted by {route}: {code}; {why}"))
    })?;
    for check in opened.notes {
        note(GOOD, &check);
    }
    let mut content = opened.content;
    if !content.ends_with(b"\n") {
        content.push(b'\n');
    }
    Ok(write_content(&content)?)
}

/// The headers of the message; those of the command line replace headers of the same name.
fn with(headers: &HeaderMap, given: &[(HeaderName, HeaderValue)]) -> Result<HeaderMap, HeaderError> {
    // If a name is given twice, the last value counts.
    let mut last = headers::collect(given.iter().map(|(name, value)| (name.as_str(), value)))?;
    for (name, value) in given {
        last.insert(name, value.clone());
    }
    let kept = headers.iter().filter(|(name, _)| !last.contains_key(*name));
    headers::collect(kept.chain(&last).map(|(name, value)| (name.as_str(), value)))
}

/// The option with which the message may verify.
fn option_that_helps(reject: &Reject) -> Option<&'static str> {
    match reject {
        Reject::MissingSignature | Reject::MalformedSignature => {
            Some("a body alone has no signature: give its headers with --header 'NAME: VALUE'")
        }
        Reject::TimestampOutOfRange => Some("--at TIME verifies as of another time"),
        _ => None,
    }
}

/// What doctor says of the message, as a delivery.
fn explanation(mut delivery: DiagnosisInput, rejected: Rejected) -> String {
    *delivery.request.method_mut() = Method::POST;
    let report = Report::of_refusal(&delivery, rejected);
    let remedy = report.remedy.map(|remedy| format!(" {remedy}")).unwrap_or_default();
    report.explanation + &remedy
}
