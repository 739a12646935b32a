//! An archive behind an Amazon Data Firehose delivery stream, which compresses the lines and writes them to S3.

use std::time::Duration;

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_firehose::{Client, config::Builder, primitives::Blob, types::Record};

use super::{
    archivist,
    store::{Archive, ArchiveError, Put},
};
use crate::aws::{ResponseLimit, describe};

/// A delivery stream over a connection that is kept open.
#[derive(Clone, Debug)]
pub struct Firehose {
    client: Client,
    stream: String,
}

impl Firehose {
    /// Attempts for one record. Lambda freezes the environment between deliveries and AWS closes idle connections meanwhile,
    /// so the first attempt after that may meet a reset connection.
    const ATTEMPTS: u32 = 2;

    /// Creates a client whose attempts fit into the archive's share of `deadline`, and opens the connection in the
    /// background.
    pub fn connect(config: &SdkConfig, stream: String, deadline: Duration) -> Self {
        let limit = archivist::limit(deadline);
        let attempt = limit / Self::ATTEMPTS;
        let config = Builder::from(config)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(Self::ATTEMPTS)
                    .with_initial_backoff(limit / 20)
                    .with_max_backoff(limit / 10),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(attempt)
                    .operation_attempt_timeout(attempt)
                    .operation_timeout(Self::LONGEST)
                    .build(),
            )
            .interceptor(ResponseLimit::CONFIRMATION)
            .build();
        let firehose = Self { client: Client::from_conf(config), stream };
        tokio::spawn(firehose.clone().warm_up());
        firehose
    }

    /// The longest that a put may take which no delivery waits for any more.
    const LONGEST: Duration = Duration::from_secs(2);

    /// Opens the connection, and ignores the result: AWS rejects a put without a record, but the connection stays open; if
    /// the archive is down, the first delivery reports it. Other operations share five calls a second in an account.
    async fn warm_up(self) {
        let _ = self.client.put_record().delivery_stream_name(&self.stream).send().await;
    }

    async fn send(&self, line: String) -> Result<(), ArchiveError> {
        let record = Record::builder().data(Blob::new(line)).build();
        let record = record.map_err(|error| ArchiveError(error.to_string()))?;
        let sent = self.client.put_record().delivery_stream_name(&self.stream).record(record).send().await;
        let sent = sent.map_err(|error| ArchiveError(describe(&error)))?;
        // A captive proxy responds 200 to every request.
        if sent.record_id().is_empty() {
            return Err(ArchiveError("Data Firehose: a successful response without a RecordId".to_owned()));
        }
        Ok(())
    }
}

impl Archive for Firehose {
    fn put(&self, line: String) -> Put<'_> {
        Box::pin(self.send(line))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Instant,
    };

    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde_json::Value;

    use super::*;
    use crate::aws::fake::{Reply, Server};

    const DEADLINE: Duration = Duration::from_secs(4);

    async fn put(server: &Server) -> Result<(), String> {
        let firehose = Firehose::connect(&server.config().await, "deliveries".into(), DEADLINE);
        firehose.put("{\"a\":1}\n".into()).await.map_err(|error| error.0)
    }

    #[tokio::test]
    async fn a_line_is_put_as_it_is() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let server = Server::start(move |request| {
            log.lock().unwrap().push(request.body.clone());
            Reply::ok(r#"{"RecordId":"1","Encrypted":false}"#)
        });
        assert_eq!(put(&server).await, Ok(()));
        let requests = seen.lock().unwrap();
        let requests: Vec<Value> =
            requests.iter().map(|body| serde_json::from_slice(body).unwrap()).collect();
        let put = requests.iter().find(|request| request["Record"].is_object()).unwrap();
        assert_eq!(put["DeliveryStreamName"], "deliveries");
        assert_eq!(STANDARD.decode(put["Record"]["Data"].as_str().unwrap()).unwrap(), b"{\"a\":1}\n");
    }

    #[tokio::test]
    async fn only_a_response_with_a_record_id_counts() {
        let error =
            |status| Reply::Whole(status, String::new(), r#"{"__type":"Gone","message":"why"}"#.into());
        for (reply, expected) in [
            (Reply::ok(""), ""),
            (Reply::ok("{}"), ""),
            (Reply::ok(r#"{"RecordId":""}"#), "without a RecordId"),
            (Reply::page(), ""),
            (error("400 Bad Request"), "Gone: why"),
            (error("500 Internal Server Error"), "Gone: why"),
        ] {
            let given = reply.clone();
            let error = put(&Server::start(move |_| given.clone())).await.expect_err(&format!("{reply:?}"));
            assert!(error.contains(expected), "{reply:?}: {error}");
        }
    }

    #[tokio::test]
    async fn a_response_without_an_end_is_bounded_in_bytes_and_in_time() {
        // Two attempts and the warm-up, each with what the sockets buffer on both sides.
        const MOST: usize = 4 * 8 * 1024 * 1024;
        for reply in [
            Reply::EndlessBody("200 OK"),
            Reply::EndlessBody("500 Internal Server Error"),
            Reply::EndlessHead,
        ] {
            let given = reply.clone();
            let server = Server::start(move |_| given.clone());
            let started = Instant::now();
            let error = put(&server).await.unwrap_err();
            assert!(started.elapsed() < Firehose::LONGEST * 2, "{reply:?}: {:?}", started.elapsed());
            assert!(server.written() < MOST, "{reply:?}: {} bytes, {error}", server.written());
        }
    }
}
