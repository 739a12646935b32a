//! Where values that are renewed come from: Secrets Manager and S3.

use std::fmt;

use aws_config::SdkConfig;
use aws_sdk_s3::error::SdkError;

use crate::{
    aws::describe,
    renewed::{Content, Read},
};

/// The largest object that is read, in bytes: a document is held in memory, next to the deliveries.
const LARGEST_OBJECT: i64 = 16 * 1024 * 1024;

/// A Secrets Manager secret: its current version, as text.
pub fn secret(config: &SdkConfig, id: String) -> Read {
    let client = aws_sdk_secretsmanager::Client::new(config);
    Box::new(move |known| {
        let request = client.get_secret_value().secret_id(&id);
        Box::pin(async move {
            let secret = request.send().await.map_err(|error| describe(&error))?;
            let version = secret.version_id.unwrap_or_default();
            if known.is_some_and(|known| known == version) {
                return Ok(None);
            }
            let text =
                secret.secret_string.ok_or("the secret has no text: store the credentials JSON as one")?;
            Ok(Some(Content { bytes: text.into_bytes(), version }))
        })
    })
}

/// The place of an object in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key in it.
    pub key: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl Object {
    /// Reads `s3://bucket/key`.
    pub fn parse(url: &str) -> Option<Self> {
        let (bucket, key) = url.strip_prefix("s3://")?.split_once('/')?;
        let there = !bucket.is_empty() && !key.is_empty();
        there.then(|| Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// An object in S3. One whose `ETag` is known is not sent again.
pub fn object(config: &SdkConfig, Object { bucket, key }: Object) -> Read {
    let client = aws_sdk_s3::Client::new(config);
    Box::new(move |known| {
        let request = client.get_object().bucket(&bucket).key(&key).set_if_none_match(known);
        Box::pin(async move {
            let object = match request.send().await {
                Err(SdkError::ServiceError(error)) if error.raw().status().as_u16() == 304 => {
                    return Ok(None);
                }
                sent => sent.map_err(|error| describe(&error))?,
            };
            if object.content_length.is_none_or(|length| length > LARGEST_OBJECT) {
                return Err(format!("the object has more than {LARGEST_OBJECT} bytes"));
            }
            let version = object.e_tag.unwrap_or_default();
            let bytes = object.body.collect().await.map_err(|error| error.to_string())?;
            Ok(Some(Content { bytes: bytes.to_vec(), version }))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
