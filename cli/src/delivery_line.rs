//! One delivery on one line of a terminal, as `serve` and the commands of a stack print it.

use std::fmt;

use letterbox_codec::Timestamp;

use crate::terminal::printable;

/// What a line says of a delivery. What is `None` is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryLine<'a> {
    /// The time of receipt.
    pub time: Option<Timestamp>,
    /// Whether the line has the date, too.
    pub has_date: bool,
    /// The outcome's code.
    pub outcome: &'a str,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The provider.
    pub provider: &'a str,
    /// The source.
    pub source: &'a str,
    /// How long the response took, in milliseconds.
    pub milliseconds: Option<f64>,
    /// The event's type.
    pub kind: Option<&'a str>,
    /// The code of the refusal or failure, or the remark on the reply.
    pub reason: Option<&'a str>,
    /// Details for the operator.
    pub detail: Option<&'a str>,
    /// The event's id.
    pub id: Option<&'a str>,
    /// The request id, by which the archive finds the delivery.
    pub request_id: Option<&'a str>,
}

impl fmt::Display for DeliveryLine<'_> {
    /// One line, without the line feed, that a terminal only shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time.unwrap_or(Timestamp(0)).to_string();
        let time = time.get(if self.has_date { 0..19 } else { 11..19 }).unwrap_or_default();
        let mut text = format!("{time}Z  {:<9}", self.outcome);
        if let Some(status) = self.status {
            text += &format!(" {status}");
        }
        text += &format!("  {:<20}", format!("{}/{}", self.provider, self.source));
        if let Some(milliseconds) = self.milliseconds {
            text += &format!("  {milliseconds:>6.1} ms");
        }
        text += &format!("  {}", self.kind.or(self.reason).unwrap_or("-"));
        if let (Some(_), Some(reason)) = (self.kind, self.reason) {
            text += &format!("  {reason}");
        }
        if let Some(detail) = self.detail {
            text += &format!("  ({detail})");
        }
        for id in [self.id, self.request_id].into_iter().flatten() {
            text += &format!("  {id}");
        }
        f.write_str(&printable(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known() {
        let line = DeliveryLine {
            time: Some(Timestamp(1_763_719_200_123)),
            outcome: "refused",
            provider: "github",
            source: "de\u{1b}fault",
            reason: Some("signature_mismatch"),
            ..DeliveryLine::default()
        };
        assert_eq!(line.to_string(), "10:00:00Z  refused    github/de\u{fffd}fault       signature_mismatch");
        let line = DeliveryLine {
            has_date: true,
            outcome: "queued",
            status: Some(202),
            source: "default",
            milliseconds: Some(12.34),
            kind: Some("github.push"),
            reason: Some("remark"),
            detail: Some("detail"),
            id: Some("e1"),
            request_id: Some("r1="),
            ..line
        };
        assert_eq!(
            line.to_string(),
            "2025-11-21T10:00:00Z  queued    202  github/default          12.3 ms  github.push  remark  (detail)  e1  r1="
        );
    }
}
