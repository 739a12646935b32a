//! Test vectors from outside of this project: official ones, and those of independent implementations. None is left out.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, Method};
use letterbox_codec::{
    Request, Secret, Timestamp,
    jwe::{self, Header, Psk, Token},
    provider::Refused,
    sealed::{self, Envelope},
    signature::{self, Algorithm, Description, Encoding, Scheme, SecretEncoding},
    timestamp::Unit,
};
use letterbox_tests::{Setup, block_on};
use serde_json::{Value, json};

/// Fields that are not compared as facts: the outcome itself, and those that [`resealed`] reads.
const APART: [&str; 3] = ["ok", "pad", "random_b64"];

/// Facts that are compared with a row's `expect`.
type Facts = Vec<(&'static str, Value)>;

/// The result of a row, or the code of its refusal.
type Got = Result<Facts, String>;

#[test]
fn every_vector() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let mut counts = BTreeMap::new();
    let mut failures = Vec::new();
    for vector in &vectors {
        let (id, op, expect) = (text(vector, "id"), text(vector, "op"), &vector["expect"]);
        *counts.entry(op.to_owned()).or_insert(0) += 1;
        let got = run(op, &vector["input"], expect);
        let fits = match (&got, expect["ok"].as_bool().unwrap()) {
            (Ok(facts), true) => expect
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, _)| !APART.contains(&name.as_str()))
                .all(|(name, wanted)| facts.iter().any(|(fact, value)| fact == name && value == wanted)),
            (Err(code), false) => same(text(expect, "error"), code),
            _ => false,
        };
        if !fits {
            failures.push(format!("{id}: expected {expect}, got {got:?}"));
        }
    }
    assert!(failures.is_empty(), "{} of {} vectors:\n{}", failures.len(), vectors.len(), failures.join("\n"));
    assert_eq!(vectors.len(), 185);
    println!("{} vectors: {counts:?}", vectors.len());
}

/// The vectors' code of a refusal is that of `Reject`, except for two that Letterbox distinguishes.
fn same(wanted: &str, code: &str) -> bool {
    wanted == code
        || matches!(
            (wanted, code),
            ("missing_field", "malformed_field") | ("receive_id_mismatch", "owner_key_mismatch")
        )
}

fn run(op: &str, input: &Value, expect: &Value) -> Got {
    match op {
        "wxbiz_key" => wxbiz_key(input),
        "wxbiz_signature" => Ok(vec![("signature", wxbiz_signature(input, text(input, "encrypt")).into())]),
        "wxbiz_encrypt" => Ok(wxbiz_encrypt(input)),
        "wxbiz_decrypt" => wxbiz_decrypt(input, expect),
        "dingtalk_reply" => Ok(dingtalk_reply(input)),
        "dingtalk_request" => dingtalk_request(input),
        "aes_kw" => Ok(aes_kw(input)),
        "a128cbc_hs256" => Ok(a128cbc_hs256(input)),
        "jwe_encrypt" => Ok(jwe_encrypt(input)),
        "jwe_decrypt" => jwe_decrypt(input),
        "baidu_exchange" => Ok(baidu_exchange(input, expect)),
        "hmac_verify" => hmac_verify(input),
        "github_request" => github_request(input),
        other => panic!("no way to run {other}"),
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    if let Some(encoded) = value[format!("{name}_b64")].as_str() {
        return STANDARD.decode(encoded).unwrap();
    }
    if let Some(encoded) = value[format!("{name}_hex")].as_str() {
        return hex::decode(encoded).unwrap();
    }
    text(value, name).as_bytes().to_vec()
}

fn array<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    bytes(value, name).try_into().unwrap()
}

fn secret(input: &Value, name: &str) -> Secret {
    Secret::new(text(input, name).to_owned()).unwrap()
}

fn code(refused: impl Into<Refused>) -> String {
    refused.into().reject.code().to_owned()
}

fn key(input: &Value) -> sealed::Key {
    sealed::Key::new(&secret(input, "aes_key")).unwrap()
}

fn wxbiz_key(input: &Value) -> Got {
    let key = sealed::Key::new(&secret(input, "aes_key")).map_err(|_| "invalid_aes_key")?;
    Ok(vec![("key_hex", hex::encode(key.bytes()).into())])
}

fn wxbiz_signature(input: &Value, encrypt: &str) -> String {
    sealed::signature(text(input, "token"), text(input, "timestamp"), text(input, "nonce"), encrypt)
}

fn wxbiz_seal(input: &Value) -> String {
    sealed::seal(&key(input), array(input, "random"), &bytes(input, "plaintext"), text(input, "receive_id"))
        .unwrap()
}

fn wxbiz_encrypt(input: &Value) -> Facts {
    let encrypt = wxbiz_seal(input);
    vec![("signature", wxbiz_signature(input, &encrypt).into()), ("encrypt", encrypt.into())]
}

fn wxbiz_decrypt(input: &Value, expect: &Value) -> Got {
    if ["signature", "encrypt"].iter().any(|name| text(input, name).is_empty()) {
        return dingtalk(
            input,
            &wxbiz_query(input),
            &json!({ "encrypt": input["encrypt"] }).to_string(),
            "POST",
        );
    }
    let envelope = Envelope {
        signature: text(input, "signature"),
        timestamp: text(input, "timestamp"),
        nonce: text(input, "nonce"),
        encrypt: text(input, "encrypt"),
    };
    let signed = envelope.verify(&secret(input, "token")).map_err(code)?;
    let accepted: Vec<String> = match &input["receive_id"] {
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    let (content, owner) = signed.open(&key(input)).map_err(code)?.addressed_to(&accepted).map_err(code)?;
    let plaintext = content.text().map_err(|reject| reject.code())?;
    if expect["random_b64"].is_string() && expect["pad"].is_u64() {
        resealed(input, expect, plaintext.as_bytes(), owner);
    }
    Ok(vec![("plaintext", plaintext.into()), ("receive_id", owner.into())])
}

/// The same random bytes give the same text, unless the sender pads to 16 instead of 32.
fn resealed(input: &Value, expect: &Value, plaintext: &[u8], owner: &str) {
    let sealed = sealed::seal(&key(input), array(expect, "random"), plaintext, owner).unwrap();
    let given: String = text(input, "encrypt").split_whitespace().collect();
    if given.len() == sealed.len() {
        assert_eq!(given, sealed);
    }
}

fn wxbiz_query(input: &Value) -> String {
    let of = |name: &str| text(input, name).replace('+', "%2B");
    format!("signature={}&timestamp={}&nonce={}", of("signature"), of("timestamp"), of("nonce"))
}

fn dingtalk_reply(input: &Value) -> Facts {
    let encrypt = wxbiz_seal(input);
    let reply = json!({
        "msg_signature": wxbiz_signature(input, &encrypt),
        "timeStamp": input["timestamp"],
        "nonce": input["nonce"],
        "encrypt": encrypt,
    });
    vec![("reply", reply)]
}

fn dingtalk_request(input: &Value) -> Got {
    dingtalk(input, text(input, "query"), text(input, "body"), text(input, "method"))
}

/// Through the whole handler: the event on the queue (or the handshake's answer), or the refusal's code.
fn dingtalk(input: &Value, query: &str, body: &str, method: &str) -> Got {
    let credentials = json!({ "default": {
        "token": input["token"], "aes_key": input["aes_key"], "owner_key": input["receive_id"],
    }});
    let mut request = request(&format!("https://localhost/dingtalk?{query}"), body.as_bytes());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
    let (reply, event) = handle("dingtalk", &credentials, &request)?;
    // Only with the key, and for the owner key, can the reply be decrypted.
    let keys = letterbox_registry::find("dingtalk").unwrap().keys(&credentials.to_string()).unwrap();
    let read = keys.first("default").unwrap().read_response(&request, &reply);
    assert_eq!(read.unwrap(), "success");
    let mut facts = vec![("receive_id", input["receive_id"].clone())];
    let Some(event) = event else {
        let plaintext = handshake(input, body);
        let payload: Value = serde_json::from_str(&plaintext).unwrap();
        assert_eq!(payload.get("eventId"), None);
        facts.extend([("event_type", payload["EventType"].clone()), ("event_id", Value::Null)]);
        facts.push(("plaintext", plaintext.into()));
        return Ok(facts);
    };
    let (message, data) = (&event["event"], &event["data"]);
    // An id that is not the platform's own is a digest, or has the type in it.
    let id = text(message, "id");
    let own = id.len() != 64 && !id.contains(':');
    facts.extend([
        ("plaintext", data.clone()),
        ("event_type", text(message, "type").strip_prefix("dingtalk.").unwrap().into()),
        ("event_id", if own { id.into() } else { Value::Null }),
    ]);
    Ok(facts)
}

/// The facts of a handshake, which has no queue message.
fn handshake(input: &Value, body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    let encrypt = text(&body, "encrypt");
    let signature = sealed::signature(text(input, "token"), "1", "n", encrypt);
    let envelope = Envelope { signature: &signature, timestamp: "1", nonce: "n", encrypt };
    let opened = envelope.verify(&secret(input, "token")).unwrap().open(&key(input)).unwrap();
    let accepted = [text(input, "receive_id").to_owned()];
    opened.addressed_to(&accepted).unwrap().0.text().unwrap().to_owned()
}

fn aes_kw(input: &Value) -> Facts {
    use josekit::jwe::{A128KW, JweEncrypter, JweHeader};
    let kw = A128KW.encrypter_from_bytes(bytes(input, "kek")).unwrap();
    let wrapped =
        kw.encrypt(&bytes(input, "key"), &JweHeader::new(), &mut JweHeader::new()).unwrap().unwrap();
    vec![("wrapped_hex", hex::encode(wrapped).into())]
}

fn a128cbc_hs256(input: &Value) -> Facts {
    use josekit::jwe::{JweContentEncryption, enc::A128CBC_HS256};
    let (key, iv, plaintext, aad) =
        (bytes(input, "key"), bytes(input, "iv"), bytes(input, "plaintext"), bytes(input, "aad"));
    let (ciphertext, tag) = A128CBC_HS256.encrypt(&key, Some(&iv), &plaintext, &aad).unwrap();
    vec![("ciphertext_hex", hex::encode(ciphertext).into()), ("tag_hex", hex::encode(tag.unwrap()).into())]
}

fn jwe_encrypt(input: &Value) -> Facts {
    let psk = Psk::new(&secret(input, "psk")).unwrap();
    let header = Header::new(text(input, "protected")).unwrap();
    let token = jwe::seal(&psk, &header, &bytes(input, "payload"), &array(input, "cek"), &array(input, "iv"))
        .unwrap();
    vec![("token", token.into())]
}

fn jwe_decrypt(input: &Value) -> Got {
    let token = Token::parse(&bytes(input, "token")).map_err(code)?;
    let kid = token.header.kid.clone();
    let psk = kid.and_then(|kid| input["psk_table"][kid].as_str()).ok_or("unknown_kid")?;
    let psk = Psk::new(&Secret::new(psk.to_owned()).unwrap()).unwrap();
    let content = token.open(&psk).map_err(code)?;
    let header: Value = serde_json::from_str(&token.header.json()).unwrap();
    Ok(vec![("payload", content.text().map_err(|reject| reject.code())?.into()), ("header", header)])
}

/// The query as the platform sent it, and the decrypted reply of our own handler.
fn baidu_exchange(input: &Value, expect: &Value) -> Facts {
    let open =
        |token: &str| jwe_decrypt(&json!({ "psk_table": input["psk_table"], "token": token })).unwrap();
    let parse = |facts: &Got| -> Value {
        let facts = facts.as_ref().unwrap();
        serde_json::from_str(facts.iter().find(|(name, _)| *name == "payload").unwrap().1.as_str().unwrap())
            .unwrap()
    };
    let asked = Ok(open(text(input, "request")));
    assert_eq!(parse(&Ok(open(text(input, "response")))), expect["response"]);

    let setup = Setup::new(
        letterbox_registry::find("opencard").unwrap(),
        &json!({ "default": { "keys": input["psk_table"] } }).to_string(),
    )
    .unwrap();
    let request = request("https://localhost/opencard", text(input, "request").as_bytes());
    let answer = block_on(setup.handler.handle("default", &request));
    let answered = Ok(open(answer.response.body()));
    let header =
        |facts: &Got| facts.as_ref().unwrap().iter().find(|(name, _)| *name == "header").unwrap().1.clone();
    assert_eq!(header(&asked), header(&answered));
    vec![("request", parse(&asked)), ("response", parse(&answered))]
}

fn hmac_verify(input: &Value) -> Got {
    let header = &input["header"];
    let optional = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
    let template = text(input, "template").to_owned();
    let timestamp = optional(&input["fields"], "timestamp");
    let (secret, secret_encoding) = match (optional(input, "secret"), optional(input, "secret_hex")) {
        (Some(text), _) => (text, SecretEncoding::Text),
        (_, hex) => (hex.unwrap(), SecretEncoding::Hex),
    };
    let description = Description {
        header: text(header, "name").to_owned(),
        prefix: optional(header, "prefix").unwrap_or_default(),
        separator: optional(&header["kv"], "separator"),
        signature_key: optional(&header["kv"], "signature_key"),
        timestamp_key: optional(&header["kv"], "timestamp_key"),
        encoding: serde_json::from_value::<Encoding>(input["encoding"].clone()).unwrap(),
        algorithm: serde_json::from_value::<Algorithm>(input["algorithm"].clone()).unwrap(),
        secret_encoding,
        template,
        timestamp_header: timestamp.as_ref().map(|_| "x-timestamp".to_owned()),
        timestamp_unit: if input["timestamp_unit"] == "ms" { Unit::Milliseconds } else { Unit::Seconds },
        tolerance: input["tolerance"].as_u64().unwrap_or(300).try_into().unwrap(),
        url: optional(&input["fields"], "url"),
        ..Description::default()
    };
    let secret = Secret::new(secret).map_err(|_| "missing_secret")?;
    let key = signature::Key::new(&secret, secret_encoding).unwrap();
    let scheme = Scheme::new(description).unwrap();
    let mut request = request("https://localhost/payment", &bytes(input, "body"));
    let given = [(text(header, "name"), optional(header, "value")), ("x-timestamp", timestamp)];
    for (name, value) in given {
        if let Some(value) = value {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
    }
    let now = Timestamp(input["now"].as_i64().unwrap_or_default() * 1000);
    scheme.verify(&key, &request, now).map_err(code)?;
    Ok(vec![])
}

fn github_request(input: &Value) -> Got {
    let credentials = json!({ "default": { "secret": input["secret"], "allow_sha1": input["allow_sha1"] } });
    let mut request = request("https://localhost/github", &bytes(input, "body"));
    for (name, value) in input["headers"].as_object().unwrap() {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().insert(name, value.as_str().unwrap().parse().unwrap());
    }
    let event = handle("github", &credentials, &request)?.1.unwrap();
    let (message, payload) = (&event["event"], event["data"].as_str().unwrap());
    Ok(vec![
        ("event", text(message, "type").strip_prefix("github.").unwrap().into()),
        ("delivery", message["deliveryid"].clone()),
        ("action", message["action"].clone()),
        ("payload", serde_json::from_str(payload).unwrap()),
    ])
}

fn request(url: &str, body: &[u8]) -> Request {
    let mut request = Request::new(body.to_vec().into());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.parse().unwrap();
    request
}

/// The response to a request, and its queue message with `data` verbatim; `None` for a handshake.
fn handle(
    provider: &str,
    credentials: &Value,
    request: &Request,
) -> Result<(http::Response<bytes::Bytes>, Option<Value>), String> {
    let setup = Setup::new(letterbox_registry::find(provider).unwrap(), &credentials.to_string()).unwrap();
    let answer = block_on(setup.handler.handle("default", request));
    if answer.response.status().is_client_error() {
        return Err(answer.record.reason.unwrap().to_owned());
    }
    let event = setup.queue().take().pop().map(|message| {
        let event: Value = serde_json::from_str(&message.body).unwrap();
        let data = message.body.split_once(r#","data":"#).unwrap().1.strip_suffix('}').unwrap();
        json!({ "event": event, "data": data })
    });
    Ok((answer.response.map(bytes::Bytes::from), event))
}
