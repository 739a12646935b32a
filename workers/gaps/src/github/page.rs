//! A page of GitHub's list of deliveries, newest first.

use http::HeaderMap;
use letterbox_codec::{Timestamp, timestamp::Unit};
use letterbox_outbound::http::plain;
use serde::Deserialize;

/// The rows that a page is asked for: the most that GitHub gives.
pub const ROWS: usize = 100;

/// The longest GUID and cursor that are taken from a response, in bytes.
const LONGEST: usize = 256;

/// One attempt of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id. Since 2026 they exceed what a double holds exactly.
    pub id: u64,
    /// The same for all attempts of a delivery.
    pub guid: String,
    /// When GitHub attempted it.
    pub delivered_at: Timestamp,
    /// True if it was asked for.
    pub is_redelivery: bool,
    /// True if the receiver accepted it.
    pub is_ok: bool,
    /// The event's name, such as `push`.
    pub event: String,
}

/// A page, and where the next one is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its rows, newest first.
    pub rows: Vec<Row>,
    /// The cursor of the next page; `None` if this is the last.
    pub next: Option<String>,
}

/// A row as GitHub writes it. What is not used is not read.
#[derive(Deserialize)]
struct Written {
    id: u64,
    guid: String,
    delivered_at: String,
    #[serde(default)]
    redelivery: bool,
    status: String,
    #[serde(default)]
    event: String,
}

/// Reads a page. The error says what was expected.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Page, String> {
    let written: Vec<Written> = serde_json::from_slice(body).map_err(|error| {
        format!("not a list of deliveries (line {}, column {})", error.line(), error.column())
    })?;
    let rows = written.into_iter().map(|row| {
        let delivered_at = Timestamp::parse(&row.delivered_at, Unit::Rfc3339);
        let delivered_at = delivered_at.ok_or("delivered_at: expected a time in RFC 3339")?;
        if row.guid.is_empty()
            || row.guid.len() > LONGEST
            || !row.guid.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err("guid: expected a GUID".to_owned());
        }
        Ok(Row {
            id: row.id,
            guid: row.guid,
            delivered_at,
            is_redelivery: row.redelivery,
            is_ok: row.status == "OK",
            event: plain(&row.event, 64),
        })
    });
    Ok(Page { rows: rows.collect::<Result<_, _>>()?, next: next(headers) })
}

/// The cursor of the link to the next page. Only the cursor is used, never the link: it could lead to another host.
fn next(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
    let url = values.flat_map(links).find(|(_, relation)| relation == "next")?.0;
    let query = url.split_once('?')?.1.split('#').next().unwrap_or_default();
    let cursor = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "cursor")?.1;
    let is_plain =
        (1..=LONGEST).contains(&cursor.len()) && cursor.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then(|| cursor.into_owned())
}

/// The links of a `Link` header (RFC 8288): target and relation. A comma or semicolon in a target or in quotation marks
/// separates nothing.
fn links(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, after)) = after.split_once('>') else { break };
        let (parameters, after) = until_comma(after);
        rest = after;
        let relations = parameters.iter().filter_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("rel").then(|| value.trim().trim_matches('"'))
        });
        for relation in relations.take(1).flat_map(str::split_ascii_whitespace) {
            found.push((target.to_owned(), relation.to_ascii_lowercase()));
        }
    }
    found
}

/// The parameters of a link, up to the comma before the next one, and what is behind it.
fn until_comma(text: &str) -> (Vec<&str>, &str) {
    let (mut parameters, mut start, mut is_quoted) = (Vec::new(), 0, false);
    let mut end = text.len();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b';' | b',' if !is_quoted => {
                parameters.extend(text.get(start..at));
                start = at.saturating_add(1);
                if byte == b',' {
                    end = start;
                    return (parameters, text.get(end..).unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    parameters.extend(text.get(start..end));
    (parameters, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor(link: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("link", link.parse().unwrap());
        next(&headers)
    }

    #[test]
    fn the_next_page_is_the_cursor_of_its_link() {
        let next = "<https://api.github.com/repositories/1/hooks/2/deliveries?per_page=100&cursor=v1_4%3D>; rel=\"next\"";
        for (link, expected) in [
            (next.to_owned(), Some("v1_4=")),
            (format!("<https://api.github.com/x?cursor=first>; rel=\"first\", {next}"), Some("v1_4=")),
            (
                "<https://evil.example/?cursor=a,b;c>; title=\"x, y; z\"; rel=\"next last\"".to_owned(),
                Some("a,b;c"),
            ),
            ("<https://a/?cursor=c>; REL=next".to_owned(), Some("c")),
            ("<https://a/?cursor=c>; rel=prev".to_owned(), None),
            ("<https://a/?cursor=>; rel=next".to_owned(), None),
            ("<https://a/?cursor=a%0Ab>; rel=next".to_owned(), None),
            ("<https://a/>; rel=next".to_owned(), None),
            ("<https://a/?cursor=c; rel=next".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(cursor(&link).as_deref(), expected, "{link}");
        }
    }

    #[test]
    fn ids_are_exact_beyond_what_a_double_holds() {
        let body = br#"[{"id":3804004623172239366,"guid":"g","delivered_at":"2026-11-27T03:00:00Z","redelivery":false,
            "duration":0.03,"status":"OK","status_code":200,"event":"issues","action":null,"installation_id":1,"repository_id":2,
            "throttled_at":null,"new":{}},
            {"id":18446744073709551615,"guid":"h","delivered_at":"2026-11-27T02:00:00.5+08:00","status":"failed to connect"}]"#;
        let page = read(&HeaderMap::new(), body).unwrap();
        assert_eq!((page.rows[0].id, page.rows[1].id), (3_804_004_623_172_239_366, u64::MAX));
        assert_eq!((page.rows[0].is_ok, page.rows[1].is_ok), (true, false));
        assert_eq!(page.rows[1].delivered_at, Timestamp(1_795_716_000_500));
        assert_eq!(page.next, None);
    }

    #[test]
    fn garbage_is_an_error() {
        for body in [
            "",
            "{}",
            "<html>",
            "[1]",
            r#"[{"id":1.5,"guid":"g","delivered_at":"2026-11-27T03:00:00Z","status":"OK"}]"#,
            r#"[{"id":1,"guid":"","delivered_at":"2026-11-27T03:00:00Z","status":"OK"}]"#,
            r#"[{"id":1,"guid":"g","delivered_at":"yesterday","status":"OK"}]"#,
        ] {
            assert!(read(&HeaderMap::new(), body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(read(&HeaderMap::new(), b"[]"), Ok(Page::default()));
    }

    proptest! {
        #[test]
        fn no_header_panics(link in "[ -~]{0,200}") {
            let _ = links(&link);
            let _ = cursor(&link);
        }
    }
}
