//! The settings of a function, read from its environment once at start.

use std::{fmt, ops::RangeInclusive, path::PathBuf, time::Duration};

use letterbox_codec::{
    Secret,
    provider::{Document, Provider},
};

use crate::{
    origin::Object,
    queue::{LARGEST_MESSAGE, oversize::Oversize},
};

/// The default maximum age of credentials in Secrets Manager and of a document in S3.
const MAX_AGE: Duration = Duration::from_mins(5);

/// Why a function cannot start: the variable, what was expected, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(pub String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

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

/// The settings of one function.
#[derive(Debug)]
pub struct Settings {
    /// The URL of the SQS queue.
    pub queue_url: String,
    /// The bucket for large events, if there is one.
    pub oversize: Option<Oversize>,
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
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let error = |text: &str| Err(StartError(text.into()));

        let queue_url = match variable("QUEUE_URL") {
            Some(url) => queue_url(&url).map_err(|expected| StartError(format!("QUEUE_URL: {expected}")))?,
            None => {
                return error(
                    "QUEUE_URL is not set: set it to the URL of the SQS queue that receives the events",
                );
            }
        };
        let credentials = match (variable("CREDENTIALS"), variable("CREDENTIALS_SECRET")) {
            (Some(json), None) => match Secret::new(json.trim().to_owned()) {
                Ok(json) => CredentialsFrom::Inline(json),
                Err(expected) => return Err(StartError(format!("CREDENTIALS: expected {expected}"))),
            },
            (None, Some(id)) => CredentialsFrom::Secret(id),
            (None, None) => {
                return error(
                    "neither CREDENTIALS nor CREDENTIALS_SECRET is set: set CREDENTIALS to the credentials JSON, or CREDENTIALS_SECRET to the Secrets Manager secret that contains it",
                );
            }
            (Some(_), Some(_)) => {
                return error(
                    "both CREDENTIALS and CREDENTIALS_SECRET are set: unset one, so that it is clear which counts",
                );
            }
        };
        let number = |name: &str, allowed: RangeInclusive<u32>, unit: &str| {
            let Some(text) = variable(name) else { return Ok(None) };
            let number = text.parse().ok().filter(|number| allowed.contains(number)).map(u64::from);
            let (least, most) = (allowed.start(), allowed.end());
            let expected =
                || StartError(format!("{name}: expected a whole number of {unit} from {least} to {most}"));
            number.map(Some).ok_or_else(expected)
        };
        // Below the timeout of API Gateway, 30 s.
        let deadline =
            number("DEADLINE_MS", 100..=29_000, "milliseconds")?.map_or(P::DEADLINE, Duration::from_millis);
        let max_age = |of: &str| {
            let seconds = number(&format!("{of}_MAX_AGE_S"), 1..=86_400, "seconds")?;
            Ok::<_, StartError>(seconds.map_or(MAX_AGE, Duration::from_secs))
        };
        let credentials_max_age = max_age("CREDENTIALS")?;
        let threshold = number("OVERSIZE_THRESHOLD", 0..=1_048_576, "bytes")?;
        let oversize = match (variable("OVERSIZE_BUCKET"), threshold) {
            (None, None) => None,
            (None, Some(_)) => {
                return error("OVERSIZE_THRESHOLD is set, and OVERSIZE_BUCKET is not: set both, or neither");
            }
            (Some(bucket), threshold) => {
                let threshold =
                    threshold.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(LARGEST_MESSAGE);
                Some(Oversize { bucket, threshold })
            }
        };
        let document = match P::DOCUMENT {
            Some(Document { variable: name, .. }) => {
                variable(name).map(|place| document(name, &place, max_age(name)?)).transpose()?
            }
            None => None,
        };
        let metrics_namespace = variable("METRICS_NAMESPACE").unwrap_or_else(|| "Letterbox".into());
        if !is_namespace(&metrics_namespace) {
            return error(
                "METRICS_NAMESPACE: expected at most 255 letters, digits, or `.`, `-`, `_`, `/`, `#`, `:`, and no `AWS/` at the start",
            );
        }
        Ok(Self {
            queue_url,
            oversize,
            credentials,
            credentials_max_age,
            deadline,
            document,
            metrics_namespace,
        })
    }
}

/// Parses a document's location: `s3://bucket/key`, or a file.
fn document(variable: &str, place: &str, max_age: Duration) -> Result<DocumentFrom, StartError> {
    if !place.starts_with("s3:") {
        return Ok(DocumentFrom::File(place.into()));
    }
    let object = Object::parse(place)
        .ok_or_else(|| StartError(format!("{variable}: expected a file, or s3://bucket/key: got {place}")))?;
    Ok(DocumentFrom::S3 { object, max_age })
}

/// True if CloudWatch accepts the namespace. It silently drops the metrics of an invalid one.
fn is_namespace(text: &str) -> bool {
    text.len() <= 255
        && !text.starts_with("AWS/")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte))
}

/// Returns the URL if it can be that of a queue; the error says what was expected.
pub fn queue_url(url: &str) -> Result<String, &'static str> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(url.to_owned());
    }
    Err(
        "expected the URL of an SQS queue, such as https://sqs.eu-central-1.amazonaws.com/123456789012/letterbox",
    )
}

#[cfg(test)]
mod tests {
    use letterbox_codec::{
        Ambient, Request, Source, Stage,
        provider::{Received, Refused},
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
            (&[good, ("CREDENTIALS", "{}"), ("ANY", "s3://b")], "ANY"),
            (&[good, ("CREDENTIALS", "{}"), ("ANY", "s3://b/k"), ("ANY_MAX_AGE_S", "0")], "ANY_MAX_AGE_S"),
            (&[good, ("CREDENTIALS", "{}"), ("METRICS_NAMESPACE", "AWS/Lambda")], "METRICS_NAMESPACE"),
            (&[good, ("CREDENTIALS", "{}"), ("METRICS_NAMESPACE", "a b")], "METRICS_NAMESPACE"),
        ] {
            let error = read(environment).unwrap_err().to_string();
            assert!(error.contains(variable), "{error}");
        }
    }
}
