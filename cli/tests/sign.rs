//! `letterbox sign`: other tools can send its output.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::Arc,
};

use letterbox_codec::platform::Sample;
use letterbox_intake::{gateway, queue::memory::Memory};
use letterbox_registry::{HandlerParts, PROVIDERS};
use serde_json::{Value, value::RawValue};

use crate::program::{Server, events, letterbox, letterbox_with, printed, run, text};

const SAMPLES: [(&str, &str); 5] = [
    ("dingtalk", "user_add_org"),
    ("dingtalk", "check_url"),
    ("opencard", "scenic_spot"),
    ("github", "push"),
    ("payment", "payment_success"),
];

fn sign(folder: &Path, args: &[&str]) -> Vec<u8> {
    let output = letterbox(folder, &[&["sign"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    output.stdout
}

#[test]
fn curl_sends_the_printed_command() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for (provider, sample) in SAMPLES {
        let command = sign(folder.path(), &[provider, sample, "--to", &server.url]);
        printed(&run(&mut Command::new("sh"), &command));
    }
    assert_eq!(events(folder.path()).len(), SAMPLES.len() - 1, "a handshake is no event");
    let large = format!(r#"{{"event_type":"paid","filler":"{}"}}"#, "x".repeat(200 * 1024));
    for payload in [
        r#"{"event_type":"paid","odd":"it's $HOME `id` \\ \"中\" @%\n"}"#,
        " {\n\t\"event_type\": \"paid\"\n}\n",
        "{\r\n\"event_type\": \"paid\"}\r\n",
        &large,
    ] {
        fs::write(folder.path().join("own.json"), payload).unwrap();
        let command = sign(folder.path(), &["payment", "--data", "own.json", "--to", &server.url]);
        printed(&run(&mut Command::new("sh"), &command));
        let events = events(folder.path());
        let data = &events.last().unwrap()["data"];
        assert_eq!(*data, serde_json::from_str::<Value>(payload).unwrap());
    }
    let refused =
        sign(folder.path(), &["dingtalk", "user_add_org", "--to", &format!("{}/github", server.url)]);
    assert!(text(&refused).contains("/github/dingtalk?"));
    assert!(
        !run(&mut Command::new("sh"), &refused).status.success(),
        "curl fails if the response is a refusal"
    );
}

#[test]
fn raw_output_is_a_valid_http_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for (provider, sample) in SAMPLES {
        let raw = sign(folder.path(), &[provider, sample, "--to", &server.url, "--as", "raw"]);
        let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
        stream.write_all(&raw).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{provider}: {answer}");
    }
}

#[test]
fn a_printed_event_invokes_the_function() {
    let folder = tempfile::tempdir().unwrap();
    let square = r#"{"payment":{"shop":{"preset":"square","secret":"s","type":"event_type"}}}"#;
    fs::write(folder.path().join("square.json"), square).unwrap();
    let square = ["payment", "payment_success", "--source", "shop", "--credentials", "square.json"];
    // The stage is part of the URL that Square's signature covers.
    let square = [&square[..], &["--to", "https://abc.execute-api.us-east-1.amazonaws.com/prod"]].concat();
    let samples = SAMPLES.map(|(provider, sample)| vec![provider, sample]);
    for args in samples.into_iter().chain([square]) {
        let event = sign(folder.path(), &[&args[..], &["--as", "event"]].concat());
        let provider = letterbox_registry::find(args[0]).unwrap();
        let credentials = if args.contains(&"shop") {
            r#"{"shop":{"preset":"square","secret":"s","type":"event_type"}}"#
        } else {
            provider.facts().demo
        };
        let event: Box<RawValue> = serde_json::from_slice(&event).unwrap();
        let (source, request) = gateway::request(provider.name(), gateway::read(&event).unwrap()).unwrap();
        let queue = Arc::new(Memory::default());
        let handler = provider
            .handler(HandlerParts { credentials, document: None, queue, ambient: None, fetches: false })
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(handler.handle(&source, &request));
        assert!(answer.record.status < 300, "{args:?}: {:?}", answer.record);
        let event: Value = serde_json::from_str(event.get()).unwrap();
        let route = if args.contains(&"shop") { "/{source}" } else { "" };
        assert_eq!(event["routeKey"], format!("POST /{}{route}", provider.name()));
        assert_eq!(event["requestContext"]["time"].as_str().unwrap().len(), 26);
    }
}

#[test]
fn every_sample_of_every_provider_opens_again() {
    let ambient = letterbox_intake::ambient::system().unwrap();
    for provider in PROVIDERS {
        let keys = provider.keys(provider.facts().demo).unwrap();
        for sample in provider.samples() {
            for source in keys.sources() {
                let place = format!("{} {source} {}", provider.name(), sample.name);
                let preset = sample.name.split_once('/').map_or("default", |(preset, _)| preset);
                if provider.name() == "signed" && source != preset {
                    continue;
                }
                // Their certificates are refused: an expired one, and one that only the function fetches.
                let is_sns = provider.name() == "sns";
                if is_sns && ["expired", "unpinned"].contains(&source) {
                    continue;
                }
                let entry = keys.first(source).unwrap();
                let request = match entry.build_request(&sample, "https://h/x?own=1", &ambient) {
                    Ok(request) => request,
                    Err(error) => {
                        assert!(has_private_key(source) && error.contains("private key"), "{place}: {error}");
                        continue;
                    }
                };
                let payload = entry.open(&request, ambient.now).unwrap().content;
                // A payload may contain a time or a token, which the platform sets; SNS adds the signature.
                assert_eq!(shape(&payload) != shape(&sample.payload), is_sns, "{place}");
                let again = Sample { payload: payload.clone(), ..sample.clone() };
                let again = entry.build_request(&again, "https://h/x?own=1", &ambient).unwrap();
                assert_eq!(entry.open(&again, ambient.now).unwrap().content, payload, "{place}");
                let sealed = entry.seal(&payload, &ambient);
                assert_eq!(sealed.is_some(), provider.facts().seals.is_some(), "{place}");
                match sealed {
                    None => {}
                    Some(Ok(sealed)) => {
                        let sealed = http::Request::new(sealed.into_bytes().into());
                        assert_eq!(entry.open(&sealed, ambient.now).unwrap().content, payload, "{place}");
                    }
                    // Only where the platform does not encrypt either.
                    Some(Err(error)) => assert_eq!(request.body(), &payload, "{place}: {error}"),
                }
            }
        }
    }
}

/// The payload with every string and number in its JSON left empty; a payload that is no JSON as it is.
fn shape(payload: &[u8]) -> Vec<u8> {
    fn empty(value: &mut Value) {
        match value {
            Value::Object(members) => members.values_mut().for_each(empty),
            Value::Array(list) => list.iter_mut().for_each(empty),
            other => *other = Value::Null,
        }
    }
    let Ok(mut value) = serde_json::from_slice(payload) else { return payload.to_vec() };
    empty(&mut value);
    serde_json::to_vec(&value).unwrap()
}

/// True if only the sender of this preset can sign.
fn has_private_key(preset: &str) -> bool {
    let sender = letterbox_signed::sender::SENDERS.iter().find(|sender| sender.name == preset);
    sender.is_some_and(|sender| sender.proof.key_field == "public_key")
}

#[test]
fn every_preset_signs_what_it_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let samples = letterbox_registry::find("signed").unwrap().samples();
    for sender in letterbox_signed::sender::SENDERS {
        let preset = sender.name;
        if has_private_key(preset) {
            continue;
        }
        let sample = samples.iter().find(|sample| sample.name.starts_with(&format!("{preset}/")));
        let sample = sample.unwrap_or_else(|| panic!("add a sample in functions/signed/samples/{preset}/"));
        let entry = serde_json::json!({ "preset": preset, "secret": sender.proof.key });
        let credentials = serde_json::json!({ "signed": { "default": entry } });
        fs::write(folder.path().join("preset.json"), credentials.to_string()).unwrap();
        let key = ["--credentials", "preset.json"];
        let raw = sign(folder.path(), &[&["signed", &sample.name, "--as", "raw"], &key[..]].concat());
        let opened = letterbox_with(folder.path(), &[&["open", "signed"], &key[..]].concat(), &raw);
        assert!(text(&opened.stderr).starts_with("signature valid"), "{preset}: {}", text(&opened.stderr));
        // The sample without its end, which is a number where Linear's timestamp is.
        let start = sample.payload.get(..20).unwrap();
        assert!(printed(&opened).as_bytes().starts_with(start), "{preset}");
    }
}
