//! One entry of the credentials.

use std::num::NonZeroU32;

use letterbox_codec::signature::{Description, Key, Scheme, SchemeError};
use serde::Deserialize;

/// The header with the signature.
pub(crate) const SIGNATURE: &str = "x-slack-signature";

/// The signing secret of one app.
#[derive(Deserialize)]
#[serde(try_from = "Entry")]
pub struct Credentials {
    pub(crate) secret: Key,
    pub(crate) scheme: Scheme,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(deserialize_with = "Key::from_text")]
    secret: Key,
    /// The largest difference between the signed timestamp and now, in seconds. The default is Slack's own:
    /// <https://docs.slack.dev/authentication/verifying-requests-from-slack> (read 2026-11-26).
    tolerance: Option<NonZeroU32>,
}

/// Five minutes.
const TOLERANCE: u32 = 300;

impl TryFrom<Entry> for Credentials {
    type Error = SchemeError;

    fn try_from(entry: Entry) -> Result<Self, SchemeError> {
        let scheme = Scheme::new(Description {
            header: SIGNATURE.into(),
            prefix: "v0=".into(),
            template: "v0:{timestamp}:{body}".into(),
            timestamp_header: Some("x-slack-request-timestamp".into()),
            tolerance: entry.tolerance.map_or(TOLERANCE, NonZeroU32::get),
            ..Description::default()
        })?;
        Ok(Self { secret: entry.secret, scheme })
    }
}

#[cfg(test)]
mod tests {
    use letterbox_codec::{Request, Timestamp};

    use super::*;

    #[test]
    fn a_timestamp_is_at_most_the_tolerance_away() {
        for (entry, seconds) in [(r#"{"secret":"k"}"#, 300), (r#"{"secret":"k","tolerance":60}"#, 60)] {
            let Credentials { secret, scheme } = serde_json::from_str(entry).unwrap();
            let now = 1_795_255_200_000;
            let mut request = Request::new("{}".into());
            scheme.sign(&secret, &mut request, Timestamp(now), "").unwrap();
            for (later, is_fresh) in [(0, true), (seconds * 1000, true), (seconds * 1000 + 1, false)] {
                for now in [now + later, now - later] {
                    assert_eq!(scheme.verify(&secret, &request, Timestamp(now)).is_ok(), is_fresh, "{now}");
                }
            }
        }
    }
}
