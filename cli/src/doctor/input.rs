//! From the command line to a delivery: what comes in as a file, a command or an archive becomes one request.

mod ansi_c;
mod curl;
mod har;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use letterbox_codec::{Reject, Request, Timestamp};
use letterbox_intake::{ambient, gateway};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{args::Doctor, delivery::Delivery};
use crate::{
    credentials,
    providers::{self, PROVIDERS, Row},
};

/// A request in texts, as every form of input tells it.
#[derive(Debug)]
struct Parts {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A request, for whom it is, and when it came, as far as the input tells.
struct Letter {
    row: &'static Row,
    source: String,
    request: Request,
    received: Option<Timestamp>,
}

/// Reads the delivery that the command line names. The error is a usage error.
pub fn delivery(args: &Doctor) -> Result<Delivery, String> {
    // clap does not ask for an option that excludes one that is there.
    let parts = [
        ("--entry", args.entry.is_some(), "--har", args.har.is_some()),
        ("--method", args.method.is_some(), "--url", args.url.is_some()),
        ("--header", !args.headers.is_empty(), "--url", args.url.is_some()),
        ("--body", args.body.is_some(), "--url", args.url.is_some()),
    ];
    if let Some((part, _, whole, _)) = parts.iter().find(|(_, given, _, of)| *given && !of) {
        return Err(format!("{part} goes with {whole}"));
    }
    let credentials = credentials::load(args.credentials.as_deref())?;
    let letter = match (&args.event, &args.curl, &args.har, &args.url) {
        (Some(file), ..) => event(args, &text(file)?).map_err(|error| in_file(file, &error))?,
        (_, Some(file), ..) => {
            let parts = curl::parse(&text(file)?, bytes);
            letter(args, parts.map_err(|error| in_file(file, &error))?, None)?
        }
        (_, _, Some(file), _) => {
            let names_provider = |url: &str| url.parse().is_ok_and(|uri: Uri| in_path(uri.path()).is_some());
            let found = har::parse(&text(file)?, args.entry, names_provider);
            let found = found.map_err(|error| in_file(file, &error))?;
            letter(args, found.parts, found.sent)?
        }
        (.., Some(url)) => letter(args, from_options(args, url)?, None)?,
        _ => return Err("expected one of --event, --curl, --har and --url".into()),
    };
    let now = match args.now.or(letter.received) {
        Some(now) => now,
        None => ambient::system().map_err(|error| error.to_string())?.now,
    };
    Ok(Delivery { row: letter.row, source: letter.source, request: letter.request, now, credentials })
}

fn in_file(file: &Path, error: &str) -> String {
    format!("{}: {error}", file.display())
}

/// The content of a file; `-` is the standard input.
fn bytes(file: &PathBuf) -> Result<Vec<u8>, String> {
    let read = if file.as_os_str() == "-" {
        let mut content = Vec::new();
        std::io::stdin().read_to_end(&mut content).map(|_| content)
    } else {
        fs::read(file)
    };
    read.map_err(|error| in_file(file, &error.to_string()))
}

fn text(file: &PathBuf) -> Result<String, String> {
    String::from_utf8(bytes(file)?).map_err(|_| in_file(file, "expected UTF-8"))
}

fn from_options(args: &Doctor, url: &str) -> Result<Parts, String> {
    let header = |header: &String| {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| "--header: expected `Name: value`, such as `X-GitHub-Event: push`".to_owned())?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    Ok(Parts {
        method: args.method.clone().unwrap_or_else(|| "POST".to_owned()),
        url: url.to_owned(),
        headers: args.headers.iter().map(header).collect::<Result<_, String>>()?,
        body: args.body.as_ref().map_or(Ok(Vec::new()), bytes)?,
    })
}

/// The provider that a path names.
fn in_path(path: &str) -> Option<&'static Row> {
    path.split('/').find_map(|segment| PROVIDERS.iter().find(|row| row.name == segment))
}

fn provider(args: &Doctor, path: &str) -> Result<&'static Row, String> {
    match &args.provider {
        Some(name) => providers::find(name).map_err(|error| format!("--provider: {error}")),
        None => in_path(path).ok_or_else(|| {
            format!("the URL's path {path:?} names no provider: --provider says which, --source its source")
        }),
    }
}

/// The source that a path names. What is no route names a source that nobody has.
fn source(args: &Doctor, row: &Row, path: &str) -> String {
    let named = || match gateway::source(row.name, path) {
        Ok(source) => source.to_owned(),
        Err(_) => path.trim_matches('/').to_owned(),
    };
    args.source.clone().unwrap_or_else(named)
}

fn letter(args: &Doctor, parts: Parts, received: Option<Timestamp>) -> Result<Letter, String> {
    let uri: Uri = parts
        .url
        .parse()
        .ok()
        .filter(|uri: &Uri| uri.scheme().is_some())
        .ok_or("the URL: expected a whole one, such as https://hooks.example.com/github/acme")?;
    let row = provider(args, uri.path())?;
    let source = source(args, row, uri.path());
    let mut request = Request::new(Bytes::from(parts.body));
    *request.method_mut() =
        parts.method.parse::<Method>().map_err(|_| "the method: expected one such as POST")?;
    *request.uri_mut() = uri;
    for (name, value) in parts.headers {
        // A name may stand in the message, a value may be a signature.
        let known: HeaderName =
            name.parse().map_err(|_| format!("the header {name:?}: expected a header's name"))?;
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| format!("the header {known}: expected a value without control characters"))?;
        request.headers_mut().append(known, value);
    }
    Ok(Letter { row, source, request, received })
}

fn event(args: &Doctor, text: &str) -> Result<Letter, String> {
    let told = |reject: &Reject| reject.message().into_owned();
    let raw: Box<RawValue> = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("line {}, column {}: expected JSON", error.line(), error.column()))?;
    let mut event = gateway::read(&raw).map_err(|reject| told(&reject))?;
    let received =
        gateway::received(&event).and_then(|Timestamp(time)| super::time::parse(&time.to_string()).ok());
    let path = event.raw_path.clone().unwrap_or_default();
    let row = provider(args, &path)?;
    if args.source.is_some() || !event.path_parameters.contains_key("source") {
        event.path_parameters.insert("source".into(), source(args, row, &path));
    }
    let (source, request) = gateway::request(row.name, event).map_err(|reject| told(&reject))?;
    Ok(Letter { row, source, request, received })
}

/// Reads an answer: a Lambda result, what `curl -i` prints, or the bare body of one with the right status.
pub fn reply(file: &PathBuf, expected: StatusCode) -> Result<http::Response<Bytes>, String> {
    let content = bytes(file)?;
    let read = match lambda_result(&content) {
        Some(reply) => reply,
        None if content.starts_with(b"HTTP/") => printed(&content),
        None => Ok((expected, content)),
    };
    let (status, body) = read.map_err(|error| in_file(file, error))?;
    let mut reply = http::Response::new(Bytes::from(body));
    *reply.status_mut() = status;
    Ok(reply)
}

type Answer = Result<(StatusCode, Vec<u8>), &'static str>;

fn lambda_result(content: &[u8]) -> Option<Answer> {
    use base64::{Engine, engine::general_purpose::STANDARD};

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Lambda {
        status_code: u16,
        #[serde(default)]
        body: String,
        #[serde(default)]
        is_base64_encoded: bool,
    }

    let lambda: Lambda = serde_json::from_slice(content).ok()?;
    let status = StatusCode::from_u16(lambda.status_code).map_err(|_| "statusCode: expected an HTTP status");
    let body = if lambda.is_base64_encoded {
        STANDARD.decode(lambda.body).map_err(|_| "body: expected base64, as isBase64Encoded says")
    } else {
        Ok(lambda.body.into_bytes())
    };
    Some(status.and_then(|status| Ok((status, body?))))
}

/// The status line, the headers, an empty line, the body.
fn printed(content: &[u8]) -> Answer {
    const EXPECTED: &str =
        "expected a status line, headers, an empty line and the body, as `curl -i` prints them";
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let end = ends.iter().find_map(|end| {
        let at = content.windows(end.len()).position(|window| window == *end)?;
        Some((content.get(..at)?, content.get(at.checked_add(end.len())?..)?))
    });
    let (head, body) = end.ok_or(EXPECTED)?;
    let head = String::from_utf8_lossy(head);
    let status = head.split_ascii_whitespace().nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(EXPECTED)?, body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_in_three_forms() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reply");
        for (content, expected) in [
            ("abc", Ok((200, "abc"))),
            ("HTTP/1.1 202 Accepted\r\na: b\r\n\r\nabc\r\n", Ok((202, "abc\r\n"))),
            ("HTTP/2 401\na: b\n\n", Ok((401, ""))),
            (r#"{"statusCode":202,"body":"YWJj","isBase64Encoded":true}"#, Ok((202, "abc"))),
            (r#"{"statusCode":202,"body":"%","isBase64Encoded":true}"#, Err("isBase64Encoded")),
            (r#"{"statusCode":1}"#, Err("statusCode")),
            ("HTTP/2 401", Err("curl -i")),
            ("HTTP/2 x\n\n", Err("curl -i")),
        ] {
            fs::write(&file, content).unwrap();
            let got = reply(&file, StatusCode::OK);
            match expected {
                Ok((status, body)) => {
                    let got = got.unwrap();
                    assert_eq!((got.status().as_u16(), got.body().as_ref()), (status, body.as_bytes()));
                }
                Err(part) => assert!(got.unwrap_err().contains(part), "{content}"),
            }
        }
    }
}
