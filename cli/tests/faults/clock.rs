//! The clock jumps.

use std::process::Command;

use letterbox_intake::ambient;

use super::{
    load::Sender,
    signed,
    system::{Fault, System},
    timed,
};
use crate::{
    program::{events, letterbox, run, text},
    strangers::{exchange, status},
};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

#[test]
fn no_jump_of_the_clock_loses_a_delivery() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::new(folder.path());
    let server = system.serve(folder.path());
    let url = server.url.clone();
    // Slack's signatures are valid for five minutes.
    let slack = ["slack", "message", "--source", "strict"];
    let signed_now = || signed(folder.path(), &slack, &url);
    let by_the_servers_clock = || {
        let mut command: Command = system.command();
        command.args(["sign", "--as", "raw", "--to", &url]).args(slack).current_dir(folder.path());
        let output = run(&mut command, b"");
        assert!(output.status.success(), "{}", text(&output.stderr));
        output.stdout
    };
    let mut github = Sender::new();
    let mut sent = 0;
    let beginning = -ambient::now().0;
    let jumps = [
        0,
        2 * HOUR,
        -3 * HOUR,
        0,
        20 * DAY,
        -30 * DAY,
        0,
        // To 1970, and before, to where 32 bits and nanoseconds in 64 bits end, nearly to where RFC 3339 does, and back.
        beginning,
        beginning - YEAR,
        12 * YEAR,
        300 * YEAR,
        7970 * YEAR,
        0,
    ];
    let mut accepted = 0;
    for jump in jumps {
        system.set(Fault::Clock, jump);
        assert_eq!(github.send(&url, sent), Some(202), "{jump}");
        sent += 1;
        if jump.abs() < YEAR {
            let expected = if jump == 0 { 200 } else { 401 };
            assert_eq!(timed(&url, &signed_now()).0, expected, "{jump}");
            assert_eq!(timed(&url, &by_the_servers_clock()).0, 200, "{jump}");
            accepted += 1 + usize::from(jump == 0);
        } else {
            assert_ne!(timed(&url, &signed_now()).0, 200, "{jump}");
        }
        // The page shows whatever times there are.
        let page = exchange(
            &url,
            format!("GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", &url[7..]).as_bytes(),
        );
        assert_eq!(status(&page), 200, "{jump}");
    }
    assert_eq!(timed(&url, &signed_now()).0, 200);
    accepted += 1;
    server.end();
    // In the order of their receipt, whatever the clock said.
    let events = events(folder.path());
    let numbers: Vec<_> = events.iter().filter_map(|event| event["data"]["number"].as_u64()).collect();
    assert_eq!(numbers, (0..sent as u64).collect::<Vec<_>>());
    assert_eq!(events.len(), sent + accepted);
    assert_eq!(letterbox(folder.path(), &["events"]).status.code(), Some(0));
    let errors = std::fs::read_to_string(folder.path().join("errors")).unwrap();
    assert_eq!(errors, "");
}
