//! A provider's real handler with a test's credentials.

use letterbox_codec::{Ambient, Request, platform::Sample};
use letterbox_intake::{Answer, Message, Outcome};
use letterbox_registry::{Keys, Platform};
use serde_json::{Value, json};

use crate::{Setup, block_on, fixed};

/// One provider with its own credentials.
pub(crate) struct Receiver {
    pub(crate) platform: &'static dyn Platform,
    keys: Box<dyn Keys>,
    pub(crate) setup: Setup,
}

impl Receiver {
    pub(crate) fn new(provider: &str, entry: &Value) -> Self {
        let platform = letterbox_registry::find(provider).unwrap();
        let setup = Setup::new(platform, &json!({ "default": entry }).to_string()).unwrap();
        Self { platform, keys: keys(platform, entry), setup }
    }

    /// A delivery signed or encrypted with other credentials, or with these.
    pub(crate) fn build_request(
        &self,
        with: Option<&Value>,
        name: &str,
        payload: &[u8],
        ambient: &Ambient,
    ) -> Request {
        let other = with.map(|entry| keys(self.platform, entry));
        let entry = other.as_ref().unwrap_or(&self.keys).first("default").unwrap();
        let sample = Sample { name: name.into(), payload: payload.to_vec() };
        let url = format!("https://localhost/{}", self.platform.name());
        entry.build_request(&sample, &url, ambient).unwrap()
    }

    pub(crate) fn handle(&self, request: &Request) -> (Answer, Vec<Message>) {
        let answer = block_on(self.setup.handler.handle("default", request));
        (answer, self.setup.queue().take())
    }

    /// The one event of a delivery that is accepted.
    pub(crate) fn event(&self, name: &str, payload: &[u8]) -> Value {
        let (answer, mut messages) = self.handle(&self.build_request(None, name, payload, &fixed()));
        assert_eq!(answer.record.outcome, Outcome::Queued, "{:?}", answer.record);
        assert_eq!(messages.len(), 1);
        serde_json::from_str(&messages.remove(0).body).unwrap()
    }

    /// The code of a refusal, and its status.
    pub(crate) fn refusal(&self, request: &Request) -> (u16, &'static str) {
        let (answer, messages) = self.handle(request);
        assert!(messages.is_empty());
        (answer.record.status, answer.record.reason.unwrap())
    }

    pub(crate) fn opened(&self, with: &Value, request: &Request, answer: Answer) -> Result<String, String> {
        let keys = keys(self.platform, with);
        keys.first("default").unwrap().read_response(request, &answer.response.map(bytes::Bytes::from))
    }
}

/// The credentials with one entry.
fn keys(platform: &dyn Platform, entry: &Value) -> Box<dyn Keys> {
    platform.keys(&json!({ "default": entry }).to_string()).unwrap()
}
