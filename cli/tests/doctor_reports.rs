//! `letterbox doctor` over the deliveries of `tests/reports.json`, which people reported about other receivers.

use std::{fs, path::Path, process::Output};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::program::{letterbox_with, text};

fn cases() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reports.json");
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let of_doctor =
        |case: &Value| case["expect"].as_object().unwrap().keys().any(|name| name.starts_with("doctor"));
    cases.into_iter().filter(of_doctor).collect()
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// Runs `doctor --json` on the request of a case.
fn run(case: &Value) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let (provider, request) = (word(case, "provider"), &case["request"]);
    let path = word(request, "path");
    let source = path.split('/').nth(2).unwrap_or("default");
    let mut sources: Map<_, _> = case["others"].as_object().cloned().unwrap_or_default();
    sources.insert(source.to_owned(), case["entry"].clone());
    let body = match request["body_b64"].as_str() {
        Some(body) => STANDARD.decode(body).unwrap(),
        None => word(request, "body").as_bytes().to_vec(),
    };
    fs::write(folder.path().join("credentials"), json!({ provider: sources }).to_string()).unwrap();
    fs::write(folder.path().join("body"), body).unwrap();
    let headers = request["headers"].as_object().unwrap();
    let host = headers.get("Host").and_then(Value::as_str).unwrap_or("hooks.example.com");
    let query = Some(word(request, "query")).filter(|query| !query.is_empty());
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut args = ["doctor", "--json", "--credentials", "credentials", "--now"].map(str::to_owned).to_vec();
    args.push(case["now"].to_string());
    let command = word(case, "curl");
    if command.is_empty() {
        args.extend(["--url".to_owned(), format!("https://{host}{path}{query}")]);
        args.extend(["--method".to_owned(), word(request, "method").to_owned()]);
        args.extend(["--body", "body"].map(str::to_owned));
        for (name, value) in headers {
            args.extend(["--header".to_owned(), format!("{name}: {}", value.as_str().unwrap())]);
        }
    } else {
        args.extend(["--curl", "-"].map(str::to_owned));
    }
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    letterbox_with(folder.path(), &args, command.as_bytes())
}

/// One text, or several of which one is enough.
fn any_of(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

fn list<'v>(expect: &'v Value, name: &str) -> &'v [Value] {
    expect[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What is wrong with the output for a case; empty if nothing is.
fn faults(case: &Value, output: &Output) -> Vec<String> {
    let expect = &case["expect"];
    let error = text(&output.stderr).to_lowercase();
    if output.status.code() == Some(2) {
        let groups = list(expect, "or_error_mentions");
        let says = |group: &Value| any_of(group).iter().any(|word| error.contains(&word.to_lowercase()));
        let is_right = !groups.is_empty() && groups.iter().all(says);
        return if is_right { Vec::new() } else { vec![format!("usage error: {error}")] };
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let words = format!("{} {}", word(&report, "explanation"), word(&report, "remedy"));
    let says = |word: &str| words.to_lowercase().contains(&word.to_lowercase());
    let (opens, named) = (report["opens"] == true, word(&report, "cause"));
    let mut faults = Vec::new();
    let must_open = expect["doctor_opens"] == true;
    if must_open || opens {
        if must_open != opens && expect["doctor_may_open"] != true {
            faults.push(format!("opens: {opens}"));
        }
        if opens {
            return faults;
        }
    }
    if expect["doctor_cause"] != Value::Null && !any_of(&expect["doctor_cause"]).contains(&named) {
        faults.push(format!("the cause {named}"));
    }
    faults.extend(
        any_of(&expect["doctor_cause_not"])
            .iter()
            .filter(|not| **not == named)
            .map(|not| format!("the cause {not}")),
    );
    let missing = list(expect, "doctor_must_mention")
        .iter()
        .filter(|group| !any_of(group).iter().any(|word| says(word)));
    faults.extend(missing.map(|group| format!("does not mention {group}")));
    faults.extend(
        list(expect, "doctor_must_not_say")
            .iter()
            .filter(|said| says(said.as_str().unwrap()))
            .map(|said| format!("says {said}")),
    );
    faults
}

/// The secrets of a case: those that are stored, and the one of which they are a bad copy.
fn secrets(case: &Value) -> Vec<String> {
    let entries = case["others"].as_object().into_iter().flat_map(Map::values).chain([&case["entry"]]);
    let fields = ["secret", "token", "aes_key"];
    let stored = entries.flat_map(|entry| fields.map(|field| word(entry, field).to_owned()));
    let key = &case["sign"]["key"];
    stored
        .chain([word(key, "text").to_owned(), word(key, "base64").to_owned()])
        .filter(|secret| !secret.is_empty())
        .collect()
}

#[test]
fn doctor_is_right_about_what_people_reported() {
    let cases = cases();
    assert!(cases.len() >= 17, "{}", cases.len());
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            let output = run(case);
            let mut faults = faults(case, &output);
            let printed = text(&output.stdout) + &text(&output.stderr);
            faults.extend(
                secrets(case)
                    .iter()
                    .filter(|secret| printed.contains(*secret))
                    .map(|_| "prints a secret".to_owned()),
            );
            (!faults.is_empty()).then(|| format!("{}: {faults:?}\n  {printed}", word(case, "id")))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
