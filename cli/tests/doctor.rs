//! `letterbox doctor` over the broken deliveries in `tests/doctor/`: the cause of each is in its file's name.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Output,
    sync::{LazyLock, OnceLock},
};

use letterbox::doctor::causes;
use serde_json::Value;

use crate::program::{first_samples, letterbox, letterbox_with, text};

/// Fields of credentials that contain secrets; an owner key is an identifier.
const SECRETS: [&str; 7] =
    ["secret", "token", "aes_key", "keys", "public_key", "verification_token", "encrypt_key"];

/// Providers whose credentials have none.
const WITHOUT_SECRETS: [&str; 1] = ["sns"];

/// A delivery in `tests/doctor/`.
struct Case {
    name: String,
    provider: String,
    /// `None` if the delivery is accepted.
    cause: Option<String>,
    json: Value,
    /// What `doctor` printed: as text, and with `--json`. It is run once for all tests.
    printed: [OnceLock<Output>; 2],
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(cases);

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/doctor");
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let case = |file: PathBuf| {
        let part = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let (provider, name) = (part(file.parent().unwrap()), part(&file));
        let cause = name.split('.').next().unwrap().to_owned();
        Case {
            name: format!("{provider}/{name}"),
            provider,
            cause: (cause != "opens").then_some(cause),
            json: serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap(),
            printed: Default::default(),
        }
    };
    files.map(case).collect()
}

impl Case {
    /// The command line, and the files that it names.
    fn args(&self, folder: &Path) -> Vec<String> {
        let file = |name: &str, content: String| {
            let file = folder.join(name);
            fs::write(&file, content).unwrap();
            file.to_str().unwrap().to_owned()
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut args =
            vec!["--credentials".into(), file("credentials.json", self.json["credentials"].to_string())];
        for name in ["event", "har"] {
            if let Some(content) = self.json.get(name) {
                args.extend([format!("--{name}"), file(name, content.to_string())]);
            }
        }
        if let Some(command) = self.json.get("curl") {
            args.extend(["--curl".into(), file("curl", text(command))]);
        }
        if let Some(options) = self.json.get("options") {
            args.extend(["--method".into(), text(&options["method"]), "--url".into(), text(&options["url"])]);
            for header in options["headers"].as_array().unwrap() {
                args.extend(["--header".into(), text(header)]);
            }
            args.extend(["--body".into(), file("body", text(&options["body"]))]);
        }
        for (name, option) in [("now", "--now"), ("reply", "--reply")] {
            if let Some(value) = self.json.get(name) {
                let value = if name == "reply" { file(name, text(value)) } else { text(value) };
                args.extend([option.to_owned(), value]);
            }
        }
        args
    }

    fn printed(&self, as_json: bool) -> &Output {
        self.printed[usize::from(as_json)].get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let args = self.args(folder.path());
            let args = ["doctor"].into_iter().chain(args.iter().map(String::as_str));
            letterbox(folder.path(), &args.chain(as_json.then_some("--json")).collect::<Vec<_>>())
        })
    }
}

#[test]
fn doctor_names_the_cause_of_each_delivery() {
    assert!(CASES.len() >= 100, "{}", CASES.len());
    let wrong: Vec<_> = CASES
        .iter()
        .filter_map(|case| {
            let output = case.printed(true);
            let report: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{}: {}", case.name, text(&output.stderr)));
            let members: BTreeSet<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(members, ["cause", "explanation", "opens", "provider", "remedy", "source"].into());
            assert_eq!(report["provider"], *case.provider, "{}", case.name);
            assert_eq!(report["opens"], report["cause"].is_null(), "{}: {report}", case.name);
            assert_eq!(output.status.code(), Some(i32::from(report["opens"] == false)), "{}", case.name);
            let words = format!("{} {}", report["explanation"], report["remedy"]).to_lowercase();
            let listed = |name: &str| -> Vec<String> {
                let list = case.json[name].as_array().into_iter().flatten();
                list.map(|word| Value::from(word.as_str().unwrap().to_lowercase()).to_string()).collect()
            };
            // As the words of a JSON string.
            let says = |word: &String| words.contains(word.trim_matches('"'));
            let is_right = report["cause"].as_str() == case.cause.as_deref()
                && listed("mentions").iter().all(says)
                && !listed("never").iter().any(says);
            (!is_right).then(|| format!("{}: {report}", case.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_text_output_has_cause_and_remedy() {
    for case in CASES.iter() {
        let output = case.printed(false);
        let report = text(&output.stdout);
        assert_eq!(output.status.code(), Some(i32::from(case.cause.is_some())), "{}: {report}", case.name);
        match &case.cause {
            Some(cause) => {
                assert!(report.contains(&format!("is refused: {cause}\n")), "{}: {report}", case.name);
                assert!(report.contains("\nWhat to do: "), "{}: {report}", case.name);
            }
            None => assert!(report.contains("It is accepted"), "{}: {report}", case.name),
        }
    }
}

/// All secrets in a credentials file, and their corrected forms.
fn secrets(value: &Value, is_secret: bool, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if is_secret => {
            let bare = text.trim().trim_matches(['"', '\'', '\u{200b}', '=']);
            found.extend([text.clone(), bare.to_owned()]);
        }
        Value::Array(list) => list.iter().for_each(|value| secrets(value, is_secret, found)),
        Value::Object(members) => {
            for (name, value) in members {
                // If kid and key are swapped, the secret is a field name.
                if is_secret {
                    found.insert(name.clone());
                }
                secrets(value, is_secret || SECRETS.iter().any(|start| name.starts_with(start)), found);
            }
        }
        _ => {}
    }
}

/// True if a word could be a signature, a digest or a key.
fn looks_secret(word: &str) -> bool {
    let is_owner = ["ding", "suite"].iter().any(|start| word.starts_with(start));
    !is_owner && word.len() >= 20 && word.bytes().any(|byte| byte.is_ascii_digit())
}

#[test]
fn no_secret_and_no_signature_is_printed() {
    for case in CASES.iter() {
        let mut found = BTreeSet::new();
        secrets(&case.json["credentials"], false, &mut found);
        // A kid is short and not secret.
        found.retain(|secret| secret.len() > 3);
        let has_none = WITHOUT_SECRETS.contains(&case.provider.as_str());
        assert_eq!(found.is_empty(), has_none, "{}", case.name);
        for as_json in [false, true] {
            let output = case.printed(as_json);
            let report = text(&output.stdout) + &text(&output.stderr);
            for secret in &found {
                assert!(!report.contains(secret.as_str()), "{}: a secret in {report}", case.name);
            }
            let words = report
                .split(|character: char| !character.is_ascii_alphanumeric() && !"+/_=".contains(character));
            let shown: Vec<_> = words.filter(|word| looks_secret(word)).collect();
            assert!(shown.is_empty(), "{}: {shown:?} in {report}", case.name);
        }
    }
}

#[test]
fn every_cause_has_a_delivery_and_keeps_its_code_words_in_chinese() {
    let named: BTreeSet<_> = CASES.iter().filter_map(|case| case.cause.as_deref()).collect();
    for cause in causes::ALL {
        let code = cause.code;
        // A translation has the same code words.
        for (english, chinese) in [(cause.explanation, cause.explanation_zh), (cause.remedy, cause.remedy_zh)]
        {
            let code_words = |text: &'static str| text.split('`').skip(1).step_by(2).collect::<BTreeSet<_>>();
            assert_eq!(code_words(english), code_words(chinese), "{code}");
        }
        // An event above 1 MiB is not a readable file; `events/` has two.
        assert!(named.contains(cause.code) || cause.code == "too_large", "{}: no delivery", cause.code);
    }
}

#[test]
fn bad_usage_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    file("event.json", r#"{"rawPath":"/github","requestContext":{"http":{"method":"POST"}}}"#);
    file("nowhere.json", r#"{"rawPath":"/","requestContext":{"http":{"method":"POST"}}}"#);
    file(
        "base64.json",
        r#"{"rawPath":"/github","requestContext":{"http":{"method":"POST"}},"body":"%","isBase64Encoded":true}"#,
    );
    file("broken.json", r#"{"secret": "hunter2""#);
    file("rest.json", r#"{"httpMethod":"POST","path":"/github"}"#);
    file("unknown.json", r#"{"gitlab": {}}"#);
    file(
        "two.har",
        r#"{"log":{"entries":[{"request":{"method":"GET","url":"https://h/"}},{"request":{"method":"GET","url":"https://h/"}}]}}"#,
    );
    file("wget.txt", "wget https://h/github");
    let good = ["--url", "https://h/github"];
    for (args, expected) in [
        (&[][..], "--event <FILE|->|--curl <FILE|->|--har <FILE|->|--url <URL>"),
        (&["--event", "event.json", "--har", "two.har"], "cannot be used with"),
        (&["--event", "absent.json"], "absent.json"),
        (&["--event", "broken.json"], "broken.json: line 1, column 20: expected JSON"),
        (&["--event", "rest.json"], "payload format 2.0"),
        (&["--event", "nowhere.json"], "name one with --provider"),
        (&["--event", "base64.json"], "isBase64Encoded"),
        (&["--har", "broken.json"], "expected a HAR"),
        (&["--har", "two.har"], "it has 2 entries: select one with --entry"),
        (&["--curl", "wget.txt"], "wget.txt: expected a command that starts with `curl`"),
        (&["--url", "h/github"], "expected an absolute one"),
        (&[good[0], good[1], "--header", "x"], "--header: expected `NAME: VALUE`"),
        (&[good[0], good[1], "--header", "a b: c"], "expected a header's name"),
        (&[good[0], good[1], "--method", "A B"], "the method: expected one such as POST"),
        (&[good[0], good[1], "--body", "absent"], "absent"),
        (&[good[0], good[1], "--now", "soon"], "expected RFC 3339"),
        (&[good[0], good[1], "--entry", "1"], "--entry goes with --har"),
        (&[good[0], good[1], "--provider", "gitlab"], "--provider: no provider \"gitlab\""),
        (&[good[0], good[1], "--credentials", "absent.json"], "absent.json"),
        (&[good[0], good[1], "--credentials", "broken.json"], "broken.json: line 1"),
        (&[good[0], good[1], "--credentials", "unknown.json"], "no provider \"gitlab\""),
        (&[good[0], good[1], "--reply", "absent.txt"], "absent.txt"),
        (&["--event", "event.json", "--body", "x"], "--body goes with --url"),
    ] {
        let output = letterbox(folder.path(), &[&["doctor"], args].concat());
        let report = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {report}{}", text(&output.stdout));
        assert!(report.contains(expected), "{args:?}: {report}");
        assert!(!report.contains("hunter2"), "{args:?}: {report}");
    }
}

#[test]
fn a_command_is_read_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let command = "curl https://h/payment -H 'content-type: application/json' -d '{}'";
    let args = ["doctor", "--curl", "-", "--json"];
    let output = letterbox_with(folder.path(), &args, command.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains(r#""cause":"signature_missing""#));
}

#[test]
fn the_output_of_sign_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    for (form, option) in [("curl", "--curl"), ("event", "--event")] {
        for (provider, sample) in first_samples() {
            let signed = letterbox(folder.path(), &["sign", provider, sample, "--as", form]);
            let output = letterbox_with(folder.path(), &["doctor", option, "-"], &signed.stdout);
            let report = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{provider} as {form}: {report}");
        }
    }
}
