use letterbox_codec::{fetch::HttpsUrl, provider::Provider};

use super::*;

const URL: &str = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-letterboxdemo.pem";

fn keys(source: &str) -> Vec<Credentials> {
    let demo: serde_json::Value =
        serde_json::from_str(include_str!("../../../events/sns/credentials.json")).unwrap();
    vec![serde_json::from_value(demo[source].clone()).unwrap()]
}

/// The notification of the sample events, and the certificate that it was signed with.
fn delivery() -> (Request, Vec<u8>) {
    let event: serde_json::Value =
        serde_json::from_str(include_str!("../../../events/sns/notification.200.json")).unwrap();
    let demo: serde_json::Value =
        serde_json::from_str(include_str!("../../../events/sns/credentials.json")).unwrap();
    let pem = demo["default"]["certificates"][URL].as_str().unwrap().as_bytes().to_vec();
    (Request::new(event["body"].as_str().unwrap().to_owned().into()), pem)
}

fn receive(keys: &[Credentials], request: &Request, now: i64) -> Result<Received, Refused> {
    let source = Source { provider: Sns::NAME, name: "default", keys };
    Sns.receive(&source, request, &Ambient { now: Timestamp(now), entropy: [0; Ambient::ENTROPY] })
}

const NOW: i64 = 1_795_255_200_123;

#[test]
fn a_certificate_is_wanted_once_and_only_for_the_own_topic() {
    let (request, pem) = delivery();
    let keys = keys("unpinned");
    let refused = receive(&keys, &request, NOW).unwrap_err();
    assert_eq!((refused.reject, refused.stage), (Reject::CertificateUnavailable, Stage::Key));
    assert_eq!(refused.wanted.as_ref().map(HttpsUrl::as_str), Some(URL));

    let with = |content: &[u8]| {
        let mut request = request.clone();
        let url = HttpsUrl::parse(URL).unwrap();
        request.extensions_mut().insert(Fetched { url, content: content.to_vec().into() });
        request
    };
    assert!(receive(&keys, &with(&pem), NOW).is_ok());
    for content in [&b""[..], b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = receive(&keys, &with(content), NOW).unwrap_err();
        assert_eq!((refused.reject, refused.wanted), (Reject::CertificateInvalid, None));
    }
    // The dates of the certificate count.
    for now in [0, 1_735_689_599_999, 2_682_374_400_001] {
        let refused = receive(&keys, &with(&pem), now).unwrap_err();
        assert_eq!((refused.reject, refused.stage), (Reject::CertificateInvalid, Stage::Key), "{now}");
    }

    let other = r#"{"topic_arn":"arn:aws:sns:us-east-1:123456789012:others"}"#;
    let other = [serde_json::from_str(other).unwrap()];
    let refused = receive(&other, &request, NOW).unwrap_err();
    assert_eq!((refused.reject, refused.stage), (Reject::OwnerKeyMismatch, Stage::Form));
    assert_eq!(refused.wanted, None);
    let refused = receive(&other, &with(&pem), NOW).unwrap_err();
    assert_eq!((refused.reject, refused.stage), (Reject::OwnerKeyMismatch, Stage::Address));
}

#[test]
fn a_refusal_names_the_message() {
    let (mut request, _) = delivery();
    request.headers_mut().insert("x-amz-sns-message-id", "m1".parse().unwrap());
    let refused = receive(&keys("unpinned"), &request, NOW).unwrap_err();
    assert_eq!(refused.delivery.as_deref(), Some("m1"));
}

/// An entry of another topic vouches for nothing, whatever certificate it pins.
#[test]
fn the_certificate_of_the_own_topic_counts() {
    let (request, pem) = delivery();
    let mut pinned = serde_json::json!({ "topic_arn": "arn:aws:sns:us-east-1:123456789012:others" });
    pinned["certificates"][URL] = String::from_utf8(pem).unwrap().into();
    let other = || serde_json::from_value::<Credentials>(pinned.clone()).unwrap();
    let refused = receive(&[other()], &request, NOW).unwrap_err();
    assert_eq!((refused.reject, refused.stage), (Reject::OwnerKeyMismatch, Stage::Address));
    // The one of the topic pins a certificate that is another.
    let mut expired = keys("expired").remove(0);
    let (_, certificate) = expired.certificates.pop_first().unwrap();
    expired.certificates.insert(URL.to_owned(), certificate);
    let refused = receive(&[other(), expired], &request, NOW).unwrap_err();
    assert_eq!((refused.reject, refused.stage), (Reject::CertificateInvalid, Stage::Key));
}

/// A certificate that could be fetched may still verify the message; the pinned one, which has expired, cannot.
#[test]
fn of_several_entries_the_one_that_wants_a_certificate_counts() {
    let (request, _) = delivery();
    for order in [["default", "unpinned"], ["unpinned", "default"]] {
        let keys: Vec<_> = order.into_iter().flat_map(keys).collect();
        let refused = receive(&keys, &request, 0).unwrap_err();
        assert_eq!(
            (refused.reject, refused.stage),
            (Reject::CertificateUnavailable, Stage::Key),
            "{order:?}"
        );
        assert_eq!(refused.wanted.as_ref().map(HttpsUrl::as_str), Some(URL), "{order:?}");
    }
}

#[test]
fn a_certificate_is_one_in_pem_and_of_bounded_length() {
    let (_, pem) = delivery();
    let pem = String::from_utf8(pem).unwrap();
    let padded = |bytes: usize| format!("{pem:x<bytes$}");
    for (text, is_read) in [
        (pem.clone(), true),
        (padded(Certificate::LONGEST), true),
        (padded(Certificate::LONGEST + 1), false),
        (pem.replace("CERTIFICATE", "PUBLIC KEY"), false),
        (pem.lines().filter(|line| !line.starts_with('-')).collect(), false),
    ] {
        assert_eq!(Certificate::from_pem(text.as_bytes()).is_ok(), is_read, "{} bytes", text.len());
    }
}

#[test]
fn nothing_is_wanted_for_a_pinned_certificate_or_a_foreign_url() {
    let (request, _) = delivery();
    assert!(receive(&keys("default"), &request, NOW).is_ok());
    let body = String::from_utf8(request.body().to_vec()).unwrap();
    for url in [
        "https://evil.example/SimpleNotificationService-a.pem",
        "https://sns.s3-us-west-2.amazonaws.com/a.pem",
    ] {
        let request = Request::new(body.replace(URL, url).into());
        let refused = receive(&keys("unpinned"), &request, NOW).unwrap_err();
        assert_eq!((refused.reject, refused.wanted), (Reject::UntrustedCertificateUrl, None));
    }
}

#[cfg(feature = "sender")]
#[test]
fn a_subscription_is_confirmed_only_where_the_entry_says_so_and_only_at_sns() {
    use letterbox_codec::platform::{Sample, Sender};

    let ambient = Ambient { now: Timestamp(NOW), entropy: [0; Ambient::ENTROPY] };
    let sent = |name: &str, change: &dyn Fn(String) -> String| {
        let sample = Sns::samples().into_iter().find(|sample| sample.name == name).unwrap();
        let payload = change(String::from_utf8(sample.payload).unwrap()).into_bytes();
        let sample = Sample { payload, ..sample };
        Sns::build_request(&keys("default")[0], &sample, "https://localhost/sns", &ambient).unwrap()
    };
    let same = |text: String| text;
    let foreign = |text: String| text.replace("https://sns.us-east-1", "https://evil");
    let other_topic = |text: String| text.replace(":orders&", ":others&");
    for (source, sample, change, visits, remark) in [
        ("default", "subscription", &same as &dyn Fn(String) -> String, false, None),
        ("confirming", "subscription", &same, true, None),
        ("confirming", "unsubscription", &same, false, None),
        ("confirming", "notification", &same, false, None),
        ("confirming", "subscription", &foreign, false, Some(UNTRUSTED_SUBSCRIBE_URL)),
        ("confirming", "subscription", &other_topic, false, Some(UNTRUSTED_SUBSCRIBE_URL)),
    ] {
        let received = receive(&keys(source), &sent(sample, change), NOW).unwrap();
        assert_eq!((received.visit.is_some(), received.remark), (visits, remark), "{source} {sample}");
        assert!(received.queued_event().is_some(), "{source} {sample}");
    }
}
