//! Quotes the words of command lines that the program prints or offers for copying.

use std::{fmt::Write, path::Path};

use crate::terminal::is_shown;

/// Quotes any word so that a shell passes exactly these bytes to the command: sh, bash, dash, zsh and fish, in a script as
/// well as pasted at a prompt. Omits NUL, which an argument cannot contain.
///
/// `shell_words::quote` leaves `{a,b}` and `!` unquoted, which bash expands. Two rules are stricter than POSIX requires:
///
/// * fish reads `\\` and `\'` inside single quotes as escapes, so these backslashes are placed outside the quotes.
/// * At a prompt, a tab completes a file name and closes the quotes, other control characters edit the line, and invisible
///   characters hide what runs. A word with such characters, or one that is not UTF-8, is written with `printf`.
pub fn word(text: impl AsRef<[u8]>) -> String {
    let bytes = text.as_ref();
    match std::str::from_utf8(bytes) {
        Ok(text) if is_visible(text) => quoted(text),
        _ => escaped(bytes),
    }
}

/// The command that starts this program again, for examples to copy: `cargo run --` if it runs from Cargo's `target`
/// folder, or else `letterbox`.
pub fn program() -> &'static str {
    program_at(&std::env::current_exe().unwrap_or_default())
}

fn program_at(file: &Path) -> &'static str {
    if file.components().any(|part| part.as_os_str() == "target") { "cargo run --" } else { "letterbox" }
}

/// True if the text is fully visible and safe inside quotes. A `!` after a line break is excluded: old versions of bash
/// expand it from the history, because they read a pasted text line by line.
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

/// The text that `escaped` puts before and after the format; the parser of such commands searches for it.
pub const PRINTF: [&str; 2] = ["\"$(printf '", "')\""];

/// Returns `"$(printf '…')"` with octal escapes for all but a few characters, so that no shell interprets any of it.
fn escaped(bytes: &[u8]) -> String {
    // Command substitution drops trailing line breaks.
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

    use super::{program_at, word};

    /// The shells to test if they are installed; the first two must be.
    const SHELLS: [&str; 5] = ["sh", "bash", "dash", "zsh", "fish"];

    /// The words that the shell passes to a command.
    fn passed(shell: &str, words: &[String]) -> Option<Vec<Vec<u8>>> {
        let child = Command::new(shell).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = match child {
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && !["sh", "bash"].contains(&shell) =>
            {
                return None;
            }
            child => child.unwrap(),
        };
        // `env` is not a builtin, so the words go through exec, as for curl.
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
            if let Some(passed) = passed(shell, &words) {
                for ((passed, expected), word) in passed.iter().zip(texts).zip(&words) {
                    assert_eq!(passed, expected, "{shell}: {word}");
                }
                assert_eq!(passed.len(), texts.len(), "{shell}: {words:?}");
            }
        }
    }

    #[test]
    fn special_characters_stay_in_one_word() {
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

    #[test]
    fn examples_name_the_program_as_it_was_started() {
        for (file, expected) in [
            ("/home/a/letterbox/target/debug/letterbox", "cargo run --"),
            ("/home/a/letterbox/target/aarch64-unknown-linux-musl/release/letterbox", "cargo run --"),
            ("/home/a/.cargo/bin/letterbox", "letterbox"),
            ("/opt/targets/letterbox", "letterbox"),
            ("", "letterbox"),
        ] {
            assert_eq!(program_at(std::path::Path::new(file)), expected, "{file}");
        }
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
