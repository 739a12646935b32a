//! The delivery went to the wrong place.

use http::Method;
use letterbox_codec::Stage;
use letterbox_registry::PROVIDERS;

use crate::doctor::{
    causes,
    diagnosis_input::DiagnosisInput,
    finding::{Finding, Variant},
};

pub(super) fn method(delivery: &DiagnosisInput) -> Vec<Variant> {
    if delivery.request.method() == Method::POST {
        return Vec::new();
    }
    let mut posted = delivery.clone();
    *posted.request.method_mut() = Method::POST;
    let detail = format!("It is a {}.", delivery.request.method());
    vec![Finding::new(&causes::WRONG_METHOD, detail).corrected(posted)]
}

pub(super) fn unknown_source(delivery: &DiagnosisInput) -> Vec<Variant> {
    if delivery.sources(delivery.provider.name()).contains_key(&delivery.source) {
        return Vec::new();
    }
    opened_elsewhere(delivery, &causes::UNKNOWN_SOURCE)
}

pub(super) fn wrong_source(delivery: &DiagnosisInput) -> Vec<Variant> {
    if !delivery.sources(delivery.provider.name()).contains_key(&delivery.source) {
        return Vec::new();
    }
    opened_elsewhere(delivery, &causes::WRONG_SOURCE)
}

/// The provider's other sources whose keys vouch for the delivery.
fn opened_elsewhere(delivery: &DiagnosisInput, cause: &'static causes::Cause) -> Vec<Variant> {
    let sources = delivery.sources(delivery.provider.name());
    let others = sources.keys().filter(|name| **name != delivery.source);
    let variants = others.filter_map(|name| {
        let other = delivery.with_source(name);
        (other.progress().has_passed(Stage::Seal)).then(|| {
            let (provider, asked) = (delivery.provider.name(), &delivery.source);
            let finding = Finding::new(cause, format!("The URL names {asked:?}; the keys of {name:?} open it."));
            finding.remedy(format!("Put /{provider}/{name} into the platform's dashboard, or move the keys of {name:?} to {asked:?}.")).corrected(other)
        })
    });
    variants.collect()
}

pub(super) fn wrong_provider(delivery: &DiagnosisInput) -> Vec<Variant> {
    let mut variants = Vec::new();
    let asked = delivery.provider.name();
    for provider in PROVIDERS.iter().copied().filter(|provider| provider.name() != asked) {
        for source in delivery.sources(provider.name()).keys() {
            let other = DiagnosisInput { provider, source: source.clone(), ..delivery.clone() };
            if other.progress().has_passed(Stage::Seal) {
                let name = provider.name();
                let finding = Finding::new(
                    &causes::WRONG_PROVIDER,
                    format!("The URL names {asked}; the keys of {name}, source {source:?}, open it."),
                );
                variants.push(
                    finding
                        .remedy(format!("Put /{name}/{source} into the platform's dashboard."))
                        .corrected(other),
                );
            }
        }
    }
    variants
}
