//! OpenCard's broken deliveries.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::{
    Case, Curl, Event, Har, Made, OTHER_PSK, Options, PSK, Vectors, body_text, get, post, sent, truth,
    with_body,
};

#[allow(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(cases: &mut Vec<Case>, vectors: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| super::case("opencard", cause, about, form, request, entry);
    let entry = truth("opencard");
    let letter = sent("opencard", &entry, "scenic_spot", None)?;
    let keys = |keys: Value| json!({ "keys": keys });
    let exchange = vectors.input("opencard/gen-exchange")?;
    let member = |name: &str| exchange[name].as_str().unwrap_or_default().to_owned();
    let asked = post("opencard", "", member("request"))?;
    let table = json!({ "keys": exchange["psk_table"] });
    let answer = member("response");
    let without_rid = answer.split_once('.').map(|(_, rest)| {
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0"}"#))
    });

    cases.extend([
        case("opens", "a query and its answer, made by jwcrypto", Event, asked.clone(), table.clone())
            .answered(answer.clone()),
        case(
            "reply_header_not_echoed",
            "the answer's header has no rid",
            Event,
            asked.clone(),
            table.clone(),
        )
        .answered(without_rid.unwrap_or_default()),
        case("reply_refused", "the answer is cut", Curl, asked.clone(), table.clone())
            .answered(&answer[..answer.len() - 8]),
        case("reply_refused", "the answer has another status", Curl, asked, table).answered(format!(
            "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/jwt\r\n\r\n{answer}"
        )),
        case(
            "secret_has_whitespace",
            "the key ends with a line feed",
            Event,
            letter.clone(),
            keys(json!({ "0": format!("{PSK}\n") })),
        ),
        case(
            "secret_has_quotes",
            "the key stands in quotes",
            Event,
            letter.clone(),
            keys(json!({ "0": format!("'{PSK}'") })),
        ),
        case("psk_length", "the key is cut", Event, letter.clone(), keys(json!({ "0": PSK[..20] }))),
        case(
            "psk_encoding",
            "the key is base64 with the other two characters",
            Event,
            letter.clone(),
            keys(json!({ "0": PSK.replace('_', "/") })),
        ),
        case(
            "psk_encoding",
            "the key is written in hex",
            Curl,
            letter.clone(),
            keys(json!({ "0": "3c3132333 43f363738 3e3f6162 636465".replace(' ', "") })),
        ),
        case("psk_swapped", "kid and key are swapped", Event, letter.clone(), keys(json!({ PSK: "0" }))),
        case(
            "jwe_key_mismatch",
            "another key stands under the kid",
            Event,
            letter.clone(),
            keys(json!({ "0": OTHER_PSK })),
        ),
        case(
            "jwe_key_mismatch",
            "two keys are under each other's kid",
            Har,
            letter.clone(),
            keys(json!({ "0": OTHER_PSK, "1": PSK })),
        ),
        case(
            "jwe_unknown_kid",
            "the key stands under another kid",
            Event,
            letter.clone(),
            keys(json!({ "1": PSK })),
        ),
        case("wrong_source", "the key is that of another source", Event, letter.clone(), json!({}))
            .under(json!({ "opencard": { "default": keys(json!({ "0": OTHER_PSK })), "acme": entry } })),
        case(
            "body_is_base64",
            "the gateway's base64 was not decoded",
            Event,
            with_body(&letter, STANDARD.encode(letter.body())),
            entry.clone(),
        ),
        case(
            "body_changed",
            "the body was put into quotes",
            Options,
            with_body(&letter, Value::from(body_text(&letter)).to_string()),
            entry.clone(),
        ),
        case(
            "body_changed",
            "the body was wrapped",
            Options,
            with_body(&letter, body_text(&letter).replace('.', ".\n")),
            entry.clone(),
        ),
        case(
            "wrong_method",
            "a redirect made a GET of it",
            Event,
            get(&with_body(&letter, "")),
            entry.clone(),
        ),
    ]);
    for (id, cause, about) in [
        ("neg-tag-tampered", "body_changed", "the tag was changed"),
        ("neg-iv-tampered", "body_changed", "the IV was changed"),
        ("neg-std-base64-chars", "body_changed", "base64url became base64"),
        (
            "neg-encrypted-key-tampered",
            "jwe_key_mismatch",
            "the wrapped key was changed, or is of another key",
        ),
        ("neg-unknown-kid", "jwe_unknown_kid", "no key has the query's kid"),
        ("neg-kid-number", "jwe_unknown_kid", "the kid is a number"),
        ("neg-alg-lowercase", "jwe_algorithm", "alg in lower case"),
        ("neg-enc-a128gcm", "jwe_algorithm", "enc is A128GCM"),
        ("neg-header-duplicate-kid", "jwe_malformed", "the kid comes twice"),
        ("neg-json-serialization", "jwe_malformed", "the JSON serialisation"),
        ("neg-tag-truncated", "jwe_malformed", "the tag is cut"),
    ] {
        let (request, entry) = vectors.query(&format!("opencard/{id}"))?;
        cases.push(case(cause, about, Event, request, entry));
    }
    Ok(())
}
