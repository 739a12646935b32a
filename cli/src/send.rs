//! `letterbox send`: a sample delivery as the platform would send it.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use bytes::Bytes;
use letterbox_codec::platform::Sample;
use letterbox_intake::{ambient, gateway::DEFAULT_SOURCE};

use crate::{
    args::Send,
    credentials,
    providers::{self, Key, PROVIDERS, Row},
    serve::plain,
};

/// The longest that an answer may take: more than any platform waits.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends one sample, or lists them all.
pub fn run(args: &Send) -> Result<(), String> {
    let (Some(provider), Some(sample)) = (&args.provider, &args.sample) else {
        return list(args.provider.as_deref());
    };
    let row = providers::find(provider)?;
    let sample = (row.sample)(sample).ok_or_else(|| {
        format!("no sample {sample:?} of {provider}; `letterbox send --list` names them all")
    })?;
    let (url, source) = target(&args.to, row.name, args.source.as_deref())?;
    let credentials = credentials::load(args.credentials.as_deref())?;
    let credentials =
        credentials.get(row.name).ok_or_else(|| format!("no credentials of {provider} in the file"))?;
    send(row, &sample, &url, &Key { credentials, source: &source })
}

fn send(row: &Row, sample: &Sample, url: &str, key: &Key<'_>) -> Result<(), String> {
    let ambient = ambient::system().map_err(|error| error.to_string())?;
    let letter = (row.letter)(key, sample, url, &ambient)?;
    let mut out = std::io::stdout().lock();
    let mut tell = |text: String| writeln!(out, "{text}").map_err(|error| error.to_string());
    tell(format!("> POST {}", letter.uri()))?;
    tell(format!("> {} as {}/{}, {} bytes", sample.name, row.name, key.source, letter.body().len()))?;

    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .build()
        .into();
    let started = Instant::now();
    let (parts, body) = letter.clone().into_parts();
    let answer = agent
        .run(http::Request::from_parts(parts, body.to_vec()))
        .map_err(|error| format!("{url}: {error}; is `letterbox serve` running, or --to right?"))?;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    let (parts, mut body) = answer.into_parts();
    let body = body.read_to_vec().map_err(|error| format!("{url}: {error}"))?;
    let answer = http::Response::from_parts(parts, Bytes::from(body));

    tell(format!("< {} in {milliseconds:.1} ms", answer.status()))?;
    tell(format!("< {}", plain(&String::from_utf8_lossy(answer.body()))))?;
    let told = (row.read_reply)(key, &letter, &answer)
        .map_err(|error| format!("not the platform's answer: {error}"))?;
    tell(format!("= {}", plain(&told)))
}

/// The URL of the function, and the source that it names. `to` is a base, or has the provider in it already.
fn target(to: &str, provider: &str, source: Option<&str>) -> Result<(String, String), String> {
    let uri: http::Uri = to
        .parse()
        .ok()
        .filter(|uri: &http::Uri| uri.scheme().is_some())
        .ok_or_else(|| format!("--to {to:?}: expected a URL, such as http://127.0.0.1:9000"))?;
    let (base, query) = to.split_once('?').map_or((to, None), |(base, query)| (base, Some(query)));
    let mut url = base.trim_end_matches('/').to_owned();
    let mut segments =
        uri.path().split('/').filter(|segment| !segment.is_empty()).skip_while(|one| *one != provider);
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
        (None, Some(source)) => {
            url += &format!("/{source}");
            source.to_owned()
        }
        (None, None) => DEFAULT_SOURCE.to_owned(),
    };
    if let Some(query) = query {
        url += &format!("?{query}");
    }
    Ok((url, source))
}

fn list(provider: Option<&str>) -> Result<(), String> {
    let rows: Vec<&Row> = match provider {
        Some(name) => vec![providers::find(name)?],
        None => PROVIDERS.iter().collect(),
    };
    let mut out = std::io::stdout().lock();
    for row in rows {
        for sample in (row.samples)() {
            if writeln!(out, "{} {}", row.name, sample.name).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_a_base_or_whole() {
        for (to, source, expected) in [
            ("http://h:1", None, Ok(("http://h:1/github", "default"))),
            ("http://h:1/", Some("acme"), Ok(("http://h:1/github/acme", "acme"))),
            ("https://h/prod", None, Ok(("https://h/prod/github", "default"))),
            ("https://h/prod/github", Some("acme"), Ok(("https://h/prod/github/acme", "acme"))),
            ("https://h/github/acme?x=1", None, Ok(("https://h/github/acme?x=1", "acme"))),
            ("https://h/github/acme", Some("other"), Err(())),
            ("h:1/github", None, Err(())),
            ("", None, Err(())),
        ] {
            let got = target(to, "github", source);
            let got = got.as_ref().map(|(url, source)| (url.as_str(), source.as_str())).map_err(|_| ());
            assert_eq!(got, expected, "{to}");
        }
    }
}
