//! One registered webhook of a provider.

/// One registered webhook and the credential entries that may verify its deliveries.
pub struct Source<'a, C> {
    /// [`Provider::NAME`](crate::Provider::NAME).
    pub provider: &'static str,
    /// The source's name in the route and in the credentials.
    pub name: &'a str,
    /// The entries of its credentials: at least one; two or more during a rotation.
    pub keys: &'a [C],
}
