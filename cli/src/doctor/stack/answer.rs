//! What the response to a probe means.

use std::time::Duration;

use super::{
    probe::{Expected, Kind},
    survey::{Probed, Response},
    verdict::{Level, Verdict},
};
use crate::time::span;

/// More seconds than this between the clocks of AWS and of this machine make signatures invalid.
const LARGEST_SKEW: u64 = 60;

/// Judges a probe of that provider in that stack.
pub fn judge(stack: &str, provider: &str, probed: &Probed) -> Verdict {
    let subject = format!("{provider}/{}", probed.source);
    let problem = |code, explanation: String, remedy: String| {
        Verdict::ok(code, &subject, explanation).level(Level::Problem).remedy(remedy)
    };
    let (kind, expected, response) = match &probed.result {
        Ok(result) => result,
        Err(reason) => {
            let text = format!("No probe was sent: {reason}.");
            return Verdict::ok("not-probed", subject, text).level(Level::Unknown);
        }
    };
    let (status, body, rejected, took, timeout, skew) = match response {
        Response::Nothing(reason) => {
            return problem(
                "unreachable",
                format!("There was no response from {}: {reason}.", probed.url),
                "Check the URL, the DNS record and the network. If the stack is on an emulator, name the URL that it serves with --to.".to_owned(),
            );
        }
        Response::Answered { status, body, rejected, took, timeout, skew } => {
            (*status, body, rejected, *took, *timeout, *skew)
        }
    };
    let is_expected = match expected {
        Expected::Accepted => rejected.is_none(),
        Expected::Refused(refusal) => status == *refusal,
    };
    if is_expected {
        return expected_response(subject, *kind, status, took, timeout);
    }
    let skewed = skew.filter(|skew| skew.unsigned_abs() > LARGEST_SKEW);
    let logs = format!("aws logs tail /aws/lambda/{stack}-{provider} --since 10m");
    let is_gateway = body.trim_start().starts_with("{\"message\":");
    match (status, skewed) {
        (401, Some(skew)) => problem(
            "clock",
            format!("The function refuses the signature of the probe, and its clock differs from that of this machine by {} s.", skew.unsigned_abs()),
            "Set the clock of this machine, and run doctor again.".to_owned(),
        ),
        (401, None) => problem(
            "credentials-differ",
            "The function refuses a signature made with the entry of the secret: it uses other credentials.".to_owned(),
            format!("If you have just changed the secret, wait a minute and run doctor again. If it stays, read `{logs}`: the function keeps its previous credentials if it cannot read the new ones."),
        ),
        (403, _) if is_gateway => problem(
            "forbidden",
            "API Gateway, or a firewall before it, refuses the request with 403; it does not reach the function.".to_owned(),
            "Check that the domain is mapped to this stack's API, and the rules of a firewall or proxy before it.".to_owned(),
        ),
        (404, _) if is_gateway => problem(
            "no-route",
            "API Gateway has no such route (404); the request does not reach the function.".to_owned(),
            "Compare the URL with the outputs of the stack: domain, DomainPath, provider. If it is the same, deploy again.".to_owned(),
        ),
        (404, _) => problem(
            "unknown-source",
            "The function does not know this source (404): it uses other credentials than those of the secret.".to_owned(),
            format!("If you have just changed the secret, wait a minute and run doctor again. If it stays, read `{logs}`."),
        ),
        (413, _) => problem("too-large", "Something before the function refuses the size of the request (413).".to_owned(), "Check the limits of a proxy or firewall before API Gateway.".to_owned()),
        (429, _) => problem(
            "throttled",
            "API Gateway or Lambda refuses requests because there are too many (429); platforms that do not retry lose deliveries.".to_owned(),
            "Raise ThrottlingRate, and compare it with the concurrency quota above.".to_owned(),
        ),
        (503, _) if is_gateway || body.is_empty() => problem(
            "unavailable",
            "The response is 503: the function verified the delivery and could not put it on the queue, or it did not respond in time.".to_owned(),
            format!("Read `{logs}`."),
        ),
        (500 | 502 | 504, _) => problem(
            "cannot-start",
            format!("The response is {status}: the function cannot start, or failed."),
            format!("Read `{logs}`; the line that starts with `cannot start` says what to set."),
        ),
        _ => problem(
            "unexpected",
            format!(
                "The response has status {status}{}; expected was {}.",
                rejected.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default(),
                match expected {
                    Expected::Accepted => "one that the platform accepts".to_owned(),
                    Expected::Refused(refusal) => format!("status {refusal}"),
                }
            ),
            format!("Check that the URL leads to this stack, and that nothing before it changes requests or responses. Read `{logs}`."),
        ),
    }
}

/// What a response shows that is the expected one.
fn expected_response(
    subject: String,
    kind: Kind,
    status: u16,
    took: Duration,
    timeout: Option<Duration>,
) -> Verdict {
    let (about, took_ms) = (kind.about(), milliseconds(took));
    if let Some(timeout) = timeout.filter(|timeout| took > *timeout) {
        let text = format!("The response to {about} took {took_ms}; the platform waits {}.", span(timeout));
        return Verdict::ok("too-slow", subject, text).level(Level::Problem).remedy(
            "Run it again: the first request after a pause starts the function. If it stays slow, look at the metric AnswerLatency on the dashboard.",
        );
    }
    let shown = match kind {
        Kind::Test | Kind::Signed => "route, function and credentials are right",
        Kind::Unsigned => {
            "route and function are right, and the credentials load; only a delivery of the platform shows whether the key is its own"
        }
    };
    Verdict::ok("probe", subject, format!("{about} got status {status} in {took_ms}, as expected: {shown}"))
}

fn milliseconds(took: Duration) -> String {
    format!("{} ms", took.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(kind: Kind, expected: Expected, response: Response) -> Probed {
        Probed {
            source: "default".to_owned(),
            url: "https://h/github/default".to_owned(),
            result: Ok((kind, expected, response)),
        }
    }

    fn answered(status: u16, body: &str) -> Response {
        Response::Answered {
            status,
            body: body.to_owned(),
            rejected: Some("expected status 200".to_owned()),
            took: Duration::from_millis(20),
            timeout: Some(Duration::from_secs(1)),
            skew: Some(0),
        }
    }

    #[test]
    fn each_response_has_its_meaning() {
        const GATEWAY: &str = r#"{"message":"Forbidden"}"#;
        for (expected, status, body, code) in [
            (Expected::Refused(400), 400, "", "probe"),
            (Expected::Refused(400), 401, "", "credentials-differ"),
            (Expected::Refused(400), 403, GATEWAY, "forbidden"),
            (Expected::Refused(400), 403, "<html>", "unexpected"),
            (Expected::Refused(400), 404, GATEWAY, "no-route"),
            (Expected::Refused(400), 404, "", "unknown-source"),
            (Expected::Refused(400), 413, "", "too-large"),
            (Expected::Refused(400), 429, GATEWAY, "throttled"),
            (Expected::Refused(400), 500, GATEWAY, "cannot-start"),
            (Expected::Refused(400), 502, "", "cannot-start"),
            (Expected::Refused(400), 503, GATEWAY, "unavailable"),
            (Expected::Refused(400), 504, "", "cannot-start"),
            (Expected::Refused(400), 200, "", "unexpected"),
            (Expected::Accepted, 200, "", "unexpected"),
            (Expected::Accepted, 401, "", "credentials-differ"),
        ] {
            let verdict = judge("hooks", "github", &probed(Kind::Signed, expected, answered(status, body)));
            assert_eq!(verdict.code, code, "{status} {body}");
            assert_eq!(verdict.is_finding(), code != "probe");
            assert_eq!(verdict.remedy.is_some(), code != "probe");
        }
    }

    #[test]
    fn an_accepted_test_is_right_unless_it_came_too_late() {
        let response = |took| Response::Answered {
            status: 200,
            body: String::new(),
            rejected: None,
            took: Duration::from_millis(took),
            timeout: Some(Duration::from_secs(1)),
            skew: None,
        };
        for (took, code) in [(1000, "probe"), (1001, "too-slow")] {
            let verdict = judge("hooks", "wecom", &probed(Kind::Test, Expected::Accepted, response(took)));
            assert_eq!(verdict.code, code);
        }
    }

    #[test]
    fn a_wrong_clock_is_named_before_the_credentials() {
        let mut response = answered(401, "");
        if let Response::Answered { skew, .. } = &mut response {
            *skew = Some(-3600);
        }
        let verdict = judge("hooks", "slack", &probed(Kind::Test, Expected::Accepted, response));
        assert_eq!(verdict.code, "clock");
        assert!(verdict.explanation.contains("3600 s"));
    }

    #[test]
    fn no_response_and_no_probe_are_findings() {
        let nothing = Response::Nothing("connection refused".to_owned());
        let verdict = judge("hooks", "github", &probed(Kind::Signed, Expected::Refused(400), nothing));
        assert_eq!((verdict.code, verdict.level), ("unreachable", Level::Problem));
        let unbuilt = Probed { source: "default".into(), url: String::new(), result: Err("no key".into()) };
        let verdict = judge("hooks", "github", &unbuilt);
        assert_eq!((verdict.code, verdict.level), ("not-probed", Level::Unknown));
    }
}
