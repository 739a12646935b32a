//! Another program has locked the database.

use std::{thread, time::Duration};

use rusqlite::{Connection, TransactionBehavior};

use super::{
    SLACK,
    load::{Load, Sender},
    signed, timed,
};
use crate::program::{Server, letterbox, text};

#[test]
fn a_lock_delays_deliveries_or_refuses_them_within_their_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let database = folder.path().join("letterbox.db");
    let mut other = Connection::open(&database).unwrap();
    let load = Load::start(&server.url, 4);
    load.await_acknowledged(1);
    for lock in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        // Shorter than the server waits.
        load.during("a short lock");
        other.execute_batch(lock).unwrap();
        thread::sleep(Duration::from_millis(300));
        other.execute_batch("COMMIT").unwrap();
        load.await_acknowledged(4);
        // Longer than it waits, and than the deadline of DingTalk, which is 1.2 s.
        load.during("a long lock");
        other.execute_batch(lock).unwrap();
        let delivery = signed(folder.path(), &["dingtalk", "user_add_org"], &server.url);
        let (status, took) = timed(&server.url, &delivery);
        assert_eq!(status, 503);
        assert!(took < Duration::from_millis(1200) + SLACK, "{took:?}");
        load.await_refused(4);
        let line = server.line_with("is locked");
        assert!(
            line.contains(" 503 ") && line.contains("letterbox.db: database is locked: another program"),
            "{line}"
        );
        other.execute_batch("COMMIT").unwrap();
        load.during("none");
        load.await_acknowledged(4);
    }
    let sent = load.finish();
    server.end();
    sent.assert_only_delayed();
    sent.assert_all_answered();
    let found = sent.find_in(&database);
    assert!(found.messages >= sent.acknowledged.len() as u64);

    // At the start it waits, too, and then says why it cannot.
    let held = other.transaction_with_behavior(TransactionBehavior::Exclusive).unwrap();
    let refused = letterbox(folder.path(), &["serve", "--port", "0"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(
        said.contains("letterbox.db: database is locked: another program writes to the file; wait"),
        "{said}"
    );
    drop(held);
    let server = Server::start(folder.path(), &[]);
    assert_eq!(Sender::new().send(&server.url, 0), Some(202));
}
