//! Properties of every input: an encrypted message can be decrypted, a changed one is refused, and nothing panics.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use letterbox::doctor::{
    diagnosis::{Diagnosis, diagnose},
    diagnosis_input::DiagnosisInput,
};
use letterbox_codec::{
    Reject, Request, Secret, Stage, Timestamp,
    jwe::{self, Header, Psk, Token},
    platform::Sample,
    sealed::{self, Envelope},
    signature::{self, Algorithm, Description, Encoding, Scheme, SecretEncoding},
    timestamp::Unit,
    xml,
};
use letterbox_registry::{PROVIDERS, Platform};
use letterbox_tests::{Setup, block_on, fixed, providers};
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};

fn secret(text: &str) -> Secret {
    Secret::new(text.into()).unwrap()
}

/// Any 43 letters and digits: most have their spare bits set.
const AES_KEY: &str = "[A-Za-z0-9]{43}";

fn key_of(aes_key: &str) -> sealed::Key {
    sealed::Key::new(&secret(aes_key)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn sealed_messages_open(
        aes_key in AES_KEY, random: [u8; 16], message: Vec<u8>, owner in "[a-z0-9]{0,40}", nonce in "\\PC{1,20}",
    ) {
        let (token, key) = (secret("token"), key_of(&aes_key));
        let encrypt = sealed::seal(&key, random, &message, &owner).unwrap();
        let signature = sealed::signature(token.expose(), "1", &nonce, &encrypt);
        let envelope = Envelope { signature: &signature, timestamp: "1", nonce: &nonce, encrypt: &encrypt };
        let opened = envelope.verify(&token).unwrap().open(&key).unwrap();
        let accepted = [owner.clone(), "other".into()];
        let (content, matched) = opened.addressed_to(&accepted).unwrap();
        prop_assert_eq!(content.bytes(), message);
        prop_assert_eq!(matched, owner);
    }

    #[test]
    fn a_sealed_message_with_a_bit_flipped_has_another_signature(
        aes_key in AES_KEY, message: Vec<u8>, place: prop::sample::Index, bit in 0..7u32,
    ) {
        let (token, key) = (secret("token"), key_of(&aes_key));
        let encrypt = sealed::seal(&key, [0; 16], &message, "owner").unwrap();
        let signature = sealed::signature(token.expose(), "1", "n", &encrypt);
        let mut changed = encrypt.clone().into_bytes();
        let place = place.index(changed.len());
        changed[place] ^= 1 << bit;
        let changed = String::from_utf8(changed).unwrap();
        let envelope = Envelope { signature: &signature, timestamp: "1", nonce: "n", encrypt: &changed };
        prop_assert_eq!(envelope.verify(&token).unwrap_err(), Reject::SignatureMismatch.at(Stage::Key));
    }

    /// The signature is valid, but the ciphertext is random: its padding and its length could be valid only by chance.
    #[test]
    fn any_ciphertext_is_refused(aes_key in AES_KEY, encrypt in "[A-Za-z0-9+/=\\s]{0,200}") {
        let (token, key) = (secret("token"), key_of(&aes_key));
        let signature = sealed::signature(token.expose(), "1", "n", &encrypt);
        let envelope = Envelope { signature: &signature, timestamp: "1", nonce: "n", encrypt: &encrypt };
        let opened = envelope.verify(&token).unwrap().open(&key);
        prop_assert_eq!(opened.err().map(|refused| (refused.reject.status(), refused.stage)), Some((401, Stage::Seal)));
    }

    #[test]
    fn jwes_open_under_their_header(
        psk: [u8; 16], cek: [u8; 32], iv: [u8; 16], payload: Vec<u8>, kid in "[a-z0-9]{1,20}", extra in "\\PC{0,20}",
    ) {
        let psk = psk_of(psk);
        let json = serde_json::json!({ "alg": "A128KW", "enc": "A128CBC-HS256", "kid": kid, "x": [extra, 1.5, null] });
        let header = Header::new(&json.to_string()).unwrap();
        let token = jwe::seal(&psk, &header, &payload, &cek, &iv).unwrap();
        let parsed = Token::parse(format!(" {token}\r\n").as_bytes()).unwrap();
        prop_assert_eq!(parsed.header.kid.as_deref(), Some(kid.as_str()));
        prop_assert_eq!(parsed.header.json(), json.to_string());
        let opened = parsed.open(&psk).unwrap();
        prop_assert_eq!(opened.bytes(), payload);
    }

    #[test]
    fn a_jwe_with_a_character_changed_is_refused(payload: Vec<u8>, place: prop::sample::Index, other in "[A-Za-z0-9_-]") {
        let psk = psk_of([7; 16]);
        let header = Header::new(r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0"}"#).unwrap();
        let mut token = jwe::seal(&psk, &header, &payload, &[1; 32], &[2; 16]).unwrap().into_bytes();
        let place = place.index(token.len());
        prop_assume!(token[place] != b'.' && token[place] != other.as_bytes()[0]);
        token[place] = other.as_bytes()[0];
        prop_assert!(Token::parse(&token).ok().and_then(|token| token.open(&psk).ok()).is_none());
    }

    #[test]
    fn any_text_is_no_jwe(text in "[A-Za-z0-9_.-]{0,300}") {
        let opened = Token::parse(text.as_bytes()).ok().and_then(|token| token.open(&psk_of([7; 16])).ok());
        prop_assert!(opened.is_none());
    }

    /// A well-formed token whose content key was not wrapped with the pre-shared key.
    #[test]
    fn any_segments_behind_a_right_header_are_refused(
        key in prop::collection::vec(any::<u8>(), 40), iv: [u8; 16], blocks in prop::collection::vec(any::<[u8; 16]>(), 1..4),
        tag: [u8; 16],
    ) {
        let header: &[u8] = br#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0"}"#;
        let token = [header, &key, &iv, &blocks.concat(), &tag].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let opened = Token::parse(token.as_bytes()).unwrap().open(&psk_of([7; 16]));
        prop_assert_eq!(opened.unwrap_err(), Reject::KeyUnwrap.at(Stage::Key));
    }

    #[test]
    fn signed_requests_verify_and_changed_ones_do_not(
        scheme in 0..schemes().len(), body in prop::collection::vec(any::<u8>(), 1..200), key in "[!-~]{1,40}",
        place: prop::sample::Index, bit in 0..8u32,
    ) {
        let scheme = schemes().remove(scheme);
        let key = signature::Key::new(&secret(&key), SecretEncoding::Text).unwrap();
        let now = Timestamp(1_763_719_200_000);
        let mut request = Request::new(body.clone().into());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = "https://hooks.example.net/payment?x=1".parse().unwrap();
        scheme.sign(&key, &mut request, now, "msg_1").unwrap();
        let signed = scheme.verify(&key, &request, now).unwrap();
        prop_assert_eq!(signed.content.bytes(), &body);
        let late = Timestamp(now.0 + 301_000);
        let expected = has_timestamp(&scheme).then_some(Reject::TimestampOutOfRange.at(Stage::Address));
        prop_assert_eq!(scheme.verify(&key, &request, late).err(), expected);
        let mut changed = body;
        let place = place.index(changed.len());
        changed[place] ^= 1 << bit;
        *request.body_mut() = changed.into();
        prop_assert_eq!(scheme.verify(&key, &request, now).unwrap_err(), Reject::SignatureMismatch.at(Stage::Key));
    }

    /// Any key, any text; then a byte of either is another one.
    #[test]
    fn ed25519_signatures_verify_and_changed_ones_do_not(
        seed: [u8; 32], body in prop::collection::vec(any::<u8>(), 1..200), place: prop::sample::Index, bit in 0..8u32,
    ) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let key = signature::Key::public(Algorithm::Ed25519, &hex::encode(pair.public_key())).unwrap();
        let scheme = Scheme::new(Description { algorithm: Algorithm::Ed25519, ..Description::default() }).unwrap();
        let mut request = Request::new(body.clone().into());
        let sign = |text: &[u8]| Some(pair.sign(text).as_ref().to_vec());
        scheme.sign_with(sign, &mut request, fixed().now, "").unwrap();
        let mut signature = hex::decode(request.headers()["x-signature"].as_bytes()).unwrap();
        prop_assert!(scheme.verify(&key, &request, fixed().now).is_ok());
        let mut changed = body;
        let at = place.index(changed.len());
        changed[at] ^= 1 << bit;
        let mut other = request.clone();
        *other.body_mut() = changed.into();
        let refused = scheme.verify(&key, &other, fixed().now).unwrap_err();
        prop_assert_eq!(refused, Reject::SignatureMismatch.at(Stage::Key));
        let at = place.index(signature.len());
        signature[at] ^= 1 << bit;
        request.headers_mut().insert("x-signature", hex::encode(signature).parse().unwrap());
        let refused = scheme.verify(&key, &request, fixed().now).unwrap_err();
        prop_assert_eq!(refused, Reject::SignatureMismatch.at(Stage::Key));
    }

    /// Anything in the headers that a scheme reads, in the query and in the body: a refusal.
    #[test]
    fn any_headers_are_no_signature(
        headers in prop::collection::vec((prop::sample::select(READ.to_vec()), prop_oneof![
            "[ -~]{0,80}".prop_map(String::into_bytes),
            "(t=[0-9]{10},)?(h=[a-z -]{0,20},)?v1=[0-9a-f]{0,64}".prop_map(String::into_bytes),
            prop::collection::vec(32..=255u8, 0..80),
        ]), 0..8),
        url in "https://a/[!-;=?-Z_a-z~]{0,40}", encoding in prop::sample::select(vec!["gzip", "deflate", "br"]), body: Vec<u8>,
    ) {
        let mut request = Request::new(body.into());
        if let Ok(uri) = url.parse() {
            *request.uri_mut() = uri;
        }
        add(request.headers_mut(), headers.iter().map(|(name, value)| (*name, value.as_slice())));
        add(request.headers_mut(), [("content-encoding", encoding.as_bytes())].into_iter());
        for scheme in schemes() {
            let key = signature::Key::new(&secret("k"), SecretEncoding::Text).unwrap();
            prop_assert!(scheme.verify(&key, &request, fixed().now).is_err());
            let key = signature::Key::public(Algorithm::Ed25519, ED25519).unwrap();
            prop_assert!(scheme.verify(&key, &request, fixed().now).is_err());
        }
    }

    /// Any text, any DER that is cut or changed: a key or an error, and never the text in it.
    #[test]
    fn any_public_key_is_read_or_refused(
        text in "[ -~\\n]{0,100}", der in prop::collection::vec(any::<u8>(), 0..100), place: prop::sample::Index, byte: u8,
    ) {
        let mut changed = STANDARD.decode(P256).unwrap();
        let at = place.index(changed.len());
        changed[at] = byte;
        let cut = STANDARD.encode(&changed[..at]);
        for text in [text, STANDARD.encode(&der), STANDARD.encode(&changed), cut] {
            for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256, Algorithm::RsaSha256] {
                if let Err(error) = signature::Key::public(algorithm, &text) {
                    prop_assert!(text.len() < 8 || !error.to_string().contains(&text), "{}", error);
                }
            }
        }
    }

    /// Arbitrary requests to every provider: a 4xx and nothing on the queue.
    #[test]
    fn any_request_is_refused(
        query in "[!-~]{0,80}",
        headers in prop::collection::vec(("[a-z-]{1,20}", "[ -~]{0,60}"), 0..5),
        known in prop::collection::vec((prop::sample::select(HEADERS.to_vec()), prop::collection::vec(32..=255u8, 0..90)), 0..4),
        body: Vec<u8>,
    ) {
        for provider in PROVIDERS.iter().copied() {
            let uri = format!("https://localhost/{}?{query}", provider.name());
            let Ok(uri) = uri.parse() else { continue };
            let mut request = Request::new(body.clone().into());
            *request.method_mut() = Method::POST;
            *request.uri_mut() = uri;
            add(request.headers_mut(), headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
            add(request.headers_mut(), known.iter().map(|(name, value)| (*name, value.as_slice())));
            refused(provider, &request);
        }
    }

    /// Whatever the payload, the headers and the places that an entry names: an event with a type, or a 4xx.
    #[test]
    fn any_signed_payload_is_an_event_or_refused(
        payload in "[\\[{\"a0:,1}\\] =&%.]{0,60}", path in "[a0-9.]{1,12}", value in "[ -~]{0,20}", is_form: bool,
        has_default: bool,
    ) {
        let signed = letterbox_registry::find("signed").unwrap();
        let mut entry = serde_json::json!({
            "secret": "s", "type": format!("{{{path}}}-{{header:x-kind}}"), "subject": path, "id": path, "time": path,
            "payload": if is_form { "form" } else { "json" }, "attributes": { "kind": "x-kind" },
            "handshake": [{ "when_empty": path }, { "type": "a", "echo_path": path }],
        });
        if has_default {
            entry["type_default"] = "d".into();
        }
        let credentials = serde_json::json!({ "default": entry }).to_string();
        let setup = Setup::new(signed, &credentials).unwrap();
        let keys = signed.keys(&credentials).unwrap();
        let sample = Sample { name: "a".into(), payload: payload.clone().into_bytes() };
        let mut request =
            keys.first("default").unwrap().build_request(&sample, "https://localhost/signed", &fixed()).unwrap();
        request.headers_mut().insert("x-kind", value.parse().unwrap());
        let answer = block_on(setup.handler.handle("default", &request));
        let messages = setup.queue().take();
        match answer.response.status().as_u16() {
            202 => prop_assert!(messages.len() <= 1),
            status => prop_assert!((400..500).contains(&status) && status != 401 && messages.is_empty()),
        }
        if let Some(message) = messages.first() {
            let event: serde_json::Value = serde_json::from_str(&message.body).unwrap();
            prop_assert!(event["type"].as_str().unwrap().starts_with("signed."));
            let data = if is_form { event["rawdata"].to_string() } else { event["data"].to_string() };
            prop_assert!(!data.is_empty());
            prop_assert_eq!(event.get("rawdata").is_some(), is_form);
        }
    }

    /// XML keeps its fields, whether they are escaped or in a CDATA section.
    #[test]
    fn xml_is_converted_without_loss(fields in prop::collection::vec(("[a-c]", "[ -~中🎋]{0,12}", any::<bool>()), 0..6)) {
        let element = |(name, value, is_cdata): &(String, String, bool)| {
            let value = match is_cdata {
                true => format!("<![CDATA[{}]]>", value.replace("]]>", "]]]]><![CDATA[>")),
                false => value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&#62;"),
            };
            format!("<{name}>{value}</{name}>")
        };
        let xml = format!("<xml>{}</xml>", fields.iter().map(element).collect::<Vec<_>>().concat());
        let data: serde_json::Value =
            serde_json::from_str(&xml::Element::parse(&xml).unwrap().to_json().unwrap()).unwrap();
        for name in ["a", "b", "c"] {
            let sent: Vec<_> = fields
                .iter()
                .filter(|(one, ..)| one == name)
                // Whitespace alone formats the document.
                .map(|(_, value, is_cdata)| if *is_cdata || !value.trim().is_empty() { value } else { "" })
                .collect();
            let expected = match sent.as_slice() {
                [] => None,
                [one] => Some(serde_json::json!(one)),
                several => Some(serde_json::json!(several)),
            };
            prop_assert_eq!(data.get(name), expected.as_ref());
        }
    }

    /// A form keeps its fields and their order.
    #[test]
    fn a_form_is_converted_without_loss(fields in prop::collection::vec(("[a-c]", "\\PC{0,8}"), 0..6)) {
        let form: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let credentials = r#"{"default":{"secret":"s","payload":"form","type_default":"d"}}"#;
        let signed = letterbox_registry::find("signed").unwrap();
        let setup = Setup::new(signed, credentials).unwrap();
        let keys = signed.keys(credentials).unwrap();
        let sample = Sample { name: "a".into(), payload: form.clone().into_bytes() };
        let request =
            keys.first("default").unwrap().build_request(&sample, "https://localhost/signed", &fixed()).unwrap();
        block_on(setup.handler.handle("default", &request));
        let message = setup.queue().take().remove(0);
        let event: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        prop_assert_eq!(event["rawdata"].as_str(), Some(form.as_str()));
        let data = event["data"].as_object().unwrap();
        for name in ["a", "b", "c"] {
            let sent: Vec<_> = fields.iter().filter(|(one, _)| one == name).map(|(_, value)| value.as_str()).collect();
            let expected = match sent.as_slice() {
                [] => None,
                [one] => Some(serde_json::json!(one)),
                several => Some(serde_json::json!(several)),
            };
            prop_assert_eq!(data.get(name), expected.as_ref());
        }
    }

    /// A verified payload that is not an event: a 4xx (for OpenCard, an encrypted status) and nothing on the queue.
    #[test]
    fn any_payload_is_refused(payload: Vec<u8>) {
        prop_assume!(!payload.starts_with(b"{"));
        for provider in PROVIDERS.iter().copied() {
            let demo = provider.facts().demo;
            let setup = Setup::new(provider, demo).unwrap();
            let url = format!("https://localhost/{}", provider.name());
            let sample = Sample { name: "any".into(), payload: payload.clone() };
            let keys = provider.keys(demo).unwrap();
            let request = keys.first("default").unwrap().build_request(&sample, &url, &fixed()).unwrap();
            let answer = block_on(setup.handler.handle("default", &request));
            let status = answer.response.status().as_u16();
            // Any text can be the message of SNS.
            let is_event = provider.name() == "sns" && std::str::from_utf8(&payload).is_ok();
            let expected = if is_event { 200 } else { providers::find(provider.name()).unusable };
            prop_assert_eq!(status, expected);
            prop_assert_eq!(setup.queue().take().len(), usize::from(is_event));
        }
    }
}

/// One change of a byte string: at a place, so many bytes are taken away and these put in.
pub(crate) type Edit = (prop::sample::Index, usize, Vec<u8>);

/// A few changes.
pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    // Bytes that mean something in JSON, XML, forms and base64 are the likely ones.
    let byte = prop_oneof![prop::sample::select(b"<>&;![]{}\":,=%+/\\ 0\x00\xff".to_vec()), any::<u8>()];
    prop::collection::vec((any::<prop::sample::Index>(), 0..4usize, prop::collection::vec(byte, 0..4)), 1..4)
}

/// The same bytes with changes.
pub(crate) fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (place, removed, inserted) in edits {
        let start = place.index(bytes.len() + 1);
        let end = bytes.len().min(start + removed);
        bytes.splice(start..end, inserted.iter().copied());
    }
    bytes
}

/// A response to a delivery: an acknowledgement, or a 4xx without an event. Returns its status.
fn answered(provider: &dyn Platform, request: &Request) -> u16 {
    let setup = Setup::new(provider, provider.facts().demo).unwrap();
    let answer = block_on(setup.handler.handle("default", request));
    let (status, messages) = (answer.response.status().as_u16(), setup.queue().take());
    match status {
        200..300 => assert!(messages.len() <= 1, "{}", provider.name()),
        _ => assert!((400..500).contains(&status) && messages.is_empty(), "{} {status}", provider.name()),
    }
    status
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Samples with a few bytes changed, before and after they are signed: nothing panics.
    #[test]
    fn a_changed_sample_is_an_event_or_refused(number: prop::sample::Index, edits in edits()) {
        for provider in PROVIDERS.iter().copied() {
            let keys = provider.keys(provider.facts().demo).unwrap();
            let entry = keys.first("default").unwrap();
            let samples = provider.samples();
            let sample = number.get(&samples);
            let url = format!("https://localhost/{}", provider.name());
            let changed = Sample { payload: edited(&sample.payload, &edits), ..sample.clone() };
            if let Ok(request) = entry.build_request(&changed, &url, &fixed()) {
                answered(provider, &request);
            }
            if let Ok(mut request) = entry.build_request(sample, &url, &fixed()) {
                *request.body_mut() = edited(request.body(), &edits).into();
                answered(provider, &request);
            }
        }
    }
}

proptest! {
    // One diagnosis tries a hundred deliveries.
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Arbitrary requests and possibly invalid credentials: doctor names a cause.
    #[test]
    fn any_request_is_diagnosed(
        query in "(signature=[0-9A-F]{40}&timestamp=[0-9]{1,20}&nonce=[!-~]{0,9}|[!-~]{0,80})",
        known in prop::collection::vec((prop::sample::select(HEADERS.to_vec()), "[ -~é]{0,90}"), 0..4),
        body in prop_oneof![any::<Vec<u8>>(), "\\{\"(encrypt|a)\":\"[ -!#-\\[\\]-~中]{0,80}\"\\}".prop_map(String::into_bytes)],
        member in prop::sample::select(vec!["secret", "token", "aes_key", "owner_key", "keys", "preset"]),
        value in "[ -~]{0,50}",
        with_table: bool,
    ) {
        let value = if with_table { serde_json::json!({ "0": value }) } else { value.into() };
        for provider in PROVIDERS.iter().copied() {
            let mut sources: serde_json::Value = serde_json::from_str(provider.facts().demo).unwrap();
            let Ok(uri) = format!("https://localhost/{}?{query}", provider.name()).parse() else { continue };
            let mut request = Request::new(body.clone().into());
            *request.method_mut() = Method::POST;
            *request.uri_mut() = uri;
            add(request.headers_mut(), known.iter().map(|(name, value)| (*name, value.as_bytes())));
            for broken in [false, true] {
                if broken {
                    sources["default"][member] = value.clone();
                }
                let credentials = [(provider.name().to_owned(), sources.to_string())].into_iter().collect();
                let source = "default".to_owned();
                let delivery = DiagnosisInput { provider, source, request: request.clone(), now: fixed().now, credentials };
                let is_refused = matches!(diagnose(&delivery), Diagnosis::Refused { .. });
                prop_assert!(is_refused);
            }
        }
    }
}

/// The headers that [`schemes`] read.
const READ: [&str; 3] = ["x-signature", "webhook-timestamp", "webhook-id"];

/// Public keys.
const ED25519: &str = "MCowBQYDK2VwAyEAWYkZ9GAmZbNzIpDxxOPma/cN3UqvWFOhs2V/LwFu6nM=";
const P256: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEToqdBxG4E3D4lR7UHKL91MD+inQHdNqC0JHVo7IFaqhcUEK80M8Nd1fNqoCf/VD6DfD1GEqlkU6DPWMzlkKUWg==";

const HEADERS: [&str; 6] = [
    "x-hub-signature-256",
    "x-hub-signature",
    "x-signature",
    "content-type",
    "x-github-event",
    "x-github-delivery",
];

fn psk_of(bytes: [u8; 16]) -> Psk {
    Psk::new(&secret(&URL_SAFE_NO_PAD.encode(bytes))).unwrap()
}

fn schemes() -> Vec<Scheme> {
    let of = |description| Scheme::new(description).unwrap();
    let plain = Description::default;
    vec![
        of(plain()),
        of(Description { prefix: "sha256=".into(), encoding: Encoding::Base64, ..plain() }),
        of(Description {
            separator: Some(",".into()),
            signature_key: Some("v1".into()),
            timestamp_key: Some("t".into()),
            template: "{timestamp}.{body}".into(),
            ..plain()
        }),
        of(Description {
            separator: Some(" ".into()),
            prefix: "v1,".into(),
            encoding: Encoding::Base64Url,
            template: "{id}.{timestamp}.{body}".into(),
            timestamp_header: Some("webhook-timestamp".into()),
            id_header: Some("webhook-id".into()),
            ..plain()
        }),
        of(Description { template: "{method}\n{url}\n{body}".into(), ..plain() }),
        of(Description {
            separator: Some(":".into()),
            signature_index: Some(1),
            timestamp_index: Some(0),
            timestamp_unit: Unit::Microseconds,
            template: "{timestamp}{query:x}{body}".into(),
            ..plain()
        }),
        of(Description {
            separator: Some(",".into()),
            signature_key: Some("v1".into()),
            timestamp_key: Some("t".into()),
            timestamp_unit: Unit::Rfc3339,
            covered_key: Some("h".into()),
            id_header: Some("webhook-id".into()),
            template: "{timestamp}{covered}{covered_values}{body}{header:webhook-id}".into(),
            ..plain()
        }),
    ]
}

/// True if the scheme signs a timestamp.
fn has_timestamp(scheme: &Scheme) -> bool {
    let key = signature::Key::new(&secret("k"), SecretEncoding::Text).unwrap();
    let at = |now| {
        let mut request = Request::new("b".into());
        *request.uri_mut() = "/?x=1".parse().unwrap();
        scheme.sign(&key, &mut request, Timestamp(now), "m").unwrap();
        request.headers().clone()
    };
    at(0) != at(5_000)
}

fn add<'a>(headers: &mut HeaderMap, more: impl Iterator<Item = (&'a str, &'a [u8])>) {
    for (name, value) in more {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value))
        else {
            continue;
        };
        headers.append(name, value);
    }
}

fn refused(provider: &dyn Platform, request: &Request) {
    let setup = Setup::new(provider, provider.facts().demo).unwrap();
    let answer = block_on(setup.handler.handle("default", request));
    assert!(answer.response.status().is_client_error(), "{}: {:?}", provider.name(), answer.record);
    assert!(setup.queue().take().is_empty(), "{}", provider.name());
}
