//! GitHub: sample events, broken deliveries, and what is special about it.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::{Request, Stage};
use serde_json::{Value, json};

use super::{Provider, dingtalk, payment};
use crate::{
    cases::{self, Large, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, body_text, get, header, sent, with_body,
        with_header, with_uri,
    },
};

pub(super) const PROVIDER: Provider = Provider {
    name: "github",
    statuses: &[202, 400, 401, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("no_signature", "missing_signature", Stage::Form),
        ("sha1_only", "missing_signature", Stage::Form),
        ("wrong_signature", "signature_mismatch", Stage::Key),
        ("missing_event", "malformed_field", Stage::Payload),
        ("not_json", "invalid_json", Stage::Payload),
        ("not_utf8", "invalid_utf8", Stage::Payload),
        ("form_with_two_payloads", "malformed_field", Stage::Payload),
        ("too_large", "too_large", Stage::Payload),
    ],
    cases,
    broken,
};

const SECRET: &str = "It's a Secret to Everybody";

/// The credentials entry that the broken deliveries are made with.
pub(super) fn entry() -> Value {
    json!({ "secret": SECRET })
}

fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("github");
    vec![
        case("push", 202, "default", Of("push"), cases::same),
        case("ping", 202, "default", Of("ping"), cases::same),
        case("form", 202, "default", Payload("push", b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22repository%22%3A%7B%22full_name%22%3A%22acme-dev%2Fwidget%22%7D%7D"), |request| {
            cases::header(request, "content-type", Some("application/x-www-form-urlencoded"));
        }),
        case("rotated", 202, "rotating", Of("push"), cases::same),
        case("missing_event", 400, "default", Of("push"), |request| cases::header(request, "x-github-event", None)),
        case("not_json", 400, "default", Payload("push", b"{"), cases::same),
        case("not_utf8", 400, "default", Payload("push", b"\xff\x00\xfe"), cases::same),
        case("form_with_two_payloads", 400, "default", Payload("push", b"payload=%7B%7D&payload=%7B%7D"), |request| {
            cases::header(request, "content-type", Some("application/x-www-form-urlencoded"));
        }),
        case("wrong_signature", 401, "default", Of("push"), |request| cases::body(request, b"{}")),
        case("no_signature", 401, "default", Of("push"), |request| cases::header(request, "x-hub-signature-256", None)),
        case("sha1_only", 401, "default", Of("push"), |request| {
            cases::header(request, "x-hub-signature-256", None);
            cases::header(request, "x-hub-signature", Some("sha1=6f659607805779cadb589ce2fad21710648491b8"));
        }),
        case("unknown_source", 404, "default", Of("push"), |request| cases::path(request, "/github/nobody")),
        case("get", 405, "default", Of("push"), cases::get),
        case("too_large", 413, "default", Large("push", 1024 * 1024), cases::same),
        case("queue_down", 503, "default", Of("push"), cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, vectors: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| doctor::case("github", cause, about, form, request, entry);
    let entry = entry();
    let request = sent("github", &entry, "push", None)?;
    let signed_as = |payload: &str| sent("github", &entry, "push", Some(payload));
    let payload =
        r#"{"ref":"refs/heads/main","n":1.0,"by":"<Zoë>","repository":{"full_name":"acme-dev/widget"}}"#;
    let compact = signed_as(payload)?;
    let secret = |secret: &str| json!({ "secret": secret });
    let form = "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22by%22%3A%22a+b%22%7D";
    let form_letter = signed_as(form)?;
    let decoded = r#"{"ref":"refs/heads/main","by":"a b"}"#;
    let value = header(&request, SIGNATURE);
    let bytes = hex::decode(value.trim_start_matches("sha256=")).unwrap_or_default();

    cases.extend([
        case("opens", "nothing is wrong", Curl, request.clone(), entry.clone()),
        case("secret_has_whitespace", "the secret ends with a line feed", Event, request.clone(), secret(&format!("{SECRET}\n"))),
        case("secret_has_whitespace", "a zero-width space was copied along", Curl, request.clone(), secret(&format!("\u{200b}{SECRET}"))),
        case("secret_has_whitespace", "the platform's secret is hunter2 with a line feed", Event, signed_with_text("github", "hunter2\n")?, secret("hunter2")),
        case("secret_has_quotes", "the secret stands in quotes", Event, request.clone(), secret(&format!("\"{SECRET}\""))),
        case("secret_mismatch", "another secret", Har, request.clone(), secret("quite-other-secret")),
        case("wrong_source", "another source has the secret", Event, request.clone(), json!({})).under(json!({ "github": { "default": secret("quite-other-secret"), "acme": entry } })),
        case("unknown_source", "the URL names a source that is not there", Curl, with_uri(&request, |uri| uri + "/nobody")?, entry.clone()),
        case("wrong_provider", "the delivery is DingTalk's", Event, with_uri(&sent("dingtalk", &dingtalk::entry(), "user_add_org", None)?, |uri| uri.replace("/dingtalk", "/github"))?, entry.clone()),
        case("wrong_provider", "the delivery is a payment service's, whose keys are there", Event, with_uri(&sent("payment", &payment::entry(), "payment_success", None)?, |uri| uri.replace("/payment", "/github"))?, json!({})).under(json!({ "github": { "default": entry }, "payment": { "default": payment::entry() } })),
        case("credentials_missing", "the credentials are another provider's", Event, request.clone(), json!({})).under(json!({ "payment": { "default": payment::entry() } })),
        case("body_changed", "re-serialised with spaces", Options, with_body(&compact, r#"{"ref": "refs/heads/main", "n": 1.0, "by": "<Zoë>", "repository": {"full_name": "acme-dev/widget"}}"#), entry.clone()),
        case("body_changed", "re-serialised by Python: spaces, and escapes for what is not ASCII", Curl, with_body(&compact, r#"{"ref": "refs/heads/main", "n": 1.0, "by": "<Zo\u00eb>", "repository": {"full_name": "acme-dev/widget"}}"#), entry.clone()),
        case("body_changed", "re-serialised by Go with an indent: escapes for < and >", Event, with_body(&signed_as(&payload.replace('<', r"\u003c").replace('>', r"\u003e"))?, payload), entry.clone()),
        case("body_changed", "a byte order mark was put before the body", Event, with_body(&request, [b"\xef\xbb\xbf", &request.body()[..]].concat()), entry.clone()),
        case("body_changed", "an editor put a line feed behind the body", Options, with_body(&request, [&request.body()[..], b"\n"].concat()), entry.clone()),
        case("body_changed", "UTF-8 was read as Latin-1", Event, with_body(&compact, payload.replace('ë', "Ã«")), entry.clone()),
        case("body_is_decoded_form", "a proxy decoded the form", Event, with_body(&form_letter, decoded), entry.clone()),
        case("body_is_decoded_form", "a proxy decoded the form's value", Curl, with_body(&form_letter, format!("payload={decoded}")), entry.clone()),
        case("body_is_base64", "the gateway's base64 was not decoded", Event, with_body(&request, STANDARD.encode(request.body())), entry.clone()),
        case("body_empty", "a middleware read the body", Har, with_body(&request, ""), entry.clone()),
        case("signature_wrong_algorithm", "the SHA-1 signature in the SHA-256 header", Event, sha1_in_place(&request)?, entry.clone()),
        case("signature_encoding", "the signature is base64", Event, with_header(&request, SIGNATURE, Some(&format!("sha256={}", STANDARD.encode(bytes))))?, entry.clone()),
        case("signature_prefix_missing", "the signature has no prefix", Curl, with_header(&request, SIGNATURE, Some(value.trim_start_matches("sha256=")))?, entry.clone()),
        case("parameter_missing", "a proxy dropped X-GitHub-Event", Event, with_header(&request, "x-github-event", None)?, entry.clone()),
        case("wrong_method", "a redirect made a GET of it", Event, get(&request), entry.clone()),
        case("credentials_invalid", "a member that is unknown", Event, request.clone(), json!({ "secrets": SECRET })),
        case("reply_refused", "the answer is a redirect", Event, request.clone(), entry.clone()).answered("HTTP/2 301\nlocation: https://hooks.example.com/github/\n\n"),
    ]);
    broken_by_copies(cases)?;
    broken_in_transit(cases)?;
    for (id, cause, about) in [
        (
            "official-docs",
            "payload_invalid",
            "the signature of GitHub's documents is right, and the body is no JSON",
        ),
        ("neg-body-changed", "body_changed", "a line feed was put behind the body"),
        ("neg-no-prefix", "signature_prefix_missing", "no prefix"),
        ("neg-sha1-in-256-header", "signature_wrong_algorithm", "the SHA-1 signature in the SHA-256 header"),
        ("neg-truncated", "signature_malformed", "the signature is cut"),
        ("neg-request-no-signature", "signature_missing", "the webhook has no secret"),
        ("neg-request-sha1-only-not-allowed", "signature_wrong_algorithm", "an old sender"),
        ("neg-request-256-wrong-sha1-right", "signature_malformed", "only the older signature is right"),
        ("neg-request-bad-json", "payload_invalid", "the payload is cut"),
    ] {
        let (request, entry) = vectors.signed(&format!("github/{id}"), "github")?;
        cases.push(case(cause, about, Event, request, entry));
    }
    Ok(())
}

const SIGNATURE: &str = "x-hub-signature-256";

/// `{"zen":"Tea.","hook_id":1}`, packed by Python.
const GZIP: &str = "H4sIAAAAAAACA6tWqkrNU7JSCklN1FPSUcrIz8+Oz0xRsjKsBQDhPWx+GgAAAA==";
const ZLIB: &str = "eJyrVqpKzVOyUgpJTdRT0lHKyM/Pjs9MUbIyrAUAa+0ICA==";

/// Secrets that are not quite the ones that GitHub has.
fn broken_by_copies(cases: &mut Vec<Case>) -> Made<()> {
    for (cause, about, has, stored, mentions) in [
        ("secret_has_extra_text", "zsh's `%` was copied along", "dK4-mine0w", "dK4-mine0w%", "zsh"),
        (
            "secret_has_extra_text",
            "fish's sign was copied along",
            "dK4-mine0w",
            "dK4-mine0w\u{23ce}\n",
            "fish",
        ),
        (
            "secret_has_extra_text",
            "a header's word was copied along",
            "dK4-mine0w",
            "Bearer dK4-mine0w",
            "bearer",
        ),
        (
            "secret_has_extra_text",
            "a line of a shell's profile",
            "dK4+mine0w==",
            "export HOOK_SECRET=\"dK4+mine0w==\"",
            "name and",
        ),
        ("secret_has_extra_text", "a line of YAML", "dK4-mine0w", "secret: 'dK4-mine0w'", "name and"),
        ("secret_has_extra_text", "it was pasted twice", "dK4-mine0w", "dK4-mine0wdK4-mine0w", "twice"),
        (
            "secret_has_extra_text",
            "a page's button was copied along",
            "dK4-mine0w",
            "dK4-mine0w\nCopy",
            "line",
        ),
        ("secret_altered", "entities of HTML", "q<9>&'Zt", "q&lt;9&gt;&amp;&#39;Zt", "html"),
        ("secret_altered", "entities of HTML, twice", "q&9-Zt", "q&amp;amp;9-Zt", "html"),
        ("secret_altered", "escapes of a URL", "q9/Z+t==", "q9%2FZ%2bt%3D%3d", "%2b"),
        ("secret_altered", "escapes of JSON", "q9&Zt=", "q9\\u0026Zt\\u003d", "\\u003d"),
        ("secret_altered", "a slash as PHP escapes it", "q9/Zt", "q9\\/Zt", "escapes"),
        ("secret_altered", "an escaped line break", "q9-Zt", "q9-Zt\\r\\n", "line feed"),
        ("secret_altered", "the source of a mail", "q9=Zt=", "q9=3DZt=3D", "mail"),
        ("secret_altered", "a word processor's dash", "q9-Zt", "q9\u{2013}Zt", "look"),
        ("secret_altered", "full-width characters", "q9+Zt", "q9\u{ff0b}Zt", "full-width"),
        ("secret_altered", "it was broken into groups", "q9Zt7788", "q9Zt 7788", "whitespace"),
        ("secret_has_quotes", "in quotes, with a line feed after them", "q9-Zt", "'q9-Zt'\n", "quotes"),
    ] {
        let request = sent("github", &json!({ "secret": has }), "ping", None)?;
        let found = doctor::case("github", cause, about, Event, request, json!({ "secret": stored }));
        cases.push(found.says(&[mentions], &["copy the secret from the platform's console again, or set"]));
    }
    let escaped = sent("github", &json!({ "secret": "q9%2BZt" }), "ping", None)?;
    cases.push(
        doctor::case(
            "github",
            "secret_altered",
            "the platform has the escaped copy",
            Event,
            escaped,
            json!({ "secret": "q9+Zt" }),
        )
        .says(&["it is the platform"], &[]),
    );
    let both = sent("github", &json!({ "secret": "q9+Zt" }), "ping", Some(r#"{"zen": "a", "hook_id": 1}"#))?;
    cases.push(
        doctor::case(
            "github",
            "secret_altered",
            "an escaped secret, and a body that was written anew",
            Event,
            with_body(&both, r#"{"zen":"a","hook_id":1}"#),
            json!({ "secret": "q9%2BZt" }),
        )
        .says(&["%2b", "(body_changed)", "with a space after each comma and colon"], &[]),
    );
    Ok(())
}

/// Bodies and headers that were changed in transit.
#[allow(clippy::too_many_lines, reason = "a table")]
fn broken_in_transit(cases: &mut Vec<Case>) -> Made<()> {
    let entry = entry();
    let signed = |payload: &str| sent("github", &entry, "push", Some(payload));
    let plain = r#"{"ref":"a<b>&'c' /é","n":[1,{"x":2}]}"#;
    for (about, payload, received, mentions) in [
        (
            "Go wrote it anew, indented",
            plain,
            "{\n  \"ref\": \"a\\u003cb\\u003e\\u0026'c' /é\",\n  \"n\": [\n    1,\n    {\n      \"x\": 2\n    }\n  ]\n}",
            "without whitespace, without escapes",
        ),
        (
            ".NET wrote it anew",
            plain,
            r#"{"ref":"a\u003Cb\u003E\u0026\u0027c\u0027 /\u00E9","n":[1,{"x":2}]}"#,
            "without escapes",
        ),
        (
            "PHP's escapes were undone",
            r#"{"ref":"a<b>&'c' \/\u00e9","n":[1,{"x":2}]}"#,
            plain,
            r"with `\/` for `/` and escapes",
        ),
        (
            "Gson's escapes were undone",
            r#"{"ref":"a\u003cb\u003e\u0026\u0027c\u0027 /é","n":[1,{"x":2}]}"#,
            plain,
            "`=` and `'` as escapes",
        ),
        (
            "its keys were sorted",
            r#"{"ref":"a","n":{"z":1,"b":[{"y":1,"a":2}]}}"#,
            r#"{"n":{"b":[{"a":2,"y":1}],"z":1},"ref":"a"}"#,
            "keys in another order",
        ),
        (
            "its keys were put into a hash map",
            r#"{"a":1,"b":{"c":2,"d":3},"ref":"a"}"#,
            r#"{"ref":"a","b":{"d":3,"c":2},"a":1}"#,
            "keys sorted",
        ),
        (
            "a byte order mark was added, and it was written anew",
            r#"{"ref": "a", "n": 1}"#,
            "\u{feff}{\"ref\":\"a\",\"n\":1}",
            "byte order mark",
        ),
        (
            "it was escaped as HTML",
            plain,
            "{&quot;ref&quot;:&quot;a&lt;b&gt;&amp;&#39;c&#39; /é&quot;,&quot;n&quot;:[1,{&quot;x&quot;:2}]}",
            "as HTML",
        ),
        (
            "the line feed at its end was lost, and it was written anew",
            "{\"ref\": \"a\", \"n\": 1}\n",
            r#"{"ref":"a","n":1}"#,
            "with a line break at its end",
        ),
    ] {
        let request = with_body(&signed(payload)?, received);
        let found = doctor::case("github", "body_changed", about, Event, request, entry.clone());
        cases.push(found.says(&[mentions], &["copy the secret"]));
    }
    let base64 = |text: &str| STANDARD.decode(text).map_err(|error| error.to_string());
    let tea = signed(r#"{"zen":"Tea.","hook_id":1}"#)?;
    for (about, packed, mentions) in
        [("gzip, and its header was lost", GZIP, "gzip"), ("zlib, and its header was lost", ZLIB, "deflate")]
    {
        let request = with_body(&tea, base64(packed)?);
        let found = doctor::case("github", "body_is_compressed", about, Event, request, entry.clone());
        cases.push(found.says(&[mentions, "Content-Encoding"], &["copy the secret"]));
    }
    let packed = with_body(&tea, GZIP);
    let found = doctor::case("github", "body_is_base64", "base64 of gzip", Event, packed, entry.clone());
    cases.push(found.says(&["(body_is_compressed)"], &[]));
    let marks = sent("github", &entry, "push", Some("\u{feff}\u{feff}{\"ref\":\"a\"}"))?;
    let found = doctor::case(
        "github",
        "payload_invalid",
        "two byte order marks, both signed",
        Event,
        marks,
        entry.clone(),
    );
    cases.push(found.says(&["2 byte order marks"], &[]));
    let list = sent("github", &entry, "push", Some("[]"))?;
    let found = doctor::case(
        "github",
        "payload_invalid",
        "a list, and another source has the secret, too",
        Event,
        list,
        json!({}),
    );
    cases.push(
        found
            .under(json!({ "github": { "default": entry, "acme": entry } }))
            .says(&["JSON array"], &["do not verify"]),
    );
    let unpacked =
        with_header(&with_body(&tea, r#"{"zen":"Tea","hook_id":1}"#), "content-encoding", Some("gzip"))?;
    let found = doctor::case(
        "github",
        "body_changed",
        "it says gzip, and was unpacked and changed",
        Event,
        unpacked,
        entry.clone(),
    );
    cases.push(found.says(&["Content-Encoding: gzip", "unpacked"], &[]));

    let value = header(&tea, SIGNATURE);
    for (cause, about, value, mentions, never) in [
        (
            "signature_malformed",
            "a gateway joined two headers",
            format!("sha256={},{value}", "0".repeat(64)),
            "joined by commas",
            "\"prefix\"",
        ),
        (
            "signature_malformed",
            "its `=` was escaped",
            value.replace('=', "%3D"),
            "percent escapes",
            "copy the secret",
        ),
        (
            "signature_malformed",
            "it was put into quotes",
            format!("\"{value}\""),
            "quotes",
            "copy the secret",
        ),
        ("signature_wrong_algorithm", "SHA-384", format!("sha384={}", "5a".repeat(48)), "SHA-384", "SHA-512"),
        (
            "signature_wrong_algorithm",
            "a JWT",
            "eyJhbGciOiJSUzI1NiJ9.e30.c2ln".to_owned(),
            "(RS256)",
            "SHA-512",
        ),
        ("signature_wrong_algorithm", "MD5, bare", format!("sha256={}", "5a".repeat(16)), "MD5", "SHA-512"),
    ] {
        let request = with_header(&tea, SIGNATURE, Some(&value))?;
        let found = doctor::case("github", cause, about, Event, request, entry.clone());
        cases.push(found.says(&[mentions], &[never]));
    }
    Ok(())
}

/// GitHub's delivery signed with a secret that no entry can have.
fn signed_with_text(provider: &str, secret: &str) -> Made<Request> {
    let entry = json!({ "preset": "github-style", "secret": hex::encode(secret), "secret_encoding": "hex" });
    let payload = r#"{"ref":"refs/heads/main"}"#;
    let request = sent("payment", &entry, "push", Some(payload))?;
    let request = with_header(&request, "x-github-event", Some("push"))?;
    with_uri(&request, |uri| uri.replace("/payment", &format!("/{provider}")))
}

/// The delivery of a sender that supports only SHA-1.
fn sha1_in_place(request: &Request) -> Made<Request> {
    let entry = json!({
        "secret": SECRET, "header": "x-hub-signature-256", "prefix": "sha1=", "algorithm": "sha1",
    });
    let signed = sent("payment", &entry, "push", Some(&body_text(request)))?;
    with_header(request, "x-hub-signature-256", Some(&header(&signed, "x-hub-signature-256")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixed, receiver::Receiver};

    #[test]
    fn github_accepts_sha1_only_if_allowed_and_alone() {
        let good = "sha1=d71135166c50a41e928e75110a07ed7039bfef61";
        let bad = "sha1=0000000000000000000000000000000000000000";
        for (allow_sha1, sha1, sha256, expected) in [
            (true, good, None, None),
            (true, bad, None, Some((401, "signature_mismatch"))),
            (false, good, None, Some((401, "missing_signature"))),
            (true, good, Some("sha256=00"), Some((401, "signature_mismatch"))),
            (true, good, Some(""), Some((401, "missing_signature"))),
        ] {
            let receiver = Receiver::new("github", &json!({ "secret": "s", "allow_sha1": allow_sha1 }));
            let mut request = receiver.build_request(None, "ping", br#"{"zen":"x"}"#, &fixed());
            request.headers_mut().remove("x-hub-signature-256");
            request.headers_mut().insert("x-hub-signature", sha1.parse().unwrap());
            if let Some(value) = sha256 {
                request.headers_mut().insert("x-hub-signature-256", value.parse().unwrap());
            }
            match expected {
                Some(refusal) => {
                    assert_eq!(receiver.refusal(&request), refusal, "{allow_sha1} {sha1} {sha256:?}");
                }
                None => assert_eq!(receiver.handle(&request).1.len(), 1),
            }
        }
    }

    #[test]
    fn github_headers_go_into_the_message() {
        let receiver = Receiver::new("github", &json!({ "secret": "s" }));
        let payload = br#"{"action":"opened","issue":{},"repository":{"full_name":"acme-dev/widget"}}"#;
        let event = receiver.event("issues", payload);
        for (member, expected) in [
            ("type", "github.issues"),
            ("subject", "acme-dev/widget"),
            ("action", "opened"),
            ("hookid", "327865514"),
            ("targettype", "repository"),
            ("targetid", "357383239"),
        ] {
            assert_eq!(event[member], expected, "{member}");
        }
        assert_eq!(event["deliveryid"].as_str().unwrap().len(), 36);
        let event = receiver.event("organization", br#"{"organization":{"login":"acme-dev"}}"#);
        assert_eq!(event["subject"], "acme-dev");
    }

    #[test]
    fn github_detects_forms_by_the_signed_bytes() {
        let receiver = Receiver::new("github", &json!({ "secret": "s" }));
        let title = "x&payload=%7B%22action%22%3A%22deleted%22%2C%22repository%22%3A%7B%22full_name%22%3A%22victim%2Frepo%22%7D%7D&y";
        let payload = json!({ "action": "opened", "issue": { "title": title } }).to_string();
        let mut request = receiver.build_request(None, "issues", payload.as_bytes(), &fixed());
        request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        let (_, messages) = receiver.handle(&request);
        let event: Value = serde_json::from_str(&messages[0].body).unwrap();
        assert_eq!((&event["action"], &event["subject"]), (&json!("opened"), &Value::Null));
    }
}
