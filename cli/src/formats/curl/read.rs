//! Reads a curl command: splits it into words as a shell does, then parses curl's options.

use std::{ffi::OsString, path::Path};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{
    ansi_c::{self, to_bytes},
    cmd,
    write::piped,
};
use crate::{data::LARGEST_BODY, formats::parts::Parts};

/// Options without a value that do not affect the request: long, short.
const SILENT: [(&str, Option<char>); 18] = [
    ("compressed", None),
    ("fail", Some('f')),
    ("fail-with-body", None),
    ("globoff", Some('g')),
    ("http1.0", Some('0')),
    ("http1.1", None),
    ("http2", None),
    ("include", Some('i')),
    ("insecure", Some('k')),
    ("ipv4", Some('4')),
    ("ipv6", Some('6')),
    ("location", Some('L')),
    ("no-buffer", Some('N')),
    ("path-as-is", None),
    ("progress-bar", Some('#')),
    ("show-error", Some('S')),
    ("silent", Some('s')),
    ("verbose", Some('v')),
];

/// Options with a value that do not affect the request.
const SETTINGS: [(&str, Option<char>); 12] = [
    ("cacert", None),
    ("cert", Some('E')),
    ("connect-timeout", None),
    ("dump-header", Some('D')),
    ("key", None),
    ("max-time", Some('m')),
    ("output", Some('o')),
    ("proxy", Some('x')),
    ("resolve", None),
    ("retry", None),
    ("retry-delay", None),
    ("write-out", Some('w')),
];

/// Options whose value is a header.
const HEADERS: [(&str, Option<char>, &str); 3] = [
    ("user-agent", Some('A'), "user-agent"),
    ("cookie", Some('b'), "cookie"),
    ("referer", Some('e'), "referer"),
];

/// Options whose value is the body or a part of it.
const DATA: [(&str, Option<char>, Reading); 6] = [
    ("data", Some('d'), Reading::WithoutLineBreaks),
    ("data-ascii", None, Reading::WithoutLineBreaks),
    ("data-binary", None, Reading::Exact),
    ("data-raw", None, Reading::Literal),
    ("data-urlencode", None, Reading::Encoded),
    ("json", None, Reading::Exact),
];

/// How curl interprets the value of a data option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// `@file` reads a file without its line breaks.
    WithoutLineBreaks,
    /// `@file` reads a file.
    Exact,
    /// `@` has no special meaning.
    Literal,
    /// The value is percent-encoded.
    Encoded,
}

/// What tools copy in other formats, by how it begins.
const FOREIGN: [(&str, &str); 8] = [
    ("$session", "a script for PowerShell"),
    ("Invoke-WebRequest", "a command for PowerShell"),
    ("Invoke-RestMethod", "a command for PowerShell"),
    ("iwr ", "a command for PowerShell"),
    ("irm ", "a command for PowerShell"),
    ("fetch(", "JavaScript"),
    ("await fetch(", "JavaScript"),
    ("{", "JSON, as of an API Gateway event (--event) or a HAR (--har)"),
];

/// Parses a command; `read` reads the files that it names.
pub fn parse(text: &str, read: impl Fn(&Path) -> Result<Vec<u8>, String>) -> Result<Parts, String> {
    // The format in which `letterbox sign` and the page write a binary body.
    if let Some((command, body)) = piped(text) {
        return words(&command, |file| if file == Path::new("-") { Ok(body.clone()) } else { read(file) });
    }
    words(text, read)
}

fn words(text: &str, read: impl Fn(&Path) -> Result<Vec<u8>, String>) -> Result<Parts, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if let Some((_, format)) = FOREIGN.iter().find(|(beginning, _)| text.starts_with(beginning)) {
        return Err(format!(
            "expected a command that starts with `curl`, for bash or cmd; this is {format}. Copy the request as cURL"
        ));
    }
    // From here on, strings have one character per byte.
    let bytes = ansi_c::from_bytes(text.as_bytes());
    let words = if cmd::is_cmd(&bytes) {
        cmd::split(&bytes).ok_or("expected a command for Windows' cmd: a quote is not closed")?
    } else {
        let words = shell_words::split(&ansi_c::translate(&bytes)?);
        words.map_err(|_| "expected a command for bash or cmd: a quote is not closed".to_owned())?
    };
    let mut words = words.into_iter().skip_while(|word| ["$", ">", "PS>"].contains(&word.as_str()));
    let is_curl = |word: &str| {
        let name = word.rsplit(['/', '\\']).next().unwrap_or_default();
        name == "curl" || name.eq_ignore_ascii_case("curl.exe")
    };
    if !words.next().as_deref().is_some_and(is_curl) {
        return Err("expected a command that starts with `curl`, for bash or cmd".into());
    }
    let words: Vec<_> = words.collect();
    // PowerShell continues a line with a backtick, which is a word of its own then.
    let is_continued = text.lines().any(|line| line.trim_end().ends_with(" `"));
    if is_continued && words.iter().any(|word| word == "`") {
        return Err(
            "expected a command for bash or cmd; this is one for PowerShell. Copy the request as cURL (bash)"
                .into(),
        );
    }
    let words = words.into_iter();
    let matches =
        command().try_get_matches_from(words.map(OsString::from)).map_err(|error| first_line(&error))?;
    let get = |name: &str| matches.get_one::<String>(name);

    let mut headers: Vec<(String, Vec<u8>)> = HEADERS
        .iter()
        .filter_map(|(option, _, header)| get(option).map(|value| ((*header).to_owned(), to_bytes(value))))
        .collect();
    let mut takes_content_type_away = false;
    for header in matches.get_many::<String>("header").into_iter().flatten() {
        match (header.split_once(':'), header.strip_suffix(';')) {
            // `Name:` removes one of curl's own headers, `Name;` sends it empty.
            (Some((name, value)), _) if trimmed(value).is_empty() => {
                takes_content_type_away |= is_content_type(trimmed(name));
            }
            (Some((name, value)), _) => headers.push((to_text(trimmed(name))?, to_bytes(trimmed(value)))),
            (None, Some(name)) => headers.push((to_text(trimmed(name))?, Vec::new())),
            (None, None) => return Err("--header: expected `Name: value`".into()),
        }
    }
    let body = body(&matches, read)?;
    let urls: Vec<&String> =
        ["address", "url"].iter().filter_map(|name| matches.get_many::<String>(name)).flatten().collect();
    let [url] = urls.as_slice() else {
        return Err(format!("expected one URL, found {}", urls.len()));
    };
    let url = to_text(url)?;
    // `letterbox sign` writes a URL without a scheme if the request has no host.
    let mut url = if url.contains("://") { url } else { format!("http://{url}") };
    let mut method = if body.is_some() { "POST" } else { "GET" };
    let mut body = body.unwrap_or_default();
    if matches.get_flag("get") {
        method = "GET";
        let separator = if url.contains('?') { '&' } else { '?' };
        url += &format!("{separator}{}", String::from_utf8_lossy(&std::mem::take(&mut body)));
    } else if matches.get_flag("head") {
        method = "HEAD";
    } else if method == "POST"
        && !takes_content_type_away
        && !headers.iter().any(|(name, _)| is_content_type(name))
    {
        let json = matches.contains_id("json");
        let media_type = if json { "application/json" } else { "application/x-www-form-urlencoded" };
        headers.push(("content-type".into(), media_type.into()));
    }
    let method = get("request").map_or_else(|| Ok(method.to_owned()), |method| to_text(method))?;
    Ok(Parts { method, url, headers, body })
}

/// Decodes a word as UTF-8.
fn to_text(word: &str) -> Result<String, String> {
    String::from_utf8(to_bytes(word))
        .map_err(|_| "expected UTF-8 in the URL, the method and the names".to_owned())
}

/// Trims ASCII whitespace; `str::trim` could remove a byte of a UTF-8 character.
fn trimmed(word: &str) -> &str {
    word.trim_matches([' ', '\t'])
}

fn is_content_type(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-type")
}

fn command() -> Command {
    let option = |name: &'static str, short: Option<char>, action| {
        let arg = Arg::new(name).long(name).action(action);
        if let Some(short) = short { arg.short(short) } else { arg }
    };
    // A value may start with a hyphen.
    let valued = |name, short, action| option(name, short, action).allow_hyphen_values(true);
    let flag = |name, short| option(name, short, ArgAction::SetTrue);
    Command::new("curl")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(SILENT.map(|(name, short)| flag(name, short)))
        .args([flag("get", Some('G')), flag("head", Some('I'))])
        .args(SETTINGS.map(|(name, short)| valued(name, short, ArgAction::Append)))
        .args(HEADERS.map(|(name, short, _)| valued(name, short, ArgAction::Append)))
        .args(DATA.map(|(name, short, _)| valued(name, short, ArgAction::Append)))
        .args([
            valued("request", Some('X'), ArgAction::Set),
            valued("header", Some('H'), ArgAction::Append),
            valued("url", None, ArgAction::Append),
            Arg::new("address").action(ArgAction::Append),
        ])
}

/// The first line of clap's error, which names the option; the rest is about clap.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = String::from_utf8(to_bytes(line)).unwrap_or_else(|_| line.to_owned());
    format!("curl: {}", line.trim_start_matches("error: "))
}

/// Joins the parts of the body as curl does.
fn body(
    matches: &ArgMatches,
    read: impl Fn(&Path) -> Result<Vec<u8>, String>,
) -> Result<Option<Vec<u8>>, String> {
    let mut pieces = Vec::new();
    for (name, _, reading) in DATA {
        let indices = matches.indices_of(name).into_iter().flatten();
        let values = matches.get_many::<String>(name).into_iter().flatten();
        pieces.extend(indices.zip(values).map(|(index, value)| (index, name, reading, value)));
    }
    pieces.sort_by_key(|(index, ..)| *index);
    let mut body: Option<Vec<u8>> = None;
    for (_, name, reading, value) in pieces {
        let file = value.strip_prefix('@').filter(|_| reading != Reading::Literal);
        let mut piece = match (file, reading) {
            (_, Reading::Encoded) => encoded(value)?,
            (Some(file), _) => read(Path::new(&to_text(file)?))?,
            (None, _) => to_bytes(value),
        };
        if file.is_some() && reading == Reading::WithoutLineBreaks {
            piece.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
        }
        body = Some(match body {
            None => piece,
            Some(before) if name == "json" => [before, piece].concat(),
            Some(before) => [before, piece].join(&b'&'),
        });
        if body.as_ref().is_some_and(|body| body.len() > LARGEST_BODY) {
            return Err(format!(
                "the body: too large: API Gateway forwards at most {LARGEST_BODY} bytes, and the files have more together"
            ));
        }
    }
    Ok(body)
}

/// `content`, `=content` or `name=content`.
fn encoded(value: &str) -> Result<Vec<u8>, String> {
    if !value.contains('=') && value.contains('@') {
        return Err("--data-urlencode: a file is not supported; use --data-binary".into());
    }
    let (name, content) = value.split_once('=').unwrap_or(("", value));
    let content: String = form_urlencoded::byte_serialize(&to_bytes(content)).collect();
    let text = if name.is_empty() { content } else { format!("{name}={content}") };
    Ok(to_bytes(&text))
}

#[cfg(test)]
mod tests {
    use letterbox_codec::{Request, headers};
    use proptest::prelude::*;

    use super::*;
    use crate::formats::curl::write::command as command_of;

    fn parsed(text: &str) -> Result<Parts, String> {
        parse(text, |file| Ok(format!("<{}>\r\n", file.display()).into_bytes()))
    }

    #[test]
    fn commands_copied_from_tools_are_parsed() {
        for (text, method, url, header, body) in [
            ("curl https://h/a", "GET", "https://h/a", "", ""),
            (
                "$ curl -sS 'https://h/a' -d x -d y",
                "POST",
                "https://h/a",
                "application/x-www-form-urlencoded",
                "x&y",
            ),
            (
                "curl --request POST \\\n  --url https://h/a \\\n  --header 'Content-Type: application/json' \\\n  --data '{\"a\":\"it'\\''s\"}'",
                "POST",
                "https://h/a",
                "application/json",
                "{\"a\":\"it's\"}",
            ),
            (
                "curl 'https://h/a' -H 'content-type: a/b' --data-raw $'{\"a\":\"it\\'s\\u0021\\n\"}' --compressed",
                "POST",
                "https://h/a",
                "a/b",
                "{\"a\":\"it's!\n\"}",
            ),
            ("curl -XPUT h/a -Hcontent-type:a/b --data-binary @f", "PUT", "http://h/a", "a/b", "<f>\r\n"),
            ("curl h/a --json '{' --json '}'", "POST", "http://h/a", "application/json", "{}"),
            (
                "curl h/a -d @f --data-raw @g",
                "POST",
                "http://h/a",
                "application/x-www-form-urlencoded",
                "<f>&@g",
            ),
            (
                "curl h/a --data-urlencode 'a=b c'",
                "POST",
                "http://h/a",
                "application/x-www-form-urlencoded",
                "a=b+c",
            ),
            ("curl -G h/a?x=1 -d y=2", "GET", "http://h/a?x=1&y=2", "", ""),
            ("curl -I h/a -d -", "HEAD", "http://h/a", "", "-"),
            (
                "curl ^\"https://h/a?x=1^&y=^%2B^\" ^\r\n  -H ^\"content-type: a/b^\" ^\r\n  --data-raw ^\"^{^\\^\"a^\\^\":^\\^\"50^% ^<b^>^\\\\n^\\^\"^}^\"\r\n",
                "POST",
                "https://h/a?x=1&y=%2B",
                "a/b",
                "{\"a\":\"50% <b>\\n\"}",
            ),
            (
                "curl.exe \"https://h/a\" ^\n  --json \"{\\\"a\\\":1}\"",
                "POST",
                "https://h/a",
                "application/json",
                "{\"a\":1}",
            ),
        ] {
            let parts = parsed(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((parts.method.as_str(), parts.url.as_str()), (method, url), "{text}");
            assert_eq!(
                parts
                    .headers
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
                    .map_or("", |(_, value)| std::str::from_utf8(value).unwrap()),
                header,
                "{text}"
            );
            assert_eq!(String::from_utf8_lossy(&parts.body), body, "{text}");
        }
    }

    #[test]
    fn invalid_commands_are_reported() {
        for (text, expected) in [
            ("wget h/a", "starts with `curl`"),
            ("Invoke-WebRequest -Uri \"https://h/a\"", "this is a command for PowerShell"),
            ("$session = New-Object", "this is a script for PowerShell"),
            ("curl.exe \"https://h/a\" `\n  -H \"a: b\"", "this is one for PowerShell"),
            ("fetch(\"https://h/a\", {", "this is JavaScript"),
            ("{\"version\":\"2.0\"}", "(--event)"),
            ("curl ^\"https://h/a", "for Windows' cmd: a quote is not closed"),
            ("", "starts with `curl`"),
            ("curl 'h/a", "a quote is not closed"),
            ("curl $'h/a", "a quote is not closed"),
            ("curl -d x", "expected one URL, found 0"),
            ("curl h/a h/b", "expected one URL, found 2"),
            ("curl h/a -F a=b", "unexpected argument '-F'"),
            ("curl h/a -H nothing", "--header: expected `Name: value`"),
            ("curl h/a --data-urlencode a@f", "--data-urlencode"),
        ] {
            let error = parsed(text).err().unwrap();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    fn request() -> impl Strategy<Value = Request> {
        let names = "[a-z!#$%&'*+.^_`|~-][a-z0-9!#$%&'*+.^_`|~-]{0,8}";
        // Header values as HTTP delivers them: without whitespace at either end.
        let values = prop_oneof![
            "[ -~]{0,20}".prop_map(|value| value.trim().as_bytes().to_vec()),
            "([!-~]|[!-~][ -~\t]{0,9}[!-~])?".prop_map(String::into_bytes),
            prop::collection::vec(0x80..=u8::MAX, 0..9),
        ];
        let bodies = prop_oneof![
            Just(Vec::new()),
            "[ -~\n]{0,40}".prop_map(String::into_bytes),
            "\\PC{0,20}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..40),
        ];
        let methods = prop_oneof!["GET", "HEAD", "POST", "PUT", "[A-Z!#$%&'*+.^_`|~-]{1,12}"];
        let targets = "/[a-z{},!$&'();=~:@%./*+-]{0,20}([?][a-z{},!$&'();=~:@%/?+-]{0,20})?";
        let headers = prop::collection::vec((names, values), 0..6);
        (methods, targets, headers, bodies).prop_map(|(method, target, headers, body)| {
            let mut request = Request::new(body.into());
            *request.method_mut() = method.parse().unwrap();
            *request.uri_mut() = format!("https://h{target}").parse().unwrap();
            *request.headers_mut() = headers::collect(headers).unwrap();
            request
        })
    }

    proptest! {
        #[test]
        fn a_written_command_is_parsed_to_the_same_request(request in request()) {
            let text = command_of(&request);
            let parts = parse(&text, |file| Err(format!("reads {}", file.display()))).unwrap();
            prop_assert_eq!(&parts.method, request.method().as_str(), "{}", text);
            prop_assert_eq!(&parts.url, &request.uri().to_string(), "{}", text);
            prop_assert_eq!(&headers::collect(parts.headers).unwrap(), request.headers(), "{}", text);
            prop_assert_eq!(&parts.body, request.body(), "{}", text);
        }
    }

    #[test]
    fn words_need_not_be_utf_8() {
        let parts = parsed(r"curl h/a -H $'x-a: \xe9' -d $'\xff\u00e9'").unwrap();
        assert_eq!(parts.body, b"\xff\xc3\xa9");
        assert_eq!(parts.headers[0], ("x-a".to_owned(), b"\xe9".to_vec()));
        assert_eq!(parsed("curl h/é -d é").unwrap().url, "http://h/é");
        let error = parsed("curl h/a --é\u{1b}").err().unwrap();
        assert!(error.contains("--é"), "{error}");
    }

    #[test]
    fn a_removed_header_is_not_added() {
        for (text, expected) in [
            ("curl h/a -d b", &["content-type"][..]),
            ("curl h/a -d b -H content-type:", &[]),
            ("curl h/a -d b -H 'Content-Type: '", &[]),
            ("curl h/a -d b -H 'content-type;'", &["content-type"]),
        ] {
            let parts = parsed(text).unwrap();
            let names: Vec<_> = parts.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, expected, "{text}");
        }
    }
}
