//! Reads the delivery to diagnose: a stored delivery, a file, a curl command or an archive becomes one request.

use std::path::Path;

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use letterbox_codec::{Reject, Request, Timestamp, headers};
use letterbox_intake::{ambient, gateway};
use letterbox_registry::{PROVIDERS, Platform};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::{Doctor, Input};
use crate::{
    credentials, data,
    doctor::{diagnosis_input::DiagnosisInput, reply::Reply},
    formats::{
        curl::read as curl,
        har,
        message::{self, name_and_value},
        parts::Parts,
    },
    local::history::sqlite::Deliveries,
    time,
};

/// A request with its provider and source, and with the time of receipt if the input has it.
struct ParsedRequest {
    provider: &'static dyn Platform,
    source: String,
    request: Request,
    received: Option<Timestamp>,
}

/// Reads the delivery that the command line names. The error is a usage error.
pub fn delivery(args: &Doctor) -> Result<DiagnosisInput, String> {
    // clap does not check `requires` for an option that is in the same group.
    let input = args.input();
    let (is_har, is_url) = (matches!(input, Some(Input::Har(_))), matches!(input, Some(Input::Url(_))));
    let parts = [
        ("--entry", args.entry.is_some(), "--har", is_har),
        ("--method", args.method.is_some(), "--url", is_url),
        ("--header", !args.headers.is_empty(), "--url", is_url),
        ("--body", args.body.is_some(), "--url", is_url),
    ];
    if let Some((part, _, whole, _)) = parts.iter().find(|(_, given, _, of)| *given && !of) {
        return Err(format!("{part} goes with {whole}"));
    }
    let credentials = credentials::load(args.key.credentials.as_deref())?;
    let parsed = match input.ok_or("expected one of --delivery, --event, --curl, --har and --url")? {
        Input::Delivery(id) => stored(args, id)?,
        Input::Event(file) => {
            event(args, &text(file, data::MESSAGE)?).map_err(|error| in_file(file, &error))?
        }
        Input::Curl(file) => {
            let parts = curl::parse(&text(file, data::MESSAGE)?, |file| data::read(file, data::BODY));
            parsed_request(args, parts.map_err(|error| in_file(file, &error))?, None)?
        }
        Input::Har(file) => {
            let names_provider = |url: &str| url.parse().is_ok_and(|uri: Uri| in_path(uri.path()).is_some());
            let found = har::parse(&text(file, data::ARCHIVE)?, args.entry, names_provider);
            let found = found.map_err(|error| in_file(file, &error))?;
            parsed_request(args, found.parts, found.sent)?
        }
        Input::Url(url) => parsed_request(args, from_options(args, url)?, None)?,
    };
    let now = match args.now.or(parsed.received) {
        Some(now) => now,
        None => ambient::system().map_err(|error| error.to_string())?.now,
    };
    Ok(DiagnosisInput {
        provider: parsed.provider,
        source: parsed.source,
        request: parsed.request,
        now,
        credentials,
    })
}

/// A delivery that `letterbox serve` has stored.
fn stored(args: &Doctor, id: i64) -> Result<ParsedRequest, String> {
    let place = args.database.display();
    let found = Deliveries::open(&args.database)?.get(id).map_err(|error| format!("{place}: {error}"))?;
    let found = found.ok_or_else(|| {
        format!("{place}: no delivery {id} in the history beside it: it was removed, or never existed; see the page of `letterbox serve` for the stored ones")
    })?;
    if found.trace.body_is_lost {
        return Err(format!(
            "{place}: delivery {id}: the body was too large or arrived incomplete, so it was not stored"
        ));
    }
    let provider = match &args.provider {
        Some(name) => letterbox_registry::find(name).map_err(|error| format!("--provider: {error}"))?,
        None => letterbox_registry::find(&found.summary.provider)?,
    };
    let source = args.key.source.clone().unwrap_or(found.summary.source);
    Ok(ParsedRequest { provider, source, request: found.request, received: Some(found.summary.received) })
}

fn in_file(file: &Path, error: &str) -> String {
    format!("{}: {error}", file.display())
}

fn text(file: &Path, limit: data::Limit) -> Result<String, String> {
    String::from_utf8(data::read(file, limit)?).map_err(|_| in_file(file, "expected UTF-8"))
}

fn from_options(args: &Doctor, url: &str) -> Result<Parts, String> {
    let header = |header: &String| {
        let (name, value) = name_and_value(header).map_err(|error| format!("--header: {error}"))?;
        Ok((name.to_owned(), value.as_bytes().to_vec()))
    };
    Ok(Parts {
        method: args.method.clone().unwrap_or_else(|| "POST".to_owned()),
        url: url.to_owned(),
        headers: args.headers.iter().map(header).collect::<Result<_, String>>()?,
        body: args.body.as_deref().map_or(Ok(Vec::new()), |file| data::read(file, data::BODY))?,
    })
}

/// The provider that a path names.
fn in_path(path: &str) -> Option<&'static dyn Platform> {
    path.split('/').find_map(|segment| PROVIDERS.iter().copied().find(|provider| provider.name() == segment))
}

fn provider(args: &Doctor, path: &str) -> Result<&'static dyn Platform, String> {
    match &args.provider {
        Some(name) => letterbox_registry::find(name).map_err(|error| format!("--provider: {error}")),
        None => in_path(path).ok_or_else(|| {
            format!("the URL's path {path:?} names no provider: name one with --provider, and its source with --source")
        }),
    }
}

/// The source that a path names. A path that is not a route becomes an unknown source.
fn source(args: &Doctor, provider: &dyn Platform, path: &str) -> String {
    let named = || match gateway::source(provider.name(), path) {
        Ok(source) => source.to_owned(),
        Err(_) => path.trim_matches('/').to_owned(),
    };
    args.key.source.clone().unwrap_or_else(named)
}

fn parsed_request(args: &Doctor, parts: Parts, received: Option<Timestamp>) -> Result<ParsedRequest, String> {
    let uri: Uri = parts
        .url
        .parse()
        .ok()
        .filter(|uri: &Uri| uri.scheme().is_some())
        .ok_or("the URL: expected an absolute one, such as https://hooks.example.com/github/acme")?;
    let provider = provider(args, uri.path())?;
    let source = source(args, provider, uri.path());
    let mut request = Request::new(Bytes::from(parts.body));
    *request.method_mut() =
        parts.method.parse::<Method>().map_err(|_| "the method: expected one such as POST")?;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers::collect(parts.headers).map_err(|error| error.to_string())?;
    Ok(ParsedRequest { provider, source, request, received })
}

fn event(args: &Doctor, text: &str) -> Result<ParsedRequest, String> {
    let message = |reject: &Reject| reject.message().into_owned();
    let raw: Box<RawValue> = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("line {}, column {}: expected JSON", error.line(), error.column()))?;
    let mut event = gateway::read(&raw).map_err(|reject| message(&reject))?;
    let received = gateway::received(&event).and_then(|Timestamp(time)| time::parse(&time.to_string()).ok());
    let path = event.raw_path.clone().unwrap_or_default();
    let provider = provider(args, &path)?;
    if args.key.source.is_some() || !event.path_parameters.contains_key("source") {
        event.path_parameters.insert("source".into(), source(args, provider, &path));
    }
    let (source, request) = gateway::request(provider.name(), event).map_err(|reject| message(&reject))?;
    Ok(ParsedRequest { provider, source, request, received })
}

/// Reads a response: a Lambda result, the output of `curl --include`, or a bare body, which has no status.
pub fn reply(file: &Path) -> Result<Reply, String> {
    let content = data::read(file, data::MESSAGE)?;
    let with_status = lambda_result(&content).or_else(|| message::response(&content));
    match with_status.transpose().map_err(|error| in_file(file, &error))? {
        Some((status, body)) => Ok(Reply { status: Some(status), body }),
        None => Ok(Reply { status: None, body: content.into() }),
    }
}

fn lambda_result(content: &[u8]) -> Option<Result<(StatusCode, Bytes), String>> {
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
    let status = StatusCode::from_u16(lambda.status_code)
        .map_err(|_| "statusCode: expected an HTTP status".to_owned());
    let body = if lambda.is_base64_encoded {
        STANDARD.decode(lambda.body).map_err(|_| "body: expected base64, as isBase64Encoded says".to_owned())
    } else {
        Ok(lambda.body.into_bytes())
    };
    Some(status.and_then(|status| Ok((status, body?.into()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_in_three_forms() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reply");
        for (content, expected) in [
            ("abc", Ok((None, "abc"))),
            ("HTTP/1.1 202 Accepted\r\na: b\r\n\r\nabc\r\n", Ok((Some(202), "abc\r\n"))),
            ("HTTP/2 401\na: b\n\n", Ok((Some(401), ""))),
            (r#"{"statusCode":202,"body":"YWJj","isBase64Encoded":true}"#, Ok((Some(202), "abc"))),
            (r#"{"statusCode":202,"body":"%","isBase64Encoded":true}"#, Err("isBase64Encoded")),
            (r#"{"statusCode":1}"#, Err("statusCode")),
            ("HTTP/2 401", Err("curl --include")),
            ("HTTP/2 x\n\n", Err("curl --include")),
        ] {
            std::fs::write(&file, content).unwrap();
            let got = reply(&file);
            match expected {
                Ok((status, body)) => {
                    let got = got.unwrap();
                    let got = (got.status.map(|status| status.as_u16()), got.body.as_ref());
                    assert_eq!(got, (status, body.as_bytes()));
                }
                Err(part) => assert!(got.err().unwrap().contains(part), "{content}"),
            }
        }
    }
}
