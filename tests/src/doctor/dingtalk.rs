//! DingTalk's broken deliveries.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    AES_KEY, APP_KEY, CORP_ID, Case, Curl, Event, Har, Made, OTHER_AES_KEY, Options, TOKEN, Vectors,
    body_text, but, get, post, sent, truth, with_body, with_header, with_uri,
};
use crate::fixed;

#[allow(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(cases: &mut Vec<Case>, vectors: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| super::case("dingtalk", cause, about, form, request, entry);
    let entry = truth("dingtalk");
    let letter = sent("dingtalk", &entry, "user_add_org", None)?;
    let (official, official_entry) = vectors.sealed("dingtalk/official-py3-check-url")?;
    let (suite, suite_entry) = vectors.sealed("dingtalk/official-rust-check-create-suite-url")?;
    let (both, both_entry) = vectors.sealed_request("dingtalk/neg-request-msg-signature-wrong")?;
    let (no_query, no_query_entry) = vectors.sealed_request("dingtalk/neg-request-no-query")?;
    let (number, number_entry) = vectors.sealed_request("dingtalk/neg-request-encrypt-number")?;
    let corp = sent("dingtalk", &but(&entry, &json!({ "owner_key": CORP_ID })), "user_add_org", None)?;
    let with = |members: Value| but(&entry, &members);
    let in_body = |change: fn(&str) -> String| with_body(&letter, change(&body_text(&letter)));

    cases.extend([
        case("opens", "nothing is wrong", Event, letter.clone(), entry.clone()),
        case("opens", "an official sample", Curl, official.clone(), official_entry.clone()),
        case("secret_has_whitespace", "the token ends with a line feed", Event, letter.clone(), with(json!({ "token": format!("{TOKEN}\n") }))),
        case("secret_has_whitespace", "the aes_key ends with CR LF", Curl, letter.clone(), with(json!({ "aes_key": format!("{AES_KEY}\r\n") }))),
        case("secret_has_whitespace", "one owner key of the list starts with a space", Har, letter.clone(), with(json!({ "owner_key": [format!(" {APP_KEY}")] }))),
        case("secret_has_quotes", "the aes_key stands in quotes", Options, letter.clone(), with(json!({ "aes_key": format!("\"{AES_KEY}\"") }))),
        case("aes_key_length", "the aes_key ends in the `=` of base64", Event, letter.clone(), with(json!({ "aes_key": format!("{AES_KEY}=") }))),
        case("aes_key_length", "the aes_key lost its last character", Event, letter.clone(), with(json!({ "aes_key": AES_KEY[..42] }))),
        case("token_aes_key_swapped", "token and aes_key are swapped", Event, letter.clone(), with(json!({ "token": AES_KEY, "aes_key": TOKEN }))),
        case("aes_key_mismatch", "the aes_key is of an older refresh", Event, letter.clone(), with(json!({ "aes_key": OTHER_AES_KEY }))),
        case("aes_key_mismatch", "an official sample under another app's aes_key", Curl, official.clone(), but(&official_entry, &json!({ "aes_key": AES_KEY }))),
        case("token_mismatch", "the token is of an older refresh", Event, letter.clone(), with(json!({ "token": "anoldertoken" }))),
        case("token_mismatch", "an official sample under another token", Curl, official.clone(), but(&official_entry, &json!({ "token": TOKEN }))),
        case("token_mismatch", "token and aes_key are another app's", Event, letter.clone(), with(json!({ "token": "anothertoken", "aes_key": OTHER_AES_KEY }))),
        case("owner_key_mismatch", "the entry names the CorpId, the message an AppKey", Event, letter.clone(), with(json!({ "owner_key": CORP_ID }))),
        case("owner_key_mismatch", "the entry names the AppKey, the message a CorpId", Curl, corp, entry.clone()),
        case("owner_key_mismatch", "an official sample: a suite is being created", Har, suite, but(&suite_entry, &json!({ "owner_key": "suitedoctor0000001" }))),
        case("wrong_source", "the message is for another app", Event, letter.clone(), json!({})).under(json!({ "dingtalk": { "default": { "token": "anothertoken", "aes_key": OTHER_AES_KEY, "owner_key": APP_KEY }, "acme": entry } })),
        case("unknown_source", "the URL names a source that is not there", Event, with_uri(&letter, |uri| uri.replace("/dingtalk", "/dingtalk/nobody"))?, entry.clone()),
        case("query_changed", "msg_signature is wrong though signature is right", Event, both, both_entry),
        case("signature_missing", "a proxy dropped the query", Event, no_query, no_query_entry),
        case("parameter_missing", "a proxy dropped the nonce", Event, with_uri(&letter, |uri| uri.replace("nonce=", "n="))?, entry.clone()),
        case("parameter_malformed", "the registered URL has a nonce of its own", Curl, with_uri(&letter, |uri| uri + "&nonce=1")?, entry.clone()),
        case("signature_encoding", "the signature came in upper case", Options, with_uri(&official, |uri| uri.replace("03044561471240d4a14bb09372dfcfd4fd0e40cb", "03044561471240D4A14BB09372DFCFD4FD0E40CB"))?, official_entry),
        case("body_is_base64", "the gateway's base64 was not decoded", Event, with_body(&letter, STANDARD.encode(letter.body())), entry.clone()),
        case("body_changed", "a form on the way made spaces of `+`", Options, in_body(|body| body.replace('+', " ")), entry.clone()),
        case("body_changed", "a byte order mark was put before the body", Options, in_body(|body| format!("\u{feff}{body}")), entry.clone()),
        case("body_empty", "a middleware read the body", Event, with_body(&letter, ""), entry.clone()),
        case("body_malformed", "encrypt is a number", Event, number, number_entry),
        case("timestamp_stale", "an hour late under a tolerance", Event, letter.clone(), with(json!({ "tolerance": 60 }))).at(fixed().now.0 + 3_600_000),
        case("robot_message", "a robot's outgoing message", Curl, with_header(&with_header(&post("dingtalk", "", r#"{"msgtype":"text","text":{"content":"hi"}}"#.into())?, "timestamp", Some("1795255200000"))?, "sign", Some("c2lnbg=="))?, entry.clone()),
        case("payload_invalid", "the message is no JSON", Event, sent("dingtalk", &entry, "event", Some("hello"))?, entry.clone()),
        case("wrong_method", "the URL was opened in a browser", Event, get(&letter), entry.clone()),
        case("credentials_invalid", "another source lacks its token", Event, letter.clone(), json!({})).under(json!({ "dingtalk": { "default": entry, "acme": { "aes_key": AES_KEY, "owner_key": APP_KEY } } })),
        case("reply_refused", "the answer is a plain success", Event, letter.clone(), entry.clone()).answered("success"),
    ]);
    Ok(())
}
