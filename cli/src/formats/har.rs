//! Reads a request from a HAR (HTTP archive, version 1.2).

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::Timestamp;
use serde::Deserialize;

use super::parts::Parts;
use crate::time;

#[derive(Deserialize)]
struct Archive {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: Option<String>,
    request: Request,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Pair>,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct PostData {
    text: Option<String>,
    /// Not in the standard; some tools set it for a binary body.
    encoding: Option<String>,
    #[serde(default)]
    params: Vec<Pair>,
}

/// The selected entry of the archive.
pub struct Found {
    /// Its request.
    pub parts: Parts,
    /// When it was sent.
    pub sent: Option<Timestamp>,
}

/// Reads entry `number` (from 1); without it, the only entry, or the only one whose URL satisfies `fits`.
pub fn parse(text: &str, number: Option<usize>, fits: impl Fn(&str) -> bool) -> Result<Found, String> {
    let archive: Archive = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        format!("line {}, column {}: expected a HAR with log.entries[].request", error.line(), error.column())
    })?;
    let mut entries = archive.log.entries;
    let count = entries.len();
    let position = match number {
        Some(number) => number.checked_sub(1).filter(|position| *position < count),
        None if count == 1 => Some(0),
        None => {
            let fitting: Vec<_> =
                entries.iter().enumerate().filter(|(_, entry)| fits(&entry.request.url)).collect();
            match fitting.as_slice() {
                [(position, _)] => Some(*position),
                _ => None,
            }
        }
    };
    let position =
        position.ok_or_else(|| format!("it has {count} entries: select one with --entry, from 1"))?;
    let entry = entries.swap_remove(position);
    let sent = entry.started_date_time.as_deref().and_then(|text| time::parse(text).ok());
    let request = entry.request;
    let headers = request
        .headers
        .into_iter()
        // HTTP/2 sends method and path as pseudo-headers.
        .filter(|pair| !pair.name.starts_with(':'))
        .map(|pair| (pair.name, pair.value.into_bytes()))
        .collect();
    let body = request.post_data.map_or(Ok(Vec::new()), body)?;
    Ok(Found { parts: Parts { method: request.method, url: request.url, headers, body }, sent })
}

fn body(data: PostData) -> Result<Vec<u8>, String> {
    match (data.text, data.encoding.as_deref()) {
        (Some(text), Some("base64")) => STANDARD
            .decode(text)
            .map_err(|_| "postData.text: expected base64, as postData.encoding says".to_owned()),
        (Some(text), _) => Ok(text.into_bytes()),
        (None, _) => {
            let pairs = data.params.iter().map(|pair| (&pair.name, &pair.value));
            Ok(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &str) -> String {
        format!(r#"{{"log":{{"version":"1.2","entries":[{entries}]}}}}"#)
    }

    const ONE: &str = r#"{"startedDateTime":"2025-11-21T10:00:00.123Z","request":{"method":"POST","url":"https://h/github","headers":[{"name":":path","value":"/"},{"name":"X-A","value":"b"}],"postData":{"mimeType":"a/b","text":"{}"}}}"#;
    const TWO: &str = r#"{"request":{"method":"GET","url":"https://h/","postData":{"params":[{"name":"a","value":"b c"}]}}}"#;
    const THREE: &str = r#"{"request":{"method":"POST","url":"https://h/github","postData":{"text":"/wA=","encoding":"base64"}}}"#;

    #[test]
    fn an_entry_is_chosen_and_read() {
        let fits = |url: &str| url.ends_with("/github");
        let found = parse(&archive(&format!("{TWO},{ONE}")), None, fits).unwrap();
        assert_eq!(found.sent, Some(Timestamp(1_763_719_200_123)));
        assert_eq!(found.parts.headers, [("X-A".to_owned(), b"b".to_vec())]);
        assert_eq!(found.parts.body, b"{}");
        let found = parse(&archive(&format!("{TWO},{ONE}")), Some(1), fits).unwrap();
        assert_eq!((found.parts.method.as_str(), found.parts.body.as_slice()), ("GET", &b"a=b+c"[..]));
        assert_eq!(parse(&archive(THREE), None, fits).unwrap().parts.body, [0xff, 0]);
    }

    #[test]
    fn invalid_archives_are_reported() {
        for (text, number, expected) in [
            ("{}".to_owned(), None, "expected a HAR"),
            (archive(""), None, "it has 0 entries"),
            (archive(&format!("{ONE},{THREE}")), None, "select one with --entry"),
            (archive(ONE), Some(0), "select one with --entry"),
            (archive(ONE), Some(2), "select one with --entry"),
            (archive(&THREE.replace("/wA=", "%")), None, "postData.text"),
        ] {
            let error = parse(&text, number, |url| url.ends_with("/github")).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }
}
