//! One registered webhook of a provider.

/// One registered webhook and the credential entries that may verify its deliveries.
pub struct Source<'a, C> {
    /// [`Provider::NAME`](crate::Provider::NAME).
    pub provider: &'static str,
    /// The source's name in the route and in the credentials.
    pub name: &'a str,
    /// Never empty; more than one while keys rotate.
    pub keys: &'a [C],
}
