//! The disk is full, read-only, failing or hangs.

use std::{
    fs::{self, File},
    io::Write,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::Path,
    process::Command,
    time::Duration,
};

use rustix::io::Errno;

use super::{
    SLACK,
    load::{Load, Sender},
    signed,
    system::{FOREVER, Fault, System},
    timed,
};
use crate::program::{PROGRAM, Server, events, letterbox, text};

/// A shell that may mount, in its own view of the folder, and then runs `script`.
fn mounting(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, PROGRAM]).current_dir(folder);
    command
}

/// Whether this system lets us mount. It says so if not: the test is then skipped.
fn may_mount(folder: &Path, test: &str) -> bool {
    let output = mounting(folder, "mount -t tmpfs -o size=64m none .").output();
    let is_allowed = output.is_ok_and(|output| output.status.success());
    if !is_allowed {
        eprintln!(
            "{test}: skipped, because this system does not let its users mount (unshare --map-root-user --mount)"
        );
    }
    is_allowed
}

#[test]
fn deliveries_are_refused_while_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    if !may_mount(folder.path(), "deliveries_are_refused_while_the_disk_is_full") {
        return;
    }
    let script = "mount -t tmpfs -o size=64m none . && cd \"$PWD\" && exec \"$0\" serve --port 0 2>&1";
    let mut server = Server::spawn(folder.path(), &mut mounting(folder.path(), script));
    // The disk as only the server sees it; an open folder keeps it after the server has ended.
    let disk = File::open(format!("/proc/{}/cwd", server.id())).unwrap();
    let on_disk = |name: &str| format!("/proc/self/fd/{}/{name}", disk.as_raw_fd());
    let mut sender = Sender::new();
    assert_eq!(sender.send(&server.url, 0), Some(202));
    let load = Load::start(&server.url, 4);
    load.await_acknowledged(4);

    load.during("a full disk");
    let mut other = File::create(on_disk("other")).unwrap();
    let filled = std::iter::repeat_with(|| other.write_all(&[0; 4096])).find_map(Result::err);
    assert_eq!(filled.unwrap().kind(), std::io::ErrorKind::StorageFull);
    load.await_refused(20);
    let line = server.line_with("queue_unavailable");
    assert!(
        line.contains(" 503 ") && line.contains("letterbox.db: database or disk is full: free some space"),
        "{line}"
    );

    load.during("none");
    fs::remove_file(on_disk("other")).unwrap();
    drop(other);
    load.await_acknowledged(20);
    let sent = load.finish();
    server.end();
    sent.assert_only_delayed();
    sent.assert_all_answered();
    // SQLite follows links, and this one leads to the folder without the disk.
    let copy = tempfile::tempdir().unwrap();
    for name in ["letterbox.db", "letterbox-deliveries.db"] {
        fs::copy(on_disk(name), copy.path().join(name)).unwrap();
    }
    sent.find_in(&copy.path().join("letterbox.db"));
}

/// The errors of writes and syncs, each for a while.
#[test]
fn no_delivery_is_acknowledged_while_writing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::new(folder.path());
    let mut server = system.serve(folder.path());
    let load = Load::start(&server.url, 4);
    let refuses = "disk I/O error: the system refuses to read or write it; look for a file size limit, a quota, a disk that is read-only";
    for (name, fault, error, expected) in [
        ("a full disk", Fault::Write, Errno::NOSPC, "database or disk is full: free some space"),
        ("a quota", Fault::Write, Errno::DQUOT, refuses),
        ("a read-only disk", Fault::Write, Errno::ROFS, refuses),
        ("a failing disk", Fault::Write, Errno::IO, refuses),
        ("failing syncs", Fault::Sync, Errno::IO, refuses),
    ] {
        load.await_acknowledged(10);
        system.set(fault, error.raw_os_error().into());
        // Of what is sent from now on, nothing can be stored.
        load.during(name);
        load.await_refused(20);
        let line = server.line_with(expected);
        assert!(line.contains(" 503 "), "{name}: {line}");
        load.during("none");
        system.set(fault, 0);
        load.await_acknowledged(10);
    }
    let sent = load.finish();
    for (name, counts) in sent.counts.iter().filter(|(name, _)| **name != "none") {
        // Each sender may have been on its way when the fault ended.
        assert!(counts.acknowledged <= 4, "{name}: {} acknowledged", counts.acknowledged);
    }
    server.end();
    sent.assert_only_delayed();
    sent.assert_all_answered();
    sent.find_in(&folder.path().join("letterbox.db"));
    let errors = fs::read_to_string(folder.path().join("errors")).unwrap();
    assert!(
        errors.contains("delivery history: ") && errors.contains("letterbox-deliveries.db: "),
        "{errors}"
    );
}

#[test]
fn a_disk_that_hangs_delays_no_response_beyond_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::new(folder.path());
    let server = system.serve(folder.path());
    let delivery = signed(folder.path(), &["dingtalk", "user_add_org"], &server.url);
    assert_eq!(timed(&server.url, &delivery).0, 200);
    system.set(Fault::Delay, FOREVER);
    let (status, took) = timed(&server.url, &delivery);
    assert_eq!(status, 503);
    assert!(took < Duration::from_millis(1200) + SLACK, "{took:?}");
    system.set(Fault::Delay, 0);
    assert_eq!(timed(&server.url, &delivery).0, 200);
    server.end();
    // The one that was refused may be there as well.
    let queued = events(folder.path()).len();
    assert!((2..=3).contains(&queued), "{queued}");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |output: std::process::Output, expected: &str| {
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected) && said.contains("name another file with --database"), "{said}");
    };
    // Where nobody can create a file.
    let output = letterbox(folder.path(), &["serve", "--port", "0", "--database", "/proc/letterbox.db"]);
    refused(output, "unable to open database file");

    // The files are there, and were closed.
    Server::start(folder.path(), &[]).end();
    let script =
        "mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" && exec \"$0\" serve --port 0";
    if may_mount(folder.path(), "a_folder_that_cannot_be_written_is_an_error_at_the_start") {
        refused(mounting(folder.path(), script).output().unwrap(), "make the file and its folder writable");
    } else if !rustix::process::geteuid().is_root() {
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o555)).unwrap();
        let output = letterbox(folder.path(), &["serve", "--port", "0"]);
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        refused(output, "make the file and its folder writable");
    }
}
