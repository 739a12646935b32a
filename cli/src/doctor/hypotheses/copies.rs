//! A secret that is not quite the one that was copied: with more around it, or with its characters written differently.
//!
//! Details name what was found and where, and never a value.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::doctor::{
    causes::{self, Cause},
    diagnosis_input::DiagnosisInput,
    finding::{Finding, Variants},
    signing::schemes,
};

/// The fields that contain what was copied from a console. Whitespace in the others may be meant.
const COPIED: [&str; 7] = ["secret", "token", "aes_key", "api_v3_key", "owner_key", "public_key", "keys"];

/// Characters that no one sees and `trim` keeps.
const INVISIBLE: [char; 6] = ['\u{feff}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{ad}'];

/// Quotes that come along when a value is copied.
const QUOTES: [(&str, &str); 9] = [
    ("\\\"", "\\\""),
    ("\"", "\""),
    ("'", "'"),
    ("`", "`"),
    ("\u{201c}", "\u{201d}"),
    ("\u{2018}", "\u{2019}"),
    ("\u{ab}", "\u{bb}"),
    ("<", ">"),
    ("&quot;", "&quot;"),
];

/// What characters are called.
const NAMES: [(char, &str); 4] =
    [('\n', "a line feed"), ('\r', "a carriage return"), (' ', "a space"), ('\t', "a tab")];

/// Corrects a text, and describes its fault; `None` if it does not have the fault.
type Fix = fn(&str) -> Option<(String, Cow<'static, str>)>;

pub(super) fn white_space(delivery: &DiagnosisInput) -> Variants<'_> {
    of(delivery, &causes::SECRET_HAS_WHITESPACE, &[trimmed])
}

pub(super) fn quotes(delivery: &DiagnosisInput) -> Variants<'_> {
    of(delivery, &causes::SECRET_HAS_QUOTES, &[unquoted])
}

pub(super) fn extra_text(delivery: &DiagnosisInput) -> Variants<'_> {
    of(
        delivery,
        &causes::SECRET_HAS_EXTRA_TEXT,
        &[without_ending, without_assignment, first_line, last_line, first_half],
    )
}

pub(super) fn altered(delivery: &DiagnosisInput) -> Variants<'_> {
    const FIXES: &[Fix] = &[from_json, from_html, from_url, from_mail, from_office, without_spaces];
    of(delivery, &causes::SECRET_ALTERED, FIXES)
}

pub(super) fn without_prefix(delivery: &DiagnosisInput) -> Variants<'_> {
    of(delivery, &causes::SECRET_ALTERED, &[with_prefix])
}

/// One variant for each fix that applies.
fn of<'d>(delivery: &'d DiagnosisInput, cause: &'static Cause, fixes: &'static [Fix]) -> Variants<'d> {
    let variants = fixes.iter().filter_map(|fix| corrected(delivery, *fix));
    Box::new(variants.map(move |(delivery, places)| Finding::new(cause, places).corrected(delivery)))
}

fn trimmed(text: &str) -> Option<(String, Cow<'static, str>)> {
    let outside = |character: char| character.is_whitespace() || INVISIBLE.contains(&character);
    let inner = text.trim_matches(outside);
    if inner == text || inner.is_empty() {
        return None;
    }
    let name = |character: Option<char>| {
        let found = NAMES.iter().find(|(known, _)| Some(*known) == character);
        found.map_or("an invisible character", |(_, name)| name)
    };
    let described = if text.ends_with(inner) {
        format!("starts with {}", name(text.chars().next()))
    } else {
        format!("ends with {}", name(text.chars().next_back()))
    };
    Some((inner.to_owned(), described.into()))
}

fn unquoted(text: &str) -> Option<(String, Cow<'static, str>)> {
    let inner = QUOTES.iter().find_map(|(open, close)| {
        text.trim().strip_prefix(open)?.strip_suffix(close).filter(|inner| !inner.trim().is_empty())
    })?;
    Some((inner.trim().to_owned(), "has quotes around it".into()))
}

/// What stands at the end of a text that was copied from a terminal or from code.
const ENDINGS: [(&str, &str); 9] = [
    ("%", "ends with `%`, which zsh prints after an output without a line feed at its end"),
    ("\u{23ce}", "ends with `⏎`, which fish prints after an output without a line feed at its end"),
    ("$", "ends with `$`, as the prompt of a shell"),
    ("#", "ends with `#`, as the prompt of a shell"),
    ("\",", "ends with a quote and a comma"),
    (",", "ends with a comma"),
    (";", "ends with a semicolon"),
    ("\\", "ends with a backslash"),
    (".", "ends with a full stop"),
];

fn without_ending(text: &str) -> Option<(String, Cow<'static, str>)> {
    let text = text.trim_end();
    let (rest, described) =
        ENDINGS.iter().find_map(|(ending, described)| Some((text.strip_suffix(ending)?, *described)))?;
    (!rest.trim().is_empty()).then(|| (rest.trim_end().to_owned(), described.into()))
}

/// Words before a value: of a header, of a shell, of a form.
const WORDS: [&str; 12] =
    ["bearer", "token", "basic", "apikey", "export", "set", "setx", "declare", "const", "let", "var", "-"];

/// `Bearer …`, `export NAME=…`, `NAME: …`.
fn without_assignment(text: &str) -> Option<(String, Cow<'static, str>)> {
    let mut rest = text.trim();
    let mut described = None;
    while let Some((word, after)) = rest.split_once(char::is_whitespace) {
        if !WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)) {
            break;
        }
        rest = after.trim_start();
        described = Some("starts with a word such as `Bearer` or `export`");
    }
    // PowerShell's form of a variable of the environment.
    rest = rest.strip_prefix("$env:").unwrap_or(rest);
    let named = rest.split_once(['=', ':']).filter(|(name, value)| {
        let name = name.trim().trim_matches(['"', '\'']);
        let in_name = |character: char| character.is_ascii_alphanumeric() || "_-.$ ".contains(character);
        !name.is_empty() && name.chars().all(in_name) && !value.trim_matches(['=', ' ']).is_empty()
    });
    if let Some((_, value)) = named {
        rest = value.trim();
        described = Some("starts with a name and `=` or `:`");
    }
    let described = described?;
    let bare = rest.trim_end_matches([';', ',']);
    let bare = unquoted(bare).map_or_else(|| bare.to_owned(), |(inner, _)| inner);
    (!bare.is_empty()).then(|| (bare, described.into()))
}

/// A key or certificate has lines of its own.
fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN")
}

fn first_line(text: &str) -> Option<(String, Cow<'static, str>)> {
    let (first, _) = text.trim().split_once('\n').filter(|_| !is_pem(text))?;
    Some((first.trim().to_owned(), "has more than one line".into()))
}

fn last_line(text: &str) -> Option<(String, Cow<'static, str>)> {
    let (_, last) = text.trim().rsplit_once('\n').filter(|_| !is_pem(text))?;
    Some((last.trim().to_owned(), "has more than one line".into()))
}

fn first_half(text: &str) -> Option<(String, Cow<'static, str>)> {
    let (first, second) = text.split_at_checked(text.len() / 2)?;
    (first == second && !first.is_empty()).then(|| (first.to_owned(), "is there twice".into()))
}

/// The escapes of JSON, and those of JavaScript, C and shells that look alike.
fn from_json(text: &str) -> Option<(String, Cow<'static, str>)> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let (character, after) = escaped(escape)?;
        plain.push(character);
        rest = after;
    }
    plain.push_str(rest);
    // A line feed at the end is one that someone escaped twice.
    let bare = plain.trim_end();
    let described = if bare.len() < plain.len() {
        "ends with a backslash and a letter, an escaped line feed (`\\n`), carriage return or tab"
    } else {
        "has escapes with a backslash in it, such as `\\u003D`, `\\/` or `\\\"`"
    };
    (bare != text && !bare.is_empty()).then(|| (bare.to_owned(), described.into()))
}

/// The character of an escape whose backslash was read, and the rest.
fn escaped(escape: &str) -> Option<(char, &str)> {
    let letter = escape.chars().next()?;
    let after = escape.get(letter.len_utf8()..)?;
    let digits = |count: usize| {
        let (digits, after) = after.split_at_checked(count)?;
        Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, after))
    };
    match letter {
        'u' => digits(4),
        'x' => digits(2),
        'n' => Some(('\n', after)),
        'r' => Some(('\r', after)),
        't' => Some(('\t', after)),
        letter if letter.is_ascii_alphanumeric() => None,
        other => Some((other, after)),
    }
}

/// The named entities of what secrets consist of.
const ENTITIES: [(&str, char); 26] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("equals", '='),
    ("plus", '+'),
    ("sol", '/'),
    ("bsol", '\\'),
    ("percnt", '%'),
    ("num", '#'),
    ("dollar", '$'),
    ("excl", '!'),
    ("commat", '@'),
    ("ast", '*'),
    ("lpar", '('),
    ("rpar", ')'),
    ("comma", ','),
    ("period", '.'),
    ("colon", ':'),
    ("semi", ';'),
    ("quest", '?'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("hyphen", '-'),
];

/// `&amp;`, `&#38;` and `&#x26;`.
fn from_html(text: &str) -> Option<(String, Cow<'static, str>)> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        plain.push_str(before);
        let known = entity.split_once(';').and_then(|(name, after)| Some((entity_character(name)?, after)));
        let (character, after) = known.unwrap_or(('&', entity));
        plain.push(character);
        rest = after;
    }
    plain.push_str(rest);
    (plain != text).then(|| (plain, "has HTML entities in it, such as `&amp;`".into()))
}

fn entity_character(name: &str) -> Option<char> {
    let number = match (name.strip_prefix("#x").or(name.strip_prefix("#X")), name.strip_prefix('#')) {
        (Some(hex), _) => u32::from_str_radix(hex, 16).ok(),
        (None, Some(decimal)) => decimal.parse().ok(),
        (None, None) => None,
    };
    let named = || ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, character)| *character);
    number.and_then(char::from_u32).or_else(named)
}

fn from_url(text: &str) -> Option<(String, Cow<'static, str>)> {
    let plain = percent_decode_str(text).decode_utf8().ok()?;
    (plain != text).then(|| (plain.into_owned(), "has percent escapes of a URL in it, such as `%2B`".into()))
}

/// Quoted-printable, as mails are written: `=3D`.
fn from_mail(text: &str) -> Option<(String, Cow<'static, str>)> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let byte = after.split_at_checked(2).filter(|_| *first == b'=').and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = byte.unwrap_or((*first, after));
        plain.push(byte);
        rest = after;
    }
    let plain = String::from_utf8(plain).ok().filter(|plain| plain != text)?;
    Some((plain, "has escapes of a mail's source in it, such as `=3D`".into()))
}

/// What word processors, chats and input methods write for plain characters.
const LOOK_ALIKES: [(char, &str); 14] = [
    ('\u{2010}', "-"),
    ('\u{2011}', "-"),
    ('\u{2012}', "-"),
    ('\u{2013}', "-"),
    ('\u{2212}', "-"),
    ('\u{2014}', "--"),
    ('\u{2026}', "..."),
    ('\u{2018}', "'"),
    ('\u{2019}', "'"),
    ('\u{201c}', "\""),
    ('\u{201d}', "\""),
    ('\u{a0}', " "),
    ('\u{3002}', "."),
    ('\u{3000}', " "),
];

fn from_office(text: &str) -> Option<(String, Cow<'static, str>)> {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        // Full-width forms of ASCII, in its order.
        let full_width = u32::from(character).checked_sub(0xff01).filter(|offset| *offset <= 0x5d);
        let ascii = full_width.and_then(|offset| char::from_u32(offset.saturating_add(0x21)));
        match (ascii, LOOK_ALIKES.iter().find(|(known, _)| *known == character)) {
            (Some(ascii), _) => plain.push(ascii),
            (None, Some((_, alike))) => plain.push_str(alike),
            (None, None) if INVISIBLE.contains(&character) => {}
            (None, None) => plain.push(character),
        }
    }
    let described =
        "has characters in it that only look like plain ones (dashes, quotes, full-width or invisible ones)";
    (plain != text).then(|| (plain, described.into()))
}

/// `whsec_` is a part of some platforms' secrets.
fn with_prefix(text: &str) -> Option<(String, Cow<'static, str>)> {
    (!text.starts_with("whsec_")).then(|| (format!("whsec_{text}"), "lacks `whsec_` at its start".into()))
}

/// A value that was broken into lines or groups.
fn without_spaces(text: &str) -> Option<(String, Cow<'static, str>)> {
    let plain: String = text.split_whitespace().collect();
    (plain != text.trim() && !plain.is_empty()).then(|| (plain, "has whitespace in it".into()))
}

/// The delivery with the copied texts of its source corrected, and the places; never a value. Where the function does not
/// start, another source can be the reason: then those of all sources of the provider.
fn corrected(delivery: &DiagnosisInput, fix: Fix) -> Option<(DiagnosisInput, String)> {
    let mut sources = delivery.sources(delivery.provider.name());
    let starts = delivery.credentials.keys(delivery.provider).is_some_and(|keys| keys.is_ok());
    let mut places = Vec::new();
    for (source, value) in sources.iter_mut().filter(|(name, _)| !starts || **name == delivery.source) {
        let entries: Vec<&mut Value> = match value {
            Value::Array(list) => list.iter_mut().collect(),
            one => vec![one],
        };
        let several = entries.len() > 1;
        for (number, entry) in (1..).zip(entries) {
            for member in COPIED {
                let Some(value) = entry.get_mut(member) else { continue };
                let texts: Vec<&mut Value> = match value {
                    Value::Array(list) => list.iter_mut().collect(),
                    Value::Object(table) => table.values_mut().collect(),
                    one => vec![one],
                };
                for text in texts {
                    let Some((better, described)) = text.as_str().and_then(fix) else { continue };
                    *text = better.into();
                    let entry = if several { format!(", entry {number}") } else { String::new() };
                    places.push(format!("Source {source:?}{entry}: {member} {described}."));
                }
            }
        }
    }
    if places.is_empty() { None } else { Some((delivery.with_sources(sources), places.join(" "))) }
}

/// What a console may have stored instead of the secret; no entry can contain whitespace at its ends, but hex can.
type Stored = fn(&str) -> String;
const STORED: [(&Cause, Stored, &str); 9] = [
    (&causes::SECRET_HAS_WHITESPACE, |secret| format!("{secret}\n"), "a line feed after it"),
    (&causes::SECRET_HAS_WHITESPACE, |secret| format!("{secret}\r\n"), "a line break (CR LF) after it"),
    (&causes::SECRET_HAS_WHITESPACE, |secret| format!("{secret} "), "a space after it"),
    (&causes::SECRET_HAS_WHITESPACE, |secret| format!(" {secret}"), "a space before it"),
    (&causes::SECRET_HAS_QUOTES, |secret| format!("\"{secret}\""), "quotes around it"),
    (&causes::SECRET_HAS_QUOTES, |secret| format!("'{secret}'"), "quotes around it"),
    (&causes::SECRET_HAS_EXTRA_TEXT, |secret| format!("{secret}%"), "`%` after it, which zsh prints"),
    (
        &causes::SECRET_ALTERED,
        |secret| utf8_percent_encode(secret, URL_ESCAPED).to_string(),
        "the percent escapes of a URL",
    ),
    (
        &causes::SECRET_ALTERED,
        |secret| {
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
        },
        "HTML entities",
    ),
];

/// What `encodeURIComponent` escapes.
const URL_ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The platform's own copy of the secret is the altered one.
pub(super) fn on_the_platform(delivery: &DiagnosisInput) -> Variants<'_> {
    let variants = schemes(delivery).into_iter().flat_map(|signing| {
        let Some(secret) = signing.secret().map(str::to_owned) else { return Vec::new() };
        let stored = STORED.iter().map(|(cause, change, what)| (*cause, change(&secret), *what));
        let stored = stored.filter(|(_, stored, _)| *stored != secret).map(|(cause, stored, what)| {
            let finding =
                Finding::new(cause, format!("It is the platform that has stored the secret with {what}."))
                    .remedy("Set the secret in the platform's console again, without them.");
            signing.variant(finding, &json!({ "secret": hex::encode(stored), "secret_encoding": "hex" }))
        });
        stored.collect::<Vec<_>>()
    });
    Box::new(variants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn altered_copies_are_corrected() {
        let fixes: [(&str, Fix); 11] = [
            ("ending", without_ending),
            ("assignment", without_assignment),
            ("first", first_line),
            ("last", last_line),
            ("half", first_half),
            ("json", from_json),
            ("html", from_html),
            ("url", from_url),
            ("mail", from_mail),
            ("office", from_office),
            ("spaces", without_spaces),
        ];
        for (name, text, expected) in [
            ("ending", "hK9%", Some("hK9")),
            ("ending", "hK9⏎\n", Some("hK9")),
            ("ending", "hK9;", Some("hK9")),
            ("ending", "hK9", None),
            ("ending", "%", None),
            ("assignment", "Bearer hK9", Some("hK9")),
            ("assignment", "export WEBHOOK_SECRET=\"hK9==\";", Some("hK9==")),
            ("assignment", "set X=hK9", Some("hK9")),
            ("assignment", "$env:X = 'hK9'", Some("hK9")),
            ("assignment", "\"secret\": \"hK9\",", Some("hK9")),
            ("assignment", "Signing secret: hK9", Some("hK9")),
            ("assignment", "hK9==", None),
            ("assignment", "h/K9:1", None),
            ("first", "hK9\nCopied!", Some("hK9")),
            ("last", "Secret\nhK9", Some("hK9")),
            ("last", "hK9\n", None),
            ("half", "hK9hK9", Some("hK9")),
            ("half", "", None),
            ("json", r"p\u003Dz\u003d", Some("p=z=")),
            ("json", r"p\x3dz", Some("p=z")),
            ("json", r"p\/z\n", Some("p/z")),
            ("json", r"p\r\n", Some("p")),
            ("json", r"p\dz", None),
            ("json", "pz", None),
            ("json", r"p\u00", None),
            ("html", "a&amp;b&#38;c&#x26;d&&unknown;", Some("a&b&c&d&&unknown;")),
            ("html", "a&b", None),
            ("url", "Zr%2B8%2f", Some("Zr+8/")),
            ("url", "100%", None),
            ("mail", "a=3Db=3D", Some("a=b=")),
            ("mail", "ab==", None),
            ("office", "a\u{2013}b\u{ff0b}c\u{200b}", Some("a-b+c")),
            ("office", "a-b", None),
            ("spaces", "ab cd\nef", Some("abcdef")),
            ("spaces", " abcd ", None),
        ] {
            let (_, fix) = fixes.iter().find(|(known, _)| *known == name).unwrap();
            let found = fix(text).map(|(found, _)| found);
            assert_eq!(found.as_deref(), expected, "{name}: {text:?}");
        }
    }
}
