//! The targets of the codec: schemes, formats, and what reads configured keys.

mod content;
mod formats;
mod jwe;
mod keys;
mod sealed;
mod signature;

use arbitrary::Unstructured;

use crate::{Target, random::Random};

/// The targets of this module.
pub fn targets(random: &Random) -> Vec<Target> {
    let mut targets = vec![
        Target::new("time", formats::time),
        Target::new("xml", formats::xml),
        Target::new("form", formats::form),
        Target::new("json", formats::json),
        Target::new("encoding", formats::encoding),
        Target::new("url", formats::url),
        Target::new("public-key", keys::public_key),
        Target::new("secret", keys::secret),
    ];
    targets.extend([
        Target::new("sealed", sealed::property(random)),
        Target::new("jwe", jwe::property(random)),
        Target::new("signature", signature::property(random)),
        Target::new("content", content::property(random)),
        Target::new("aead", keys::aead(random)),
    ]);
    targets
}

/// The next number below `bound`; 0 if the input has no more.
fn below(input: &mut Unstructured<'_>, bound: usize) -> usize {
    input.arbitrary::<u16>().map_or(0, usize::from).checked_rem(bound).unwrap_or_default()
}

/// The next `N` bytes, filled up with zeros.
fn bytes<const N: usize>(input: &mut Unstructured<'_>) -> [u8; N] {
    input.arbitrary().unwrap_or([0; N])
}
