//! What all AWS clients share: one TLS stack, the default configuration, a bound on responses, readable errors.

#[cfg(test)]
pub(crate) mod fake;

use std::{
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, ConfigLoader, SdkConfig, environment::EnvironmentVariableCredentialsProvider,
};
use aws_sdk_sqs::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, StalledStreamProtectionConfig,
        interceptors::BeforeDeserializationInterceptorContextMut,
    },
    error::{BoxError, ProvideErrorMetadata, SdkError},
};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider as Tls, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// The TLS stack of every client.
pub const TLS: Tls = Tls::Rustls(CryptoMode::Ring);

/// The configuration that the SDK finds in its environment, for clients whose requests all have a time limit.
pub async fn config() -> SdkConfig {
    // The time limits suffice. The protection counts tenths of a second by the time of day: if that jumps by years within a
    // response, it counts for minutes, and the time limits wait for it.
    let loader = loader().stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if !has_keys(|name| std::env::var(name).ok()) {
        return loader.load().await;
    }
    // The keys of a function are in its environment, which the default chain asks first. Without the chain, its clients of
    // other places of keys are not created at each start.
    loader.credentials_provider(EnvironmentVariableCredentialsProvider::new()).load().await
}

/// True if the environment has the keys of an AWS identity.
fn has_keys(variable: impl Fn(&str) -> Option<String>) -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        .into_iter()
        .all(|name| variable(name).is_some_and(|value| !value.trim().is_empty()))
}

/// Finds that configuration, and can be given another profile or region.
pub fn loader() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest()).http_client(Connectors::default())
}

/// The connectors of all clients: each has its pool of connections, and the system's roots.
///
/// The SDK's own creates one more at the creation of each client, to see whether that works, and drops it: each time, all
/// roots are parsed.
#[derive(Debug, Default)]
struct Connectors(Mutex<Vec<(Timeouts, SharedHttpConnector)>>);

/// What distinguishes connectors: the time limits of connecting and of reading.
type Timeouts = (Option<Duration>, Option<Duration>);

impl HttpClient for Connectors {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        let mut connectors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, connector)) = connectors.iter().find(|(known, _)| *known == timeouts) {
            return connector.clone();
        }
        let mut builder = Connector::builder().connector_settings(settings.clone());
        builder.set_sleep_impl(components.sleep_impl());
        let connector = SharedHttpConnector::new(builder.tls_provider(TLS).build());
        connectors.push((timeouts, connector.clone()));
        connector
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_two_variables_that_are_not_empty() {
        for (id, secret, expected) in [
            (Some("a"), Some("b"), true),
            (Some("a"), None, false),
            (None, Some("b"), false),
            (Some("a"), Some(" "), false),
            (Some(""), Some("b"), false),
        ] {
            let variable = |name: &str| if name == "AWS_ACCESS_KEY_ID" { id } else { secret };
            assert_eq!(has_keys(|name| variable(name).map(str::to_owned)), expected, "{id:?} {secret:?}");
        }
    }
}
