//! The body that came is not the one that was sent.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hasher},
    rc::Rc,
};

use http::header::CONTENT_ENCODING;
use letterbox_codec::{
    base64::{Engine, STANDARD, URL_SAFE},
    content_encoding::ContentEncoding,
};
use serde_json::Value;

use crate::{
    data::LARGEST_BODY,
    doctor::{
        causes,
        diagnosis_input::DiagnosisInput,
        finding::{Finding, Variant, Variants},
    },
    formats::json_style::{Json, LAYOUTS, Layout, SPELLINGS, Spelling},
};

/// The body as it was before a change, or `None` where that change cannot have been.
type Undo = fn(&[u8]) -> Option<Vec<u8>>;

/// Changes that are not those of JSON's layout, and how to undo them.
const CHANGES: &[(&str, Undo)] = &[
    ("A byte order mark was put before it.", |body| Some(body.strip_prefix(BOM)?.to_vec())),
    ("Two byte order marks were put before it.", |body| {
        Some(body.strip_prefix(BOM)?.strip_prefix(BOM)?.to_vec())
    }),
    ("The byte order mark before it was dropped.", |body| Some([BOM, body].concat())),
    ("The two byte order marks before it were dropped.", |body| Some([BOM, BOM, body].concat())),
    ("It was put into quotes as a JSON string.", |body| {
        serde_json::from_slice::<String>(body).ok().map(String::into_bytes)
    }),
    ("A line break at its end was dropped.", |body| Some([body, b"\n"].concat())),
    ("A line break at its end (CR LF) was dropped.", |body| Some([body, b"\r\n"].concat())),
    ("A line break was added at its end.", |body| {
        let body = body.strip_suffix(b"\n")?;
        Some(body.strip_suffix(b"\r").unwrap_or(body).to_vec())
    }),
    ("Whitespace was added around it.", |body| Some(body.trim_ascii().to_vec())),
    ("Bytes of zero were added at its end.", |body| {
        let end = body.iter().rposition(|byte| *byte != 0)?;
        body.get(..=end).map(<[u8]>::to_vec)
    }),
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
    ("It was converted from Latin-1 to UTF-8.", |body| {
        let text = std::str::from_utf8(body).ok().filter(|text| !text.is_ascii())?;
        text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
    }),
    ("It was converted from UTF-16 to UTF-8.", |body| {
        let text = std::str::from_utf8(body).ok()?;
        Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
    }),
    ("Its characters were escaped as HTML.", |body| {
        let text = std::str::from_utf8(body).ok().filter(|text| text.contains('&'))?;
        Some(HTML.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)).into_bytes())
    }),
    ("Its percent escapes were decoded twice, or it was encoded once more.", |body| {
        let decoded: Vec<u8> = percent_encoding::percent_decode(body).collect();
        (decoded != body).then_some(decoded)
    }),
    ("Spaces were written as `+`.", |body| is_form(body).then(|| replace(body, "+", "%20"))),
    ("Spaces were written as `%20`.", |body| is_form(body).then(|| replace(body, "%20", "+"))),
    ("Its percent escapes were changed to upper case.", |body| {
        is_form(body).then(|| escapes(body, u8::to_ascii_lowercase))
    }),
    ("Its percent escapes were changed to lower case.", |body| {
        is_form(body).then(|| escapes(body, u8::to_ascii_uppercase))
    }),
];

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What HTML escapes of JSON come from; `&` last, or an escaped escape would be decoded twice.
const HTML: [(&str, &str); 6] =
    [("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];

fn replace(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    // Not UTF-8: not a text that has line breaks.
    std::str::from_utf8(body).map_or_else(|_| body.to_vec(), |text| text.replace(from, to).into_bytes())
}

fn is_form(body: &[u8]) -> bool {
    body.contains(&b'=') && body.iter().all(u8::is_ascii_graphic) && !body.starts_with(b"{")
}

/// The body with the digits of its percent escapes changed.
fn escapes(body: &[u8], change: fn(&u8) -> u8) -> Vec<u8> {
    let mut digits = 0_u8;
    let changed = body.iter().map(|byte| {
        let is_digit = digits > 0;
        digits = if *byte == b'%' { 2 } else { digits.saturating_sub(1) };
        if is_digit { change(byte) } else { *byte }
    });
    changed.collect()
}

/// How the bytes of a compressed body begin, what it is called, and its coding. Bare deflate has no mark.
const COMPRESSIONS: [(&[u8], &str, ContentEncoding); 3] = [
    (b"\x1f\x8b", "gzip", ContentEncoding::Gzip),
    (b"\x78", "deflate (zlib)", ContentEncoding::Deflate),
    (b"", "deflate", ContentEncoding::Deflate),
];

/// How a body is compressed, if it is, and what it unpacks to.
fn compression(body: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    // A text can, by chance, begin like bare deflate.
    let is_text = std::str::from_utf8(body).is_ok();
    let known = COMPRESSIONS.iter().filter(|(mark, ..)| body.starts_with(mark) && !is_text);
    let mut unpacked =
        known.filter_map(|(_, name, coding)| Some((*name, coding.unpack(body, LARGEST_BODY).ok()?)));
    unpacked.find(|(_, unpacked)| !unpacked.is_empty())
}

pub(super) fn compressed(delivery: &DiagnosisInput) -> Variants<'_> {
    let variant = |(name, unpacked): (&str, Vec<u8>)| {
        let named = delivery.header(CONTENT_ENCODING.as_str());
        let header = match named {
            Some(_) => "",
            None => ", and the header `Content-Encoding` that says so was lost in transit",
        };
        let detail =
            format!("It is compressed with {name}{header}. The signature is valid for the unpacked body.");
        let mut other = delivery.with_body(unpacked);
        other.request.headers_mut().remove(CONTENT_ENCODING);
        Finding::new(&causes::BODY_IS_COMPRESSED, detail).corrected(other)
    };
    Box::new(compression(delivery.request.body()).into_iter().map(variant))
}

pub(super) fn base64(delivery: &DiagnosisInput) -> Variants<'_> {
    let body = delivery.request.body().trim_ascii();
    let body = body.strip_prefix(b"\"").and_then(|body| body.strip_suffix(b"\"")).unwrap_or(body);
    let decoded = [STANDARD, URL_SAFE]
        .iter()
        .find_map(|base64| base64.decode(body).ok().filter(|decoded| !decoded.is_empty()));
    let variant = |decoded: Vec<u8>| {
        Finding::new(&causes::BODY_IS_BASE64, "Decoded, it is what the platform sent.")
            .corrected(delivery.with_body(decoded))
    };
    Box::new(decoded.into_iter().map(variant))
}

/// How form encoders differ: in how they write a space, `*` and `~`.
const ENCODERS: [&[(&str, &str)]; 4] =
    [&[], &[("*", "%2A"), ("%7E", "~")], &[("+", "%20")], &[("+", "%20"), ("*", "%2A"), ("%7E", "~")]];

/// A form whose fields were decoded, or whose one field `payload` came alone, as GitHub's.
pub(super) fn form(delivery: &DiagnosisInput) -> Variants<'_> {
    let body = delivery.request.body();
    let encode = |bytes: &[u8]| form_urlencoded::byte_serialize(bytes).collect::<String>();
    let mut sent = Vec::new();
    match body.strip_prefix(b"payload=") {
        Some(payload) if payload.starts_with(b"{") => {
            sent.push((
                "The form's `payload` is not percent-encoded any more.",
                format!("payload={}", encode(payload)),
            ));
        }
        _ if body.starts_with(b"{") => {
            sent.push(("The body is the JSON that the form contained.", format!("payload={}", encode(body))));
        }
        _ => {}
    }
    sent.extend(fields(delivery).map(|form| ("The body is a JSON object of the form's fields.", form)));
    let variants = sent.into_iter().flat_map(move |(detail, form)| {
        ENCODERS.iter().map(move |replacements| {
            let form = replacements.iter().fold(form.clone(), |text, (from, to)| text.replace(from, to));
            Finding::new(&causes::BODY_IS_DECODED_FORM, detail).corrected(delivery.with_body(form))
        })
    });
    Box::new(variants)
}

/// A form that is signed in its field `sign`, whose base64 has `+` where the form needs `%2B`.
pub(super) fn signature_with_spaces(delivery: &DiagnosisInput) -> Variants<'_> {
    let body = String::from_utf8_lossy(delivery.request.body());
    let is_signature = |pair: &&str| pair.starts_with("sign=") && pair.contains(['+', ' ']);
    if !body.split('&').any(|pair| is_signature(&pair)) {
        return Box::new(std::iter::empty());
    }
    let escaped = |pair| match Some(pair).filter(is_signature) {
        Some(pair) => pair.replace(['+', ' '], "%2B"),
        None => pair.to_owned(),
    };
    let form = body.split('&').map(escaped).collect::<Vec<_>>().join("&");
    let detail = "The form's `sign` has `+` that is not escaped as `%2B`, so that it reads as spaces.";
    let finding = Finding::new(&causes::SIGNATURE_MALFORMED, detail)
        .remedy("Configure the proxy to forward the body unchanged, and not to decode and encode the form.");
    Box::new(std::iter::once(finding.corrected(delivery.with_body(form))))
}

/// A flat JSON object of strings as a form.
fn fields(delivery: &DiagnosisInput) -> Option<String> {
    let members = delivery.body_object()?.members().ok()?;
    let text = |(name, value): &(String, &serde_json::value::RawValue)| {
        let Value::String(text) = serde_json::from_str(value.get()).ok()? else { return None };
        Some((name.clone(), text))
    };
    let pairs = members.iter().map(text).collect::<Option<Vec<_>>>()?;
    Some(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

pub(super) fn changed(delivery: &DiagnosisInput) -> Variants<'_> {
    let body = delivery.request.body();
    let undone = CHANGES.iter().filter_map(move |(detail, undo)| Some((*detail, undo(body)?)));
    Box::new(
        undone
            .filter(move |(_, sent)| sent != body && !sent.is_empty())
            .map(|(detail, sent)| variant(delivery, detail, sent)),
    )
}

fn variant(delivery: &DiagnosisInput, detail: &str, sent: impl Into<Vec<u8>>) -> Variant {
    Finding::new(&causes::BODY_CHANGED, detail).corrected(delivery.with_body(sent))
}

/// The most orders of keys that are tried: all of six keys.
const MOST_ORDERS: usize = 720;

/// What a rewritten body may have had at its end.
const ENDINGS: [(&str, &str); 2] = [("", ""), (", with a line break at its end", "\n")];

/// JSON that was parsed and written again: in another style, or with its keys in another order.
pub(super) fn rewritten(delivery: &DiagnosisInput) -> Variants<'_> {
    let Some(object) = delivery.body_object() else { return Box::new(std::iter::empty()) };
    let json = Rc::new(Json::new(&object));
    let (sorted, other) = (Rc::new(json.sorted()), Rc::clone(&json));
    let orders = Some(json.orders()).filter(|orders| *orders <= MOST_ORDERS).unwrap_or(1);
    let styles = styles().map(move |(written, layout, spelling)| (written, json.write(layout, spelling)));
    let ended = styles.flat_map(|(written, text)| {
        ENDINGS.map(|(ended, ending)| (format!("{written}{ended}"), format!("{text}{ending}")))
    });
    let in_order = self::styles().map(move |(written, layout, spelling)| {
        (format!("with its keys sorted, {written}"), sorted.write(layout, spelling))
    });
    let reordered = (1..orders).flat_map(move |order| {
        let json = other.reordered(order);
        LAYOUTS.iter().take(LAYOUTS_OF_ORDERS).map(move |(written, layout)| {
            (format!("with its keys in another order, {written}"), json.write(layout, None))
        })
    });
    let mut seen = HashSet::from([hash(delivery.request.body())]);
    let variants = ended
        .chain(in_order)
        .chain(reordered)
        // Most payloads have nothing that most spellings would write differently.
        .filter(move |(_, sent)| seen.insert(hash(sent.as_bytes())))
        .map(|(written, sent)| {
            let detail = format!("The JSON was parsed and serialised again. It was sent {written}.");
            variant(delivery, &detail, sent)
        });
    Box::new(variants)
}

/// In how many layouts each order of keys is tried.
const LAYOUTS_OF_ORDERS: usize = 2;

/// Every style of JSON, with its description.
fn styles() -> impl Iterator<Item = (String, &'static Layout, Option<&'static Spelling>)> {
    let spellings = SPELLINGS.iter().map(|(spelled, spelling)| (format!(", {spelled}"), Some(spelling)));
    std::iter::once((String::new(), None)).chain(spellings).flat_map(|(spelled, spelling)| {
        LAYOUTS.iter().map(move |(written, layout)| (format!("{written}{spelled}"), layout, spelling))
    })
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_bodies_are_known_by_their_bytes() {
        use base64::engine::general_purpose::STANDARD;
        // Made by CPython's gzip and zlib.
        for (body, expected) in [
            ("H4sIAAAAAAACA6tWSlSyUkpCAjGlBgaplkq1AMKlTY4aAAAA", Some("gzip")),
            ("eJyrVkpUslJKQgIxpQYGqZZKtQBxlQiD", Some("deflate (zlib)")),
            ("q1ZKVLJSSkICMaUGBqmWSrUA", Some("deflate")),
            ("H4sI/w==", None),
            ("eyJhIjoxfQ==", None),
            ("", None),
        ] {
            let found = compression(&STANDARD.decode(body).unwrap());
            assert_eq!(found.as_ref().map(|(name, _)| *name), expected, "{body}");
            assert!(found.is_none_or(|(_, unpacked)| unpacked == br#"{"a":"bbbbbbbbbbbb\u00e9"}"#));
        }
    }

    #[test]
    fn changes_are_undone() {
        let undone = |about: &str, body: &str| {
            let (_, undo) = CHANGES.iter().find(|(known, _)| known.contains(about)).unwrap();
            undo(body.as_bytes()).map(|body| String::from_utf8_lossy(&body).into_owned())
        };
        for (about, body, expected) in [
            ("Two byte order marks", "\u{feff}\u{feff}{}", Some("{}")),
            ("Two byte order marks", "\u{feff}{}", None),
            ("escaped as HTML", "{&quot;a&quot;:&quot;&amp;lt;&quot;}", Some(r#"{"a":"&lt;"}"#)),
            ("Bytes of zero", "{}\0\0", Some("{}")),
            ("to upper case", "a=%2F&b=%C3%A9", Some("a=%2f&b=%c3%a9")),
            ("to lower case", "a=%2f&b=ab", Some("a=%2F&b=ab")),
            ("written as `+`", "a=b+c", Some("a=b%20c")),
            ("written as `+`", "{\"a\":\"b+c=\"}", None),
        ] {
            assert_eq!(undone(about, body).as_deref(), expected, "{about}: {body}");
        }
    }
}
