//! Senders without credentials must not be able to stop deliveries to a running `letterbox serve`, lose an acknowledged
//! one, or read the content of deliveries.

use std::{
    env, fs,
    io::{self, Read, Write},
    iter,
    net::TcpStream,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::{Resource, Rlimit};

use crate::program::{PROGRAM, Server, events, letterbox, text};

/// Longer than any response takes, even on a busy machine.
const SLOW: Duration = Duration::from_secs(20);

/// Starts the server from a shell that first sets a process limit.
fn limited(folder: &Path, limit: &str) -> Server {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit}; exec \"$0\" serve --port 0"), PROGRAM]);
    Server::spawn(folder, &mut command)
}

/// A signed delivery, as bytes of HTTP/1.1.
pub fn signed(folder: &Path, url: &str) -> Vec<u8> {
    let output = letterbox(folder, &["sign", "github", "push", "--as", "raw", "--to", url]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    output.stdout
}

/// Sends bytes, and reads the response until the server closes the connection.
pub fn exchange(url: &str, request: &[u8]) -> String {
    let mut stream = connect(url);
    stream.write_all(request).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

/// Connects, without sending anything yet.
pub fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(SLOW)).unwrap();
    stream
}

/// The status of a response; 0 without one.
pub fn status(response: &str) -> u16 {
    response.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

fn get(url: &str, path: &str, headers: &str) -> String {
    exchange(
        url,
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\r\n", &url[7..])
            .as_bytes(),
    )
}

#[test]
fn abandoned_reads_do_not_delay_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    // Enough data for a slow search.
    let filler = format!(
        "POST /github HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: 1000000\r\n\r\n{}",
        &server.url[7..],
        "a".repeat(1_000_000)
    );
    for _ in 0..50 {
        assert_eq!(status(&exchange(&server.url, filler.as_bytes())), 401);
    }
    let delivery = signed(folder.path(), &server.url);
    let url = server.url.clone();
    let reader = thread::spawn(move || {
        for number in 0..600 {
            let mut stream = connect(&url);
            let path = format!("/deliveries?q=nothing+like+this+{number}");
            write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", &url[7..]).unwrap();
            thread::sleep(Duration::from_millis(2));
        }
    });
    let mut slowest = Duration::ZERO;
    for _ in 0..30 {
        let started = Instant::now();
        assert_eq!(status(&exchange(&server.url, &delivery)), 202);
        slowest = slowest.max(started.elapsed());
        thread::sleep(Duration::from_millis(100).saturating_sub(started.elapsed()));
    }
    reader.join().unwrap();
    // GitHub waits 10 s; the function's own deadline is shorter, and a later response is 503.
    assert!(slowest < Duration::from_secs(9), "{slowest:?}");
    let started = Instant::now();
    assert_eq!(status(&get(&server.url, "/deliveries", "")), 200);
    assert!(started.elapsed() < SLOW, "{:?}", started.elapsed());
}

#[test]
fn unread_output_does_not_delay_deliveries() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let delivery = signed(folder.path(), &server.url);
    // A pipe buffers 64 KiB, and a bounded number of lines waits; later ones are dropped.
    for _ in 0..2500 {
        assert_eq!(status(&exchange(&server.url, &delivery)), 202);
    }
    assert_eq!(status(&get(&server.url, "/healthz", "")), 200);
    let missing = server.line_with("lines dropped");
    assert!(missing.starts_with("letterbox: "), "{missing}");
    assert_eq!(status(&exchange(&server.url, &delivery)), 202);
    assert!(server.end().contains("queued"));
    assert_eq!(events(folder.path()).len(), 2501);
}

#[test]
fn a_signal_ends_the_program_although_its_output_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("sh");
    // Standard error uses the same pipe.
    child.args(["-c", "exec \"$0\" serve --port 0 2>&1", PROGRAM]);
    let server = Server::spawn(folder.path(), &mut child);
    let delivery = signed(folder.path(), &server.url);
    for _ in 0..1200 {
        assert_eq!(status(&exchange(&server.url, &delivery)), 202);
    }
    let started = Instant::now();
    assert!(server.end_without_reading().success());
    assert!(started.elapsed() < SLOW, "{:?}", started.elapsed());
    assert_eq!(events(folder.path()).len(), 1200);
}

#[test]
fn no_delivery_is_acknowledged_while_the_queue_file_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let delivery = signed(folder.path(), &server.url);
    assert_eq!(status(&exchange(&server.url, &delivery)), 202);
    let [database, moved] = ["letterbox.db", "elsewhere.db"].map(|name| folder.path().join(name));
    fs::rename(&database, &moved).unwrap();
    for _ in 0..40 {
        assert_eq!(status(&exchange(&server.url, &delivery)), 503);
    }
    let line = server.line_with(" 503 ");
    assert!(line.contains("letterbox.db was deleted, moved or replaced while in use: put it back"), "{line}");
    fs::rename(&moved, &database).unwrap();
    assert_eq!(status(&exchange(&server.url, &delivery)), 202);
    assert_eq!(events(folder.path()).len(), 2);
    fs::remove_file(&database).unwrap();
    assert_eq!(status(&exchange(&server.url, &delivery)), 503);
}

#[test]
fn a_database_is_a_file_whatever_its_name_means_to_sqlite() {
    for name in [":memory:", "file:a.db", "file:a.db?mode=memory", "a b%20c.db"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &["--database", name]);
        let delivery = signed(folder.path(), &server.url);
        assert_eq!(status(&exchange(&server.url, &delivery)), 202, "{name}");
        server.end();
        let events = letterbox(folder.path(), &["events", "--json", "--database", name]);
        assert!(text(&events.stdout).contains("github.push"), "{name}: {}", text(&events.stderr));
    }
}

#[test]
fn bodies_that_never_end_fill_no_memory() {
    const MIB: usize = 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let delivery = signed(folder.path(), &server.url);
    let head = format!("POST /github HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 10 * MIB);
    let part = vec![b'a'; 9 * MIB];
    let mut begun = Vec::new();
    for _ in 0..40 {
        let mut stream = connect(&server.url);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&part).unwrap();
        begun.push(stream);
    }
    assert_eq!(status(&exchange(&server.url, &delivery)), 202);
    // Of 360 MiB at most 128 are kept: the first to begin have been refused.
    let mut first = vec![0; 512];
    let length = begun[0].read(&mut first).unwrap();
    let first = String::from_utf8_lossy(&first[..length]).into_owned();
    assert_eq!(status(&first), 400, "{first}");
    let kept = server.memory();
    assert!(kept < 300 * MIB, "{} MiB", kept / MIB);
}

/// More with `LETTERBOX_CONNECTIONS=10000`.
#[test]
fn idle_connections_do_not_delay_deliveries() {
    // The test itself needs more descriptors than many systems allow a process at first.
    let limits = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = limited(folder.path(), "ulimit -n 1024");
    let delivery = signed(folder.path(), &server.url);
    let mut idle = Vec::new();
    let connections: usize = env::var("LETTERBOX_CONNECTIONS").map_or(1100, |number| number.parse().unwrap());
    for number in 0..connections {
        let mut stream = connect(&server.url);
        // Some wait for a request, some for its headers, some for its body.
        let begun = [
            "",
            "POST /github HTTP/1.1\r\nhost: a\r\n",
            "POST /github HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n",
        ];
        // The server may have closed it already.
        let _ = stream.write_all(begun[number % 3].as_bytes());
        idle.push(stream);
        if number % 100 == 99 {
            let started = Instant::now();
            assert_eq!(status(&exchange(&server.url, &delivery)), 202, "with {number} idle connections");
            assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
        }
    }
    assert_eq!(status(&get(&server.url, "/healthz", "")), 200);
    assert_eq!(events(folder.path()).len(), connections / 100);
    // However many there are.
    let memory = server.memory();
    assert!(memory < 200 * 1024 * 1024, "{memory} bytes");
}

#[test]
fn a_file_size_limit_does_not_end_the_program() {
    let folder = tempfile::tempdir().unwrap();
    // In units of 512 or 1024 bytes.
    let server = limited(folder.path(), "ulimit -f 400");
    let delivery = signed(folder.path(), &server.url);
    let statuses: Vec<_> = (0..100).map(|_| status(&exchange(&server.url, &delivery))).collect();
    let (queued, refused): (Vec<u16>, Vec<u16>) = statuses.iter().partition(|status| **status == 202);
    assert!(!queued.is_empty() && !refused.is_empty(), "{statuses:?}");
    assert!(refused.iter().all(|status| *status == 503), "{statuses:?}");
    assert_eq!(status(&get(&server.url, "/healthz", "")), 200);
    server.end();
    assert!(events(folder.path()).len() >= queued.len());
}

#[test]
fn every_response_is_isolated_from_other_sites() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let other = "sec-fetch-site: cross-site\r\nsec-fetch-mode: no-cors\r\n";
    for path in [
        "/",
        "/deliveries",
        "/deliveries?q=a",
        "/deliveries/live",
        "/deliveries/1",
        "/deliveries/1/body",
        "/deliveries/1/message",
        "/deliveries/1/curl",
        "/deliveries/1/event",
        "/language/zh",
        "/token",
        "/assets/page.css",
        "/assets/page.js",
    ] {
        for headers in [other, "origin: http://127.0.0.1:1\r\n"] {
            let response = get(&server.url, path, headers);
            assert_eq!(status(&response), 403, "{path}: {response}");
            assert!(response.contains("a page of another site sent this request"), "{path}: {response}");
        }
    }
    for path in ["/", "/healthz", "/github", "/github/%ff", "/nobody", "/a/b/c", "/assets/page.js"] {
        let response = get(&server.url, path, "");
        for header in [
            "cross-origin-resource-policy: same-origin",
            "cross-origin-opener-policy: same-origin",
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
        ] {
            assert!(response.contains(&format!("\r\n{header}")), "{path} lacks {header}: {response}");
        }
    }
}

#[test]
fn a_source_that_is_not_utf_8_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let post = |path: &str| {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}");
        exchange(&server.url, head.as_bytes())
    };
    for path in ["/github/nobody", "/github/%ff", "/github/%ff/", "/github/a%2Fb"] {
        let response = post(path);
        assert_eq!(status(&response), 404, "{path}: {response}");
        assert!(response.contains("\r\ncontent-type: application/json"), "{path}: {response}");
        assert!(response.ends_with(r#"{"error":"unknown source"}"#), "{path}: {response}");
    }
    for path in ["/github", "/github/", "/github/default/"] {
        assert_eq!(status(&post(path)), 401, "{path}");
    }
}

/// Sends a request over HTTP/2 without TLS.
async fn exchange_h2(url: &str, request: http::Request<Full<Bytes>>) -> (u16, String) {
    let stream = tokio::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn http_2_requests_have_their_host_in_the_url() {
    let folder = tempfile::tempdir().unwrap();
    let square = r#"{ "payment": { "default": { "preset": "square", "secret": "squareSecret" } } }"#;
    fs::write(folder.path().join("mine.json"), square).unwrap();
    let server = Server::start(folder.path(), &["--credentials", "mine.json"]);
    let url = format!("{}/payment", server.url);
    fs::write(
        folder.path().join("event.json"),
        r#"{"type":"a","event_id":"b","created_at":"2026-01-01T00:00:00Z"}"#,
    )
    .unwrap();
    let args = [
        "sign",
        "payment",
        "--credentials",
        "mine.json",
        "--data",
        "event.json",
        "--as",
        "raw",
        "--to",
        &url,
    ];
    let output = letterbox(folder.path(), &args);
    let signed = text(&output.stdout);
    let (head, body) = signed.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{}", text(&output.stderr)));
    let of_the_connection = ["host", "content-length", "connection"];
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let mut request = http::Request::post(&url);
    for (name, value) in headers.filter(|(name, _)| !of_the_connection.contains(name)) {
        request = request.header(name, value);
    }
    let request = request.body(Full::from(body.to_owned())).unwrap();
    let (status, body) = exchange_h2(&server.url, request.clone()).await;
    assert_eq!(status, 202, "{body}");

    let page = |path: &str| http::Request::get(format!("{}{path}", server.url));
    assert_eq!(exchange_h2(&server.url, page("/").body(Full::default()).unwrap()).await.0, 200);
    let rebound = http::Request::get(format!("http://rebound.example{}/", &server.url[16..]));
    assert_eq!(exchange_h2(&server.url, rebound.body(Full::default()).unwrap()).await.0, 403);
    let two_hosts = page("/").header("host", "rebound.example").body(Full::default()).unwrap();
    assert_eq!(exchange_h2(&server.url, two_hosts).await.0, 400);
}

#[test]
fn connections_without_progress_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let limits = [
        ("", None),
        ("POST /github HTTP/1.1\r\n", None),
        ("POST /github HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{", Some("without a pause of 30 s")),
    ];
    let streams: Vec<_> = limits
        .iter()
        .map(|(begun, expected)| {
            let mut stream = connect(&server.url);
            stream.write_all(begun.as_bytes()).unwrap();
            (stream, expected)
        })
        .collect();
    let started = Instant::now();
    // A byte of its headers every second is no progress.
    let slow = connect(&server.url);
    let mut writing = slow.try_clone().unwrap();
    let writer = thread::spawn(move || {
        let bytes = b"POST /github HTTP/1.1\r\nhost: a\r\nx-slow: ".iter().chain(iter::repeat(&b'a'));
        for byte in bytes {
            if writing.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_secs(1));
        }
    });
    for (mut stream, expected) in streams.into_iter().chain([(slow, &None)]) {
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut response = String::new();
        match stream.read_to_string(&mut response) {
            Ok(_) => {}
            // The last byte came when it was closed already.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
        assert!(expected.is_none_or(|expected| response.contains(expected)), "{response}");
    }
    assert!(started.elapsed() > Duration::from_secs(29), "{:?}", started.elapsed());
    writer.join().unwrap();
}

#[test]
fn failed_writes_are_reported_at_most_once_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" serve --port 0 2>errors", PROGRAM]);
    let server = Server::spawn(folder.path(), &mut command);
    // The server stops writing once its files are moved away.
    for ending in ["", "-wal", "-shm"] {
        fs::rename(
            folder.path().join(format!("letterbox-deliveries.db{ending}")),
            folder.path().join(format!("elsewhere{ending}")),
        )
        .unwrap();
    }
    let started = Instant::now();
    let delivery = signed(folder.path(), &server.url);
    for _ in 0..200 {
        assert_eq!(status(&exchange(&server.url, &delivery)), 202);
    }
    server.end();
    let errors = fs::read_to_string(folder.path().join("errors")).unwrap();
    let message: Vec<_> = errors.lines().filter(|line| line.contains("writes failed")).collect();
    assert!(
        message.iter().all(|line| line.contains("letterbox-deliveries.db was deleted, moved or replaced")),
        "{errors}"
    );
    let seconds = started.elapsed().as_secs() + 1;
    // One more report at the end.
    assert!((1..=seconds + 1).contains(&(message.len() as u64)), "{} in {seconds} s", message.len());
}
