//! A queue in Amazon SQS.

use std::{borrow::Cow, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    config::Builder,
    operation::send_message::SendMessageOutput,
    types::{
        MessageAttributeValue, MessageSystemAttributeNameForSends::AwsTraceHeader,
        MessageSystemAttributeValue,
    },
};
use md5::{Digest, Md5};

use super::{
    LARGEST_MESSAGE, Message, Put, Queue, QueueError,
    oversize::{Bucket, Oversize, Pointer},
    retry_policy::{RetryPolicy, Unanswered},
};
use crate::aws::{ResponseLimit, describe};

/// One SQS queue over a connection that is kept open, and optionally the bucket for large events.
#[derive(Clone, Debug)]
pub struct Sqs {
    client: Client,
    url: String,
    fifo: bool,
    bucket: Option<Bucket>,
}

impl Sqs {
    /// The longest that opening the connection may delay the start. It is also at most a quarter of the deadline, since
    /// the first delivery is waiting.
    const WARM_UP: Duration = Duration::from_secs(1);

    /// Creates a client whose attempts fit into `deadline`, and opens the connection.
    pub async fn connect(
        config: &SdkConfig,
        url: String,
        oversize: Option<Oversize>,
        deadline: Duration,
    ) -> Self {
        let retry_policy = RetryPolicy::within(deadline);
        let bucket = oversize.map(|oversize| Bucket::new(config, oversize, &retry_policy));
        let config = Builder::from(config)
            .retry_config(retry_policy.retries)
            .retry_partition(retry_policy.quota)
            .retry_classifier(Unanswered)
            .timeout_config(retry_policy.timeouts)
            .interceptor(ResponseLimit::CONFIRMATION)
            .build();
        // SQS requires this lower-case ending for the names of FIFO queues.
        let fifo = url.rsplit_once('.').is_some_and(|(_, ending)| ending == "fifo");
        let sqs = Self { client: Client::from_conf(config), url, fifo, bucket };
        sqs.warm_up(Self::WARM_UP.min(deadline / 4)).await;
        sqs
    }

    /// Opens the connection, and ignores the result: without `sqs:GetQueueAttributes` AWS rejects the request, but the
    /// connection stays open; if the queue is down, the first delivery reports it.
    async fn warm_up(&self, limit: Duration) {
        let request = self.client.get_queue_attributes().queue_url(&self.url).send();
        let _ = tokio::time::timeout(limit, request).await;
    }
}

/// A message attribute. `kind` is a data type of SQS, such as `String` or `Number`.
fn attribute(kind: &str, value: impl Into<String>) -> Result<MessageAttributeValue, QueueError> {
    let value = MessageAttributeValue::builder().data_type(kind).string_value(value).build();
    value.map_err(|error| QueueError(error.to_string()))
}

impl Queue for Sqs {
    fn largest(&self) -> usize {
        if self.bucket.is_some() { usize::MAX } else { LARGEST_MESSAGE }
    }

    fn put<'a>(&'a self, message: &'a Message) -> Put<'a> {
        Box::pin(self.send(message))
    }
}

impl Sqs {
    async fn send(&self, message: &Message) -> Result<(), QueueError> {
        let mut request = self.client.send_message().queue_url(&self.url);
        for (name, value) in &message.attributes {
            request = request.message_attributes(*name, attribute("String", value)?);
        }
        let body = match self.bucket.as_ref().filter(|bucket| bucket.takes(message)) {
            None => Cow::Borrowed(&message.body),
            Some(bucket) => {
                // Boxed, so that the futures of small messages stay small.
                let Pointer { body, size } = Box::pin(bucket.store(message)).await?;
                let size = attribute("Number", size.to_string())?;
                request = request.message_attributes(Pointer::ATTRIBUTE, size);
                Cow::Owned(body)
            }
        };
        request = request.message_body(body.as_str());
        if let Some(trace) = &message.trace {
            let value =
                MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build();
            let value = value.map_err(|error| QueueError(error.to_string()))?;
            request = request.message_system_attributes(AwsTraceHeader, value);
        }
        if self.fifo {
            request =
                request.message_group_id(&message.group).message_deduplication_id(&message.deduplication);
        }
        let sent = request.send().await.map_err(|error| QueueError(describe(&error)))?;
        confirm(&sent, &body)
    }
}

/// Accepts only a response that proves that SQS stored `body`: a captive proxy responds 200 to every request.
fn confirm(sent: &SendMessageOutput, body: &str) -> Result<(), QueueError> {
    if sent.message_id().is_none_or(str::is_empty) {
        return Err(QueueError(
            "SQS: a successful response without a MessageId: check that QUEUE_URL leads to SQS".into(),
        ));
    }
    let stored = hex::encode(Md5::digest(body));
    if !sent.md5_of_message_body().is_some_and(|md5| md5.eq_ignore_ascii_case(&stored)) {
        return Err(QueueError(
            "SQS: the MD5OfMessageBody in the response is not that of the message".into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Instant,
    };

    use super::*;
    use crate::aws::fake::{Reply, Request, Server};

    const DEADLINE: Duration = Duration::from_millis(1500);

    fn message() -> Message {
        Message {
            source: "/github/default".into(),
            body: "{}".into(),
            attributes: vec![("type", "github.push".into())],
            deduplication: "1".into(),
            group: "/github/default".into(),
            trace: None,
        }
    }

    /// As SQS responds: it has the body.
    fn stored(request: &Request) -> Reply {
        let request: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let body = request["MessageBody"].as_str().unwrap_or_default();
        let md5 = hex::encode(Md5::digest(body));
        Reply::ok(serde_json::json!({ "MessageId": "1", "MD5OfMessageBody": md5 }).to_string())
    }

    /// False for the request that opens the connection.
    fn is_message(request: &Request) -> bool {
        String::from_utf8_lossy(&request.body).contains("MessageBody")
    }

    async fn put(server: &Server, oversize: Option<Oversize>) -> Result<(), String> {
        let sqs = Sqs::connect(&server.config().await, server.url(), oversize, DEADLINE).await;
        sqs.put(&message()).await.map_err(|error| error.0)
    }

    #[tokio::test]
    async fn only_a_response_that_proves_the_message_is_stored_counts() {
        // MD5 of `{}`.
        const MD5: &str = "99914b932bd37a50b983c5e7c90ae93b";
        const OTHER: &str = "d41d8cd98f00b204e9800998ecf8427e";
        let server = Server::start(stored);
        assert_eq!(put(&server, None).await, Ok(()));
        for (reply, expected) in [
            (Reply::ok(""), "without a MessageId"),
            (Reply::ok("{}"), "without a MessageId"),
            (Reply::ok(format!(r#"{{"MD5OfMessageBody":"{MD5}"}}"#)), "without a MessageId"),
            (Reply::ok(format!(r#"{{"MessageId":"","MD5OfMessageBody":"{MD5}"}}"#)), "without a MessageId"),
            (Reply::ok(r#"{"MessageId":"1"}"#), "MD5OfMessageBody"),
            (Reply::ok(format!(r#"{{"MessageId":"1","MD5OfMessageBody":"{OTHER}"}}"#)), "MD5OfMessageBody"),
            (Reply::page(), ""),
            (Reply::Whole("204 No Content", String::new(), String::new()), "without a MessageId"),
        ] {
            let given = reply.clone();
            let error =
                put(&Server::start(move |_| given.clone()), None).await.expect_err(&format!("{reply:?}"));
            assert!(error.contains(expected), "{reply:?}: {error}");
        }
    }

    #[tokio::test]
    async fn a_signature_of_the_wrong_time_is_repeated_with_the_time_of_the_response() {
        const DATE: &str = "Date: Fri, 27 Nov 2026 12:00:00 GMT\r\n";
        for (code, headers, attempts) in [
            ("RequestExpired", DATE, 2),
            ("InvalidSignatureException", DATE, 2),
            ("SignatureDoesNotMatch", DATE, 2),
            ("RequestTimeTooSkewed", DATE, 2),
            // It does not tell the time.
            ("RequestExpired", "", 1),
            ("AccessDenied", DATE, 1),
            ("InvalidMessageContents", DATE, 1),
        ] {
            let sent = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&sent);
            let server = Server::start(move |request| {
                if is_message(request) && counter.fetch_add(1, Ordering::SeqCst) == 0 {
                    let error = serde_json::json!({ "__type": format!("com.amazonaws.sqs#{code}") });
                    return Reply::Whole("400 Bad Request", headers.to_owned(), error.to_string());
                }
                stored(request)
            });
            let put = put(&server, None).await;
            assert_eq!(put.is_ok(), attempts == 2, "{code}: {put:?}");
            assert_eq!(sent.load(Ordering::SeqCst), attempts, "{code}");
        }
    }

    #[tokio::test]
    async fn a_response_that_is_not_of_sqs_is_not_final() {
        for reply in [
            Reply::page(),
            Reply::ok("{}"),
            Reply::ok(r#"{"MessageId":"1"}"#),
            Reply::Whole("400 Bad Request", String::new(), "<title>Bad Request</title>".to_owned()),
            Reply::EndlessHead,
        ] {
            let sent = AtomicUsize::new(0);
            let given = reply.clone();
            let server = Server::start(move |request| {
                let is_first = is_message(request) && sent.fetch_add(1, Ordering::SeqCst) == 0;
                if is_first { given.clone() } else { stored(request) }
            });
            assert_eq!(put(&server, None).await, Ok(()), "{reply:?}");
        }
    }

    #[tokio::test]
    async fn a_response_without_an_end_is_bounded_in_bytes_and_in_time() {
        // Three attempts and the warm-up, each with what the sockets buffer on both sides.
        const MOST: usize = 4 * 8 * 1024 * 1024;
        for reply in [
            Reply::EndlessBody("200 OK"),
            Reply::EndlessBody("500 Internal Server Error"),
            Reply::EndlessHead,
        ] {
            let given = reply.clone();
            let server = Server::start(move |_| given.clone());
            let started = Instant::now();
            let error = put(&server, None).await.unwrap_err();
            assert!(started.elapsed() < DEADLINE * 3, "{reply:?}: {:?}", started.elapsed());
            assert!(server.written() < MOST, "{reply:?}: {} bytes, {error}", server.written());
        }
    }

    #[tokio::test]
    async fn only_a_response_that_proves_the_object_is_stored_counts() {
        // SHA-256 and MD5 of `{}`.
        const SHA256: &str = "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=";
        const OTHER: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        const ETAG: &str = "ETag: \"99914b932bd37a50b983c5e7c90ae93b\"\r\n";
        let oversize = || Some(Oversize { bucket: "bucket".into(), threshold: 0 });
        let sha256 = |digest| format!("x-amz-checksum-sha256: {digest}\r\n");
        for (headers, is_stored) in [
            (sha256(SHA256), true),
            // With KMS, an ETag is no MD5.
            (format!("ETag: \"5f3a-61d\"\r\n{}", sha256(SHA256)), true),
            // A server that computes no checksums.
            (ETAG.to_owned(), true),
            (String::new(), false),
            (sha256(OTHER), false),
            (format!("{ETAG}{}", sha256(OTHER)), false),
            ("ETag: \"5f3a-61d\"\r\n".to_owned(), false),
        ] {
            let given = headers.clone();
            let server = Server::start(move |request| match request.method.as_str() {
                "PUT" => Reply::Whole("200 OK", given.clone(), String::new()),
                _ => stored(request),
            });
            let put = put(&server, oversize()).await;
            assert_eq!(put.is_ok(), is_stored, "{headers:?}: {put:?}");
            assert!(put.err().is_none_or(|error| error.starts_with("S3: ")), "{headers:?}");
        }
        for reply in [Reply::page(), Reply::EndlessBody("200 OK"), Reply::EndlessHead] {
            let server = Server::start(move |request| match request.method.as_str() {
                "PUT" => reply.clone(),
                _ => stored(request),
            });
            let error = put(&server, oversize()).await.unwrap_err();
            assert!(error.starts_with("S3: "), "{error}");
        }
    }
}
