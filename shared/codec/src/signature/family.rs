//! Header names of which a sender has several families.

use http::HeaderName;

use super::Scheme;
use crate::Request;

/// The family of header names that a request uses.
///
/// A scheme may list prefixes that stand for each other (`webhook-`, `svix-`). A request uses the first family whose
/// signature header it has, and every header is read from that family: they are never mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderFamily<'s> {
    /// The prefix in the entry.
    listed: &'s str,
    /// The prefix in the request.
    used: &'s str,
}

impl HeaderFamily<'_> {
    /// The names as the entry has them.
    pub(super) const FIRST: Self = HeaderFamily { listed: "", used: "" };

    /// The name under which the request has the header that the entry calls `name`.
    pub fn name(&self, name: &HeaderName) -> HeaderName {
        let renamed = match name.as_str().strip_prefix(self.listed) {
            Some(rest) if self.listed != self.used => format!("{}{rest}", self.used).parse().ok(),
            _ => None,
        };
        renamed.unwrap_or_else(|| name.clone())
    }
}

impl Scheme {
    /// The families in the order of the entry; the only one changes no name.
    pub(super) fn families(&self) -> impl Iterator<Item = HeaderFamily<'_>> {
        let listed = self.header_families.first().map_or("", String::as_str);
        let only = self.header_families.is_empty().then_some("");
        let used = only.into_iter().chain(self.header_families.iter().map(String::as_str));
        used.map(move |used| HeaderFamily { listed, used })
    }

    /// The family of a request: the first whose signature header is there, else the first.
    pub fn family(&self, request: &Request) -> HeaderFamily<'_> {
        let has_signature =
            |family: &HeaderFamily<'_>| request.headers().contains_key(family.name(&self.header));
        self.families().find(has_signature).unwrap_or(HeaderFamily::FIRST)
    }
}
