//! How a URL of the page names a delivery of the archive, and a place in the list.

use letterbox_codec::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::stack::archive::Position;

/// What is percent-encoded in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'=');

/// The key of a delivery, percent-encoded: its time of receipt, which says where to look for it, and its request id.
pub fn key(position: &Position) -> String {
    let Position { time: Timestamp(time), request_id } = position;
    format!("{time}-{}", utf8_percent_encode(request_id, SEGMENT))
}

/// Reads a key that was percent-decoded.
pub fn position(key: &str) -> Option<Position> {
    let (time, request_id) = key.split_once('-')?;
    let time = time.parse().ok().map(Timestamp)?;
    (!request_id.is_empty()).then(|| Position { time, request_id: request_id.to_owned() })
}

/// Where the list begins. It begins with the newest delivery if both are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Cursor {
    /// The key of the last delivery of the page before.
    after: String,
    /// The time up to which the page before has looked, in milliseconds since the epoch.
    reached: Option<i64>,
}

impl Cursor {
    /// The cursor that continues after what a page has shown.
    pub fn new(after: Option<&Position>, reached: Option<Timestamp>) -> Self {
        let after = after.map(|Position { time, request_id }| format!("{}-{request_id}", time.0));
        Self { after: after.unwrap_or_default(), reached: reached.map(|Timestamp(reached)| reached) }
    }

    /// True if the list begins with the newest delivery.
    pub fn is_start(&self) -> bool {
        *self == Self::default()
    }

    /// The last delivery of the page before.
    pub fn after(&self) -> Option<Position> {
        position(&self.after)
    }

    /// The time up to which the page before has looked.
    pub fn reached(&self) -> Option<Timestamp> {
        self.reached.map(Timestamp)
    }

    /// As parameters of a query string.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let after = Some(self.after.clone()).filter(|after| !after.is_empty());
        let reached = self.reached.map(|reached| reached.to_string());
        [("after", after), ("reached", reached)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;

    use super::*;

    #[test]
    fn a_key_names_time_and_request() {
        for (time, request_id, expected) in [
            (1_795_749_600_123, "JKJaXmPLvHcESHA=", "1795749600123-JKJaXmPLvHcESHA="),
            (0, "a-b/?# \u{e9}", "0-a-b%2F%3F%23%20%C3%A9"),
        ] {
            let position = Position { time: Timestamp(time), request_id: request_id.to_owned() };
            let key = key(&position);
            assert_eq!(key, expected);
            let decoded = percent_decode_str(&key).decode_utf8().unwrap();
            assert_eq!(super::position(&decoded), Some(position));
        }
        for wrong in ["", "1", "1-", "-a", "x-a", "1e3-a"] {
            assert_eq!(position(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_cursor_survives_its_url() {
        let position = Position { time: Timestamp(5), request_id: "a=&b".to_owned() };
        for (cursor, is_start) in [
            (Cursor::default(), true),
            (Cursor::new(Some(&position), None), false),
            (Cursor::new(None, Some(Timestamp(7))), false),
            (Cursor::new(Some(&position), Some(Timestamp(7))), false),
        ] {
            let mut query = form_urlencoded::Serializer::new(String::new());
            let read = query.extend_pairs(cursor.parameters()).finish();
            let uri = format!("/deliveries?{read}").parse().unwrap();
            let axum::extract::Query(read) = axum::extract::Query::<Cursor>::try_from_uri(&uri).unwrap();
            assert_eq!((read.is_start(), read.after()), (is_start, cursor.after()));
            assert_eq!(read, cursor);
        }
    }
}
