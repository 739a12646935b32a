//! Handshakes: which requests of a sender only test the URL, and how they are answered.

use std::collections::BTreeMap;

use http::{HeaderName, Method};
use letterbox_codec::signature::SchemeError;
use serde::Deserialize;

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
    pub trigger: Trigger,
    pub echo: Option<Echo>,
    /// The members of a JSON reply; without them it is text.
    pub members: Option<Members>,
}

pub(crate) enum Trigger {
    /// A request that is not signed.
    Unsigned { method: Method, query: Vec<(String, String)>, token: Option<String> },
    /// A delivery that is verified. All conditions that are there must be met.
    Verified { event_type: Option<String>, headers: Vec<(HeaderName, String)>, empty: Option<String> },
}

pub(crate) enum Echo {
    Query(String),
    Header(HeaderName),
    Path(String),
}

pub(crate) struct Members {
    pub echo: String,
    pub mac: Option<String>,
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
        self.token_parameter().is_some()
    }

    /// The query parameter that it compares with the entry's token.
    pub fn token_parameter(&self) -> Option<&str> {
        match &self.trigger {
            Trigger::Unsigned { token, .. } => token.as_deref(),
            Trigger::Verified { .. } => None,
        }
    }

    /// The headers that it reads.
    #[cfg(feature = "sender")]
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
}
