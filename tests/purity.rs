//! The codec uses no clock, environment, random source, network or runtime: its list of dependencies is fixed here.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, MetadataCommand};
use letterbox_tests::root;

/// josekit (OpenSSL) and ring could draw randomness. The codec calls only what takes it as an argument, and what verifies
/// signatures, which needs none. flate2 reads and writes slices.
const ALLOWED: [&str; 25] = [
    "aes",
    "base64",
    "bytes",
    "cbc",
    "ed25519-dalek",
    "flate2",
    "form_urlencoded",
    "hex",
    "hmac",
    "http",
    "jiff",
    "josekit",
    "percent-encoding",
    "pkcs1",
    "quick-xml",
    "ring",
    "serde",
    "serde_json",
    "serde_path_to_error",
    "sha1",
    "sha2",
    "subtle",
    "thiserror",
    "x509-cert",
    "zeroize",
];

/// The parts of the standard library that reach outside of the process.
const IMPURE: [&str; 11] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::io::std",
    "SystemTime",
    "Instant",
    "println!",
    "random_bytes",
    "SystemRandom",
];

#[test]
fn the_codec_depends_on_nothing_impure() {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let codec = metadata.packages.iter().find(|package| package.name.as_str() == "letterbox-codec").unwrap();
    let found: BTreeSet<_> = codec
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
        .map(|dependency| dependency.name.as_str())
        .collect();
    assert_eq!(found, BTreeSet::from(ALLOWED));
    let jiff = codec.dependencies.iter().find(|dependency| dependency.name == "jiff").unwrap();
    assert!(!jiff.uses_default_features && jiff.features == ["alloc"], "jiff with `std` reads the clock");
}

#[test]
fn the_codec_uses_nothing_impure() {
    let mut folders = vec![root().join("shared/codec/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for word in IMPURE {
                assert!(!text.contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

/// What decides in the workers takes the time as an argument, and reaches nothing.
#[test]
fn the_decisions_of_the_workers_use_nothing_impure() {
    let gaps =
        ["accounts", "limits", "report", "github/page", "github/plan", "stripe/page", "dingtalk/answer"];
    let contacts = [
        "actual",
        "codes",
        "dingtalk/answer",
        "dingtalk/codes",
        "events",
        "guard",
        "hash",
        "json",
        "limiter",
        "mapping",
        "picture",
        "plan",
        "plan/departments",
        "plan/people",
        "proof",
        "report",
        "settings",
        "settings/read",
        "wecom/answer",
        "wecom/codes",
    ];
    let gaps = gaps.map(|name| format!("workers/gaps/src/{name}.rs"));
    let contacts = contacts.map(|name| format!("workers/contacts/src/{name}.rs"));
    for path in gaps.into_iter().chain(contacts) {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        for word in IMPURE.into_iter().chain(["async", "tokio", "aws_", "ambient::", "getrandom"]) {
            assert!(!text.contains(word), "{path} uses {word}");
        }
    }
}
