//! What may be wrong: each hypothesis puts the request, the credentials or the clock otherwise, and if the delivery
//! opens then, or gets further, that was the cause.

mod body;
mod credentials;
mod jwe;
mod mac;
mod route;
mod sealed;

use super::{
    causes::Cause,
    delivery::{Delivery, Stage},
};

pub use self::{
    credentials::{tables, told},
    mac::{readings, schemes},
};

/// What was found: a cause, and what was seen of it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The cause.
    pub cause: &'static Cause,
    /// What was seen, in whole sentences; may be empty.
    pub detail: String,
    /// What to do in this very case, where that is known better.
    pub remedy: Option<String>,
}

impl Finding {
    /// A finding with what was seen.
    pub fn new(cause: &'static Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into(), remedy: None }
    }

    /// With a remedy of its own.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// The delivery as it would be if this were mended.
    fn mended(self, delivery: Delivery) -> Variant {
        Variant { finding: self, delivery }
    }
}

/// A delivery as it would be without one fault.
pub struct Variant {
    /// The fault.
    pub finding: Finding,
    /// The delivery without it.
    pub delivery: Delivery,
}

impl Variant {
    /// How far it gets. Where another provider stands in for that of the delivery only its signature counts, since it
    /// reads payloads otherwise; and one that held already has nothing to gain.
    pub fn stage(&self, of: &Delivery, reached: Stage) -> Stage {
        if self.delivery.row.name == of.row.name {
            return self.delivery.stage();
        }
        match self.delivery.stage() {
            _ if reached > Stage::Key => reached,
            Stage::Payload => Stage::Opened,
            stage => stage,
        }
    }
}

/// Makes the variants that could show one fault; none where it does not apply.
pub type Hypothesis = fn(&Delivery) -> Vec<Variant>;

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
    mac::legacy_signature,
    mac::another_form_of_signature,
    mac::another_header,
    mac::another_unit,
    mac::stale,
    mac::another_secret_encoding,
    mac::secret_that_the_platform_holds_otherwise,
    mac::another_url,
    sealed::spaces_for_plus,
    sealed::another_signature_parameter,
    sealed::stale,
    sealed::owner,
    sealed::garbled,
    sealed::token,
    sealed::aes_key_of_another_source,
    jwe::key_under_another_kid,
    mac::secret_of_another_source,
    mac::another_preset,
    route::wrong_provider,
];
