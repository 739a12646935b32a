//! Signatures of requests, described by data.
//!
//! Platforms differ in little but the header, the algorithm and the text that is signed. A [`Description`] states that as
//! data, [`Scheme::new`] checks that it is consistent, and [`Scheme::verify`] verifies all of them.
//!
//! Every scheme covers the body. Two algorithms sign nothing ([`Algorithm::Token`], [`Algorithm::Basic`]): there the
//! request carries the secret, and whoever has it vouches for the body.

mod algorithm;
mod certificate;
mod description;
mod error;
mod family;
pub mod fields;
mod key;
mod private_key;
mod public_key;
mod template;

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

pub use self::{
    algorithm::{Algorithm, Encoding, SecretEncoding},
    certificate::{Certificate, RsaHash},
    description::{Description, Scheme},
    error::{SchemeError, SignError},
    family::HeaderFamily,
    key::Key,
    private_key::sign_rsa_sha256,
};
use self::{
    description::{SignaturePlace, TimestampPlace},
    template::Part,
};
use crate::{
    Reject, Rejected, Request, Stage, Timestamp, Verified,
    base64::{Engine, STANDARD, URL_SAFE},
    content_encoding::ContentEncoding,
    form,
    json::Object,
    provider,
    stage::at,
};

/// The most signatures in one header that are compared; further ones are ignored.
const MOST_SIGNATURES: usize = 16;

/// The most headers that a signature may cover by name.
const MOST_COVERED: usize = 16;

/// A request with a valid signature.
#[derive(Debug)]
pub struct VerifiedRequest<'r> {
    /// The body, or, where it came compressed, what it unpacks to.
    pub content: Verified<'r>,
    /// The id that the signature covers, if the scheme has one.
    pub id: Option<Cow<'r, str>>,
    /// The signed timestamp as it came, if the scheme has one.
    pub timestamp: Option<Cow<'r, str>>,
    /// True if, of a form or JSON, the hash in the signed URL was checked in place of the fields.
    pub has_body_hash: bool,
}

/// The content of a signature header, not verified.
struct Claims<'r> {
    signatures: Vec<Vec<u8>>,
    timestamp: Option<Cow<'r, str>>,
    /// The list of covered headers, as it came.
    covered: Option<String>,
}

/// What the places of a template are filled with, but for the body.
struct Places<'p> {
    family: HeaderFamily<'p>,
    request: &'p Request,
    timestamp: &'p str,
    id: &'p str,
    covered: &'p str,
}

/// The query parameter with the SHA-256 of a body that is no form, in lower-case hex, where a signature covers the URL and the
/// fields of forms.
const BODY_HASH: &str = "bodySHA256";

/// The signed text in pieces.
struct SignedText<'p>(Vec<Piece<'p>>);

enum Piece<'p> {
    /// What does not depend on the body.
    Fixed(Cow<'p, [u8]>),
    /// The body.
    Body,
    /// The sorted fields of the body, unless the URL has the hash of another body.
    Form(Option<String>),
}

impl SignedText<'_> {
    /// The text that is signed with this body. [`Reject::Missing`] or [`Reject::Malformed`] if the body is no form where the
    /// fields of one are signed, and the URL has no hash of it either.
    fn with<'t>(&self, body: &'t [u8]) -> Result<Cow<'t, [u8]>, Reject> {
        if let [Piece::Body] = self.0.as_slice() {
            return Ok(Cow::Borrowed(body));
        }
        let mut text = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Fixed(fixed) => text.extend_from_slice(fixed),
                Piece::Body => text.extend_from_slice(body),
                Piece::Form(Some(_)) => {}
                Piece::Form(None)
                    if body.trim_ascii_start().starts_with(b"{")
                        || body.trim_ascii_start().starts_with(b"[") =>
                {
                    return Err(Reject::missing(BODY_HASH));
                }
                Piece::Form(None) => text.extend_from_slice(&form::sorted(body)?),
            }
        }
        Ok(Cow::Owned(text))
    }

    /// True if a hash of the body is signed in place of its fields.
    fn has_hash(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Form(Some(_))))
    }

    /// Checks a body whose hash is signed in its place.
    fn check_hash(&self, body: &[u8]) -> Result<(), Reject> {
        let is_other = |piece: &Piece<'_>| match piece {
            Piece::Form(Some(hash)) => *hash != hex::encode(Sha256::digest(body)),
            _ => false,
        };
        if self.0.iter().any(is_other) { Err(Reject::BodyHashMismatch) } else { Ok(()) }
    }
}

impl Scheme {
    /// Verifies a request: first the signature over the exact bytes, then the signed timestamp.
    ///
    /// Of a body that is compressed (`Content-Encoding`), the signature may be over the bytes as they came or over what
    /// they unpack to; the content of the result is unpacked in either case.
    pub fn verify<'r>(
        &self,
        key: &Key,
        request: &'r Request,
        now: Timestamp,
    ) -> Result<VerifiedRequest<'r>, Rejected> {
        let family = self.family(request);
        let claims = self.claims(request, family).map_err(at(Stage::Form))?;
        let id = match &self.id_header {
            Some(name) => match text(request, &family.name(name)).map_err(at(Stage::Form))? {
                None if self.template.has(&Part::Id) => {
                    return Err(Reject::MissingSignature.at(Stage::Form));
                }
                id => id,
            },
            None => None,
        };
        let covered = claims.covered.as_deref().unwrap_or_default();
        let places = Places {
            family,
            request,
            timestamp: claims.timestamp.as_deref().unwrap_or_default(),
            id: id.as_deref().unwrap_or_default(),
            covered,
        };
        let signed_text = self.signed_text(&places).map_err(at(Stage::Form))?;
        let check = |body: &[u8]| {
            let text = signed_text.with(body).map_err(at(Stage::Form))?;
            let checked = key.verify(self.algorithm, &text, &claims.signatures);
            checked.and_then(|()| signed_text.check_hash(body)).map_err(at(Stage::Key))
        };
        let content = content(request, check)?;
        let has_body_hash = signed_text.has_hash();

        let timestamp = match (claims.timestamp, &self.timestamp) {
            (Some(text), _) => Some(text),
            (None, Some(TimestampPlace::Path(path))) => {
                let label =
                    content.any_json().and_then(|payload| payload.label(path)).map_err(at(Stage::Payload))?;
                Some(Cow::Owned(label.unwrap_or_default().into_owned()))
            }
            (None, _) => None,
        };
        if let Some(text) = &timestamp {
            let signed = Timestamp::parse(text, self.timestamp_unit);
            let signed = signed.ok_or(Reject::MalformedTimestamp.at(Stage::Address))?;
            if signed.distance(now) > self.tolerance {
                return Err(Reject::TimestampOutOfRange.at(Stage::Address));
            }
        }
        // An id outside of the template is signed only if the signature covers its header.
        let is_signed = |name: &HeaderName| {
            self.template.has(&Part::Id) || covered.split(' ').any(|one| family.name(name).as_str() == one)
        };
        let id = id.filter(|_| self.id_header.as_ref().is_some_and(is_signed));
        Ok(VerifiedRequest { content, id, timestamp, has_body_hash })
    }

    /// Reads the signature header, and the timestamp from the place that the scheme names.
    fn claims<'r>(&self, request: &'r Request, family: HeaderFamily<'_>) -> Result<Claims<'r>, Reject> {
        let value = text(request, &family.name(&self.header))?.ok_or(Reject::MissingSignature)?;
        let elements = match &self.separator {
            Some(separator) => value.split(separator.as_str()).map(str::trim).collect::<Vec<_>>(),
            None => vec![&*value],
        };
        let named = |key: &str| -> Vec<&str> {
            let pairs = elements.iter().filter_map(|element| element.split_once('='));
            pairs.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
        };
        let only = |key: &str| match named(key).as_slice() {
            [one] => Ok((*one).to_owned()),
            _ => Err(Reject::MalformedSignature),
        };
        let candidates = match &self.signature {
            SignaturePlace::Every => {
                let others = elements.iter().enumerate();
                others
                    .filter(|(index, _)| self.timestamp_index() != Some(*index))
                    .map(|(_, text)| *text)
                    .collect()
            }
            SignaturePlace::Key(key) => named(key),
            SignaturePlace::Index(index) => elements.get(*index).into_iter().copied().collect(),
        };
        let mut texts = candidates.iter().filter_map(|text| self.without_prefix(text)).peekable();
        if texts.peek().is_none() {
            return Err(Reject::MalformedSignature);
        }
        // An element that does not decode must not hide a valid signature beside it.
        let signatures = texts.take(MOST_SIGNATURES).filter_map(|text| self.decode(text)).collect();
        let timestamp = match &self.timestamp {
            Some(TimestampPlace::Key(key)) => Some(Cow::Owned(only(key)?)),
            Some(TimestampPlace::Index(index)) => {
                Some(Cow::Owned((*elements.get(*index).ok_or(Reject::MalformedSignature)?).to_owned()))
            }
            Some(TimestampPlace::Header(name)) => {
                Some(text(request, &family.name(name))?.ok_or(Reject::MissingSignature)?)
            }
            Some(TimestampPlace::Path(_)) | None => None,
        };
        let covered = self.covered_key.as_deref().map(only).transpose()?;
        Ok(Claims { signatures, timestamp, covered })
    }

    /// A signature without what stands before it. The name of an authentication scheme has no case (RFC 9110, 11.1).
    fn without_prefix<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self.algorithm {
            Algorithm::Basic => text
                .split_once(' ')
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
                .map(|(_, credentials)| credentials.trim()),
            _ => text.strip_prefix(&self.prefix),
        }
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        match self.algorithm {
            Algorithm::Token => Some(text.as_bytes().to_vec()),
            Algorithm::Basic => Encoding::Base64.decode(text),
            _ => self.encoding.decode(text),
        }
    }

    /// Fills the places of the template. A header or query parameter that is absent gives [`Reject::Missing`].
    fn signed_text<'p>(&'p self, places: &Places<'p>) -> Result<SignedText<'p>, Reject> {
        let pieces = self.template.parts().iter().map(|part| {
            Ok(Piece::Fixed(match part {
                Part::Body => return Ok(Piece::Body),
                Part::Form => return self.body_hash(places.request).map(Piece::Form),
                Part::Literal(text) => Cow::Borrowed(text.as_bytes()),
                Part::Timestamp => Cow::Borrowed(places.timestamp.as_bytes()),
                Part::Id => Cow::Borrowed(places.id.as_bytes()),
                Part::Url => Cow::Owned(self.signed_url(places.request).into_bytes()),
                Part::Method => Cow::Borrowed(places.request.method().as_str().as_bytes()),
                Part::Header(name) => Cow::Borrowed(required(places.request, &places.family.name(name))?),
                Part::Query(name) => {
                    let query = places.request.uri().query().unwrap_or_default();
                    let value = form::one(query.as_bytes(), name)?;
                    let value = value.ok_or_else(|| Reject::missing(name.clone()))?;
                    Cow::Owned(value.into_owned().into_bytes())
                }
                Part::Covered => Cow::Borrowed(places.covered.as_bytes()),
                Part::CoveredValues => Cow::Owned(covered_values(places)?),
            }))
        });
        pieces.collect::<Result<_, _>>().map(SignedText)
    }

    /// The hash of the body in a signed URL.
    fn body_hash(&self, request: &Request) -> Result<Option<String>, Reject> {
        if !self.template.has(&Part::Url) {
            return Ok(None);
        }
        let url = self.signed_url(request);
        let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let query = query.split('#').next().unwrap_or_default();
        Ok(form::one(query.as_bytes(), BODY_HASH)?.map(Cow::into_owned))
    }

    /// The URL as the platform signs it.
    fn signed_url(&self, request: &Request) -> String {
        let url = self.url.clone().unwrap_or_else(|| request.uri().to_string());
        match &self.url_decoded {
            Some(characters) => decode_escapes(&url, characters),
            None => url,
        }
    }

    /// The hex HMAC of any text under the key, for a handshake whose reply proves that the receiver has it; `None` if the
    /// scheme is no HMAC.
    pub fn hmac(&self, key: &Key, text: &[u8]) -> Option<String> {
        let is_hmac = !self.algorithm.is_public() && !self.algorithm.sends_secret();
        key.sign(self.algorithm, text).filter(|_| is_hmac).map(hex::encode)
    }

    /// Adds the headers with which a platform would send a request: the other side of [`Scheme::verify`]. Where the
    /// signature covers headers by name, it covers all that the request has; where the timestamp is in the payload, it is replaced.
    ///
    /// # Errors
    /// If the key is a public one, or a signed header or parameter is missing from the request.
    pub fn sign(&self, key: &Key, request: &mut Request, now: Timestamp, id: &str) -> Result<(), SignError> {
        self.sign_with(|text| key.sign(self.algorithm, text), request, now, id)
    }

    /// [`Scheme::sign`] for those who have the private key: `sign` makes the signature of a text.
    pub fn sign_with(
        &self,
        sign: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
        request: &mut Request,
        now: Timestamp,
        id: &str,
    ) -> Result<(), SignError> {
        let timestamp = now.write(self.timestamp_unit);
        match &self.timestamp {
            Some(TimestampPlace::Header(name)) => insert(request, name, &timestamp)?,
            Some(TimestampPlace::Path(path)) => {
                if let Some(body) = with_timestamp(request.body(), path, &timestamp) {
                    *request.body_mut() = body.into();
                }
            }
            _ => {}
        }
        if let Some(name) = &self.id_header {
            insert(request, name, id)?;
        }
        let covered = self.covered_key.as_ref().map(|_| {
            let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            names.truncate(MOST_COVERED);
            names.join(" ")
        });
        let places = Places {
            family: HeaderFamily::FIRST,
            request,
            timestamp: &timestamp,
            id,
            covered: covered.as_deref().unwrap_or_default(),
        };
        let unsigned = |reject| match reject {
            Reject::Missing { field } | Reject::Malformed { field, .. } => SignError::Field(field.into()),
            _ => SignError::Field(self.header.to_string()),
        };
        let signed_text = self.signed_text(&places).map_err(unsigned)?;
        let text = signed_text.with(request.body()).map_err(unsigned)?;
        let signature = sign(&text).ok_or(SignError::PrivateKey)?;
        let signature = match self.algorithm {
            Algorithm::Token => String::from_utf8_lossy(&signature).into_owned(),
            Algorithm::Basic => format!("Basic {}", Encoding::Base64.encode(&signature)),
            _ => self.encoding.encode(&signature),
        };
        let value = self.elements(&format!("{}{signature}", self.prefix), &timestamp, covered.as_deref());
        insert(request, &self.header, &value)
    }

    /// The position of the timestamp in the signature's header, if it has no name there.
    fn timestamp_index(&self) -> Option<usize> {
        match &self.timestamp {
            Some(TimestampPlace::Index(index)) => Some(*index),
            _ => None,
        }
    }

    /// The value of the signature header, with the other elements that stand in it.
    fn elements(&self, signature: &str, timestamp: &str, covered: Option<&str>) -> String {
        let elements = match &self.signature {
            SignaturePlace::Key(key) => {
                let time_key = match &self.timestamp {
                    Some(TimestampPlace::Key(key)) => Some(key),
                    _ => None,
                };
                let named = [
                    (time_key, Some(timestamp)),
                    (self.covered_key.as_ref(), covered),
                    (Some(key), Some(signature)),
                ];
                named.into_iter().filter_map(|(key, value)| Some(format!("{}={}", key?, value?))).collect()
            }
            place => {
                let time_index = self.timestamp_index();
                let index = match place {
                    SignaturePlace::Index(index) => *index,
                    _ => usize::from(time_index == Some(0)),
                };
                let element = |position| match position {
                    position if position == index => signature.to_owned(),
                    position if Some(position) == time_index => timestamp.to_owned(),
                    _ => String::new(),
                };
                (0..=time_index.unwrap_or(0).max(index)).map(element).collect::<Vec<_>>()
            }
        };
        elements.join(self.separator.as_deref().unwrap_or_default())
    }
}

/// The content that `check` finds a valid signature of: the body as it came, or what it unpacks to.
///
/// `Content-Encoding` is not signed, so it decides nothing: bytes that are signed as they came and are text are the
/// content, whatever it says.
fn content(
    request: &Request,
    check: impl Fn(&[u8]) -> Result<(), Rejected>,
) -> Result<Verified<'_>, Rejected> {
    let body = request.body().as_ref();
    let checked = check(body);
    let Some(encoding) = ContentEncoding::of(request.headers()) else {
        return checked.map(|()| Verified::new(body));
    };
    if checked.is_ok() && std::str::from_utf8(body).is_ok() {
        return Ok(Verified::new(body));
    }
    let unpacked = match (encoding.unpack(body, provider::MAX_BODY), checked) {
        (Ok(unpacked), checked) => checked.or_else(|_| check(&unpacked)).map(|()| unpacked)?,
        // A body that is not compressed at all has no second chance.
        (Err(Reject::Malformed { .. }), Err(rejected)) => return Err(rejected),
        (Err(reject), _) => return Err(reject.at(Stage::Form)),
    };
    Ok(Verified::new(unpacked))
}

/// The values of the covered headers, joined by `.`; [`Reject::MissingSignature`] if one is absent. The sender chose the
/// names, and nothing has verified them: no refusal repeats them.
fn covered_values(places: &Places<'_>) -> Result<Vec<u8>, Reject> {
    let names: Vec<_> = places.covered.split(' ').take(MOST_COVERED.saturating_add(1)).collect();
    if names.len() > MOST_COVERED {
        return Err(Reject::MalformedSignature);
    }
    let values = names.into_iter().map(|name| {
        let name = name.parse().map_err(|_| Reject::MalformedSignature)?;
        value(places.request, &name)?.ok_or(Reject::MissingSignature)
    });
    values.collect::<Result<Vec<_>, _>>().map(|values| values.join(&b"."[..]))
}

/// The value of a header, or `None` if it is absent or blank; [`Reject::MalformedSignature`] if there are several.
fn value<'r>(request: &'r Request, name: &HeaderName) -> Result<Option<&'r [u8]>, Reject> {
    let mut values = request.headers().get_all(name).iter();
    let value = values.next().map(HeaderValue::as_bytes);
    if values.next().is_some() {
        return Err(Reject::MalformedSignature);
    }
    Ok(value.filter(|value| !value.trim_ascii().is_empty()))
}

/// [`value`] as text. Bytes that are not UTF-8 are replaced, and so match no signature.
fn text<'r>(request: &'r Request, name: &HeaderName) -> Result<Option<Cow<'r, str>>, Reject> {
    Ok(value(request, name)?.map(String::from_utf8_lossy))
}

/// [`value`], or [`Reject::Missing`].
fn required<'r>(request: &'r Request, name: &HeaderName) -> Result<&'r [u8], Reject> {
    value(request, name)?.ok_or_else(|| Reject::missing(name.to_string()))
}

/// The JSON with the value at `path`, if there is one, replaced by a timestamp. All else stays as it is.
fn with_timestamp(json: &[u8], path: &str, timestamp: &str) -> Option<Vec<u8>> {
    let object = Object::parse(std::str::from_utf8(json).ok()?).ok()?;
    let is_number = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let is_text = object.get(path).ok()??.get().starts_with('"');
    let quote = if is_number && !is_text { "" } else { "\"" };
    object.with(path, &[quote, timestamp, quote].concat()).ok()?.map(String::into_bytes)
}

fn insert(request: &mut Request, name: &HeaderName, value: &str) -> Result<(), SignError> {
    let value = HeaderValue::from_str(value).map_err(|_| SignError::Field(name.to_string()))?;
    request.headers_mut().insert(name, value);
    Ok(())
}

/// Decodes the percent escapes of some ASCII characters, once.
fn decode_escapes(url: &str, characters: &str) -> String {
    let mut pieces = url.split('%');
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let escape = piece.split_at_checked(2).and_then(|(digits, rest)| {
            let digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(digits)?;
            let character = char::from(u8::from_str_radix(digits, 16).ok()?);
            characters.contains(character).then_some((character, rest))
        });
        if let Some((character, rest)) = escape {
            decoded.push(character);
            decoded.push_str(rest);
        } else {
            decoded.push('%');
            decoded.push_str(piece);
        }
    }
    decoded
}

impl Encoding {
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64Url => URL_SAFE.decode(text).ok(),
        }
    }

    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Url => URL_SAFE.encode(bytes),
        }
    }
}

#[cfg(test)]
mod tests;
