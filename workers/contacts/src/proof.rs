//! What is gone in DingTalk, and how sure that is.

use crate::guard::Removals;

/// What was found to be gone.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// What would be removed.
    pub removals: Removals,
    /// True if DingTalk has confirmed each by a code.
    pub is_confirmed: bool,
    /// Why nothing must be removed.
    pub doubts: Vec<String>,
}
