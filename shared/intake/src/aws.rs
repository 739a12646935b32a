//! What all AWS clients share: one TLS stack, the default configuration, a bound on responses, readable errors.

#[cfg(test)]
pub(crate) mod fake;

use std::mem;

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_sqs::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeDeserializationInterceptorContextMut,
    },
    error::{BoxError, ProvideErrorMetadata, SdkError},
};
use aws_smithy_http_client::tls::{Provider as Tls, rustls_provider::CryptoMode};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// The TLS stack of every client.
pub const TLS: Tls = Tls::Rustls(CryptoMode::Ring);

/// The configuration that the SDK finds in its environment.
pub async fn config() -> SdkConfig {
    loader().load().await
}

/// Finds that configuration, and can be given another profile or region.
pub fn loader() -> ConfigLoader {
    let http = aws_smithy_http_client::Builder::new().tls_provider(TLS).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http)
}

/// Bounds the body of a client's successful responses, in bytes; that of an error is always bounded by
/// [`Self::CONFIRMATION`]. An attempt whose response is longer fails.
///
/// The SDK reads a whole response into memory, so a response without an end would fill it. Timeouts bound the time;
/// hyper bounds the response head.
#[derive(Clone, Copy, Debug)]
pub struct ResponseLimit(pub usize);

impl ResponseLimit {
    /// For operations whose response only confirms something. Errors of AWS have well under 1 KiB.
    pub const CONFIRMATION: Self = Self(64 * 1024);
}

impl Intercept for ResponseLimit {
    fn name(&self) -> &'static str {
        "ResponseLimit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let limit = if response.status().is_success() { self.0 } else { Self::CONFIRMATION.0 };
        let body = response.body_mut();
        let unbounded = mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(unbounded, limit));
        Ok(())
    }
}

/// The service's error code and message, or else why there was no response, for the operator.
pub fn describe<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => chain(error),
    }
}

/// An error and its causes, joined by colons.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
