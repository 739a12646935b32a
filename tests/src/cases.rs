//! The sample events: one for every outcome that a provider has.
//!
//! A row says how a good delivery is made bad. `events/<provider>/<name>.<status>.json` is the gateway's event,
//! `tests/expected/<provider>/<name>.json` what became of it.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, Method, Uri};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use letterbox::{
    formats::gateway::event,
    providers::{self, Key, Row},
};
use letterbox_codec::{Request, platform::Sample};
use letterbox_intake::{Answer, gateway};
use serde_json::{Value, json};

use crate::{Setup, block_on, fixed, root};

/// The deployed bundle.
const BASE: &str = "https://letterbox.execute-api.us-east-1.amazonaws.com";

/// One sample event.
pub struct Case {
    /// The provider.
    pub provider: &'static str,
    /// The name of its files.
    pub name: &'static str,
    /// The status it is answered with.
    pub status: u16,
    source: &'static str,
    letter: Letter,
    change: Change,
}

/// What is sealed or signed.
enum Letter {
    /// A sample that comes with Letterbox.
    Sample(&'static str),
    /// A payload of its own, under the name of a sample.
    Payload(&'static str, &'static [u8]),
    /// A payload of so many bytes.
    Large(&'static str, usize),
}

/// How the good delivery is made bad.
type Change = fn(&mut Request);

use Letter::{Large, Payload, Sample as Of};

/// Every sample event.
pub fn all() -> Vec<Case> {
    [dingtalk(), opencard(), github(), payment()].into_iter().flatten().collect()
}

fn case_of(provider: &'static str) -> impl Fn(&'static str, u16, &'static str, Letter, Change) -> Case {
    move |name, status, source, letter, change| Case { provider, name, status, source, letter, change }
}

fn dingtalk() -> Vec<Case> {
    let case = case_of("dingtalk");
    vec![
        case("user_add_org", 200, "default", Of("user_add_org"), same),
        case("user_add_org_legacy", 200, "default", Of("user_add_org.legacy"), same),
        case("both_corp_ids", 200, "default", Of("crm_customer_track.mixed"), same),
        case(
            "unknown_event",
            200,
            "default",
            Payload("event", br#"{"EventType":"tea_served","CorpId":"ding1"}"#),
            same,
        ),
        case("escaped_slashes", 200, "default", Of("user_add_org"), |request| {
            let escaped = String::from_utf8_lossy(request.body()).replace('/', "\\/");
            body(request, escaped.as_bytes());
        }),
        case("own_query", 200, "default", Of("user_add_org"), |request| {
            append_query(request, "tenant=%E4%BD%A0&x=1");
        }),
        case("check_url", 200, "default", Of("check_url"), same),
        case("check_create_suite_url", 200, "suite", Of("check_create_suite_url"), same),
        case("check_update_suite_url", 200, "suite", Of("check_update_suite_url"), same),
        case("missing_nonce", 400, "default", Of("user_add_org"), |request| {
            rename_query(request, "nonce=", "nonse=");
        }),
        case("duplicate_nonce", 400, "default", Of("user_add_org"), |request| {
            append_query(request, "nonce=1");
        }),
        case("not_json", 400, "default", Of("user_add_org"), |request| body(request, b"encrypt=abc")),
        case("empty", 400, "default", Of("user_add_org"), |request| body(request, b"")),
        case("missing_encrypt", 400, "default", Of("user_add_org"), |request| body(request, b"{}")),
        case("payload_without_type", 400, "default", Payload("event", br#"{"CorpId":"ding1"}"#), same),
        case("payload_not_json", 400, "default", Payload("event", b"hello"), same),
        case("wrong_signature", 401, "default", Of("user_add_org"), |request| {
            append_query_front(request, "msg_signature=0000000000000000000000000000000000000000");
        }),
        case("other_token", 401, "suite", Of("user_add_org"), |request| path(request, "/dingtalk")),
        case("stale", 401, "strict", Of("user_add_org"), same),
        case("other_corp", 403, "default", Of("user_add_org"), same),
        case("unknown_source", 404, "default", Of("user_add_org"), |request| {
            path(request, "/dingtalk/nobody");
        }),
        case("get", 405, "default", Of("user_add_org"), get),
        case("too_large", 413, "default", Of("user_add_org"), |request| {
            body(request, format!(r#"{{"encrypt":"{}"}}"#, "A".repeat(1024 * 1024)).as_bytes());
        }),
        case("queue_down", 503, "default", Of("user_add_org"), same),
        case("queue_down_check_url", 200, "default", Of("check_url"), same),
    ]
}

fn opencard() -> Vec<Case> {
    let case = case_of("opencard");
    vec![
        case("scenic_spot", 200, "default", Of("scenic_spot"), same),
        case(
            "no_result",
            200,
            "default",
            Payload("query", r#"{"srcid":"123","intent":{"scenic_spot":"天坛"}}"#.as_bytes()),
            same,
        ),
        case("unknown_srcid", 200, "default", Of("unknown_srcid"), same),
        case("unreadable", 200, "default", Payload("query", b"hello"), same),
        case("missing_intent", 200, "default", Payload("query", br#"{"srcid":"123"}"#), same),
        case("queue_down", 200, "default", Of("scenic_spot"), same),
        case("not_a_jwe", 400, "default", Of("scenic_spot"), |request| body(request, b"a.b.c")),
        case("empty", 400, "default", Of("scenic_spot"), |request| body(request, b"")),
        case("other_algorithm", 400, "default", Of("scenic_spot"), |request| {
            header_segment(request, r#"{"alg":"dir","enc":"A128CBC-HS256","kid":"0"}"#);
        }),
        case("compressed", 400, "default", Of("scenic_spot"), |request| {
            header_segment(request, r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","zip":"DEF"}"#);
        }),
        case("unknown_kid", 401, "default", Of("scenic_spot"), |request| {
            header_segment(
                request,
                r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"9","rid":"1795255200123-000009"}"#,
            );
        }),
        case("other_key", 401, "default", Of("scenic_spot"), |request| {
            header_segment(request, r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"1"}"#);
        }),
        case("tampered", 401, "default", Of("scenic_spot"), |request| {
            let mut token = request.body().to_vec();
            if let Some(first) = token.iter_mut().rev().nth(10) {
                *first = if *first == b'A' { b'B' } else { b'A' };
            }
            body(request, &token);
        }),
        case("unknown_source", 404, "default", Of("scenic_spot"), |request| {
            path(request, "/opencard/nobody");
        }),
        case("get", 405, "default", Of("scenic_spot"), get),
        case("too_large", 413, "default", Of("scenic_spot"), |request| body(request, &[b'A'; 64 * 1024 + 1])),
    ]
}

fn github() -> Vec<Case> {
    let case = case_of("github");
    vec![
        case("push", 202, "default", Of("push"), same),
        case("ping", 202, "default", Of("ping"), same),
        case("form", 202, "default", Payload("push", b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22repository%22%3A%7B%22full_name%22%3A%22acme-dev%2Fwidget%22%7D%7D"), |request| {
            header(request, "content-type", Some("application/x-www-form-urlencoded"));
        }),
        case("rotated", 202, "rotating", Of("push"), same),
        case("missing_event", 400, "default", Of("push"), |request| header(request, "x-github-event", None)),
        case("not_json", 400, "default", Payload("push", b"{"), same),
        case("not_utf8", 400, "default", Payload("push", b"\xff\x00\xfe"), same),
        case("form_with_two_payloads", 400, "default", Payload("push", b"payload=%7B%7D&payload=%7B%7D"), |request| {
            header(request, "content-type", Some("application/x-www-form-urlencoded"));
        }),
        case("wrong_signature", 401, "default", Of("push"), |request| body(request, b"{}")),
        case("no_signature", 401, "default", Of("push"), |request| header(request, "x-hub-signature-256", None)),
        case("sha1_only", 401, "default", Of("push"), |request| {
            header(request, "x-hub-signature-256", None);
            header(request, "x-hub-signature", Some("sha1=6f659607805779cadb589ce2fad21710648491b8"));
        }),
        case("unknown_source", 404, "default", Of("push"), |request| path(request, "/github/nobody")),
        case("get", 405, "default", Of("push"), get),
        case("too_large", 413, "default", Large("push", 1024 * 1024), same),
        case("queue_down", 503, "default", Of("push"), same),
    ]
}

fn payment() -> Vec<Case> {
    let case = case_of("payment");
    vec![
        case("payment_success", 202, "default", Of("payment_success"), same),
        case("refund", 202, "refunds", Of("payment_refunded"), same),
        case("unhandled_event_type", 400, "refunds", Of("payment_success"), same),
        case("not_json", 400, "default", Payload("notice", b"not json"), same),
        case("empty", 400, "default", Payload("notice", b""), same),
        case("missing_type", 400, "default", Payload("notice", br#"{"transaction_id":"1"}"#), same),
        case("type_not_text", 400, "default", Payload("notice", br#"{"event_type":["a"]}"#), same),
        case("wrong_signature", 401, "default", Of("payment_success"), |request| {
            body(request, br#"{"event_type":"payment_success","transaction_id":"12345","amount":1000}"#);
        }),
        case("missing_header", 401, "default", Of("payment_success"), |request| {
            header(request, "x-signature", None);
        }),
        case("stale", 401, "stripe", Payload("notice", br#"{"id":"evt_1","type":"charge.succeeded"}"#), same),
        case("unknown_source", 404, "default", Of("payment_success"), |request| {
            path(request, "/payment/nobody");
        }),
        case("get", 405, "default", Of("payment_success"), get),
        case("too_large", 413, "default", Large("notice", 1024 * 1024), same),
        case("queue_down", 503, "default", Of("payment_success"), same),
    ]
}

fn same(_: &mut Request) {}

fn get(request: &mut Request) {
    *request.method_mut() = Method::GET;
}

fn body(request: &mut Request, bytes: &[u8]) {
    *request.body_mut() = bytes.to_vec().into();
}

fn header(request: &mut Request, name: &'static str, value: Option<&'static str>) {
    match value {
        Some(value) => request.headers_mut().insert(name, HeaderValue::from_static(value)),
        None => request.headers_mut().remove(name),
    };
}

fn uri(request: &mut Request, path: &str, query: &str) {
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    *request.uri_mut() = Uri::try_from(format!("{BASE}{text}")).unwrap_or_default();
}

fn path(request: &mut Request, path: &str) {
    let query = request.uri().query().unwrap_or_default().to_owned();
    uri(request, path, &query);
}

fn with_query(request: &mut Request, change: impl FnOnce(&str) -> String) {
    let path = request.uri().path().to_owned();
    let query = change(request.uri().query().unwrap_or_default());
    uri(request, &path, &query);
}

fn append_query(request: &mut Request, more: &str) {
    with_query(request, |query| format!("{query}&{more}"));
}

fn append_query_front(request: &mut Request, first: &str) {
    with_query(request, |query| format!("{first}&{}", query.replace("msg_signature=", "own=")));
}

fn rename_query(request: &mut Request, from: &str, to: &str) {
    with_query(request, |query| query.replace(from, to));
}

fn header_segment(request: &mut Request, json: &str) {
    let token = String::from_utf8_lossy(request.body()).into_owned();
    let rest = token.split_once('.').map_or("", |(_, rest)| rest);
    body(request, format!("{}.{rest}", URL_SAFE_NO_PAD.encode(json)).as_bytes());
}

impl Case {
    /// The provider's row.
    pub fn row(&self) -> Result<&'static Row, String> {
        providers::find(self.provider)
    }

    /// The file of the event.
    pub fn event_file(&self) -> PathBuf {
        root().join(format!("events/{}/{}.{}.json", self.provider, self.name, self.status))
    }

    /// The file of what became of it.
    pub fn expected_file(&self) -> PathBuf {
        root().join(format!("tests/expected/{}/{}.json", self.provider, self.name))
    }

    /// The gateway's event.
    pub fn event(&self) -> Result<Value, String> {
        let request = self.request()?;
        Ok(event(&request, self.provider, fixed().now))
    }

    fn request(&self) -> Result<Request, String> {
        let row = self.row()?;
        let sample = match self.letter {
            Of(name) => (row.sample)(name).ok_or_else(|| format!("no sample {name}"))?,
            Payload(name, payload) => Sample { name: name.into(), payload: payload.to_vec() },
            Large(name, size) => {
                let payload = format!(r#"{{"event_type":"large","filler":"{}"}}"#, "x".repeat(size));
                Sample { name: name.into(), payload: payload.into_bytes() }
            }
        };
        let source =
            if self.source == gateway::DEFAULT_SOURCE { String::new() } else { format!("/{}", self.source) };
        let url = format!("{BASE}/{}{source}", self.provider);
        let mut ambient = fixed();
        // Before the delivery, so that a provider that bounds the age of a timestamp takes it; but for one case.
        ambient.now.0 -= if self.name == "stale" { 3_600_000 } else { 1_000 };
        let mut credentials = row.demo.to_owned();
        if self.name == "other_corp" {
            credentials = credentials.replace("dingletterboxdemo", "dingsomeoneelse");
        }
        let mut request =
            (row.letter)(&Key { credentials: &credentials, source: self.source }, &sample, &url, &ambient)?;
        (self.change)(&mut request);
        Ok(request)
    }

    /// Replays an event through the real handler, and tells everything that came of it.
    pub fn replay(&self, event: &Value) -> Result<Value, String> {
        let row = self.row()?;
        let setup = Setup::new(row, row.demo)?;
        setup.queue().set_down(self.name.starts_with("queue_down"));
        let event: ApiGatewayV2httpRequest =
            serde_json::from_value(event.clone()).map_err(|error| error.to_string())?;
        let (source, request) = gateway::request(row.name, event).map_err(|reject| format!("{reject:?}"))?;
        let Answer { response, record, .. } = block_on(setup.handler.handle(&source, &request));
        let (parts, body) = response.into_parts();
        let opened = {
            let reply = http::Response::from_parts(parts.clone(), bytes::Bytes::from(body.clone()));
            let key = Key { credentials: row.demo, source: self.source };
            (row.read_reply)(&key, &request, &reply).ok().filter(|opened| *opened != body)
        };
        let headers: serde_json::Map<_, _> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect();
        let queued: Vec<_> = setup
            .queue()
            .take()
            .into_iter()
            .map(|message| {
                let attributes: serde_json::Map<_, _> = message
                    .attributes
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                json!({
                    "body": message.body, "attributes": attributes,
                    "group": message.group, "deduplication": message.deduplication,
                })
            })
            .collect();
        Ok(json!({
            "status": parts.status.as_u16(),
            "headers": headers,
            "body": body,
            "opened": opened,
            "outcome": record.outcome.as_str(),
            "reason": record.reason,
            "queued": queued,
        }))
    }
}

/// The text of a generated file.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
