//! Sources with a described signature: their schemes, and the ways to read a header as a signature.

use letterbox_codec::{
    base64::{Engine, STANDARD, URL_SAFE},
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

/// One entry of a source with a described signature, as an entry of a described sender, which can have every such scheme.
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

/// The schemes of a delivery's source; none if it does not use any.
pub fn schemes(delivery: &DiagnosisInput) -> Vec<Signing> {
    let (fixed, remedy) = match &delivery.provider.facts().scheme {
        SignatureScheme::NotHmac => return Vec::new(),
        SignatureScheme::InEntry => (None, None),
        SignatureScheme::Fixed { fields, remedy, .. } => (Some(fields), Some(*remedy)),
    };
    let entries = delivery.entries().into_iter().filter_map(|entry| match fixed {
        Some(fields) => {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
            let url = entry.get("url").map(|url| ("url".to_owned(), url.clone()));
            Some(fields.chain([key_of(delivery, &entry)?]).chain(url).collect())
        }
        None => Some(entry),
    });
    let signing = entries.filter_map(|entry: Entry| {
        // An entry that cannot be read has no scheme; it is the cause itself.
        let scheme = letterbox_signed::describe(entry.clone()).ok()?;
        let delivery = DiagnosisInput { provider: DESCRIBED, ..delivery.clone() };
        Some(Signing { delivery, entry, scheme, fixed: remedy })
    });
    signing.collect()
}

/// The field with the key of an entry in a fixed scheme: the `secret` or `public_key`, or the one of `keys` that a header
/// names, in whatever case and with or without leading zeros.
fn key_of(delivery: &DiagnosisInput, entry: &Entry) -> Option<(String, Value)> {
    let Some(header) = delivery.provider.facts().key_header else {
        let field = |name: &str| Some((name.to_owned(), entry.get(name)?.clone()));
        return field("secret").or_else(|| field("public_key"));
    };
    let bare = |id: &str| id.trim_start_matches('0').to_ascii_lowercase();
    let named = bare(delivery.header(header)?);
    let (_, key) = entry.get("keys")?.as_object()?.iter().find(|(id, _)| bare(id) == named)?;
    Some(("public_key".to_owned(), key.clone()))
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

    /// The signing secret, if it is a text; an entry with a public key has none.
    pub fn secret(&self) -> Option<&str> {
        self.entry.get("secret")?.as_str()
    }

    /// True if the signature covers the URL.
    pub fn covers_url(&self) -> bool {
        self.scheme.template.contains("{url}")
    }

    /// True if the signature is made with a private key.
    pub fn is_public(&self) -> bool {
        self.scheme.algorithm.is_public()
    }

    /// The name of one of the scheme's headers as the request has it, where it may come under another prefix.
    pub fn name(&self, header: &str) -> String {
        let (families, signature) = (&self.scheme.header_families, &self.scheme.header);
        let in_family = |name: &str, family: &String| {
            let rest = name.get(families.first()?.len()..)?;
            name.starts_with(families.first()?).then(|| format!("{family}{rest}"))
        };
        let is_there = |family: &&String| {
            in_family(signature, family).is_some_and(|name| self.delivery.header(&name).is_some())
        };
        families
            .iter()
            .find(is_there)
            .and_then(|family| in_family(header, family))
            .unwrap_or(header.to_owned())
    }

    /// The names of the headers that the scheme reads, as the request has them.
    pub fn names(&self) -> Vec<String> {
        let scheme = &self.scheme;
        let names = [Some(&scheme.header), scheme.timestamp_header.as_ref(), scheme.id_header.as_ref()];
        names.into_iter().flatten().map(|name| self.name(name)).collect()
    }

    /// True if the signature is the whole value of its header, or one of several such values.
    pub fn is_bare(&self) -> bool {
        let scheme = &self.scheme;
        scheme.signature_key.is_none() && scheme.signature_index.is_none() && !scheme.algorithm.sends_secret()
    }

    /// The signed timestamp, as it came.
    pub fn timestamp(&self) -> Option<String> {
        let scheme = &self.scheme;
        if let Some(name) = &scheme.timestamp_header {
            return self.delivery.header(&self.name(name)).map(str::to_owned);
        }
        if let Some(path) = &scheme.timestamp_path {
            let value = self.delivery.body_object()?.get(path).ok()??.get().to_owned();
            return Some(value.trim_matches('"').to_owned());
        }
        let separator = scheme.separator.as_deref()?;
        let name = self.name(&scheme.header);
        let mut elements = self.delivery.header(&name)?.split(separator).map(str::trim);
        match (scheme.timestamp_key.as_deref(), scheme.timestamp_index) {
            (Some(key), _) => {
                let mut pairs = elements.filter_map(|element| element.split_once('='));
                pairs.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
            }
            (None, Some(index)) => elements.nth(index.into()).map(str::to_owned),
            (None, None) => None,
        }
    }
}

/// A way to read a header's value as a signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    prefix: String,
    encoding: Encoding,
    /// How many bytes it has.
    length: usize,
}

const ENCODINGS: [(Encoding, &str); 3] =
    [(Encoding::Hex, "hex"), (Encoding::Base64, "base64"), (Encoding::Base64Url, "base64url")];

/// An algorithm: its length in bytes if that is fixed, its name in an entry, and its name in words.
struct Known(Algorithm, Option<usize>, &'static str, &'static str);

const ALGORITHMS: [Known; 8] = [
    Known(Algorithm::Sha256, Some(32), "sha256", "HMAC-SHA-256"),
    Known(Algorithm::Sha1, Some(20), "sha1", "HMAC-SHA-1"),
    Known(Algorithm::Sha512, Some(64), "sha512", "HMAC-SHA-512"),
    Known(Algorithm::Ed25519, Some(64), "ed25519", "Ed25519"),
    Known(Algorithm::EcdsaP256, None, "ecdsa-p256", "ECDSA P-256"),
    Known(Algorithm::RsaSha256, None, "rsa-sha256", "RSA with SHA-256"),
    Known(Algorithm::Token, None, "token", "the secret itself"),
    Known(Algorithm::Basic, None, "basic", "`Authorization: Basic`"),
];

/// The longest text before a signature that counts as its prefix.
const LONGEST_PREFIX: usize = 16;

fn encoding_name(encoding: Encoding) -> &'static str {
    ENCODINGS.iter().find(|(known, _)| *known == encoding).map_or("", |(_, name)| name)
}

/// What an algorithm is called: in an entry, and in words; and the length of its signatures, if that is fixed.
pub fn facts(algorithm: Algorithm) -> (&'static str, &'static str, Option<usize>) {
    let known = ALGORITHMS.iter().find(|Known(known, ..)| *known == algorithm);
    known.map_or(("", "", None), |Known(_, length, name, words)| (name, words, *length))
}

/// Every way to read a value as a signature of at least the length of the shortest HMAC. A prefix is one word and its
/// mark: with more before it, the value is no signature with a prefix.
pub fn readings(value: &str) -> Vec<Reading> {
    let value = value.trim();
    let end = value.find(['=', ',', ' ', ':']).map(|at| at.saturating_add(1));
    let ends = [Some(0), end.filter(|end| *end <= LONGEST_PREFIX)];
    let reading = |at: usize| {
        let (prefix, rest) = value.split_at_checked(at)?;
        let (encoding, length) =
            ENCODINGS.iter().find_map(|(encoding, _)| Some((*encoding, decoded(*encoding, rest)?)))?;
        (length >= 20).then(|| Reading { prefix: prefix.to_owned(), encoding, length })
    };
    ends.into_iter().flatten().filter_map(reading).collect()
}

/// How many bytes the signature in a value has, if it is one.
pub fn bytes_of(value: &str) -> Option<usize> {
    let rest = value.trim().rsplit([',', ' ', ':']).next()?;
    let rest = rest.split_once('=').map(|(_, rest)| rest).filter(|rest| rest.len() > 2).unwrap_or(rest);
    ENCODINGS.iter().find_map(|(encoding, _)| decoded(*encoding, rest)).filter(|length| *length >= 8)
}

/// How many bytes a text decodes to.
fn decoded(encoding: Encoding, text: &str) -> Option<usize> {
    let bytes = match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Base64Url => URL_SAFE.decode(text).ok(),
    };
    bytes.map(|bytes| bytes.len())
}

impl Reading {
    /// The algorithm that it would be: a key pair stays what it is, and an HMAC is known by its length.
    pub fn algorithm(&self, scheme: &Description) -> Option<Algorithm> {
        if scheme.algorithm.is_public() {
            return Some(scheme.algorithm);
        }
        let of_length =
            |Known(algorithm, length, ..): &&Known| !algorithm.is_public() && *length == Some(self.length);
        ALGORITHMS.iter().find(of_length).map(|Known(algorithm, ..)| *algorithm)
    }

    /// The first difference from a scheme, in the order of importance; `None` if there is none.
    pub fn differs(&self, scheme: &Description, header: &str) -> Option<Finding> {
        let algorithm = self.algorithm(scheme)?;
        let (name, words, _) = facts(algorithm);
        let (_, required, _) = facts(scheme.algorithm);
        let written = encoding_name(self.encoding);
        let prefix = |prefix: &str| match prefix {
            "" => "no prefix".to_owned(),
            prefix => format!("the prefix `{prefix}`"),
        };
        let found = |cause: &'static Cause, detail: String, member: &str, value: &str| {
            Finding::new(cause, detail).remedy(format!("{} Here: `\"{member}\": \"{value}\"`.", cause.remedy))
        };
        if algorithm != scheme.algorithm {
            let detail = format!("The signature in {header} is an {words}, and {required} is required.");
            return Some(found(&causes::SIGNATURE_WRONG_ALGORITHM, detail, "algorithm", name));
        }
        if self.prefix != scheme.prefix {
            let (found_prefix, required) = (prefix(&self.prefix), prefix(&scheme.prefix));
            let detail = format!("The signature in {header} has {found_prefix}, and {required} is required.");
            return Some(found(&causes::SIGNATURE_PREFIX_MISSING, detail, "prefix", &self.prefix));
        }
        if self.encoding != scheme.encoding {
            let required = encoding_name(scheme.encoding);
            let detail =
                format!("The signature in {header} is written in {written}, and {required} is required.");
            return Some(found(&causes::SIGNATURE_ENCODING, detail, "encoding", written));
        }
        None
    }

    /// The fields of an entry that describe this reading.
    pub fn members(&self, scheme: &Description, header: &str) -> Value {
        let (algorithm, ..) = facts(self.algorithm(scheme).unwrap_or(scheme.algorithm));
        json!({
            "header": header, "prefix": self.prefix, "algorithm": algorithm,
            "encoding": encoding_name(self.encoding), "separator": null, "signature_key": null,
            "header_families": [],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_known_by_their_form() {
        let reading = |prefix: &str, encoding, length| Reading { prefix: prefix.into(), encoding, length };
        let hex = "0".repeat(40);
        for (value, expected) in [
            (hex.clone(), vec![reading("", Encoding::Hex, 20)]),
            (format!("sha1={hex}"), vec![reading("sha1=", Encoding::Hex, 20)]),
            (format!("v1,{}=", "A".repeat(43)), vec![reading("v1,", Encoding::Base64, 32)]),
            (format!("v1,AAAA,v1,{}=", "A".repeat(43)), vec![]),
            ("-_".repeat(42) + "-A", vec![reading("", Encoding::Base64Url, 64)]),
            ("application/json".into(), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(readings(&value), expected, "{value}");
        }
    }
}
