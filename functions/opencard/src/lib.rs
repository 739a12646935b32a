//! Baidu OpenCard: encrypted queries. The reply comes from a card catalogue, encrypted under the query's JOSE header.
//!
//! Sources: RFC 7516, and OpenCard's guide, read 2026-11-26: <https://open.baidu.com/xcxdoc/guide/steps/develop.html>
//! and <https://open.baidu.com/xcxdoc/guide/faq.html>.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

pub mod catalogue;
mod credentials;
#[cfg(feature = "sender")]
mod platform;

use std::time::Duration;

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Reply, Request, Source, Timestamp,
    jwe::{self, Token},
    provider::{Document, Refused},
    stage::first_accepted,
    verified::Verified,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::catalogue::{Catalogue, Found, Query};
pub use crate::credentials::Credentials;

/// The media type of a compact JWE, in requests and responses.
const MEDIA_TYPE: &str = "application/jwt";

/// Baidu OpenCard.
pub struct OpenCard(Catalogue);

impl Provider for OpenCard {
    const NAME: &'static str = "opencard";
    /// A search waits for the response. No limit is published; well under a second is expected.
    const DEADLINE: Duration = Duration::from_millis(800);
    const MAX_BODY: usize = 64 * 1024;
    const DOCUMENT: Option<Document> = Some(Document {
        variable: "CARDS",
        file: "cards.json",
        sample: include_bytes!("../cards.json"),
        refresh_failed: "CardsRefreshFailed",
    });
    const DELIVERY_FIELD: Option<&'static str> = Some("rid");
    type Credentials = Credentials;

    fn new(document: &[u8]) -> Result<Self, String> {
        Catalogue::parse(document).map(Self)
    }

    fn receive(
        &self,
        source: &Source<'_, Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused> {
        let token = Token::parse(request.body())?;
        let rid = token.header.rid.clone();
        let opened = first_accepted(source.keys, |key: &Credentials| {
            let psk = key.psk_of(&token)?;
            Ok((psk, token.open(psk)?))
        });
        let (position, (psk, content)) =
            opened.map_err(|rejected| Refused { delivery: rid.clone(), ..rejected.into() })?;

        let (event, answer) = self.answer(source, &content, rid.clone(), ambient);
        let (cek, iv) = ambient.split::<32, 16>();
        let sealed = serde_json::to_vec(&answer)
            .ok()
            .and_then(|answer| jwe::seal(psk, &token.header, &answer, &cek, &iv))
            // A reply that is not encrypted is never valid, not even for an internal error.
            .map_or(Reply::empty(500), |body| Reply::new(200, MEDIA_TYPE, body));
        let mut received = Received::query(event, sealed, position);
        received.remark = Some(answer.status.remark());
        received.delivery = rid;
        Ok(received)
    }

    /// The platform does not read error responses. As with every provider, the response to a malformed request names the
    /// invalid part; a refusal that concerns keys has no body.
    fn refuse(reject: &Reject) -> Reply {
        match reject.status() {
            401 => Reply::empty(401),
            status => Reply::error(status, &reject.message()),
        }
    }
}

impl OpenCard {
    /// The event and the reply of a query. An invalid query gets a reply, but is not an event.
    fn answer(
        &self,
        source: &Source<'_, Credentials>,
        content: &Verified<'_>,
        rid: Option<String>,
        ambient: &Ambient,
    ) -> (Option<Event>, Answer<'_>) {
        let read = content.json().and_then(|payload| Ok((Query::read(&payload)?, payload)));
        let (query, payload) = match read {
            Ok(read) => read,
            Err(reject) => return (None, Answer::without_data(Status::BadParameters, reject.message())),
        };
        let mut event = Event::new(source, "query", content, &payload, ambient);
        event.subject = Some(query.srcid.clone());
        event.delivery = rid;
        let answer = match self.0.find(&query) {
            Found::UnknownSrcid => Answer::without_data(Status::BadParameters, "Invalid srcid"),
            Found::Nothing => Answer::without_data(Status::NoResult, "no result"),
            Found::Entry(entry) => match entry.lifetime.map(|seconds| until(ambient.now, seconds)) {
                Some(None) => Answer::without_data(Status::InternalError, "internal error"),
                lifetime => Answer {
                    status: Status::Found,
                    msg: String::new(),
                    data: Some(&entry.data),
                    lifetime: lifetime.flatten(),
                },
            },
        };
        (Some(event), answer)
    }
}

/// The Unix time in so many seconds from now; `None` if the clock is not set, as every reply would be expired then.
fn until(Timestamp(now): Timestamp, seconds: u32) -> Option<i64> {
    if now > 0 { now.div_euclid(1000).checked_add(seconds.into()) } else { None }
}

/// The content of the encrypted reply.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    status: Status,
    msg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    /// The Unix time, in seconds, until which the platform may cache the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime: Option<i64>,
}

impl Answer<'_> {
    fn without_data(status: Status, msg: impl Into<String>) -> Self {
        Self { status, msg: msg.into(), data: None, lifetime: None }
    }
}

/// The platform's status numbers.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(into = "u8")]
enum Status {
    Found = 0,
    NoResult = 1,
    BadParameters = 2,
    InternalError = 3,
}

impl From<Status> for u8 {
    fn from(status: Status) -> Self {
        status as Self
    }
}

impl Status {
    const fn remark(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NoResult => "no_result",
            Self::BadParameters => "bad_parameters",
            Self::InternalError => "internal_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use letterbox_codec::{Secret, jwe::Header};

    use super::*;

    #[test]
    fn a_lifetime_ends_so_many_seconds_from_a_clock_that_is_set() {
        for (now, seconds, expected) in [
            (i64::MIN, 60, None),
            (-1, 60, None),
            (0, 60, None),
            (1, 60, Some(60)),
            (999, 0, Some(0)),
            (1_795_255_200_999, 60, Some(1_795_255_260)),
            (i64::MAX, u32::MAX, Some(i64::MAX / 1000 + i64::from(u32::MAX))),
        ] {
            assert_eq!(until(Timestamp(now), seconds), expected, "{now} {seconds}");
        }
    }

    #[test]
    fn the_log_says_what_a_query_found() {
        let keys = [serde_json::from_str(r#"{"keys":{"0":"MDEyMzQ1Njc4OWFiY2RlZg"}}"#).unwrap()];
        let source = Source { provider: OpenCard::NAME, name: "default", keys: &keys };
        let cards = br#"{"1":{"entries":[{"intent":{},"data":1,"lifetime":60}]}}"#;
        let provider = OpenCard::new(cards).unwrap();
        let header = Header::new(r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0"}"#).unwrap();
        let psk = jwe::Psk::new(&Secret::new("MDEyMzQ1Njc4OWFiY2RlZg".into()).unwrap()).unwrap();
        for (now, query, expected) in [
            (1000, r#"{"srcid":"1","intent":{}}"#, "found"),
            (1000, r#"{"srcid":"1","intent":{"a":1}}"#, "no_result"),
            (1000, r#"{"srcid":"2","intent":{}}"#, "bad_parameters"),
            (1000, "{}", "bad_parameters"),
            (0, r#"{"srcid":"1","intent":{}}"#, "internal_error"),
        ] {
            let token = jwe::seal(&psk, &header, query.as_bytes(), &[1; 32], &[2; 16]).unwrap();
            let ambient = Ambient { now: Timestamp(now), entropy: [0; Ambient::ENTROPY] };
            let received = provider.receive(&source, &Request::new(token.into()), &ambient).unwrap();
            assert_eq!(received.remark, Some(expected), "{now} {query}");
        }
    }

    #[test]
    fn a_refusal_names_the_delivery() {
        let keys = [serde_json::from_str(r#"{"keys":{"0":"MDEyMzQ1Njc4OWFiY2RlZg"}}"#).unwrap()];
        let source = Source { provider: OpenCard::NAME, name: "default", keys: &keys };
        let ambient = Ambient { now: Timestamp(0), entropy: [0; Ambient::ENTROPY] };
        let provider = OpenCard::new(OpenCard::DOCUMENT.unwrap().sample).unwrap();
        let other = jwe::Psk::new(&Secret::new("AAECAwQFBgcICQoLDA0ODw".into()).unwrap()).unwrap();
        for (parameters, expected) in [
            (r#""alg":"A128KW","enc":"A128CBC-HS256","kid":"1""#, Reject::UnknownKid),
            (r#""alg":"A128KW","enc":"A128CBC-HS256""#, Reject::UnknownKid),
            (r#""alg":"A128KW","enc":"A128CBC-HS256","kid":"0""#, Reject::KeyUnwrap),
        ] {
            let header = Header::new(&format!(r#"{{{parameters},"rid":"r1"}}"#)).unwrap();
            let token = jwe::seal(&other, &header, b"{}", &[1; 32], &[2; 16]).unwrap();
            let refused = provider.receive(&source, &Request::new(token.into()), &ambient).unwrap_err();
            assert_eq!((refused.delivery.as_deref(), refused.reject), (Some("r1"), expected), "{parameters}");
        }
    }
}
