//! Signatures in headers: what was signed verifies, and nothing else does.

use letterbox_codec::{
    Request, Secret, Stage,
    signature::{Algorithm, Description, Encoding, Key, Scheme, SecretEncoding},
    timestamp::Unit,
};

use crate::{
    input::{self, ambient},
    random::Random,
};

/// The property, with keys of its own.
pub(super) fn property(random: &Random) -> impl Fn(&[u8]) -> bool + Send + Sync + use<> {
    let secret = Secret::new(format!("user:{}", random.hex("secret", 40))).expect("a secret");
    let key = Key::new(&secret, SecretEncoding::Text).expect("a key");
    let schemes = schemes();
    move |data| {
        let Some(mut request) = input::request(data) else { return false };
        let change = input::change(&mut request);
        let number = input::take(&mut request, "x-scheme").and_then(|text| text.parse::<usize>().ok());
        let (scheme, signs_body) = &schemes[number.unwrap_or_default() % schemes.len()];
        let now = ambient().now;
        assert!(scheme.verify(&key, &request, now).is_err(), "accepted without a signature");
        let mut signed = request.clone();
        if scheme.sign(&key, &mut signed, now, "msg_1").is_err() {
            return false;
        }
        match scheme.verify(&key, &signed, now) {
            Ok(verified) => assert_eq!(verified.content.bytes(), signed.body()),
            // The headers that the input has besides can name what is not in the body.
            Err(refused) => assert!(refused.stage != Stage::Key, "{refused:?}"),
        }
        if let Some(body) = input::flipped(signed.body(), change).filter(|_| *signs_body) {
            let mut changed: Request = signed.clone();
            *changed.body_mut() = body.into();
            assert!(scheme.verify(&key, &changed, now).is_err(), "accepted another body");
        }
        true
    }
}

/// One of each kind, and whether its signature depends on the body.
fn schemes() -> Vec<(Scheme, bool)> {
    let of = |description: Description| {
        let signs = !matches!(description.algorithm, Algorithm::Token | Algorithm::Basic);
        (Scheme::new(description).expect("a valid scheme"), signs)
    };
    let plain = Description::default;
    vec![
        of(plain()),
        of(Description { prefix: "sha256=".into(), encoding: Encoding::Base64, ..plain() }),
        of(Description {
            separator: Some(",".into()),
            signature_key: Some("v1".into()),
            timestamp_key: Some("t".into()),
            template: "{timestamp}.{body}".into(),
            ..plain()
        }),
        of(Description {
            separator: Some(" ".into()),
            prefix: "v1,".into(),
            encoding: Encoding::Base64Url,
            template: "{id}.{timestamp}.{body}".into(),
            timestamp_header: Some("webhook-timestamp".into()),
            id_header: Some("webhook-id".into()),
            header: "webhook-signature".into(),
            header_families: vec!["webhook-".into(), "svix-".into()],
            ..plain()
        }),
        of(Description {
            template: "{method}\n{url}\n{body}".into(),
            url_decoded: Some(":/?@!$'()*,;".into()),
            algorithm: Algorithm::Sha512,
            ..plain()
        }),
        of(Description {
            separator: Some(":".into()),
            signature_index: Some(1),
            timestamp_index: Some(0),
            timestamp_unit: Unit::Microseconds,
            template: "{timestamp}{query:x}{body}".into(),
            algorithm: Algorithm::Sha1,
            ..plain()
        }),
        of(Description {
            separator: Some(",".into()),
            signature_key: Some("v1".into()),
            timestamp_key: Some("t".into()),
            timestamp_unit: Unit::Rfc3339,
            covered_key: Some("h".into()),
            id_header: Some("webhook-id".into()),
            template: "{timestamp}{covered}{covered_values}{body}{header:webhook-id}".into(),
            ..plain()
        }),
        of(Description { algorithm: Algorithm::Token, ..plain() }),
        of(Description { algorithm: Algorithm::Basic, header: "authorization".into(), ..plain() }),
    ]
}
