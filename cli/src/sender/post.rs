//! Sends requests as a platform does: follows no redirect, and measures the time up to the end of the response.

use std::time::{Duration, Instant};

use bytes::Bytes;
use letterbox_codec::Request;

use crate::time::span;

/// The longest timeout, above that of every platform.
pub const LONGEST: Duration = Duration::from_secs(30);

/// Sends requests over reused connections.
pub struct Post {
    agent: ureq::Agent,
    timeout: Duration,
}

/// A response and its latency.
pub struct Answer {
    /// The response as received.
    pub response: http::Response<Bytes>,
    /// From connecting to the last byte of the response.
    pub took: Duration,
}

impl Post {
    /// A sender with this timeout and at most this many idle connections.
    pub fn new(timeout: Duration, connections: usize) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            // Platforms count a redirect as a failure.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .build()
            .into();
        Self { agent, timeout }
    }

    /// Sends one request.
    pub fn send(&self, request: &Request) -> Result<Answer, String> {
        let (parts, body) = request.clone().into_parts();
        // The query string may contain a signature, which an error message must not show.
        let url = request.uri().to_string();
        let url = url.split('?').next().unwrap_or_default();
        let started = Instant::now();
        let response = self.agent.run(http::Request::from_parts(parts, body.to_vec()));
        let read = response.and_then(|response| {
            let (parts, mut body) = response.into_parts();
            Ok(http::Response::from_parts(parts, Bytes::from(body.read_to_vec()?)))
        });
        let took = started.elapsed();
        match read {
            Ok(response) => Ok(Answer { response, took }),
            Err(ureq::Error::Timeout(_)) => Err(format!("{url}: no response within {}", span(self.timeout))),
            Err(error) => {
                Err(format!("{url}: {error}; check that the server is running and that --to is correct"))
            }
        }
    }
}
