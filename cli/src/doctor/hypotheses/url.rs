//! A signature covers the URL, and a gateway has changed it, or the platform knows another one.

use std::collections::HashSet;

use http::Uri;
use serde_json::{Value, json};

use crate::doctor::{
    causes,
    diagnosis_input::DiagnosisInput,
    finding::{Finding, Variants},
    signing::{Signing, schemes},
};

/// The headers in which a gateway passes on the host that was called.
const HOSTS: [&str; 4] = ["x-forwarded-host", "x-original-host", "x-forwarded-server", "host"];

/// The URL in the forms that the platform may have signed, the one without changes included.
pub(super) fn changed(delivery: &DiagnosisInput) -> Variants<'_> {
    let signings: Vec<_> = schemes(delivery).into_iter().filter(Signing::covers_url).collect();
    if signings.is_empty() {
        return Box::new(std::iter::empty());
    }
    let urls: Vec<_> = forms(delivery).into_iter().filter(|url| url.parse::<Uri>().is_ok()).collect();
    let variants = signings.into_iter().flat_map(move |signing| {
        let variants = urls.iter().map(|url| {
            let finding = Finding::new(&causes::URL_CHANGED, format!("The platform signed it as {url}."))
                .remedy(format!("Set `\"url\": {}`.", Value::from(url.as_str())));
            signing.variant(finding, &json!({ "url": url }))
        });
        variants.collect::<Vec<_>>()
    });
    Box::new(variants)
}

/// Every scheme with every host, port, path and query string, each form once.
fn forms(delivery: &DiagnosisInput) -> Vec<String> {
    let uri = delivery.request.uri();
    let named = HOSTS.iter().filter_map(|name| delivery.header(name)).flat_map(|value| value.split(','));
    let hosts = named.map(str::trim).chain(uri.authority().map(http::uri::Authority::as_str));
    let hosts: Vec<String> = each_once(hosts.map(without_port).flat_map(|host| {
        let other = host.strip_prefix("www.").map_or_else(|| format!("www.{host}"), str::to_owned);
        [host.to_owned(), other]
    }));
    let port = delivery.header("x-forwarded-port").map(str::to_owned);
    let own = uri.port_u16().map(|port| port.to_string());
    let from_host =
        delivery.header("host").and_then(|host| host.rsplit_once(':')).map(|(_, port)| port.to_owned());
    let ports = [port, own, from_host].into_iter().flatten().map(|port| format!(":{port}"));
    let ports: Vec<String> =
        each_once([String::new()].into_iter().chain(ports).chain([":443".to_owned(), ":80".to_owned()]));
    let mut urls = Vec::new();
    for path in paths(uri.path()) {
        for query in queries(uri.query()) {
            for host in &hosts {
                for port in &ports {
                    urls.extend(
                        ["https", "http"].map(|scheme| format!("{scheme}://{host}{port}{path}{query}")),
                    );
                }
            }
        }
    }
    each_once(urls)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The path as it is, without a stage before it, with and without a slash at its end, and with its escapes decoded.
fn paths(path: &str) -> Vec<String> {
    let bare = path.trim_end_matches('/');
    let shorter = path.get(1..).and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)));
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8().ok();
    let paths = [
        Some(path.to_owned()),
        Some(bare.to_owned()),
        Some(format!("{bare}/")),
        shorter.map(str::to_owned),
        shorter.map(|path| format!("{}/", path.trim_end_matches('/'))),
        decoded.map(std::borrow::Cow::into_owned),
        Some(path.to_ascii_lowercase()),
        Some(String::new()),
        Some("/".to_owned()),
    ];
    each_once(paths.into_iter().flatten())
}

/// The query string as it is, none, and with its escapes written differently.
fn queries(query: Option<&str>) -> Vec<String> {
    let Some(query) = query else { return vec![String::new(), "?".to_owned()] };
    let parsed = form_urlencoded::parse(query.as_bytes());
    let written = form_urlencoded::Serializer::new(String::new()).extend_pairs(parsed).finish();
    let decoded = percent_encoding::percent_decode_str(query).decode_utf8_lossy().into_owned();
    let forms = [query.to_owned(), written.replace('+', "%20"), written, decoded];
    each_once(forms.map(|query| format!("?{query}")).into_iter().chain([String::new()]))
}

fn each_once(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts.into_iter().filter(|text| seen.insert(text.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_tried_once_each() {
        assert_eq!(
            paths("/prod/payment"),
            ["/prod/payment", "/prod/payment/", "/payment", "/payment/", "", "/"]
        );
        assert_eq!(queries(Some("a=b%20c")), ["?a=b%20c", "?a=b+c", "?a=b c", ""]);
        assert_eq!(queries(None), ["", "?"]);
        assert_eq!(without_port("h:443"), "h");
        assert_eq!(without_port("h"), "h");
    }
}
