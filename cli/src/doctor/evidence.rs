//! What a refusal means where no hypothesis is proven: its message, and what the request shows.

use std::collections::BTreeSet;

use letterbox_codec::{
    Reject, Stage, content_encoding::ContentEncoding, credentials::CredentialsError, jwe::Token,
    provider::Refused, reject::JsonPart, signature::fields::Form,
};
use letterbox_intake::settings::StartError;
use letterbox_registry::{PROVIDERS, Platform};
use serde_json::{Map, Value};

use super::{
    causes,
    diagnosis_input::{DiagnosisInput, Refusal},
    finding::Finding,
    hypotheses::Search,
    keys::{is_psk, key_tables, kid_for_display},
    recognised::{Recognised, body_kind, generation, secret_kind, signature_kind},
    signing::{Signing, bytes_of, facts, schemes},
};
use crate::formats::json_style::Json;

/// What is plain before anything is tried.
pub fn at_once(delivery: &DiagnosisInput, refusal: &Refusal) -> Option<Finding> {
    let (reject, stage) = match refusal {
        Refusal::NoCredentials => return Some(no_credentials(delivery)),
        Refusal::Start(_) => return None,
        Refusal::Refused(Refused { reject, stage, .. }) => (reject, stage),
    };
    if let Reject::TooLarge { .. } = reject {
        let detail = format!("It has {} bytes; {}.", delivery.request.body().len(), reject.message());
        return Some(Finding::new(&causes::TOO_LARGE, detail));
    }
    let is_empty = delivery.request.body().is_empty() && matches!(stage, Stage::Form | Stage::Key);
    is_empty.then(|| Finding::new(&causes::BODY_EMPTY, ""))
}

fn no_credentials(delivery: &DiagnosisInput) -> Finding {
    let known: Vec<_> = delivery.credentials.providers().collect();
    let (provider, known) = (delivery.provider.name(), known.join(", "));
    let detail = format!("The URL names {provider}; the credentials have {known}.");
    marked(delivery).unwrap_or_else(|| Finding::new(&causes::CREDENTIALS_MISSING, detail))
}

/// The finding of a delivery that has the mark of another provider, and not that of its own.
fn marked(delivery: &DiagnosisInput) -> Option<Finding> {
    let mark_of = |provider: &dyn Platform| {
        provider.facts().mark.as_ref().filter(|mark| (mark.is_on)(&delivery.request))
    };
    if mark_of(delivery.provider).is_some() {
        return None;
    }
    let (provider, mark) = PROVIDERS.iter().find_map(|provider| Some((provider, mark_of(*provider)?)))?;
    let (asked, about) = (delivery.provider.name(), mark.about);
    let finding = Finding::new(&causes::WRONG_PROVIDER, format!("The URL names {asked}. {about}"));
    Some(finding.remedy(format!("Set the URL of a source of {} in the platform's console.", provider.name())))
}

/// The finding that the refusal alone leads to.
pub fn from_refusal(delivery: &DiagnosisInput, refusal: &Refusal, search: &Search) -> Finding {
    match refusal {
        Refusal::NoCredentials => no_credentials(delivery),
        Refusal::Start(error) => start(delivery, error),
        Refusal::Refused(Refused { reject, stage, .. }) => {
            let marked = if *stage == Stage::Form { marked(delivery) } else { None };
            marked.unwrap_or_else(|| rejected(delivery, *stage, reject, search))
        }
    }
}

/// The finding of credentials with which the function does not start.
fn start(delivery: &DiagnosisInput, error: &StartError) -> Finding {
    let field = match error {
        StartError::Credentials { error: CredentialsError::Entry { error, .. }, .. } => {
            error.field.as_deref()
        }
        _ => None,
    };
    let (cause, count) = match field {
        Some("aes_key") => (&causes::AES_KEY_LENGTH, aes_key_lengths(delivery)),
        Some("keys")
            if delivery.provider.facts().key_header.is_none()
                && key_tables(delivery).iter().any(has_a_key_of_another_length) =>
        {
            (&causes::PSK_LENGTH, String::new())
        }
        _ => (&causes::CREDENTIALS_INVALID, String::new()),
    };
    Finding::new(cause, format!("{error}.{count}"))
}

fn aes_key_lengths(delivery: &DiagnosisInput) -> String {
    let lengths: Vec<_> =
        delivery.texts("aes_key").iter().map(|(_, text)| text.chars().count().to_string()).collect();
    if lengths.is_empty() { String::new() } else { format!(" It has {}.", lengths.join(" and ")) }
}

fn has_a_key_of_another_length(table: &Map<String, Value>) -> bool {
    table.values().any(|key| key.as_str().is_some_and(|key| !is_psk(key)))
}

fn rejected(delivery: &DiagnosisInput, stage: Stage, reject: &Reject, search: &Search) -> Finding {
    let said = format!("{}.", reject.message());
    match reject {
        Reject::MethodNotAllowed => Finding::new(&causes::WRONG_METHOD, ""),
        Reject::UnknownSource => {
            let sources = delivery.sources(delivery.provider.name());
            let known: Vec<_> = sources.keys().map(|name| format!("{name:?}")).collect();
            let detail =
                format!("It names {:?}; the credentials have {}.", delivery.source, known.join(", "));
            Finding::new(&causes::UNKNOWN_SOURCE, detail)
        }
        Reject::TooLarge { .. } => Finding::new(&causes::TOO_LARGE, said),
        Reject::Missing { field } | Reject::Malformed { field, .. } => part(delivery, stage, field, &said),
        Reject::InvalidJson(JsonPart::Body) => {
            let detail = format!("It is no JSON object.{}", body_of(delivery));
            Finding::new(&causes::BODY_MALFORMED, detail)
        }
        Reject::InvalidJson(JsonPart::Payload | JsonPart::AnyPayload) | Reject::NotUtf8 => {
            Finding::new(&causes::PAYLOAD_INVALID, format!("{said}{}", body_of(delivery)))
        }
        Reject::UnhandledEventType => Finding::new(&causes::EVENT_TYPE_NOT_ACCEPTED, ""),
        Reject::MalformedJwe { .. } => {
            Finding::new(&causes::JWE_MALFORMED, format!("{said}{}", token_form(delivery)))
        }
        Reject::UnsupportedAlgorithm { .. } if is_token(delivery) => {
            Finding::new(&causes::JWE_ALGORITHM, said)
        }
        Reject::UnsupportedAlgorithm { .. } => Finding::new(&causes::SIGNATURE_WRONG_ALGORITHM, said)
            .remedy("Choose RSA and AES (not SM2 and SM4, and not SHA-1) for the signature in the platform's console."),
        Reject::MissingSignature => missing(delivery),
        Reject::MalformedSignature => malformed(delivery),
        Reject::SignatureMismatch if delivery.is_sealed() => Finding::new(
            &causes::TOKEN_MISMATCH,
            "The aes_key does not decrypt the message either: it is another app's, or it was changed in transit.",
        ),
        Reject::SignatureMismatch if delivery.names_certificate() => {
            Finding::new(&causes::CERTIFICATE_MISMATCH, tried(search).trim_start())
        }
        Reject::SignatureMismatch => mismatch(delivery, search),
        Reject::Unsigned { .. } => Finding::new(&causes::RAW_DELIVERY, ""),
        Reject::UntrustedCertificateUrl => Finding::new(&causes::CERTIFICATE_URL, ""),
        Reject::CertificateUnavailable => Finding::new(&causes::CERTIFICATE_NEEDED, ""),
        Reject::CertificateInvalid => Finding::new(&causes::CERTIFICATE_INVALID, ""),
        Reject::OwnerKeyMismatch if delivery.names_certificate() => Finding::new(&causes::TOPIC_MISMATCH, ""),
        Reject::BodyHashMismatch => Finding::new(
            &causes::BODY_CHANGED,
            "The signature is valid, but the body does not have the hash that the URL has.",
        ),
        Reject::MalformedTimestamp => Finding::new(&causes::TIMESTAMP_MALFORMED, ""),
        Reject::TimestampOutOfRange => Finding::new(&causes::TIMESTAMP_STALE, ""),
        Reject::InvalidBase64 if !delivery.is_sealed() => Finding::new(
            &causes::BODY_MALFORMED,
            "The signature is valid, but the ciphertext in the body is not base64.",
        ),
        Reject::InvalidBase64 | Reject::CiphertextLength => Finding::new(
            &causes::BODY_MALFORMED,
            "The signature is valid, but `encrypt` is not base64 of whole AES blocks.",
        ),
        // With a wrong key noise can have a padding, but hardly an owner key that is a text.
        Reject::OwnerKeyMismatch if !delivery.is_sealed() => Finding::new(&causes::APP_ID_MISMATCH, ""),
        Reject::InvalidPadding | Reject::MessageLength | Reject::OwnerKeyMismatch => {
            Finding::new(&causes::AES_KEY_MISMATCH, "")
        }
        Reject::UnknownKid if delivery.provider.facts().key_header.is_some() => {
            Finding::new(&causes::KEY_ID_UNKNOWN, named_key(delivery))
        }
        Reject::InvalidXml if stage == Stage::Form => Finding::new(&causes::BODY_MALFORMED, said),
        Reject::InvalidXml => Finding::new(&causes::PAYLOAD_INVALID, said),
        Reject::TokenMismatch => {
            Finding::new(&causes::TOKEN_MISMATCH, "It is the token in the payload that does not match.")
                .remedy("Copy the `verification_token` from the platform's console again.".to_owned())
        }
        Reject::NotEncrypted => Finding::new(
            &causes::CREDENTIALS_INVALID,
            "The body is in clear, and the entry has an `encrypt_key`.",
        )
        .remedy(
            "Set the Encrypt Key in the platform's console, or remove `encrypt_key` from the entry."
                .to_owned(),
        ),
        Reject::NoEncryptKey => Finding::new(
            &causes::CREDENTIALS_INVALID,
            "The body is encrypted, and the entry has no `encrypt_key`.",
        )
        .remedy("Set the entry's `encrypt_key` to the Encrypt Key of the platform's console.".to_owned()),
        Reject::UnknownKid => Finding::new(&causes::JWE_UNKNOWN_KID, kids(delivery)),
        Reject::KeyUnwrap => Finding::new(&causes::JWE_KEY_MISMATCH, kids(delivery)),
        Reject::AuthenticationFailed if !is_token(delivery) => {
            Finding::new(&causes::RESOURCE_KEY_MISMATCH, "")
        }
        Reject::AuthenticationFailed => Finding::new(
            &causes::BODY_CHANGED,
            "The key matches, but the tag is not that of header and content.",
        ),
    }
}

/// A part that is missing or malformed: of the request, or of the payload.
fn part(delivery: &DiagnosisInput, stage: Stage, field: &str, said: &str) -> Finding {
    let is_robot = delivery.header("sign").is_some() && delivery.header("timestamp").is_some();
    // A type may stand in a header of any name; those of the presets start with `x-`, and no member does.
    let is_header = field.to_ascii_lowercase().starts_with("x-")
        || delivery.texts("type_header").iter().any(|(_, name)| name.eq_ignore_ascii_case(field))
        || stage == Stage::Form && delivery.header(field).is_some();
    let query = delivery.request.uri().query().unwrap_or_default();
    let is_there = is_header && delivery.header(field).is_some() || query.contains(&format!("{field}="));
    match (stage, field) {
        (Stage::Form, _) if is_robot => Finding::new(&causes::ROBOT_MESSAGE, ""),
        (Stage::Form, "encrypt") => Finding::new(&causes::BODY_MALFORMED, said),
        (Stage::Form, "msg_signature") if !is_there => {
            Finding::new(&causes::SIGNATURE_MISSING, "The query has neither `msg_signature` nor `signature`.")
        }
        (Stage::Form, _) if is_there => Finding::new(&causes::PARAMETER_MALFORMED, said),
        (Stage::Form, _) => Finding::new(&causes::PARAMETER_MISSING, said),
        _ if is_header && is_there => Finding::new(&causes::PARAMETER_MALFORMED, said),
        _ if is_header => Finding::new(&causes::PARAMETER_MISSING, format!("{field}: missing.")),
        _ => Finding::new(&causes::PAYLOAD_INVALID, said),
    }
}

/// What the bytes of a body show, as a further sentence.
fn body_of(delivery: &DiagnosisInput) -> String {
    body_kind(delivery.request.body()).map(|kind| format!(" {kind}")).unwrap_or_default()
}

/// A finding with what was recognised, if anything was.
fn with(finding: Finding, recognised: Option<Recognised>) -> Finding {
    match recognised {
        Some(Recognised { detail, remedy }) => {
            let detail = format!("{} {detail}", finding.detail).trim().to_owned();
            Finding { detail, remedy: Some(remedy), ..finding }
        }
        None => finding,
    }
}

/// Which of the headers of a scheme are absent, and which others could be meant.
fn missing(delivery: &DiagnosisInput) -> Finding {
    if delivery.names_certificate() {
        return Finding::new(&causes::SIGNATURE_MISSING, "The body has no `Signature`, or an empty one.")
            .remedy("Pass the raw body to the function, with all of its fields.");
    }
    // The keys of a rotation mostly require the same headers.
    let required: BTreeSet<_> =
        schemes(delivery).iter().flat_map(Signing::names).chain(delivery.signature_headers()).collect();
    let is_absent = |name: &&String| delivery.header(name).is_none_or(|value| value.trim().is_empty());
    let absent: Vec<_> = required.iter().filter(is_absent).map(String::as_str).collect();
    let mut detail = match absent.as_slice() {
        [] => String::new(),
        names => format!("The request has no {}, or an empty one.", names.join(", no ")),
    };
    let names = delivery.request.headers().keys().map(http::HeaderName::as_str);
    let similar: Vec<_> = names
        .filter(|name| ["sign", "hmac", "digest"].iter().any(|part| name.contains(part)))
        .filter(|name| !required.iter().any(|required| name.starts_with(&required.to_ascii_lowercase())))
        .collect();
    if !similar.is_empty() {
        detail += &format!(" It has {}, with which the signature is not valid either.", similar.join(", "));
    }
    let mut finding = Finding::new(&causes::SIGNATURE_MISSING, detail.trim_start());
    if has_public_keys(delivery, &schemes(delivery)) {
        finding = finding.remedy("Configure the proxy to forward all headers and the whole body unchanged.");
    }
    with(finding, generation(delivery))
}

/// The signature header that a scheme reads, and what its value is, where that is no signature of the scheme.
fn kind_of_signature(delivery: &DiagnosisInput, signing: &Signing) -> Option<Recognised> {
    let header = signing.name(&signing.scheme.header);
    let value = delivery.request.headers().get(&header)?.to_str().ok()?;
    let (_, words, length) = facts(signing.scheme.algorithm);
    // Among several, one of the right length is the signature.
    let values: Vec<_> = match &signing.scheme.separator {
        Some(separator) => value.split(separator.as_str()).collect(),
        None => vec![value],
    };
    let kinds =
        values.iter().map(|value| signature_kind(&header, value, (words, length?), signing.fixed.is_none()));
    kinds.collect::<Option<Vec<_>>>()?.into_iter().next()
}

fn malformed(delivery: &DiagnosisInput) -> Finding {
    let schemes = schemes(delivery);
    let Some(signing) = schemes.first() else {
        let repeated = matches!(Form::parse(delivery.request.body()), Err(Reject::MalformedSignature));
        let detail = if repeated { "A field of the form appears twice." } else { "" };
        let remedy = "Configure the proxy to forward the body unchanged: each field once, as it came.";
        return Finding::new(&causes::SIGNATURE_MALFORMED, detail).remedy(remedy);
    };
    let (scheme, header) = (&signing.scheme, signing.name(&signing.scheme.header));
    let count = delivery.request.headers().get_all(&header).iter().count();
    if count > 1 {
        let detail = format!("{header} comes {count} times; no single one of them is valid.");
        return Finding::new(&causes::SIGNATURE_MALFORMED, detail);
    }
    if let Some(older) = generation(delivery) {
        return with(Finding::new(&causes::SIGNATURE_MALFORMED, ""), Some(older));
    }
    if let Some(kind) = kind_of_signature(delivery, signing) {
        return with(Finding::new(&causes::SIGNATURE_WRONG_ALGORITHM, ""), Some(kind));
    }
    let keys =
        [&scheme.timestamp_key, &scheme.signature_key].map(|key| key.as_ref().map(|key| format!("`{key}=`")));
    let keys: Vec<_> = keys.into_iter().flatten().collect();
    let detail = match (keys.as_slice(), scheme.prefix.as_str()) {
        ([], "") => format!("{header} does not contain a signature."),
        ([], prefix) => format!("{header} does not contain a signature with the prefix `{prefix}`."),
        (keys, _) => format!("{header} does not contain {} once each.", keys.join(" and ")),
    };
    Finding::new(&causes::SIGNATURE_MALFORMED, detail)
}

/// A signature that is invalid under every hypothesis: what of the request speaks for which cause, what was tried, and
/// what could not be.
fn mismatch(delivery: &DiagnosisInput, search: &Search) -> Finding {
    let length = delivery.request.body().len();
    let sent = delivery.header("content-length").and_then(|length| length.trim().parse::<usize>().ok());
    if let Some(sent) = sent.filter(|sent| *sent != length) {
        let detail = format!("The sender announced {sent} bytes (Content-Length), and {length} came.");
        return Finding::new(&causes::BODY_CHANGED, detail);
    }
    let coding = delivery
        .header("content-encoding")
        .filter(|_| ContentEncoding::of(delivery.request.headers()).is_some());
    if let Some(coding) = coding.filter(|_| std::str::from_utf8(delivery.request.body()).is_ok()) {
        let detail = format!(
            "The header `Content-Encoding: {coding}` says that the body is compressed, and it is not: it was unpacked in transit. If the signature covers the compressed bytes, it cannot be verified any more."
        );
        let remedy = "Configure the proxy to forward the body as it comes, compressed, with its headers. If the platform signs the unpacked body, copy the secret from its console again.";
        return Finding::new(&causes::BODY_CHANGED, detail).remedy(remedy);
    }
    let schemes = schemes(delivery);
    for signing in schemes.iter().filter(|signing| signing.is_bare()) {
        let header = signing.name(&signing.scheme.header);
        let Some(value) = delivery.request.headers().get(&header) else { continue };
        let value = value.to_str().unwrap_or_default();
        if let Some(older) = generation(delivery) {
            return with(Finding::new(&causes::SIGNATURE_WRONG_ALGORITHM, ""), Some(older));
        }
        if let Some(kind) = kind_of_signature(delivery, signing) {
            return with(Finding::new(&causes::SIGNATURE_WRONG_ALGORITHM, ""), Some(kind));
        }
        let (_, words, length) = facts(signing.scheme.algorithm);
        let elements = match &signing.scheme.separator {
            Some(separator) => value.split(separator.as_str()).collect(),
            None => vec![value],
        };
        let is_whole =
            |value: &&str| bytes_of(value).is_some_and(|bytes| length.is_none_or(|length| bytes == length));
        if !elements.iter().any(is_whole) {
            let size = length.map(|length| format!(" of {length} bytes")).unwrap_or_default();
            let detail =
                format!("{header} does not contain {words}{size} in hex or base64; it may be cut off.");
            return Finding::new(&causes::SIGNATURE_MALFORMED, detail);
        }
    }
    let is_public = has_public_keys(delivery, &schemes);
    let cause = if is_public { &causes::PUBLIC_KEY_MISMATCH } else { &causes::SECRET_MISMATCH };
    let finding = Finding::new(cause, [hints(delivery, &schemes), tried(search)].concat().trim_start());
    if schemes.iter().any(Signing::covers_url) {
        let remedy = format!(
            "{} If the platform knows the webhook under another URL than the one that was called (another domain, path or port), set the entry's `url` to that URL.",
            cause.remedy
        );
        return finding.remedy(remedy);
    }
    finding
}

/// True if the source verifies with public keys alone: by its schemes, or by its entries where it has none.
fn has_public_keys(delivery: &DiagnosisInput, schemes: &[Signing]) -> bool {
    let is_public = |entry: &Map<String, Value>| entry.contains_key("public_key");
    match schemes {
        [] => delivery.provider.facts().key_header.is_some() || delivery.entries().iter().any(is_public),
        schemes => schemes.iter().all(Signing::is_public),
    }
}

/// What was seen that can be the reason, or has nothing to do with it.
fn hints(delivery: &DiagnosisInput, schemes: &[Signing]) -> String {
    let mut hints = String::new();
    if let Some(kind) = schemes.iter().filter_map(Signing::secret).find_map(secret_kind) {
        hints += &format!(" The stored secret looks like {kind}; check that it is the signing secret.");
    }
    if schemes.iter().any(Signing::covers_url) {
        hints += &format!(
            " The signature covers the URL, and the request came to {}; the platform may know the webhook under another one.",
            without_query(&delivery.request.uri().to_string())
        );
    }
    if schemes.iter().any(|signing| signing.scheme.algorithm.sends_secret()) {
        hints += " The request carries the secret itself and no signature, so the body does not matter.";
    }
    let body = String::from_utf8_lossy(delivery.request.body());
    if body.contains('\u{fffd}') {
        hints += " The body contains U+FFFD, which stands for bytes that were not valid in the encoding with which it was read: something may have decoded it in transit.";
    }
    if delivery.body_object().is_some_and(|body| Json::new(&body).is_sorted()) {
        hints +=
            " The keys of the JSON are in alphabetical order: something may have sorted them in transit.";
    }
    hints
}

fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(url, _)| url)
}

/// What was tried without success.
fn tried(search: &Search) -> String {
    let left_out =
        if search.complete { "" } else { " Not all combinations were tried, because of their number." };
    match search.about.as_slice() {
        [] => String::new(),
        about => format!(
            " Tried without success, {} variants in all: {}.{left_out}",
            search.attempts,
            about.join(", ")
        ),
    }
}

/// What a body that is no compact JWE is instead.
fn token_form(delivery: &DiagnosisInput) -> &'static str {
    let body = delivery.request.body();
    let dots = body.split(|byte| *byte == b'.').count().saturating_sub(1);
    match (body.trim_ascii().first(), dots) {
        (Some(b'{'), _) => " It is JSON: the JSON serialisation of a JWE, or no JWE at all.",
        (Some(b'<'), _) => " It is XML or HTML.",
        (_, 2) => " It has three segments: that is a JWS, signed and not encrypted.",
        _ => "",
    }
}

/// True if the body is a compact JWE, if only one that is refused.
fn is_token(delivery: &DiagnosisInput) -> bool {
    match Token::parse(delivery.request.body()) {
        Ok(_) => true,
        Err(rejected) => matches!(rejected.reject, Reject::UnsupportedAlgorithm { .. }),
    }
}

/// Which key a header names, by its last characters, and how many there are.
fn named_key(delivery: &DiagnosisInput) -> String {
    let header = delivery.provider.facts().key_header.unwrap_or_default();
    let id = delivery.header(header).unwrap_or_default();
    let end: String = id.chars().skip(id.chars().count().saturating_sub(4)).collect();
    let count: usize = key_tables(delivery).iter().map(Map::len).sum();
    format!(
        "The header {header} names the one that ends with {end:?}; the source has {count}, and not that one."
    )
}

/// Which kid a query names, and which there are.
fn kids(delivery: &DiagnosisInput) -> String {
    let token = Token::parse(delivery.request.body()).ok();
    let named = match token.and_then(|token| token.header.kid) {
        Some(kid) => format!("The query names the kid {}", kid_for_display(&kid)),
        None => "The query's `kid` is missing, or not a text".to_owned(),
    };
    let known: Vec<_> = key_tables(delivery)
        .iter()
        .flat_map(|table| table.keys().map(|kid| kid_for_display(kid)).collect::<Vec<_>>())
        .collect();
    format!("{named}; the source has {}.", known.join(", "))
}
