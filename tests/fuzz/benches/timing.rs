//! Whether the time of a refusal says something about a secret: Welch's t-test over two classes of inputs.
//!
//! As dudect (<https://eprint.iacr.org/2016/1123>, read 2026-11-27) does it: the classes are measured in random order, the
//! slowest tenth is left out, since interrupts are in it, and a t beyond 4.5 is a difference. It is a measurement and no test:
//! `make timing` prints a table.

use std::{hint::black_box, time::Instant};

use aes::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use letterbox_codec::{
    Request, Secret, Timestamp,
    jwe::{Header, Psk, Token, seal},
    sealed::{self, Envelope},
    signature::{Algorithm, Description, Key, Scheme, SecretEncoding},
};

const MEASUREMENTS: usize = 40_000;
const NOW: Timestamp = Timestamp(1_795_255_200_123);
/// The t beyond which dudect calls a difference likely.
const LIMIT: f64 = 4.5;

/// One operation on an input of the first or the second class.
type Operation<'o> = Box<dyn Fn(bool) + 'o>;

/// A difference counts if every round has it, in the same direction: one round alone may have been disturbed.
const ROUNDS: usize = 3;

fn main() {
    let number =
        std::env::var("MEASUREMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(MEASUREMENTS);
    println!("{:<58} {:>9} {:>9}   t of each round", "", "first ns", "other ns");
    for (name, operation) in [comparisons(), jwe(), dingtalk()].into_iter().flatten() {
        let rounds: Vec<_> = (0..ROUNDS).map(|_| measure(&operation, number)).collect();
        let [first, other] = &rounds[0];
        let ts: Vec<_> = rounds.iter().map(|[first, other]| welch(first, other)).collect();
        let differ = ts.iter().all(|t| *t > LIMIT) || ts.iter().all(|t| *t < -LIMIT);
        let verdict = if differ { "different" } else { "" };
        let ts: Vec<_> = ts.iter().map(|t| format!("{t:>7.1}")).collect();
        println!("{name:<58} {:>9.0} {:>9.0} {} {verdict}", median(first), median(other), ts.join(" "));
    }
}

/// The times of both classes in nanoseconds, sorted, without the slowest tenth.
fn measure(operation: &Operation<'_>, number: usize) -> [Vec<f64>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    // A linear congruential generator is random enough for the order.
    let mut state = 1_u64;
    for round in 0..number + 1000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let class = state >> 63 == 1;
        let start = Instant::now();
        operation(class);
        let time = start.elapsed().as_secs_f64() * 1e9;
        if round >= 1000 {
            times[usize::from(class)].push(time);
        }
    }
    for times in &mut times {
        times.sort_unstable_by(f64::total_cmp);
        times.truncate(times.len() * 9 / 10);
    }
    times
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Welch's t of two samples.
fn welch(first: &[f64], other: &[f64]) -> f64 {
    let mean = |sample: &[f64]| sample.iter().sum::<f64>() / length(sample);
    let error = |sample: &[f64]| {
        let mean = mean(sample);
        let squares: f64 = sample.iter().map(|value| (value - mean).powi(2)).sum();
        squares / (length(sample) - 1.0) / length(sample)
    };
    (mean(first) - mean(other)) / (error(first) + error(other)).sqrt()
}

fn length(sample: &[f64]) -> f64 {
    u32::try_from(sample.len()).map_or(f64::INFINITY, f64::from)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).expect("a secret")
}

/// The same text with its first or its last character changed.
fn wrong(text: &str, first: bool) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = if first { 0 } else { bytes.len() - 1 };
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    String::from_utf8(bytes).expect("ASCII")
}

/// Each comparison with a secret: wrong in the first character, or in the last.
fn comparisons() -> Vec<(String, Operation<'static>)> {
    let mut operations: Vec<(String, Operation<'static>)> = Vec::new();
    let key =
        Key::new(&secret("user:0123456789abcdef0123456789abcdef"), SecretEncoding::Text).expect("a key");
    for algorithm in
        [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512, Algorithm::Token, Algorithm::Basic]
    {
        let scheme = Scheme::new(Description { algorithm, ..Description::default() }).expect("a scheme");
        let mut request = Request::new("{}".into());
        scheme.sign(&key, &mut request, NOW, "").expect("a signature");
        let header = scheme.headers().next().expect("a header").clone();
        let right = request.headers()[&header].to_str().expect("ASCII").to_owned();
        let with = |value: &str| {
            let mut other = request.clone();
            other.headers_mut().insert(&header, value.parse().expect("a header"));
            other
        };
        let changed = |first| match algorithm {
            Algorithm::Basic => {
                let (scheme, text) = right.split_once(' ').expect("a scheme");
                let text = STANDARD.decode(text).expect("base64");
                let text = wrong(std::str::from_utf8(&text).expect("ASCII"), first);
                format!("{scheme} {}", STANDARD.encode(text))
            }
            _ => wrong(&right, first),
        };
        let requests = [with(&changed(true)), with(&changed(false))];
        let key = key.clone();
        operations.push((
            format!("{algorithm:?}: first or last character of the signature"),
            Box::new(move |class| {
                let refused = scheme.verify(&key, &requests[usize::from(class)], NOW);
                assert!(black_box(refused).is_err());
            }),
        ));
    }
    let token = secret("0123456789abcdef");
    let right = sealed::signature(token.expose(), "1", "n", "AAAA");
    let signatures = [wrong(&right, true), wrong(&right, false)];
    operations.push((
        "DingTalk: first or last character of the signature".into(),
        Box::new(move |class| {
            let signature = &signatures[usize::from(class)];
            let envelope = Envelope { signature, timestamp: "1", nonce: "n", encrypt: "AAAA" };
            assert!(black_box(envelope.verify(&token)).is_err());
        }),
    ));
    operations
}

/// Refusals of OpenCard's tokens.
fn jwe() -> Vec<(String, Operation<'static>)> {
    let psk = Psk::new(&secret("MDEyMzQ1Njc4OWFiY2RlZg")).expect("a key");
    let header = Header::new(r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0"}"#).expect("a header");
    let payload = br#"{"srcid":"123","intent":{"a":"b"}}"#.repeat(4);
    let good = seal(&psk, &header, &payload, &[1; 32], &[2; 16]).expect("a token");
    let with = |segment: usize, at: usize| {
        let mut segments: Vec<_> = good.split('.').map(str::to_owned).collect();
        let mut bytes = URL_SAFE_NO_PAD.decode(&segments[segment]).expect("base64url");
        let at = at.min(bytes.len() - 1);
        bytes[at] ^= 1;
        segments[segment] = URL_SAFE_NO_PAD.encode(bytes);
        Token::parse(segments.join(".").as_bytes()).expect("a token")
    };
    let mut operations: Vec<(String, Operation<'static>)> = Vec::new();
    let mut add = |name: &str, first: Token, other: Token| {
        let (psk, tokens) = (psk.clone(), [first, other]);
        let operation = move |class| {
            assert!(black_box(tokens[usize::from(class)].open(&psk)).is_err());
        };
        operations.push((format!("OpenCard: {name}"), Box::new(operation)));
    };
    add("first or last byte of the tag", with(4, 0), with(4, 15));
    add("first or last byte of the encrypted key", with(1, 0), with(1, 39));
    add("encrypted key or tag", with(1, 20), with(4, 0));
    add("encrypted key or ciphertext", with(1, 20), with(3, 0));
    add("IV or ciphertext", with(2, 0), with(3, 0));
    operations
}

/// Refusals of DingTalk's messages whose signature is valid.
fn dingtalk() -> Vec<(String, Operation<'static>)> {
    let token = secret("0123456789abcdef");
    let key = sealed::Key::new(&secret("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")).expect("a key");
    let plain = |length: u32, message: &[u8], pad: &[u8]| {
        [&[7; 16][..], &length.to_be_bytes(), message, pad].concat()
    };
    // 16 random bytes, 4 of the length, 460 of message and owner, 32 of padding: 512.
    let message = [b'a'; 460];
    let bad_padding = |at: usize| {
        let mut pad = [32; 32];
        pad[at] = 31;
        pad
    };
    let encrypt = |plain: &[u8]| {
        let iv: [u8; 16] = key.bytes()[..16].try_into().expect("16 bytes");
        let text = cbc::Encryptor::<aes::Aes256>::new(key.bytes().into(), &iv.into());
        STANDARD.encode(text.encrypt_padded_vec::<NoPadding>(plain))
    };
    let mut operations: Vec<(String, Operation<'static>)> = Vec::new();
    let mut add = |name: &str, first: &[u8], other: &[u8]| {
        let (token, key) = (secret(token.expose()), key.clone());
        let texts = [encrypt(first), encrypt(other)];
        let signatures = [0, 1].map(|class| sealed::signature(token.expose(), "1", "n", &texts[class]));
        let accepted = ["0123456789".to_owned()];
        let operation = move |class| {
            let class = usize::from(class);
            let envelope = Envelope {
                signature: &signatures[class],
                timestamp: "1",
                nonce: "n",
                encrypt: &texts[class],
            };
            let opened = envelope.verify(&token).and_then(|verified| verified.open(&key));
            let refused = opened.and_then(|opened| opened.addressed_to(&accepted).map(drop));
            assert!(black_box(refused).is_err());
        };
        operations.push((format!("DingTalk: {name}"), Box::new(operation)));
    };
    let owner = |text: &str| [&message[..450], text.as_bytes()].concat();
    add(
        "first or last character of the owner key",
        &plain(450, &owner(&wrong("0123456789", true)), &[32; 32]),
        &plain(450, &owner(&wrong("0123456789", false)), &[32; 32]),
    );
    add(
        "first or last byte of the padding",
        &plain(450, &message, &bad_padding(0)),
        &plain(450, &message, &bad_padding(30)),
    );
    add("padding or length", &plain(450, &message, &bad_padding(0)), &plain(461, &message, &[32; 32]));
    add("padding or owner key", &plain(450, &message, &bad_padding(0)), &plain(450, &message, &[32; 32]));
    operations
}
