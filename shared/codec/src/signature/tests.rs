//! Signatures by rows: right values beside wrong ones.

use http::header;
use serde_json::{Value, json};

use super::*;
use crate::Secret;

const NOW: Timestamp = Timestamp(1_763_719_200_000);

// Keys and signatures of `1795255197.{"type":"a"}` by PyPI cryptography 50.0.2.
const SIGNED_AT: Timestamp = Timestamp(1_795_255_197_000);
const BODY: &[u8] = br#"{"type":"a"}"#;
/// Ed25519: `SubjectPublicKeyInfo` in base64.
const ED25519: &str = "MCowBQYDK2VwAyEAWYkZ9GAmZbNzIpDxxOPma/cN3UqvWFOhs2V/LwFu6nM=";
/// Its signature.
const ED25519_SIGNATURE: &str =
    "Rk0GjQPlP3kKLZHlTz1aSf8X/IVR0XB24M0eMgQHpROonbSfyKCKgzn/HqeyhywK80zZI2FAzKiRZfvZ5+qgCQ==";
/// P-256: `SubjectPublicKeyInfo` in base64.
const P256: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEToqdBxG4E3D4lR7UHKL91MD+inQHdNqC0JHVo7IFaqhcUEK80M8Nd1fNqoCf/VD6DfD1GEqlkU6DPWMzlkKUWg==";
/// A certificate of the same key.
const P256_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBCjCBsaADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHAyNTYwHhcN\n\
MjYwMTAxMDAwMDAwWhcNMzYwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDDARwMjU2MFkw\n\
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEToqdBxG4E3D4lR7UHKL91MD+inQHdNqC\n\
0JHVo7IFaqhcUEK80M8Nd1fNqoCf/VD6DfD1GEqlkU6DPWMzlkKUWjAKBggqhkjO\n\
PQQDAgNIADBFAiAfkGnekF7VBbEVb7ihL2DiZ4Ybq7FvNNAEYIfyVDO7oAIhAM5p\n\
wzxtXmzS5Krenyeaoknz7uGBXNUymYrUXCGReekI\n\
-----END CERTIFICATE-----";
/// Its signature in DER.
const P256_SIGNATURE: &str =
    "MEYCIQCN04P89gEWkyvSi025bLpVu3lkclEEZScX4eoHzXeX9wIhAK3SAZVfDcyGpk/5QUvNIkPaGnPorWV+HZ6fkRjjn8jc";
/// A key of another curve.
const P384: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEdPSUO9G36vD/ba7GGpqa5sXnt7rUOh4J4Z47zrg+vxusEKMYWcAJhvmqG4ciKHTKcqf7j7aA4GSuAIt0h1OQNgwIyhS1oA1RWXU3CI9PwBB7PGgRXH2F5TL4daF1qaIB";
/// RSA, 2048 bits: `SubjectPublicKeyInfo` in PEM.
const RSA: &str = "-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlv5tgKyMaD8L8M++HAiq\n\
cgInyvY0W2+3b/zBemXOqZcyO0XzD3UJA6x0J4p3XWuZfi2pZnMqzCpn0vuqL8dF\n\
v8X/3zqa8Um/BOCLuuEYf7Zq0yuB9zPqavjVFWVcR8WibzyqyTrI/AUEOqTGpFsI\n\
awpEyaQSLgFGBldwxMPYmvJC82zZu9RaVAcrod/MULvk6laDuw2pHb610Eg9Yg7N\n\
UCRkpN9pPObdg/SiPlrqGQtgT1D1uKJWZo80grNV0T58dIKolorpiGlJ8emY98Tf\n\
VlcxG8iTvhv/uIEgKcfG1WudbFoeR930gxg/LUdQeDIVAC6UCv8TrjgfHW7WJxvf\n\
BwIDAQAB\n\
-----END PUBLIC KEY-----";
/// The same key as `RSAPublicKey`.
const RSA_PKCS1: &str = "-----BEGIN RSA PUBLIC KEY-----\n\
MIIBCgKCAQEAlv5tgKyMaD8L8M++HAiqcgInyvY0W2+3b/zBemXOqZcyO0XzD3UJ\n\
A6x0J4p3XWuZfi2pZnMqzCpn0vuqL8dFv8X/3zqa8Um/BOCLuuEYf7Zq0yuB9zPq\n\
avjVFWVcR8WibzyqyTrI/AUEOqTGpFsIawpEyaQSLgFGBldwxMPYmvJC82zZu9Ra\n\
VAcrod/MULvk6laDuw2pHb610Eg9Yg7NUCRkpN9pPObdg/SiPlrqGQtgT1D1uKJW\n\
Zo80grNV0T58dIKolorpiGlJ8emY98TfVlcxG8iTvhv/uIEgKcfG1WudbFoeR930\n\
gxg/LUdQeDIVAC6UCv8TrjgfHW7WJxvfBwIDAQAB\n\
-----END RSA PUBLIC KEY-----";
/// Its signature, PKCS#1 v1.5 with SHA-256.
const RSA_SIGNATURE: &str = "A226ntt8I/MXAtYlt1nOL5j7CUd1iW/VYmbPRVs+m/2JF10YpNFrsJXwjz/CBsaW0qSYm8mF9cJqO7jEA6LzcSwsLibONnEYjYQpUHLjLsKbhSyRvN06j23H5mCHX9nJpUckZxyzSjVKbf079RuCxscPTvzfl454cH4YblMoGFIPFmQ2iXHSElVQkcg1XYPKrioJB6AA2hdHM2GwSzhpg3uqLAN73h5DDJi31q+8Yb7MfiI5d17jEKisf6G1XoePkBtDOZ9oGZo8WbBLzMQztYTWV6zrdbY2p/s6q964fhindUDI8VvKk2KqYp7uXrhE1deEZMF88KM4uJDQSG4EDQ==";
/// RSA, 1024 bits.
const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC6hKbMrTALgnSj6nlaPUW677iGZvIWL67CK3tGd4aSPbp714bKK9xyOe/CWnzyArvIjyLeLia33Dhxce8Po11ixj9FUl5Q27C9HA+Wa3yruQSsaChd7A8FXDMABN2GyJHtLvIyBT3ekFUPl2S6Zi7nMXeOHP4szcfx8QCPgOwbDwIDAQAB";

fn scheme(change: impl FnOnce(&mut Description)) -> Scheme {
    let mut description = Description::default();
    change(&mut description);
    Scheme::new(description).unwrap()
}

fn key() -> Key {
    Key::new(&Secret::new("secret".into()).unwrap(), SecretEncoding::Text).unwrap()
}

impl Scheme {
    /// [`Scheme::verify`] with the reason of a refusal alone.
    fn verified<'r>(
        &self,
        key: &Key,
        request: &'r Request,
        now: Timestamp,
    ) -> Result<VerifiedRequest<'r>, Reject> {
        self.verify(key, request, now).map_err(|rejected| rejected.reject)
    }
}

/// The scheme and the key of an entry.
fn read(mut entry: Value) -> Result<(Scheme, Key), SchemeError> {
    let mut take = |name: &str| entry.as_object_mut().unwrap().remove(name);
    let secret = take("secret").map(|text| Secret::new(text.as_str().unwrap().to_owned()).unwrap());
    let public_key = take("public_key");
    let description: Description = serde_json::from_value(entry).unwrap();
    let key = description.key(secret.as_ref(), public_key.as_ref().and_then(Value::as_str))?;
    Ok((Scheme::new(description)?, key))
}

/// A POST of a body to a URL.
fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
    let mut request = request(headers);
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = url.parse().unwrap();
    *request.body_mut() = body.to_vec().into();
    request
}

/// A request with these headers.
fn request(headers: &[(&str, &str)]) -> Request {
    let mut request = Request::new(bytes::Bytes::from_static(b"{}"));
    for (name, value) in headers {
        request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    request
}

fn verify(scheme: &Scheme, headers: &[(&str, &str)]) -> Result<(), Reject> {
    scheme.verified(&key(), &request(headers), NOW).map(drop)
}

/// The right signature of the request's body, in hex.
fn signature() -> String {
    let mut request = request(&[]);
    scheme(|_| {}).sign(&key(), &mut request, NOW, "").unwrap();
    request.headers()["x-signature"].to_str().unwrap().to_owned()
}

#[test]
fn the_right_signature_may_stand_anywhere_among_sixteen() {
    let list = scheme(|it| it.separator = Some(",".into()));
    let (right, wrong) = (signature(), "00".repeat(32));
    let position = |position: usize, of: usize| {
        let each = (1..=of).map(|each| if each == position { right.as_str() } else { &wrong });
        each.collect::<Vec<_>>().join(",")
    };
    for (value, expected) in [
        (position(1, 1), Ok(())),
        (position(1, 2), Ok(())),
        (position(2, 2), Ok(())),
        (position(16, 16), Ok(())),
        (position(16, 17), Ok(())),
        (position(17, 17), Err(Reject::SignatureMismatch)),
        (position(0, 2), Err(Reject::SignatureMismatch)),
        // The right one twice, as a sender with two equal keys writes it.
        (format!("{right},{right}"), Ok(())),
        (format!("{right},{wrong},{right}"), Ok(())),
        // What does not decode counts among the sixteen, and hides none.
        (format!("zz,{right}"), Ok(())),
        (format!("{}{right}", "zz,".repeat(16)), Err(Reject::SignatureMismatch)),
        (format!(" {} , {right} ", wrong.to_uppercase()), Ok(())),
    ] {
        assert_eq!(verify(&list, &[("x-signature", &value)]), expected, "{value}");
    }
}

#[test]
fn a_signature_is_compared_whole() {
    let right = signature();
    let (start, _) = right.split_at(62);
    for (value, expected) in [
        (right.clone(), Ok(())),
        (right.to_uppercase(), Ok(())),
        (start.to_owned(), Err(Reject::SignatureMismatch)),
        (format!("{right}00"), Err(Reject::SignatureMismatch)),
        (format!("{right}0"), Err(Reject::SignatureMismatch)),
        (String::new(), Err(Reject::MissingSignature)),
        (" ".to_owned(), Err(Reject::MissingSignature)),
    ] {
        assert_eq!(verify(&scheme(|_| {}), &[("x-signature", &value)]), expected, "{value:?}");
    }
    let twice = [("x-signature", right.as_str()), ("x-signature", &right)];
    assert_eq!(verify(&scheme(|_| {}), &twice), Err(Reject::MalformedSignature));
    let prefixed = scheme(|it| it.prefix = "sha256=".into());
    assert_eq!(verify(&prefixed, &[("x-signature", &format!("sha256={right}"))]), Ok(()));
    assert_eq!(verify(&prefixed, &[("x-signature", &right)]), Err(Reject::MalformedSignature));
}

#[test]
fn the_timestamp_is_one_signed_number_near_now() {
    let named = scheme(|it| {
        it.template = "{timestamp}.{body}".into();
        it.separator = Some(",".into());
        it.signature_key = Some("v1".into());
        it.timestamp_key = Some("t".into());
    });
    let signed = |time: &str| {
        let text = format!("{time}.{{}}");
        hex::encode(key().sign(Algorithm::Sha256, text.as_bytes()).unwrap())
    };
    for (time, expected) in [
        ("1763719200", Ok(())),
        ("1763718900", Ok(())),
        ("1763719500", Ok(())),
        ("1763718899", Err(Reject::TimestampOutOfRange)),
        ("1763719501", Err(Reject::TimestampOutOfRange)),
        ("soon", Err(Reject::MalformedTimestamp)),
        ("-1", Err(Reject::MalformedTimestamp)),
        ("", Err(Reject::MalformedTimestamp)),
    ] {
        let value = format!("t={time},v1={}", signed(time));
        assert_eq!(verify(&named, &[("x-signature", &value)]), expected, "{time}");
    }
    let v1 = signed("1763719200");
    for value in [
        format!("v1={v1}"),
        format!("t=1763719200,t=1763719200,v1={v1}"),
        "t=1763719200".to_owned(),
        format!("t=1763719200,v0={v1}"),
    ] {
        assert_eq!(verify(&named, &[("x-signature", &value)]), Err(Reject::MalformedSignature), "{value}");
    }
}

/// Verifies a signature of [`BODY`] by a public key.
fn verify_public(algorithm: &str, public_key: &str, signature: &str) -> Result<(), String> {
    let (scheme, key) = read(json!({
        "algorithm": algorithm, "public_key": public_key, "encoding": "base64",
        "template": "{timestamp}.{body}", "timestamp_header": "x-timestamp",
    }))
    .map_err(|error| error.to_string())?;
    let headers = [("x-signature", signature), ("x-timestamp", "1795255197")];
    let request = post("/", &headers, BODY);
    let verified = scheme.verified(&key, &request, SIGNED_AT);
    verified.map(drop).map_err(|reject| reject.code().to_owned())
}

#[test]
fn public_keys_are_read_in_every_form() {
    let escaped = RSA.replace('\n', "\\n");
    let raw = "WYkZ9GAmZbNzIpDxxOPma/cN3UqvWFOhs2V/LwFu6nM=";
    for (algorithm, public_key, signature) in [
        ("ed25519", ED25519, ED25519_SIGNATURE),
        ("ed25519", "598919f4602665b3732290f1c4e3e66bf70ddd4aaf5853a1b3657f2f016eea73", ED25519_SIGNATURE),
        (
            "ed25519",
            &"598919f4602665b3732290f1c4e3e66bf70ddd4aaf5853a1b3657f2f016eea73".to_uppercase(),
            ED25519_SIGNATURE,
        ),
        ("ed25519", raw, ED25519_SIGNATURE),
        ("ed25519", raw.trim_end_matches('='), ED25519_SIGNATURE),
        ("ed25519", &format!("whpk_{raw}"), ED25519_SIGNATURE),
        (
            "ed25519",
            &format!("-----BEGIN PUBLIC KEY-----\r\n{ED25519}\r\n-----END PUBLIC KEY-----\r\n"),
            ED25519_SIGNATURE,
        ),
        ("ecdsa-p256", P256, P256_SIGNATURE),
        ("ecdsa-p256", P256_CERTIFICATE, P256_SIGNATURE),
        (
            "ecdsa-p256",
            "044e8a9d0711b81370f8951ed41ca2fdd4c0fe8a740774da82d091d5a3b2056aa85c5042bcd0cf0d7757cdaa809ffd50fa0df0f5184aa5914e833d63339642945a",
            P256_SIGNATURE,
        ),
        // `r` and `s` of the same signature, without DER.
        (
            "ecdsa-p256",
            P256,
            "jdOD/PYBFpMr0otNuWy6Vbt5ZHJRBGUnF+HqB813l/et0gGVXw3MhqZP+UFLzSJD2hpz6K1lfh2en5EY45/I3A==",
        ),
        ("rsa-sha256", RSA, RSA_SIGNATURE),
        ("rsa-sha256", RSA_PKCS1, RSA_SIGNATURE),
        ("rsa-sha256", &escaped, RSA_SIGNATURE),
        ("rsa-sha256", &RSA.lines().filter(|line| !line.starts_with('-')).collect::<String>(), RSA_SIGNATURE),
    ] {
        assert_eq!(verify_public(algorithm, public_key, signature), Ok(()), "{public_key}");
    }
}

#[test]
fn a_text_that_is_no_such_public_key_is_refused_with_its_fault() {
    for (algorithm, public_key, expected) in [
        (
            "ed25519",
            "",
            "an Ed25519 public key as PEM, base64 of its DER, hex or base64 of its 32 bytes, or whpk_ and base64; this is empty",
        ),
        ("ed25519", P256, "; this is a P-256 key"),
        ("ed25519", RSA, "; this is an RSA key"),
        ("ed25519", "zzzz", "; this is 3 bytes of another form"),
        (
            "ed25519",
            "whpk_AA!A",
            "; this is neither hex nor base64; character 3 is no letter, digit or sign of it",
        ),
        (
            "ecdsa-p256",
            ED25519,
            "a P-256 public key as PEM, base64 of its DER, or hex or base64 of its uncompressed 65 bytes; this is an Ed25519 key",
        ),
        ("ecdsa-p256", P384, "; this is a key of another kind"),
        // The DER of a point whose last byte is missing.
        (
            "ecdsa-p256",
            "MFgwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQQAEERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERER",
            "; this is a point that is not uncompressed (0x04 and 64 bytes)",
        ),
        (
            "rsa-sha256",
            RSA_1024,
            "an RSA public key of 2048 to 8192 bits as PEM (a public key or a certificate) or base64 of its DER; this is a key of 1024 bits instead of 2048 to 8192",
        ),
        ("rsa-sha256", P256_CERTIFICATE, "; this is a P-256 key"),
        (
            "rsa-sha256",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "; this is a private key, which belongs to the sender alone",
        ),
        ("rsa-sha256", "-----BEGIN PUBLIC KEY-----\nAAAA", "; this is PEM without its last line"),
        (
            "rsa-sha256",
            "-----BEGIN PUBLIC KEY-----\nA*AA\n-----END PUBLIC KEY-----",
            "; this is PEM whose content is not base64; character 2 is no letter, digit or sign of it",
        ),
        ("rsa-sha256", &"A".repeat(16_384), "; this is 8192 bytes of another form"),
        ("rsa-sha256", &"A".repeat(16_385), "; this is too long for a key"),
        // The identity, a point of order 8 with either sign, and a `y` that is not below the prime.
        (
            "ed25519",
            &format!("01{}", "00".repeat(31)),
            "; this is a key of small order, for which anyone can make signatures",
        ),
        (
            "ed25519",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "; this is a key of small order, for which anyone can make signatures",
        ),
        (
            "ed25519",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "; this is a key of small order, for which anyone can make signatures",
        ),
        (
            "ed25519",
            &format!("ee{}7f", "ff".repeat(30)),
            "; this is a key of small order, for which anyone can make signatures",
        ),
    ] {
        let error = verify_public(algorithm, public_key, "").unwrap_err();
        assert!(error.starts_with("public_key: expected "), "{error}");
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn signatures_of_public_keys_are_verified_strictly() {
    for (algorithm, public_key, signature) in [
        // `s` is not reduced: the same signature under another name.
        (
            "ed25519",
            ED25519,
            "Rk0GjQPlP3kKLZHlTz1aSf8X/IVR0XB24M0eMgQHpROVcar84gOd2w+cFkqRgQsf80zZI2FAzKiRZfvZ5+qgGQ==",
        ),
        // `R` is the identity, made with the private key.
        (
            "ed25519",
            ED25519,
            "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFevbHXHWx1MRISCFkghz6s1mWbDzOpVVHAaaUj7dkDw==",
        ),
        ("ed25519", ED25519, P256_SIGNATURE),
        ("ed25519", ED25519, "AAAA"),
        ("ecdsa-p256", P256, ED25519_SIGNATURE),
        ("rsa-sha256", RSA, ED25519_SIGNATURE),
        // The same key over the same text with SHA-1.
        (
            "rsa-sha256",
            RSA,
            "QDkCQ7IhKzlDqdyc0D0bw4MW2SHZFMzqJCLG1ePU07MPrSohZFuIk7iOCxoTt8Ie9zyXFZgLQJKcrU6b6mkjrruimOQy8gP40pnPQsxMT0BbxsZowle7JSZ2JEIYA5dJkblikAg5dDkL8ayhLsEHC20MwBuqLZ/99yFcELFu7TMBBmOClbEKQ3+y3YC/l5d8JO1DC+vTR7GXlOJFF7c0RnlGScPYL51m2nxLxAQvi5/HnQOXfKECDk8eMSlc2eJ2bu4BfmCI3+5FfJgsrXJB4T312O4KsEUPYV+ALg4/qFseSbKT/Rcj6clPtKXOAO27QqL1Ob617W+35O8ona2yIg==",
        ),
    ] {
        let verified = verify_public(algorithm, public_key, signature);
        assert_eq!(verified, Err("signature_mismatch".into()), "{signature}");
    }
}

/// The HMAC that anyone can make who knows the public key.
#[test]
fn a_public_key_is_never_the_key_of_a_mac() {
    let raw = STANDARD.decode("WYkZ9GAmZbNzIpDxxOPma/cN3UqvWFOhs2V/LwFu6nM=").unwrap();
    let public_key = Key::public(Algorithm::Ed25519, &hex::encode(&raw)).unwrap();
    let mut forged = request(&[]);
    let (scheme, bytes) = read(json!({ "secret": hex::encode(&raw), "secret_encoding": "hex" })).unwrap();
    scheme.sign(&bytes, &mut forged, NOW, "").unwrap();
    assert_eq!(scheme.verified(&public_key, &forged, NOW).unwrap_err(), Reject::SignatureMismatch);
    assert_eq!(scheme.sign(&public_key, &mut forged, NOW, "").unwrap_err(), SignError::PrivateKey);
    // The other way round, and a key of another algorithm.
    for algorithm in ["ed25519", "ecdsa-p256", "rsa-sha256"] {
        let scheme = scheme_of(json!({ "algorithm": algorithm }));
        assert_eq!(
            scheme.verified(&bytes, &forged, NOW).unwrap_err(),
            Reject::SignatureMismatch,
            "{algorithm}"
        );
    }
    for (entry, expected) in [
        (json!({ "public_key": ED25519 }), "public_key: expected no public key, because"),
        (json!({ "public_key": ED25519, "secret": "k" }), "public_key: expected no public key, because"),
        (
            json!({ "public_key": ED25519, "secret": "k", "algorithm": "ed25519" }),
            "secret: expected no secret, because",
        ),
        (json!({ "secret": "k", "algorithm": "ed25519" }), "public_key: expected the sender's public key"),
        (json!({ "secret": "whpk_AAAA" }), "secret: expected a secret, and this is a public key"),
        (json!({ "secret": P256_CERTIFICATE }), "secret: expected a secret, and this is a public key"),
        (json!({}), "secret: expected a secret, because"),
        (json!({ "secret": "k", "algorithm": "basic" }), "secret: expected user:password"),
        (
            json!({ "secret": "6b", "algorithm": "token", "secret_encoding": "hex" }),
            "secret_encoding: expected text",
        ),
    ] {
        let error = read(entry).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

fn scheme_of(description: Value) -> Scheme {
    Scheme::new(serde_json::from_value(description).unwrap()).unwrap()
}

#[test]
fn a_token_or_password_is_compared_whole() {
    let token =
        json!({ "algorithm": "token", "header": "x-token", "prefix": "Bearer ", "secret": "s3cret=" });
    let basic = json!({ "algorithm": "basic", "secret": "us:er:pass" });
    let authorization = |text: &str| format!("Basic {}", STANDARD.encode(text));
    for (entry, header, value, expected) in [
        (&token, "x-token", "Bearer s3cret=".to_owned(), None),
        (&token, "x-token", "Bearer s3cret".into(), Some(Reject::SignatureMismatch)),
        (&token, "x-token", "Bearer s3cret==".into(), Some(Reject::SignatureMismatch)),
        (&token, "x-token", "Bearer S3CRET=".into(), Some(Reject::SignatureMismatch)),
        (&token, "x-token", "Bearer ".into(), Some(Reject::SignatureMismatch)),
        (&token, "x-token", "s3cret=".into(), Some(Reject::MalformedSignature)),
        (&token, "x-signature", "Bearer s3cret=".into(), Some(Reject::MissingSignature)),
        (&basic, "authorization", authorization("us:er:pass"), None),
        (&basic, "authorization", authorization("us:er:pass").replace("Basic", "bASIC"), None),
        (&basic, "authorization", authorization("us:er:pas"), Some(Reject::SignatureMismatch)),
        (&basic, "authorization", authorization("us:er:pass "), Some(Reject::SignatureMismatch)),
        (&basic, "authorization", "Basic us:er:pass".into(), Some(Reject::SignatureMismatch)),
        (&basic, "authorization", "Bearer dXM6ZXI6cGFzcw==".into(), Some(Reject::MalformedSignature)),
        (&basic, "x-signature", authorization("us:er:pass"), Some(Reject::MissingSignature)),
    ] {
        let (scheme, key) = read(entry.clone()).unwrap();
        assert_eq!(scheme.verified(&key, &request(&[(header, &value)]), NOW).err(), expected, "{value}");
    }
}

/// Requests that other implementations signed, which each row names.
const VECTORS: &str = include_str!("vectors.json");

#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    entry: Value,
    url: String,
    headers: std::collections::BTreeMap<String, String>,
    body: String,
    /// Unix seconds.
    now: i64,
}

#[test]
fn signatures_that_others_made_are_verified() {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(vectors.len(), 9);
    for Vector { name, entry, url, headers, body, now } in vectors {
        let (scheme, key) = read(entry).unwrap();
        let now = Timestamp(now * 1000);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let verify = |url: &str, headers: &[(&str, &str)], body: &[u8], now| {
            scheme.verified(&key, &post(url, headers, body), now).map(|signed| signed.id.map(Cow::into_owned))
        };
        let id = headers.iter().find(|(name, _)| name.ends_with("-id")).map(|(_, value)| (*value).to_owned());
        assert_eq!(verify(&url, &headers, body.as_bytes(), now), Ok(id), "{name}");

        // A byte of the body, and whatever else is signed.
        let mut changed = body.clone().into_bytes();
        changed[1] ^= 1;
        assert_eq!(verify(&url, &headers, &changed, now), Err(Reject::SignatureMismatch), "{name}: body");
        if scheme.template.has(&Part::Url) {
            let other = verify(&format!("{url}x"), &headers, body.as_bytes(), now);
            assert_eq!(other, Err(Reject::SignatureMismatch), "{name}: URL");
        }
        for position in 0..headers.len() {
            let (header, value) = headers[position];
            let value = format!("{value}1");
            let mut other = headers.clone();
            other[position] = (header, &value);
            let changed = verify(&url, &other, body.as_bytes(), now);
            assert_eq!(changed, Err(Reject::SignatureMismatch), "{name}: {header}");
            // Twice, or not at all.
            let twice = [headers.as_slice(), &[headers[position]]].concat();
            let twice = verify(&url, &twice, body.as_bytes(), now);
            assert_eq!(twice, Err(Reject::MalformedSignature), "{name}: {header} twice");
            other.remove(position);
            let without = verify(&url, &other, body.as_bytes(), now).unwrap_err().code();
            assert!(["missing_signature", "missing_field"].contains(&without), "{name}: {header} {without}");
        }
        if scheme.timestamp.is_some() {
            let late = Timestamp(now.0 + 310_000);
            let stale = verify(&url, &headers, body.as_bytes(), late);
            assert_eq!(stale, Err(Reject::TimestampOutOfRange), "{name}");
        }
    }
}

#[test]
fn what_the_signature_covers_by_name_is_bounded() {
    let (scheme, key) = read(json!({
        "secret": "secret", "separator": ",", "signature_key": "v1", "covered_key": "h", "id_header": "x-id",
        "template": "{covered}.{covered_values}.{body}",
    }))
    .unwrap();
    let verify = |list: &str, values: &[&str], headers: &[(&str, &str)]| {
        let text = format!("{list}.{}.{{}}", values.join("."));
        let signature = hex::encode(key.sign(Algorithm::Sha256, text.as_bytes()).unwrap());
        let value = format!("h={list},v1={signature}");
        let request = request(&[&[("x-signature", value.as_str())], headers].concat());
        scheme.verified(&key, &request, NOW).map(|signed| signed.id.map(Cow::into_owned))
    };
    let (one, id) = (("x-one", "1"), ("x-id", "i"));
    assert_eq!(verify("x-one x-id", &["1", "i"], &[one, id]), Ok(Some("i".into())));
    assert_eq!(verify("x-one", &["1"], &[one]), Ok(None));
    // An id that is not covered is anyone's, and so is none.
    assert_eq!(verify("x-one", &["1"], &[one, id]), Ok(None));
    assert_eq!(verify("x-one x-id", &["1", ""], &[one]), Err(Reject::MissingSignature));
    assert_eq!(verify("x-one", &["1"], &[one, one]), Err(Reject::MalformedSignature));
    assert_eq!(verify("", &[""], &[]), Err(Reject::MalformedSignature));
    assert_eq!(verify("b: c", &["", ""], &[]), Err(Reject::MalformedSignature));
    for (count, expected) in [(16, Ok(None)), (17, Err(Reject::MalformedSignature))] {
        let list = vec!["x-one"; count].join(" ");
        assert_eq!(verify(&list, &vec!["1"; count], &[one]), expected, "{count}");
    }
}

#[test]
fn families_of_header_names_are_never_mixed() {
    let entry = |family: &str| {
        json!({
            "secret": "k", "header": format!("{family}signature"), "template": "{id}.{timestamp}.{body}",
            "timestamp_header": format!("{family}timestamp"), "id_header": format!("{family}id"),
        })
    };
    let signed = |family: &str| {
        let (scheme, key) = read(entry(family)).unwrap();
        let mut request = request(&[]);
        scheme.sign(&key, &mut request, NOW, family).unwrap();
        request
    };
    let mut both = entry("webhook-");
    both["header_families"] = json!(["webhook-", "Svix-"]);
    let (scheme, key) = read(both).unwrap();
    let verify =
        |request: &Request| scheme.verified(&key, request, NOW).map(|signed| signed.id.map(Cow::into_owned));
    let (webhook, svix) = (signed("webhook-"), signed("svix-"));
    assert_eq!(verify(&webhook), Ok(Some("webhook-".into())));
    assert_eq!(verify(&svix), Ok(Some("svix-".into())));
    assert_eq!(verify(&signed("other-")), Err(Reject::MissingSignature));
    // Of both, the first counts, whatever the second is.
    let mut request = svix.clone();
    request.headers_mut().extend(webhook.headers().clone());
    assert_eq!(verify(&request), Ok(Some("webhook-".into())));
    request.headers_mut().insert("webhook-signature", "00".parse().unwrap());
    assert_eq!(verify(&request), Err(Reject::SignatureMismatch));
    // A header of the other family stands for none of its own.
    for name in ["svix-id", "svix-timestamp"] {
        let mut request = svix.clone();
        let value = request.headers_mut().remove(name).unwrap();
        request.headers_mut().insert(name.replace("svix", "webhook").parse::<HeaderName>().unwrap(), value);
        assert_eq!(verify(&request), Err(Reject::MissingSignature), "{name}");
    }
    let renamed = scheme.family(&svix).name(&HeaderName::from_static("webhook-topic"));
    assert_eq!(renamed, "svix-topic");
    assert_eq!(scheme.family(&svix).name(&header::CONTENT_TYPE), header::CONTENT_TYPE);
    let names: Vec<_> = scheme.headers().map(HeaderName::as_str).collect();
    let expected = [
        "webhook-signature",
        "webhook-timestamp",
        "webhook-id",
        "svix-signature",
        "svix-timestamp",
        "svix-id",
    ];
    assert_eq!(names, expected);
}

#[test]
fn headers_and_parameters_of_the_template_are_signed() {
    let (scheme, key) =
        read(json!({ "secret": "k", "template": "{header:x-own}\n{query:data.id}\n{body}" })).unwrap();
    let verify = |text: &str, query: &str, own: &[&str]| {
        let signature = hex::encode(key.sign(Algorithm::Sha256, text.as_bytes()).unwrap());
        let mut headers = vec![("x-signature", signature.as_str())];
        headers.extend(own.iter().map(|value| ("x-own", *value)));
        scheme.verified(&key, &post(&format!("https://a/?{query}"), &headers, b"{}"), NOW).map(drop)
    };
    assert_eq!(verify("a\nb c\n{}", "x=1&data.id=b%20c", &["a"]), Ok(()));
    assert_eq!(verify("a\nb c\n{}", "data.id=b%20d", &["a"]), Err(Reject::SignatureMismatch));
    assert_eq!(verify("a\n\n{}", "", &["a"]), Err(Reject::missing("data.id")));
    assert_eq!(verify("\nb\n{}", "data.id=b", &[]), Err(Reject::missing("x-own")));
    assert_eq!(verify("a\nb\n{}", "data.id=b", &["a", "a"]), Err(Reject::MalformedSignature));
    let twice = verify("a\nb\n{}", "data.id=b&data.id=b", &["a"]);
    assert_eq!(twice, Err(Reject::malformed("data.id", "to appear only once")));
}

#[test]
fn some_escapes_of_the_url_are_decoded_once() {
    for (url, expected) in [
        ("https://a/b?c=%3A%2F%3f%40", "https://a/b?c=:/?@"),
        ("https://a/b?c=%20%C3%A9%41", "https://a/b?c=%20%C3%A9%41"),
        // Not twice, and nothing that is no escape.
        ("https://a/%253A", "https://a/%253A"),
        ("https://a/%", "https://a/%"),
        ("https://a/%3", "https://a/%3"),
        ("https://a/%+A%3A", "https://a/%+A:"),
        ("https://a/%é%3A", "https://a/%é:"),
    ] {
        assert_eq!(decode_escapes(url, ":/?@"), expected);
    }
}

#[test]
fn elements_are_found_by_position() {
    let entry = |signature: u8, timestamp: u8| {
        json!({
            "secret": "k", "separator": ":", "signature_index": signature, "timestamp_index": timestamp,
            "template": "{timestamp}.{body}", "timestamp_unit": "us",
        })
    };
    let (scheme, key) = read(entry(2, 0)).unwrap();
    let mut signed = request(&[]);
    scheme.sign(&key, &mut signed, NOW, "").unwrap();
    let value = signed.headers()["x-signature"].to_str().unwrap().to_owned();
    assert!(value.starts_with("1763719200000000::"), "{value}");
    let verify = |scheme: &Scheme, value: &str| {
        scheme.verified(&key, &request(&[("x-signature", value)]), NOW).map(drop)
    };
    assert_eq!(verify(&scheme, &value), Ok(()));
    assert_eq!(verify(&scheme, &value.replace("::", ":x:")), Ok(()));
    assert_eq!(verify(&scheme, &value.replace("::", ":")), Err(Reject::MalformedSignature));
    let (turned, _) = read(entry(0, 1)).unwrap();
    assert_eq!(verify(&turned, &value), Err(Reject::SignatureMismatch));
    assert_eq!(verify(&turned, value.rsplit(':').next().unwrap()), Err(Reject::MalformedSignature));
}

/// While a secret rotates, there is a signature for each.
#[test]
fn every_element_beside_an_unnamed_timestamp_is_a_signature() {
    let entry = |timestamp: u8| {
        json!({
            "secret": "k", "separator": ",", "timestamp_index": timestamp, "template": "{timestamp}.{body}",
        })
    };
    let (scheme, key) = read(entry(0)).unwrap();
    let right = hex::encode(key.sign(Algorithm::Sha256, b"1763719200.{}").unwrap());
    let wrong = "00".repeat(32);
    for (value, expected) in [
        (format!("1763719200,{right}"), Ok(())),
        (format!("1763719200, {right}"), Ok(())),
        (format!("1763719200,{right},{wrong}"), Ok(())),
        (format!("1763719200,{wrong},{right}"), Ok(())),
        (format!("1763719201,{right}"), Err(Reject::SignatureMismatch)),
        (format!("{right},1763719200"), Err(Reject::SignatureMismatch)),
        ("1763719200".to_owned(), Err(Reject::MalformedSignature)),
    ] {
        let got = scheme.verified(&key, &request(&[("x-signature", &value)]), NOW).map(drop);
        assert_eq!(got, expected, "{value}");
    }
    for timestamp in [0, 1, 2] {
        let (other, _) = read(entry(timestamp)).unwrap();
        let mut signed = request(&[]);
        other.sign(&key, &mut signed, NOW, "").unwrap();
        let verified = other.verified(&key, &signed, NOW).unwrap();
        assert_eq!(verified.timestamp.as_deref(), Some("1763719200"), "{timestamp}");
    }
}

/// The wanted timestamps in a payload that is signed, in milliseconds.
#[test]
fn a_timestamp_in_the_payload_is_checked_after_the_signature() {
    let (scheme, key) =
        read(json!({ "secret": "k", "timestamp_path": "meta.at", "timestamp_unit": "ms", "tolerance": 60 }))
            .unwrap();
    for (body, expected) in [
        (r#"{"meta":{"at":1763719200000}}"#, None),
        (r#"{"meta":{"at":"1763719140000"}}"#, None),
        (r#"{"meta":{"at":1763719139999}}"#, Some("timestamp_out_of_range")),
        (r#"{"meta":{"at":1763719260001}}"#, Some("timestamp_out_of_range")),
        (r#"{"meta":{"at":1763719200000.5}}"#, Some("malformed_timestamp")),
        (r#"{"meta":{"at":null}}"#, Some("malformed_timestamp")),
        (r#"{"meta":{}}"#, Some("malformed_timestamp")),
        (r#"{"meta":{"at":1763719200000,"at":1}}"#, Some("malformed_field")),
        ("at", Some("invalid_json")),
    ] {
        let signature = hex::encode(key.sign(Algorithm::Sha256, body.as_bytes()).unwrap());
        let mut request = post("/", &[("x-signature", &signature)], body.as_bytes());
        let code = |reject: Reject| reject.code();
        assert_eq!(scheme.verified(&key, &request, NOW).err().map(code), expected, "{body}");
        *request.body_mut() = format!("{body} ").into();
        let changed = scheme.verified(&key, &request, NOW).err().map(code);
        assert_eq!(changed, Some("signature_mismatch"), "{body}");
    }
}

#[test]
fn sign_replaces_the_timestamp_in_the_payload() {
    for (unit, body, expected) in [
        ("ms", r#"{ "a" : 1, "m":{"at": 5 }, "b":5}"#, r#"{ "a" : 1, "m":{"at": 1763719200000 }, "b":5}"#),
        ("s", r#"{"m":{"at":"5"}}"#, r#"{"m":{"at":"1763719200"}}"#),
        ("rfc3339", r#"{"m":{"at":"5"}}"#, r#"{"m":{"at":"2025-11-21T10:00:00.000Z"}}"#),
        ("s", r#"{"m":{}}"#, r#"{"m":{}}"#),
        ("s", "at", "at"),
    ] {
        let (scheme, key) =
            read(json!({ "secret": "k", "timestamp_path": "m.at", "timestamp_unit": unit })).unwrap();
        let mut request = post("/", &[], body.as_bytes());
        scheme.sign(&key, &mut request, NOW, "").unwrap();
        assert_eq!(request.body().as_ref(), expected.as_bytes());
        let is_signed = expected.contains("at\":");
        assert_eq!(scheme.verified(&key, &request, NOW).is_ok(), is_signed, "{expected}");
    }
}

#[test]
fn a_compressed_body_is_signed_before_or_after() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(BODY).unwrap();
    let packed = gzip.finish().unwrap();
    let (scheme, key) = read(json!({ "secret": "k" })).unwrap();
    let (_, token) = read(json!({ "algorithm": "token", "secret": "k" })).unwrap();
    let by_token = scheme_of(json!({ "algorithm": "token" }));
    let signature = |body: &[u8]| hex::encode(key.sign(Algorithm::Sha256, body).unwrap());
    let (over_packed, over_text) = (signature(&packed), signature(BODY));
    let bomb = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&vec![b' '; provider::MAX_BODY + 1]).unwrap();
        gzip.finish().unwrap()
    };
    let too_large = Reject::TooLarge { limit: 6_291_456 };
    for (scheme, key, value, encoding, body, expected) in [
        (&scheme, &key, over_packed.as_str(), Some("gzip"), packed.as_slice(), Ok(BODY)),
        (&scheme, &key, &over_text, Some("gzip"), &packed, Ok(BODY)),
        (&by_token, &token, "k", Some("gzip"), &packed, Ok(BODY)),
        // A gateway unpacked it and left the header.
        (&scheme, &key, &over_text, Some("gzip"), BODY, Ok(BODY)),
        (&scheme, &key, &over_text, Some("deflate"), BODY, Ok(BODY)),
        // Without the header, or with one that is not known, only the bytes as they came count.
        (&scheme, &key, &over_packed, None, &packed, Ok(&packed)),
        (&scheme, &key, &over_text, None, &packed, Err(Reject::SignatureMismatch)),
        (&scheme, &key, &over_text, Some("br"), &packed, Err(Reject::SignatureMismatch)),
        (&scheme, &key, &over_text, Some("gzip"), packed.get(..20).unwrap(), Err(Reject::SignatureMismatch)),
        (&scheme, &key, &over_text, Some("gzip"), b"{}", Err(Reject::SignatureMismatch)),
        (&scheme, &key, &over_text, Some("gzip"), &bomb, Err(too_large.clone())),
        (&by_token, &token, "k", Some("gzip"), &bomb, Err(too_large)),
        (&by_token, &token, "l", Some("gzip"), &packed, Err(Reject::SignatureMismatch)),
    ] {
        let mut headers = vec![("x-signature", value)];
        headers.extend(encoding.map(|name| ("content-encoding", name)));
        let request = post("/", &headers, body);
        let verified = scheme.verified(key, &request, NOW).map(|signed| signed.content.bytes().to_vec());
        assert_eq!(verified.as_deref(), expected.as_ref().map(|bytes| *bytes), "{value} {encoding:?}");
    }
    // Signed as it came, but of another coding.
    let random = [0xff_u8, 0xfe, 0xfd];
    let signed = signature(&random);
    let request = post("/", &[("x-signature", &signed), ("content-encoding", "gzip")], &random);
    assert_eq!(scheme.verified(&key, &request, NOW).unwrap_err().code(), "malformed_field");
}

#[test]
fn a_refusal_has_the_stage_of_its_check() {
    let (scheme, key) = read(json!({ "secret": "k", "template": "{header:x-own}{body}" })).unwrap();
    let (timed, _) = read(json!({ "secret": "k", "timestamp_path": "at" })).unwrap();
    let signature = |text: &str| hex::encode(key.sign(Algorithm::Sha256, text.as_bytes()).unwrap());
    for (scheme, headers, body, expected) in [
        (&scheme, vec![], "{}", Stage::Form),
        (&scheme, vec![("x-signature", signature("{}"))], "{}", Stage::Form),
        (&scheme, vec![("x-signature", signature("{}")), ("x-own", "o".into())], "{}", Stage::Key),
        (&timed, vec![("x-signature", signature("at"))], "at", Stage::Payload),
        (&timed, vec![("x-signature", signature("{}"))], "{}", Stage::Address),
        (&timed, vec![("x-signature", signature(r#"{"at":1}"#))], r#"{"at":1}"#, Stage::Address),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let stage = scheme.verify(&key, &post("/", &headers, body.as_bytes()), NOW).unwrap_err().stage;
        assert_eq!(stage, expected, "{body} {headers:?}");
    }
}

#[test]
fn what_sign_makes_is_verified() {
    let ed25519 = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public_key = hex::encode(ring::signature::KeyPair::public_key(&ed25519));
    for entry in [
        json!({ "secret": "k" }),
        json!({ "secret": "k", "algorithm": "token", "prefix": "Bearer " }),
        json!({ "secret": "u:k", "algorithm": "basic" }),
        json!({ "secret": "k", "algorithm": "sha512", "encoding": "base64url", "prefix": "v1=", "separator": " " }),
        json!({
            "secret": "k", "separator": ",", "signature_key": "s", "timestamp_key": "t", "covered_key": "h",
            "id_header": "x-id", "template": "{timestamp}{covered}{covered_values}{body}", "timestamp_unit": "rfc3339",
        }),
        json!({
            "secret": "k", "timestamp_header": "x-at", "id_header": "x-id", "timestamp_unit": "us",
            "template": "{id}{timestamp}{method}{url}{header:x-at}{header:x-own}{query:q}{body}",
        }),
        json!({ "public_key": public_key, "algorithm": "ed25519", "encoding": "base64" }),
    ] {
        let (scheme, key) = read(entry.clone()).unwrap();
        let mut request = post("https://a/?q=1", &[("x-own", "o")], BODY);
        let private_key = |text: &[u8]| match entry.get("public_key") {
            Some(_) => Some(ed25519.sign(text).as_ref().to_vec()),
            None => key.sign(scheme.algorithm, text),
        };
        scheme.sign_with(private_key, &mut request, NOW, "i").unwrap();
        // A handshake's reply never has the secret that a request carries.
        let is_hmac = !scheme.algorithm.is_public() && !scheme.algorithm.sends_secret();
        assert_eq!(scheme.hmac(&key, b"").is_some(), is_hmac, "{entry}");
        let signed = scheme.verified(&key, &request, NOW).unwrap();
        assert_eq!(signed.content.bytes(), BODY, "{entry}");
        assert_eq!(signed.id.as_deref(), entry.get("id_header").map(|_| "i"), "{entry}");
        if !scheme.algorithm.sends_secret() {
            *request.body_mut() = "{}".into();
            assert_eq!(
                scheme.verified(&key, &request, NOW).unwrap_err(),
                Reject::SignatureMismatch,
                "{entry}"
            );
        }
    }
    for (entry, expected) in [
        (json!({ "secret": "k", "template": "{header:x-own}{body}" }), "x-own: expected one value"),
        (json!({ "secret": "k", "template": "{query:q}{body}" }), "q: expected one value"),
        (json!({ "secret": "a\nb", "algorithm": "token" }), "x-signature: expected one value"),
        (
            json!({ "public_key": public_key, "algorithm": "ed25519" }),
            "this sender signs with a private key that only it has",
        ),
    ] {
        let (scheme, key) = read(entry).unwrap();
        let error = scheme.sign(&key, &mut request(&[]), NOW, "i").unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_description_that_makes_no_sense_is_refused() {
    for (mut entry, expected) in [
        (json!({ "tolerance": 0 }), "tolerance: expected at least 1 second"),
        (json!({ "separator": "" }), "separator: expected a text that is not empty"),
        (json!({ "timestamp_key": "t" }), "signature_key: expected a value, because timestamp_key"),
        (
            json!({ "covered_key": "h" }),
            "signature_key: expected a value, because timestamp_key or covered_key",
        ),
        (json!({ "timestamp_key": "t", "signature_key": "s" }), "separator: expected a value"),
        (json!({ "signature_index": 0 }), "separator: expected a value"),
        (
            json!({ "separator": ",", "signature_key": "s", "signature_index": 0 }),
            "signature_index: expected no value, because signature_key",
        ),
        (
            json!({ "separator": ",", "signature_key": "s", "timestamp_index": 0 }),
            "timestamp_index: expected no value, because signature_key",
        ),
        (
            json!({ "separator": ",", "timestamp_index": 1, "signature_index": 1 }),
            "timestamp_index: expected another position",
        ),
        (
            json!({ "separator": ",", "signature_index": 16 }),
            "signature_index: expected a position from 0 to 15",
        ),
        (
            json!({ "timestamp_header": "x-at", "timestamp_path": "at" }),
            "timestamp_key: expected only one of timestamp_key, timestamp_index",
        ),
        (json!({ "timestamp_path": "" }), "timestamp_path: expected the path"),
        (json!({ "algorithm": "basic", "header": "x-own" }), "header: expected no value"),
        (json!({ "algorithm": "basic", "prefix": "Basic " }), "algorithm: expected an Authorization header"),
        (json!({ "algorithm": "token", "template": "{body}!" }), "template: expected no value"),
        (json!({ "template": "{timestamp}" }), "template: expected a text with {body}"),
        (json!({ "template": "{timestamp}{body}" }), "template: expected {timestamp} if, and only if"),
        (json!({ "timestamp_header": "x-at" }), "template: expected {timestamp} if, and only if"),
        (
            json!({ "timestamp_path": "at", "template": "{timestamp}{body}" }),
            "template: expected {timestamp} if",
        ),
        (json!({ "id_header": "x-id" }), "template: expected {id}, because there is an id_header"),
        (json!({ "template": "{id}{body}" }), "id_header: expected a value"),
        (
            json!({ "separator": ",", "signature_key": "s", "covered_key": "h", "template": "{covered}{body}" }),
            "template: expected {covered} and {covered_values} if, and only if",
        ),
        (json!({ "template": "{covered}{covered_values}{body}" }), "template: expected {covered} and"),
        (json!({ "url": "https://a" }), "template: expected {url}, because there is a url"),
        (json!({ "url_decoded": ":" }), "template: expected {url}, because there is a url_decoded"),
        (
            json!({ "url_decoded": "", "template": "{url}{body}" }),
            "url_decoded: expected the ASCII characters",
        ),
        (
            json!({ "url_decoded": "é", "template": "{url}{body}" }),
            "url_decoded: expected the ASCII characters",
        ),
        (json!({ "header": "a b" }), "header: expected an HTTP header name"),
        (json!({ "id_header": "a b", "template": "{id}{body}" }), "id_header: expected an HTTP header name"),
        (
            json!({ "timestamp_header": "a b", "template": "{timestamp}{body}" }),
            "timestamp_header: expected an HTTP header name",
        ),
        (json!({ "header_families": ["x-"] }), "header_families: expected 2 to 8 different beginnings"),
        (json!({ "header_families": ["x-", "X-"] }), "header_families: expected 2 to 8 different beginnings"),
        (json!({ "header_families": ["x-", ""] }), "header_families: expected 2 to 8 different beginnings"),
        (
            json!({ "header_families": ["x-", "a b"] }),
            "header_families: expected 2 to 8 different beginnings",
        ),
        (json!({ "header_families": ["y-", "x-"] }), "header_families: expected the first one"),
    ] {
        entry["secret"] = "u:k".into();
        let error = read(entry).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// Signatures by the library twilio 9.13.0.
#[test]
fn a_signature_covers_the_url_and_the_fields_of_a_form_or_the_hash_of_another_body() {
    const HASH: &str = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
    const URL: &str = "https://h.example/t";
    const HASHED: &str = "WJvet2WsOQPjjEouRGuuI7hJFic=";
    const FORM: &str = "efHICE8Nsvst90ZOCg+1tUlS5ok=";
    let entry = |template: &str| {
        let entry = json!({ "secret": "12345", "header": "x-s", "algorithm": "sha1", "encoding": "base64", "template": template });
        read(entry).unwrap()
    };
    let (scheme, key) = entry("{url}{form}");
    let with_hash = |hash: &str| format!("{URL}?x=1&bodySHA256={hash}");
    let unsigned_hash = format!("{URL}?bodySHA256={HASH}");
    let malformed = Err(Reject::malformed("body", "a form whose fields have names"));
    let mismatch = || Err(Reject::SignatureMismatch);
    for (url, signature, body, expected) in [
        (URL, FORM, "b=2&b=1&b=1&B=", Ok(())),
        (URL, FORM, "B&b=1&b=%32", Ok(())),
        (URL, FORM, "b=1&b=2", mismatch()),
        ("http://h.example/t", FORM, "b=2&b=1&B=", mismatch()),
        // The URL alone is signed: no body may take its place.
        (URL, "443CSnV5DXxwk4kVvnBP36dlsFs=", "", malformed),
        (URL, "443CSnV5DXxwk4kVvnBP36dlsFs=", "a=1", mismatch()),
        (URL, "443CSnV5DXxwk4kVvnBP36dlsFs=", r#"{"a":1}"#, Err(Reject::missing("bodySHA256"))),
        (URL, "443CSnV5DXxwk4kVvnBP36dlsFs=", " [1]", Err(Reject::missing("bodySHA256"))),
        (&with_hash(HASH), HASHED, r#"{"a":1}"#, Ok(())),
        (&with_hash(HASH), HASHED, r#"{"a":2}"#, Err(Reject::BodyHashMismatch)),
        (&with_hash(HASH), HASHED, "", Err(Reject::BodyHashMismatch)),
        (&with_hash(HASH), FORM, r#"{"a":1}"#, mismatch()),
        // As Twilio's own libraries compare it.
        (
            &with_hash(&HASH.to_uppercase()),
            "2sMt6BbuKdUdvy/mQ6KvwcVp1MQ=",
            r#"{"a":1}"#,
            Err(Reject::BodyHashMismatch),
        ),
        (
            &with_hash(&format!("{HASH}&bodySHA256=")),
            HASHED,
            r#"{"a":1}"#,
            Err(Reject::malformed("bodySHA256", "to appear only once")),
        ),
    ] {
        let request = post(url, &[("x-s", signature)], body.as_bytes());
        let got = scheme.verified(&key, &request, NOW).map(|_| ());
        assert_eq!(got, expected, "{url} {body}");
        // The platform may know another URL than the one that was called.
        let called = post("http://10.0.0.1/", &[("x-s", signature)], body.as_bytes());
        assert_eq!(scheme.with_url(url).verified(&key, &called, NOW).map(|_| ()), got, "{url} {body}");
    }
    // A URL that is not signed vouches for no hash.
    let (scheme, key) = entry("{form}");
    let request = post(&unsigned_hash, &[("x-s", FORM)], br#"{"a":1}"#);
    assert_eq!(scheme.verified(&key, &request, NOW).err(), Some(Reject::missing("bodySHA256")));
}
