//! Signed content of any bytes: what is read of it is what is in it.

use std::collections::BTreeMap;

use letterbox_codec::{
    Request, Secret, Verified,
    signature::{Description, Key, Scheme, SecretEncoding},
};
use serde_json::Value;

use crate::{input::ambient, oracle, random::Random};

/// The property, with a key of its own.
pub(super) fn property(random: &Random) -> impl Fn(&[u8]) -> bool + Send + Sync + use<> {
    let secret = Secret::new(random.hex("secret", 40)).expect("a secret");
    let key = Key::new(&secret, SecretEncoding::Text).expect("a key");
    let scheme = Scheme::new(Description::default()).expect("a scheme");
    move |data| {
        let mut request = Request::new(data.to_vec().into());
        scheme.sign(&key, &mut request, ambient().now, "").expect("a signature");
        let verified = scheme.verify(&key, &request, ambient().now).expect("a valid signature");
        let content = verified.content;
        assert_eq!(content.bytes(), data);
        assert!(content.text().is_ok() == std::str::from_utf8(data).is_ok());
        as_json(&content);
        as_form(&content);
        if let Ok(json) = content.xml() {
            assert!(json.json().is_ok(), "XML became no object");
        }
        true
    }
}

/// JSON is read where serde reads it, verbatim, and each member is what serde finds there.
fn as_json(content: &Verified<'_>) {
    let text = content.text().unwrap_or_default();
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    let (Ok(payload), Some(value)) = (content.any_json(), &parsed) else {
        // Only numbers beyond a double and 127 levels are read differently.
        assert!(content.json().is_err() || text.len() > 100 || text.contains(['e', 'E', '"']));
        return;
    };
    assert_eq!(payload.raw().get(), text.trim_matches([' ', '\t', '\r', '\n']));
    assert_eq!(content.json().is_ok(), value.is_object());
    let unique = payload.members().is_ok();
    let Value::Object(members) = value else { return };
    for (name, member) in members {
        let nested = member.as_object().into_iter().flatten().map(|(inner, _)| format!("{name}.{inner}"));
        for path in nested.take(4).chain([name.clone()]) {
            // An inner name that comes twice is ambiguous; serde takes the last.
            let Ok(found) = payload.get(&path) else { continue };
            let found = found.map(|raw| serde_json::from_str::<Value>(raw.get()).expect("JSON"));
            if unique && !member.is_array() {
                assert_eq!(found.as_ref(), oracle::at(value, &path), "{path}");
            }
        }
    }
}

/// A form becomes an object of its fields.
fn as_form(content: &Verified<'_>) {
    let Ok(form) = content.form() else { return };
    let object: BTreeMap<String, Value> = serde_json::from_slice(form.bytes()).expect("an object");
    let mut fields = BTreeMap::<String, Vec<String>>::new();
    let text = content.text().unwrap_or_default();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        fields.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    let expected = fields.into_iter().map(|(name, mut values)| {
        let value = if values.len() == 1 { values.remove(0).into() } else { values.into() };
        (name, value)
    });
    assert_eq!(object, expected.collect());
}
