//! Opens many messages in one process, to compare the verdicts with those of outside implementations.
//!
//! The arguments are a provider and its credentials JSON. Every line of standard input is a request,
//! `{"method": "POST", "url": "https://...", "headers": {}, "body": "<base64>"}`, or with `"source": "..."`; every line of
//! standard output its verdict: `{"ok": true, "content": "<base64>"}` or `{"ok": false, "code": "...", "stage": "..."}`.

use std::{
    error::Error,
    io::{BufRead, BufWriter, Write, stdin, stdout},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::{Request, headers, stage::first_accepted};
use letterbox_fuzz_targets::input::ambient;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(provider), Some(credentials)) = (arguments.next(), arguments.next()) else {
        return Err("expected a provider and its credentials JSON".into());
    };
    let keys = letterbox_registry::find(&provider)?.keys(&credentials)?;
    let mut out = BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let entries = keys.entries(message["source"].as_str().unwrap_or("default"))?;
        let request = request(&message)?;
        let verdict = match first_accepted(&entries, |entry| entry.open(&request, ambient().now)) {
            Ok((_, opened)) => json!({ "ok": true, "content": STANDARD.encode(opened.content) }),
            Err(refused) => {
                json!({ "ok": false, "code": refused.reject.code(), "stage": refused.stage })
            }
        };
        writeln!(out, "{verdict}")?;
    }
    Ok(out.flush()?)
}

fn request(message: &Value) -> Result<Request, Box<dyn Error>> {
    let text = |name: &str| message[name].as_str().unwrap_or_default();
    let mut request = Request::new(STANDARD.decode(text("body"))?.into());
    *request.method_mut() = text("method").parse()?;
    *request.uri_mut() = text("url").parse()?;
    let given = message["headers"].as_object().into_iter().flatten();
    *request.headers_mut() =
        headers::collect(given.map(|(name, value)| (name, value.as_str().unwrap_or_default())))?;
    Ok(request)
}
