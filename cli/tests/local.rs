//! `letterbox serve`, `send` and `events` together.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::program::{PROGRAM, Server, events, first_samples, letterbox, text};

#[test]
fn the_first_sample_of_each_provider_is_answered_and_queued() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let samples: Vec<_> = first_samples().collect();
    for (provider, sample) in &samples {
        let output = letterbox(folder.path(), &["send", provider, sample, "--to", &server.url]);
        assert!(output.status.success(), "{provider}: {}", text(&output.stderr));
        let printed = text(&output.stdout);
        assert!(printed.lines().any(|line| line.starts_with("= ")), "{provider}: {printed}");
    }
    let printed = server.end();
    assert_eq!(printed.lines().filter(|line| line.contains("queued")).count(), samples.len(), "{printed}");

    let events = events(folder.path());
    assert_eq!(events.len(), samples.len());
    for ((provider, _), event) in samples.iter().zip(&events) {
        let event_type = event["type"].as_str().unwrap();
        assert!(event_type.starts_with(&format!("{provider}.")), "{provider}: {event_type}");
    }
    let table = text(&letterbox(folder.path(), &["events"]).stdout);
    assert_eq!(table.lines().count(), samples.len(), "{table}");
    assert!(table.contains("acme-dev/widget"));
}

#[test]
fn every_sample_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let list = text(&letterbox(folder.path(), &["send", "--list"]).stdout);
    assert!(list.lines().count() > 200);
    for line in list.lines() {
        let (provider, sample) = line.split_once(' ').unwrap();
        let source = match sample {
            "charge.succeeded" => "stripe",
            _ if sample.contains("suite_url") => "suite",
            _ if provider == "signed" => sample.split_once('/').map_or("default", |(preset, _)| preset),
            _ => "default",
        };
        let output =
            letterbox(folder.path(), &["send", provider, sample, "--to", &server.url, "--source", source]);
        // Of these, only the sender can sign.
        let is_private = ["sendgrid", "standard-webhooks-v1a", "wise"].contains(&source);
        let said = text(&output.stderr);
        assert_eq!(output.status.success(), !is_private, "{line}: {said}");
        assert_eq!(said.contains("a private key that only it has"), is_private, "{line}: {said}");
    }
}

#[test]
fn every_delivery_acknowledged_before_the_shutdown_is_on_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (folder, url) = (folder.path().to_owned(), server.url.clone());
            thread::spawn(move || {
                let mut acknowledged = 0;
                while letterbox(&folder, &["send", "github", "push", "--to", &url]).status.success() {
                    acknowledged += 1;
                }
                acknowledged
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(600));
    let printed = server.end();
    assert!(printed.contains("ended"), "{printed}");
    let acknowledged: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
    let queued = events(folder.path()).len();
    assert!(acknowledged > 0);
    assert!(queued >= acknowledged, "{acknowledged} acknowledged, {queued} queued");
}

#[test]
fn own_credentials_are_used_and_wrong_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("mine.json");
    std::fs::write(&credentials, r#"{"github":{"acme":{"secret":"mine"}}}"#).unwrap();
    let server = Server::start(folder.path(), &["--credentials", "mine.json"]);
    let send = |more: &[&str]| {
        let args = [&["send", "github", "push", "--to", &server.url, "--source", "acme"], more].concat();
        letterbox(folder.path(), &args)
    };
    assert!(send(&["--credentials", "mine.json"]).status.success());
    std::fs::write(folder.path().join("other.json"), r#"{"github":{"acme":{"secret":"other"}}}"#).unwrap();
    let refused = send(&["--credentials", "other.json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("401"), "{}", text(&refused.stderr));
    assert!(server.end().contains("signature_mismatch"));
    assert_eq!(events(folder.path()).len(), 1);
}

#[test]
fn follow_prints_new_events() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut follow = Command::new(PROGRAM)
        .args(["events", "--json", "--follow"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap());
    let sent = letterbox(folder.path(), &["send", "github", "ping", "--to", &server.url]);
    let started = Instant::now();
    let mut line = String::new();
    if sent.status.success() {
        lines.read_line(&mut line).unwrap();
    }
    let took = started.elapsed();
    // First, so that the process ends even if the test fails.
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert!(line.contains(r#""type":"github.ping""#), "{line}");
    assert!(took < Duration::from_secs(10));
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    file("broken.json", r#"{"github": {"default": {"secret": "hunter2"}"#);
    file("unknown.json", r#"{"gitlab": {}}"#);
    file("empty-secret.json", r#"{"github": {"default": {"secret": ""}}}"#);
    file(
        "short-key.json",
        r#"{"dingtalk": {"default": {"token": "t", "aes_key": "hunter2", "owner_key": "k"}}}"#,
    );
    file(
        "twice.json",
        r#"{"github": {"default": {"secret": "hunter2"}}, "github": {"default": {"secret": "hunter2"}}}"#,
    );
    file("cards.json", r#"{"1": {"entries": [{"intent": {}}]}}"#);
    file("not-a-queue.db", "hello, this is no database at all, and long enough to be sure of it\n");
    for (args, code, expected) in [
        (&["serve", "--credentials", "absent.json"][..], 2, "absent.json"),
        (&["serve", "--credentials", "broken.json"], 2, "broken.json: line 1"),
        (&["serve", "--credentials", "twice.json"], 2, "twice.json: github: expected to appear only once"),
        (&["serve", "--credentials", "unknown.json"], 2, "no provider \"gitlab\"; there are dingtalk"),
        (
            &["serve", "--credentials", "empty-secret.json"],
            2,
            "source \"default\": secret: expected a secret that is not empty",
        ),
        (&["serve", "--credentials", "short-key.json"], 2, "source \"default\": aes_key: expected 43"),
        (&["serve", "--cards", "cards.json"], 2, "cards.json: \"1\".entries[0]: missing field `data`"),
        (&["serve", "--database", "not-a-queue.db"], 2, "not-a-queue.db"),
        (&["serve", "--queue-url", "x"], 2, "expected the URL of an SQS queue"),
        (&["serve", "--port", "70000"], 2, "--port"),
        (&["send", "gitlab", "push"], 2, "no provider \"gitlab\""),
        (&["send", "github", "pull"], 2, "--list"),
        (&["send", "github"], 2, "SAMPLE"),
        (&["send", "github", "push", "--to", "nowhere"], 2, "--to"),
        (&["send", "github", "push", "--to", "http://127.0.0.1:1"], 1, "check that the server is running"),
        (&["send", "github", "push", "--source", "nobody"], 2, "no source \"nobody\""),
        (&["events", "--database", "absent.db"], 2, "absent.db: no such file"),
        (&["events", "--database", "not-a-queue.db"], 2, "not-a-queue.db"),
        (&[], 2, "Usage"),
    ] {
        let output = letterbox(folder.path(), args);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
        assert!(message.contains(expected), "{args:?}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_port_in_use_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = letterbox(folder.path(), &["serve", "--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("choose another with --port"), "{}", text(&output.stderr));
}

/// A folder on read-only media: mounted read-only if that is allowed, or else without write permission.
#[test]
fn events_can_be_read_on_read_only_media() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let sent = letterbox(folder.path(), &["send", "github", "push", "--to", &server.url]);
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    server.end();
    let mount = "mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" && ! touch a 2>/dev/null && exec \"$0\" events";
    let mut mounted = Command::new("unshare");
    mounted.args(["--map-root-user", "--mount", "sh", "-c", mount, PROGRAM]);
    let output = mounted.current_dir(folder.path()).output().ok().filter(|output| output.status.success());
    let output = output.unwrap_or_else(|| {
        let rights = |mode: u32| {
            use std::os::unix::fs::PermissionsExt;
            for entry in std::fs::read_dir(folder.path()).unwrap() {
                std::fs::set_permissions(entry.unwrap().path(), PermissionsExt::from_mode(mode & 0o666))
                    .unwrap();
            }
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
        };
        rights(0o555);
        let output = letterbox(folder.path(), &["events"]);
        rights(0o755);
        output
    });
    assert!(text(&output.stdout).contains("github.push"), "{}{}", text(&output.stdout), text(&output.stderr));
}
