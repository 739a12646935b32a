//! The answers of DingTalk: the token, and the list of failed pushes.
//!
//! Sources, read 2026-11-27 in the [copy of 2026-08-22](https://github.com/apolloyyu/kb-dingtalk-open-platform):
//! - the failed list: <https://open.dingtalk.com/document/development/obtain-the-event-list-of-failed-push-messages>; at
//!   most 200 records; each call removes what an earlier call returned. It is not among the calls that do not count against the
//!   5,000 a month of a company, so it is called at most every 15 minutes: 2,880 a month.
//! - the token: `POST /v1.0/oauth2/accessToken`, valid for 7,200 s; it does not count.
//! - error codes: <https://open.dingtalk.com/document/development/server-api-error-codes-1>

use letterbox_codec::Timestamp;
use letterbox_outbound::{http::plain, store::LARGEST_ITEM};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits::MINUTE;

/// The least time between two runs that ask for the list, in milliseconds: 15 minutes, and half a minute by which a schedule of
/// 15 minutes may come early.
pub const QUIET: i64 = 15 * MINUTE - MINUTE / 2;

/// The most calls for the list in a run, while DingTalk says that there is more.
pub const MOST_CALLS: usize = 10;

/// The parts of an answer that are stored in one transaction, which has at most 4 MB:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html> (read 2026-11-27).
pub const TOGETHER: usize = 10;

/// What an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records, each as JSON, verbatim; and whether there are more.
    Records(Vec<String>, bool),
    /// The token is not valid any more.
    TokenExpired(String),
    /// Too many calls just now.
    Limited(String),
    /// The calls of the month are used up.
    MonthSpent(String),
    /// The application lacks the permission, or may not call from here.
    Denied(String),
    /// DingTalk is busy.
    Busy(String),
    /// Anything else. What it held is lost.
    Unreadable(String),
}

/// Reads the answer to a call for the list. Every answer has the status 200, but for those of gateways.
pub fn read(body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Written<'a> {
        errcode: i64,
        #[serde(default)]
        errmsg: String,
        #[serde(default)]
        sub_code: Option<Code>,
        #[serde(default)]
        sub_msg: String,
        #[serde(default)]
        has_more: bool,
        #[serde(default, borrow)]
        failed_list: Option<Vec<&'a RawValue>>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Code {
        Number(i64),
        Text(String),
    }
    let written: Option<Written<'_>> =
        std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str(text).ok());
    let Some(written) = written else {
        return Answer::Unreadable(blocked(body).unwrap_or_else(|| "not an answer of DingTalk".to_owned()));
    };
    let sub = match written.sub_code {
        Some(Code::Number(code)) => Some(code),
        Some(Code::Text(text)) => text.parse().ok(),
        None => None,
    };
    let detail = if written.sub_msg.is_empty() { &written.errmsg } else { &written.sub_msg };
    let code = if written.errcode == 88 { sub.unwrap_or(88) } else { written.errcode };
    let what = format!("errcode {code}: {}", plain(detail, 200));
    match code {
        0 => {
            let records = written.failed_list.unwrap_or_default().into_iter();
            Answer::Records(records.map(|record| record.get().to_owned()).collect(), written.has_more)
        }
        33001 | 40001 | 40003 | 40009 | 40014 | 40089 | 41001 | 42001 => Answer::TokenExpired(what),
        90020 => Answer::MonthSpent(what),
        90001..=90018 => Answer::Limited(what),
        -1 => Answer::Busy(what),
        88 | 43007 | 50002 | 60011 | 60020 => Answer::Denied(what),
        _ => Answer::Unreadable(what),
    }
}

/// What the firewall before DingTalk says to an address that calls too often: `{"status":1111,"wait":5,…}` or a page.
fn blocked(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Blocked {
        status: i64,
    }
    let blocked: Blocked = serde_json::from_slice(body).ok()?;
    (blocked.status == 1111).then(|| "this address is blocked for some minutes (status 1111)".to_owned())
}

/// A token, and when it is to be fetched again.
#[derive(Clone)]
pub struct Token {
    /// The token. It is secret.
    pub text: String,
    /// Fetch another then.
    pub until: Timestamp,
}

/// Reads the answer to the request for a token.
pub fn token(body: &[u8], now: Timestamp) -> Result<Token, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Written {
        #[serde(default)]
        access_token: String,
        #[serde(default)]
        expire_in: i64,
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let written: Written =
        serde_json::from_slice(body).map_err(|_| "not an answer of DingTalk".to_owned())?;
    let is_plain =
        !written.access_token.is_empty() && written.access_token.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain {
        let (code, message) = (plain(&written.code, 100), plain(&written.message, 200));
        return Err(if code.is_empty() { "no accessToken".to_owned() } else { format!("{code}: {message}") });
    }
    // A tenth before its end.
    let lifetime = written.expire_in.clamp(0, 7200).saturating_mul(900);
    Ok(Token { text: written.access_token, until: Timestamp(now.0.saturating_add(lifetime)) })
}

/// Packs records into texts of lists that fit into items of the state. A record that is larger than an item gets one of its own.
pub fn pack(records: &[String]) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    for record in records {
        if !part.is_empty() && part.len().saturating_add(record.len()) > LARGEST_ITEM {
            parts.push(format!("[{part}]"));
            part.clear();
        }
        if !part.is_empty() {
            part.push(',');
        }
        part.push_str(record);
    }
    if !part.is_empty() {
        parts.push(format!("[{part}]"));
    }
    parts
}

/// The records of a text that [`pack`] made.
pub fn unpack(part: &str) -> Result<Vec<&RawValue>, String> {
    serde_json::from_str(part).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_code_has_its_meaning() {
        let kind = |body: &str| match read(body.as_bytes()) {
            Answer::Records(records, has_more) => format!("{} {has_more}", records.len()),
            Answer::TokenExpired(_) => "token".into(),
            Answer::Limited(_) => "limited".into(),
            Answer::MonthSpent(_) => "month".into(),
            Answer::Denied(why) => format!("denied {why}"),
            Answer::Busy(_) => "busy".into(),
            Answer::Unreadable(why) => why,
        };
        for (body, expected) in [
            (r#"{"errcode":0,"errmsg":"ok","has_more":true,"failed_list":[{"a":1},2]}"#, "2 true"),
            (r#"{"errcode":0,"errmsg":"ok","has_more":false,"failed_list":[]}"#, "0 false"),
            (r#"{"errcode":0,"failed_list":null}"#, "0 false"),
            (r#"{"errcode":0}"#, "0 false"),
            (r#"{"errcode":42001,"errmsg":"x"}"#, "token"),
            (r#"{"errcode":88,"sub_code":"40014","sub_msg":"x"}"#, "token"),
            (r#"{"errcode":88,"sub_code":60011,"sub_msg":"no \n right"}"#, "denied errcode 60011: no  right"),
            (r#"{"errcode":88,"errmsg":"x"}"#, "denied errcode 88: x"),
            (r#"{"errcode":90018,"errmsg":"x"}"#, "limited"),
            (r#"{"errcode":90002,"errmsg":"x"}"#, "limited"),
            (r#"{"errcode":90020,"errmsg":"x"}"#, "month"),
            (r#"{"errcode":-1,"errmsg":"x"}"#, "busy"),
            (r#"{"errcode":400001,"errmsg":"x"}"#, "errcode 400001: x"),
            (
                r#"{"status":1111,"wait":5,"source":"x5"}"#,
                "this address is blocked for some minutes (status 1111)",
            ),
            ("<html>", "not an answer of DingTalk"),
            ("", "not an answer of DingTalk"),
            ("[]", "not an answer of DingTalk"),
        ] {
            assert_eq!(kind(body), expected, "{body}");
        }
    }

    #[test]
    fn a_token_is_fetched_again_before_its_end() {
        let now = Timestamp(1_000_000);
        let read = token(br#"{"accessToken":"t","expireIn":7200}"#, now).unwrap();
        assert_eq!((read.text.as_str(), read.until.0 - now.0), ("t", 6_480_000));
        for (body, expected) in [
            (r#"{"code":"invalidClientIdOrSecret","message":"bad"}"#, "invalidClientIdOrSecret: bad"),
            ("{}", "no accessToken"),
            (r#"{"accessToken":"a b"}"#, "no accessToken"),
            ("<html>", "not an answer of DingTalk"),
        ] {
            assert_eq!(token(body.as_bytes(), now).err().unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(sizes in prop::collection::vec(0_usize..200_000, 0..30)) {
            let records: Vec<_> = sizes.iter().map(|size| format!("{{ \"x\":\"{}\"}}", "a".repeat(*size))).collect();
            let parts = pack(&records);
            prop_assert!(parts.iter().all(|part| part.len() <= LARGEST_ITEM + 202_000));
            let found: Vec<_> =
                parts.iter().flat_map(|part| unpack(part).unwrap()).map(|one| one.get().to_owned()).collect();
            prop_assert_eq!(found, records);
        }
    }
}
