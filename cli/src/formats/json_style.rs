//! Rewrites JSON with another layout, other escapes or another order of keys, but the same values: the digits of numbers
//! are unchanged.
//!
//! A parsed tree of values would lose order, digits and escapes, which the signature covers.

use std::iter::Peekable;

use letterbox_codec::json::Object;

/// The whitespace between tokens.
pub struct Layout {
    /// After a comma.
    comma: &'static str,
    /// Before a colon.
    before_colon: &'static str,
    /// After a colon.
    colon: &'static str,
    /// The line break and the indent per level, with each field on its own line.
    lines: Option<(&'static str, &'static str)>,
}

impl Layout {
    const fn on_one_line(comma: &'static str, colon: &'static str) -> Self {
        Self { comma, before_colon: "", colon, lines: None }
    }

    const fn indented(indent: &'static str) -> Self {
        Self { comma: "", before_colon: "", colon: " ", lines: Some(("\n", indent)) }
    }
}

/// An indent of two spaces, for people.
pub const INDENTED: Layout = Layout::indented("  ");

/// The layouts that common serialisers write, the most frequent first.
pub const LAYOUTS: &[(&str, Layout)] = &[
    ("without whitespace", Layout::on_one_line("", "")),
    ("with a space after each comma and colon", Layout::on_one_line(" ", " ")),
    ("with an indent of two spaces", INDENTED),
    ("with an indent of four spaces", Layout::indented("    ")),
    ("with an indent of tabs", Layout::indented("\t")),
    (
        "with an indent of two spaces and line breaks of CR LF",
        Layout { comma: "", before_colon: "", colon: " ", lines: Some(("\r\n", "  ")) },
    ),
    (
        "with an indent of two spaces and a space before each colon",
        Layout { comma: "", before_colon: " ", colon: " ", lines: Some(("\n", "  ")) },
    ),
    ("with a space after each colon", Layout::on_one_line("", " ")),
    ("with a space after each comma", Layout::on_one_line(" ", "")),
];

/// How characters outside of ASCII are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NonAscii {
    /// As themselves.
    Plain,
    /// As themselves, but U+2028 and U+2029, which old JavaScript does not accept, as escapes.
    PlainButSeparators,
    /// As escapes.
    Escaped,
}

/// How the characters of a string are written.
pub struct Spelling {
    /// The ASCII characters that are written as `\u` escapes though JSON does not require it.
    escaped: &'static str,
    /// `/` as `\/`.
    slashes: bool,
    non_ascii: NonAscii,
    /// Hexadecimal digits in upper case.
    upper: bool,
}

const PLAIN: Spelling = Spelling { escaped: "", slashes: false, non_ascii: NonAscii::Plain, upper: false };
const HTML: &str = "with `<`, `>` and `&` as escapes such as `\\u003c`";

/// The spellings that common serialisers use, the most frequent first, and whose they are by default.
pub const SPELLINGS: &[(&str, Spelling)] = &[
    // JavaScript, Java (Jackson), Rust (serde_json)
    ("without escapes that JSON does not require", PLAIN),
    // Python
    ("with escapes for all that is not ASCII", Spelling { non_ascii: NonAscii::Escaped, ..PLAIN }),
    // PHP
    (
        r"with `\/` for `/` and escapes for all that is not ASCII",
        Spelling { slashes: true, non_ascii: NonAscii::Escaped, ..PLAIN },
    ),
    // PHP with JSON_UNESCAPED_UNICODE, Ruby with script_safe
    (r"with `\/` for `/`", Spelling { slashes: true, ..PLAIN }),
    // Go, Rails
    (HTML, Spelling { escaped: "<>&", non_ascii: NonAscii::PlainButSeparators, ..PLAIN }),
    // .NET (System.Text.Json)
    (
        "with `<`, `>`, `&`, quotes, `+` and all that is not ASCII as escapes such as `\\u003C`",
        Spelling { escaped: "\"&'+<>`\u{7f}", non_ascii: NonAscii::Escaped, upper: true, ..PLAIN },
    ),
    // Java (Gson)
    (
        "with `<`, `>`, `&`, `=` and `'` as escapes such as `\\u003c`",
        Spelling { escaped: "<>&='", non_ascii: NonAscii::PlainButSeparators, ..PLAIN },
    ),
    // Jackson with ESCAPE_NON_ASCII
    (
        "with escapes in upper case for all that is not ASCII",
        Spelling { non_ascii: NonAscii::Escaped, upper: true, ..PLAIN },
    ),
    ("with `<`, `>` and `&` as escapes such as `\\u003C`", Spelling { escaped: "<>&", upper: true, ..PLAIN }),
    (
        "with `<`, `>`, `&` and all that is not ASCII as escapes such as `\\u003c`",
        Spelling { escaped: "<>&", non_ascii: NonAscii::Escaped, ..PLAIN },
    ),
    // Flask before 2.2, Newtonsoft with EscapeHtml
    (
        "with `<`, `>`, `&` and `'` as escapes such as `\\u003c`",
        Spelling { escaped: "<>&'", non_ascii: NonAscii::PlainButSeparators, ..PLAIN },
    ),
    // PHP with JSON_HEX_TAG, JSON_HEX_AMP, JSON_HEX_APOS and JSON_HEX_QUOT
    (
        r"with `\/` for `/`, and `<`, `>`, `&`, quotes and all that is not ASCII as escapes",
        Spelling { escaped: "\"&'<>", slashes: true, non_ascii: NonAscii::Escaped, upper: true },
    ),
    ("with `<`, `>` and `&` as escapes and U+2028 as itself", Spelling { escaped: "<>&", ..PLAIN }),
];

/// A JSON text as a tree of its own pieces: keys, strings and numbers are as they were written.
pub struct Json<'j>(Node<'j>);

#[derive(Clone)]
enum Node<'j> {
    Object(Vec<(&'j str, Self)>),
    Array(Vec<Self>),
    Scalar(&'j str),
}

impl<'j> Json<'j> {
    /// Takes an object to pieces.
    pub fn new(object: &Object<'j>) -> Self {
        Self(Node::read(&mut object.raw().get().trim_ascii()))
    }

    /// Writes it; without a spelling, strings are as they were.
    pub fn write(&self, layout: &Layout, spelling: Option<&Spelling>) -> String {
        let mut out = String::new();
        self.0.write(layout, spelling, 0, &mut out);
        out
    }

    /// The same with the keys of each object sorted.
    #[must_use]
    pub fn sorted(&self) -> Self {
        Self(self.0.sorted())
    }

    /// True if the keys of each object are in alphabetical order, and there are enough of them to say so.
    pub fn is_sorted(&self) -> bool {
        self.orders() >= 24 && self.write(&INDENTED, None) == self.sorted().write(&INDENTED, None)
    }

    /// In how many orders the keys can be, the one that they have included.
    pub fn orders(&self) -> usize {
        self.0.orders()
    }

    /// One of these orders; 0 is the one that the keys have.
    #[must_use]
    pub fn reordered(&self, mut order: usize) -> Self {
        Self(self.0.reordered(&mut order))
    }
}

impl<'j> Node<'j> {
    /// Reads one value, whose syntax and depth [`Object`] has checked, and leaves the rest of the text.
    fn read(text: &mut &'j str) -> Self {
        match text.as_bytes().first() {
            Some(b'{') => {
                let mut members = Vec::new();
                advance(text, 1);
                while text.starts_with('"') {
                    let key = scalar(text);
                    if text.starts_with(':') {
                        advance(text, 1);
                    }
                    members.push((key, Self::read(text)));
                    if text.starts_with(',') {
                        advance(text, 1);
                    }
                }
                advance(text, 1);
                Self::Object(members)
            }
            Some(b'[') => {
                let mut items = Vec::new();
                advance(text, 1);
                while !text.is_empty() && !text.starts_with(']') {
                    items.push(Self::read(text));
                    if text.starts_with(',') {
                        advance(text, 1);
                    }
                }
                advance(text, 1);
                Self::Array(items)
            }
            _ => Self::Scalar(scalar(text)),
        }
    }

    fn write(&self, layout: &Layout, spelling: Option<&Spelling>, depth: usize, out: &mut String) {
        let line = |out: &mut String, depth: usize| {
            if let Some((line_break, indent)) = layout.lines {
                out.push_str(line_break);
                out.extend(std::iter::repeat_n(indent, depth));
            }
        };
        let between = |out: &mut String, position: usize| {
            if position > 0 {
                out.push(',');
                out.push_str(layout.comma);
            }
            line(out, depth.saturating_add(1));
        };
        match self {
            Self::Scalar(text) => respell(text, spelling, out),
            Self::Object(members) => {
                out.push('{');
                for (position, (key, value)) in members.iter().enumerate() {
                    between(out, position);
                    respell(key, spelling, out);
                    out.extend([layout.before_colon, ":", layout.colon]);
                    value.write(layout, spelling, depth.saturating_add(1), out);
                }
                if !members.is_empty() {
                    line(out, depth);
                }
                out.push('}');
            }
            Self::Array(items) => {
                out.push('[');
                for (position, item) in items.iter().enumerate() {
                    between(out, position);
                    item.write(layout, spelling, depth.saturating_add(1), out);
                }
                if !items.is_empty() {
                    line(out, depth);
                }
                out.push(']');
            }
        }
    }

    fn sorted(&self) -> Self {
        match self {
            Self::Object(members) => {
                let mut members: Vec<_> = members.iter().map(|(key, value)| (*key, value.sorted())).collect();
                members.sort_by_key(|(key, _)| *key);
                Self::Object(members)
            }
            Self::Array(items) => Self::Array(items.iter().map(Self::sorted).collect()),
            Self::Scalar(text) => Self::Scalar(text),
        }
    }

    fn orders(&self) -> usize {
        let product =
            |nodes: &mut dyn Iterator<Item = &Self>| nodes.map(Self::orders).fold(1, usize::saturating_mul);
        match self {
            Self::Object(members) => {
                let inner = product(&mut members.iter().map(|(_, value)| value));
                (1..=members.len()).fold(inner, usize::saturating_mul)
            }
            Self::Array(items) => product(&mut items.iter()),
            Self::Scalar(_) => 1,
        }
    }

    /// Takes what this node needs of a number below [`Self::orders`]: the remainder by each count of choices.
    fn reordered(&self, order: &mut usize) -> Self {
        match self {
            Self::Object(members) => {
                let mut left: Vec<_> =
                    members.iter().map(|(key, value)| (*key, value.reordered(order))).collect();
                let mut chosen = Vec::with_capacity(left.len());
                while !left.is_empty() {
                    let choice = order.checked_rem(left.len()).unwrap_or_default();
                    *order = order.checked_div(left.len()).unwrap_or_default();
                    chosen.push(left.remove(choice));
                }
                Self::Object(chosen)
            }
            Self::Array(items) => Self::Array(items.iter().map(|item| item.reordered(order)).collect()),
            Self::Scalar(text) => Self::Scalar(text),
        }
    }
}

/// Removes so many bytes and the whitespace after them.
fn advance(text: &mut &str, by: usize) {
    *text = text.get(by..).unwrap_or_default().trim_ascii_start();
}

/// Removes a string, number or word and the whitespace after it, and returns it.
fn scalar<'j>(text: &mut &'j str) -> &'j str {
    let bytes = text.as_bytes();
    let end = if bytes.first() == Some(&b'"') {
        let mut is_escaped = false;
        let closing = bytes.iter().skip(1).position(|byte| {
            let closes = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            closes
        });
        closing.map(|at| at.saturating_add(2))
    } else {
        // At least one byte, so that reading ends with the text.
        text.find([',', ':', ']', '}', ' ', '\t', '\r', '\n']).map(|at| at.max(1))
    };
    let end = end.unwrap_or(text.len());
    let found = text.get(..end).unwrap_or(text);
    advance(text, found.len());
    found
}

/// Rewrites JSON. The depth of an [`Object`] is bounded, and therefore the length of the indents.
pub fn restyle(json: &Object<'_>, layout: &Layout) -> String {
    Json::new(json).write(layout, None)
}

/// Copies a string, number or word, and writes the characters of a string in the spelling, if there is one.
fn respell(text: &str, spelling: Option<&Spelling>, out: &mut String) {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let (Some(inner), Some(spelling)) = (inner, spelling) else {
        out.push_str(text);
        return;
    };
    out.push('"');
    let mut rest = inner.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => escape(&mut rest, out, spelling),
            character => spelling.write(character, out),
        }
    }
    out.push('"');
}

/// Writes the character of one escape in the spelling; half of a surrogate pair stays as it is.
fn escape(rest: &mut Peekable<std::str::Chars<'_>>, out: &mut String, spelling: &Spelling) {
    match rest.next() {
        Some('u') => {
            let digits: String = rest.by_ref().take(4).collect();
            match decoded(&digits, rest) {
                Some(character) => spelling.write(character, out),
                None => out.extend(["\\u", digits.as_str()]),
            }
        }
        Some(letter) => {
            let short = SHORT.iter().find(|(_, known)| *known == letter);
            spelling.write(short.map_or(letter, |(character, _)| *character), out);
        }
        None => {}
    }
}

/// The control characters that have an escape of one letter.
const SHORT: [(char, char); 5] = [('\n', 'n'), ('\t', 't'), ('\r', 'r'), ('\u{8}', 'b'), ('\u{c}', 'f')];

impl Spelling {
    fn write(&self, character: char, out: &mut String) {
        let is_separator = matches!(character, '\u{2028}' | '\u{2029}');
        let is_escaped = match self.non_ascii {
            _ if character.is_ascii() => self.escaped.contains(character),
            NonAscii::Plain => false,
            NonAscii::PlainButSeparators => is_separator,
            NonAscii::Escaped => true,
        };
        let short = SHORT.iter().find(|(known, _)| *known == character);
        match (character, short) {
            _ if is_escaped => self.write_escaped(character, out),
            ('"' | '\\', _) => out.extend(['\\', character]),
            ('/', _) if self.slashes => out.push_str("\\/"),
            (_, Some((_, letter))) => out.extend(['\\', *letter]),
            ('\0'..='\u{1f}', None) => self.write_escaped(character, out),
            _ => out.push(character),
        }
    }

    fn write_escaped(&self, character: char, out: &mut String) {
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units).iter() {
            *out += &if self.upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(json: &str, layout: &Layout, spelling: Option<&Spelling>) -> String {
        Json::new(&Object::parse(json).unwrap()).write(layout, spelling)
    }

    #[test]
    fn layouts_are_those_of_common_serialisers() {
        let json = "{ \"b\" : [1.0, 2e5,{}],\n\"a\":{\"x\":[ ]} }";
        let written: Vec<_> = LAYOUTS.iter().map(|(_, layout)| write(json, layout, None)).collect();
        let lines = "{\n  \"b\": [\n    1.0,\n    2e5,\n    {}\n  ],\n  \"a\": {\n    \"x\": []\n  }\n}";
        assert_eq!(
            written,
            [
                r#"{"b":[1.0,2e5,{}],"a":{"x":[]}}"#.to_owned(),
                r#"{"b": [1.0, 2e5, {}], "a": {"x": []}}"#.to_owned(),
                lines.to_owned(),
                lines.replace("  ", "    "),
                lines.replace("  ", "\t"),
                lines.replace('\n', "\r\n"),
                lines.replace(':', " :"),
                r#"{"b": [1.0,2e5,{}],"a": {"x": []}}"#.to_owned(),
                r#"{"b":[1.0, 2e5, {}], "a":{"x":[]}}"#.to_owned(),
            ]
        );
    }

    #[test]
    fn spellings_are_those_of_common_serialisers() {
        let json = r#"{"a":"中/\/\u4e2d\n\"😀\ud83d\ude00<\u0026é\ud800'+\u0001"}"#;
        let (_, compact) = &LAYOUTS[0];
        assert_eq!(write(json, compact, None), json);
        for (position, expected) in [
            (0, r#"{"a":"中//中\n\"😀😀<&é\ud800'+\u0001"}"#),
            (1, r#"{"a":"\u4e2d//\u4e2d\n\"\ud83d\ude00\ud83d\ude00<&\u00e9\ud800'+\u0001"}"#),
            (2, r#"{"a":"\u4e2d\/\/\u4e2d\n\"\ud83d\ude00\ud83d\ude00<&\u00e9\ud800'+\u0001"}"#),
            (3, r#"{"a":"中\/\/中\n\"😀😀<&é\ud800'+\u0001"}"#),
            (4, r#"{"a":"中//中\n\"😀😀\u003c\u0026é\ud800'+\u0001"}"#),
            (
                5,
                r#"{"a":"\u4E2D//\u4E2D\n\u0022\uD83D\uDE00\uD83D\uDE00\u003C\u0026\u00E9\ud800\u0027\u002B\u0001"}"#,
            ),
            (6, r#"{"a":"中//中\n\"😀😀\u003c\u0026é\ud800\u0027+\u0001"}"#),
        ] {
            let (name, spelling) = &SPELLINGS[position];
            assert_eq!(write(json, compact, Some(spelling)), expected, "{name}");
        }
    }

    #[test]
    fn keys_are_put_into_every_order_once() {
        let json = Object::parse(r#"{"b":1,"a":[{"d":2,"c":3}],"e":{}}"#).unwrap();
        let json = Json::new(&json);
        let (_, compact) = &LAYOUTS[0];
        assert_eq!(json.sorted().write(compact, None), r#"{"a":[{"c":3,"d":2}],"b":1,"e":{}}"#);
        let written = |order| json.reordered(order).write(compact, None);
        assert_eq!(written(0), r#"{"b":1,"a":[{"d":2,"c":3}],"e":{}}"#);
        let all: std::collections::BTreeSet<_> = (0..json.orders()).map(written).collect();
        assert_eq!((json.orders(), all.len()), (12, 12));
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<Option<bool>>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_layout_spelling_or_order_changes_a_value(value in value(), order: usize) {
            let value = serde_json::json!({ "a": value });
            let text = value.to_string();
            let json = Json::new(&Object::parse(&text).unwrap());
            let orders = json.orders();
            let json = json.reordered(order % orders);
            for (_, layout) in LAYOUTS {
                for spelling in SPELLINGS.iter().map(|(_, spelling)| Some(spelling)).chain([None]) {
                    let written = json.write(layout, spelling);
                    prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&written).unwrap(), &value);
                }
            }
        }
    }
}
