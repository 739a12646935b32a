//! `letterbox stack deliveries --id`: one delivery in full.

use letterbox_codec::json::Object;
use letterbox_intake::{Outcome, gateway};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    args::StackArgs,
    cause::diagnose,
    progress::Shown,
    session::{Session, command},
    shown::unreadable,
};
use crate::{
    commands::CommandError,
    doctor::Report,
    formats::json_style::{INDENTED, restyle},
    shell::word,
    stack::{
        archive::{Archive, ArchivedDelivery, Filter, Order},
        credentials::StackCredentials,
    },
    terminal::{printable, printable_json, printable_lines, write},
};

/// A delivery with its diagnosis, as JSON.
#[derive(Serialize)]
struct Opened<'a> {
    delivery: &'a RawValue,
    /// `None` for an accepted delivery, and where there can be no diagnosis.
    diagnosis: Option<&'a Report>,
    /// Why there can be none.
    undiagnosed: Option<&'a str>,
}

/// Finds the delivery, and shows it.
pub async fn show(
    as_json: bool,
    args: &StackArgs,
    session: &Session,
    archive: &Archive,
    filter: Filter,
) -> Result<(), CommandError> {
    let id = filter.id.clone().unwrap_or_default();
    let mut reader = archive.read(Order::NewestFirst, filter);
    let shown = Shown::spinner();
    let found = loop {
        tokio::select! {
            found = reader.next() => break found?,
            // Only what passes is returned, so the progress is looked at meanwhile.
            () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {}
        }
        shown.reading(reader.progress());
    };
    let Some(delivery) = found else {
        unreadable(reader.progress());
        return Err(CommandError::Failed(format!(
            "no delivery with the id {id} in {}: it is older than the archive, or not there yet (it takes a few minutes)",
            archive.bucket()
        )));
    };
    drop(reader);
    let diagnosis = if delivery.record.outcome == Outcome::Refused {
        Some(diagnose(&mut StackCredentials::of(&session.account, &session.stack), &delivery).await)
    } else {
        None
    };
    drop(shown);
    let text = if as_json {
        json(&delivery, diagnosis.as_ref())?
    } else {
        text(&delivery) + &describe_diagnosis(diagnosis.as_ref(), &delivery, args)
    };
    Ok(write(text.as_bytes())?)
}

fn json(
    delivery: &ArchivedDelivery,
    diagnosis: Option<&Result<Report, String>>,
) -> Result<String, CommandError> {
    let record = RawValue::from_string(delivery.to_json()).map_err(CommandError::failed)?;
    let opened = Opened {
        delivery: &record,
        diagnosis: diagnosis.and_then(|report| report.as_ref().ok()),
        undiagnosed: diagnosis.and_then(|report| report.as_ref().err()).map(String::as_str),
    };
    Ok(printable_json(&serde_json::to_string(&opened).map_err(CommandError::failed)?) + "\n")
}

/// The diagnosis in words, and what to do next.
fn describe_diagnosis(
    diagnosis: Option<&Result<Report, String>>,
    delivery: &ArchivedDelivery,
    args: &StackArgs,
) -> String {
    let again = format!("{} --id {}", command("replay", args), word(&delivery.request_id));
    match diagnosis {
        None => String::new(),
        Some(Ok(report)) if report.opens => format!(
            "\nWith the credentials that the stack has now: {}To put it on the queue: {again}\n",
            report.to_text()
        ),
        Some(Ok(report)) => format!("\n{}", report.to_text()),
        Some(Err(reason)) => format!("\nNo diagnosis: {}\n", printable(reason)),
    }
}

/// Everything that the archive has of a delivery.
fn text(delivery: &ArchivedDelivery) -> String {
    let record = &delivery.record;
    let reason = record.reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
    let mut text = format!("{}/{}: {}{reason}\n", record.provider, record.source, record.outcome);
    text += &format!("received  {}\nrequest   {}\n", record.time, delivery.request_id);
    if let Some(kind) = &record.kind {
        text += &format!("event     {kind} {}\n", record.id.as_deref().unwrap_or_default());
    }
    for part in &record.omitted {
        let part = serde_json::to_string(part).unwrap_or_default();
        text += &format!("not archived, since it was too large: {}\n", part.trim_matches('"'));
    }
    let mut text = printable_lines(&text);
    text.push('\n');
    text += &request(delivery);
    if let Some(message) = &record.message {
        let indented = Object::parse(message.get()).map(|object| restyle(&object, &INDENTED));
        let message = indented.unwrap_or_else(|_| message.get().to_owned());
        text += &format!("\nQueue message:\n{}\n", printable_lines(&printable_json(&message)));
    }
    text
}

fn request(delivery: &ArchivedDelivery) -> String {
    let record = &delivery.record;
    let read = gateway::read(&record.event).and_then(|event| gateway::request(&record.provider, event));
    let request = match read {
        Ok((_, request)) => request,
        Err(reject) => return printable(&reject.message()) + "\n",
    };
    let mut text = printable(&format!("{} {}", request.method(), request.uri())) + "\n";
    for (name, value) in request.headers() {
        text += &printable(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        text.push('\n');
    }
    if !request.body().is_empty() {
        text += &format!("\n{}\n", printable_lines(&String::from_utf8_lossy(request.body())));
    }
    text
}
