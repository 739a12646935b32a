//! The page of `letterbox serve`: what it stores, what it shows, and which requests may see it.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use letterbox::doctor::causes;
use letterbox_codec::base64::{Engine, STANDARD};
use letterbox_registry::{PROVIDERS, Platform};
use serde_json::{Value, json};

use crate::program::{Server, events, first_samples, letterbox, letterbox_with, text};

/// Credentials of every provider: those of the demo with other secrets, which occur nowhere else.
fn credentials() -> Value {
    let demo = |provider: &&dyn Platform| serde_json::from_str(provider.facts().demo).unwrap();
    let mut all: Value =
        PROVIDERS.iter().map(|provider| (provider.name(), changed(demo(provider), ""))).collect();
    all["dingtalk"]["default"] = json!([
        { "token": "tokenThatNobodyMaySee1", "aes_key": "NobodyMaySeeThisKey1NobodyMaySeeThisKey1abc", "owner_key": "dingnew" },
        { "token": "tokenThatNobodyMaySee2", "aes_key": "NobodyMaySeeThisKey2NobodyMaySeeThisKey2abc", "owner_key": "dingold" },
    ]);
    all
}

/// Fields with a secret, and OpenCard's table of keys.
const SECRET_FIELDS: [&str; 7] =
    ["secret", "token", "aes_key", "verify_token", "encrypt_key", "api_v3_key", "keys"];

/// The value with other secrets. `field` is the innermost field that it belongs to.
fn changed(value: Value, field: &str) -> Value {
    let is_secret = SECRET_FIELDS.contains(&field);
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let value = changed(value, if is_secret { field } else { &name });
                (name, value)
            })
            .collect(),
        Value::Array(list) => list.into_iter().map(|value| changed(value, field)).collect(),
        Value::String(text) if is_secret && !text.contains("-----BEGIN") => another(&text).into(),
        other => other,
    }
}

/// Another secret of the same form: letters and digits are exchanged for others, so that hex stays hex and base64 stays
/// base64, whose last character has bits that must stay.
fn another(secret: &str) -> String {
    let prefix = secret.find("whsec_").map_or(0, |at| at + "whsec_".len());
    let last = secret.trim_end_matches('=').len() - 1;
    let ranges = ['a'..='f', 'g'..='z', 'A'..='F', 'G'..='Z', '0'..='9'];
    let exchange = |character: char| {
        let range = ranges.iter().find(|range| range.contains(&character));
        range.map_or(character, |range| {
            if character == *range.end() { *range.start() } else { char::from(character as u8 + 1) }
        })
    };
    secret
        .char_indices()
        .map(|(at, character)| if (prefix..last).contains(&at) { exchange(character) } else { character })
        .collect()
}

/// All secrets in the credentials: what is not as in the demo's.
fn secrets() -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = vec![(credentials(), String::new())];
    while let Some((value, field)) = rest.pop() {
        match value {
            Value::Object(members) => rest.extend(members.into_iter().map(|(name, value)| {
                let field = if SECRET_FIELDS.contains(&&*field) { field.clone() } else { name };
                (value, field)
            })),
            Value::Array(list) => rest.extend(list.into_iter().map(|value| (value, field.clone()))),
            // As it is, and as Basic credentials are written.
            Value::String(text) if SECRET_FIELDS.contains(&&*field) && !text.contains("-----BEGIN") => {
                found.extend([STANDARD.encode(&text), text]);
            }
            _ => {}
        }
    }
    found
}

struct Page {
    agent: ureq::Agent,
    url: String,
}

impl Page {
    fn of(server: &Server) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // The server closes the connection if it does not read the body.
            .max_idle_connections(0)
            .max_redirects(0)
            .max_redirects_will_error(false);
        Self { agent: agent.build().into(), url: server.url.clone() }
    }

    fn send(&self, request: http::request::Builder, body: &[u8]) -> http::Response<String> {
        let answer = self.agent.run(request.body(body.to_vec()).unwrap()).unwrap();
        let (parts, mut body) = answer.into_parts();
        http::Response::from_parts(parts, body.read_to_string().unwrap())
    }

    fn get(&self, path: &str) -> http::Response<String> {
        self.get_with(path, &[])
    }

    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> http::Response<String> {
        let mut request = http::Request::get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, b"")
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> http::Response<String> {
        let mut request = http::Request::post(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, body)
    }

    /// The part of the page that shows one delivery.
    fn article(&self, id: i64) -> String {
        let page = self.get(&format!("/deliveries/{id}")).into_body();
        page.split_once("<article").unwrap().1.to_owned()
    }

    /// The number of the delivery to which an action redirects.
    fn made(answer: &http::Response<String>) -> i64 {
        assert_eq!(answer.status(), 303, "{}", answer.body());
        let location = answer.headers()["location"].to_str().unwrap();
        location.strip_prefix("/deliveries/").unwrap().parse().unwrap()
    }

    /// Waits until the delivery with this number is stored.
    fn wait_for(&self, id: i64) {
        let started = Instant::now();
        while self.get(&format!("/deliveries/{id}")).status() != 200 {
            assert!(started.elapsed() < Duration::from_secs(20), "delivery {id} is not stored");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A folder with the credentials of this file, and a server that has them.
fn server(folder: &Path) -> Server {
    std::fs::write(folder.join("mine.json"), credentials().to_string()).unwrap();
    Server::start(folder, &["--credentials", "mine.json"])
}

fn send(folder: &Path, server: &Server, what: &[&str]) -> bool {
    let args = [&["send", "--to", &server.url], what].concat();
    letterbox(folder, &args).status.success()
}

#[test]
fn a_delivery_is_shown_with_request_steps_and_decoded_content() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let page = Page::of(&server);
    for (id, sample, expected) in [
        (
            1,
            "dingtalk/user_add_org",
            &[
                "key 1/2",
                "owner key dingnew matches",
                "&quot;EventType&quot;: &quot;user_add_org&quot;",
                "&quot;specversion&quot;: &quot;1.0&quot;",
                "&quot;msg_signature&quot;: ",
                "<pre tabindex=\"0\">success</pre>",
            ][..],
        ),
        (2, "opencard/scenic_spot", &["key 1/1", "application/jwt", "故宫", "&quot;status&quot;: 0"]),
        (
            3,
            "github/push",
            &[
                "x-hub-signature-256",
                "sha256=",
                "&quot;type&quot;: &quot;github.push&quot;",
                "&quot;accepted&quot;",
            ],
        ),
        (
            4,
            "payment/payment_success",
            &["x-signature", "&quot;amount&quot;: 100", "payment.payment_success"],
        ),
        (
            5,
            "dingtalk/check_url",
            &["No event", "&quot;EventType&quot;: &quot;check_url&quot;", "nothing to queue"],
        ),
    ] {
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("sample", sample).finish();
        let media_type = ("content-type", "application/x-www-form-urlencoded");
        assert_eq!(Page::made(&page.post("/deliveries/send", &[media_type], form.as_bytes())), id);
        let shown = page.article(id).replace("&#34;", "&quot;");
        for part in expected {
            assert!(shown.contains(part), "{sample}: {part}\n{shown}");
        }
        assert!(!shown.contains("class=\"failed\""), "{sample}");
    }
    assert_eq!(events(folder.path()).len(), 4);
}

#[test]
fn the_matching_key_is_shown_and_decrypts_the_reply() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let page = Page::of(&server);
    let old = json!({ "dingtalk": { "default": credentials()["dingtalk"]["default"][1] } });
    std::fs::write(folder.path().join("old.json"), old.to_string()).unwrap();
    assert!(send(folder.path(), &server, &["dingtalk", "user_add_org", "--credentials", "old.json"]));
    page.wait_for(1);
    let shown = page.article(1);
    assert!(shown.contains("key 2/2"), "{shown}");
    assert!(shown.contains(">success</pre>"), "{shown}");
}

#[test]
fn a_refused_delivery_shows_the_failed_step_and_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let page = Page::of(&server);
    let step = |shown: &str, class: &str| -> Vec<String> {
        let item = format!("<li class=\"{class}\"><span>");
        let found = shown.split(&item).skip(1);
        found.map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    };
    let good = text(
        &letterbox(folder.path(), &["sign", "github", "push", "--credentials", "mine.json", "--as", "raw"])
            .stdout,
    );
    let signature =
        good.lines().find_map(|line| line.strip_prefix("x-hub-signature-256: ")).unwrap().to_owned();
    let sealed =
        letterbox(folder.path(), &["seal", "dingtalk", "user_add_org", "--credentials", "mine.json"]);
    let encrypt: Value = serde_json::from_slice(&sealed.stdout).unwrap();
    let reply = text(&sealed.stdout);
    let unsigned = json!({ "encrypt": encrypt["encrypt"] }).to_string();
    for (id, path, header, body, failed, cause) in [
        (
            1,
            "/github",
            ("x-hub-signature-256", signature.as_str()),
            "{}",
            "Signature: HMAC of the raw body",
            "secret_mismatch",
        ),
        (2, "/github", ("x-other", "1"), "{}", "Signature header", "signature_missing"),
        (3, "/github/nobody", ("x-other", "1"), "{}", "Method, source and size", "unknown_source"),
        // An unsigned body is not decrypted, although the key would fit.
        (
            4,
            "/dingtalk",
            ("x-other", "1"),
            &unsigned,
            "Query and body: msg_signature, timestamp, nonce, encrypt",
            "signature_missing",
        ),
        (5, "/opencard", ("x-other", "1"), "a.b.c", "Compact JWE: A128KW, A128CBC-HS256", "jwe_malformed"),
        // A reply contains its own signature and is not a valid delivery.
        (
            6,
            "/dingtalk?msg_signature=0&timestamp=1&nonce=1",
            ("x-other", "1"),
            &reply,
            "Signature: SHA-1 of token, timestamp, nonce and encrypt",
            "token_mismatch",
        ),
    ] {
        page.post(path, &[header], body.as_bytes());
        page.wait_for(id);
        let shown = page.article(id);
        assert_eq!(step(&shown, "failed"), [failed], "{shown}");
        assert_eq!(step(&shown, "not-reached").last().map(String::as_str), Some("Queue: put"));
        assert!(!shown.contains("user_add_org"), "{shown}");
        let message = letterbox(
            folder.path(),
            &["doctor", "--delivery", &id.to_string(), "--credentials", "mine.json", "--json"],
        );
        let message: Value = serde_json::from_slice(&message.stdout).unwrap();
        assert!(
            shown.contains(&format!("<code class=\"cause\">{}</code>", message["cause"].as_str().unwrap())),
            "{message}\n{shown}"
        );
        assert_eq!(message["cause"], cause);
    }
    assert!(events(folder.path()).is_empty());
}

#[test]
fn the_cause_of_a_refusal_is_in_the_language_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let page = Page::of(&server);
    let why = |id: i64, language: &str| {
        let shown = page.get_with(&format!("/deliveries/{id}"), &[("accept-language", language)]).into_body();
        let (_, rest) = shown.split_once("<section class=\"why\">").unwrap();
        let html = rest.split_once("</section>").unwrap().0;
        let marks = [("&#34;", "\""), ("&#39;", "'"), ("<code>", "`"), ("</code>", "`")];
        marks.iter().fold(html.to_owned(), |text, (written, meant)| text.replace(written, meant))
    };
    page.post("/github", &[("x-other", "1")], b"{}");
    // The keys match and the owner differs: this remedy names the owner in the message.
    let mut other = credentials();
    other["dingtalk"]["default"][0]["owner_key"] = json!("dingother");
    std::fs::write(folder.path().join("other.json"), other.to_string()).unwrap();
    assert!(!send(folder.path(), &server, &["dingtalk", "user_add_org", "--credentials", "other.json"]));
    page.wait_for(2);
    for (id, cause, own) in [
        (1, &causes::SIGNATURE_MISSING, None),
        (2, &causes::OWNER_KEY_MISMATCH, Some("Set `\"owner_key\": \"dingother\"`")),
    ] {
        let chinese = why(id, "zh-CN");
        let first = format!("<p>{}</p>", cause.explanation_zh);
        let parts = [
            Some(first.as_str()),
            Some(cause.remedy_zh),
            own,
            Some("<p class=\"quiet\" lang=\"en\">"),
            Some(cause.explanation),
        ];
        let mut rest = chinese.as_str();
        for part in parts.into_iter().flatten() {
            rest = rest.split_once(part).unwrap_or_else(|| panic!("{part}\n{chinese}")).1;
        }
        assert!(!chinese.contains(cause.remedy), "{chinese}");
        assert_eq!(chinese.contains("针对这次投递"), own.is_some(), "{chinese}");

        let english = why(id, "en");
        assert!(english.contains(cause.explanation), "{english}");
        assert!(english.contains(own.unwrap_or(cause.remedy)), "{english}");
        assert!(!english.contains(cause.explanation_zh) && !english.contains("<p class"), "{english}");
        assert_eq!(english.matches(cause.explanation).count(), 1, "{english}");
    }
}

#[test]
fn a_refused_payload_is_shown_with_the_key_that_verified_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let page = Page::of(&server);
    let file = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    file("none", r#"{"no":"EventType"}"#);
    file("large", &format!(r#"{{"a":"{}"}}"#, "a".repeat(6 * 1024 * 1024)));
    file("larger", &format!(r#"{{"a":"{}"}}"#, "a".repeat(1024 * 1024)));
    for (id, what, data, failed, is_opened) in [
        (1, &["dingtalk"][..], "none", "Event: JSON with an EventType", true),
        (2, &["payment"], "none", "Event: its type and JSON", true),
        (3, &["github", "push"], "larger", "Event: its name and JSON", true),
        // Refused for its size before any key is tried.
        (4, &["github", "push"], "large", "Method, source and size", false),
    ] {
        assert!(!send(
            folder.path(),
            &server,
            &[what, &["--data", data, "--credentials", "mine.json"]].concat()
        ));
        page.wait_for(id);
        let shown = page.article(id);
        assert!(shown.contains(&format!("<li class=\"failed\"><span>{failed}</span>")), "{id}: {shown}");
        assert_eq!(shown.contains("key 1/"), is_opened, "{id}");
        assert_eq!(shown.contains("signature valid"), is_opened, "{id}");
    }
    // The longest accepted URL is shown as well.
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    let long = "a".repeat(65_515);
    write!(stream, "POST /github/none?{long} HTTP/1.1\r\nhost: a.host.name\r\ncontent-length: 2\r\n\r\n{{}}")
        .unwrap();
    page.wait_for(5);
    assert!(page.article(5).contains("unknown_source"));
}

#[test]
fn a_signature_in_authorization_is_part_of_the_delivery() {
    let folder = tempfile::tempdir().unwrap();
    let mine = json!({ "payment": { "default": { "secret": "s", "header": "Authorization" } } });
    std::fs::write(folder.path().join("mine.json"), mine.to_string()).unwrap();
    let server = Server::start(folder.path(), &["--credentials", "mine.json"]);
    let page = Page::of(&server);
    assert!(send(folder.path(), &server, &["payment", "payment_success", "--credentials", "mine.json"]));
    page.wait_for(1);
    assert_eq!(Page::made(&page.post("/deliveries/1/redeliver", &[], b"")), 2);
    assert!(page.article(2).contains("payment.payment_success"));
    assert_eq!(page.post("/payment", &[("cookie", "hunter2"), ("cookie", "hunter2")], b"{}").status(), 401);
    page.wait_for(3);
    assert!(!page.article(3).contains("hunter2"));
}

#[test]
fn redelivery_sends_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let page = Page::of(&server);
    let body: Vec<u8> = (0..=255).collect();
    page.post(
        "/github?x=%2B&y",
        &[("x-odd", "caf\u{e9}"), ("authorization", "Bearer hunter2"), ("cookie", "a=hunter2")],
        &body,
    );
    page.wait_for(1);
    assert_eq!(Page::made(&page.post("/deliveries/1/redeliver", &[], b"")), 2);
    let shown = page.article(2);
    for part in
        ["Redelivery of", "/github?x=%2B&#38;y", "caf\u{e9}", "256 bytes", "in base64", "AAECAwQF", "***"]
    {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");

    assert!(send(folder.path(), &server, &["github", "push", "--credentials", "mine.json"]));
    page.wait_for(3);
    assert_eq!(Page::made(&page.post("/deliveries/3/redeliver", &[], b"")), 4);
    let queued = events(folder.path());
    assert_eq!((queued.len(), &queued[0]["id"]), (2, &queued[1]["id"]));
    assert_eq!(page.post("/deliveries/99/redeliver", &[], b"").status(), 404);
}

#[test]
fn copied_commands_and_events_are_accepted_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let page = Page::of(&server);
    assert!(send(folder.path(), &server, &["github", "push", "--credentials", "mine.json"]));
    page.post("/github", &[], b"\xff\x00");
    page.wait_for(2);
    for (id, code) in [(1, 0), (2, 1)] {
        for (path, option) in [("curl", "--curl"), ("event", "--event")] {
            let copied = page.get(&format!("/deliveries/{id}/{path}"));
            let args = ["doctor", option, "-", "--credentials", "mine.json", "--json"];
            let message = letterbox_with(folder.path(), &args, copied.body().as_bytes());
            assert_eq!(message.status.code(), Some(code), "{}\n{}", copied.body(), text(&message.stderr));
        }
    }
    let event = page.get("/deliveries/1/event");
    assert_eq!(event.headers()["content-disposition"], "attachment; filename=\"github.push.202.json\"");
    let event: Value = serde_json::from_str(event.body()).unwrap();
    assert_eq!((&event["rawPath"], &event["version"]), (&json!("/github"), &json!("2.0")));
}

#[test]
fn filters_select_matching_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let page = Page::of(&server);
    for what in [
        &["dingtalk", "user_add_org"][..],
        &["dingtalk", "check_url", "--source", "suite"],
        &["github", "push"],
        &["payment", "payment_success"],
    ] {
        assert!(send(folder.path(), &server, what));
    }
    page.post("/github", &[], b"100% of _ it");
    page.wait_for(5);
    for (query, expected) in [
        ("", &[5, 4, 3, 2, 1][..]),
        ("?provider=github", &[5, 3]),
        ("?source=SUI", &[2]),
        ("?outcome=refused", &[5]),
        ("?outcome=queued&provider=dingtalk", &[1]),
        ("?type=user_", &[1]),
        ("?q=acme-dev%2Fwidget", &[3]),
        // In the decrypted content.
        ("?q=check_URL", &[2]),
        ("?q=100%25%20of%20_", &[5]),
        ("?q=x%25y", &[]),
        ("?q=%27%20OR%201%3D1--", &[]),
        ("?before=3", &[2, 1]),
    ] {
        let shown = page.get(&format!("/deliveries{query}")).into_body();
        let rows: Vec<i64> = shown
            .split("id=\"row-")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(rows, expected, "{query}");
    }
}

#[test]
fn the_history_is_bounded_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path(), &["--keep", "3"]);
    let page = Page::of(&first);
    for _ in 0..5 {
        page.post("/github", &[], b"{}");
    }
    page.wait_for(5);
    for (id, status) in [(1, 404), (2, 404), (3, 200)] {
        assert_eq!(page.get(&format!("/deliveries/{id}")).status(), status, "{id}");
    }
    first.end();
    let second = Server::start(folder.path(), &["--keep", "2"]);
    let page = Page::of(&second);
    // The live page continues after the stored deliveries.
    assert!(page.get("/").body().contains("data-newest=\"5\""));
    page.post("/github", &[], b"{}");
    page.wait_for(6);
    for (id, status) in [(4, 404), (5, 200), (6, 200), (7, 404)] {
        assert_eq!(page.get(&format!("/deliveries/{id}")).status(), status, "{id}");
    }
    let message = letterbox(folder.path(), &["doctor", "--delivery", "1"]);
    assert_eq!(message.status.code(), Some(2));
    assert!(text(&message.stderr).contains("letterbox.db: no delivery 1 "), "{}", text(&message.stderr));
}

#[test]
fn every_answered_delivery_is_stored_at_the_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert!(send(folder.path(), &server, &["github", "push", "--repeat", "200"]));
    server.end();
    let again = Server::start(folder.path(), &[]);
    assert_eq!(Page::of(&again).get("/deliveries/200").status(), 200);
}

#[test]
fn an_incomplete_body_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let page = Page::of(&server);
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"POST /github HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{").unwrap();
    drop(stream);
    page.wait_for(1);
    let shown = page.article(1);
    assert!(shown.contains("The body was not stored"), "{shown}");
    assert!(!shown.contains("/redeliver"), "{shown}");
    let refused = page.post("/deliveries/1/redeliver", &[], b"");
    assert_eq!(refused.status(), 400);
    assert!(refused.body().contains("so it was not stored"));
}

/// The first sample in the folder of a preset.
fn first_sample_of(provider: &str, preset: &str) -> String {
    let samples = letterbox_registry::find(provider).unwrap().samples();
    samples.into_iter().find(|sample| sample.name.starts_with(&format!("{preset}/"))).unwrap().name
}

#[test]
fn no_secret_is_shown_or_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let page = Page::of(&server);
    let mine = ["--credentials", "mine.json"];
    let mut sent = 0;
    for (provider, sample) in first_samples() {
        let what = [provider, sample];
        assert!(send(folder.path(), &server, &[&what[..], &mine].concat()), "{provider}");
        // Signed with the demo credentials, which this server does not use, unless all that they have is public.
        let demo: Value =
            serde_json::from_str(letterbox_registry::find(provider).unwrap().facts().demo).unwrap();
        assert_eq!(send(folder.path(), &server, &what), demo == credentials()[provider], "{provider}");
        sent += 2;
    }
    // Requests that contain the secret itself.
    for source in ["telegram", "postmark"] {
        let sample = first_sample_of("signed", source);
        let what = ["signed", &sample, "--source", source];
        assert!(send(folder.path(), &server, &[&what[..], &mine].concat()), "{source}");
        sent += 1;
    }
    let token = &credentials()["signed"]["meta"]["verify_token"];
    let query = format!("hub.mode=subscribe&hub.verify_token={}&hub.challenge=17", token.as_str().unwrap());
    assert_eq!(page.get(&format!("/signed/meta?{query}")).body(), "17");
    sent += 1;
    page.wait_for(sent);
    let mut seen = Vec::new();
    for tag in ["en", "zh"] {
        let cookie = ("cookie", &*format!("letterbox_language={tag}"));
        let list = page.get_with("/", &[cookie]).into_body();
        assert!(list.contains(&format!("<html lang=\"{tag}\">")), "{list}");
        seen.push(list);
        for id in 1..=sent {
            for part in ["", "/body", "/message", "/curl", "/event"] {
                let shown = page.get_with(&format!("/deliveries/{id}{part}"), &[cookie]);
                assert_eq!(shown.status(), 200);
                seen.push(shown.into_body());
            }
        }
    }
    server.end();
    let stored = std::fs::read(folder.path().join("letterbox-deliveries.db")).unwrap();
    assert!(stored.windows(4).any(|window| window == b"push"));
    for secret in secrets() {
        assert!(seen.iter().all(|text| !text.contains(&secret)), "{secret}");
        assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn the_page_is_for_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let page = Page::of(&server);
    page.post("/github", &[], b"{}");
    page.wait_for(1);
    let seen = page.get("/");
    assert_eq!(seen.status(), 200);
    assert!(
        seen.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'; script-src 'self';")
    );
    for path in
        ["/", "/deliveries", "/deliveries/1", "/deliveries/1/body", "/deliveries/live", "/deliveries/1/curl"]
    {
        for header in [
            ("host", "rebound.example"),
            ("x-forwarded-for", "203.0.113.7"),
            ("cf-connecting-ip", "203.0.113.7"),
        ] {
            let refused = page.get_with(path, &[header]);
            assert_eq!(refused.status(), 403, "{path} {header:?}");
            assert!(refused.body().contains("for this machine alone"), "{}", refused.body());
        }
    }
    for path in ["/deliveries/1/redeliver", "/deliveries/send"] {
        for header in
            [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
        {
            assert_eq!(page.post(path, &[header], b"sample=github/push").status(), 403, "{path} {header:?}");
        }
    }
    assert_eq!(page.get("/deliveries/2").status(), 404);
    // Deliveries through a tunnel are still accepted.
    let delivered =
        page.post("/github", &[("host", "tunnel.example"), ("x-forwarded-for", "203.0.113.7")], b"{}");
    assert_eq!(delivered.status(), 401);
}

#[test]
fn a_reachable_server_requires_a_token() {
    let folder = tempfile::tempdir().unwrap();
    for (more, token) in [
        (&["--listen", "0.0.0.0"][..], None),
        (&["--listen", "0.0.0.0", "--token", "0123456789abcdef~"], Some("0123456789abcdef~")),
        (&["--token", "0123456789abcdef~"], Some("0123456789abcdef~")),
    ] {
        let mut server = Server::start(folder.path(), more);
        // The server does not print a token that the user set.
        let printed = server.printed("recent deliveries: ");
        let made_up = printed.split_once("?token=").map(|(_, token)| token.trim().to_owned());
        assert_eq!(made_up.is_some(), token.is_none(), "{printed}");
        let token = made_up.or(token.map(str::to_owned)).unwrap();
        assert!(token.len() >= 16);
        let page = Page::of(&server);
        for path in ["/", "/deliveries", "/deliveries/1", "/deliveries/live", "/?token=wrong", "/language/zh"]
        {
            let refused = page.get(path);
            assert_eq!(refused.status(), 401, "{path}");
            assert!(refused.body().contains("type=\"password\""), "{}", refused.body());
            assert!(!refused.body().contains(&token));
        }
        assert_eq!(page.post("/deliveries/send", &[], b"sample=github/push").status(), 401);
        let form = ("content-type", "application/x-www-form-urlencoded");
        assert_eq!(page.post("/token", &[form], b"token=wrong").status(), 401);
        assert_eq!(
            page.post(
                "/token",
                &[form, ("origin", "https://evil.example")],
                format!("token={token}").as_bytes()
            )
            .status(),
            403
        );
        for let_in in [
            page.get(&format!("/?token={token}")),
            page.post("/token", &[form], format!("token={token}").as_bytes()),
        ] {
            assert_eq!(
                (let_in.status().as_u16(), &let_in.headers()["location"]),
                (303, &http::HeaderValue::from_static("/"))
            );
            let cookie = let_in.headers()["set-cookie"].to_str().unwrap();
            assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
            let cookie = cookie.split(';').next().unwrap();
            assert_eq!(page.get_with("/", &[("cookie", cookie)]).status(), 200);
        }
        assert_eq!(page.get_with("/", &[("authorization", &format!("Bearer {token}"))]).status(), 200);
        // A platform has no token.
        assert_eq!(page.post("/github", &[], b"{}").status(), 401);
    }
    for token in ["hunter2", "0123456789abcde;", ""] {
        let refused = letterbox(folder.path(), &["serve", "--port", "0", "--token", token]);
        assert_eq!(refused.status.code(), Some(2), "{token}");
        let message = text(&refused.stderr);
        assert!(message.contains("--token or LETTERBOX_TOKEN: expected at least 16"), "{message}");
        assert!(token.is_empty() || !message.contains(token), "{message}");
    }
}

/// Opens a live page, and returns its lines.
fn live(server: &Server, query: &str, more: &str) -> BufReader<TcpStream> {
    let host = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /deliveries/live{query} HTTP/1.1\r\nhost: {host}\r\n{more}\r\n").unwrap();
    BufReader::new(stream)
}

/// The numbers of the deliveries before the next totals.
fn arrivals(lines: &mut BufReader<TcpStream>) -> Vec<i64> {
    let mut found = Vec::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 && !line.starts_with("event: totals") {
        if let Some((_, rest)) = line.split_once("id=\"row-") {
            found.push(rest.split('"').next().unwrap().parse().unwrap());
        }
        line.clear();
    }
    found
}

#[test]
fn new_deliveries_are_streamed_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let page = Page::of(&server);
    page.post("/github", &[], b"{}");
    page.wait_for(1);
    let mut all = live(&server, "?after=1", "");
    let mut filtered = live(&server, "?after=1&provider=payment", "");
    assert!(send(folder.path(), &server, &["github", "push"]));
    assert_eq!(arrivals(&mut all), [2]);
    assert!(send(folder.path(), &server, &["payment", "payment_success"]));
    assert_eq!(arrivals(&mut all), [3]);
    let mut seen = arrivals(&mut filtered);
    if seen.is_empty() {
        seen = arrivals(&mut filtered);
    }
    assert_eq!(seen, [3]);
    // A reconnected page continues where it was, even across a restart of the server.
    assert_eq!(arrivals(&mut live(&server, "?after=3", "last-event-id: 1\r\n")), [2, 3]);
    // More deliveries than fit in one batch arrive in several batches.
    assert!(send(folder.path(), &server, &["github", "push", "--repeat", "250"]));
    let mut rest = Vec::new();
    while rest.last() != Some(&253) {
        rest.extend(arrivals(&mut all));
    }
    assert_eq!(rest, (4..=253).collect::<Vec<_>>());

    // An open page does not delay the shutdown.
    let started = Instant::now();
    server.end();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn the_page_is_in_english_or_chinese() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let page = Page::of(&server);
    for (header, tag) in [
        (("accept-language", "zh-CN,zh;q=0.9"), "zh"),
        (("accept-language", "en"), "en"),
        (("cookie", "letterbox_language=zh"), "zh"),
    ] {
        let shown = page.get_with("/", &[header]).into_body();
        assert!(shown.contains(&format!("<html lang=\"{tag}\">")), "{header:?}");
        assert_eq!(shown.contains("最近的投递"), tag == "zh");
    }
    for (back, expected) in [
        ("/deliveries/1?q=a", "/deliveries/1?q=a"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nset-cookie:b=c", "/"),
        ("", "/"),
    ] {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("back", back).finish();
        let led = page.get(&format!("/language/zh?{query}"));
        assert_eq!(
            (led.status().as_u16(), led.headers()["location"].to_str().unwrap()),
            (303, expected),
            "{back}"
        );
    }
}
