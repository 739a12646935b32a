//! Rewrites JSON with another layout and other escapes, but the same values: numbers and order are unchanged.
//!
//! A parsed tree would lose order, digits and escapes, which the signature covers.

use std::iter::Peekable;

use letterbox_codec::json::Object;

/// The whitespace between tokens.
pub struct Layout {
    /// After a comma.
    comma: &'static str,
    /// After a colon.
    colon: &'static str,
    /// The indent per level, with each field on its own line.
    indent: Option<&'static str>,
}

/// An indent of two spaces, for people.
pub const INDENTED: Layout = Layout { comma: "", colon: " ", indent: Some("  ") };

/// The layouts that common serialisers write.
pub const LAYOUTS: &[(&str, Layout)] = &[
    ("without whitespace", Layout { comma: "", colon: "", indent: None }),
    ("with a space after each comma and colon", Layout { comma: " ", colon: " ", indent: None }),
    ("with an indent of two spaces", INDENTED),
    ("with an indent of four spaces", Layout { comma: "", colon: " ", indent: Some("    ") }),
    ("with an indent of tabs", Layout { comma: "", colon: " ", indent: Some("\t") }),
];

/// How the characters of a string are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// Unchanged.
    AsIs,
    /// Non-ASCII characters as `\u` escapes.
    Ascii,
    /// Non-ASCII characters without escapes.
    Plain,
    /// `/` as `\/`, others unchanged.
    Slashes,
    /// `/` as `\/`, and non-ASCII characters as `\u` escapes.
    AsciiAndSlashes,
    /// `<`, `>` and `&` as `\u` escapes.
    Html,
}

/// The spellings that common serialisers use.
pub const SPELLINGS: &[(&str, Spelling)] = &[
    ("", Spelling::AsIs),
    (", and with escapes for all that is not ASCII", Spelling::Ascii),
    (", and without escapes for what is not ASCII", Spelling::Plain),
    (r", and with `\/` for `/`", Spelling::Slashes),
    (r", and with `\/` for `/` and escapes for all that is not ASCII", Spelling::AsciiAndSlashes),
    (", and with escapes for `<`, `>` and `&`", Spelling::Html),
];

/// Rewrites JSON. The depth of an [`Object`] is bounded, and therefore the length of the indents.
pub fn restyle(json: &Object<'_>, layout: &Layout, spelling: Spelling) -> String {
    let json = json.raw().get();
    let mut out = String::with_capacity(json.len());
    let mut depth = 0_usize;
    let mut rest = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        if let Some(indent) = layout.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(indent, depth));
        }
    };
    while let Some(character) = rest.next() {
        match character {
            '"' => text(&mut rest, &mut out, spelling),
            '{' | '[' => {
                out.push(character);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                // Empty: stays on one line.
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth = depth.saturating_add(1);
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                out += layout.comma;
                line(&mut out, depth);
            }
            ':' => {
                out.push(':');
                out += layout.colon;
            }
            character if character.is_ascii_whitespace() => {}
            character => out.push(character),
        }
    }
    out
}

/// Copies a string up to and including its closing quote.
fn text(rest: &mut Peekable<std::str::Chars<'_>>, out: &mut String, spelling: Spelling) {
    out.push('"');
    while let Some(character) = rest.next() {
        match character {
            '"' => break,
            '\\' => escape(rest, out, spelling),
            character => out.push_str(&spelled(character, spelling)),
        }
    }
    out.push('"');
}

/// Copies one escape, unless the spelling writes its character differently.
fn escape(rest: &mut Peekable<std::str::Chars<'_>>, out: &mut String, spelling: Spelling) {
    match rest.next() {
        Some('/') if spelling != Spelling::AsIs => *out += &spelled('/', spelling),
        Some('u') => {
            let digits: String = rest.by_ref().take(4).collect();
            match decoded(&digits, rest) {
                Some(character) if spelling == Spelling::Plain && !character.is_ascii() => {
                    out.push(character);
                }
                Some(character) if u32::from(character) > 0xffff => *out += &escaped(character, &digits),
                _ => *out += &format!("\\u{digits}"),
            }
        }
        Some(other) => out.extend(['\\', other]),
        None => {}
    }
}

/// The character of an escape; also consumes the second half of a surrogate pair.
fn decoded(digits: &str, rest: &mut Peekable<std::str::Chars<'_>>) -> Option<char> {
    let first = u16::from_str_radix(digits, 16).ok()?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first.into());
    }
    let mut ahead = rest.clone();
    let second: String = ahead.by_ref().take(6).collect();
    let second = u16::from_str_radix(second.strip_prefix("\\u")?, 16).ok()?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    *rest = ahead;
    Some(character)
}

/// The escapes of a character beyond U+FFFF, with hexadecimal digits in the case of `like`.
fn escaped(character: char, like: &str) -> String {
    let mut units = [0; 2];
    let upper = like.bytes().any(|byte| byte.is_ascii_uppercase());
    let units = character.encode_utf16(&mut units).iter();
    units.map(|unit| if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") }).collect()
}

fn spelled(character: char, spelling: Spelling) -> String {
    let ascii = matches!(spelling, Spelling::Ascii | Spelling::AsciiAndSlashes);
    match character {
        '/' if matches!(spelling, Spelling::Slashes | Spelling::AsciiAndSlashes) => "\\/".to_owned(),
        '<' | '>' | '&' if spelling == Spelling::Html => escaped(character, ""),
        character if ascii && !character.is_ascii() => escaped(character, ""),
        character => character.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restyle(json: &str, layout: &Layout, spelling: Spelling) -> String {
        super::restyle(&Object::parse(json).unwrap(), layout, spelling)
    }

    #[test]
    fn layouts_are_those_of_common_serialisers() {
        let json = "{ \"b\" : [1.0, 2e5,{}],\n\"a\":{\"x\":[ ]} }";
        let written: Vec<_> =
            LAYOUTS.iter().map(|(_, layout)| restyle(json, layout, Spelling::AsIs)).collect();
        assert_eq!(written[0], r#"{"b":[1.0,2e5,{}],"a":{"x":[]}}"#);
        assert_eq!(written[1], r#"{"b": [1.0, 2e5, {}], "a": {"x": []}}"#);
        assert_eq!(
            written[2],
            "{\n  \"b\": [\n    1.0,\n    2e5,\n    {}\n  ],\n  \"a\": {\n    \"x\": []\n  }\n}"
        );
    }

    #[test]
    fn spellings_change_no_character() {
        let json = r#"{"a":"中/\/\u4e2d\n\"😀\ud83d\ude00<é\ud800"}"#;
        let (_, compact) = &LAYOUTS[0];
        for (spelling, expected) in [
            (Spelling::AsIs, json),
            (Spelling::Ascii, r#"{"a":"\u4e2d//\u4e2d\n\"\ud83d\ude00\ud83d\ude00<\u00e9\ud800"}"#),
            (Spelling::Plain, r#"{"a":"中//中\n\"😀😀<é\ud800"}"#),
            (Spelling::Slashes, r#"{"a":"中\/\/\u4e2d\n\"😀\ud83d\ude00<é\ud800"}"#),
            (Spelling::Html, r#"{"a":"中//\u4e2d\n\"😀\ud83d\ude00\u003cé\ud800"}"#),
        ] {
            assert_eq!(restyle(json, compact, spelling), expected);
        }
        let (_, pretty) = &LAYOUTS[2];
        let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
        let sound = json.replace("\\ud800", "");
        assert_eq!(value(&restyle(&sound, pretty, Spelling::AsciiAndSlashes)), value(&sound));
    }
}
