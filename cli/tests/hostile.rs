//! Hostile input, in a delivery or a file: it must not run commands, hide text, or read without an end.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use letterbox::local::history::{StoredDelivery, Summary, Trace, sqlite::Deliveries};
use letterbox_codec::Timestamp;
use serde_json::json;

use crate::program::{PROGRAM, Receiver, Server, events, letterbox, letterbox_with, printed, run, text};

/// Characters that a terminal interprets or hides, or that reorder text.
const HIDDEN: &str = "\u{1b}\u{7}\r\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202d}\
    \u{202e}\u{2060}\u{2066}\u{2069}\u{3164}\u{e000}\u{fe0f}\u{feff}\u{fff9}\u{e0001}\u{e0041}\u{e0100}";

fn assert_visible(shown: &[u8]) {
    let shown = text(shown);
    let hidden: Vec<_> = shown.chars().filter(|character| HIDDEN.contains(*character)).collect();
    assert!(hidden.is_empty(), "{hidden:?} in {shown:?}");
}

/// Sends bytes over one connection, and returns the response.
fn post(url: &str, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.write_all(request).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    response
}

/// A request as bytes of HTTP/1.1.
fn request(url: &str, method: &str, target: &str, headers: &[u8], body: &[u8]) -> Vec<u8> {
    let host = url.trim_start_matches("http://");
    let head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", body.len());
    [head.as_bytes(), headers, b"connection: close\r\n\r\n", body].concat()
}

/// Waits until a delivery is stored, and returns it.
fn stored(folder: &Path, id: i64) -> StoredDelivery {
    let started = Instant::now();
    loop {
        let found = Deliveries::open(&folder.join("letterbox.db")).unwrap().get(id).unwrap();
        if let Some(delivery) = found {
            return delivery;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "no delivery {id}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_copied_command_sends_the_delivery_and_runs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut id = 0;
    for (method, target, headers, body) in [
        ("X&touch$IFS.pwned&", "/github", &b""[..], &b""[..]),
        ("`touch$IFS.pwned`", "/github", b"", b"a"),
        ("X|touch$IFS.pwned", "/github", b"", b"a"),
        ("POST", "/github?a=$(touch$IFS.pwned)&b='`{a,b}`;touch+pwned", b"", b"a"),
        ("POST", "/github/a{b,c}", b"", b"a"),
        ("POST", "/github", b"x-a: '; touch pwned; '\r\n`touch'-pwned`: \\'; touch pwned #\r\n", b"a"),
        ("POST", "/github", b"x-a: \xe9'\xff\t$(touch pwned)`touch pwned`\"\r\nx-b:\r\nx-b: !!\r\n", b"a"),
        ("POST", "/github", b"content-type: a/b\r\n", b"@/etc/passwd\n'; touch pwned; '\\'; touch pwned\n"),
        ("POST", "/github", b"content-type: a/b\r\n", b"\0\xff\nEND\ntouch pwned\n"),
        ("POST", "/github", b"", "/etc/pass\t'; touch pwned\n!!:p\u{202e}".as_bytes()),
    ] {
        post(&server.url, &request(&server.url, method, target, headers, body));
        id += 1;
        let original = stored(folder.path(), id);
        let is_standard = method == "POST";
        assert_eq!(original.request.method(), if is_standard { method } else { "OTHER" });
        let page =
            post(&server.url, &request(&server.url, "GET", &format!("/deliveries/{id}/curl"), b"", b""));
        let command = text(&page).split_once("\r\n\r\n").unwrap().1.to_owned();
        for shell in ["sh", "bash"] {
            run(Command::new(shell).current_dir(empty.path()), command.as_bytes());
            let files: Vec<_> = fs::read_dir(empty.path()).unwrap().collect();
            assert!(files.is_empty(), "{shell}: {command}: {files:?}");
            id += 1;
            let (original, copy) = (&original.request, stored(folder.path(), id).request);
            assert_eq!(
                (copy.method(), copy.uri(), copy.body()),
                (original.method(), original.uri(), original.body())
            );
            for name in original.headers().keys().filter(|name| *name != "connection") {
                let values = |request: &letterbox_codec::Request| -> Vec<_> {
                    request.headers().get_all(name).iter().cloned().collect()
                };
                assert_eq!(values(&copy), values(original), "{shell}: {name}: {command}");
            }
        }
    }
}

#[test]
fn too_many_headers_are_an_error() {
    const MANY: usize = 26_000;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: String| fs::write(folder.path().join(name), content).unwrap();
    let names: Vec<_> = (0..MANY).map(|number| format!("x-{number}")).collect();
    let pairs: Vec<_> = names.iter().map(|name| json!({ "name": name, "value": "v" })).collect();
    let members: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), json!("v"))).collect();
    let lines = names.iter().map(|name| format!("{name}: v\r\n")).collect::<Vec<_>>().concat();
    let options = names.iter().map(|name| format!(" -H {name}:v")).collect::<Vec<_>>().concat();
    let har = json!({ "log": { "entries": [
        { "request": { "method": "POST", "url": "https://h/github", "headers": pairs } }
    ] } });
    let event = json!({
        "rawPath": "/github", "headers": members, "requestContext": { "http": { "method": "POST" } },
    });
    file("har", har.to_string());
    file("event", event.to_string());
    file("curl", format!("curl https://h/github -d a{options}"));
    file("raw", format!("POST /github HTTP/1.1\r\nhost: h\r\n{lines}\r\n{{}}"));
    let arguments: Vec<_> = names.iter().map(|name| format!("--header={name}:v")).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    for (args, found) in [
        (&["doctor", "--har", "har"][..], Some(MANY)),
        (&["doctor", "--event", "event"], None),
        (&["doctor", "--curl", "curl"], Some(MANY + 1)),
        (&[&["doctor", "--url", "https://h/github"], &arguments[..]].concat(), Some(MANY)),
        (&["open", "github", "--data", "raw"], Some(MANY + 1)),
        (&["open", "github", "--data", "event"], None),
        (&[&["open", "github", "--data", "/dev/null"], &arguments[..]].concat(), Some(MANY)),
    ] {
        let output = letterbox(folder.path(), args);
        let (args, message) = (&args[..3], text(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        let found = found.map(|found| format!(", found {found}")).unwrap_or_default();
        let expected = format!("headers: expected at most 1000{found}");
        assert!(message.contains(&expected), "{args:?}: {message}");
    }
}

#[test]
fn a_stored_delivery_with_too_many_headers_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("letterbox.db");
    let deliveries = Deliveries::create(&queue).unwrap();
    let summary = Summary {
        id: 0,
        received: Timestamp(0),
        provider: "github".into(),
        source: "default".into(),
        kind: None,
        outcome: "refused".into(),
        reason: None,
        status: 400,
        milliseconds: 0.0,
    };
    let request = http::Request::new(bytes::Bytes::new());
    let delivery = StoredDelivery { summary, request, content: None, message: None, trace: Trace::default() };
    let id = deliveries.insert(&delivery).unwrap();
    assert!(deliveries.get(id).unwrap().is_some());
    let headers: Vec<_> = (0..40_000).map(|number| (format!("x-{number}"), "v")).collect();
    let file = rusqlite::Connection::open(folder.path().join("letterbox-deliveries.db")).unwrap();
    file.execute("UPDATE deliveries SET headers = ?", [json!(headers).to_string()]).unwrap();
    assert!(deliveries.get(id).err().unwrap().contains("this version of Letterbox cannot read its format"));
}

#[test]
fn foreign_text_is_shown_with_visible_characters_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    let run = |args: &[&str]| -> Output { letterbox(folder.path(), args) };
    let mut server = Server::start(folder.path(), &[]);
    let hidden: String = HIDDEN.chars().filter(|character| !character.is_control()).collect();

    // Bytes of a path are escaped; any sender can choose a source.
    let escaped = HIDDEN.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    post(&server.url, &request(&server.url, "POST", &format!("/github/{escaped}"), b"", b"{}"));
    // A control character is not allowed in a type.
    let payload = json!({ "event_type": format!("paid{hidden}"), "data": { "text": HIDDEN } });
    file("payload", &payload.to_string());
    assert_visible(printed(&run(&["send", "payment", "--data", "payload", "--to", &server.url])).as_bytes());
    let line = server.printed("").into_bytes();
    assert_visible(&line);
    assert_visible(&run(&["events"]).stdout);
    let json = run(&["events", "--json"]).stdout;
    assert_visible(&json);
    let queued = events(folder.path());
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0]["data"], payload, "an escape means the same");
    assert_visible(server.end().as_bytes());

    let receiver =
        Receiver::start(&[("500 No", "\u{1b}[2J\u{202e}\u{9b}\u{e0041}\u{2028}b")], Duration::ZERO);
    let output = run(&["send", "github", "push", "--to", &receiver.url]);
    assert_visible(&output.stdout);
    assert_visible(&output.stderr);

    file("hostile", &format!("curl https://h/github --{HIDDEN} 1"));
    file("path", &format!("curl https://h/{hidden} -H 'a{HIDDEN}: b' -d a"));
    file("type", &format!("curl 'https://h/github/{hidden}' -d a"));
    file("file", &format!("curl https://h/github -d '@{HIDDEN}'"));
    file("credentials", &json!({ HIDDEN: {} }).to_string());
    for args in [
        &["doctor", "--curl", "hostile"][..],
        &["doctor", "--curl", "path"],
        &["doctor", "--curl", "type"],
        &["doctor", "--curl", "type", "--json"],
        &["doctor", "--curl", "file"],
        &["doctor", "--curl", HIDDEN],
        &["doctor", "--url", "https://h/x", "--provider", HIDDEN],
        &["doctor", "--url", "https://h/github", "--header", HIDDEN],
        &["doctor", "--url", "https://h/github", "--now", HIDDEN],
        &["send", HIDDEN, HIDDEN],
        &["send", "github", HIDDEN],
        &["send", "github", "push", "--credentials", "credentials"],
        &["send", "github", "push", "--to", HIDDEN],
        &["open", "github", "--url", HIDDEN],
        &["open", "github", "--header", &format!("a: {HIDDEN}")],
        &[&format!("x{HIDDEN}")],
        &["events", "--database", HIDDEN],
    ] {
        let output = run(args);
        assert!(!output.status.success(), "{args:?}");
        assert_visible(&output.stdout);
        assert_visible(&output.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn content_is_exact_for_a_program_and_visible_on_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let payload = "{\"event_type\":\"paid\",\"a\":\"\u{202e}\u{9b}\u{e0041}\",\n\t\"b\":\"中\"}\n";
    fs::write(folder.path().join("payload"), payload).unwrap();
    let raw = letterbox(folder.path(), &["sign", "payment", "--data", "payload", "--as", "raw"]).stdout;
    assert!(raw.ends_with(payload.as_bytes()));
    fs::write(folder.path().join("raw"), &raw).unwrap();
    assert_eq!(printed(&letterbox(folder.path(), &["open", "payment", "--data", "raw"])), payload);
    for command in ["open payment --data raw", "sign payment --data payload --as raw"] {
        let terminal = Command::new("script")
            .args(["--quiet", "--return", "--command", &format!("{PROGRAM} {command}"), "/dev/null"])
            .current_dir(folder.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let shown = printed(&terminal).replace("\r\n", "\n");
        assert_visible(shown.as_bytes());
        assert!(shown.contains("\"a\":\"\u{fffd}\u{fffd}\u{fffd}\",\n"), "{shown:?}");
        assert!(shown.contains("中"), "{shown:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_an_end_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    for (name, option) in
        [("zero", "-d @/dev/zero"), ("urandom", "--data-binary @/dev/urandom"), ("json", "--json @/dev/zero")]
    {
        file(name, &format!("curl https://h/github {option}"));
    }
    fs::File::create(folder.path().join("half")).unwrap().set_len(6 * 1024 * 1024).unwrap();
    file("halves", "curl https://h/github --data-binary @half --data-binary @half");
    file("pipes", "curl https://h/github -d @pipe");
    file("twice", "curl https://h/github -d @- -d @/dev/stdin");
    file("folder", "curl https://h/github -d @.");
    let (body, message) = ("at most 10 MiB (10485760 bytes)", "at most 64 MiB (67108864 bytes)");
    let rows = [
        (&["doctor", "--curl", "zero"][..], body),
        (&["doctor", "--curl", "urandom"], body),
        (&["doctor", "--curl", "json"], body),
        (&["doctor", "--curl", "halves"], "at most 10485760 bytes, and the files have more together"),
        (&["doctor", "--curl", "pipes"], "pipe: no program has opened this pipe for writing within 5 s"),
        (&["doctor", "--curl", "twice"], "standard input: it can be read only once"),
        (&["doctor", "--curl", "folder"], "Is a directory"),
        (&["doctor", "--curl", "/dev/zero"], message),
        (&["doctor", "--event", "/dev/zero"], message),
        (&["doctor", "--event", "pipe"], "pipe: no program has opened"),
        (&["doctor", "--event", "-", "--reply", "-"], "expected JSON"),
        (&["doctor", "--har", "/dev/zero"], "at most 256 MiB (268435456 bytes)"),
        (&["doctor", "--url", "https://h/github", "--body", "/dev/zero"], body),
        (&["doctor", "--url", "https://h/github", "--body", "-", "--reply", "/dev/stdin"], "only once"),
        (&["doctor", "--url", "https://h/github", "--reply", "/dev/zero"], message),
        (&["open", "github", "--data", "/dev/zero"], message),
        (&["send", "github", "push", "--data", "/dev/zero"], body),
        (&["sign", "github", "push", "--data", "pipe"], "pipe: no program has opened"),
        (&["seal", "dingtalk", "--data", "/dev/zero"], body),
        (&["open", "github", "--credentials", "/dev/zero", "--data", "/dev/null"], "at most 4 MiB"),
        (&["serve", "--port", "0", "--credentials", "pipe"], "pipe: no program has opened"),
        (&["serve", "--port", "0", "--cards", "/dev/zero"], "at most 16 MiB"),
    ];
    // In parallel, because each pipe takes five seconds.
    thread::scope(|scope| {
        for (args, expected) in rows {
            let folder = folder.path();
            scope.spawn(move || {
                let output = letterbox_with(folder, args, b"a");
                let message = text(&output.stderr);
                assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
                assert!(message.contains(expected), "{args:?}: {message}");
            });
        }
    });
}

#[cfg(unix)]
#[test]
fn a_pipe_with_a_writer_is_read_like_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let event = letterbox(folder.path(), &["sign", "github", "push", "--as", "event"]).stdout;
    fs::write(folder.path().join("event"), &event).unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = thread::spawn(move || fs::write(pipe, event).unwrap());
    assert!(printed(&letterbox(folder.path(), &["doctor", "--event", "pipe"])).contains("It is accepted"));
    writer.join().unwrap();
    for command in ["--event <(sleep 1; cat event)", "--event /dev/stdin < event", "--event - < event"] {
        let script = format!("'{PROGRAM}' doctor {command}");
        let output = Command::new("bash").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
        assert!(printed(&output).contains("It is accepted"), "{command}");
    }
}
