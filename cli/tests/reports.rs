//! The cases of `tests/reports.json` about `letterbox serve`: what people reported about other local servers.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::program::{Server, events};

fn cases() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reports.json");
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    cases.into_iter().filter(|case| case["kind"] == "serve").collect()
}

fn post(url: &str, request: &Value) -> u16 {
    let mut post = ureq::post(url);
    for (name, value) in request["headers"].as_object().unwrap() {
        post = post.header(name, value.as_str().unwrap());
    }
    let sent = post.send(request["body"].as_str().unwrap());
    match sent {
        Ok(response) => response.status().as_u16(),
        Err(ureq::Error::StatusCode(status)) => status,
        Err(error) => panic!("{url}: {error}"),
    }
}

#[test]
fn the_local_server_takes_what_the_function_takes() {
    let cases = cases();
    assert!(!cases.is_empty());
    for case in cases {
        let (id, request) = (&case["id"], &case["request"]);
        let folder = tempfile::tempdir().unwrap();
        let path = request["path"].as_str().unwrap();
        let source = path.trim_end_matches('/').rsplit('/').next().unwrap();
        let provider = case["provider"].as_str().unwrap();
        let credentials = json!({ provider: { source: case["entry"], "default": case["entry"] } });
        fs::write(folder.path().join("mine.json"), credentials.to_string()).unwrap();
        let server = Server::start(folder.path(), &["--credentials", "mine.json"]);
        // With the slash and without it, and the same for the source `default`.
        let paths = [path, path.trim_end_matches('/'), &format!("/{provider}/"), &format!("/{provider}")];
        for path in paths {
            let status = post(&format!("{}{path}", server.url), request);
            assert_eq!(case["expect"]["status"], status, "{id}: {path}");
        }
        server.end();
        let events = events(folder.path());
        let sources: Vec<_> = events.iter().map(|event| event["source"].as_str().unwrap()).collect();
        let (own, default) = (format!("/{provider}/{source}"), format!("/{provider}/default"));
        assert_eq!(sources, [&*own, &*own, &*default, &*default], "{id}");
        assert!(events.iter().all(|event| event["type"] == case["expect"]["type"]), "{id}");
    }
}

#[test]
fn a_browser_learns_what_lives_here() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for path in ["/github", "/github/", "/github/nobody", "/signed/svix/"] {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let request = http::Request::builder().method(method).uri(format!("{}{path}", server.url));
            let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
            let mut response = agent.run(request.body(()).unwrap()).unwrap();
            assert_eq!(response.status(), 405, "{method} {path}");
            assert_eq!(response.headers()["allow"], "POST", "{method} {path}");
            let body = response.body_mut().read_to_string().unwrap();
            if method == "HEAD" {
                assert_eq!(body, "", "{path}");
            } else {
                assert!(body.contains("webhooks") && body.contains("POST"), "{method} {path}: {body}");
            }
        }
    }
    // A source with handshakes says which methods it takes.
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut put = agent.put(format!("{}/signed/handshake", server.url)).send("").unwrap();
    assert_eq!((put.status().as_u16(), &put.headers()["allow"]), (405, &"POST, GET".parse().unwrap()));
    put.body_mut().read_to_string().unwrap();
    let query = "hub.mode=subscribe&hub.verify_token=letterbox-demo-token&hub.challenge=11582";
    for path in ["/signed/handshake", "/signed/handshake/"] {
        let mut response = agent.get(format!("{}{path}?{query}", server.url)).call().unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(response.body_mut().read_to_string().unwrap(), "11582");
    }
}
