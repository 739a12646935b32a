//! The answers to handshakes: nothing is queued, and nothing waits for the queue.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, header::X_CONTENT_TYPE_OPTIONS};
use letterbox_codec::{
    Reject, Reply, Request, form,
    stage::{Rejected, Stage, at},
    verified::Payload,
};

use crate::{
    Credentials,
    handshake::{Echo, Handshake, Members, Trigger},
};

/// The longest text that is echoed, in bytes. Some of it comes from senders that nothing has verified.
const LONGEST_ECHO: usize = 4096;

/// The reply to a request of a method other than POST. Of several handshakes that do not fit, the refusal is that of the
/// last whose method it is.
pub(crate) fn answer_unsigned(key: &Credentials, request: &Request) -> Result<Reply, Rejected> {
    let mut refusal = Reject::MethodNotAllowed.at(Stage::Route);
    for handshake in &key.handshakes {
        let Trigger::Unsigned { method, query, token } = &handshake.trigger else { continue };
        if method != request.method() {
            continue;
        }
        match handshake.answer_unsigned(key, request, (query, token.as_deref())) {
            Ok(reply) => return Ok(reply),
            Err(rejected) => refusal = rejected,
        }
    }
    Err(refusal)
}

/// The reply to a verified delivery that is a handshake; `None` if it is an event.
pub(crate) fn answer_verified(
    key: &Credentials,
    request: &Request,
    payload: &Payload<'_>,
    event_type: Option<&str>,
) -> Result<Option<Reply>, Reject> {
    for handshake in &key.handshakes {
        if handshake.is_met(key, request, payload, event_type)? {
            let reply = handshake.reply(key, request, Some(payload))?;
            return Ok(Some(reply.unwrap_or_else(|| key.answer.clone())));
        }
    }
    Ok(None)
}

impl Handshake {
    /// The reply to a request that is not signed. The refusal names the parameter that is missing or wrong.
    fn answer_unsigned(
        &self,
        key: &Credentials,
        request: &Request,
        (query, token): (&[(String, String)], Option<&str>),
    ) -> Result<Reply, Rejected> {
        for (name, expected) in query {
            if parameter(request, name).map_err(at(Stage::Form))?.as_deref() != Some(expected) {
                let reject = Reject::malformed(name.clone(), "the value that this handshake has");
                return Err(reject.at(Stage::Form));
            }
        }
        if let Some(name) = token {
            let given = parameter(request, name).and_then(|given| given.ok_or(Reject::MissingSignature));
            let given = given.map_err(at(Stage::Form))?;
            let is_known = key.verify_token.as_ref().is_some_and(|token| token.matches(&given));
            if !is_known {
                return Err(Reject::SignatureMismatch.at(Stage::Key));
            }
        }
        let reply = self.reply(key, request, None).map_err(at(Stage::Form))?;
        Ok(reply.unwrap_or_else(|| Reply::empty(200)))
    }

    /// True if a verified delivery is this handshake. `event_type` is `None` if it has none.
    fn is_met(
        &self,
        key: &Credentials,
        request: &Request,
        payload: &Payload<'_>,
        event_type: Option<&str>,
    ) -> Result<bool, Reject> {
        let Trigger::Verified { event_type: expected, headers, empty } = &self.trigger else {
            return Ok(false);
        };
        let is_empty = match empty {
            Some(path) => payload.get(path)?.is_some_and(|list| is_empty_list(list.get())),
            None => true,
        };
        Ok(is_empty
            && expected.as_deref().is_none_or(|expected| event_type == Some(expected))
            && headers.iter().all(|(name, value)| single(key, request, name) == Some(value)))
    }

    /// The reply; `None` if there is nothing to echo.
    fn reply(
        &self,
        key: &Credentials,
        request: &Request,
        payload: Option<&Payload<'_>>,
    ) -> Result<Option<Reply>, Reject> {
        let (name, echo) = match &self.echo {
            None => return Ok(None),
            Some(Echo::Query(name)) => (name.as_str(), parameter(request, name)?),
            Some(Echo::Header(name)) => (name.as_str(), single(key, request, name).map(Cow::Borrowed)),
            Some(Echo::Path(path)) => {
                (path.as_str(), payload.map(|payload| payload.scalar(path)).transpose()?.flatten())
            }
        };
        let echo = echo.filter(|echo| !echo.is_empty()).ok_or_else(|| Reject::missing(name.to_owned()))?;
        if echo.len() > LONGEST_ECHO {
            return Err(Reject::malformed(name.to_owned(), "at most 4096 bytes"));
        }
        let reply = match &self.members {
            None => Reply::text(200, echo.into_owned()),
            Some(Members { echo: member, mac }) => {
                let mut json = serde_json::Map::from_iter([(member.clone(), echo.as_ref().into())]);
                if let Some(member) = mac {
                    let tag = key.scheme.hmac(&key.key, echo.as_bytes());
                    json.insert(member.clone(), tag.ok_or(Reject::SignatureMismatch)?.into());
                }
                Reply::json(200, &json.into())
            }
        };
        // The sender chose the text: no browser may take it for anything else.
        Ok(Some(reply.with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))))
    }
}

/// A query parameter; [`Reject::Malformed`] if it is there twice.
fn parameter<'r>(request: &'r Request, name: &str) -> Result<Option<Cow<'r, str>>, Reject> {
    form::one(request.uri().query().unwrap_or_default().as_bytes(), name)
}

/// The value of a header that is present once and is visible ASCII.
fn single<'r>(key: &Credentials, request: &'r Request, name: &HeaderName) -> Option<&'r str> {
    let mut values = request.headers().get_all(key.scheme.family(request).name(name)).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_empty_list(json: &str) -> bool {
    let inside = json.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| inside.trim().is_empty())
}
