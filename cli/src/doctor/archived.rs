//! A delivery of a stack's archive as the input of a diagnosis.

use letterbox_codec::Reject;
use letterbox_intake::{archive::Part, gateway};

use super::{Report, diagnosis_input::DiagnosisInput};
use crate::{credentials::Credentials, stack::archive::ArchivedDelivery};

/// What stands in the archive for the value of a header that holds a secret.
pub const MASK: &str = "***";

/// The delivery with these credentials, at its time of receipt. The error says why it cannot be judged.
pub fn input(delivery: &ArchivedDelivery, credentials: &Credentials) -> Result<DiagnosisInput, String> {
    let record = &delivery.record;
    if record.omitted.contains(&Part::Body) {
        return Err("its body was too large for the archive".to_owned());
    }
    let provider = letterbox_registry::find(&record.provider)?;
    let message = |reject: Reject| reject.message().into_owned();
    let event = gateway::read(&record.event).map_err(message)?;
    let (_, request) = gateway::request(provider.name(), event).map_err(message)?;
    Ok(DiagnosisInput {
        provider,
        source: record.source.clone(),
        request,
        now: record.time,
        credentials: credentials.clone(),
    })
}

/// The headers that hold the secret of the delivery's source and are masked in the archive: a delivery that no entry can verify
/// without one of them cannot be judged again. Empty if it can be, or if the credentials say nothing.
pub fn masked(input: &DiagnosisInput) -> Vec<String> {
    let Some(Ok(keys)) = input.credentials.keys(input.provider) else { return Vec::new() };
    let entries = keys.entries(&input.source).unwrap_or_default();
    let masked = entries.iter().map(|entry| {
        let headers = entry.secret_headers().into_iter();
        headers.filter(|name| input.header(name) == Some(MASK)).map(str::to_owned).collect::<Vec<_>>()
    });
    let masked: Vec<_> = masked.collect();
    if masked.iter().any(Vec::is_empty) { Vec::new() } else { masked.concat() }
}

/// True if the delivery cannot be judged with these credentials, because a header that holds the secret is masked.
pub fn is_masked(delivery: &ArchivedDelivery, credentials: &Credentials) -> bool {
    input(delivery, credentials).is_ok_and(|input| !masked(&input).is_empty())
}

/// What the diagnosis says of the delivery with these credentials. The error says why there is no diagnosis.
pub fn report(delivery: &ArchivedDelivery, credentials: &Credentials) -> Result<Report, String> {
    let input = input(delivery, credentials)?;
    let masked = masked(&input);
    if masked.is_empty() {
        return Ok(Report::new(&input, None));
    }
    Err(format!(
        "the archive has no value of the header {}, which holds the secret: such a delivery cannot be judged again",
        masked.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(more: &str, headers: &str) -> ArchivedDelivery {
        let line = format!(
            r#"{{"time":"2026-11-27T03:20:00.123Z","provider":"payment","source":"shop","outcome":"refused","reason":"token_mismatch","id":null,"event":{{"rawPath":"/payment/shop","headers":{headers},"requestContext":{{"requestId":"r1=","http":{{"method":"POST"}}}},"body":"{{}}"}}{more}}}"#
        );
        ArchivedDelivery::parse(line.as_bytes()).unwrap()
    }

    fn credentials(json: &str) -> Credentials {
        [("payment".to_owned(), json.to_owned())].into_iter().collect()
    }

    #[test]
    fn a_delivery_is_judged_at_its_time_of_receipt() {
        let input = input(&delivery("", "{}"), &Credentials::default()).unwrap();
        assert_eq!(
            (input.now.to_string().as_str(), input.source.as_str()),
            ("2026-11-27T03:20:00.123Z", "shop")
        );
        assert_eq!(input.request.body().as_ref(), b"{}");
    }

    #[test]
    fn what_the_archive_does_not_have_is_said() {
        let without_body = delivery(r#","omitted":["message","body"]"#, "{}");
        assert!(input(&without_body, &Credentials::default()).err().unwrap().contains("too large"));
    }

    #[test]
    fn a_masked_secret_cannot_be_judged() {
        const TOKEN: &str = r#"{"algorithm":"token","header":"x-callback","secret":"it is long enough"}"#;
        const SIGNED: &str = r#"{"algorithm":"sha256","header":"x-signature","secret":"it is long enough"}"#;
        for (entries, headers, expected) in [
            (format!("[{TOKEN}]"), r#"{"x-callback":"***"}"#, vec!["x-callback"]),
            (format!("[{TOKEN}]"), r#"{"x-callback":"a"}"#, vec![]),
            (format!("[{TOKEN},{SIGNED}]"), r#"{"x-callback":"***"}"#, vec![]),
            (format!("[{SIGNED}]"), r#"{"x-callback":"***"}"#, vec![]),
        ] {
            let credentials = credentials(&format!(r#"{{"shop":{entries}}}"#));
            let input = input(&delivery("", headers), &credentials).unwrap();
            assert!(input.credentials.keys(input.provider).unwrap().is_ok(), "{entries}");
            assert_eq!(masked(&input), expected, "{entries} {headers}");
        }
        let nothing = input(&delivery("", r#"{"x-callback":"***"}"#), &Credentials::default()).unwrap();
        assert!(masked(&nothing).is_empty());
    }
}
