//! HMAC signatures, described by data.
//!
//! Platforms differ in little but the header, the algorithm and the text that is signed. A [`Description`] holds that as
//! data, [`Scheme::new`] checks that it is consistent, and [`Scheme::verify`] verifies all of them.

mod description;
mod template;

use std::borrow::Cow;

use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit, Mac, digest::CtOutput};
use http::HeaderName;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

pub use self::description::{Algorithm, Description, Encoding, Scheme, SchemeError, SecretEncoding};
use self::template::Part;
use crate::{Reject, Request, Secret, Timestamp, Verified, timestamp::Unit};

/// The most signatures in one header that are compared; further ones are ignored.
const MOST_SIGNATURES: usize = 16;

/// The key of a MAC. It is never empty.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Decodes a configured secret.
    ///
    /// # Errors
    /// If the secret is not of that encoding, or decodes to nothing. The error is one of the field `secret`.
    pub fn new(secret: &Secret, encoding: SecretEncoding) -> Result<Self, SchemeError> {
        let text = secret.expose();
        let bytes = match encoding {
            SecretEncoding::Text => Ok(text.as_bytes().to_vec()),
            SecretEncoding::Hex => hex::decode(text).map_err(|_| "hex"),
            SecretEncoding::Base64 => lenient(&STANDARD).decode(text).map_err(|_| "base64"),
            SecretEncoding::Whsec => lenient(&STANDARD)
                .decode(text.strip_prefix("whsec_").unwrap_or(text))
                .map_err(|_| "`whsec_` and base64"),
        };
        let error = |expected| SchemeError::new("secret", expected);
        let bytes = Zeroizing::new(bytes.map_err(error)?);
        if bytes.is_empty() { Err(error("a secret that is not empty")) } else { Ok(Self(bytes)) }
    }
}

/// A request with a valid signature.
#[derive(Debug)]
pub struct Signed<'r> {
    /// The raw body.
    pub content: Verified<'r>,
    /// The id that the signature covers, if the scheme has one.
    pub id: Option<Cow<'r, str>>,
}

/// The content of a signature header, not verified.
struct Claims<'r> {
    signatures: Vec<Vec<u8>>,
    timestamp: Option<Cow<'r, str>>,
}

/// The values of a template's placeholders.
struct Parts<'p> {
    timestamp: &'p str,
    id: &'p str,
    url: &'p str,
    method: &'p str,
    body: &'p [u8],
}

impl Scheme {
    /// Verifies a request: first the signature over the exact bytes, compared in constant time, then the signed timestamp.
    pub fn verify<'r>(&self, key: &Key, request: &'r Request, now: Timestamp) -> Result<Signed<'r>, Reject> {
        let claims = self.claims(request)?;
        let id = match &self.id_header {
            Some(name) => Some(header(request, name)?.ok_or(Reject::MissingSignature)?),
            None => None,
        };
        let url = self.url.as_deref().map_or_else(|| request.uri().to_string(), str::to_owned);
        let parts = Parts {
            timestamp: claims.timestamp.as_deref().unwrap_or_default(),
            id: id.as_deref().unwrap_or_default(),
            url: &url,
            method: request.method().as_str(),
            body: request.body(),
        };
        self.check(key, &parts, &claims.signatures)?;
        if let Some(text) = &claims.timestamp {
            let signed =
                Timestamp::from_digits(text, self.timestamp_unit).ok_or(Reject::MalformedTimestamp)?;
            if signed.distance(now) > self.tolerance {
                return Err(Reject::TimestampOutOfRange);
            }
        }
        Ok(Signed { content: Verified::new(request.body().as_ref()), id })
    }

    /// Reads the signature header, and the timestamp from the place that the scheme names.
    fn claims<'r>(&self, request: &'r Request) -> Result<Claims<'r>, Reject> {
        let value = header(request, &self.header)?.ok_or(Reject::MissingSignature)?;
        let elements = || match &self.separator {
            Some(separator) => value.split(separator.as_str()).map(str::trim).collect::<Vec<_>>(),
            None => vec![&*value],
        };
        let named = |key: &str| -> Vec<String> {
            let pairs = elements().into_iter().filter_map(|element| element.split_once('='));
            pairs.filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).collect()
        };
        let candidates = match &self.signature_key {
            Some(key) => named(key),
            None => elements().into_iter().map(str::to_owned).collect(),
        };
        let mut texts = candidates.iter().filter_map(|text| text.strip_prefix(&self.prefix)).peekable();
        if texts.peek().is_none() {
            return Err(Reject::MalformedSignature);
        }
        // An element that does not decode must not hide a valid signature beside it.
        let signatures = texts.take(MOST_SIGNATURES).filter_map(|text| self.encoding.decode(text)).collect();
        let timestamp = match (&self.timestamp_key, &self.timestamp_header) {
            (Some(key), _) => match named(key).as_slice() {
                [one] => Some(Cow::Owned(one.clone())),
                _ => return Err(Reject::MalformedSignature),
            },
            (None, Some(name)) => Some(header(request, name)?.ok_or(Reject::MissingSignature)?),
            (None, None) => None,
        };
        Ok(Claims { signatures, timestamp })
    }

    /// Compares all signatures in constant time, whichever matches.
    fn check(&self, key: &Key, parts: &Parts<'_>, signatures: &[Vec<u8>]) -> Result<(), Reject> {
        let expected = self.mac(key, parts);
        let matches = signatures.iter().fold(Choice::from(0), |any, given| any | expected.ct_eq(given));
        if bool::from(matches) { Ok(()) } else { Err(Reject::SignatureMismatch) }
    }

    fn mac(&self, key: &Key, parts: &Parts<'_>) -> Vec<u8> {
        match self.algorithm {
            Algorithm::Sha1 => self.fill::<Hmac<Sha1>>(key, parts),
            Algorithm::Sha256 => self.fill::<Hmac<Sha256>>(key, parts),
            Algorithm::Sha512 => self.fill::<Hmac<Sha512>>(key, parts),
        }
    }

    /// The hex HMAC of any text under the key, for a handshake whose reply proves that the receiver has it; `None` if the
    /// scheme is no HMAC.
    pub fn hmac(&self, key: &Key, text: &[u8]) -> Option<String> {
        fn tag<M: Mac + KeyInit>(key: &Key, text: &[u8]) -> Option<String> {
            let mac = <M as KeyInit>::new_from_slice(&key.0).ok()?.chain_update(text);
            Some(hex::encode(mac.finalize().into_bytes()))
        }
        match self.algorithm {
            Algorithm::Sha1 => tag::<Hmac<Sha1>>(key, text),
            Algorithm::Sha256 => tag::<Hmac<Sha256>>(key, text),
            Algorithm::Sha512 => tag::<Hmac<Sha512>>(key, text),
        }
    }

    fn fill<M: Mac + KeyInit>(&self, key: &Key, parts: &Parts<'_>) -> Vec<u8> {
        // HMAC takes keys of every length; the type of the constructor does not say so.
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(&key.0) else { return Vec::new() };
        for part in self.template.parts() {
            mac.update(match part {
                Part::Literal(text) => text.as_bytes(),
                Part::Timestamp => parts.timestamp.as_bytes(),
                Part::Id => parts.id.as_bytes(),
                Part::Body => parts.body,
                Part::Url => parts.url.as_bytes(),
                Part::Method => parts.method.as_bytes(),
            });
        }
        let output: CtOutput<M> = mac.finalize();
        output.into_bytes().to_vec()
    }

    /// The headers with which a platform would send `body`: the other side of [`Scheme::verify`].
    pub fn sign(
        &self,
        key: &Key,
        method: &str,
        url: &str,
        body: &[u8],
        now: Timestamp,
        id: &str,
    ) -> Vec<(HeaderName, String)> {
        let number = match self.timestamp_unit {
            Unit::Seconds => now.0.div_euclid(1000),
            Unit::Milliseconds => now.0,
        };
        let timestamp = number.to_string();
        let url = self.url.as_deref().unwrap_or(url);
        let mac = self.mac(key, &Parts { timestamp: &timestamp, id, url, method, body });
        let mut value = format!("{}{}", self.prefix, self.encoding.encode(&mac));
        if let Some(key) = &self.signature_key {
            value = format!("{key}={value}");
        }
        if let (Some(key), Some(separator)) = (&self.timestamp_key, &self.separator) {
            value = format!("{key}={timestamp}{separator}{value}");
        }
        let mut headers = vec![(self.header.clone(), value)];
        headers.extend(self.timestamp_header.clone().map(|name| (name, timestamp)));
        headers.extend(self.id_header.clone().map(|name| (name, id.to_owned())));
        headers
    }
}

/// The value of a header, or `None` if it is absent or empty; [`Reject::MalformedSignature`] if there are several. Bytes
/// that are not UTF-8 are replaced, and so match no signature.
fn header<'r>(request: &'r Request, name: &HeaderName) -> Result<Option<Cow<'r, str>>, Reject> {
    let mut values = request.headers().get_all(name).iter();
    let value = values.next().map(|value| String::from_utf8_lossy(value.as_bytes()));
    if values.next().is_some() {
        return Err(Reject::MalformedSignature);
    }
    Ok(value.filter(|value| !value.trim().is_empty()))
}

impl Encoding {
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => lenient(&STANDARD).decode(text).ok(),
            Self::Base64Url => lenient(&URL_SAFE).decode(text).ok(),
        }
    }

    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => lenient(&STANDARD).encode(bytes),
            Self::Base64Url => lenient(&URL_SAFE).encode(bytes),
        }
    }
}

/// Base64 whose padding is optional.
fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_763_719_200_000);

    fn scheme(change: impl FnOnce(&mut Description)) -> Scheme {
        let mut description = Description::default();
        change(&mut description);
        Scheme::new(description).unwrap()
    }

    fn key() -> Key {
        Key::new(&Secret::new("secret".into()).unwrap(), SecretEncoding::Text).unwrap()
    }

    /// A request with these headers.
    fn request(headers: &[(&'static str, &str)]) -> Request {
        let mut request = Request::new(bytes::Bytes::from_static(b"{}"));
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), value.parse().unwrap());
        }
        request
    }

    fn verify(scheme: &Scheme, headers: &[(&'static str, &str)]) -> Result<(), Reject> {
        scheme.verify(&key(), &request(headers), NOW).map(drop)
    }

    /// The right signature of the request's body, in hex.
    fn signature() -> String {
        let headers = scheme(|_| {}).sign(&key(), "POST", "", b"{}", NOW, "");
        headers.into_iter().next().unwrap().1
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
            let parts = Parts { timestamp: time, id: "", url: "", method: "", body: b"{}" };
            hex::encode(named.mac(&key(), &parts))
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
            assert_eq!(
                verify(&named, &[("x-signature", &value)]),
                Err(Reject::MalformedSignature),
                "{value}"
            );
        }
    }

    #[test]
    fn a_key_is_decoded_and_not_empty() {
        use SecretEncoding::{Base64, Hex, Text, Whsec};
        for (secret, encoding, expected) in [
            ("k", Text, Ok("6b")),
            ("6B6b", Hex, Ok("6b6b")),
            ("6b6", Hex, Err("hex")),
            ("a2s=", Base64, Ok("6b6b")),
            ("a2s", Base64, Ok("6b6b")),
            ("a-s=", Base64, Err("base64")),
            ("whsec_a2s=", Whsec, Ok("6b6b")),
            ("a2s", Whsec, Ok("6b6b")),
            ("whsec_!", Whsec, Err("`whsec_` and base64")),
            // Whoever guesses that the key is empty could sign anything.
            ("whsec_", Whsec, Err("a secret that is not empty")),
        ] {
            let key = Key::new(&Secret::new(secret.into()).unwrap(), encoding);
            let bytes = key.map(|Key(bytes)| hex::encode(&*bytes));
            assert_eq!(bytes.as_deref().map_err(|error| error.expected), expected, "{secret}");
        }
    }
}
