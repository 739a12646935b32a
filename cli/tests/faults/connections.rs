//! Connections that are slow, or too many.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit};

use super::{
    SLACK,
    load::{Load, Sender},
    repeating::Repeating,
    signed,
    system::{FOREVER, Fault, System},
    timed,
};
use crate::{
    program::{Server, events},
    strangers::{connect, exchange, status},
};

/// What the server promises from the signal on.
const GRACE: Duration = Duration::from_secs(10);

const HEAD: &str = "POST /github HTTP/1.1\r\nhost: a\r\n";

/// The shutdown has a disk that hangs in its way, too.
#[test]
fn slow_connections_delay_neither_deliveries_nor_the_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::new(folder.path());
    let server = system.serve(folder.path());
    let url = server.url.clone();
    let begin = |text: &str| {
        let mut stream = connect(&url);
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    // More than the system takes for a reader that does not read.
    let large = vec![b'a'; 9 * 1024 * 1024];
    let head = format!("{HEAD}connection: close\r\ncontent-length: {}\r\n\r\n", large.len());
    assert_eq!(status(&exchange(&url, &[head.as_bytes(), &large].concat())), 413);
    let read = format!("GET /deliveries/1/body HTTP/1.1\r\nhost: {}\r\n", &url[7..]);
    let started = Instant::now();
    while status(&exchange(&url, format!("{read}connection: close\r\n\r\n").as_bytes())) != 200 {
        assert!(started.elapsed() < SLACK);
    }
    let readers: Vec<_> = (0..5).map(|_| begin(&format!("{read}\r\n").repeat(3))).collect();
    // The beginning of a body, and no more; headers and bodies that come byte by byte.
    let with_body = format!("{HEAD}content-length: 1000000\r\n\r\n{{");
    let unfinished: Vec<_> = (0..50).map(|_| begin(&with_body)).collect();
    let parts = [
        (format!("{HEAD}x-slow: "), "a"),
        (with_body.clone(), "a"),
        (format!("{HEAD}transfer-encoding: chunked\r\n\r\n"), "1\r\na\r\n"),
    ];
    let slow: Vec<_> = parts.iter().cycle().take(150).map(|(head, part)| (begin(head), *part)).collect();
    let writing = Repeating::start(move || {
        for (mut stream, part) in slow.iter().map(|(stream, part)| (stream, part)) {
            // The server may have closed it.
            let _ = stream.write_all(part.as_bytes());
        }
    });

    let load = Load::start(&url, 4);
    load.await_acknowledged(200);
    let sent = load.finish();
    sent.assert_all_answered();
    // A sender that ends before its body does.
    let mut short = begin(&with_body);
    short.shutdown(Shutdown::Write).unwrap();
    let mut response = String::new();
    short.read_to_string(&mut response).unwrap();
    assert_eq!(status(&response), 400);

    system.set(Fault::Delay, FOREVER);
    let delivery = signed(folder.path(), &["dingtalk", "user_add_org"], &url);
    assert_eq!(timed(&url, &delivery).0, 503);
    let started = Instant::now();
    assert!(server.end().contains("letterbox: ended"));
    assert!(started.elapsed() < GRACE + SLACK, "{:?}", started.elapsed());
    drop((readers, unfinished, writing));
    system.set(Fault::Delay, 0);
    let server = system.serve(folder.path());
    assert_eq!(Sender::new().send(&server.url, sent.acknowledged.len()), Some(202));
    server.end();
    let numbers: Vec<_> =
        events(folder.path()).iter().filter_map(|event| event["data"]["number"].as_u64()).collect();
    assert!((0..=sent.acknowledged.len() as u64).all(|number| numbers.contains(&number)));
}

/// Fewer descriptors than the server needs for the connections that it would take.
#[test]
fn without_free_descriptors_the_longest_waiting_connections_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let open = fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count() as u64;
    let process = Pid::from_raw(i32::try_from(server.id()).unwrap());
    let limit = Rlimit { current: Some(open + 10), maximum: Some(open + 10) };
    rustix::process::prlimit(process, Resource::Nofile, limit).unwrap();
    let mut idle: Vec<TcpStream> = Vec::new();
    for number in 0..40 {
        idle.push(connect(&server.url));
        // On a connection of its own each time.
        if number % 4 == 3 {
            let started = Instant::now();
            assert_eq!(Sender::new().send(&server.url, number), Some(202), "with {number} idle connections");
            assert!(started.elapsed() < SLACK, "{:?}", started.elapsed());
        }
    }
    // It waits for descriptors without keeping a processor busy.
    let before = server.worked();
    thread::sleep(Duration::from_secs(1));
    let worked = server.worked().saturating_sub(before);
    assert!(worked < Duration::from_millis(500), "{worked:?}");
    drop(idle);
    assert_eq!(Sender::new().send(&server.url, 1000), Some(202));
    assert!(server.end().contains("ended"));
    assert_eq!(events(folder.path()).len(), 11);
}
