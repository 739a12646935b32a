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
mod topic;
mod url;

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
};

use letterbox_codec::Stage;

use super::{
    diagnosis_input::{DiagnosisInput, Progress},
    finding::{Finding, Variant, Variants},
};

/// A way to look for one fault.
type Hypothesis = fn(&DiagnosisInput) -> Variants<'_>;

/// One row of the table.
struct Row {
    hypothesis: Hypothesis,
    /// The stages at which the fault can be the cause of a refusal.
    at: RangeInclusive<Progress>,
    /// The stage that a variant must reach so that the finding is proven.
    proof: Progress,
    /// What is tried, where that is worth a word in the report of a signature that stays invalid.
    about: &'static str,
}

const fn row(
    hypothesis: Hypothesis,
    at: RangeInclusive<Progress>,
    proof: Progress,
    about: &'static str,
) -> Row {
    Row { hypothesis, at, proof, about }
}

const START: Progress = Progress::NotStarted;
const ROUTE: Progress = Progress::RefusedAt(Stage::Route);
const FORM: Progress = Progress::RefusedAt(Stage::Form);
const KEY: Progress = Progress::RefusedAt(Stage::Key);
const SEAL: Progress = Progress::RefusedAt(Stage::Seal);
const ADDRESS: Progress = Progress::RefusedAt(Stage::Address);
const PAYLOAD: Progress = Progress::RefusedAt(Stage::Payload);

/// Every hypothesis, the most likely first.
const TABLE: &[Row] = &[
    row(copies::white_space, START..=ADDRESS, ROUTE, COPY),
    row(copies::quotes, START..=ADDRESS, ROUTE, COPY),
    row(copies::extra_text, START..=ADDRESS, ROUTE, COPY),
    row(copies::altered, START..=ADDRESS, ROUTE, COPY),
    row(credentials::token_and_aes_key_swapped, START..=SEAL, ROUTE, ""),
    row(credentials::aes_key_with_more_around_it, START..=SEAL, ROUTE, ""),
    row(credentials::kid_and_key_swapped, START..=KEY, ROUTE, ""),
    row(credentials::pre_shared_key_in_another_encoding, START..=KEY, ROUTE, ""),
    row(credentials::another_source_is_broken, START..=START, ROUTE, ""),
    row(route::method, ROUTE..=ROUTE, FORM, ""),
    row(route::unknown_source, ROUTE..=ROUTE, ADDRESS, ""),
    row(route::wrong_source, FORM..=SEAL, ADDRESS, "the credentials of the other sources"),
    row(topic::another, FORM..=ADDRESS, KEY, ""),
    row(body::compressed, FORM..=SEAL, SEAL, BODY),
    row(body::base64, FORM..=SEAL, SEAL, BODY),
    row(body::form, FORM..=SEAL, SEAL, BODY),
    row(body::changed, FORM..=SEAL, SEAL, BODY),
    row(body::signature_with_spaces, KEY..=KEY, ADDRESS, ""),
    row(hmac::older_signature, FORM..=FORM, KEY, ""),
    row(header::joined, FORM..=KEY, ADDRESS, HEADER),
    row(header::altered, FORM..=KEY, ADDRESS, HEADER),
    row(hmac::another_form_of_signature, FORM..=KEY, ADDRESS, HEADER),
    row(hmac::another_header, FORM..=KEY, ADDRESS, HEADER),
    row(hmac::another_unit, ADDRESS..=ADDRESS, PAYLOAD, ""),
    row(hmac::stale, ADDRESS..=ADDRESS, PAYLOAD, ""),
    row(hmac::another_secret_encoding, START..=KEY, ADDRESS, "other encodings of the secret"),
    row(copies::without_prefix, KEY..=KEY, ADDRESS, COPY),
    row(copies::on_the_platform, KEY..=KEY, ADDRESS, COPY),
    row(url::changed, KEY..=KEY, ADDRESS, URL),
    row(sealed::spaces_for_plus, FORM..=SEAL, KEY, ""),
    row(sealed::another_signature_parameter, KEY..=KEY, SEAL, ""),
    row(sealed::stale, ADDRESS..=ADDRESS, PAYLOAD, ""),
    row(sealed::owner, ADDRESS..=ADDRESS, PAYLOAD, ""),
    row(sealed::garbled, KEY..=KEY, PAYLOAD, ""),
    row(sealed::token, KEY..=KEY, ADDRESS, ""),
    row(sealed::aes_key_of_another_source, SEAL..=ADDRESS, ADDRESS, ""),
    row(jwe::key_under_another_kid, KEY..=SEAL, ADDRESS, ""),
    row(hmac::secret_of_another_source, FORM..=KEY, ADDRESS, "the secrets of the other sources"),
    row(hmac::another_preset, START..=KEY, ADDRESS, "the presets"),
    row(route::wrong_provider, ROUTE..=KEY, ADDRESS, "the credentials of the other providers"),
    // The most variants, and of bodies that may be long: last.
    row(body::rewritten, FORM..=SEAL, ADDRESS, "other layouts, escapes and orders of the JSON"),
];

const COPY: &str = "altered copies of the secret";
const BODY: &str = "common changes of the body";
const HEADER: &str = "other forms of the signature";
const URL: &str = "other forms of the URL";

/// What is tried in pairs where no single change is enough: each of the first list, then each of the second. The lists
/// that mostly have no variants come first.
const PAIRS: &[(&[Hypothesis], &[Hypothesis])] = &[
    (COPIES, COPIES),
    (COPIES, SCHEMES),
    (COPIES, BODIES),
    (COPIES, &[url::changed]),
    (&[body::compressed, body::base64, body::form], BODIES),
    (&[header::joined, header::altered], BODIES),
    (&[body::changed], &[body::rewritten, body::changed]),
    (&[body::rewritten], &[body::changed]),
    (SCHEMES, &[body::compressed, body::base64, body::changed, body::rewritten]),
    (&[url::changed], &[body::changed]),
];

const COPIES: &[Hypothesis] = &[copies::white_space, copies::quotes, copies::extra_text, copies::altered];
const BODIES: &[Hypothesis] = &[body::compressed, body::base64, body::form, body::changed, body::rewritten];
const SCHEMES: &[Hypothesis] =
    &[header::joined, hmac::another_form_of_signature, hmac::another_header, hmac::another_secret_encoding];

/// The most variants that are tried.
const MOST_ATTEMPTS: usize = 5_000;

/// The most bytes of bodies that are tried: about a second.
const MOST_BYTES: usize = 128 << 20;

/// What a search found.
pub struct Search {
    /// The proven faults and the delivery without them; none if no variant gets further.
    pub found: Option<(Vec<Finding>, DiagnosisInput)>,
    /// How far that delivery gets.
    pub progress: Progress,
    /// How many variants were tried.
    pub attempts: usize,
    /// What was tried, each kind once.
    pub about: Vec<&'static str>,
    /// True if no limit ended the search early.
    pub complete: bool,
    bytes: usize,
    /// The fingerprints of what was tried.
    seen: HashSet<u64>,
}

/// Looks for the change with which a delivery that was refused at a stage gets furthest.
pub fn search(delivery: &DiagnosisInput, reached: Progress) -> Search {
    let mut search = Search::new(delivery, reached);
    for row in TABLE.iter().filter(|row| row.at.contains(&reached)) {
        let before = search.attempts;
        for variant in (row.hypothesis)(delivery) {
            if search.improves(&variant, delivery, reached, row.proof) {
                search.found = Some((vec![variant.finding], variant.delivery));
            }
            search.complete &= !search.is_over();
            if !search.complete || search.progress == Progress::Accepted {
                break;
            }
        }
        if search.attempts > before && !row.about.is_empty() && !search.about.contains(&row.about) {
            search.about.push(row.about);
        }
        if search.progress == Progress::Accepted {
            return search;
        }
    }
    // Two changes hide each other only where one key or signature depends on both.
    if search.found.is_none() && (FORM..=KEY).contains(&reached) {
        search.pairs(delivery);
    }
    search
}

impl Search {
    /// A search in which nothing was tried yet.
    pub fn new(delivery: &DiagnosisInput, reached: Progress) -> Self {
        Self {
            found: None,
            progress: reached,
            attempts: 0,
            about: Vec::new(),
            complete: true,
            bytes: 0,
            seen: HashSet::from([fingerprint(delivery)]),
        }
    }

    /// Tries pairs of changes until one makes the signature valid.
    fn pairs(&mut self, delivery: &DiagnosisInput) {
        for (first, second) in PAIRS.iter().flat_map(|(first, second)| {
            first.iter().flat_map(|one| second.iter().map(move |other| (one, other)))
        }) {
            for one in first(delivery) {
                for other in second(&one.delivery) {
                    if self.improves(&other, delivery, KEY, ADDRESS) {
                        self.found = Some((both(one.finding, other.finding), other.delivery));
                        return;
                    }
                    if self.is_over() {
                        self.complete = false;
                        return;
                    }
                }
            }
        }
    }

    /// Tries a variant, unless it is one of those before. True if it proves its fault and gets further than all of them.
    fn improves(
        &mut self,
        variant: &Variant,
        of: &DiagnosisInput,
        reached: Progress,
        proof: Progress,
    ) -> bool {
        if !self.seen.insert(fingerprint(&variant.delivery)) {
            return false;
        }
        self.attempts = self.attempts.saturating_add(1);
        self.bytes = self.bytes.saturating_add(variant.delivery.request.body().len());
        let progress = variant.progress(of, reached);
        let is_better = progress >= proof && progress > self.progress;
        if is_better {
            self.progress = progress;
        }
        is_better
    }

    /// True if no more is to be tried.
    fn is_over(&self) -> bool {
        self.attempts >= MOST_ATTEMPTS || self.bytes >= MOST_BYTES
    }
}

/// Equal for deliveries that the function cannot distinguish.
fn fingerprint(delivery: &DiagnosisInput) -> u64 {
    let DiagnosisInput { provider, source, request, now, credentials } = delivery;
    let mut hasher = DefaultHasher::new();
    (provider.name(), source, now.0, request.method(), request.uri()).hash(&mut hasher);
    (credentials.json(provider.name()), request.body()).hash(&mut hasher);
    for (name, value) in request.headers() {
        (name, value.as_bytes()).hash(&mut hasher);
    }
    hasher.finish()
}

/// Two faults at once; one finding if they have one cause.
fn both(first: Finding, second: Finding) -> Vec<Finding> {
    if *first.cause != *second.cause {
        return vec![first, second];
    }
    let detail = format!("{} {}", first.detail, second.detail).trim().to_owned();
    vec![Finding { cause: first.cause, detail, remedy: first.remedy.or(second.remedy) }]
}
