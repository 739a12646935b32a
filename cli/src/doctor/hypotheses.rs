//! What may be wrong. Each hypothesis changes one thing in the request, the credentials or the clock. If the delivery is
//! then accepted, or passes more steps, that was the cause.

mod body;
mod credentials;
mod hmac;
mod jwe;
mod route;
mod sealed;

use super::{diagnosis_input::DiagnosisInput, finding::Variant};

/// Returns the variants of a delivery that could show one fault; none where the fault does not apply.
pub type Hypothesis = fn(&DiagnosisInput) -> Vec<Variant>;

/// Every hypothesis, the most likely first.
pub const TABLE: &[Hypothesis] = &[
    credentials::white_space,
    credentials::quotes,
    credentials::token_and_aes_key_swapped,
    credentials::aes_key_with_more_around_it,
    credentials::kid_and_key_swapped,
    credentials::pre_shared_key_in_another_encoding,
    credentials::another_source_is_broken,
    route::method,
    route::unknown_source,
    route::wrong_source,
    body::base64,
    body::form,
    body::changed,
    hmac::older_signature,
    hmac::another_form_of_signature,
    hmac::another_header,
    hmac::another_unit,
    hmac::stale,
    hmac::another_secret_encoding,
    hmac::secret_that_differs_on_the_platform,
    hmac::another_url,
    sealed::spaces_for_plus,
    sealed::another_signature_parameter,
    sealed::stale,
    sealed::owner,
    sealed::garbled,
    sealed::token,
    sealed::aes_key_of_another_source,
    jwe::key_under_another_kid,
    hmac::secret_of_another_source,
    hmac::another_preset,
    route::wrong_provider,
];
