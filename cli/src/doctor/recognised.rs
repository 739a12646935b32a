//! What a request or a secret is recognised as by its own marks: older products of a platform, kinds of signatures,
//! kinds of keys. Nothing here is proven by a signature: each is an observation about bytes, and said as such.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use letterbox_codec::form;
use serde_json::Value;

use super::{diagnosis_input::DiagnosisInput, signing::bytes_of};

/// Where a mark is found.
enum Place {
    /// A header of this name.
    Header(&'static str),
    /// A header of this name with this text in it.
    InHeader(&'static str, &'static str),
    /// A field of a form.
    Form(&'static str),
    /// A field of a JSON object.
    Json(&'static str),
    /// A text in the body.
    Body(&'static str),
}

/// Deliveries of a product, or of an older generation of one, that has another way to prove itself.
struct Generation {
    /// The marks that it has, all of them.
    marks: &'static [Place],
    /// The marks of the newer generation, none of which it has.
    but_not: &'static [Place],
    /// What was recognised.
    detail: &'static str,
    /// What to do.
    remedy: &'static str,
}

/// Facts of the platforms' documents, read on 2026-11-26.
const GENERATIONS: &[Generation] = &[
    // https://classic.paddle.com/webhooks/verifying-webhooks/
    Generation {
        marks: &[Place::Form("p_signature")],
        but_not: &[Place::Header("paddle-signature")],
        detail: "The body is a form with `p_signature`: a webhook of Paddle Classic, the older product, which signs the form's fields with an RSA key.",
        remedy: "Letterbox does not verify webhooks of Paddle Classic. Remove this URL from its alerts, or create a notification destination in Paddle Billing, which sends JSON with the header Paddle-Signature.",
    },
    // https://docs.stripe.com/webhooks#verify-manually
    Generation {
        marks: &[Place::InHeader("stripe-signature", "v0=")],
        but_not: &[Place::InHeader("stripe-signature", "v1=")],
        detail: "Stripe-Signature has a signature `v0`, which Stripe adds to test events and which proves nothing, and no `v1`.",
        remedy: "Configure the sender to sign with the scheme `v1`, and the proxy to forward the header unchanged.",
    },
    // https://legacydocs.hubspot.com/docs/faq/validating-requests-from-hubspot
    Generation {
        marks: &[Place::Header("x-hubspot-signature")],
        but_not: &[Place::Header("x-hubspot-signature-v3")],
        detail: "The header X-HubSpot-Signature is the older version of HubSpot's signature (v1 or v2): a SHA-256 of the secret and the request, and no HMAC. X-HubSpot-Signature-v3 is missing.",
        remedy: "Letterbox verifies version v3. Configure the proxy to forward X-HubSpot-Signature-v3 and X-HubSpot-Request-Timestamp; if HubSpot does not send them, subscribe to the webhook in an app that has v3.",
    },
    // https://api.slack.com/authentication/verifying-requests-from-slack
    Generation {
        marks: &[Place::Json("token"), Place::Json("team_id"), Place::Json("api_app_id")],
        but_not: &[Place::Header("x-slack-signature")],
        detail: "The body has `token`, Slack's deprecated verification token, and the request has no X-Slack-Signature.",
        remedy: "Set the app's signing secret in the entry, and configure the proxy to forward X-Slack-Signature and X-Slack-Request-Timestamp. Letterbox does not accept the verification token.",
    },
    Generation {
        marks: &[Place::Form("token"), Place::Form("team_id")],
        but_not: &[Place::Header("x-slack-signature")],
        detail: "The form has `token`, Slack's deprecated verification token, and the request has no X-Slack-Signature.",
        remedy: "Set the app's signing secret in the entry, and configure the proxy to forward X-Slack-Signature and X-Slack-Request-Timestamp. Letterbox does not accept the verification token.",
    },
    // https://developer.squareup.com/docs/webhooks-api/validate-notifications-v1
    Generation {
        marks: &[Place::Header("x-square-signature")],
        but_not: &[Place::Header("x-square-hmacsha256-signature")],
        detail: "The header x-square-signature is Square's older signature (HMAC-SHA-1). x-square-hmacsha256-signature is missing.",
        remedy: "Configure the proxy to forward x-square-hmacsha256-signature; a subscription of Square's v1 webhooks does not have it and must be replaced.",
    },
    // https://developer.paypal.com/api/nvp-soap/ipn/
    Generation {
        marks: &[Place::Form("ipn_track_id"), Place::Form("verify_sign")],
        but_not: &[],
        detail: "The body is an Instant Payment Notification (IPN) of PayPal, an older product that is confirmed by a call to PayPal and not by a signature.",
        remedy: "Letterbox does not verify IPN. Remove this URL from the IPN settings.",
    },
    // https://pay.weixin.qq.com/wiki/doc/api/jsapi.php?chapter=9_7
    Generation {
        marks: &[Place::Body("<mch_id>"), Place::Body("<sign>")],
        but_not: &[Place::Header("wechatpay-signature")],
        detail: "The body is XML with `sign`: a notification of WeChat Pay's API v2, the older one, which signs with MD5 or HMAC-SHA-256 over sorted fields.",
        remedy: "Use API v3 of WeChat Pay for this notification; Letterbox does not verify v2.",
    },
    // https://open.dingtalk.com/document/orgapp/receive-message
    Generation {
        marks: &[Place::Header("sign"), Place::Header("timestamp")],
        but_not: &[],
        detail: "The headers `timestamp` and `sign` are those of a DingTalk robot's outgoing message; they do not cover the body.",
        remedy: "Subscribe to event push in the console; Letterbox does not accept robot messages.",
    },
    // https://docs.gitlab.com/user/project/integrations/webhooks/
    Generation {
        marks: &[Place::Header("x-gitlab-token")],
        but_not: &[Place::Header("webhook-signature")],
        detail: "The header X-Gitlab-Token contains the secret itself, and no signature.",
        remedy: "Describe the sender with `\"algorithm\": \"token\"` and `\"header\": \"x-gitlab-token\"`.",
    },
    // https://core.telegram.org/bots/api#setwebhook
    Generation {
        marks: &[Place::Header("x-telegram-bot-api-secret-token")],
        but_not: &[],
        detail: "The header X-Telegram-Bot-Api-Secret-Token contains the secret itself, and no signature.",
        remedy: "Describe the sender with `\"algorithm\": \"token\"` and `\"header\": \"x-telegram-bot-api-secret-token\"`.",
    },
    // https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
    Generation {
        marks: &[Place::Json("SigningCertURL"), Place::Json("Signature")],
        but_not: &[],
        detail: "The body is a message of Amazon SNS, which is signed with the key of a certificate, in the body itself.",
        remedy: "Set the URL of a provider for Amazon SNS in the subscription.",
    },
];

impl Place {
    fn is_in(&self, delivery: &DiagnosisInput) -> bool {
        let body = delivery.request.body();
        let headers = |name: &str| delivery.request.headers().get_all(name).iter();
        match self {
            Self::Header(name) => headers(name).next().is_some(),
            Self::InHeader(name, text) => {
                headers(name).any(|value| value.to_str().is_ok_and(|value| value.contains(text)))
            }
            Self::Form(field) => {
                !body.starts_with(b"{") && form::one(body, field).is_ok_and(|value| value.is_some())
            }
            Self::Json(field) => {
                delivery.body_object().is_some_and(|body| matches!(body.get(field), Ok(Some(_))))
            }
            Self::Body(text) => String::from_utf8_lossy(body).contains(text),
        }
    }
}

/// What was recognised, and what to do about it, in whole sentences.
pub struct Recognised {
    /// What was recognised.
    pub detail: String,
    /// What to do.
    pub remedy: String,
}

/// The product, or the older generation of one, that a delivery without the required signature is of.
pub fn generation(delivery: &DiagnosisInput) -> Option<Recognised> {
    let found = GENERATIONS.iter().find(|generation| {
        generation.marks.iter().all(|mark| mark.is_in(delivery))
            && !generation.but_not.iter().any(|mark| mark.is_in(delivery))
    })?;
    Some(Recognised { detail: found.detail.to_owned(), remedy: found.remedy.to_owned() })
}

/// A kind of signature that is not an HMAC with one of the supported hashes.
struct Kind {
    /// Words in the header's name, or before the signature, that name it.
    words: &'static [&'static str],
    /// What it is.
    name: &'static str,
    /// The `algorithm` of an entry, if it can be verified.
    algorithm: Option<&'static str>,
}

/// The kinds that go by a name, the more special first.
const KINDS: &[Kind] = &[
    Kind { words: &["v1a,", "ed25519", "eddsa"], name: "an Ed25519 signature", algorithm: Some("ed25519") },
    Kind { words: &["sm2"], name: "an SM2 signature", algorithm: None },
    Kind { words: &["sm3"], name: "an SM3 digest", algorithm: None },
    Kind { words: &["-----begin pgp", "pgp", "gpg"], name: "a PGP signature", algorithm: None },
    Kind {
        words: &["rsa-sha256", "rsa256", "rs256", "rsa_sha256"],
        name: "an RSA signature with SHA-256",
        algorithm: Some("rsa-sha256"),
    },
    Kind { words: &["rsa-sha1", "rsa-sha512", "rs512", "rsa"], name: "an RSA signature", algorithm: None },
    Kind {
        words: &["ecdsa", "es256", "email-event-webhook-signature"],
        name: "an ECDSA signature",
        algorithm: Some("ecdsa-p256"),
    },
    Kind { words: &["sha384", "sha-384", "hs384"], name: "a digest with SHA-384", algorithm: None },
    Kind { words: &["sha224", "sha-224"], name: "a digest with SHA-224", algorithm: None },
    Kind { words: &["sha3-", "keccak"], name: "a digest with SHA-3", algorithm: None },
    Kind { words: &["blake2", "blake3"], name: "a digest with BLAKE", algorithm: None },
    Kind { words: &["md5"], name: "a digest with MD5", algorithm: None },
    Kind { words: &["crc32"], name: "a CRC-32 checksum", algorithm: None },
];

/// What a signature can be by its length in bytes.
const LENGTHS: &[(std::ops::RangeInclusive<usize>, &str)] = &[
    (16..=16, "a digest with MD5"),
    (20..=20, "an HMAC-SHA-1"),
    (28..=28, "a digest with SHA-224"),
    (32..=32, "an HMAC-SHA-256"),
    (48..=48, "a digest with SHA-384"),
    (64..=64, "an HMAC-SHA-512, or an Ed25519, ECDSA or SM2 signature"),
    (128..=128, "an RSA signature"),
    (256..=256, "an RSA signature"),
    (384..=384, "an RSA signature"),
    (512..=512, "an RSA signature"),
];

/// What the value of a signature header is, where it is not the HMAC of the required length.
pub fn signature_kind(
    header: &str,
    value: &str,
    required: (&str, usize),
    can_change: bool,
) -> Option<Recognised> {
    let value = value.trim();
    if let Some(algorithm) = jws(value) {
        let detail = format!("The value of {header} is a JWT or JWS{algorithm}, and no HMAC of the body.");
        let remedy = "Letterbox does not verify JWS. Configure the sender to sign with an HMAC.".to_owned();
        return Some(Recognised { detail, remedy });
    }
    let (_, needed) = required;
    let length = bytes_of(value);
    if length == Some(needed) && !value.starts_with("v1a,") {
        return None;
    }
    let (name, before) = (header.to_ascii_lowercase(), text_before(value));
    let named = KINDS.iter().find(|kind| {
        kind.words.iter().any(|word| {
            before.contains(word) || name.split(['-', '_']).any(|part| part == *word) || name.ends_with(word)
        })
    });
    // A header whose name is that of the required algorithm has a broken signature, not one of another algorithm.
    if named.is_some_and(|kind| kind.name.contains(required.0)) {
        return None;
    }
    let is_der = |length: usize| (68..=72).contains(&length) && first_byte(value) == Some(0x30);
    let size = length
        .map(|length| format!(" It has {length} bytes; {} has {needed}.", required.0))
        .unwrap_or_default();
    let (kind, algorithm) = match (named, length) {
        (Some(kind), _) => (kind.name.to_owned(), kind.algorithm),
        (None, Some(length)) if is_der(length) => {
            ("an ECDSA or SM2 signature in DER, by its length and first byte".to_owned(), Some("ecdsa-p256"))
        }
        (None, Some(length)) => {
            let (_, kind) = LENGTHS.iter().find(|(lengths, _)| lengths.contains(&length))?;
            (format!("perhaps {kind}, by its length"), kind.starts_with("an RSA").then_some("rsa-sha256"))
        }
        (None, None) => return None,
    };
    let detail = format!("The value of {header} is {kind}.{size}");
    let remedy = match algorithm {
        Some(algorithm) if can_change => format!(
            "Configure the sender to sign with the required HMAC. If the sender signs with a private key, set `\"algorithm\": \"{algorithm}\"`, and the sender's public key as `public_key` in place of `secret`."
        ),
        _ => format!("Configure the sender to sign with {}.", required.0),
    };
    Some(Recognised { detail, remedy })
}

/// The text before a signature that can name its kind, in lower case.
fn text_before(value: &str) -> String {
    let end = value.find(['=', ',', ':']).map_or(0, |at| at.saturating_add(1));
    let begins = value.get(..end).unwrap_or_default().to_ascii_lowercase();
    // A structured header such as `keyId="…",algorithm="rsa-sha256"`.
    let lower = value.to_ascii_lowercase();
    let named =
        lower.split_once("algorithm=").or_else(|| lower.split_once("alg=")).map(|(_, rest)| rest.to_owned());
    let named = named.and_then(|rest| rest.split(',').next().map(str::to_owned)).unwrap_or_default();
    let armour = if lower.starts_with("-----begin pgp") { "-----begin pgp" } else { "" };
    format!("{begins}{named}{armour}")
}

/// The algorithm of a JWS by its header, as ` (RS256)`; `None` if the value is no JWS.
fn jws(value: &str) -> Option<String> {
    let token = value.rsplit([' ', '=']).find(|word| !word.is_empty())?;
    let [header, _, _] = token.split('.').collect::<Vec<_>>()[..] else { return None };
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let algorithm = header.get("alg")?.as_str()?;
    let is_name = algorithm.len() <= 8 && algorithm.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Some(if is_name { format!(" ({algorithm})") } else { String::new() })
}

fn first_byte(value: &str) -> Option<u8> {
    use base64::engine::general_purpose::STANDARD;
    let digits = value.rsplit(['=', ',', ':', ' ']).find(|word| word.len() > 4)?;
    let start = digits.get(..4)?;
    hex::decode(start).ok().or_else(|| STANDARD.decode(start).ok())?.first().copied()
}

/// What a stored secret is instead of a signing secret: how it begins, and what that is.
const SECRETS: &[(&str, &str)] = &[
    ("-----BEGIN PUBLIC KEY", "a public key (PEM)"),
    ("-----BEGIN RSA PUBLIC KEY", "a public key (PEM)"),
    ("-----BEGIN CERTIFICATE", "a certificate (PEM)"),
    ("-----BEGIN PGP", "a PGP key"),
    ("-----BEGIN", "a private key (PEM)"),
    ("whpk_", "a public key (`whpk_`)"),
    ("whsk_", "a private key (`whsk_`)"),
    ("ssh-", "an SSH key"),
    ("https://", "a URL"),
    ("http://", "a URL"),
    ("eyJ", "a JWT or other base64 of JSON"),
    ("{", "a JSON object"),
    ("ghp_", "a personal access token of GitHub"),
    ("github_pat_", "a personal access token of GitHub"),
    ("sk_live_", "an API key (`sk_live_`)"),
    ("sk_test_", "an API key (`sk_test_`)"),
    ("pk_live_", "an API key (`pk_live_`)"),
    ("pk_test_", "an API key (`pk_test_`)"),
    ("xoxb-", "an API token of Slack (`xoxb-`)"),
    ("arn:aws:", "the ARN of an AWS resource"),
    ("{{resolve:", "a CloudFormation reference that was not resolved"),
    ("${", "a placeholder that was not filled in"),
    ("$(", "a shell expression that was not evaluated"),
    ("<", "a placeholder that was not filled in"),
];

/// What a secret looks like, where that is no signing secret. Some platforms sign with what is an API key elsewhere, so
/// it is a hint and no cause.
pub fn secret_kind(secret: &str) -> Option<&'static str> {
    SECRETS.iter().find(|(begins, _)| secret.trim_start().starts_with(begins)).map(|(_, kind)| *kind)
}

/// What a body is that is no JSON object, as far as its bytes show.
pub fn body_kind(body: &[u8]) -> Option<String> {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    let mut rest = body;
    let mut marks = 0_usize;
    while let Some(after) = rest.strip_prefix(BOM) {
        rest = after;
        marks = marks.saturating_add(1);
    }
    let count = match marks {
        0 => None,
        1 => Some("a byte order mark (BOM)".to_owned()),
        marks => Some(format!("{marks} byte order marks (BOM), of which at most one is skipped")),
    };
    if let Some(count) = count {
        return Some(format!("It begins with {count}."));
    }
    let text = std::str::from_utf8(body);
    let kind = match (text.map(str::trim_start), body) {
        (_, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) => "It begins with the byte order mark of UTF-16.",
        (_, [0x1f, 0x8b, ..]) => "It is compressed with gzip.",
        (Err(_), _) => "It is not UTF-8.",
        (Ok(""), _) => "It is empty.",
        (Ok(text), _) if text.starts_with("<!DOCTYPE") || text.starts_with("<html") => "It is HTML.",
        (Ok(text), _) if text.starts_with('<') => "It is XML.",
        (Ok(text), _) if text.starts_with('[') => "It is a JSON array, or begins like one.",
        (Ok(text), _) if text.starts_with('{') => "It begins like a JSON object.",
        (Ok(text), _) if text.starts_with("--") => "It is a multipart body.",
        (Ok(text), _) if text.contains('=') && !text.contains(' ') => "It is a form.",
        _ => return None,
    };
    Some(kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_recognised_by_name_or_length() {
        let base64 = |length: usize| {
            use base64::engine::general_purpose::STANDARD;
            STANDARD.encode(vec![0x5a; length])
        };
        let kind = |header: &str, value: &str| {
            signature_kind(header, value, ("HMAC-SHA-256", 32), true).map(|found| found.detail)
        };
        for (header, value, expected) in [
            ("webhook-signature", format!("v1a,{}", base64(64)), "an Ed25519 signature"),
            ("x-signature-ed25519", "5a".repeat(64), "an Ed25519 signature"),
            ("x-signature", format!("sha384={}", "5a".repeat(48)), "SHA-384"),
            ("x-signature", "5a".repeat(48), "SHA-384"),
            ("x-signature", format!("md5={}", "5a".repeat(16)), "MD5"),
            ("x-sm2-signature", base64(64), "an SM2 signature"),
            ("x-signature", base64(256), "an RSA signature"),
            ("x-signature", "5a".repeat(64), "perhaps an HMAC-SHA-512, or an Ed25519"),
            ("x-signature", format!("3045{}", "5a".repeat(69)), "ECDSA or SM2 signature in DER"),
            ("x-signature", "eyJhbGciOiJSUzI1NiJ9..c2ln".to_owned(), "a JWT or JWS (RS256)"),
            (
                "signature",
                "keyId=\"a\",algorithm=\"rsa-sha256\",signature=\"aa\"".to_owned(),
                "an RSA signature with SHA-256",
            ),
            ("x-signature", "-----BEGIN PGP SIGNATURE----- iQ".to_owned(), "a PGP signature"),
        ] {
            let found = kind(header, &value).unwrap_or_else(|| panic!("{header}: {value}"));
            assert!(found.contains(expected), "{header}: {value}: {found}");
        }
        for (header, value) in [
            ("x-signature", "5a".repeat(32)),
            ("x-signature", "?".to_owned()),
            ("x-signature", String::new()),
        ] {
            assert_eq!(kind(header, &value), None, "{value}");
        }
    }

    #[test]
    fn bodies_are_recognised_by_their_bytes() {
        for (body, expected) in [
            (&b"\xef\xbb\xbf{}"[..], Some("It begins with a byte order mark (BOM).")),
            (
                b"\xef\xbb\xbf\xef\xbb\xbf{}",
                Some("It begins with 2 byte order marks (BOM), of which at most one is skipped."),
            ),
            (b"<a/>", Some("It is XML.")),
            (b"[1]", Some("It is a JSON array, or begins like one.")),
            (b"a=b", Some("It is a form.")),
            (b"\xff\xfea", Some("It begins with the byte order mark of UTF-16.")),
            (b"hello", None),
        ] {
            assert_eq!(body_kind(body).as_deref(), expected);
        }
    }
}
