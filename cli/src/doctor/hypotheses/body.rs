//! The body that came is not the one that was sent.

use letterbox_codec::base64::{Engine, STANDARD, URL_SAFE};

use crate::{
    doctor::{
        causes,
        diagnosis_input::DiagnosisInput,
        finding::{Finding, Variant},
    },
    formats::json_style::{LAYOUTS, SPELLINGS, Spelling, restyle},
};

/// The body as it was before a change, or `None` where that change cannot have been.
type Undo = fn(&[u8]) -> Option<Vec<u8>>;

/// Changes that are not those of JSON's layout, and how to undo them.
const CHANGES: [(&str, Undo); 12] = [
    ("A byte order mark was put before it.", |body| Some(body.strip_prefix(BOM)?.to_vec())),
    ("The byte order mark before it was dropped.", |body| Some([BOM, body].concat())),
    ("It was put into quotes as a JSON text.", |body| {
        serde_json::from_slice::<String>(body).ok().map(String::into_bytes)
    }),
    ("A line break at its end was dropped.", |body| Some([body, b"\n"].concat())),
    ("A line break at its end (CR LF) was dropped.", |body| Some([body, b"\r\n"].concat())),
    ("A line break was added at its end.", |body| {
        let body = body.strip_suffix(b"\n")?;
        Some(body.strip_suffix(b"\r").unwrap_or(body).to_vec())
    }),
    ("White space was added around it.", |body| Some(body.trim_ascii().to_vec())),
    ("Its line breaks were changed from LF to CR LF.", |body| Some(replace(body, "\r\n", "\n"))),
    ("Its line breaks were changed from CR LF to LF.", |body| Some(replace(body, "\n", "\r\n"))),
    ("Line breaks or spaces were put into it.", |body| {
        Some(body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect())
    }),
    ("Its base64url was written as base64.", |body| {
        let text = std::str::from_utf8(body).ok()?;
        Some(text.replace('+', "-").replace('/', "_").replace('=', "").into_bytes())
    }),
    ("Its UTF-8 was read as Latin-1 and written as UTF-8 again.", |body| {
        let text = std::str::from_utf8(body).ok()?;
        text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
    }),
];

const BOM: &[u8] = b"\xef\xbb\xbf";

fn replace(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    // Not UTF-8: nothing that holds line breaks of a text.
    std::str::from_utf8(body).map_or_else(|_| body.to_vec(), |text| text.replace(from, to).into_bytes())
}

pub(super) fn base64(delivery: &DiagnosisInput) -> Vec<Variant> {
    let body = delivery.request.body().trim_ascii();
    let body = body.strip_prefix(b"\"").and_then(|body| body.strip_suffix(b"\"")).unwrap_or(body);
    let decoded = [STANDARD, URL_SAFE]
        .iter()
        .find_map(|base64| base64.decode(body).ok().filter(|decoded| !decoded.is_empty()));
    let variant = |decoded: Vec<u8>| {
        Finding::new(&causes::BODY_IS_BASE64, "Decoded, it is what the platform sent.")
            .corrected(delivery.with_body(decoded))
    };
    decoded.map(variant).into_iter().collect()
}

/// GitHub's form holds the JSON in `payload`, and the signature covers the form.
pub(super) fn form(delivery: &DiagnosisInput) -> Vec<Variant> {
    /// How form encoders differ: in how they write a space, `*` and `~`.
    const ENCODERS: [&[(&str, &str)]; 4] =
        [&[], &[("*", "%2A"), ("%7E", "~")], &[("+", "%20")], &[("+", "%20"), ("*", "%2A"), ("%7E", "~")]];

    let body = delivery.request.body();
    let (payload, detail) = match body.strip_prefix(b"payload=") {
        Some(payload) => (payload, "The form's `payload` is not percent-encoded any more."),
        None => (&body[..], "The body is the JSON that the form held."),
    };
    if !payload.starts_with(b"{") {
        return Vec::new();
    }
    let encoded: String = form_urlencoded::byte_serialize(payload).collect();
    let encode = |replacements: &[(&str, &str)]| {
        replacements.iter().fold(encoded.clone(), |text, (from, to)| text.replace(from, to))
    };
    let variants = ENCODERS.iter().map(|replacements| {
        let form = format!("payload={}", encode(replacements));
        Finding::new(&causes::BODY_IS_DECODED_FORM, detail).corrected(delivery.with_body(form))
    });
    variants.collect()
}

pub(super) fn changed(delivery: &DiagnosisInput) -> Vec<Variant> {
    let body = delivery.request.body();
    let variant = |detail: &str, sent: Vec<u8>| {
        Finding::new(&causes::BODY_CHANGED, detail).corrected(delivery.with_body(sent))
    };
    let undone = CHANGES.iter().filter_map(|(detail, undo)| Some((*detail, undo(body)?)));
    let mut variants: Vec<_> = undone
        .filter(|(_, sent)| sent != body && !sent.is_empty())
        .map(|(detail, sent)| variant(detail, sent))
        .collect();
    let Some(object) = delivery.body_object() else { return variants };
    for (written, layout) in LAYOUTS {
        // Most payloads have nothing that the spellings would write otherwise.
        let as_is = restyle(&object, layout, Spelling::AsIs);
        let detail = format!(
            "The JSON was parsed and written anew: it was sent {written}, with a line break at its end."
        );
        variants.push(variant(&detail, [as_is.as_bytes(), b"\n"].concat()));
        for (spelled, spelling) in SPELLINGS {
            let sent = restyle(&object, layout, *spelling);
            let is_new = *spelling == Spelling::AsIs || sent != as_is;
            if is_new && sent.as_bytes() != &body[..] {
                let detail = format!("The JSON was parsed and written anew: it was sent {written}{spelled}.");
                variants.push(variant(&detail, sent.into_bytes()));
            }
        }
    }
    variants
}
