//! The certificate of a server, read from a real TLS handshake.

use std::{net::TcpListener, sync::Arc, thread};

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox::stack::certificate::days_left;
use letterbox_codec::Timestamp;
use rustls::{
    ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// The demo certificates of Amazon SNS and their key, which anyone has.
const CREDENTIALS: &str = include_str!("../../events/sns/credentials.json");
const KEY: &[u8] = include_bytes!("../../functions/sns/src/demo/key.der");

/// The demo certificates, by the end of their validity.
fn certificates() -> Vec<CertificateDer<'static>> {
    let credentials: serde_json::Value = serde_json::from_str(CREDENTIALS).unwrap();
    let sources = credentials.as_object().unwrap().values();
    let pinned =
        sources.filter_map(|entry| entry["certificates"].as_object()).flat_map(|pinned| pinned.values());
    let pems = pinned.filter_map(|pem| pem.as_str());
    pems.map(|pem| {
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        STANDARD.decode(lines.collect::<String>()).unwrap().into()
    })
    .collect()
}

/// Starts a server that shows this certificate once, and returns its port.
fn serve(certificate: CertificateDer<'static>) -> u16 {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        while connection.complete_io(&mut socket).is_ok_and(|(read, written)| read + written > 0) {}
    });
    port
}

#[test]
fn days_are_counted_to_the_end_of_a_valid_and_of_an_expired_certificate() {
    // 2026-01-01T00:00:00Z: a year after the end of the expired one, 29 years before that of the other.
    let now = Timestamp(1_767_225_600_000);
    let mut days: Vec<_> = certificates()
        .into_iter()
        .map(|certificate| days_left("localhost", serve(certificate), now).unwrap())
        .collect();
    days.sort_unstable();
    days.dedup();
    assert_eq!(days, [-365, 10_592]);
}

#[test]
fn a_server_without_tls_is_an_error() {
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = std::io::Write::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    assert!(days_left("localhost", port, Timestamp(0)).is_err());
}
