//! Requests that a sender makes to test the URL: they are answered, and nothing is queued.

use std::{borrow::Cow, collections::BTreeMap};

use http::{HeaderName, HeaderValue, Method, header::X_CONTENT_TYPE_OPTIONS};
use letterbox_codec::{
    Reject, Rejected, Reply, Request, Stage, form, signature::SchemeError, stage::at, verified::Payload,
};
use serde::Deserialize;

use crate::Credentials;

/// The longest text that is echoed, in bytes. Some of it comes from senders that nothing has verified.
pub const LONGEST_ECHO: usize = 4096;

/// `handshake` of an entry, or one element of its list.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HandshakeEntry {
    method: Option<UnsignedMethod>,
    when_query: BTreeMap<String, String>,
    token_query: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    when_header: BTreeMap<String, String>,
    when_empty: Option<String>,
    echo_query: Option<String>,
    echo_header: Option<String>,
    echo_path: Option<String>,
    reply_member: Option<String>,
    mac_member: Option<String>,
}

/// The methods whose requests nothing signs.
#[derive(Clone, Copy, Deserialize)]
enum UnsignedMethod {
    #[serde(rename = "GET")]
    Get,
    #[serde(rename = "HEAD")]
    Head,
}

/// One checked handshake.
pub(crate) struct Handshake {
    trigger: Trigger,
    echo: Option<Echo>,
    /// The members of a JSON reply; without them it is text.
    members: Option<Members>,
}

enum Trigger {
    /// A request that is not signed.
    Unsigned { method: Method, query: Vec<(String, String)>, token: Option<String> },
    /// A delivery that is verified. All conditions that are there must be met.
    Verified { event_type: Option<String>, headers: Vec<(HeaderName, String)>, empty: Option<String> },
}

enum Echo {
    Query(String),
    Header(HeaderName),
    Path(String),
}

struct Members {
    echo: String,
    mac: Option<String>,
}

fn error(expected: &'static str) -> SchemeError {
    SchemeError::new("handshake", expected)
}

fn header_name(name: &str) -> Result<HeaderName, SchemeError> {
    name.parse().map_err(|_| error("HTTP header names in when_header and echo_header"))
}

impl TryFrom<HandshakeEntry> for Handshake {
    type Error = SchemeError;

    fn try_from(entry: HandshakeEntry) -> Result<Self, SchemeError> {
        let echoes = [entry.echo_query.is_some(), entry.echo_header.is_some(), entry.echo_path.is_some()];
        let is_verified =
            entry.event_type.is_some() || !entry.when_header.is_empty() || entry.when_empty.is_some();
        let checks = [
            (
                entry.method.is_some() != is_verified,
                "either method, or at least one of type, when_header and when_empty",
            ),
            (
                entry.method.is_some() || (entry.when_query.is_empty() && entry.token_query.is_none()),
                "when_query and token_query only with a method",
            ),
            // A stranger could have any text signed.
            (entry.method.is_none() || entry.mac_member.is_none(), "mac_member only without a method"),
            (entry.method.is_none() || entry.echo_path.is_none(), "echo_path only without a method"),
            (
                echoes.iter().filter(|is_there| **is_there).count() <= 1,
                "at most one of echo_query, echo_header and echo_path",
            ),
            (
                entry.reply_member.is_none() || echoes.contains(&true),
                "reply_member only with echo_query, echo_header or echo_path",
            ),
            (entry.mac_member.is_none() || entry.reply_member.is_some(), "mac_member only with reply_member"),
        ];
        if let Some((_, expected)) = checks.into_iter().find(|(is_met, _)| !is_met) {
            return Err(error(expected));
        }
        let trigger = match entry.method {
            Some(method) => Trigger::Unsigned {
                method: match method {
                    UnsignedMethod::Get => Method::GET,
                    UnsignedMethod::Head => Method::HEAD,
                },
                query: entry.when_query.into_iter().collect(),
                token: entry.token_query,
            },
            None => Trigger::Verified {
                event_type: entry.event_type,
                headers: entry
                    .when_header
                    .into_iter()
                    .map(|(name, value)| Ok((header_name(&name)?, value)))
                    .collect::<Result<_, _>>()?,
                empty: entry.when_empty,
            },
        };
        let echo = match (entry.echo_query, entry.echo_header, entry.echo_path) {
            (Some(name), ..) => Some(Echo::Query(name)),
            (_, Some(name), _) => Some(Echo::Header(header_name(&name)?)),
            (.., path) => path.map(Echo::Path),
        };
        let mac = entry.mac_member;
        let members = entry.reply_member.map(|echo| Members { echo, mac });
        Ok(Self { trigger, echo, members })
    }
}

impl Handshake {
    /// The method of requests that are not signed; `None` if the handshake is a delivery.
    pub fn method(&self) -> Option<&Method> {
        match &self.trigger {
            Trigger::Unsigned { method, .. } => Some(method),
            Trigger::Verified { .. } => None,
        }
    }

    /// True if its reply has an HMAC of the entry's key.
    pub fn signs(&self) -> bool {
        self.members.as_ref().is_some_and(|members| members.mac.is_some())
    }

    /// True if it compares a query parameter with the entry's token.
    pub fn needs_token(&self) -> bool {
        matches!(&self.trigger, Trigger::Unsigned { token: Some(_), .. })
    }

    /// The headers that it reads.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        let conditions = match &self.trigger {
            Trigger::Verified { headers, .. } => headers.as_slice(),
            Trigger::Unsigned { .. } => &[],
        };
        let echo = match &self.echo {
            Some(Echo::Header(name)) => Some(name),
            _ => None,
        };
        conditions.iter().map(|(name, _)| name).chain(echo)
    }

    /// The reply to a request that is not signed. The refusal names the parameter that is missing or wrong.
    fn answer_unsigned(&self, key: &Credentials, request: &Request) -> Result<Reply, Rejected> {
        let Trigger::Unsigned { method, query, token } = &self.trigger else {
            return Err(Reject::MethodNotAllowed.at(Stage::Route));
        };
        if method != request.method() {
            return Err(Reject::MethodNotAllowed.at(Stage::Route));
        }
        for (name, expected) in query {
            if parameter(request, name).map_err(at(Stage::Form))?.as_deref() != Some(expected) {
                let expected = "the value that this handshake has";
                return Err(Reject::malformed(name.clone(), expected).at(Stage::Form));
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

/// The reply to a request of a method other than POST. Of several handshakes that do not fit, the refusal is that of the
/// last whose method it is.
pub(crate) fn answer_unsigned(key: &Credentials, request: &Request) -> Result<Reply, Rejected> {
    let mut refusal = Reject::MethodNotAllowed.at(Stage::Route);
    for handshake in key.handshakes.iter().filter(|one| one.method() == Some(request.method())) {
        match handshake.answer_unsigned(key, request) {
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
