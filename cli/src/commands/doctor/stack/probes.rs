//! Sends the probes of a provider.

use indicatif::ProgressBar;
use letterbox_codec::Timestamp;
use letterbox_intake::ambient;
use letterbox_registry::{Keys, Platform};

use crate::{
    doctor::stack::{
        probe::{Expected, Kind, Probe},
        survey::{Probed, Response},
    },
    sender::post::{LONGEST, Post},
    terminal::printable,
};

/// At most so much of a response is looked at.
const LONGEST_START: usize = 200;

/// Sends one probe to each source, and says before what it sends.
pub fn send(platform: &dyn Platform, keys: &dyn Keys, url: &str, progress: &ProgressBar) -> Vec<Probed> {
    let post = Post::new(LONGEST, 1);
    let probed = |source: &str| {
        let url = format!("{url}/{source}");
        let result = probe(platform, keys, source, &url, &post, progress);
        Probed { source: source.to_owned(), url, result }
    };
    keys.sources().into_iter().map(probed).collect()
}

fn probe(
    platform: &dyn Platform,
    keys: &dyn Keys,
    source: &str,
    url: &str,
    post: &Post,
    progress: &ProgressBar,
) -> Result<(Kind, Expected, Response), String> {
    let ambient = ambient::system().map_err(|error| error.to_string())?;
    let probe = Probe::new(platform, keys, source, url, &ambient)?;
    let name = format!("{}/{source}", platform.name());
    let line = format!("probe {name}: {}; nothing is put on the queue", probe.kind.about());
    progress.suspend(|| eprintln!("{}", printable(&line)));
    progress.set_message(format!("waiting for {name}"));
    let answer = match post.send(&probe.request) {
        Ok(answer) => answer,
        Err(reason) => return Ok((probe.kind, probe.expected, Response::Nothing(reason))),
    };
    let entry = keys.first(source)?;
    let body = String::from_utf8_lossy(answer.response.body());
    let response = Response::Answered {
        status: answer.response.status().as_u16(),
        body: body.chars().take(LONGEST_START).collect(),
        rejected: entry.read_response(&probe.request, &answer.response).err(),
        took: answer.took,
        timeout: entry.delivery_policy().timeout,
        skew: skew(&answer.response, ambient.now),
    };
    Ok((probe.kind, probe.expected, response))
}

/// The server's clock minus this machine's, in seconds; `None` if the server does not say.
fn skew<B>(response: &http::Response<B>, Timestamp(now): Timestamp) -> Option<i64> {
    let date = response.headers().get(http::header::DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(date).ok()?;
    Some(date.timestamp().as_second() - now.div_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_by_the_date_of_the_response() {
        for (date, expected) in [
            ("Fri, 21 Nov 2025 10:00:00 GMT", Some(0)),
            ("Fri, 21 Nov 2025 11:00:00 GMT", Some(3600)),
            ("soon", None),
        ] {
            let response = http::Response::builder().header("date", date).body(()).unwrap();
            assert_eq!(skew(&response, Timestamp(1_763_719_200_123)), expected, "{date}");
        }
    }
}
