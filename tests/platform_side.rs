//! Letterbox as a platform: what its deliveries have, which responses it accepts, and which messages it opens.

use std::collections::BTreeSet;

use http::{HeaderName, HeaderValue, Uri, header};
use letterbox_codec::{
    Request,
    platform::{Sample, SignatureScheme},
};
use letterbox_registry::{Entry, Keys, PROVIDERS, Platform};
use letterbox_tests::fixed;
use serde_json::Value;

const URL: &str = "https://localhost/x";

/// A sample that is sent to the first source that accepts it, under the demo credentials.
struct Sent<'k> {
    platform: &'static dyn Platform,
    keys: &'k dyn Keys,
    entry: &'k dyn Entry,
    source: &'k str,
    sample: &'k Sample,
    request: Request,
}

impl Sent<'_> {
    fn place(&self) -> String {
        format!("{} {} {}", self.platform.name(), self.source, self.sample.name)
    }

    /// The same with another payload.
    fn build_request(&self, payload: &Value) -> Request {
        let sample = Sample { payload: payload.to_string().into_bytes(), ..self.sample.clone() };
        self.entry.build_request(&sample, URL, &fixed()).unwrap()
    }

    fn is_accepted(&self, request: &Request) -> bool {
        self.keys.receive(self.source, request, &fixed()).is_ok()
    }

    /// The id of the event; `None` for a handshake.
    fn id(&self, request: &Request) -> Option<String> {
        let received = self.keys.receive(self.source, request, &fixed()).unwrap();
        received.queued_event().map(|event| event.id.clone())
    }
}

/// The platforms with a protocol of their own. The others' is in the entry.
fn platforms() -> impl Iterator<Item = &'static dyn Platform> {
    PROVIDERS.iter().copied().filter(|platform| !matches!(platform.facts().scheme, SignatureScheme::InEntry))
}

/// Payloads besides the samples, with a field for the id that no sample has.
const OWN: [(&str, &str); 2] = [("twilio", r#"{"SmsSid":"SM1"}"#), ("twilio", r#"{"id":"EZ1","data":{}}"#)];

/// Runs a check on every sample of a platform.
fn each(platform: &'static dyn Platform, mut check: impl FnMut(&Sent<'_>)) {
    let keys = platform.keys(platform.facts().demo).unwrap();
    let more = OWN.iter().filter(|(name, _)| *name == platform.name());
    let more =
        more.map(|(_, payload)| Sample { name: "own".to_owned(), payload: payload.as_bytes().to_vec() });
    for sample in &platform.samples().into_iter().chain(more).collect::<Vec<_>>() {
        let accepted = keys.sources().into_iter().any(|source| {
            let entry = keys.first(source).unwrap();
            let Ok(request) = entry.build_request(sample, URL, &fixed()) else { return false };
            let sent = Sent { platform, keys: &*keys, entry: &*entry, source, sample, request };
            let is_accepted = sent.is_accepted(&sent.request);
            if is_accepted {
                check(&sent);
            }
            is_accepted
        });
        assert!(accepted, "{} {}: no source accepts it", platform.name(), sample.name);
    }
}

/// The hex digits of an id that is a digest of the content.
const DIGEST: usize = 64;

#[test]
fn the_fields_of_an_id_identify_the_event() {
    // A sample of WeChat Pay is only a part of a notification, whose id is of the entropy.
    for platform in platforms().filter(|platform| platform.name() != "wechatpay") {
        let mut used = BTreeSet::new();
        each(platform, |sent| {
            let Ok(payload @ Value::Object(_)) = serde_json::from_slice(&sent.sample.payload) else { return };
            let Some(id_of_sample) = sent.id(&sent.request) else { return };
            let changed = |change: &dyn Fn(&mut Value)| {
                let mut payload = payload.clone();
                change(&mut payload);
                sent.id(&sent.build_request(&payload)).unwrap()
            };
            let fields =
                sent.entry.id_members().into_iter().map(|path| format!("/{}", path.replace('.', "/")));
            let fields: Vec<_> = fields.filter(|path| payload.pointer(path).is_some()).collect();
            // Each state of a message or a call is an event of its own.
            let is_state = platform.name() == "twilio" && id_of_sample.len() == DIGEST;
            let id = changed(&|_| {});
            let other = changed(&|payload| payload["letterbox_repeat"] = "x".into());
            if fields.is_empty() || !is_state {
                assert_eq!(other == id, !fields.is_empty(), "{}: {id} with another field", sent.place());
            }
            let other = changed(&|payload| {
                for path in &fields {
                    let field = payload.pointer_mut(path).unwrap();
                    *field = format!("{}-x", field.as_str().unwrap_or_default()).into();
                }
            });
            assert_eq!(other == id, fields.is_empty(), "{}: {id} with another id", sent.place());
            used.extend(fields);
        });
        let keys = platform.keys(platform.facts().demo).unwrap();
        let fields = keys.first("default").unwrap().id_members().len();
        assert_eq!(used.len(), fields, "{}: a field of an id that no sample has", platform.name());
    }
}

/// How a signature is made, which is not signed.
const UNSIGNED: &str = "wechatpay-signature-type";

#[test]
fn the_signature_is_in_the_headers_that_a_platform_names() {
    for platform in platforms() {
        let facts = platform.facts();
        let keys = platform.keys(facts.demo).unwrap();
        let mut named: BTreeSet<_> =
            keys.first("default").unwrap().headers().into_iter().map(str::to_owned).collect();
        if let SignatureScheme::Fixed { fields, .. } = &facts.scheme {
            let headers = fields.iter().filter(|(field, _)| ["header", "timestamp_header"].contains(field));
            named.extend(headers.map(|(_, name)| (*name).to_owned()));
        }
        let mut signed = BTreeSet::new();
        each(platform, |sent| {
            for name in sent.request.headers().keys().filter(|name| **name != UNSIGNED) {
                let mut request = sent.request.clone();
                request.headers_mut().insert(name, HeaderValue::from_static("x"));
                if !sent.is_accepted(&request) {
                    signed.insert(name.as_str().to_owned());
                }
            }
        });
        assert_eq!(named, signed, "{}", platform.name());
    }
}

#[test]
fn deliveries_have_the_mark_of_their_platform() {
    for platform in platforms() {
        each(platform, |sent| {
            for other in platforms() {
                let is_on = other.facts().mark.as_ref().is_some_and(|mark| (mark.is_on)(&sent.request));
                let expected = match (other.name(), platform.name()) {
                    // What is not signed has no header.
                    ("feishu", "feishu") => sent.request.headers().contains_key("x-lark-signature"),
                    // The messages in JSON are the same but for a parameter that DingTalk adds.
                    ("dingtalk", "wecom") => sent.request.body().starts_with(b"{"),
                    (other, own) => other == own,
                };
                assert_eq!(is_on, expected, "{}: {}", sent.place(), other.name());
            }
        });
    }
    for (name, url, body) in [
        ("alipay", URL, "sign=x"),
        ("alipay", URL, "notify_id=x"),
        ("dingtalk", URL, r#"{"encrypt":"x"}"#),
        ("dingtalk", "https://localhost/x?msg_signature=x", "{}"),
        ("wecom", "https://localhost/x?timestamp=1&nonce=n", r#"{"encrypt":"x"}"#),
        ("wecom", "https://localhost/x?msg_signature=x&timestamp=1&nonce=n", "{}"),
    ] {
        let mut request = Request::new(body.into());
        *request.uri_mut() = url.parse().unwrap();
        let mark = letterbox_registry::find(name).unwrap().facts().mark.as_ref().unwrap();
        assert!(!(mark.is_on)(&request), "{name}: {url} {body}");
    }
}

/// A sample of that name, or one with that payload.
fn sample(platform: &dyn Platform, text: &str) -> Sample {
    platform.sample(text).unwrap_or_else(|| Sample { name: "own".to_owned(), payload: text.into() })
}

#[test]
fn a_payload_is_sent_as_what_it_is() {
    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    for (provider, payload, media_type, body) in [
        ("slack", r#"{"command":"/a","n":1}"#, FORM, "command=%2Fa&n=1"),
        ("slack", r#"{"ssl_check":"1"}"#, FORM, "ssl_check=1"),
        ("slack", r#"{"type":"shortcut"}"#, FORM, "payload=%7B%22type%22%3A%22shortcut%22%7D"),
        ("slack", r#"{"type":"shortcut","event":{}}"#, JSON, r#"{"type":"shortcut","event":{}}"#),
        ("slack", r#"{"type":"event_callback"}"#, JSON, r#"{"type":"event_callback"}"#),
        ("slack", "a=1", FORM, "a=1"),
        ("slack", r#"{"a":"b=c"}"#, JSON, r#"{"a":"b=c"}"#),
        ("slack", "{a=1", JSON, "{a=1"),
        ("slack", "a", JSON, "a"),
        ("github", "payload=%7B%7D", FORM, "payload=%7B%7D"),
        ("github", r#"{"payload":"="}"#, JSON, r#"{"payload":"="}"#),
    ] {
        let platform = letterbox_registry::find(provider).unwrap();
        let keys = platform.keys(platform.facts().demo).unwrap();
        let request =
            keys.first("default").unwrap().build_request(&sample(platform, payload), URL, &fixed()).unwrap();
        assert_eq!(request.headers()[header::CONTENT_TYPE], media_type, "{provider} {payload}");
        assert_eq!(request.body(), body, "{provider} {payload}");
    }
}

/// How a request is changed in transit.
type Change = fn(&mut Request);

#[test]
fn a_message_is_opened_with_what_was_checked() {
    let body_alone = |request: &mut Request| {
        request.headers_mut().clear();
        *request.uri_mut() = Uri::from_static("/");
    };
    let no_change = |_: &mut Request| {};
    let forged = |request: &mut Request| {
        let name = HeaderName::from_static("x-lark-signature");
        request.headers_mut().insert(name, HeaderValue::from_static("x"));
    };
    let unsigned_query = |request: &mut Request| *request.uri_mut() = Uri::from_static("/?own=1");
    let in_headers = "signature not checked: it is in headers, which are missing";
    let in_query = "signature not checked: it is in the query string of the URL, which is missing";
    let token = "the verification token matches";
    let ours = "owner key dingletterboxdemo matches";
    let corp = r#"receive_id "wwletterboxdemo" matches"#;
    let cases: [(_, _, Change, Result<&[&str], _>); 14] = [
        ("dingtalk", "user_add_org", no_change, Ok(&["signature valid", ours])),
        ("dingtalk", "user_add_org", body_alone, Ok(&[in_query, ours])),
        ("dingtalk", "user_add_org", unsigned_query, Err("missing_field")),
        ("feishu", "message", no_change, Ok(&[token])),
        ("feishu", "message", body_alone, Ok(&[in_headers])),
        ("feishu", "message", forged, Err("signature_mismatch")),
        ("feishu", "card.action", no_change, Ok(&["the signature of an old card is valid"])),
        ("feishu", "card.action", body_alone, Ok(&[in_headers])),
        ("feishu", "url_verification", body_alone, Ok(&[token])),
        ("wechatpay", "TRANSACTION.SUCCESS", no_change, Ok(&["signature valid", "resource decrypted"])),
        (
            "wechatpay",
            "TRANSACTION.SUCCESS",
            body_alone,
            Ok(&["signature not checked: it is in the headers, which are missing", "resource decrypted"]),
        ),
        ("wecom", "text", no_change, Ok(&["the signature is valid", corp])),
        ("wecom", "text", body_alone, Ok(&[in_query, corp])),
        ("wecom", "text", unsigned_query, Err("missing_field")),
    ];
    for (provider, name, change, expected) in cases {
        let platform = letterbox_registry::find(provider).unwrap();
        let keys = platform.keys(platform.facts().demo).unwrap();
        let entry = keys.first("default").unwrap();
        let mut request = entry.build_request(&sample(platform, name), URL, &fixed()).unwrap();
        let whole = entry.open(&request, fixed().now).unwrap();
        change(&mut request);
        let opened = entry.open(&request, fixed().now);
        let notes =
            opened.as_ref().map(|opened| opened.notes.clone()).map_err(|rejected| rejected.reject.code());
        assert_eq!(
            notes,
            expected.map(|notes| notes.iter().map(|note| (*note).to_owned()).collect()),
            "{provider} {name}"
        );
        if let Ok(opened) = opened {
            assert_eq!(opened.content, whole.content, "{provider} {name}");
        }
    }
}

/// An old card has a token that is not the entry's.
#[test]
fn the_payload_of_an_old_card_is_sent_as_it_is() {
    let feishu = letterbox_registry::find("feishu").unwrap();
    let keys = feishu.keys(feishu.facts().demo).unwrap();
    let entry = keys.first("default").unwrap();
    let card = feishu.sample("card.action").unwrap();
    let request = entry.build_request(&card, URL, &fixed()).unwrap();
    assert_eq!(entry.open(&request, fixed().now).unwrap().content, card.payload);
}

/// The response of a receiver: its status, content type and body.
type Response<'r> = (u16, &'r str, &'r str);

/// What a platform says of a response to a sample under the demo credentials.
fn judged(
    provider: &str,
    source: &str,
    name: &str,
    (status, media_type, body): Response<'_>,
) -> Result<String, String> {
    let platform = letterbox_registry::find(provider).unwrap();
    let keys = platform.keys(platform.facts().demo).unwrap();
    let entry = keys.first(source).unwrap();
    let request = entry.build_request(&sample(platform, name), URL, &fixed()).unwrap();
    let mut response = http::Response::new(body.to_owned().into());
    *response.status_mut() = status.try_into().unwrap();
    if !media_type.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, media_type.parse().unwrap());
    }
    entry.read_response(&request, &response)
}

/// A reply that is encrypted under one source of the demo credentials, in which a text may be replaced.
fn sealed(provider: &str, source: &str, payload: &str, (ours, theirs): (&str, &str)) -> String {
    let platform = letterbox_registry::find(provider).unwrap();
    let keys = platform.keys(&platform.facts().demo.replace(ours, theirs)).unwrap();
    keys.first(source).unwrap().seal(payload.as_bytes(), &fixed()).unwrap().unwrap()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn a_platform_accepts_a_response_or_says_what_it_expects() {
    const JSON: &str = "application/json; charset=utf-8";
    const SLACK: &str = "9dKcz0mRvTq4yLwE7uHsXo1pFbNj6aGi3xVhZt8sQeUrCkMf5nBw";
    let slack = format!(r#"{{"challenge":"{SLACK}"}}"#);
    let same = ("", "");
    let json = sealed("wecom", "default", r#"{"a":1}"#, same);
    let xml = sealed("wecom", "default", "<xml><a>1</a></xml>", same);
    let other = sealed("wecom", "default", r#"{"a":1}"#, ("\"letterboxwecom\"", "\"other\""));
    let [success, random] = ["success", "aXz7PqLm"].map(|word| sealed("dingtalk", "suite", word, same));
    let check_url = r#"{"EventType":"check_url","Random":"aXz7PqLm"}"#;
    let not_twiml = Err("expected TwiML with the content type text/xml, or an empty body");
    let not_empty = Err("expected an empty body: Slack shows a text to the user");
    let no_challenge = Err("expected the challenge of the request, as JSON or as text");
    let no_webhook = Err("expected status 204 without a body");
    let no_json = Err("expected the content type application/json");
    let no_reply = Err("expected an empty body or a sealed reply");
    for (provider, source, sample, response, expected) in [
        ("alipay", "default", "trade_status_sync", (200, "", "success"), Ok("success")),
        (
            "alipay",
            "default",
            "trade_status_sync",
            (200, "", "SUCCESS"),
            Err("expected exactly `success` as the body"),
        ),
        (
            "alipay",
            "default",
            "trade_status_sync",
            (202, "", "success"),
            Err("expected status 200, got 202 Accepted"),
        ),
        ("alipay", "intl", "trade_status_sync", (200, "", "SUCCESS"), Ok("SUCCESS")),
        (
            "alipay",
            "intl",
            "trade_status_sync",
            (200, "", "success"),
            Err("expected exactly `SUCCESS` as the body"),
        ),
        ("dingtalk", "suite", "check_create_suite_url", (200, "", &random), Ok("aXz7PqLm")),
        ("dingtalk", "suite", "check_create_suite_url", (200, "", &success), Ok("success")),
        ("dingtalk", "suite", check_url, (200, "", &success), Ok("success")),
        (
            "dingtalk",
            "suite",
            check_url,
            (200, "", &random),
            Err("expected `success` in the acknowledgement, got \"aXz7PqLm\""),
        ),
        ("discord", "default", "ping", (200, JSON, r#"{"type":1}"#), Ok(r#"{"type":1}"#)),
        (
            "discord",
            "default",
            "ping",
            (200, JSON, r#"{"type":5}"#),
            Err("expected a response with the type 1"),
        ),
        ("discord", "default", "ping", (202, "", ""), no_json),
        ("discord", "default", "ping", (200, "text/plain", r#"{"type":1}"#), no_json),
        ("discord", "default", "ping", (200, JSON, "[1]"), Err("expected a JSON object")),
        (
            "discord",
            "default",
            "ping",
            (205, "", ""),
            Err("expected a status from 200 to 204, got 205 Reset Content"),
        ),
        ("discord", "default", "application_command", (200, JSON, r#"{"type":5}"#), Ok(r#"{"type":5}"#)),
        (
            "discord",
            "default",
            "application_command",
            (200, JSON, r#"{"type":6}"#),
            Err("expected a response with the type 4, 5, 9, 12"),
        ),
        ("discord", "default", "application_command", (202, "", ""), Ok("")),
        ("discord", "default", "application_command", (200, "", ""), no_json),
        ("discord", "default", "application_command", (202, "", "x"), no_json),
        ("discord", "default", "webhook_ping", (204, "", ""), Ok("")),
        ("discord", "default", "webhook_ping", (200, "", ""), no_webhook),
        ("discord", "default", "webhook_ping", (204, "", "x"), no_webhook),
        ("discord", "default", "ENTITLEMENT_CREATE", (204, "", ""), Ok("")),
        ("discord", "default", "ENTITLEMENT_CREATE", (202, "", ""), no_webhook),
        ("feishu", "default", "message", (200, JSON, "{}"), Ok("{}")),
        ("feishu", "default", "message", (200, JSON, "[]"), Err("expected a JSON object")),
        ("feishu", "default", "message", (204, "", ""), Err("expected status 200, got 204 No Content")),
        (
            "feishu",
            "default",
            "url_verification",
            (200, JSON, r#"{"challenge":"ajls384kdjx98XX"}"#),
            Ok("ajls384kdjx98XX"),
        ),
        (
            "feishu",
            "clear",
            "url_verification",
            (200, JSON, r#"{"challenge":"x"}"#),
            Err(r#"expected {"challenge": "ajls384kdjx98XX"}"#),
        ),
        ("github", "default", "push", (202, JSON, "{}"), Ok("{}")),
        ("slack", "default", "url_verification", (200, JSON, &slack), Ok(&slack)),
        ("slack", "default", "url_verification", (200, "text/plain", SLACK), Ok(SLACK)),
        ("slack", "default", "url_verification", (200, JSON, r#"{"challenge":"x"}"#), no_challenge),
        ("slack", "default", "url_verification", (200, JSON, ""), no_challenge),
        ("slack", "default", "message", (200, JSON, "ok"), Ok("ok")),
        (
            "slack",
            "default",
            "message",
            (300, "", ""),
            Err("expected a status from 200 to 299, got 300 Multiple Choices"),
        ),
        ("slack", "default", "command", (200, "", ""), Ok("")),
        ("slack", "default", "command", (200, "", "ok"), not_empty),
        ("slack", "default", "block_actions", (200, "", "ok"), not_empty),
        ("sns", "default", "notification", (200, "", "ok"), Ok("ok")),
        (
            "sns",
            "default",
            "notification",
            (302, "", ""),
            Err("expected a status from 200 to 299, got 302 Found"),
        ),
        ("twilio", "default", "message", (200, "", ""), Ok("")),
        ("twilio", "default", "message", (200, "text/xml; charset=utf-8", "<Response/>"), Ok("<Response/>")),
        ("twilio", "default", "message", (200, "application/xml", "<Response/>"), Ok("<Response/>")),
        ("twilio", "default", "message", (200, "text/plain", "<Response/>"), not_twiml),
        ("twilio", "default", "message", (200, "", "<Response/>"), not_twiml),
        ("twilio", "default", "message", (200, "text/xml", "ok"), not_twiml),
        ("wechatpay", "default", "TRANSACTION.SUCCESS", (200, JSON, "ok"), Ok("ok")),
        ("wechatpay", "default", "TRANSACTION.SUCCESS", (204, "", ""), Ok("")),
        (
            "wechatpay",
            "default",
            "TRANSACTION.SUCCESS",
            (202, "", ""),
            Err("expected status 200 or 204, got 202 Accepted"),
        ),
        ("wecom", "default", "text", (200, "", ""), Ok("")),
        ("wecom", "default", "text", (200, "", "success"), no_reply),
        ("wecom", "default", "text", (200, "", "{}"), no_reply),
        ("wecom", "default", "text", (201, "", ""), Err("expected status 200, got 201 Created")),
        ("wecom", "default", "text", (200, "", &json), Ok(r#"{"a":1}"#)),
        ("wecom", "default", "text", (200, "", &xml), Ok("<xml><a>1</a></xml>")),
        ("wecom", "default", "text", (200, "", &other), Err("the reply is invalid: signature_mismatch")),
        ("wecom", "default", "suite_ticket", (200, "", "success"), Ok("success")),
        ("wecom", "default", "suite_ticket", (200, "", ""), Err("expected the word `success`, got \"\"")),
        ("wecom", "default", "url_verification", (200, "", "1616140317555161061"), Ok("1616140317555161061")),
        (
            "wecom",
            "default",
            "url_verification",
            (200, "", "1616140317555161062"),
            Err("expected the decrypted echostr"),
        ),
    ] {
        let found = judged(provider, source, sample, response);
        assert_eq!(
            found,
            expected.map(str::to_owned).map_err(str::to_owned),
            "{provider} {sample} {response:?}"
        );
    }
}
