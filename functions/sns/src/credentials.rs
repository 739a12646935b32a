//! One entry of the credentials.

use std::{collections::BTreeMap, fmt};

use letterbox_codec::{fetch::HttpsUrl, signature::Certificate};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// The topics of one source, and the certificates that need not be fetched.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[serde(deserialize_with = "topics")]
    pub(crate) topic_arn: Vec<String>,
    /// Pinned certificates by their URL. One whose URL is not SNS's is never used.
    #[serde(default)]
    pub(crate) certificates: BTreeMap<String, Pinned>,
    /// Confirm a subscription by calling its `SubscribeURL`.
    #[serde(default)]
    pub(crate) confirm: bool,
}

/// A certificate in the credentials.
pub(crate) struct Pinned(pub(crate) Certificate);

impl Credentials {
    /// True if a topic is one of the entry's.
    pub(crate) fn has_topic(&self, topic: &str) -> bool {
        self.topic_arn.iter().any(|own| own == topic)
    }

    /// The certificate that is pinned for a URL.
    pub(crate) fn pinned(&self, url: &HttpsUrl) -> Option<&Certificate> {
        self.certificates.get(url.as_str()).map(|Pinned(certificate)| certificate)
    }
}

impl<'de> Deserialize<'de> for Pinned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A line feed that was escaped twice on its way into the credentials is two characters.
        let pem = text.replace("\\n", "\n");
        let certificate = Certificate::from_pem(pem.as_bytes());
        certificate.map(Self).map_err(|expected| D::Error::custom(format!("expected {expected}")))
    }
}

/// One topic, or a list of them.
fn topics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMore;

    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the ARN of a topic, or a list of them")
        }

        fn visit_str<E: Error>(self, one: &str) -> Result<Vec<String>, E> {
            Ok(vec![one.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut topics = Vec::new();
            while let Some(topic) = list.next_element()? {
                topics.push(topic);
            }
            Ok(topics)
        }
    }

    let topics = deserializer.deserialize_any(OneOrMore)?;
    if topics.is_empty() || !topics.iter().all(|topic| is_topic(topic)) {
        return Err(D::Error::custom(
            "expected the ARN of a topic, such as arn:aws:sns:eu-central-1:123456789012:orders, or a list of them",
        ));
    }
    Ok(topics)
}

/// True for `arn:<partition>:sns:<region>:<account>:<name>`. The ARN of a subscription has one part more.
fn is_topic(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let parts: Vec<_> = text.split(':').collect();
    matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
        if [partition, region, account, name].into_iter().all(|part| is_part(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_the_arn_of_one() {
        for (topic, expected) in [
            ("arn:aws:sns:us-east-1:123456789012:MyTopic", true),
            ("arn:aws-cn:sns:cn-north-1:123456789012:orders.fifo", true),
            ("arn:aws:sns:us-east-1:123456789012:MyTopic:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55", false),
            ("arn:aws:sqs:us-east-1:123456789012:MyTopic", false),
            ("arn:aws:sns:us-east-1:123456789012:", false),
            ("arn:aws:sns:us-east-1:123456789012:*", false),
            (" arn:aws:sns:us-east-1:123456789012:MyTopic", false),
            ("MyTopic", false),
            ("", false),
        ] {
            assert_eq!(is_topic(topic), expected, "{topic}");
        }
    }

    #[test]
    fn an_entry_has_one_topic_or_a_list_of_them() {
        let (one, two) = ("arn:aws:sns:us-east-1:123456789012:one", "arn:aws:sns:us-east-1:123456789012:two");
        let topics = |topics: serde_json::Value| {
            let entry = serde_json::json!({ "topic_arn": topics });
            let entry = serde_json::from_value::<Credentials>(entry).map_err(|error| error.to_string());
            entry.map(|entry| entry.topic_arn)
        };
        assert_eq!(topics(one.into()).unwrap(), [one]);
        assert_eq!(topics([one, two].as_slice().into()).unwrap(), [one, two]);
        for wrong in
            [serde_json::json!([]), serde_json::json!([one, "two"]), serde_json::json!("two"), 5.into()]
        {
            let error = topics(wrong.clone()).unwrap_err();
            assert!(error.contains("expected the ARN of a topic, "), "{wrong}: {error}");
            assert!(error.contains("or a list of them"), "{wrong}: {error}");
        }
    }
}
