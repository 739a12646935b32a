//! Faults around an HMAC: the header, the signed text, the secret's encoding, the timestamp.

use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::Uri;
use letterbox_codec::{
    Timestamp,
    mac::{Algorithm, Description, Encoding},
    timestamp::Unit,
};
use serde_json::{Map, Value, json};

use super::{Finding, Variant};
use crate::{
    doctor::{
        causes::{self, Cause},
        delivery::{Delivery, Entry, Stage},
    },
    providers, time,
};

/// One key of a source that signs with an HMAC, as an entry of `payment`, which can describe every such scheme.
pub struct Signing {
    delivery: Delivery,
    entry: Entry,
    /// What the entry comes to, its preset included.
    pub scheme: Description,
    /// Whether the entry can say it otherwise; GitHub's scheme is fixed.
    pub is_fixed: bool,
}

/// The HMAC schemes of a delivery's source; none if it does not use one.
pub fn schemes(delivery: &Delivery) -> Vec<Signing> {
    let is_fixed = delivery.row.name == "github";
    let entries = delivery.texts("secret").into_iter().map(|(entry, secret)| {
        if is_fixed {
            let members =
                json!({ "preset": "github-style", "type_header": "x-github-event", "secret": secret });
            members.as_object().cloned().unwrap_or_default()
        } else {
            entry
        }
    });
    let Ok(row) = providers::find("payment") else { return Vec::new() };
    let signing = entries.filter_map(|entry| {
        let scheme = letterbox_signed::describe(entry.clone()).ok()?;
        Some(Signing { delivery: Delivery { row, ..delivery.clone() }, entry, scheme, is_fixed })
    });
    signing.collect()
}

impl Signing {
    /// The delivery if the entry said these members otherwise.
    fn with(&self, members: &Value) -> Delivery {
        let mut entry = self.entry.clone();
        entry.extend(members.as_object().cloned().unwrap_or_default());
        self.delivery.with_entry(entry)
    }

    /// The variant of one finding. The remedies of a fixed scheme concern the sender alone.
    fn variant(&self, finding: Finding, members: &Value) -> Variant {
        let finding = if self.is_fixed && finding.remedy.is_none() {
            finding.remedy("Let the sender sign as GitHub does: HMAC-SHA-256 in lower-case hex, behind `sha256=`, in X-Hub-Signature-256. For a sender that signs otherwise there is the provider payment.")
        } else {
            finding
        };
        finding.mended(self.with(members))
    }

    fn secret(&self) -> Option<&str> {
        self.entry.get("secret")?.as_str()
    }

    /// The signed timestamp, as it came.
    fn timestamp(&self) -> Option<String> {
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
    /// What of a scheme it is not, first what matters most.
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

    /// The members of an entry that say it.
    fn members(&self, header: &str) -> Value {
        let (algorithm, _) = algorithm_names(self.algorithm);
        json!({
            "header": header, "prefix": self.prefix, "algorithm": algorithm,
            "encoding": encoding_name(self.encoding), "separator": null, "signature_key": null,
        })
    }
}

/// GitHub's older header.
pub(super) fn legacy_signature(delivery: &Delivery) -> Vec<Variant> {
    let has = |name: &str| delivery.request.headers().contains_key(name);
    if delivery.row.name != "github" || has("x-hub-signature-256") || !has("x-hub-signature") {
        return Vec::new();
    }
    let variants = delivery.entries().into_iter().map(|entry| {
        Finding::new(&causes::SIGNATURE_WRONG_ALGORITHM, "Only X-Hub-Signature (HMAC-SHA-1) is there, and X-Hub-Signature-256 is asked for.")
            .remedy("Update the sender, so that it sends X-Hub-Signature-256 too; for one that cannot, set the entry's `allow_sha1` to true.")
            .mended(delivery.with_member(&entry, "allow_sha1", true))
    });
    variants.collect()
}

pub(super) fn another_form_of_signature(delivery: &Delivery) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery) {
        let header = &signing.scheme.header;
        // A structured header has its timestamp in it, and cannot be read as one signature.
        let value = delivery.header(header).filter(|_| signing.scheme.signature_key.is_none());
        for reading in value.map(readings).unwrap_or_default() {
            if let Some(finding) = reading.differs(&signing.scheme, header) {
                // GitHub keeps the two algorithms in two headers.
                let finding = if signing.is_fixed { Finding { remedy: None, ..finding } } else { finding };
                variants.push(signing.variant(finding, &reading.members(header)));
            }
        }
    }
    variants
}

pub(super) fn another_header(delivery: &Delivery) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery).iter().filter(|signing| signing.scheme.signature_key.is_none()) {
        let asked = &signing.scheme.header;
        for (name, value) in &delivery.request.headers().clone() {
            if name.as_str().eq_ignore_ascii_case(asked) {
                continue;
            }
            for reading in value.to_str().map(readings).unwrap_or_default() {
                let delivery = signing.with(&reading.members(name.as_str()));
                // Many a header looks like a signature: only one that holds is.
                if delivery.stage() > Stage::Seal {
                    let finding = if signing.is_fixed && delivery.request.headers().contains_key(asked) {
                        let detail = format!("{name} is right, so secret and body are, too; {asked} is not.");
                        Finding::new(&causes::SIGNATURE_MALFORMED, detail)
                    } else {
                        let detail = format!("It stands in {name}, and {asked} is asked for.");
                        Finding::new(&causes::SIGNATURE_WRONG_HEADER, detail)
                    };
                    variants.push(signing.variant(finding, &reading.members(name.as_str())));
                }
            }
        }
    }
    variants
}

pub(super) fn another_unit(delivery: &Delivery) -> Vec<Variant> {
    let variants = schemes(delivery).into_iter().filter_map(|signing| {
        let (_, unit) = Timestamp::guess(&signing.timestamp()?)?;
        (unit != signing.scheme.timestamp_unit).then(|| {
            let (name, words, asked) = match unit {
                Unit::Seconds => ("s", "seconds", "milliseconds"),
                Unit::Milliseconds => ("ms", "milliseconds", "seconds"),
            };
            let finding = Finding::new(
                &causes::TIMESTAMP_UNIT,
                format!("It is in {words}, and {asked} are asked for."),
            );
            signing.variant(finding, &json!({ "timestamp_unit": name }))
        })
    });
    variants.collect()
}

/// What was signed when, compared with the time of receipt.
pub(super) fn distance(sent: Timestamp, delivery: &Delivery) -> String {
    let way = if sent < delivery.now { "before" } else { "after" };
    let span = time::about(sent.distance(delivery.now));
    format!("It was signed at {sent}, {span} {way} the time of receipt, {}.", delivery.now)
}

pub(super) fn stale(delivery: &Delivery) -> Vec<Variant> {
    let variants = schemes(delivery).into_iter().filter_map(|signing| {
        let (sent, unit) = Timestamp::guess(&signing.timestamp()?)?;
        let finding = Finding::new(&causes::TIMESTAMP_STALE, distance(sent, delivery));
        (unit == signing.scheme.timestamp_unit)
            .then(|| finding.mended(Delivery { now: sent, ..delivery.clone() }))
    });
    variants.collect()
}

pub(super) fn another_secret_encoding(delivery: &Delivery) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery) {
        for encoding in ["text", "hex", "base64", "whsec"] {
            let finding =
                Finding::new(&causes::SECRET_ENCODING, format!("As {encoding} it is the platform's."));
            let finding = if signing.is_fixed {
                finding.remedy(
                    "Store the secret as it stands in the webhook's settings, not decoded and not encoded.",
                )
            } else {
                finding.remedy(format!("Set `\"secret_encoding\": \"{encoding}\"`."))
            };
            variants.push(signing.variant(finding, &json!({ "secret_encoding": encoding })));
        }
    }
    variants
}

/// The platform's own secret has white space or quotes; no entry can hold such a one, but hex can say it.
pub(super) fn secret_that_the_platform_holds_otherwise(delivery: &Delivery) -> Vec<Variant> {
    const HELD: [(&Cause, &str, &str, &str); 6] = [
        (&causes::SECRET_HAS_WHITESPACE, "", "\n", "a line feed behind it"),
        (&causes::SECRET_HAS_WHITESPACE, "", "\r\n", "a line break (CR LF) behind it"),
        (&causes::SECRET_HAS_WHITESPACE, "", " ", "a space behind it"),
        (&causes::SECRET_HAS_WHITESPACE, " ", "", "a space before it"),
        (&causes::SECRET_HAS_QUOTES, "\"", "\"", "quotes around it"),
        (&causes::SECRET_HAS_QUOTES, "'", "'", "quotes around it"),
    ];
    let mut variants = Vec::new();
    for signing in schemes(delivery) {
        let Some(secret) = signing.secret() else { continue };
        for (cause, before, after, what) in HELD {
            let held = hex::encode(format!("{before}{secret}{after}"));
            let finding =
                Finding::new(cause, format!("It is the platform that holds the secret with {what}."))
                    .remedy("Set the secret in the platform's dashboard anew, without them.");
            variants.push(signing.variant(finding, &json!({ "secret": held, "secret_encoding": "hex" })));
        }
    }
    variants
}

/// What a gateway may have changed of the URL.
pub(super) fn another_url(delivery: &Delivery) -> Vec<Variant> {
    let uri = delivery.request.uri();
    let host = delivery.header("x-forwarded-host").or_else(|| delivery.header("host"));
    let hosts = [host, uri.host()];
    let path = uri.path();
    let shorter = path.get(1..).and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)));
    let with_slash = format!("{}/", path.trim_end_matches('/'));
    let paths = [Some(path), shorter, Some(path.trim_end_matches('/')), Some(with_slash.as_str())];
    let mut urls = Vec::new();
    for host in hosts.into_iter().flatten() {
        for path in paths.into_iter().flatten() {
            for scheme in ["https", "http"] {
                urls.extend(uri.query().map(|query| format!("{scheme}://{host}{path}?{query}")));
                urls.push(format!("{scheme}://{host}{path}"));
            }
        }
    }
    let mut variants = Vec::new();
    for signing in schemes(delivery).iter().filter(|signing| signing.scheme.template.contains("{url}")) {
        for url in urls.iter().filter(|url| url.parse::<Uri>().is_ok()) {
            let finding = Finding::new(&causes::URL_CHANGED, format!("The platform signed it as {url}."))
                .remedy(format!("Set `\"url\": \"{url}\"`."));
            variants.push(signing.variant(finding, &json!({ "url": url })));
        }
    }
    variants
}

pub(super) fn secret_of_another_source(delivery: &Delivery) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery) {
        for (source, other) in delivery.others() {
            let Some(secret) = other.get("secret") else { continue };
            let detail = format!("The platform signs with the secret of {source:?}.");
            let finding = Finding::new(&causes::WRONG_SOURCE, detail).remedy(format!(
                "Set the secret of {:?} in the platform's dashboard, or correct the URL there.",
                delivery.source
            ));
            variants.push(signing.variant(finding, &json!({ "secret": secret })));
        }
    }
    variants
}

pub(super) fn another_preset(delivery: &Delivery) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery).iter().filter(|signing| !signing.is_fixed) {
        for preset in letterbox_signed::presets::PRESETS.iter().map(|preset| preset.name) {
            let entry: Map<_, _> = signing
                .entry
                .iter()
                .filter(|(name, _)| *name == "secret")
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let finding =
                Finding::new(&causes::SIGNED_TEXT, format!("It is signed as the preset {preset} says."))
                    .remedy(format!("Set `\"preset\": \"{preset}\"`."));
            let delivery = signing.delivery.with_member(&entry, "preset", preset);
            // Another header that is missing, or there, says nothing yet.
            variants.extend((delivery.stage() > Stage::Seal).then(|| finding.mended(delivery)));
        }
    }
    variants
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
