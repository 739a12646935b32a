//! Sources that sign with an HMAC: their schemes, and the ways to read a header as a signature.

use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use letterbox_codec::{
    platform::SignatureScheme,
    signature::{Algorithm, Description, Encoding},
};
use letterbox_registry::DESCRIBED;
use serde_json::{Value, json};

use super::{
    causes::{self, Cause},
    diagnosis_input::{DiagnosisInput, Entry},
    finding::{Finding, Variant},
};

/// One entry of a source that signs with an HMAC, as an entry of a described sender, which can have every such scheme.
pub struct Signing {
    /// The delivery, with [`DESCRIBED`] as its provider.
    pub delivery: DiagnosisInput,
    /// The entry.
    pub entry: Entry,
    /// What the entry comes to, its preset included.
    pub scheme: Description,
    /// What a sender must do to conform to a scheme that the entry cannot change; `None` if it can.
    pub fixed: Option<&'static str>,
}

/// The HMAC schemes of a delivery's source; none if it does not use one.
pub fn schemes(delivery: &DiagnosisInput) -> Vec<Signing> {
    let (fixed, remedy) = match &delivery.provider.facts().scheme {
        SignatureScheme::NotHmac => return Vec::new(),
        SignatureScheme::InEntry => (None, None),
        SignatureScheme::Fixed { fields, remedy } => (Some(fields), Some(*remedy)),
    };
    let entries = delivery.texts("secret").into_iter().map(|(entry, secret)| match fixed {
        Some(fields) => fields
            .iter()
            .copied()
            .chain([("secret", secret.as_str())])
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect(),
        None => entry,
    });
    let signing = entries.filter_map(|entry: Entry| {
        // An entry that cannot be read has no scheme; it is the cause itself.
        let scheme = letterbox_signed::describe(entry.clone()).ok()?;
        let delivery = DiagnosisInput { provider: DESCRIBED, ..delivery.clone() };
        Some(Signing { delivery, entry, scheme, fixed: remedy })
    });
    signing.collect()
}

impl Signing {
    /// The delivery with these members set in the entry.
    pub fn with(&self, members: &Value) -> DiagnosisInput {
        let mut entry = self.entry.clone();
        entry.extend(members.as_object().cloned().unwrap_or_default());
        self.delivery.with_entry(entry)
    }

    /// The variant of one finding. The remedies of a fixed scheme concern the sender alone.
    pub fn variant(&self, finding: Finding, members: &Value) -> Variant {
        let finding = match self.fixed {
            Some(remedy) if finding.remedy.is_none() => finding.remedy(remedy),
            _ => finding,
        };
        finding.corrected(self.with(members))
    }

    /// The signing secret.
    pub fn secret(&self) -> Option<&str> {
        self.entry.get("secret")?.as_str()
    }

    /// The signed timestamp, as it came.
    pub fn timestamp(&self) -> Option<String> {
        let scheme = &self.scheme;
        if let Some(name) = &scheme.timestamp_header {
            return self.delivery.header(name).map(str::to_owned);
        }
        let (key, separator) = (scheme.timestamp_key.as_deref()?, scheme.separator.as_deref()?);
        let elements = self.delivery.header(&scheme.header)?.split(separator);
        let pairs = elements.filter_map(|element| element.trim().split_once('='));
        pairs.filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).next()
    }
}

/// A way to read a header's value as a signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    prefix: String,
    encoding: Encoding,
    /// Which HMAC has that length.
    pub algorithm: Algorithm,
}

const ENCODINGS: [(Encoding, &str); 3] =
    [(Encoding::Hex, "hex"), (Encoding::Base64, "base64"), (Encoding::Base64Url, "base64url")];

const ALGORITHMS: [(Algorithm, usize, &str, &str); 3] = [
    (Algorithm::Sha256, 32, "sha256", "HMAC-SHA-256"),
    (Algorithm::Sha1, 20, "sha1", "HMAC-SHA-1"),
    (Algorithm::Sha512, 64, "sha512", "HMAC-SHA-512"),
];

/// The longest text before a signature that counts as its prefix.
const LONGEST_PREFIX: usize = 16;

fn encoding_name(encoding: Encoding) -> &'static str {
    ENCODINGS.iter().find(|(known, _)| *known == encoding).map_or("", |(_, name)| name)
}

/// What an algorithm is called: in an entry, and in words.
pub fn algorithm_names(algorithm: Algorithm) -> (&'static str, &'static str) {
    ALGORITHMS
        .iter()
        .find(|(known, ..)| *known == algorithm)
        .map_or(("", ""), |(_, _, name, words)| (name, words))
}

/// Every way to read a value as a signature.
pub fn readings(value: &str) -> Vec<Reading> {
    let value = value.trim();
    let ends = value.match_indices(['=', ',', ' ', ':']).map(|(at, mark)| at.saturating_add(mark.len()));
    let mut readings = Vec::new();
    for at in std::iter::once(0).chain(ends.take_while(|at| *at <= LONGEST_PREFIX)) {
        let Some((prefix, rest)) = value.split_at_checked(at) else { continue };
        let fitting = ENCODINGS.iter().find_map(|(encoding, _)| {
            let length = decoded(*encoding, rest)?;
            let (algorithm, ..) = ALGORITHMS.iter().find(|(_, known, ..)| *known == length)?;
            Some((*encoding, *algorithm))
        });
        readings.extend(fitting.map(|(encoding, algorithm)| Reading {
            prefix: prefix.to_owned(),
            encoding,
            algorithm,
        }));
    }
    readings
}

/// How many bytes a text stands for.
fn decoded(encoding: Encoding, text: &str) -> Option<usize> {
    let base64 = |alphabet: &Alphabet| {
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        GeneralPurpose::new(alphabet, config).decode(text).ok()
    };
    let bytes = match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => base64(&STANDARD),
        Encoding::Base64Url => base64(&URL_SAFE),
    };
    bytes.map(|bytes| bytes.len())
}

impl Reading {
    /// The first difference from a scheme, in the order of importance; `None` if there is none.
    pub fn differs(&self, scheme: &Description, header: &str) -> Option<Finding> {
        let (name, words) = algorithm_names(self.algorithm);
        let (_, asked) = algorithm_names(scheme.algorithm);
        let written = encoding_name(self.encoding);
        let prefix = |prefix: &str| match prefix {
            "" => "no prefix".to_owned(),
            prefix => format!("the prefix `{prefix}`"),
        };
        let found = |cause: &'static Cause, detail: String, member: &str, value: &str| {
            Finding::new(cause, detail).remedy(format!("{} Here: `\"{member}\": \"{value}\"`.", cause.remedy))
        };
        if self.algorithm != scheme.algorithm {
            let detail =
                format!("The header {header} holds an {words}, by its length, and {asked} is asked for.");
            return Some(found(&causes::SIGNATURE_WRONG_ALGORITHM, detail, "algorithm", name));
        }
        if self.prefix != scheme.prefix {
            let (found_prefix, asked) = (prefix(&self.prefix), prefix(&scheme.prefix));
            let detail = format!("The signature in {header} has {found_prefix}, and {asked} is asked for.");
            return Some(found(&causes::SIGNATURE_PREFIX_MISSING, detail, "prefix", &self.prefix));
        }
        if self.encoding != scheme.encoding {
            let asked = encoding_name(scheme.encoding);
            let detail =
                format!("The signature in {header} is written in {written}, and {asked} is asked for.");
            return Some(found(&causes::SIGNATURE_ENCODING, detail, "encoding", written));
        }
        None
    }

    /// The members of an entry that describe this reading.
    pub fn members(&self, header: &str) -> Value {
        let (algorithm, _) = algorithm_names(self.algorithm);
        json!({
            "header": header, "prefix": self.prefix, "algorithm": algorithm,
            "encoding": encoding_name(self.encoding), "separator": null, "signature_key": null,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_known_by_their_form() {
        let reading =
            |prefix: &str, encoding, algorithm| Reading { prefix: prefix.into(), encoding, algorithm };
        let hex = "0".repeat(40);
        for (value, expected) in [
            (hex.clone(), vec![reading("", Encoding::Hex, Algorithm::Sha1)]),
            (format!("sha1={hex}"), vec![reading("sha1=", Encoding::Hex, Algorithm::Sha1)]),
            (format!("v1,{}=", "A".repeat(43)), vec![reading("v1,", Encoding::Base64, Algorithm::Sha256)]),
            ("_".repeat(86), vec![]),
            ("-_".repeat(42) + "-A", vec![reading("", Encoding::Base64Url, Algorithm::Sha512)]),
            ("application/json".into(), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(readings(&value), expected, "{value}");
        }
    }
}
