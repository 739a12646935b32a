//! What a refusal means where no hypothesis opens the delivery: its words, and what shows in the request.

use std::collections::BTreeSet;

use letterbox_codec::{
    Reject, Stage, jwe::Token, provider::Refused, reject::JsonPart, signature::Description,
};
use letterbox_registry::{PROVIDERS, Platform};

use super::{
    causes::{self, Cause},
    diagnosis_input::{DiagnosisInput, Refusal},
    finding::Finding,
    keys::{key_tables, kid_for_display},
    signing::{readings, schemes},
};

/// What is plain before anything is tried.
pub fn at_once(delivery: &DiagnosisInput, refusal: &Refusal) -> Option<Finding> {
    let provider = delivery.provider.name();
    if delivery.credentials.json(provider).is_none() {
        let known: Vec<_> = delivery.credentials.providers().collect();
        let detail = format!("The URL names {provider}; the credentials have {}.", known.join(", "));
        return Some(marked(delivery).unwrap_or_else(|| Finding::new(&causes::CREDENTIALS_MISSING, detail)));
    }
    let Refusal::Refused(Refused { reject, stage, .. }) = refusal else { return None };
    if let Reject::TooLarge { .. } = reject {
        let detail = format!("It has {} bytes; {}.", delivery.request.body().len(), reject.message());
        return Some(Finding::new(&causes::TOO_LARGE, detail));
    }
    let is_empty = delivery.request.body().is_empty() && matches!(stage, Stage::Form | Stage::Key);
    is_empty.then(|| Finding::new(&causes::BODY_EMPTY, ""))
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
    Some(
        finding
            .remedy(format!("Put the URL of a source of {} into the platform's dashboard.", provider.name())),
    )
}

/// The finding that the refusal alone leads to.
pub fn from_refusal(delivery: &DiagnosisInput, refusal: &Refusal) -> Finding {
    match refusal {
        Refusal::Start(error) => start(delivery, error),
        Refusal::Refused(Refused { reject, stage, .. }) => {
            let marked = if *stage == Stage::Form { marked(delivery) } else { None };
            marked.unwrap_or_else(|| rejected(delivery, *stage, reject))
        }
    }
}

/// What the errors of a start are known by. They name places and never a value.
const STARTS: [(&str, &Cause); 2] =
    [(": aes_key:", &causes::AES_KEY_LENGTH), ("16 bytes", &causes::PSK_LENGTH)];

fn start(delivery: &DiagnosisInput, error: &str) -> Finding {
    let known = STARTS.iter().find(|(part, _)| error.contains(part));
    let cause = known.map_or(&causes::CREDENTIALS_INVALID, |(_, cause)| cause);
    let lengths: Vec<_> =
        delivery.texts("aes_key").iter().map(|(_, text)| text.chars().count().to_string()).collect();
    let count = if *cause == causes::AES_KEY_LENGTH && !lengths.is_empty() {
        format!(" It has {}.", lengths.join(" and "))
    } else {
        String::new()
    };
    Finding::new(cause, format!("{}: {error}.{count}", delivery.provider.name()))
}

fn rejected(delivery: &DiagnosisInput, stage: Stage, reject: &Reject) -> Finding {
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
        Reject::InvalidJson(JsonPart::Body) => Finding::new(&causes::BODY_MALFORMED, "It is no JSON object."),
        Reject::InvalidJson(JsonPart::Payload | JsonPart::AnyPayload) | Reject::NotUtf8 => {
            Finding::new(&causes::PAYLOAD_INVALID, said)
        }
        Reject::UnhandledEventType => Finding::new(&causes::EVENT_TYPE_NOT_ACCEPTED, ""),
        Reject::MalformedJwe { .. } => {
            Finding::new(&causes::JWE_MALFORMED, format!("{said}{}", token_form(delivery)))
        }
        Reject::UnsupportedAlgorithm { .. } => Finding::new(&causes::JWE_ALGORITHM, said),
        Reject::MissingSignature => Finding::new(&causes::SIGNATURE_MISSING, missing(delivery)),
        Reject::MalformedSignature => Finding::new(&causes::SIGNATURE_MALFORMED, malformed(delivery)),
        Reject::SignatureMismatch if delivery.is_sealed() => Finding::new(
            &causes::TOKEN_MISMATCH,
            "The aes_key does not open it either: the message is another app's, or its body was changed on the way.",
        ),
        Reject::SignatureMismatch => mismatch(delivery),
        Reject::MalformedTimestamp => Finding::new(&causes::TIMESTAMP_MALFORMED, ""),
        Reject::TimestampOutOfRange => Finding::new(&causes::TIMESTAMP_STALE, ""),
        Reject::InvalidBase64 | Reject::CiphertextLength => Finding::new(
            &causes::BODY_MALFORMED,
            "The signature is right, but `encrypt` is not base64 of whole AES blocks.",
        ),
        // With a wrong key noise can have a padding, but hardly an owner key that is a text.
        Reject::InvalidPadding | Reject::MessageLength | Reject::OwnerKeyMismatch => {
            Finding::new(&causes::AES_KEY_MISMATCH, "")
        }
        Reject::UnknownKid => Finding::new(&causes::JWE_UNKNOWN_KID, kids(delivery)),
        Reject::KeyUnwrap => Finding::new(&causes::JWE_KEY_MISMATCH, kids(delivery)),
        Reject::AuthenticationFailed => Finding::new(
            &causes::BODY_CHANGED,
            "The key is right, but the tag is not that of header and content.",
        ),
    }
}

/// A part that is missing or malformed: of the request, or of the payload.
fn part(delivery: &DiagnosisInput, stage: Stage, field: &str, said: &str) -> Finding {
    let is_robot = delivery.header("sign").is_some() && delivery.header("timestamp").is_some();
    // A type may stand in a header of any name; those of the presets start with `x-`, and no member does.
    let is_header = field.to_ascii_lowercase().starts_with("x-")
        || delivery.texts("type_header").iter().any(|(_, name)| name.eq_ignore_ascii_case(field));
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

/// Which of the headers of a scheme are not there.
fn missing(delivery: &DiagnosisInput) -> String {
    let absent = |scheme: &Description| -> Vec<String> {
        let names = [Some(&scheme.header), scheme.timestamp_header.as_ref(), scheme.id_header.as_ref()];
        let names = names.into_iter().flatten();
        names
            .filter(|name| delivery.header(name).is_none_or(|value| value.trim().is_empty()))
            .cloned()
            .collect()
    };
    // The keys of a rotation mostly ask for the same headers.
    let absent: BTreeSet<_> = schemes(delivery).iter().flat_map(|signing| absent(&signing.scheme)).collect();
    let names: Vec<_> = absent.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!("The request has no {}, or an empty one.", names.join(", no ")),
    }
}

fn malformed(delivery: &DiagnosisInput) -> String {
    let schemes = schemes(delivery);
    let Some(scheme) = schemes.first().map(|signing| &signing.scheme) else { return String::new() };
    let header = &scheme.header;
    let count = delivery.request.headers().get_all(header).iter().count();
    if count > 1 {
        return format!("{header} comes {count} times.");
    }
    let keys =
        [&scheme.timestamp_key, &scheme.signature_key].map(|key| key.as_ref().map(|key| format!("`{key}=`")));
    let keys: Vec<_> = keys.into_iter().flatten().collect();
    match (keys.as_slice(), scheme.prefix.as_str()) {
        ([], "") => format!("{header} holds no signature."),
        ([], prefix) => format!("{header} holds no signature behind the prefix `{prefix}`."),
        (keys, _) => format!("{header} does not hold {} once each.", keys.join(" and ")),
    }
}

/// A signature that is wrong under every hypothesis: what of the request speaks for which cause.
fn mismatch(delivery: &DiagnosisInput) -> Finding {
    let length = delivery.request.body().len();
    let sent = delivery.header("content-length").and_then(|length| length.trim().parse::<usize>().ok());
    if let Some(sent) = sent.filter(|sent| *sent != length) {
        let detail = format!("The sender announced {sent} bytes (Content-Length), and {length} came.");
        return Finding::new(&causes::BODY_CHANGED, detail);
    }
    for signing in schemes(delivery).iter().filter(|signing| signing.scheme.signature_key.is_none()) {
        let header = &signing.scheme.header;
        let Some(value) = delivery.request.headers().get(header) else { continue };
        let value = value.to_str().unwrap_or_default();
        // One that may hold several cannot be read as one.
        let value = match &signing.scheme.separator {
            Some(separator) => value.split(separator.as_str()).next().unwrap_or_default(),
            None => value,
        };
        let found = readings(value);
        let as_asked = found.iter().any(|reading| reading.differs(&signing.scheme, header).is_none());
        match found.first().and_then(|reading| reading.differs(&signing.scheme, header)) {
            Some(finding) if !as_asked => {
                return if signing.fixed.is_some() { Finding { remedy: None, ..finding } } else { finding };
            }
            None if found.is_empty() => {
                let detail = format!("{header} holds no whole HMAC: it is cut, or not hex or base64.");
                return Finding::new(&causes::SIGNATURE_MALFORMED, detail);
            }
            _ => {}
        }
    }
    Finding::new(&causes::SECRET_MISMATCH, "")
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
