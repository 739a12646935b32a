//! Writes a delivery as a curl command.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Method, header::CONTENT_TYPE};
use letterbox_codec::Request;

use crate::shell::{is_visible, word};

/// The longest argument, in bytes, that every system passes to a program (Linux: 128 KiB).
const LONGEST_ARGUMENT: usize = 100 * 1024;

/// The text before a command with a binary body, between command and body, and after the body. No line of base64 is
/// `END`, because its length is a multiple of four.
const PIPED: [&str; 3] = ["base64 --decode <<'END' | ", " \\\n  --data-binary @-\n", "\nEND\n"];

/// A command that sends exactly these bytes, prints the response body, and fails if the status is 400 or higher. Each part
/// that comes from the request is one [`word`].
pub fn command(request: &Request) -> String {
    let (method, body) = (request.method(), request.body());
    let has_body = !body.is_empty() || ![Method::GET, Method::HEAD].contains(method);
    let url = request.uri().to_string();
    let mut command = "curl --silent --show-error --fail-with-body --globoff".to_owned();
    if has_dot_segment(request.uri().path()) {
        // curl would normalise the path.
        command += " --path-as-is";
    }
    if *method == Method::HEAD && !has_body {
        // With `--request HEAD`, curl waits for a body.
        command += " --head";
    } else {
        command += &format!(" --request {}", word(method.as_str()));
    }
    if !url.starts_with(|first: char| first.is_ascii_alphabetic()) {
        // `--url` makes it the URL even if it begins with a hyphen.
        command += " --url";
    }
    command += &format!(" {}", word(&url));
    for (name, value) in request.headers() {
        let line = if value.as_bytes().trim_ascii().is_empty() {
            // `Name:` would remove one of curl's own headers, `Name;` sends it empty.
            format!("{name};").into_bytes()
        } else {
            [name.as_str().as_bytes(), b": ", value.as_bytes()].concat()
        };
        command += &format!(" \\\n  --header {}", word(line));
    }
    if !has_body {
        return command + "\n";
    }
    if !request.headers().contains_key(CONTENT_TYPE) {
        // Without this, curl adds the header.
        command += &format!(" \\\n  --header {}", word("content-type:"));
    }
    if let Some(body) = std::str::from_utf8(body).ok().filter(|body| is_argument(body)) {
        // Not `--data`, which reads a file if the value begins with `@`.
        command + &format!(" \\\n  --data-raw {}\n", word(body))
    } else {
        let body = STANDARD.encode(body);
        let [before, between, after] = PIPED;
        format!("{before}{command}{between}{body}{after}")
    }
}

/// Splits a [`command`] with a binary body into the curl command and the body.
pub fn piped(text: &str) -> Option<(String, Vec<u8>)> {
    let [before, between, after] = PIPED;
    let (command, body) = text.trim_start().strip_prefix(before)?.split_once(between)?;
    let body = STANDARD.decode(body.trim_end().strip_suffix(after.trim_end())?).ok()?;
    Some((format!("{command}{between}"), body))
}

fn has_dot_segment(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2e", ".");
    path.split('/').any(|segment| [".", ".."].contains(&segment))
}

/// True if the text can be passed as an argument and is readable.
fn is_argument(text: &str) -> bool {
    text.len() <= LONGEST_ARGUMENT && is_visible(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &[u8]) -> String {
        let request = http::Request::builder()
            .method("POST")
            .uri("https://h/p?a=1&b=2")
            .header("x-a", "it's")
            .header("content-type", "a/b");
        command(&request.body(body.to_vec().into()).unwrap())
    }

    #[test]
    fn a_text_body_is_an_argument() {
        let expected = "curl --silent --show-error --fail-with-body --globoff --request POST 'https://h/p?a=1&b=2' \\\n  \
                        --header 'x-a: it'\\''s' \\\n  --header 'content-type: a/b' \\\n  --data-raw '@{\"a\":\"中 $HOME\"}\n'\n";
        assert_eq!(of("@{\"a\":\"中 $HOME\"}\n".as_bytes()), expected);
    }

    #[test]
    fn a_binary_or_long_body_goes_through_standard_input() {
        for (body, encoded) in [
            (&b"\xff\0"[..], "/wA="),
            (b"a\rb", "YQ1i"),
            (b"a\tb", "YQli"),
            ("\u{202e}".as_bytes(), "4oCu"),
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

    #[test]
    fn every_part_of_a_request_is_one_word() {
        let request = |method: &str, uri: &str, name: &str, value: &[u8]| {
            let request = http::Request::builder().method(method).uri(uri).header(name, value);
            command(&request.body(bytes::Bytes::new()).unwrap())
        };
        for (method, uri, name, value, expected) in [
            (
                "X&touch$IFS.pwned&",
                "http://h/",
                "a",
                &b"b"[..],
                "--request 'X&touch$IFS.pwned&' http://h/ \\\n",
            ),
            ("`id`", "http://h/{a,b}", "a", b"b", "--request '`id`' 'http://h/{a,b}' \\\n"),
            ("GET", "http://h/", "a", b"b", "--request GET http://h/ \\\n  --header 'a: b'\n"),
            ("HEAD", "http://h/", "a", b"b", "--globoff --head http://h/ \\\n  --header 'a: b'\n"),
            ("GET", "http://h/a/../b", "a", b"b", "--globoff --path-as-is --request GET "),
            ("GET", "http://h/a/%2E", "a", b"b", "--globoff --path-as-is --request GET "),
            ("GET", "/a", "a", b"b", "--request GET --url /a "),
            (
                "POST",
                "http://h/",
                "a",
                b"",
                "--header 'a;' \\\n  --header content-type: \\\n  --data-raw ''\n",
            ),
            ("GET", "http://h/", "$(id)".replace(['(', ')'], "").as_str(), b" \t", "--header '$id;'\n"),
            ("GET", "http://h/", "a", b"\xe9'", "--header \"$(printf 'a: \\351\\047')\"\n"),
            ("GET", "http://h/", "-a", b"b\tc", "--header \"$(printf '\\055a: b\\011c')\"\n"),
        ] {
            let command = request(method, uri, name, value);
            assert!(command.contains(expected), "{command}");
        }
    }
}
