//! Broken deliveries for `letterbox doctor`: one row for each, and the cause that it must name.
//!
//! `tests/doctor/<provider>/<cause>.<number>.json` contains the delivery as an event, a curl command, a HAR or options,
//! and the credentials with which it is refused; `opens` means that it is accepted. `mentions` are words that the text must
//! have, `never` those that it must not.

use std::{collections::BTreeMap, fs, path::PathBuf};

use http::{HeaderMap, HeaderValue};
use letterbox::formats::{curl::write as curl, gateway::event};
use letterbox_codec::{Ambient, Request, Timestamp, platform::Sample};
use serde_json::{Value, json};

use crate::{fixed, providers::PROVIDERS, root};

/// One broken delivery.
pub struct Case {
    provider: &'static str,
    cause: &'static str,
    number: usize,
    about: &'static str,
    form: Form,
    request: Request,
    now: Option<Timestamp>,
    credentials: Value,
    reply: Option<String>,
    mentions: Vec<&'static str>,
    never: Vec<&'static str>,
}

/// The input format of the delivery.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Event,
    Curl,
    Har,
    Options,
}

pub(crate) use Form::{Curl, Event, Har, Options};

/// A result, or why it could not be built.
pub type Made<T> = Result<T, String>;

/// Every case, in the order of the providers.
pub fn all() -> Made<Vec<Case>> {
    let mut cases = Vec::new();
    let vectors = Vectors::read()?;
    for provider in PROVIDERS {
        (provider.broken)(&mut cases, &vectors)?;
    }
    let mut numbers = BTreeMap::new();
    for case in &mut cases {
        let number = numbers.entry((case.provider, case.cause)).or_insert(0);
        *number += 1;
        case.number = *number;
    }
    Ok(cases)
}

/// A delivery under the credentials `{"<provider>": {"default": entry}}`.
pub(crate) fn case(
    provider: &'static str,
    cause: &'static str,
    about: &'static str,
    form: Form,
    request: Request,
    entry: Value,
) -> Case {
    let mut sources = serde_json::Map::new();
    sources.insert("default".into(), entry);
    Case {
        provider,
        cause,
        number: 0,
        about,
        form,
        request,
        now: None,
        credentials: json!({ provider: sources }),
        reply: None,
        mentions: Vec::new(),
        never: Vec::new(),
    }
}

impl Case {
    /// With more than one source, or more than one provider.
    pub(crate) fn under(self, credentials: Value) -> Self {
        Self { credentials, ..self }
    }

    pub(crate) fn at(self, milliseconds: i64) -> Self {
        Self { now: Some(Timestamp(milliseconds)), ..self }
    }

    /// With words that explanation or remedy must have, and words that are false here.
    pub(crate) fn says(self, mentions: &[&'static str], never: &[&'static str]) -> Self {
        Self { mentions: mentions.to_vec(), never: never.to_vec(), ..self }
    }

    pub(crate) fn answered(self, reply: impl Into<String>) -> Self {
        Self { reply: Some(reply.into()), ..self }
    }

    /// The path of the case's file.
    pub fn file(&self) -> PathBuf {
        root().join(format!("tests/doctor/{}/{}.{}.json", self.provider, self.cause, self.number))
    }

    /// The content of the file.
    pub fn json(&self) -> Value {
        let now = self.now.unwrap_or(fixed().now);
        let (name, delivery) = match self.form {
            Event => ("event", event(&self.request, self.provider, now)),
            Curl => ("curl", curl::command(&self.request).into()),
            Har => ("har", har(&self.request, now)),
            Options => ("options", options(&self.request)),
        };
        let mut json = json!({ "about": self.about, name: delivery, "credentials": self.credentials });
        // Events and archives contain the time.
        if matches!(self.form, Curl | Options) {
            json["now"] = now.to_string().into();
        }
        for (name, words) in [("mentions", &self.mentions), ("never", &self.never)] {
            if !words.is_empty() {
                json[name] = words.clone().into();
            }
        }
        if let Some(reply) = &self.reply {
            json["reply"] = reply.clone().into();
        }
        json
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

pub(crate) fn body_text(request: &Request) -> String {
    String::from_utf8_lossy(request.body()).into_owned()
}

fn har(request: &Request, now: Timestamp) -> Value {
    let headers: Vec<_> = pairs(request.headers())
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    json!({ "log": { "version": "1.2", "creator": { "name": "letterbox", "version": "1" }, "entries": [{
        "startedDateTime": now.to_string(),
        "request": {
            "method": request.method().as_str(), "url": request.uri().to_string(), "headers": headers,
            "postData": { "mimeType": "application/json", "text": body_text(request) },
        },
    }] } })
}

fn options(request: &Request) -> Value {
    let headers: Vec<_> =
        pairs(request.headers()).iter().map(|(name, value)| format!("{name}: {value}")).collect();
    json!({
        "method": request.method().as_str(), "url": request.uri().to_string(),
        "headers": headers, "body": body_text(request),
    })
}

/// A delivery signed or encrypted with an entry: a sample that comes with Letterbox, or another payload.
pub(crate) fn sent(provider: &str, entry: &Value, sample: &str, payload: Option<&str>) -> Made<Request> {
    let platform = letterbox_registry::find(provider)?;
    let sample = match payload {
        Some(payload) => Sample { name: sample.into(), payload: payload.into() },
        None => platform.sample(sample).ok_or_else(|| format!("no sample {sample}"))?,
    };
    let credentials = json!({ "default": entry }).to_string();
    let keys = platform.keys(&credentials).map_err(|error| error.to_string())?;
    // A moment before it is received.
    let ambient = Ambient { now: Timestamp(fixed().now.0 - 1000), ..fixed() };
    let url = format!("https://hooks.example.com/{provider}");
    keys.first("default")?.build_request(&sample, &url, &ambient)
}

pub(crate) fn with_body(request: &Request, body: impl Into<Vec<u8>>) -> Request {
    let mut request = request.clone();
    *request.body_mut() = body.into().into();
    request
}

pub(crate) fn with_uri(request: &Request, change: impl FnOnce(String) -> String) -> Made<Request> {
    let mut request = request.clone();
    *request.uri_mut() =
        change(request.uri().to_string()).parse().map_err(|error| format!("the URL: {error}"))?;
    Ok(request)
}

pub(crate) fn with_header(request: &Request, name: &'static str, value: Option<&str>) -> Made<Request> {
    let mut request = request.clone();
    match value {
        Some(value) => {
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())?;
            request.headers_mut().insert(name, value);
        }
        None => {
            request.headers_mut().remove(name);
        }
    }
    Ok(request)
}

pub(crate) fn header(request: &Request, name: &str) -> String {
    request.headers().get(name).map(text).unwrap_or_default()
}

/// A header's value moved to another name.
pub(crate) fn moved(request: &Request, from: &'static str, to: &'static str) -> Made<Request> {
    with_header(&with_header(request, to, Some(&header(request, from)))?, from, None)
}

/// An entry with some fields changed.
pub(crate) fn but(entry: &Value, members: &Value) -> Value {
    let mut entry = entry.clone();
    if let (Value::Object(entry), Value::Object(members)) = (&mut entry, members) {
        entry.extend(members.clone());
    }
    entry
}

/// The test vectors from outside of this project.
pub struct Vectors(Vec<Value>);

impl Vectors {
    pub(crate) fn read() -> Made<Self> {
        let file = root().join("tests/vectors.json");
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        serde_json::from_str(&text).map(Self).map_err(|error| error.to_string())
    }

    pub(crate) fn input(&self, id: &str) -> Made<&Value> {
        let found = self.0.iter().find(|vector| vector["id"] == id);
        found.map(|vector| &vector["input"]).ok_or_else(|| format!("no vector {id}"))
    }

    /// An encrypted message as DingTalk would post it, and the entry that decrypts it.
    pub(crate) fn sealed(&self, id: &str) -> Made<(Request, Value)> {
        let input = self.input(id)?;
        let member = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let signature = member("signature");
        let query =
            format!("signature={signature}&timestamp={}&nonce={}", member("timestamp"), member("nonce"));
        let request = post("dingtalk", &query, json!({ "encrypt": input["encrypt"] }).to_string())?;
        let entry =
            json!({ "token": input["token"], "aes_key": input["aes_key"], "owner_key": input["receive_id"] });
        Ok((request, entry))
    }

    /// A whole request to DingTalk, and the entry that verifies it.
    pub(crate) fn sealed_request(&self, id: &str) -> Made<(Request, Value)> {
        let input = self.input(id)?;
        let member = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let request = post("dingtalk", &member("query"), member("body"))?;
        let entry =
            json!({ "token": input["token"], "aes_key": input["aes_key"], "owner_key": input["receive_id"] });
        Ok((request, entry))
    }

    /// A query to OpenCard, and the entry with its keys.
    pub(crate) fn query(&self, id: &str) -> Made<(Request, Value)> {
        let input = self.input(id)?;
        let token = input["token"].as_str().unwrap_or_default();
        Ok((post("opencard", "", token.to_owned())?, json!({ "keys": input["psk_table"] })))
    }

    /// A signed body, and its secret.
    pub(crate) fn signed(&self, id: &str, provider: &str) -> Made<(Request, Value)> {
        let input = self.input(id)?;
        let body = input["body"].as_str().unwrap_or_default();
        let mut request = post(provider, "", body.to_owned())?;
        let mut set = |name: &str, value: &Value| {
            let value = HeaderValue::from_bytes(value.as_str().unwrap_or_default().as_bytes());
            let name = name.to_lowercase().parse::<http::HeaderName>().map_err(|error| error.to_string())?;
            request.headers_mut().insert(name, value.map_err(|error| error.to_string())?);
            Ok::<_, String>(())
        };
        for (name, value) in input["headers"].as_object().into_iter().flatten() {
            set(name, value)?;
        }
        if let Some(name) = input["header"]["name"].as_str().filter(|_| input["header"]["value"].is_string())
        {
            set(name, &input["header"]["value"])?;
        }
        Ok((request, json!({ "secret": input["secret"] })))
    }
}

pub(crate) fn post(provider: &str, query: &str, body: String) -> Made<Request> {
    let separator = if query.is_empty() { "" } else { "?" };
    let request = http::Request::post(format!("https://hooks.example.com/{provider}{separator}{query}"));
    request.body(body.into()).map_err(|error| error.to_string())
}

pub(crate) fn get(request: &Request) -> Request {
    let mut request = request.clone();
    *request.method_mut() = http::Method::GET;
    request
}
