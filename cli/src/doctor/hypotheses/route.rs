//! The delivery went to the wrong place.

use http::Method;
use letterbox_registry::PROVIDERS;

use crate::doctor::{
    causes,
    diagnosis_input::DiagnosisInput,
    finding::{Finding, Variants},
};

pub(super) fn method(delivery: &DiagnosisInput) -> Variants<'_> {
    if delivery.request.method() == Method::POST {
        return Box::new(std::iter::empty());
    }
    let mut posted = delivery.clone();
    *posted.request.method_mut() = Method::POST;
    let detail = format!("It is a {}.", delivery.request.method());
    Box::new(std::iter::once(Finding::new(&causes::WRONG_METHOD, detail).corrected(posted)))
}

pub(super) fn unknown_source(delivery: &DiagnosisInput) -> Variants<'_> {
    if delivery.sources(delivery.provider.name()).contains_key(&delivery.source) {
        return Box::new(std::iter::empty());
    }
    elsewhere(delivery, &causes::UNKNOWN_SOURCE)
}

pub(super) fn wrong_source(delivery: &DiagnosisInput) -> Variants<'_> {
    if !delivery.sources(delivery.provider.name()).contains_key(&delivery.source) {
        return Box::new(std::iter::empty());
    }
    elsewhere(delivery, &causes::WRONG_SOURCE)
}

/// The delivery under each of the provider's other sources.
fn elsewhere<'d>(delivery: &'d DiagnosisInput, cause: &'static causes::Cause) -> Variants<'d> {
    let sources = delivery.sources(delivery.provider.name()).into_iter();
    let others = sources.map(|(name, _)| name).filter(|name| *name != delivery.source);
    let variants = others.map(move |name| {
        let (provider, asked) = (delivery.provider.name(), &delivery.source);
        let detail = format!("The URL names {asked:?}; the credentials of {name:?} verify the delivery.");
        let remedy = format!(
            "Set the URL with /{provider}/{name} in the platform's console, or move the credentials of {name:?} to {asked:?}."
        );
        Finding::new(cause, detail).remedy(remedy).corrected(delivery.with_source(&name))
    });
    Box::new(variants)
}

pub(super) fn wrong_provider(delivery: &DiagnosisInput) -> Variants<'_> {
    let asked = delivery.provider.name();
    let others = PROVIDERS.iter().copied().filter(move |provider| provider.name() != asked);
    let variants = others.flat_map(move |provider| {
        let name = provider.name();
        delivery.sources(name).into_iter().map(move |(source, _)| {
            let detail = format!(
                "The URL names {asked}; the credentials of {name}, source {source:?}, verify the delivery."
            );
            let remedy = format!("Set the URL with /{name}/{source} in the platform's console.");
            let other = DiagnosisInput { provider, source, ..delivery.clone() };
            Finding::new(&causes::WRONG_PROVIDER, detail).remedy(remedy).corrected(other)
        })
    });
    Box::new(variants)
}
