//! What the codes of the platforms mean, as rows of data.

use std::ops::RangeInclusive;

use crate::trouble::Meaning;

/// What the client does about an answer that is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The token has ended: fetch another, once, and repeat the call. The second time, it is [`Meaning::Stop`].
    Token,
    /// Temporary: repeat the call after pauses. If it still fails, it means the second.
    Again(Pause, Meaning),
    /// Return it to the caller.
    Final(Meaning),
}

/// How long the first pause before a repeated call is; it doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// A fifth of a second: the platform was busy.
    Short,
    /// A second, for all calls of that API: too many calls in a second.
    Second,
    /// 20 seconds, for all calls of that API: too many calls in a minute.
    Minute,
}

/// Codes with the same meaning.
#[derive(Clone, Debug)]
pub struct Row {
    /// The codes.
    pub codes: RangeInclusive<i64>,
    /// What to do.
    pub reaction: Reaction,
    /// What they say, for the operator.
    pub says: &'static str,
}

/// A row of one code.
pub const fn row(code: i64, reaction: Reaction, says: &'static str) -> Row {
    Row { codes: code..=code, reaction, says }
}

/// A row of several codes that follow each other.
pub const fn rows(codes: RangeInclusive<i64>, reaction: Reaction, says: &'static str) -> Row {
    Row { codes, reaction, says }
}

/// The row of a code.
pub fn find(table: &'static [Row], code: i64) -> Option<&'static Row> {
    table.iter().find(|row| row.codes.contains(&code))
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to do.
    pub reaction: Reaction,
    /// `errcode`, if there is one.
    pub code: Option<i64>,
    /// What it says, without token, URL and personal data.
    pub message: String,
}

impl Failure {
    /// A failure without a code.
    pub fn new(reaction: Reaction, message: impl Into<String>) -> Self {
        Self { reaction, code: None, message: message.into() }
    }

    /// A code of a table. `text` is the platform's message, of which only what cannot be personal data is used.
    pub fn of_code(table: &'static [Row], code: i64, text: &str) -> Self {
        let (reaction, says) = match find(table, code) {
            Some(row) => (row.reaction, row.says.to_owned()),
            None => (Reaction::Final(Meaning::Bug), unknown(text)),
        };
        let message = match address(text) {
            Some(address) if code == UNTRUSTED => format!("{says}: {address}"),
            _ => says,
        };
        Self { reaction, code: Some(code), message }
    }
}

/// Both platforms: the caller's address is not in the list of trusted addresses.
const UNTRUSTED: i64 = 60020;

/// The address in the message of 60020, `…, from ip: 203.0.113.7, more info at …`.
fn address(text: &str) -> Option<core::net::IpAddr> {
    let after = text.split_once("ip:")?.1.trim_start();
    after.split([',', ' ', ']']).next()?.parse().ok()
}

/// The message of an unknown code: words of letters alone, since a number, an address or a token may be personal data or secret.
fn unknown(text: &str) -> String {
    let is_word = |word: &&str| {
        word.len() <= 20 && word.bytes().all(|byte| byte.is_ascii_lowercase() || b",.".contains(&byte))
    };
    // What follows is for WeCom's own search page.
    let text = text.split("hint").next().unwrap_or_default();
    let words: Vec<_> = text.split_whitespace().filter(is_word).take(12).collect();
    if words.is_empty() {
        "an unknown code".to_owned()
    } else {
        format!("an unknown code: {}", words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Row] = &[
        row(-1, Reaction::Again(Pause::Short, Meaning::Retry), "busy"),
        rows(90_001..=90_014, Reaction::Again(Pause::Second, Meaning::Later), "too many calls"),
        row(60_020, Reaction::Final(Meaning::Stop), "this address is not trusted"),
    ];

    #[test]
    fn a_code_is_found_in_its_range() {
        for (code, says) in
            [(-1, Some("busy")), (90_001, Some("too many calls")), (90_014, Some("too many calls"))]
        {
            assert_eq!(find(TABLE, code).map(|row| row.says), says);
        }
        assert!(find(TABLE, 90_015).is_none());
    }

    #[test]
    fn only_an_untrusted_address_is_named() {
        let text =
            "not allow to access from your ip, hint: [1643_a], from ip: 203.0.113.7, more info at https://x";
        assert_eq!(Failure::of_code(TABLE, 60_020, text).message, "this address is not trusted: 203.0.113.7");
        assert_eq!(Failure::of_code(TABLE, 60_020, "no").message, "this address is not trusted");
        assert_eq!(Failure::of_code(TABLE, -1, text).message, "busy");
    }

    #[test]
    fn the_message_of_an_unknown_code_has_no_personal_data() {
        let text = "mobile +8613800001111 of 张三 a@b.cn is taken, token=abcdef hint: [zhang san]";
        let failure = Failure::of_code(TABLE, 5, text);
        assert_eq!(failure.message, "an unknown code: mobile of is taken,");
        assert_eq!(failure.reaction, Reaction::Final(Meaning::Bug));
        assert_eq!(Failure::of_code(TABLE, 5, "张三").message, "an unknown code");
    }
}
