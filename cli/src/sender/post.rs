//! Posts letters as a platform does: one request, no redirects followed, the whole answer timed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use letterbox_codec::Request;

use crate::time::span;

/// The longest that an answer may take: more than any platform waits.
pub const LONGEST: Duration = Duration::from_secs(30);

/// Sends letters, and keeps its connections.
pub struct Post {
    agent: ureq::Agent,
    patience: Duration,
}

/// What came back.
pub struct Answer {
    /// As it came.
    pub response: http::Response<Bytes>,
    /// From connecting to the last byte of the answer.
    pub took: Duration,
}

impl Post {
    /// Waits so long for an answer, over at most so many connections.
    pub fn new(patience: Duration, connections: usize) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            // A platform takes a redirect for a failure.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .build()
            .into();
        Self { agent, patience }
    }

    /// Sends one letter.
    pub fn send(&self, letter: &Request) -> Result<Answer, String> {
        let (parts, body) = letter.clone().into_parts();
        // What a failure tells is no place for a signature.
        let url = letter.uri().to_string();
        let url = url.split('?').next().unwrap_or_default();
        let started = Instant::now();
        let answer = self.agent.run(http::Request::from_parts(parts, body.to_vec()));
        let read = answer.and_then(|answer| {
            let (parts, mut body) = answer.into_parts();
            Ok(http::Response::from_parts(parts, Bytes::from(body.read_to_vec()?)))
        });
        let took = started.elapsed();
        match read {
            Ok(response) => Ok(Answer { response, took }),
            Err(ureq::Error::Timeout(_)) => Err(format!("{url}: no answer within {}", span(self.patience))),
            Err(error) => Err(format!("{url}: {error}; is `letterbox serve` running, or --to right?")),
        }
    }
}
