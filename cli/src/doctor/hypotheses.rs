//! What may be wrong. Each hypothesis changes one thing in the request, the credentials or the clock. If the delivery is
//! then accepted, or passes more steps, that was the cause.

mod body;
mod copies;
mod credentials;
mod header;
mod hmac;
mod jwe;
mod route;
mod sealed;
mod url;

use std::ops::RangeInclusive;

use super::{
    diagnosis_input::{DiagnosisInput, Stage},
    finding::{Finding, Variant},
};

/// The variants of a delivery that could show one fault, made one by one; none where the fault does not apply.
type Variants<'d> = Box<dyn Iterator<Item = Variant> + 'd>;

/// A way to look for one fault.
type Hypothesis = fn(&DiagnosisInput) -> Variants<'_>;

/// One row of the table.
struct Row {
    hypothesis: Hypothesis,
    /// The stages at which the fault can be the cause of a refusal.
    at: RangeInclusive<Stage>,
    /// The stage that a variant must reach so that the finding is proven.
    proof: Stage,
    /// What is tried, where that is worth a word in the report of a signature that stays invalid.
    about: &'static str,
}

const fn row(hypothesis: Hypothesis, at: RangeInclusive<Stage>, proof: Stage, about: &'static str) -> Row {
    Row { hypothesis, at, proof, about }
}

use Stage::{Address, Form, Key, Opened, Payload, Route, Seal, Start};

/// Every hypothesis, the most likely first.
const TABLE: &[Row] = &[
    row(copies::white_space, Start..=Address, Route, COPY),
    row(copies::quotes, Start..=Address, Route, COPY),
    row(copies::extra_text, Start..=Address, Route, COPY),
    row(copies::altered, Start..=Address, Route, COPY),
    row(credentials::token_and_aes_key_swapped, Start..=Seal, Route, ""),
    row(credentials::aes_key_with_more_around_it, Start..=Seal, Route, ""),
    row(credentials::kid_and_key_swapped, Start..=Key, Route, ""),
    row(credentials::pre_shared_key_in_another_encoding, Start..=Key, Route, ""),
    row(credentials::another_source_is_broken, Start..=Start, Route, ""),
    row(route::method, Route..=Route, Form, ""),
    row(route::unknown_source, Route..=Route, Address, ""),
    row(route::wrong_source, Form..=Seal, Address, "the credentials of the other sources"),
    row(body::compressed, Form..=Seal, Seal, BODY),
    row(body::base64, Form..=Seal, Seal, BODY),
    row(body::form, Form..=Seal, Seal, BODY),
    row(body::changed, Form..=Seal, Seal, BODY),
    row(hmac::legacy_signature, Form..=Form, Key, ""),
    row(header::joined, Form..=Key, Address, HEADER),
    row(header::altered, Form..=Key, Address, HEADER),
    row(hmac::another_form_of_signature, Form..=Key, Address, HEADER),
    row(hmac::another_header, Form..=Key, Address, HEADER),
    row(hmac::another_unit, Address..=Address, Payload, ""),
    row(hmac::stale, Address..=Address, Payload, ""),
    row(hmac::another_secret_encoding, Start..=Key, Address, "other encodings of the secret"),
    row(copies::on_the_platform, Key..=Key, Address, COPY),
    row(url::changed, Key..=Key, Address, URL),
    row(sealed::spaces_for_plus, Form..=Seal, Key, ""),
    row(sealed::another_signature_parameter, Key..=Key, Seal, ""),
    row(sealed::stale, Address..=Address, Payload, ""),
    row(sealed::owner, Address..=Address, Payload, ""),
    row(sealed::garbled, Key..=Key, Payload, ""),
    row(sealed::token, Key..=Key, Address, ""),
    row(sealed::aes_key_of_another_source, Seal..=Address, Address, ""),
    row(jwe::key_under_another_kid, Key..=Seal, Address, ""),
    row(hmac::secret_of_another_source, Form..=Key, Address, "the secrets of the other sources"),
    row(hmac::another_preset, Start..=Key, Address, "the presets"),
    row(route::wrong_provider, Route..=Key, Address, "the credentials of the other providers"),
    // The most variants, and of bodies that may be long: last.
    row(body::rewritten, Form..=Seal, Address, "other layouts, escapes and orders of the JSON"),
];

const COPY: &str = "altered copies of the secret";
const BODY: &str = "common changes of the body";
const HEADER: &str = "other forms of the signature";
const URL: &str = "other forms of the URL";

/// What is tried in pairs where no single change is enough: each of the first list with each of the second.
const PAIRS: &[(&[Hypothesis], &[Hypothesis])] = &[
    (COPIES, COPIES),
    (COPIES, &[hmac::another_secret_encoding, header::joined, hmac::another_form_of_signature, url::changed]),
    (&[body::compressed, body::base64], BODIES),
    (BODIES, COPIES),
    (&[body::changed], &[body::rewritten]),
    (&[header::joined, header::altered], BODIES),
    (&[hmac::another_form_of_signature, hmac::another_header, hmac::another_secret_encoding], BODIES),
    (&[url::changed], BODIES),
];

const COPIES: &[Hypothesis] = &[copies::white_space, copies::quotes, copies::extra_text, copies::altered];
const BODIES: &[Hypothesis] = &[body::compressed, body::base64, body::form, body::changed, body::rewritten];

/// The most variants that are tried.
const MOST_ATTEMPTS: usize = 5_000;

/// The most bytes of bodies that are tried: a second of HMAC on a slow machine.
const MOST_BYTES: usize = 256 << 20;

/// What a search found.
pub struct Search {
    /// The proven faults and the delivery without them; none if no variant gets further.
    pub found: Option<(Vec<Finding>, DiagnosisInput)>,
    /// How far that delivery gets.
    pub stage: Stage,
    /// How many variants were tried.
    pub attempts: usize,
    /// What was tried, each kind once.
    pub about: Vec<&'static str>,
    /// True if nothing was left out for want of time.
    pub complete: bool,
    bytes: usize,
}

/// Looks for the change with which a delivery that was refused at a stage gets furthest.
pub fn search(delivery: &DiagnosisInput, reached: Stage) -> Search {
    let mut search =
        Search { found: None, stage: reached, attempts: 0, about: Vec::new(), complete: true, bytes: 0 };
    for row in TABLE.iter().filter(|row| row.at.contains(&reached)) {
        let before = search.attempts;
        for variant in (row.hypothesis)(delivery) {
            let stage = variant.stage(delivery, reached);
            let is_over = search.is_over(&variant.delivery);
            if search.takes(stage, row.proof) {
                search.found = Some((vec![variant.finding], variant.delivery));
            }
            if is_over || search.stage == Opened {
                break;
            }
        }
        if search.attempts > before && !row.about.is_empty() && !search.about.contains(&row.about) {
            search.about.push(row.about);
        }
        if search.stage == Opened {
            return search;
        }
    }
    // Two changes hide each other only where one key or signature depends on both.
    if search.found.is_none() && (Form..=Key).contains(&reached) {
        search.pairs(delivery);
    }
    search
}

impl Search {
    /// Tries pairs of changes until one makes the signature valid.
    fn pairs(&mut self, delivery: &DiagnosisInput) {
        for (first, second) in PAIRS.iter().flat_map(|(first, second)| {
            first.iter().flat_map(|one| second.iter().map(move |other| (one, other)))
        }) {
            for one in first(delivery) {
                for other in second(&one.delivery) {
                    let stage = other.stage(delivery, Key);
                    if self.takes(stage, Address) {
                        self.found = Some((both(one.finding, other.finding), other.delivery));
                        return;
                    }
                    if self.is_over(&other.delivery) {
                        return;
                    }
                }
            }
        }
    }

    /// Counts an attempt. True if it proves its fault and gets further than all before it.
    fn takes(&mut self, stage: Stage, proof: Stage) -> bool {
        self.attempts = self.attempts.saturating_add(1);
        let is_better = stage >= proof && stage > self.stage;
        if is_better {
            self.stage = stage;
        }
        is_better
    }

    /// True if no more is to be tried.
    fn is_over(&mut self, tried: &DiagnosisInput) -> bool {
        self.bytes = self.bytes.saturating_add(tried.request.body().len());
        let is_over = self.attempts >= MOST_ATTEMPTS || self.bytes >= MOST_BYTES;
        self.complete &= !is_over;
        is_over
    }
}

/// Two faults at once; one finding if they have one cause.
fn both(first: Finding, second: Finding) -> Vec<Finding> {
    if *first.cause != *second.cause {
        return vec![first, second];
    }
    let detail = format!("{} {}", first.detail, second.detail).trim().to_owned();
    vec![Finding { cause: first.cause, detail, remedy: first.remedy.or(second.remedy) }]
}
