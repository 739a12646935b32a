//! Terminal output: colours, and foreign text with only visible characters.

use std::{borrow::Cow, io::IsTerminal, time::Duration};

use anstyle::{AnsiColor, Style};
use icu_properties::props::{
    BinaryProperty, DefaultIgnorableCodePoint, EnumeratedProperty, GeneralCategory as Category,
};
use thiserror::Error;

/// The style of requests and responses.
pub const QUIET: Style = Style::new().dimmed();
/// The style of a success.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// The style of a failure that a platform would retry.
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// The style of an error.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// Standard output could not be written.
#[derive(Debug, Error)]
#[error("standard output: {0}")]
pub struct OutputError(String);

/// Replaces a character that a terminal would interpret or hide.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// The maximum number of combining marks on one character: more than any script uses, too few to reach the next line.
const MOST_MARKS: usize = 4;

/// True if a terminal only displays the character. Excludes control and format characters (including bidirectional ones
/// and tags), line and paragraph separators, private and unassigned ones, and those that Unicode lets a renderer omit,
/// such as zero-width spaces, fillers and variation selectors.
pub fn is_shown(character: char) -> bool {
    let hidden = matches!(
        Category::for_char(character),
        Category::Control
            | Category::Format
            | Category::LineSeparator
            | Category::ParagraphSeparator
            | Category::PrivateUse
            | Category::Surrogate
            | Category::Unassigned
    );
    !hidden && !DefaultIgnorableCodePoint::for_char(character)
}

/// The characters of a text, each with whether a terminal shows it.
fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut marks = 0_usize;
    text.chars().map(move |character| {
        let is_mark =
            matches!(Category::for_char(character), Category::NonspacingMark | Category::EnclosingMark);
        marks = if is_mark { marks.saturating_add(1) } else { 0 };
        (character, marks <= MOST_MARKS && is_shown(character))
    })
}

/// True if the text is of visible ASCII characters and spaces, as most are: nothing of it needs a look into the tables.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// Makes foreign text safe for one line of a terminal: a sender must not move the cursor, or reorder, hide or add text.
/// Characters that are not shown become U+FFFD.
pub fn printable(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    characters(text).map(|(character, is_shown)| if is_shown { character } else { REPLACEMENT }).collect()
}

/// Like [`printable`], for text with line breaks and tabs.
pub fn printable_lines(text: &str) -> String {
    if text.split(['\n', '\t']).all(is_plain) {
        return text.to_owned();
    }
    let lines = text.split('\n').map(|line| line.split('\t').map(printable).collect::<Vec<_>>().join("\t"));
    lines.collect::<Vec<_>>().join("\n")
}

/// JSON of the same value, with every character that is not shown as an escape; programs read the same value from it.
pub fn printable_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for (character, is_shown) in characters(json) {
        match character {
            // JSON has line breaks and tabs only outside strings, as whitespace.
            '\n' | '\t' => out.push(character),
            '\r' => out.push(' '),
            _ if is_shown => out.push(character),
            _ => {
                let units = character.encode_utf16(&mut [0; 2]).to_vec();
                out.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    out
}

/// Formats a duration in milliseconds.
pub fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Writes one line to standard output, with the style if it is a terminal that supports it.
pub fn print_line(style: Style, line: &str) -> Result<(), OutputError> {
    use std::io::Write;
    writeln!(anstream::stdout(), "{style}{}{style:#}", printable(line)).map_err(|error| unwritten(&error))
}

/// Writes lines to standard output, and ignores an error: a closed pipe must not stop the server.
pub fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(printable_lines(text).as_bytes()).and_then(|()| out.flush());
}

/// Writes an error to standard error, always as one line.
pub fn complain(error: &str) {
    anstream::eprintln!("{BAD}letterbox:{BAD:#} {}", printable(error));
}

/// Writes one line to standard error, with a style.
pub fn note(style: Style, line: &str) {
    anstream::eprintln!("{style}{}{style:#}", printable(line));
}

/// Writes bytes to standard output unchanged.
pub fn write(bytes: &[u8]) -> Result<(), OutputError> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| unwritten(&error))
}

/// Writes foreign content to standard output: unchanged to a file or a program, as printable lines to a terminal.
pub fn write_content(content: &[u8]) -> Result<(), OutputError> {
    write(&content_for(content, std::io::stdout().is_terminal()))
}

fn content_for(content: &[u8], is_terminal: bool) -> Cow<'_, [u8]> {
    if is_terminal {
        printable_lines(&String::from_utf8_lossy(content)).into_bytes().into()
    } else {
        content.into()
    }
}

fn unwritten(error: &std::io::Error) -> OutputError {
    OutputError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Characters that a terminal interprets or hides, or that reorder text.
    const HIDDEN: &str = "\0\u{7}\u{8}\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{180e}\
        \u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2064}\
        \u{2066}\u{2067}\u{2068}\u{2069}\u{206a}\u{206f}\u{3164}\u{e000}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{fffb}\
        \u{ffff}\u{1bca0}\u{1d173}\u{e0001}\u{e0041}\u{e007f}\u{e0100}\u{f0000}\u{10ffff}";

    #[test]
    fn characters_that_a_terminal_interprets_or_hides_are_replaced() {
        for character in HIDDEN.chars() {
            let text = format!("a{character}b");
            assert_eq!(printable(&text), "a\u{fffd}b", "{character:?}");
        }
        assert_eq!(printable("a\u{1b}[2Jb\r\n中"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}中");
        let marks = "\u{301}".repeat(MOST_MARKS);
        assert_eq!(printable(&format!("e{marks}\u{301}e{marks}")), format!("e{marks}\u{fffd}e{marks}"));
    }

    #[test]
    fn text_of_every_script_is_unchanged() {
        let text = "Zürich e\u{301} 飛天 订单\u{3000}№ ελ яд שלום مرحبا नमस्ते ไทย 한글 ｶﾅ 🙂 \u{a0}€→│ �";
        assert_eq!(printable(text), text);
        assert_eq!(printable_lines("a\n\tb\u{1b}\r\n"), "a\n\tb\u{fffd}\u{fffd}\n");
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({ "a\u{202e}": HIDDEN, "b": ["\u{e0041}🙂中\\\u{9b}\"", format!("e{}", "\u{301}".repeat(9))] });
        for text in [value.to_string(), format!("{value:#}")] {
            let shown = printable_json(&text);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
            assert_eq!(printable_lines(&shown), shown);
        }
        assert_eq!(printable_json("{\r\n}"), "{ \n}");
        assert_eq!(printable_json("\"\u{e0041}\u{202e}中\""), "\"\\udb40\\udc41\\u202e中\"");
    }

    #[test]
    fn content_is_exact_for_programs() {
        let content = b"a\x1b[2J\xff\r\n";
        assert_eq!(&*content_for(content, false), content);
        assert_eq!(&*content_for(content, true), "a\u{fffd}[2J\u{fffd}\u{fffd}\n".as_bytes());
    }
}
