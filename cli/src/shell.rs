//! Words of a command line that the program prints or offers for copying.

use std::fmt::Write;

use crate::terminal::is_shown;

/// Quotes a word, whatever it is, so that a shell hands exactly these bytes to the command: sh, bash, dash, zsh and
/// fish, in a script as well as pasted at a prompt. NUL, which no argument can hold, is left out.
///
/// `shell_words::quote` leaves `{a,b}` and `!` bare, which bash expands. Two things are stricter than POSIX demands:
///
/// * fish reads `\\` and `\'` inside of single quotes as escapes, so these backslashes stand outside of them.
/// * A tab at a prompt completes a file name and closes the quotes behind it, other control characters edit the line,
///   and invisible ones hide what is run. A word with such characters, or that is not UTF-8, is written by `printf`.
pub fn word(text: impl AsRef<[u8]>) -> String {
    let bytes = text.as_ref();
    match std::str::from_utf8(bytes) {
        Ok(text) if is_visible(text) => quoted(text),
        _ => escaped(bytes),
    }
}

/// Whether the text can stand in quotes and be seen there. A `!` behind a line break is excluded: old versions of bash
/// replace it from the history, since they look at each line of a pasted text on its own.
pub fn is_visible(text: &str) -> bool {
    let mut lines = text.split('\n').skip(1);
    text.chars().all(|character| character == '\n' || is_shown(character))
        && !lines.any(|line| line.contains('!'))
}

fn quoted(text: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"./:_-".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_bare) {
        return text.to_owned();
    }
    let mut word = String::from("'");
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\'' => word += r"'\''",
            '\\' if matches!(rest.peek(), None | Some('\\' | '\'')) => word += r"'\\'",
            _ => word.push(character),
        }
    }
    word + "'"
}

/// What [`escaped`] puts before and behind the format. A reader of such commands looks for it.
pub const PRINTF: [&str; 2] = ["\"$(printf '", "')\""];

/// `"$(printf '…')"` with octal escapes for all but a few characters, so that nothing in it means anything to any shell.
fn escaped(bytes: &[u8]) -> String {
    // The substitution drops line breaks at the end.
    let end = bytes.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last.saturating_add(1));
    let (bytes, breaks) = bytes.split_at(end);
    let mut word = PRINTF[0].to_owned();
    for (position, byte) in bytes.iter().filter(|byte| **byte != 0).enumerate() {
        // A hyphen at the beginning would be an option of printf.
        let is_plain =
            byte.is_ascii_alphanumeric() || b" ./:_=,".contains(byte) || (*byte == b'-' && position > 0);
        if is_plain {
            word.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(word, "\\{byte:03o}");
        }
    }
    word += PRINTF[1];
    if !breaks.is_empty() {
        word += &format!("'{}'", "\n".repeat(breaks.len()));
    }
    word
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use proptest::prelude::*;

    use super::word;

    /// Every shell that is installed here. The first two must be.
    const SHELLS: [&str; 5] = ["sh", "bash", "dash", "zsh", "fish"];

    /// The words that the shell hands to a command.
    fn handed(shell: &str, words: &[String]) -> Option<Vec<Vec<u8>>> {
        let child = Command::new(shell).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = match child {
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && !["sh", "bash"].contains(&shell) =>
            {
                return None;
            }
            child => child.unwrap(),
        };
        // `env` is no builtin, so the words go through exec, as they do to curl.
        let script = format!("env printf '%s\\0' {}\n", words.join(" "));
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{shell}: {script}");
        let mut words: Vec<_> = output.stdout.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        assert_eq!(words.pop(), Some(Vec::new()));
        Some(words)
    }

    fn check(texts: &[Vec<u8>]) {
        let words: Vec<_> = texts.iter().map(word).collect();
        for shell in SHELLS {
            if let Some(handed) = handed(shell, &words) {
                for ((handed, meant), word) in handed.iter().zip(texts).zip(&words) {
                    assert_eq!(handed, meant, "{shell}: {word}");
                }
                assert_eq!(handed.len(), texts.len(), "{shell}: {words:?}");
            }
        }
    }

    #[test]
    fn what_a_shell_would_read_as_more_than_a_word_stays_one() {
        let printable: String = (' '..='~').collect();
        let texts = [
            "",
            "a",
            "~",
            "~root",
            "-n",
            "--",
            "=ls",
            "#a",
            "a b",
            "{a,b}",
            "http://h/{a,b}?[1-3]",
            "!!",
            "a!b",
            "^a^b",
            "X&touch$IFS.pwned&",
            "`touch pwned`",
            "$(touch pwned)",
            "${HOME}",
            "%s\\n",
            "*",
            "?",
            "[a]",
            "a;b",
            "a|b",
            "<(a)",
            "it's",
            "''",
            "\"",
            "\\",
            "\\\\",
            "\\'",
            "a\\",
            "a\\'; touch pwned; '",
            "\\\\'",
            "\\n",
            "a\nb",
            "\n",
            "a\n\n",
            "a\n!b",
            "a\tb",
            "\t",
            "a\rb",
            "\u{1b}[2J",
            "\u{3}",
            "\u{4}",
            "\u{7f}",
            "\u{9b}",
            "\u{202e}a",
            "é中",
            "\u{a0}",
            "-\t",
            "%\t%s\\t\\045",
            "\t'\"$(touch pwned)`!\n",
            "\u{1}7",
            "x-a: \u{85}",
            "\u{e0041}",
            "END",
            "http://[::1]:9000",
            &printable,
        ];
        let mut texts: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        texts.extend((1..=u8::MAX).map(|byte| vec![byte]));
        texts.extend([
            b"\xff\xfe".to_vec(),
            b"x-a: \xe9t\xe9'".to_vec(),
            b"\xc3".to_vec(),
            b"a\xff\n\n".to_vec(),
        ]);
        check(&texts);
    }

    #[test]
    fn readable_words_stay_readable() {
        for (text, expected) in [
            ("POST", "POST"),
            ("http://127.0.0.1:9001", "http://127.0.0.1:9001"),
            ("http://[::1]:9000", "'http://[::1]:9000'"),
            ("it's", r"'it'\''s'"),
            (r#"{"a":"b\n\"c\""}"#, r#"'{"a":"b\n\"c\""}'"#),
            (r"a\'", r"'a'\\''\'''"),
            ("a\tb", r#""$(printf 'a\011b')""#),
        ] {
            assert_eq!(word(text), expected);
            if !expected.contains('$') {
                assert_eq!(shell_words::split(expected).unwrap(), [text], "as others read it");
            }
        }
        assert_eq!(word("a\0b"), "\"$(printf 'ab')\"", "an argument ends at NUL");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_reach_the_command(texts in prop::collection::vec(prop_oneof![
            prop::collection::vec(1..=u8::MAX, 0..40),
            "[ -~\n\t]{0,40}".prop_map(String::into_bytes),
            r"['\\!{},$`\n ]{0,12}".prop_map(String::into_bytes),
            "\\PC{0,20}".prop_map(String::into_bytes),
            "[a-c{},!^~=.]{0,9}".prop_map(String::into_bytes),
        ], 1..20)) {
            check(&texts);
        }
    }
}
