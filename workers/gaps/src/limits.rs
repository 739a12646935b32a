//! What a platform's response means for the requests after it: go on, wait, try again, or give up.

use http::{HeaderMap, StatusCode};
use letterbox_codec::Timestamp;
use letterbox_outbound::http::plain;

/// The longest wait that a response may ask for. More is an error of the server, or of a proxy.
const LONGEST: i64 = 6 * HOUR;

/// The wait if a platform limits requests and does not say for how long. GitHub asks for at least a minute:
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api> (read 2026-11-27).
const UNSTATED: i64 = MINUTE;

const SECOND: i64 = 1000;
/// In milliseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// In milliseconds.
pub const HOUR: i64 = 60 * MINUTE;

/// What a response means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request succeeded.
    Fine,
    /// The request succeeded, and it was the last that is allowed before this time.
    Last(Timestamp),
    /// No request is allowed before this time.
    Wait(Timestamp),
    /// The server failed: the same request may succeed later.
    Retry(String),
    /// The credentials do not allow it.
    Denied(String),
    /// There is no such thing, or the credentials do not show it.
    Missing(String),
    /// Anything else: the same request would fail again.
    Failed(String),
}

/// The verdict on a response of GitHub or Stripe. `body` is its beginning, as text.
///
/// GitHub limits requests with 403 or 429: by `retry-after`, by `x-ratelimit-remaining: 0` until `x-ratelimit-reset`, or
/// by neither of the two (secondary limits). Stripe limits with 429.
pub fn verdict(status: StatusCode, headers: &HeaderMap, body: &str, now: Timestamp) -> Verdict {
    let spent = (number(headers, "x-ratelimit-remaining") == Some(0))
        .then(|| number(headers, "x-ratelimit-reset"))
        .flatten()
        .map(|seconds| bounded(now, Timestamp(seconds.saturating_mul(SECOND))));
    if status.is_success() {
        return spent.map_or(Verdict::Fine, Verdict::Last);
    }
    let what = || format!("HTTP {}{}", status.as_u16(), message(body));
    let is_limited = status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::FORBIDDEN
            && (headers.contains_key("retry-after")
                || spent.is_some()
                || body.to_ascii_lowercase().contains("rate limit")));
    if is_limited {
        let after = number(headers, "retry-after").map(|seconds| {
            let wait = seconds.clamp(1, LONGEST / SECOND).saturating_mul(SECOND);
            Timestamp(now.0.saturating_add(wait))
        });
        let unstated = Timestamp(now.0.saturating_add(UNSTATED));
        return Verdict::Wait(after.or(spent).unwrap_or(unstated));
    }
    match status.as_u16() {
        401 | 403 => Verdict::Denied(what()),
        404 | 410 => Verdict::Missing(what()),
        408 | 500..=599 => Verdict::Retry(what()),
        _ => Verdict::Failed(what()),
    }
}

/// A time from a response, at least a second and at most [`LONGEST`] ahead.
fn bounded(now: Timestamp, at: Timestamp) -> Timestamp {
    let least = now.0.saturating_add(SECOND);
    Timestamp(at.0.clamp(least, now.0.saturating_add(LONGEST).max(least)))
}

/// The value of a header that is a whole number. `Retry-After` may be a date, which neither platform sends.
fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let is_number = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// The message of an error body: both platforms have one, in `message` and in `error.message`.
fn message(body: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let text = json.get("message").or_else(|| json.get("error")?.get("message"));
    let text = text.and_then(serde_json::Value::as_str).unwrap_or_default();
    if text.is_empty() { String::new() } else { format!(": {}", plain(text, 200)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn judged(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Verdict {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        verdict(StatusCode::from_u16(status).unwrap(), &headers.collect(), body, NOW)
    }

    fn after(milliseconds: i64) -> Timestamp {
        Timestamp(NOW.0 + milliseconds)
    }

    #[test]
    fn limits_of_every_kind_are_waits() {
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795000090")];
        for (status, headers, body, expected) in [
            (403, &[("retry-after", "30")][..], "", after(30_000)),
            (429, &[("retry-after", "30")], "", after(30_000)),
            (403, &spent, "", after(90_000)),
            (429, &spent, "", after(90_000)),
            // Retry-After wins: both docs say to obey it first.
            (403, &[("retry-after", "30"), spent[0], spent[1]], "", after(30_000)),
            (403, &[], r#"{"message":"You have exceeded a secondary rate limit."}"#, after(MINUTE)),
            (429, &[], "", after(MINUTE)),
            (429, &[("retry-after", "Fri, 27 Nov 2026 03:00:00 GMT")], "", after(MINUTE)),
            (429, &[("retry-after", "0")], "", after(1000)),
            (429, &[("retry-after", "99999999999999999")], "", after(LONGEST)),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")], "", after(1000)),
        ] {
            assert_eq!(judged(status, headers, body), Verdict::Wait(expected), "{status} {headers:?}");
        }
        assert_eq!(judged(200, &spent, ""), Verdict::Last(after(90_000)));
        assert_eq!(judged(200, &[("x-ratelimit-remaining", "1"), spent[1]], ""), Verdict::Fine);
    }

    #[test]
    fn other_statuses_are_told_apart() {
        let body = r#"{"message":"Bad credentials\u0007"}"#;
        assert_eq!(judged(401, &[], body), Verdict::Denied("HTTP 401: Bad credentials".into()));
        let body = r#"{"error":{"message":"no"}}"#;
        assert_eq!(judged(403, &[], body), Verdict::Denied("HTTP 403: no".into()));
        assert_eq!(judged(404, &[], "<html>"), Verdict::Missing("HTTP 404".into()));
        for status in [500, 502, 503, 504, 408] {
            assert_eq!(judged(status, &[], ""), Verdict::Retry(format!("HTTP {status}")));
        }
        for status in [301, 400, 422] {
            assert_eq!(judged(status, &[], ""), Verdict::Failed(format!("HTTP {status}")));
        }
        assert_eq!(judged(202, &[], ""), Verdict::Fine);
    }
}
