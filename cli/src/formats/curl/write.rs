//! A delivery as a shell command.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::Request;

/// A longer argument than this does not reach a program everywhere (Linux takes 128 KiB).
const LONGEST_ARGUMENT: usize = 100 * 1024;

/// What stands before a command whose body is no text, between command and body, and behind the body.
const PIPED: [&str; 3] = ["base64 --decode <<'END' | ", " \\\n  --data-binary @-\n", "\nEND\n"];

/// A command that sends exactly these bytes, prints the answer's body, and fails where the status is 400 or more.
pub fn command(letter: &Request) -> String {
    let mut command = format!(
        "curl --silent --show-error --fail-with-body --globoff --request {} {}",
        letter.method(),
        quoted(&letter.uri().to_string())
    );
    for (name, value) in letter.headers() {
        let line = format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        command += &format!(" \\\n  --header {}", quoted(&line));
    }
    if let Some(body) = std::str::from_utf8(letter.body()).ok().filter(|body| is_argument(body)) {
        // Not `--data`: that reads a file where the text begins with an at sign.
        command + &format!(" \\\n  --data-raw {}\n", quoted(body))
    } else {
        let body = STANDARD.encode(letter.body());
        let [before, between, behind] = PIPED;
        format!("{before}{command}{between}{body}{behind}")
    }
}

/// Of a [`command`] whose body is no text: one that reads it from standard input, and the body.
pub fn piped(text: &str) -> Option<(String, Vec<u8>)> {
    let [before, between, behind] = PIPED;
    let (command, body) = text.trim_start().strip_prefix(before)?.split_once(between)?;
    let body = STANDARD.decode(body.trim_end().strip_suffix(behind.trim_end())?).ok()?;
    Some((format!("{command}{between}"), body))
}

/// Whether every shell hands the text to a program as it is, and a person can read it.
fn is_argument(text: &str) -> bool {
    let is_plain = |character: char| !character.is_control() || character == '\n' || character == '\t';
    text.len() <= LONGEST_ARGUMENT && text.chars().all(is_plain)
}

/// A word in single quotes, in which a shell changes nothing.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &[u8]) -> String {
        let request =
            http::Request::builder().method("POST").uri("https://h/p?a=1&b=2").header("x-a", "it's");
        command(&request.body(body.to_vec().into()).unwrap())
    }

    #[test]
    fn text_is_an_argument() {
        let expected = "curl --silent --show-error --fail-with-body --globoff --request POST 'https://h/p?a=1&b=2' \\\n  \
                        --header 'x-a: it'\\''s' \\\n  --data-raw '@{\"a\":\"中 $HOME\"}\n'\n";
        assert_eq!(of("@{\"a\":\"中 $HOME\"}\n".as_bytes()), expected);
    }

    #[test]
    fn what_is_no_text_or_too_long_goes_by_standard_input() {
        for (body, encoded) in [
            (&b"\xff\0"[..], "/wA="),
            (b"a\rb", "YQ1i"),
            ("a".repeat(LONGEST_ARGUMENT + 1).as_bytes(), "YWFh"),
        ] {
            let command = of(body);
            assert!(command.starts_with("base64 --decode <<'END' | curl "), "{command}");
            assert!(command.contains(&format!("--data-binary @-\n{encoded}")), "{command}");
            assert!(command.ends_with("\nEND\n"));
            let (command, read) = piped(&command).unwrap();
            assert_eq!((command.starts_with("curl "), read.as_slice()), (true, body));
        }
    }
}
