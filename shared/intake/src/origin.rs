//! Where refreshed values come from: Secrets Manager and S3.

use std::fmt;

use aws_config::SdkConfig;
use aws_sdk_s3::error::SdkError;

use crate::{
    aws::{ResponseLimit, describe},
    refreshed::{Content, Read},
};

/// The largest object that is read, in bytes. A document stays in memory.
const LARGEST_OBJECT: usize = 16 * 1024 * 1024;

/// The largest response with a secret, in bytes. A secret has at most [65,536 bytes][limit], which may be escaped in JSON.
///
/// [limit]: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
const LARGEST_SECRET_RESPONSE: usize = 1024 * 1024;

/// Reads the current version of a Secrets Manager secret.
pub fn secret(config: &SdkConfig, id: String) -> Read {
    let config = aws_sdk_secretsmanager::config::Builder::from(config)
        .interceptor(ResponseLimit(LARGEST_SECRET_RESPONSE))
        .build();
    let client = aws_sdk_secretsmanager::Client::from_conf(config);
    Box::new(move |known| {
        let request = client.get_secret_value().secret_id(&id);
        Box::pin(async move {
            let secret = request.send().await.map_err(|error| describe(&error))?;
            // Another server that responds with 200 must not count as "unchanged".
            let version =
                secret.version_id.ok_or("the response has no VersionId: it is not Secrets Manager's")?;
            if known.is_some_and(|known| known == version) {
                return Ok(None);
            }
            let text = secret.secret_string.ok_or(
                "the secret has no SecretString: store the credentials JSON as a string, not as binary",
            )?;
            Ok(Some(Content { bytes: text.into_bytes(), version }))
        })
    })
}

/// The location of an object in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl Object {
    /// Parses `s3://bucket/key`; `None` for any other text.
    pub fn parse(url: &str) -> Option<Self> {
        let (bucket, key) = url.strip_prefix("s3://")?.split_once('/')?;
        let there = !bucket.is_empty() && !key.is_empty();
        there.then(|| Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// Reads an object from S3, unless its `ETag` is the known version.
pub fn object(config: &SdkConfig, Object { bucket, key }: Object) -> Read {
    let config = aws_sdk_s3::config::Builder::from(config).interceptor(ResponseLimit(LARGEST_OBJECT)).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    Box::new(move |known| {
        let request = client.get_object().bucket(&bucket).key(&key).set_if_none_match(known);
        Box::pin(async move {
            let object = match request.send().await {
                Err(SdkError::ServiceError(error)) if error.raw().status().as_u16() == 304 => {
                    return Ok(None);
                }
                sent => sent.map_err(|error| describe(&error))?,
            };
            let length = object.content_length.and_then(|length| usize::try_from(length).ok());
            if length.is_none_or(|length| length > LARGEST_OBJECT) {
                return Err(format!("the object has more than {LARGEST_OBJECT} bytes"));
            }
            let version = object.e_tag.ok_or("the response has no ETag: it is not S3's")?;
            let bytes = object.body.collect().await.map_err(|error| error.to_string())?;
            Ok(Some(Content { bytes: bytes.to_vec(), version }))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aws::fake::{Reply, Server};

    /// The result of a read from a server that gives every request this reply, while `version` is in use.
    async fn read(
        source: fn(&SdkConfig) -> Read,
        reply: &Reply,
        version: &str,
    ) -> Result<Option<Content>, String> {
        let reply = reply.clone();
        let server = Server::start(move |_| reply.clone());
        let found = source(&server.config().await)(Some(version.to_owned()));
        let found = tokio::time::timeout(Duration::from_secs(5), found).await;
        // What the sockets buffer on both sides, for each attempt, and the largest object.
        assert!(server.written() < 64 * 1024 * 1024, "{} bytes", server.written());
        found.unwrap()
    }

    fn secret_of(config: &SdkConfig) -> Read {
        secret(config, "letterbox".into())
    }

    fn object_of(config: &SdkConfig) -> Read {
        object(config, Object { bucket: "cards".into(), key: "cards.json".into() })
    }

    #[tokio::test]
    async fn a_secret_is_read_only_from_a_response_of_secrets_manager() {
        let whole = r#"{"SecretString":"{}","VersionId":"2"}"#;
        let found = read(secret_of, &Reply::ok(whole), "1").await.unwrap().unwrap();
        assert_eq!((found.bytes.as_slice(), found.version.as_str()), (b"{}".as_slice(), "2"));
        assert!(read(secret_of, &Reply::ok(whole), "2").await.unwrap().is_none());
        for reply in [
            Reply::ok(""),
            Reply::ok("{}"),
            Reply::ok(r#"{"SecretString":"{}"}"#),
            Reply::ok(r#"{"VersionId":"2"}"#),
            Reply::page(),
            Reply::EndlessBody("200 OK"),
            Reply::EndlessBody("403 Forbidden"),
            Reply::EndlessHead,
        ] {
            let found = read(secret_of, &reply, "").await;
            assert!(found.is_err(), "{reply:?}: {found:?}");
        }
    }

    #[tokio::test]
    async fn an_object_is_read_only_from_a_response_of_s3() {
        let with = |headers: &str| Reply::Whole("200 OK", headers.to_owned(), "{}".to_owned());
        let found = read(object_of, &with("ETag: \"2\"\r\n"), "\"1\"").await.unwrap().unwrap();
        assert_eq!((found.bytes.as_slice(), found.version.as_str()), (b"{}".as_slice(), "\"2\""));
        for reply in [
            with(""),
            // The ETag of another content.
            with("ETag: \"2\"\r\nx-amz-checksum-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n"),
            Reply::EndlessBody("200 OK"),
            Reply::EndlessBody("403 Forbidden"),
            Reply::EndlessHead,
        ] {
            let found = read(object_of, &reply, "\"1\"").await;
            assert!(found.is_err(), "{found:?}");
        }
    }

    #[test]
    fn an_object_has_a_bucket_and_a_key() {
        let object = Object { bucket: "cards".into(), key: "a/b.json".into() };
        assert_eq!(Object::parse("s3://cards/a/b.json"), Some(object));
        for wrong in
            ["", "cards.json", "s3://", "s3://cards", "s3://cards/", "s3:///key", "https://cards/key"]
        {
            assert_eq!(Object::parse(wrong), None, "{wrong}");
        }
    }
}
