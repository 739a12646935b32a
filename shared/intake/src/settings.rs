//! The settings of a function, read from its environment once at start.

use std::{borrow::Cow, ops::RangeInclusive, path::PathBuf, time::Duration};

use letterbox_codec::{Secret, credentials::CredentialsError, provider::Provider};

use crate::{
    archive::DEFAULT_REFUSED_PER_MINUTE,
    origin::Object,
    queue::{LARGEST_MESSAGE, oversize::Oversize},
};

/// The default maximum age of credentials in Secrets Manager and of a document in S3.
const MAX_AGE: Duration = Duration::from_mins(5);

/// Why a function cannot start: what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// There is no queue.
    #[error("QUEUE_URL is not set: set it to the URL of the SQS queue that receives the events")]
    NoQueue,
    /// No credentials are configured.
    #[error(
        "neither CREDENTIALS nor CREDENTIALS_SECRET is set: set CREDENTIALS to the credentials JSON, or CREDENTIALS_SECRET to the Secrets Manager secret that contains it"
    )]
    NoCredentials,
    /// Credentials are configured twice.
    #[error("both CREDENTIALS and CREDENTIALS_SECRET are set: unset one, so that it is clear which counts")]
    TwoCredentials,
    /// A rate for the archive, and no archive.
    #[error("ARCHIVE_REFUSED_PER_MINUTE is set, and ARCHIVE_STREAM is not: set both, or neither")]
    NoArchive,
    /// A threshold for large events, and no bucket for them.
    #[error("OVERSIZE_THRESHOLD is set, and OVERSIZE_BUCKET is not: set both, or neither")]
    NoBucket,
    /// The value of a variable cannot be used.
    #[error("{variable}: expected {expected}")]
    Value {
        /// The variable.
        variable: Cow<'static, str>,
        /// What was expected.
        expected: Cow<'static, str>,
    },
    /// What a variable points to cannot be read or used.
    #[error("{variable}: {place}: {error}")]
    Content {
        /// The variable.
        variable: &'static str,
        /// The secret, object or file.
        place: String,
        /// Why not: the error of reading it, or the place in it and what was expected there.
        error: String,
    },
    /// A credentials JSON cannot be used.
    #[error("{place}: {error}")]
    Credentials {
        /// The variable that holds it, or else its provider.
        place: &'static str,
        /// What is wrong with it.
        error: CredentialsError,
    },
    /// A provider cannot be created from its document.
    #[error("{place}: {error}")]
    Document {
        /// The file, or else the provider.
        place: String,
        /// The place in the document, and what was expected there.
        error: String,
    },
}

impl StartError {
    fn value(variable: impl Into<Cow<'static, str>>, expected: impl Into<Cow<'static, str>>) -> Self {
        Self::Value { variable: variable.into(), expected: expected.into() }
    }
}

/// Where the credentials JSON comes from.
#[derive(Debug)]
pub enum CredentialsFrom {
    /// The JSON itself.
    Inline(Secret),
    /// The id or ARN of a secret in Secrets Manager.
    Secret(String),
}

/// Where a provider's document comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum DocumentFrom {
    /// A file, read at start.
    File(PathBuf),
    /// An object in S3, read at start and refreshed when it is older than `max_age`.
    S3 {
        /// The object.
        object: Object,
        /// The maximum age.
        max_age: Duration,
    },
}

/// Where deliveries are archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveIn {
    /// The name of the Data Firehose delivery stream.
    pub stream: String,
    /// The most refused deliveries of one execution environment that are archived in a minute.
    pub refused_per_minute: u32,
}

/// The settings of one function.
#[derive(Debug)]
pub struct Settings {
    /// The URL of the SQS queue.
    pub queue_url: String,
    /// The bucket for large events, if there is one.
    pub oversize: Option<Oversize>,
    /// The archive, if there is one.
    pub archive: Option<ArchiveIn>,
    /// Where the credentials are.
    pub credentials: CredentialsFrom,
    /// The maximum age of credentials from Secrets Manager.
    pub credentials_max_age: Duration,
    /// The response is sent within this time.
    pub deadline: Duration,
    /// The location of the provider's document, if one is configured.
    pub document: Option<DocumentFrom>,
    /// The CloudWatch namespace of the metrics.
    pub metrics_namespace: String,
}

impl Settings {
    /// Reads the environment through `variable`. An empty variable counts as not set.
    pub fn read<P: Provider>(variable: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let environment = Environment(variable);
        Ok(Self {
            queue_url: environment.queue_url()?,
            credentials: environment.credentials()?,
            deadline: environment.deadline()?.unwrap_or(P::DEADLINE),
            credentials_max_age: environment.max_age("CREDENTIALS")?,
            oversize: environment.oversize()?,
            archive: environment.archive()?,
            document: P::DOCUMENT.map_or(Ok(None), |document| environment.document(document.variable))?,
            metrics_namespace: environment.metrics_namespace()?,
        })
    }
}

/// The settings of a worker: a function that receives no webhooks.
#[derive(Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The URL of the SQS queue.
    pub queue_url: String,
    /// The bucket for large events, if there is one.
    pub oversize: Option<Oversize>,
    /// The id or ARN of the secret with the worker's own credentials.
    pub secret: String,
    /// The table with the worker's state.
    pub table: String,
    /// The `CloudWatch` namespace of the metrics.
    pub metrics_namespace: String,
}

impl WorkerSettings {
    /// Reads the environment through `variable`. An empty variable counts as not set.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let environment = Environment(variable);
        let required = |name: &'static str, expected: &'static str| {
            environment.get(name).ok_or_else(|| StartError::value(name, expected))
        };
        Ok(Self {
            queue_url: environment.queue_url()?,
            oversize: environment.oversize()?,
            secret: required(
                "CREDENTIALS_SECRET",
                "the Secrets Manager secret that contains the worker's credentials",
            )?,
            table: required("STATE_TABLE", "the name of the DynamoDB table with the worker's state")?,
            metrics_namespace: environment.metrics_namespace()?,
        })
    }
}

/// The environment of a function.
struct Environment<F>(F);

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    fn get(&self, variable: &str) -> Option<String> {
        (self.0)(variable).filter(|value| !value.is_empty())
    }

    fn number(
        &self,
        variable: &str,
        allowed: RangeInclusive<u32>,
        unit: &str,
    ) -> Result<Option<u32>, StartError> {
        let Some(text) = self.get(variable) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        number.map(Some).ok_or_else(|| {
            let (least, most) = (allowed.start(), allowed.end());
            let expected = format!("a whole number of {unit} from {least} to {most}");
            StartError::value(variable.to_owned(), expected)
        })
    }

    fn queue_url(&self) -> Result<String, StartError> {
        let url = self.get("QUEUE_URL").ok_or(StartError::NoQueue)?;
        queue_url(&url).map_err(|expected| StartError::value("QUEUE_URL", expected))
    }

    fn credentials(&self) -> Result<CredentialsFrom, StartError> {
        match (self.get("CREDENTIALS"), self.get("CREDENTIALS_SECRET")) {
            (Some(json), None) => Secret::new(json.trim().to_owned())
                .map(CredentialsFrom::Inline)
                .map_err(|expected| StartError::value("CREDENTIALS", expected)),
            (None, Some(id)) => Ok(CredentialsFrom::Secret(id)),
            (None, None) => Err(StartError::NoCredentials),
            (Some(_), Some(_)) => Err(StartError::TwoCredentials),
        }
    }

    fn deadline(&self) -> Result<Option<Duration>, StartError> {
        // Below the timeout of API Gateway, 30 s.
        let milliseconds = self.number("DEADLINE_MS", 100..=29_000, "milliseconds")?;
        Ok(milliseconds.map(|number| Duration::from_millis(number.into())))
    }

    /// `<of>_MAX_AGE_S`.
    fn max_age(&self, of: &str) -> Result<Duration, StartError> {
        let seconds = self.number(&format!("{of}_MAX_AGE_S"), 1..=86_400, "seconds")?;
        Ok(seconds.map_or(MAX_AGE, |number| Duration::from_secs(number.into())))
    }

    fn oversize(&self) -> Result<Option<Oversize>, StartError> {
        let threshold = self.number("OVERSIZE_THRESHOLD", 0..=1_048_576, "bytes")?;
        match (self.get("OVERSIZE_BUCKET"), threshold) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(StartError::NoBucket),
            (Some(bucket), threshold) => {
                let threshold = threshold.and_then(|bytes| usize::try_from(bytes).ok());
                Ok(Some(Oversize { bucket, threshold: threshold.unwrap_or(LARGEST_MESSAGE) }))
            }
        }
    }

    fn archive(&self) -> Result<Option<ArchiveIn>, StartError> {
        let rate = self.number("ARCHIVE_REFUSED_PER_MINUTE", 0..=1_000_000, "deliveries")?;
        match (self.get("ARCHIVE_STREAM"), rate) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(StartError::NoArchive),
            (Some(stream), rate) => {
                let refused_per_minute = rate.unwrap_or(DEFAULT_REFUSED_PER_MINUTE);
                Ok(Some(ArchiveIn { stream, refused_per_minute }))
            }
        }
    }

    /// A document's location: `s3://bucket/key`, or a file.
    fn document(&self, variable: &'static str) -> Result<Option<DocumentFrom>, StartError> {
        let Some(place) = self.get(variable) else { return Ok(None) };
        let max_age = self.max_age(variable)?;
        if !place.starts_with("s3:") {
            return Ok(Some(DocumentFrom::File(place.into())));
        }
        let expected = || StartError::value(variable, format!("a file, or s3://bucket/key: got {place}"));
        let object = Object::parse(&place).ok_or_else(expected)?;
        Ok(Some(DocumentFrom::S3 { object, max_age }))
    }

    fn metrics_namespace(&self) -> Result<String, StartError> {
        const EXPECTED: &str =
            "at most 255 letters, digits, or `.`, `-`, `_`, `/`, `#`, `:`, and no `AWS/` at the start";
        let namespace = self.get("METRICS_NAMESPACE").unwrap_or_else(|| "Letterbox".into());
        if !is_namespace(&namespace) {
            return Err(StartError::value("METRICS_NAMESPACE", EXPECTED));
        }
        Ok(namespace)
    }
}

/// True if CloudWatch accepts the namespace. It silently drops the metrics of an invalid one.
fn is_namespace(text: &str) -> bool {
    text.len() <= 255
        && !text.starts_with("AWS/")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte))
}

/// Returns the URL if it can be that of a queue; the error is what was expected.
pub fn queue_url(url: &str) -> Result<String, &'static str> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(url.to_owned());
    }
    Err("the URL of an SQS queue, such as https://sqs.eu-central-1.amazonaws.com/123456789012/letterbox")
}

#[cfg(test)]
mod tests {
    use letterbox_codec::{
        Ambient, Request, Source, Stage,
        provider::{Document, Received, Refused},
    };

    use super::*;

    struct Any;

    impl Provider for Any {
        const NAME: &'static str = "any";
        const DEADLINE: Duration = Duration::from_secs(1);
        const DOCUMENT: Option<Document> =
            Some(Document { variable: "ANY", file: "any.json", sample: b"", refresh_failed: "AnyFailed" });
        type Credentials = Secret;

        fn new(_: &[u8]) -> Result<Self, String> {
            Ok(Self)
        }

        fn receive(
            &self,
            _: &Source<'_, Self::Credentials>,
            _: &Request,
            _: &Ambient,
        ) -> Result<Received, Refused> {
            Err(letterbox_codec::Reject::UnknownSource.at(Stage::Route).into())
        }
    }

    fn read(environment: &[(&str, &str)]) -> Result<Settings, StartError> {
        Settings::read::<Any>(|name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_and_settings() {
        let settings = read(&[("QUEUE_URL", "https://q"), ("CREDENTIALS", "{}")]).unwrap();
        assert!(matches!(settings.credentials, CredentialsFrom::Inline(_)));
        assert_eq!(settings.deadline, Any::DEADLINE);
        let settings = read(&[
            ("QUEUE_URL", "https://q"),
            ("CREDENTIALS_SECRET", "s"),
            ("CREDENTIALS", ""),
            ("DEADLINE_MS", "700"),
        ])
        .unwrap();
        assert!(matches!(settings.credentials, CredentialsFrom::Secret(id) if id == "s"));
        assert_eq!(settings.deadline, Duration::from_millis(700));
    }

    #[test]
    fn the_bucket_for_large_events_is_a_setting() {
        let oversize = |more: &[(&str, &str)]| {
            read(&[&[("QUEUE_URL", "https://q"), ("CREDENTIALS", "{}")], more].concat()).unwrap().oversize
        };
        assert_eq!(oversize(&[]), None);
        let bucket = "b".to_owned();
        assert_eq!(
            oversize(&[("OVERSIZE_BUCKET", "b")]),
            Some(Oversize { bucket: bucket.clone(), threshold: LARGEST_MESSAGE })
        );
        assert_eq!(
            oversize(&[("OVERSIZE_BUCKET", "b"), ("OVERSIZE_THRESHOLD", "262144")]),
            Some(Oversize { bucket, threshold: 262_144 })
        );
    }

    #[test]
    fn the_archive_is_a_setting() {
        let archive = |more: &[(&str, &str)]| {
            read(&[&[("QUEUE_URL", "https://q"), ("CREDENTIALS", "{}")], more].concat()).unwrap().archive
        };
        let stream = |refused_per_minute| Some(ArchiveIn { stream: "s".into(), refused_per_minute });
        assert_eq!(archive(&[]), None);
        assert_eq!(archive(&[("ARCHIVE_STREAM", "")]), None);
        assert_eq!(archive(&[("ARCHIVE_STREAM", "s")]), stream(1200));
        assert_eq!(archive(&[("ARCHIVE_STREAM", "s"), ("ARCHIVE_REFUSED_PER_MINUTE", "0")]), stream(0));
    }

    #[test]
    fn a_document_is_a_file_or_an_object() {
        let settings = |more: &[(&str, &str)]| {
            read(&[&[("QUEUE_URL", "https://q"), ("CREDENTIALS", "{}")], more].concat()).unwrap().document
        };
        assert_eq!(settings(&[]), None);
        assert_eq!(settings(&[("ANY", "any.json")]), Some(DocumentFrom::File("any.json".into())));
        let object = Object { bucket: "b".into(), key: "any.json".into() };
        assert_eq!(
            settings(&[("ANY", "s3://b/any.json"), ("ANY_MAX_AGE_S", "60")]),
            Some(DocumentFrom::S3 { object, max_age: Duration::from_mins(1) })
        );
    }

    #[test]
    fn every_error_names_its_variable() {
        let good = ("QUEUE_URL", "https://q");
        for (environment, variable) in [
            (&[][..], "QUEUE_URL"),
            (&[("QUEUE_URL", "")], "QUEUE_URL"),
            (&[("QUEUE_URL", "queue")], "QUEUE_URL"),
            (&[good], "CREDENTIALS"),
            (&[good, ("CREDENTIALS", "{}"), ("CREDENTIALS_SECRET", "s")], "CREDENTIALS_SECRET"),
            (&[good, ("CREDENTIALS", "{}"), ("DEADLINE_MS", "soon")], "DEADLINE_MS"),
            (&[good, ("CREDENTIALS", "{}"), ("DEADLINE_MS", "0")], "DEADLINE_MS"),
            (&[good, ("CREDENTIALS", "{}"), ("CREDENTIALS_MAX_AGE_S", "1h")], "CREDENTIALS_MAX_AGE_S"),
            (&[good, ("CREDENTIALS", "{}"), ("OVERSIZE_THRESHOLD", "1")], "OVERSIZE_BUCKET"),
            (
                &[good, ("CREDENTIALS", "{}"), ("OVERSIZE_BUCKET", "b"), ("OVERSIZE_THRESHOLD", "1048577")],
                "OVERSIZE_THRESHOLD",
            ),
            (&[good, ("CREDENTIALS", "{}"), ("ARCHIVE_REFUSED_PER_MINUTE", "1")], "ARCHIVE_STREAM"),
            (
                &[good, ("CREDENTIALS", "{}"), ("ARCHIVE_STREAM", "s"), ("ARCHIVE_REFUSED_PER_MINUTE", "-1")],
                "ARCHIVE_REFUSED_PER_MINUTE",
            ),
            (&[good, ("CREDENTIALS", "{}"), ("ANY", "s3://b")], "ANY"),
            (&[good, ("CREDENTIALS", "{}"), ("ANY", "s3://b/k"), ("ANY_MAX_AGE_S", "0")], "ANY_MAX_AGE_S"),
            (&[good, ("CREDENTIALS", "{}"), ("METRICS_NAMESPACE", "AWS/Lambda")], "METRICS_NAMESPACE"),
            (&[good, ("CREDENTIALS", "{}"), ("METRICS_NAMESPACE", "a b")], "METRICS_NAMESPACE"),
        ] {
            let error = read(environment).unwrap_err().to_string();
            assert!(error.contains(variable), "{error}");
        }
    }

    #[test]
    fn every_error_of_a_worker_names_its_variable() {
        let all = [("QUEUE_URL", "https://q"), ("CREDENTIALS_SECRET", "s"), ("STATE_TABLE", "t")];
        let read = |without: &str| {
            let set = all.iter().filter(|(name, _)| *name != without);
            let set: Vec<_> = set.copied().collect();
            WorkerSettings::read(|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let settings = read("").unwrap();
        assert_eq!((settings.secret.as_str(), settings.table.as_str()), ("s", "t"));
        assert_eq!(settings.metrics_namespace, "Letterbox");
        for (name, _) in all {
            let error = read(name).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
