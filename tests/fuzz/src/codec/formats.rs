//! Formats: what is read is bounded, and means the same after it is written again.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header::CONTENT_ENCODING};
use letterbox_codec::{
    Timestamp,
    content_encoding::ContentEncoding,
    fetch::HttpsUrl,
    form,
    json::Object,
    signature::fields::Form,
    timestamp::{self, Unit},
    xml::Element,
};
use serde_json::value::RawValue;

/// A time that is read and written is the same time.
pub(super) fn time(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    for unit in [Unit::Seconds, Unit::Milliseconds, Unit::Microseconds, Unit::Rfc3339] {
        let Some(time) = Timestamp::parse(text, unit) else { continue };
        assert!(time.distance(Timestamp(i64::MIN)) >= time.distance(Timestamp(0)) || time.0 < 0);
        let written = time.write(unit);
        if unit != Unit::Microseconds && time.to_rfc3339(unit).is_some() {
            assert_eq!(Timestamp::parse(&written, unit), Some(time), "{written}");
        }
    }
    if let Some(written) = timestamp::to_rfc3339(text) {
        assert_eq!(timestamp::to_rfc3339(&written).as_deref(), Some(&*written));
        assert!(written.len() <= 40 && written.ends_with('Z'), "{written}");
    }
    true
}

/// XML becomes JSON that is not much larger.
pub(super) fn xml(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let Ok(element) = Element::parse(text) else { return false };
    let json = element.to_json().expect("JSON");
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert!(value.is_object());
    // The longest escape of JSON has six bytes for one.
    assert!(json.len() <= 6 * text.len() + 2, "{} of {}", json.len(), text.len());
    for name in ["Encrypt", "MsgType", "a"] {
        if let (Ok(Some(found)), Some(value)) = (element.field(name), value[name].as_str()) {
            assert_eq!(found, value.trim());
        }
    }
    true
}

/// A form is signed in a text that its fields follow from.
pub(super) fn form(input: &[u8]) -> bool {
    let _ = form::one(input, "a");
    let Ok(form) = Form::parse(input) else { return false };
    let text = form.signed_text(&["sign"]);
    assert!(text.len() <= input.len());
    for (name, value) in form_urlencoded::parse(input) {
        // The field as the form has it, where the text is UTF-8.
        if !name.contains('\u{fffd}') && !value.contains('\u{fffd}') && !value.is_empty() {
            assert_eq!(form.get(&name), Some(value.as_bytes()), "{name}");
        }
    }
    true
}

/// JSON that is read has members, and one that is replaced leaves all else as it is.
pub(super) fn json(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let Ok(object) = Object::parse(text) else { return false };
    let _: serde::de::IgnoredAny = serde_json::from_str(text).expect("JSON");
    let Ok(members) = object.members() else { return false };
    for (name, value) in members.iter().take(8) {
        let label = object.label(name).expect("one member");
        assert!(label.is_none_or(|label| label.len() <= letterbox_codec::json::LONGEST_LABEL));
        if value.get() == "null" {
            continue;
        }
        let replaced = object.with(name, "[0]").expect("one member").expect("a member");
        let replaced = Object::parse(&replaced).expect("an object");
        assert_eq!(replaced.get(name).expect("one member").map(RawValue::get), Some("[0]"));
        assert_eq!(replaced.members().expect("the same names").len(), members.len());
    }
    true
}

/// What is unpacked is within the limit, and what was packed is unpacked to the same.
pub(super) fn encoding(input: &[u8]) -> bool {
    const LIMIT: usize = 64 * 1024;
    for name in ["gzip", "deflate"] {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(name))]);
        let encoding = ContentEncoding::of(&headers).expect("a known encoding");
        if let Ok(unpacked) = encoding.unpack(input, LIMIT) {
            assert!(unpacked.len() <= LIMIT);
        }
    }
    // Packing takes most of the time: the fuzzer asks for it by the first byte.
    if input.first() != Some(&b'p') {
        return true;
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(input).expect("memory");
    let packed = gzip.finish().expect("memory");
    assert_eq!(
        ContentEncoding::Gzip.unpack(&packed, LIMIT).as_deref().ok(),
        Some(input).filter(|input| input.len() <= LIMIT)
    );
    true
}

/// A URL that is accepted means the same to another parser.
pub(super) fn url(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let Some(url) = HttpsUrl::parse(text) else { return false };
    assert_eq!(url.as_str(), text);
    let other: http::Uri = text.parse().expect("a URI");
    assert_eq!((other.scheme_str(), other.host(), other.port()), (Some("https"), Some(url.host()), None));
    assert_eq!((other.path(), other.query().unwrap_or_default()), (url.path(), url.query()));
    true
}
