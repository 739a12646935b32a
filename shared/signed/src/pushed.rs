//! The push that content would be, for content that a worker has read from the sender's own API.
//!
//! Such content has no signature, and an event is created only of verified content. So the worker signs it, with a secret of its
//! own that lives as long as the process, and the engine receives it like any push: both give the same event.

use bytes::Bytes;
use http::{Method, header};
use letterbox_codec::{Ambient, Provider, Received, Request, Source, provider::Refused};

use crate::{Branch, Credentials, Described};

/// Receives `content` as a push to a source, signed now with the secret of the entry.
///
/// # Errors
/// What the engine refuses, such as a payload without an event type. `None` if the entry's scheme cannot sign.
pub fn receive<B: Branch>(
    source: &str,
    key: &Credentials,
    content: Bytes,
    ambient: &Ambient,
) -> Option<Result<Received, Refused>> {
    let mut request = Request::new(content);
    *request.method_mut() = Method::POST;
    let json = header::HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    key.scheme.sign(&key.key, &mut request, ambient.now, "").ok()?;
    let provider = Described::<B>::new(&[]).ok()?;
    let source = Source { provider: B::NAME, name: source, keys: std::slice::from_ref(key) };
    Some(provider.receive(&source, &request, ambient))
}
