//! The targets of the program: deliveries in the formats that people paste, and their diagnosis.

use std::{path::Path, sync::OnceLock};

use http::{HeaderMap, HeaderValue};
use letterbox::{
    credentials::Credentials,
    doctor::{Report, diagnosis_input::DiagnosisInput, reply::Reply},
    formats::{
        curl::{read, write},
        gateway, har,
        json_style::{LAYOUTS, restyle},
        message::Message,
        raw,
    },
    terminal::{is_shown, printable, printable_json, printable_lines},
};
use letterbox_codec::{Request, json::Object};
use letterbox_intake::gateway as intake;
use letterbox_registry::{PROVIDERS, Platform};
use serde_json::{Value, value::RawValue};

use crate::{
    Target,
    input::{self, ambient},
};

/// The targets of this module.
pub fn targets() -> Vec<Target> {
    vec![
        Target::new("curl", curl),
        Target::new("curl-round-trip", curl_round_trip),
        Target::new("har", archive),
        Target::new("raw", raw_http),
        Target::new("event-round-trip", event_round_trip),
        Target::new("doctor", doctor),
        Target::new("json-style", json_style),
        Target::new("terminal", terminal),
    ]
}

/// Any command: nothing but the files that it names is asked for.
fn curl(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    match read::parse(text, |file| file.to_str().map_or(Err("no".into()), |_| Ok(b"body".to_vec()))) {
        Ok(parts) => assert!(!parts.method.is_empty()),
        Err(error) => assert!(!error.is_empty()),
    }
    true
}

/// The command of any request is read as the same request.
fn curl_round_trip(input: &[u8]) -> bool {
    let Some(request) = input::request(input) else { return false };
    let command = write::command(&request);
    let never = |file: &Path| -> Result<Vec<u8>, String> { panic!("it reads {}", file.display()) };
    let parts = read::parse(&command, never).unwrap_or_else(|error| panic!("{command}: {error}"));
    assert_eq!(
        (&*parts.method, parts.body.as_slice()),
        (request.method().as_str(), &**request.body()),
        "{command}"
    );
    assert_eq!(parts.url, request.uri().to_string());
    for name in request.headers().keys().filter(|name| {
        !["host", "content-length", "connection", "transfer-encoding"].contains(&name.as_str())
    }) {
        let values: Vec<_> = request.headers().get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let read = parts.headers.iter().filter(|(read, _)| read.eq_ignore_ascii_case(name.as_str()));
        assert_eq!(
            read.map(|(_, value)| value.as_slice()).collect::<Vec<_>>(),
            values,
            "{name} in {command}"
        );
    }
    true
}

/// Any HAR.
fn archive(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    for number in [None, Some(1)] {
        if let Err(error) = har::parse(text, number, |url| url.contains("github")) {
            assert!(error.len() < 1024);
        }
    }
    true
}

/// Any message: a body, an event or raw HTTP. A request as it is written is read as the same request.
fn raw_http(input: &[u8]) -> bool {
    let _ = Message::read("github", input.to_vec());
    let Some(request) = input::request(input) else { return false };
    let has_framing =
        ["host", "content-length", "connection"].iter().any(|name| request.headers().contains_key(*name));
    if request.method() != http::Method::POST || has_framing {
        return false;
    }
    let message = Message::read("github", raw::write(&request)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(message.request.body(), request.body());
    assert_eq!(message.request.uri().path_and_query(), request.uri().path_and_query());
    true
}

/// The event of any request is read as the same request.
fn event_round_trip(input: &[u8]) -> bool {
    let Some(request) = input::request(input) else { return false };
    let named = |provider: &&&dyn Platform| request.uri().path().contains(provider.name());
    let Some(provider) = PROVIDERS.iter().find(named).map(|provider| provider.name()) else { return false };
    let event = gateway::event(&request, provider, ambient().now).to_string();
    let event: Box<RawValue> = serde_json::from_str(&event).expect("JSON");
    let Ok(event) = intake::read(&event) else { return false };
    let Ok((_, read)) = intake::request(provider, event) else { return false };
    assert_eq!((read.method(), read.body()), (request.method(), request.body()));
    assert_eq!(read.uri().path(), request.uri().path());
    assert_eq!(read.uri().query().unwrap_or_default(), request.uri().query().unwrap_or_default());
    let text = |headers: &HeaderMap, name| -> Option<Vec<u8>> {
        let values: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        Some(values.join(&b','))
    };
    for name in request.headers().keys().filter(|name| !name.as_str().starts_with("x-forwarded")) {
        let sent = text(request.headers(), name);
        let is_text = sent.as_deref().is_some_and(|value| std::str::from_utf8(value).is_ok());
        if is_text && !["host", "content-length"].contains(&name.as_str()) {
            assert_eq!(text(read.headers(), name), sent, "{name}");
        }
    }
    true
}

/// The demo credentials of all providers.
fn credentials() -> &'static Credentials {
    static CREDENTIALS: OnceLock<Credentials> = OnceLock::new();
    CREDENTIALS.get_or_init(|| {
        let demo = PROVIDERS.iter().map(|provider| provider.facts());
        demo.map(|facts| (facts.name.to_owned(), facts.demo.to_owned())).collect()
    })
}

/// Any delivery, or a response to one, has a diagnosis: accepted if the function accepts it, else a cause.
fn doctor(input: &[u8]) -> bool {
    let Some(mut request) = input::request(input) else { return false };
    let reply = input::take(&mut request, "x-reply");
    let named =
        |provider: &&&dyn Platform| request.uri().path().split('/').any(|segment| segment == provider.name());
    let Some(provider) = PROVIDERS.iter().find(named).copied() else { return false };
    let source = intake::source(provider.name(), request.uri().path()).unwrap_or("default").to_owned();
    let delivery = DiagnosisInput {
        provider,
        source,
        request: Request::clone(&request),
        now: ambient().now,
        credentials: credentials().clone(),
    };
    let reply = reply.map(|body| Reply { status: None, body: body.into() });
    let report = Report::new(&delivery, reply.as_ref());
    assert!(report.opens || report.cause.is_some());
    assert!(!report.opens || delivery.attempt().is_ok());
    let shown = |text: &str| {
        assert!(text.chars().all(|character| character == '\n' || is_shown(character)), "{text:?}");
    };
    shown(&report.to_text());
    shown(&report.to_json());
    let _: Value = serde_json::from_str(&report.to_json()).expect("JSON");
    true
}

/// JSON in another layout is the same JSON.
fn json_style(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let Ok(object) = Object::parse(text) else { return false };
    let (Ok(value), Ok(_)) = (serde_json::from_str::<Value>(text), object.members()) else { return false };
    for (_, layout) in LAYOUTS {
        let written = restyle(&object, layout);
        let again: Value =
            serde_json::from_str(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(again, value, "{written}");
    }
    true
}

/// Nothing that a terminal interprets is printed.
fn terminal(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    assert!(printable(&text).chars().all(is_shown));
    let is_layout = |character| matches!(character, '\n' | '\t');
    assert!(printable_lines(&text).chars().all(|character| is_layout(character) || is_shown(character)));
    if let Ok(value) = serde_json::from_str::<Value>(&text) {
        let shown = printable_json(&value.to_string());
        assert!(shown.chars().all(is_shown));
        assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON"), value);
    }
    true
}
