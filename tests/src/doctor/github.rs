//! GitHub's broken deliveries.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::Request;
use serde_json::json;

use super::{
    Case, Curl, Event, Har, Made, Options, SECRET, Vectors, body_text, get, header, sent, truth, with_body,
    with_header, with_uri,
};

#[allow(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(cases: &mut Vec<Case>, vectors: &Vectors) -> Made<()> {
    const SIGNATURE: &str = "x-hub-signature-256";
    let case = |cause, about, form, request, entry| super::case("github", cause, about, form, request, entry);
    let entry = truth("github");
    let letter = sent("github", &entry, "push", None)?;
    let signed_as = |payload: &str| sent("github", &entry, "push", Some(payload));
    let payload =
        r#"{"ref":"refs/heads/main","n":1.0,"by":"<Zoë>","repository":{"full_name":"acme-dev/widget"}}"#;
    let compact = signed_as(payload)?;
    let secret = |secret: &str| json!({ "secret": secret });
    let form = "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22by%22%3A%22a+b%22%7D";
    let form_letter = signed_as(form)?;
    let decoded = r#"{"ref":"refs/heads/main","by":"a b"}"#;
    let value = header(&letter, SIGNATURE);
    let bytes = hex::decode(value.trim_start_matches("sha256=")).unwrap_or_default();

    cases.extend([
        case("opens", "nothing is wrong", Curl, letter.clone(), entry.clone()),
        case("secret_has_whitespace", "the secret ends with a line feed", Event, letter.clone(), secret(&format!("{SECRET}\n"))),
        case("secret_has_whitespace", "a zero-width space was copied along", Curl, letter.clone(), secret(&format!("\u{200b}{SECRET}"))),
        case("secret_has_whitespace", "the platform's secret is hunter2 with a line feed", Event, signed_with_text("github", "hunter2\n")?, secret("hunter2")),
        case("secret_has_quotes", "the secret stands in quotes", Event, letter.clone(), secret(&format!("\"{SECRET}\""))),
        case("secret_mismatch", "another secret", Har, letter.clone(), secret("quite-other-secret")),
        case("wrong_source", "another source has the secret", Event, letter.clone(), json!({})).under(json!({ "github": { "default": secret("quite-other-secret"), "acme": entry } })),
        case("unknown_source", "the URL names a source that is not there", Curl, with_uri(&letter, |uri| uri + "/nobody")?, entry.clone()),
        case("wrong_provider", "the delivery is DingTalk's", Event, with_uri(&sent("dingtalk", &truth("dingtalk"), "user_add_org", None)?, |uri| uri.replace("/dingtalk", "/github"))?, entry.clone()),
        case("wrong_provider", "the delivery is a payment service's, whose keys are there", Event, with_uri(&sent("payment", &truth("payment"), "payment_success", None)?, |uri| uri.replace("/payment", "/github"))?, json!({})).under(json!({ "github": { "default": entry }, "payment": { "default": truth("payment") } })),
        case("credentials_missing", "the credentials are another provider's", Event, letter.clone(), json!({})).under(json!({ "payment": { "default": truth("payment") } })),
        case("body_changed", "re-serialised with spaces", Options, with_body(&compact, r#"{"ref": "refs/heads/main", "n": 1.0, "by": "<Zoë>", "repository": {"full_name": "acme-dev/widget"}}"#), entry.clone()),
        case("body_changed", "re-serialised by Python: spaces, and escapes for what is not ASCII", Curl, with_body(&compact, r#"{"ref": "refs/heads/main", "n": 1.0, "by": "<Zo\u00eb>", "repository": {"full_name": "acme-dev/widget"}}"#), entry.clone()),
        case("body_changed", "re-serialised by Go with an indent: escapes for < and >", Event, with_body(&signed_as(&payload.replace('<', r"\u003c").replace('>', r"\u003e"))?, payload), entry.clone()),
        case("body_changed", "a byte order mark was put before the body", Event, with_body(&letter, [b"\xef\xbb\xbf", &letter.body()[..]].concat()), entry.clone()),
        case("body_changed", "an editor put a line feed behind the body", Options, with_body(&letter, [&letter.body()[..], b"\n"].concat()), entry.clone()),
        case("body_changed", "UTF-8 was read as Latin-1", Event, with_body(&compact, payload.replace('ë', "Ã«")), entry.clone()),
        case("body_is_decoded_form", "a proxy decoded the form", Event, with_body(&form_letter, decoded), entry.clone()),
        case("body_is_decoded_form", "a proxy decoded the form's value", Curl, with_body(&form_letter, format!("payload={decoded}")), entry.clone()),
        case("body_is_base64", "the gateway's base64 was not decoded", Event, with_body(&letter, STANDARD.encode(letter.body())), entry.clone()),
        case("body_empty", "a middleware read the body", Har, with_body(&letter, ""), entry.clone()),
        case("signature_wrong_algorithm", "the SHA-1 signature in the SHA-256 header", Event, sha1_in_place(&letter)?, entry.clone()),
        case("signature_encoding", "the signature is base64", Event, with_header(&letter, SIGNATURE, Some(&format!("sha256={}", STANDARD.encode(bytes))))?, entry.clone()),
        case("signature_prefix_missing", "the signature has no prefix", Curl, with_header(&letter, SIGNATURE, Some(value.trim_start_matches("sha256=")))?, entry.clone()),
        case("parameter_missing", "a proxy dropped X-GitHub-Event", Event, with_header(&letter, "x-github-event", None)?, entry.clone()),
        case("wrong_method", "a redirect made a GET of it", Event, get(&letter), entry.clone()),
        case("credentials_invalid", "a member that is unknown", Event, letter.clone(), json!({ "secrets": SECRET })),
        case("reply_refused", "the answer is a redirect", Event, letter.clone(), entry.clone()).answered("HTTP/2 301\nlocation: https://hooks.example.com/github/\n\n"),
    ]);
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

/// GitHub's delivery signed with a secret that no entry can hold.
fn signed_with_text(provider: &str, secret: &str) -> Made<Request> {
    let entry = json!({ "preset": "github-style", "secret": hex::encode(secret), "secret_encoding": "hex" });
    let payload = r#"{"ref":"refs/heads/main"}"#;
    let request = sent("payment", &entry, "push", Some(payload))?;
    let request = with_header(&request, "x-github-event", Some("push"))?;
    with_uri(&request, |uri| uri.replace("/payment", &format!("/{provider}")))
}

/// What a sender does that knows only SHA-1.
fn sha1_in_place(letter: &Request) -> Made<Request> {
    let entry = json!({
        "secret": SECRET, "header": "x-hub-signature-256", "prefix": "sha1=", "algorithm": "sha1",
    });
    let signed = sent("payment", &entry, "push", Some(&body_text(letter)))?;
    with_header(letter, "x-hub-signature-256", Some(&header(&signed, "x-hub-signature-256")))
}
