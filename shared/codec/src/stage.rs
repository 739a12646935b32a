//! How far a delivery gets, and a refusal that says so.

use serde::{Deserialize, Serialize};

use crate::Reject;

/// A group of checks, in the order in which every delivery meets them. A protocol may lack some of them.
///
/// The code that refuses a delivery sets the stage, with [`Reject::at`] or [`at`]; nothing derives it from a reason later,
/// since one reason may be that of several stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// What holds for every provider: the request arrived whole, with an accepted method and size, at a known source.
    Route,
    /// What the protocol requires before any key is used: parameters, headers, and the form of the body.
    Form,
    /// A key of the source matches: it verifies the signature, or unwraps the content key.
    Key,
    /// The same entry decrypts the message.
    Seal,
    /// The message is recent, and for this receiver.
    Address,
    /// The verified content is an event.
    Payload,
}

/// A reason, and the stage at which it applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The reason.
    pub reject: Reject,
    /// The stage that the delivery did not pass.
    pub stage: Stage,
}

impl Reject {
    /// The refusal for this reason at `stage`.
    pub const fn at(self, stage: Stage) -> Rejected {
        Rejected { reject: self, stage }
    }
}

/// [`Reject::at`] for `map_err`.
pub fn at(stage: Stage) -> impl Fn(Reject) -> Rejected {
    move |reject| reject.at(stage)
}

/// Runs `open` with each of `keys` until one succeeds, and returns its position and the result. If all fail, returns the
/// refusal of the latest stage; of several, the first.
pub fn first_accepted<'k, K, T>(
    keys: &'k [K],
    mut open: impl FnMut(&'k K) -> Result<T, Rejected>,
) -> Result<(usize, T), Rejected> {
    let mut furthest = None::<Rejected>;
    for (position, key) in keys.iter().enumerate() {
        match open(key) {
            Ok(opened) => return Ok((position, opened)),
            Err(rejected) if furthest.as_ref().is_none_or(|known| rejected.stage > known.stage) => {
                furthest = Some(rejected);
            }
            Err(_) => {}
        }
    }
    Err(furthest.unwrap_or(Reject::SignatureMismatch.at(Stage::Key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_in_the_order_of_the_checks() {
        use Stage::{Address, Form, Key, Payload, Route, Seal};
        assert!([Route, Form, Key, Seal, Address, Payload].is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn the_first_refusal_of_the_latest_stage_is_returned() {
        let [form, key, other_key, seal, address, other_address] = [
            Reject::MissingSignature.at(Stage::Form),
            Reject::SignatureMismatch.at(Stage::Key),
            Reject::UnknownKid.at(Stage::Key),
            Reject::InvalidPadding.at(Stage::Seal),
            Reject::OwnerKeyMismatch.at(Stage::Address),
            Reject::TimestampOutOfRange.at(Stage::Address),
        ];
        for (refusals, expected) in [
            (&[][..], &key),
            (&[&form], &form),
            (&[&form, &key], &key),
            (&[&key, &form], &key),
            (&[&key, &other_key], &key),
            (&[&other_key, &key], &other_key),
            (&[&key, &address, &seal, &other_address], &address),
            (&[&other_address, &address], &other_address),
        ] {
            let refused = first_accepted::<_, ()>(refusals, |refusal| Err((*refusal).clone()));
            assert_eq!(refused.as_ref(), Err(expected), "{refusals:?}");
        }
    }

    #[test]
    fn the_first_key_that_opens_is_used_whatever_the_others_refuse() {
        let opened = first_accepted(&[1, 2, 3], |key| {
            if *key == 1 { Err(Reject::NotUtf8.at(Stage::Payload)) } else { Ok(*key) }
        });
        assert_eq!(opened, Ok((1, 2)));
    }
}
