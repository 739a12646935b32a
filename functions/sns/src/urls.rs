//! The URLs that a message may name: only those of SNS itself.

use letterbox_codec::{fetch::HttpsUrl, form};

/// The URL of a certificate: `https://sns.<region>.amazonaws.com/SimpleNotificationService-<id>.pem`. Whoever can name the
/// certificate can sign anything, so nothing but this form is trusted.
pub(crate) fn certificate(text: &str) -> Option<HttpsUrl> {
    let url = HttpsUrl::parse(text).filter(|url| is_sns(url.host()) && !url.as_str().contains('?'))?;
    let id = url.path().strip_prefix("/SimpleNotificationService-")?.strip_suffix(".pem")?;
    let is_id = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_id.then_some(url)
}

/// The URL that confirms a subscription to `topic` with `token`: `ConfirmSubscription` on the endpoint of SNS.
pub(crate) fn confirmation(text: &str, topic: &str, token: &str) -> Option<HttpsUrl> {
    let url = HttpsUrl::parse(text).filter(|url| is_sns(url.host()) && url.path() == "/")?;
    let has = |name: &str, expected: &str| {
        form::one(url.query().as_bytes(), name).is_ok_and(|value| value.as_deref() == Some(expected))
    };
    let confirms = has("Action", "ConfirmSubscription") && has("TopicArn", topic) && has("Token", token);
    confirms.then_some(url)
}

/// True for `sns.<region>.amazonaws.com` and `.amazonaws.com.cn`.
fn is_sns(host: &str) -> bool {
    let rest = host.strip_prefix("sns.");
    let region = rest.and_then(|rest| {
        rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    region.is_some_and(is_region)
}

/// True for the form of a region, such as `us-east-1` or `us-gov-west-1`: words of letters, and a number.
///
/// A looser form would admit buckets: `sns.s3-us-west-2.amazonaws.com` is the bucket `sns` under [an old
/// endpoint](https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html) (read 2026-11-26), whose objects
/// anyone may have written.
fn is_region(region: &str) -> bool {
    let Some((words, number)) = region.rsplit_once('-') else { return false };
    let is_word = |word: &str| word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && region.len() <= 32 && words.contains('-') && words.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_comes_only_from_sns() {
        for url in [
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-7ff5318490ec183fbaddaa2a969abfda.pem",
            "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-0a.pem",
            "https://sns.ap-southeast-7.amazonaws.com/SimpleNotificationService-0a.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0a.pem",
        ] {
            assert!(certificate(url).is_some(), "{url}");
        }
        let file = "/SimpleNotificationService-0a.pem";
        for host in [
            "http://sns.us-east-1.amazonaws.com",
            "https://sns.us-east-1.amazonaws.com:443",
            "https://sns.us-east-1.amazonaws.com:8443",
            "https://sns.us-east-1.amazonaws.com.evil.example",
            "https://sns.us-east-1.amazonaws.com.cn.evil.example",
            "https://evil.example/sns.us-east-1.amazonaws.com",
            "https://evil.example?sns.us-east-1.amazonaws.com",
            "https://evil.example#sns.us-east-1.amazonaws.com",
            "https://sns.us-east-1.amazonaws.com@evil.example",
            "https://a:b@sns.us-east-1.amazonaws.com",
            "https://evil.example\\.sns.us-east-1.amazonaws.com",
            "https://evilsns.us-east-1.amazonaws.com",
            "https://x.sns.us-east-1.amazonaws.com",
            "https://sns.us-east-1.x.amazonaws.com",
            "https://sns-us-east-1.amazonaws.com",
            "https://sns.us-east-1amazonaws.com",
            "https://sns.us-east-1.evilamazonaws.com",
            "https://sns.us-east-1.amazonaws.co",
            "https://sns.us-east-1.amazonaws.com.uk",
            "https://sns.us-east-1.amazonaws.com.",
            "https://sns.amazonaws.com",
            "https://sns..amazonaws.com",
            "https://sns.s3.amazonaws.com",
            "https://sns.s3-us-west-2.amazonaws.com",
            "https://sns.s3-website-us-east-1.amazonaws.com",
            "https://sns.s3-accelerate.amazonaws.com",
            "https://sns.s3.us-east-1.amazonaws.com",
            "https://s3.us-east-1.amazonaws.com/sns",
            "https://sns.elb.amazonaws.com",
            "https://sns.us-1.amazonaws.com",
            "https://sns.us-east-.amazonaws.com",
            "https://sns.us-east-1a.amazonaws.com",
            "https://sns.us--east-1.amazonaws.com",
            "https://sqs.us-east-1.amazonaws.com",
            "https://SNS.us-east-1.amazonaws.com",
            "https://sns.us-east-1.amazonaws%2ecom",
            "https://sns%2eus-east-1.amazonaws.com",
            "https://\u{17f}ns.us-east-1.amazonaws.com",
            "https://127.0.0.1",
            "file://sns.us-east-1.amazonaws.com",
            "",
        ] {
            assert!(certificate(&format!("{host}{file}")).is_none(), "{host}");
        }
        for path in [
            "",
            "/",
            "/SimpleNotificationService-.pem",
            "/SimpleNotificationService-0a.pem?x=1",
            "/SimpleNotificationService-0a.pem?",
            "/SimpleNotificationService-0a.pem#x",
            "/SimpleNotificationService-0a.pem/x",
            "/SimpleNotificationService-0a.PEM",
            "/SimpleNotificationService-0a",
            "/SimpleNotificationService-../x.pem",
            "/SimpleNotificationService-%2e%2e%2fx.pem",
            "/x/SimpleNotificationService-0a.pem",
            "//SimpleNotificationService-0a.pem",
            "/?Action=GetTopicAttributes&x=/SimpleNotificationService-0a.pem",
            "/other.pem",
        ] {
            assert!(certificate(&format!("https://sns.us-east-1.amazonaws.com{path}")).is_none(), "{path}");
        }
    }

    #[test]
    fn a_confirmation_is_for_the_topic_and_the_token() {
        let topic = "arn:aws:sns:us-east-1:123456789012:MyTopic";
        let host = "https://sns.us-east-1.amazonaws.com";
        for (url, expected) in [
            (format!("{host}/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336"), true),
            (
                format!(
                    "{host}/?Action=ConfirmSubscription&TopicArn={}&Token=2336",
                    topic.replace(':', "%3A")
                ),
                true,
            ),
            (format!("{host}/?Action=ConfirmSubscription&TopicArn={topic}2&Token=2336"), false),
            (format!("{host}/?Action=ConfirmSubscription&TopicArn={topic}&TopicArn=x&Token=2336"), false),
            (format!("{host}/?Action=ConfirmSubscription&TopicArn={topic}&Token=1"), false),
            (format!("{host}/?Action=DeleteTopic&TopicArn={topic}&Token=2336"), false),
            (
                format!("{host}/?Action=ConfirmSubscription&Action=DeleteTopic&TopicArn={topic}&Token=2336"),
                false,
            ),
            (format!("{host}/x?Action=ConfirmSubscription&TopicArn={topic}&Token=2336"), false),
            (format!("https://evil.example/?Action=ConfirmSubscription&TopicArn={topic}&Token=2336"), false),
            (String::new(), false),
        ] {
            assert_eq!(confirmation(&url, topic, "2336").is_some(), expected, "{url}");
        }
    }
}
