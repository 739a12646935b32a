//! The program is killed.

use std::{
    process::{Command, Stdio},
    thread,
};

use super::{
    load::{Load, Sender},
    moment, number,
};
use crate::program::{PROGRAM, Server, events};

/// More with `LETTERBOX_KILLS=500`.
#[test]
fn every_delivery_acknowledged_before_it_is_killed_is_on_the_queue() {
    let kills = number("LETTERBOX_KILLS", 5);
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let load = Load::start(&server.url, 8);
    for kill in 1..=kills {
        // Without this, a slow machine would kill it before the first one.
        load.await_acknowledged(1);
        thread::sleep(moment(300));
        // With SIGKILL.
        drop(server);
        server = Server::start(folder.path(), &[]);
        load.turn_to(&server.url);
        if kill % 50 == 0 {
            println!("{kill} of {kills} kills, {} acknowledged", load.acknowledged());
        }
    }
    let sent = load.finish();
    server.end();
    sent.assert_only_delayed();
    let found = sent.find_in(&folder.path().join("letterbox.db"));
    let counts = &sent.counts["none"];
    assert!(counts.acknowledged >= kills);
    println!(
        "{kills} kills, {} sent, {} acknowledged, {} without response, {} queued, {} of them copies, 0 lost",
        counts.sent, counts.acknowledged, counts.unanswered, found.messages, found.copies
    );
}

/// More with `LETTERBOX_KILLS=500`.
#[test]
fn it_starts_after_it_is_killed_at_its_first_start() {
    let kills = usize::try_from(number("LETTERBOX_KILLS", 3)).unwrap();
    for kill in 0..kills {
        // Each time with no file yet.
        let folder = tempfile::tempdir().unwrap();
        let mut first = Command::new(PROGRAM);
        first.args(["serve", "--port", "0"]).current_dir(folder.path()).stdout(Stdio::null());
        let mut first = first.spawn().unwrap();
        thread::sleep(moment(100));
        first.kill().unwrap();
        first.wait().unwrap();
        let server = Server::start(folder.path(), &[]);
        assert_eq!(Sender::new().send(&server.url, kill), Some(202));
        server.end();
        assert_eq!(events(folder.path()).len(), 1);
    }
}

/// The signal comes as soon as the server says that it is ready.
#[test]
fn a_signal_at_the_start_ends_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let server = Server::start(folder.path(), &[]);
        // It checks that the exit code is 0.
        assert!(server.end().contains("letterbox: ended"));
    }
}
