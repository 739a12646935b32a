//! Splits a command for Windows' cmd.exe into words, as browsers write it with `Copy as cURL (cmd)`.
//!
//! Two programs read such a command, one after the other: cmd.exe removes carets, and the C runtime of curl.exe removes
//! quotes and the backslashes before them. Browsers double every backslash, also where the C runtime keeps both, so that
//! the text that they copied is decoded here, and not what a run of the command would send. Sources:
//! learn.microsoft.com, "Parsing C command-line arguments"; Chrome's developer tools, `escapeStringWin`; read on
//! 2026-11-26.

/// True if a command is written for cmd.exe: its first quote has a caret before it, or its first line, which has none of
/// the single quotes that only bash knows, ends with a caret.
pub fn is_cmd(text: &str) -> bool {
    let first_quote = text.find(['"', '\'']).and_then(|at| text.get(..at));
    let first_line = text.trim().lines().next().unwrap_or_default().trim_end();
    first_quote.is_some_and(|before| before.ends_with('^'))
        || first_line.ends_with('^') && !first_line.contains('\'')
}

/// The words of a command; `None` if a quote is not closed. Variables such as `%NAME%` are not replaced.
pub fn split(text: &str) -> Option<Vec<String>> {
    arguments(&without_carets(text))
}

/// What cmd.exe passes on. A caret makes the next character a plain one; after a caret at the end of a line, that is the
/// first character of the next line. Between quotes a caret is a caret.
fn without_carets(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut passed = String::with_capacity(text.len());
    let mut rest = text.chars();
    let mut is_quoted = false;
    while let Some(character) = rest.next() {
        match character {
            '^' if !is_quoted => {
                let next = rest.next();
                passed.extend(if next == Some('\n') { rest.next() } else { next });
            }
            '"' => {
                is_quoted = !is_quoted;
                passed.push('"');
            }
            character => passed.push(character),
        }
    }
    passed
}

/// The arguments of a command line. A backslash escapes a quote or another backslash.
fn arguments(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars().peekable();
    let mut is_quoted = false;
    while let Some(character) = rest.next() {
        match character {
            ' ' | '\t' | '\n' if !is_quoted => words.extend(word.take()),
            '\\' => {
                let escaped = rest.next_if(|next| matches!(next, '"' | '\\'));
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            '"' if is_quoted && rest.next_if_eq(&'"').is_some() => word.get_or_insert_default().push('"'),
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            character => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    (!is_quoted).then_some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_for_cmd_are_recognised() {
        for (text, expected) in [
            ("curl ^\"https://h/a^\" ^\r\n  -H ^\"a: b^\"", true),
            ("curl \"https://h/a\" ^\n  -H \"a: b\"", true),
            ("curl 'https://h/a' \\\n  --data-raw '{\"a\":\"^\"}'", false),
            ("curl https://h/a -d 'a^\nb'", false),
            ("curl https://h/a", false),
        ] {
            assert_eq!(is_cmd(text), expected, "{text}");
        }
    }

    #[test]
    fn words_are_those_of_windows() {
        for (text, expected) in [
            (r#"a "b c" d"#, Some(&["a", "b c", "d"][..])),
            (r#"a\b "c\\" "d\"e" "f""g" "#, Some(&[r"a\b", r"c\", "d\"e", "f\"g"])),
            (r#"^"a^\^"b^" ^%c"#, Some(&["a\"b", "%c"])),
            ("^\"a^\n\nb^\"", Some(&["a\nb"])),
            ("a ^\r\n  b \"\"", Some(&["a", "b", ""])),
            (r#""a^b" a^^b"#, Some(&["a^b", "a^b"])),
            (r#"a "b"#, None),
            ("", Some(&[])),
        ] {
            let words = split(text);
            let words = words.as_ref().map(|words| words.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(words.as_deref(), expected, "{text}");
        }
    }

    /// A word as Chrome writes it: `escapeStringWin` of its developer tools.
    fn written(word: &str) -> String {
        let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
        let mut written = String::new();
        for character in escaped.chars() {
            if !(character.is_ascii_alphanumeric() || "_-:=+~'/.,?;()*` \n".contains(character)) {
                written.push('^');
            }
            written.push(character);
        }
        format!("^\"{}^\"", written.replace('\n', "^\n\n"))
    }

    proptest! {
        #[test]
        fn every_word_comes_back(words in prop::collection::vec("[ -~\n\\PC]{0,20}", 0..5)) {
            let text = words.iter().map(|word| written(word)).collect::<Vec<_>>().join(" ^\r\n  ");
            prop_assert_eq!(split(&text), Some(words));
        }
    }
}
