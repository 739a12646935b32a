//! Signatures over the fields of a form: percent-decoded, sorted by name, and joined as `name=value&…`.
//!
//! The text that is signed is in the form's own character encoding, so fields are bytes here.

use std::{borrow::Cow, collections::HashSet, fmt};

use percent_encoding::percent_decode;
use serde::{Serializer, ser::SerializeMap};

use super::{algorithm::Algorithm, key::Key};
use crate::{Reject, Verified, reject::JsonPart};

/// The most fields of a form.
const MOST_FIELDS: usize = 1000;

/// A name and its value, each percent-decoded once.
type Field<'r> = (Cow<'r, [u8]>, Cow<'r, [u8]>);

/// The fields of a form, not verified.
pub struct Form<'r>(Vec<Field<'r>>);

/// The fields that a valid signature covers.
pub struct SignedForm<'f, 'r> {
    /// The text that is signed.
    pub text: Verified<'static>,
    fields: Vec<&'f Field<'r>>,
}

impl fmt::Debug for Form<'_> {
    /// Prints only the number of fields: the content may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Form({} fields)", self.0.len())
    }
}

impl fmt::Debug for SignedForm<'_, '_> {
    /// Prints only the number of fields: the content may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedForm({} fields)", self.fields.len())
    }
}

impl<'r> Form<'r> {
    /// Reads a form in the order of its fields. [`Reject::MalformedSignature`] if a name appears twice: which of its values
    /// is signed would be open.
    pub fn parse(body: &'r [u8]) -> Result<Self, Reject> {
        let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let fields: Vec<_> = pairs
            .take(MOST_FIELDS.saturating_add(1))
            .map(|pair| {
                let mut parts = pair.splitn(2, |byte| *byte == b'=');
                let mut part = || decoded(parts.next().unwrap_or_default());
                (part(), part())
            })
            .collect();
        if fields.len() > MOST_FIELDS {
            return Err(Reject::malformed("body", "a form of at most 1000 fields"));
        }
        let mut names = HashSet::new();
        if fields.iter().all(|(name, _)| names.insert(name.clone())) {
            Ok(Self(fields))
        } else {
            Err(Reject::MalformedSignature)
        }
    }

    /// The value of a field, which is not verified; `None` if it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| **known == *name.as_bytes());
        found.map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }

    /// The fields that a signature covers, in the order of the signed text: sorted bytewise by name, without those that are
    /// empty and those that are left out.
    fn covered(&self, left_out: &[&str]) -> Vec<&Field<'r>> {
        let is_covered = |(name, value): &&Field<'r>| {
            !value.is_empty() && !left_out.iter().any(|other| **name == *other.as_bytes())
        };
        let mut fields: Vec<_> = self.0.iter().filter(is_covered).collect();
        fields.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        fields
    }

    /// The text that is signed where the fields of these names are left out.
    pub fn signed_text(&self, left_out: &[&str]) -> Vec<u8> {
        joined(&self.covered(left_out))
    }

    /// Verifies a signature. Where a sender leaves out fields sometimes, each of the lists of their names is tried.
    pub fn verify<'f>(
        &'f self,
        algorithm: Algorithm,
        key: &Key,
        signature: &[u8],
        left_out: &[&[&str]],
    ) -> Result<SignedForm<'f, 'r>, Reject> {
        let signatures = [signature.to_vec()];
        for names in left_out {
            let fields = self.covered(names);
            let text = joined(&fields);
            if key.verify(algorithm, &text, &signatures).is_ok() {
                return Ok(SignedForm { text: Verified::new(text), fields });
            }
        }
        Err(Reject::SignatureMismatch)
    }
}

impl SignedForm<'_, '_> {
    /// The value of a field that is signed.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(known, _)| **known == *name.as_bytes()).map(|(_, value)| &**value)
    }

    /// The JSON object of the signed fields, a string for each, in the order of their names. `decode` reads the form's
    /// character encoding.
    pub fn json(&self, decode: impl Fn(&[u8]) -> String) -> Result<Verified<'static>, Reject> {
        let mut json = serde_json::Serializer::new(Vec::new());
        let mut write = || {
            let mut map = json.serialize_map(Some(self.fields.len()))?;
            for (name, value) in &self.fields {
                map.serialize_entry(&decode(name), &decode(value))?;
            }
            SerializeMap::end(map)
        };
        write().map_err(|_: serde_json::Error| Reject::InvalidJson(JsonPart::Payload))?;
        Ok(Verified::new(json.into_inner()))
    }
}

fn joined(fields: &[&Field<'_>]) -> Vec<u8> {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| [name, &b"="[..], value].concat()).collect();
    pairs.join(&b'&')
}

/// Decodes `+` and percent escapes once.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if text.contains(&b'+') {
        let spaced: Vec<_> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        return Cow::Owned(percent_decode(&spaced).collect());
    }
    percent_decode(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Secret, signature::SecretEncoding};

    #[test]
    fn the_signed_text_is_of_sorted_fields_that_are_not_empty() {
        let form = Form::parse(b"b=2&sign=x&a=%2526+%26&&c=&B=%d6%D0&d&=0&sign_type=RSA2").unwrap();
        for (left_out, expected) in [
            (&["sign"][..], &b"=0&B=\xd6\xd0&a=%26 &&b=2&sign_type=RSA2"[..]),
            (&["sign", "sign_type"], b"=0&B=\xd6\xd0&a=%26 &&b=2"),
        ] {
            assert_eq!(form.signed_text(left_out), expected);
        }
        assert_eq!(format!("{form:?}"), "Form(8 fields)");
        for (name, expected) in
            [("a", Some(&b"%26 &"[..])), ("c", None), ("d", None), ("e", None), ("sign", Some(b"x"))]
        {
            assert_eq!(form.get(name), expected, "{name}");
        }
    }

    #[test]
    fn only_the_fields_that_are_signed_are_in_a_signed_form() {
        let form = Form::parse(b"b=2&sign=x&a=1&c=&sign_type=RSA2").unwrap();
        let key = Key::new(&Secret::new("k".into()).unwrap(), SecretEncoding::Text).unwrap();
        let verify = |left_out: &[&str]| {
            let signature = key.sign(Algorithm::Sha256, &form.signed_text(left_out)).unwrap();
            form.verify(Algorithm::Sha256, &key, &signature, &[&["sign", "sign_type"], &["sign"]])
        };
        for (left_out, text, printed, sign_type) in [
            (&["sign"][..], &b"a=1&b=2&sign_type=RSA2"[..], "SignedForm(3 fields)", Some(&b"RSA2"[..])),
            (&["sign", "sign_type"], b"a=1&b=2", "SignedForm(2 fields)", None),
        ] {
            let signed = verify(left_out).unwrap();
            assert_eq!(signed.text.bytes(), text);
            assert_eq!(format!("{signed:?}"), printed);
            assert_eq!((signed.get("sign_type"), signed.get("c")), (sign_type, None));
        }
        assert_eq!(verify(&[]).unwrap_err(), Reject::SignatureMismatch);
    }

    #[test]
    fn a_name_that_appears_twice_is_refused_in_whatever_escapes() {
        for form in ["a=1&a=1", "a=1&%61=2", "a=&a=", "a&a", "=&="] {
            assert_eq!(Form::parse(form.as_bytes()).unwrap_err(), Reject::MalformedSignature, "{form}");
        }
        let many =
            |fields: usize| (0..fields).map(|number| format!("{number}=&")).collect::<Vec<_>>().concat();
        assert!(Form::parse(many(MOST_FIELDS).as_bytes()).is_ok());
        assert_eq!(Form::parse(many(MOST_FIELDS + 1).as_bytes()).unwrap_err().code(), "malformed_field");
        assert!(Form::parse(b"").is_ok_and(|form| form.signed_text(&[]).is_empty()));
    }
}
