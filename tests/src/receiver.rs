//! A provider's real handler with credentials of a test.

use letterbox::providers::{self, Key, Row};
use letterbox_codec::{Ambient, Request, platform::Sample};
use letterbox_intake::{Answer, Message, Outcome};
use serde_json::{Value, json};

use crate::{Setup, block_on, fixed};

/// One provider with credentials of its own.
pub(crate) struct Receiver {
    pub(crate) row: &'static Row,
    credentials: String,
    pub(crate) setup: Setup,
}

impl Receiver {
    pub(crate) fn new(provider: &str, entry: &Value) -> Self {
        let row = providers::find(provider).unwrap();
        let credentials = json!({ "default": entry }).to_string();
        let setup = Setup::new(row, &credentials).unwrap();
        Self { row, credentials, setup }
    }

    /// A delivery as the platform makes it with other credentials, or with these.
    pub(crate) fn letter(
        &self,
        with: Option<&Value>,
        name: &str,
        payload: &[u8],
        ambient: &Ambient,
    ) -> Request {
        let other = with.map(|entry| json!({ "default": entry }).to_string());
        let key = Key { credentials: other.as_ref().unwrap_or(&self.credentials), source: "default" };
        let sample = Sample { name: name.into(), payload: payload.to_vec() };
        (self.row.letter)(&key, &sample, &format!("https://localhost/{}", self.row.name), ambient).unwrap()
    }

    pub(crate) fn handle(&self, letter: &Request) -> (Answer, Vec<Message>) {
        let answer = block_on(self.setup.handler.handle("default", letter));
        (answer, self.setup.queue().take())
    }

    /// The one event of a delivery that is accepted.
    pub(crate) fn event(&self, name: &str, payload: &[u8]) -> Value {
        let (answer, mut messages) = self.handle(&self.letter(None, name, payload, &fixed()));
        assert_eq!(answer.record.outcome, Outcome::Queued, "{:?}", answer.record);
        assert_eq!(messages.len(), 1);
        serde_json::from_str(&messages.remove(0).body).unwrap()
    }

    /// The code of a refusal, and its status.
    pub(crate) fn refusal(&self, letter: &Request) -> (u16, &'static str) {
        let (answer, messages) = self.handle(letter);
        assert!(messages.is_empty());
        (answer.record.status, answer.record.reason.unwrap())
    }

    pub(crate) fn opened(&self, with: &Value, letter: &Request, answer: Answer) -> Result<String, String> {
        let credentials = json!({ "default": with }).to_string();
        let key = Key { credentials: &credentials, source: "default" };
        (self.row.read_reply)(&key, letter, &answer.response.map(bytes::Bytes::from))
    }
}
