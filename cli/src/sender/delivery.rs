//! Builds a delivery from a sample or the user's payload, for `send` and `sign`.

use std::path::PathBuf;

use clap::Args;
use letterbox_codec::{
    Ambient, Request,
    platform::{DeliveryPolicy, Sample},
};
use letterbox_intake::gateway::DEFAULT_SOURCE;
use letterbox_registry::{Entry, Keys, Platform};

use super::{post::Answer, sample};
use crate::{credentials, options::DEFAULT_URL, time::span};

/// The payload, its target and the credentials.
#[derive(Debug, Args)]
pub struct DeliveryArgs {
    /// A payload of your own, used unchanged; SAMPLE then only names the event
    #[arg(long, value_name = "FILE|-")]
    pub data: Option<PathBuf>,
    /// The receiver: a base URL, or the whole URL of a function
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    pub to: String,
    /// The source and its credentials.
    #[command(flatten)]
    pub key: credentials::KeyArgs,
}

/// A payload to sign or encrypt, with its target and credentials.
pub struct OutgoingDelivery {
    /// The platform.
    pub platform: &'static dyn Platform,
    /// The payload.
    pub sample: Sample,
    /// The source, in the URL and in the credentials.
    pub source: String,
    /// The full URL of the function.
    pub url: String,
    keys: Box<dyn Keys>,
}

impl OutgoingDelivery {
    /// Selects a sample, or the user's own payload.
    pub fn new(provider: &str, sample: Option<&str>, options: &DeliveryArgs) -> Result<Self, String> {
        let platform = letterbox_registry::find(provider)?;
        let sample = sample::sample(platform, sample, options.data.as_deref())?;
        let keys = options.key.load_for(platform)?;
        // A payload of the user's own may have any name.
        let folder = sample.name.split_once('/').map(|(folder, _)| folder).filter(|_| options.data.is_none());
        let folder = folder.filter(|folder| keys.sources().contains(folder));
        let (url, source) = target(&options.to, platform.name(), options.key.source.as_deref(), folder)?;
        Ok(Self { platform, sample, source, url, keys })
    }

    /// The entry of the credentials that signs or encrypts the request and verifies the response.
    pub fn entry(&self) -> Result<Box<dyn Entry + '_>, String> {
        self.keys.first(&self.source)
    }

    /// Builds the signed or encrypted request.
    pub fn build_request(&self, ambient: &Ambient) -> Result<Request, String> {
        self.build_request_for(&self.sample, ambient)
    }

    /// Builds the request for another payload.
    pub fn build_request_for(&self, sample: &Sample, ambient: &Ambient) -> Result<Request, String> {
        self.entry()?.build_request(sample, &self.url, ambient)
    }

    /// The content of the response, or the reason for which the platform would count the delivery as failed.
    pub fn judge(
        &self,
        policy: &DeliveryPolicy,
        request: &Request,
        answer: &Answer,
    ) -> Result<String, String> {
        let content = self
            .entry()?
            .read_response(request, &answer.response)
            .map_err(|error| format!("the platform would not accept this response: {error}"))?;
        match policy.timeout {
            Some(timeout) if answer.took > timeout => {
                Err(format!("the response came too late: {} waits {}", self.platform.name(), span(timeout)))
            }
            _ => Ok(content),
        }
    }
}

/// The URL of the function, and its source. `to` is a base URL, or already contains the provider. A sample in a folder
/// goes to the source of that name, unless another is named.
fn target(
    to: &str,
    provider: &str,
    source: Option<&str>,
    folder: Option<&str>,
) -> Result<(String, String), String> {
    let uri: http::Uri = to
        .parse()
        .ok()
        .filter(|uri: &http::Uri| uri.scheme().is_some())
        .ok_or_else(|| format!("--to {to:?}: expected a URL, such as http://127.0.0.1:9000"))?;
    let (base, query) = to.split_once('?').map_or((to, None), |(base, query)| (base, Some(query)));
    let mut url = base.trim_end_matches('/').to_owned();
    let mut segments = uri
        .path()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .skip_while(|segment| *segment != provider);
    let named = match (segments.next(), segments.next()) {
        (None, _) => {
            url += &format!("/{provider}");
            None
        }
        (Some(_), named) => named,
    };
    let source = match (named, source) {
        (Some(named), Some(source)) if named != source => {
            return Err(format!("--to names the source {named:?}, --source {source:?}: leave one out"));
        }
        (Some(named), _) => named.to_owned(),
        (None, None) if folder.is_none() => DEFAULT_SOURCE.to_owned(),
        (None, source) => {
            let source = source.or(folder).unwrap_or(DEFAULT_SOURCE);
            url += &format!("/{source}");
            source.to_owned()
        }
    };
    if let Some(query) = query {
        url += &format!("?{query}");
    }
    Ok((url, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_a_base_url_or_a_full_url() {
        for (to, source, folder, expected) in [
            ("http://h:1", None, None, Ok(("http://h:1/github", "default"))),
            ("http://h:1/", Some("acme"), None, Ok(("http://h:1/github/acme", "acme"))),
            ("http://h:1", None, Some("linear"), Ok(("http://h:1/github/linear", "linear"))),
            ("http://h:1", Some("acme"), Some("linear"), Ok(("http://h:1/github/acme", "acme"))),
            ("https://h/prod", None, None, Ok(("https://h/prod/github", "default"))),
            ("https://h/prod/github", Some("acme"), None, Ok(("https://h/prod/github/acme", "acme"))),
            ("https://h/github/acme?x=1", None, Some("linear"), Ok(("https://h/github/acme?x=1", "acme"))),
            ("https://h/github/acme", Some("other"), None, Err(())),
            ("h:1/github", None, None, Err(())),
            ("", None, None, Err(())),
        ] {
            let got = target(to, "github", source, folder);
            let got = got.as_ref().map(|(url, source)| (url.as_str(), source.as_str())).map_err(|_| ());
            assert_eq!(got, expected, "{to}");
        }
    }
}
