//! Handles the first sample of each provider as its function does, without the runtime and the queue's connection.
//!
//! `receive list` prints the providers, one a line. `receive count` handles each provider's delivery twice in
//! [`measured`], for callgrind, which counts the instructions of each call. `receive time [ROUNDS]` prints JSON.

use std::{env, sync::Arc};

use letterbox_bench::{Subject, interleaved, number};
use letterbox_codec::Request;
use letterbox_intake::{Message, Outcome, Queue, queue::Put};
use letterbox_registry::{Handler, HandlerParts, PROVIDERS, Platform};
use letterbox_tests::fixed;
use serde_json::json;
use tokio::runtime::Runtime;

type Failure = Box<dyn std::error::Error>;

/// Accepts everything, and keeps nothing.
struct Sink;

impl Queue for Sink {
    fn put<'a>(&'a self, _: &'a Message) -> Put<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// A provider's handler, and a delivery that it accepts.
struct Delivery {
    name: &'static str,
    handler: Box<dyn Handler>,
    request: Request,
}

impl Delivery {
    fn first(platform: &'static dyn Platform) -> Result<Self, Failure> {
        let facts = platform.facts();
        let sample = platform.sample(facts.first_sample).ok_or("no such sample")?;
        let keys = platform.keys(facts.demo)?;
        let source = keys.sources().into_iter().find(|source| *source == "default").ok_or("no source")?;
        let url = format!("https://localhost/{}", facts.name);
        let request = keys.first(source)?.build_request(&sample, &url, &fixed())?;
        let parts = HandlerParts {
            credentials: facts.demo,
            document: None,
            queue: Arc::new(Sink),
            ambient: Some(|| Ok(fixed())),
            fetches: false,
        };
        Ok(Self { name: facts.name, handler: platform.handler(parts)?, request })
    }
}

fn main() -> Result<(), Failure> {
    let deliveries = PROVIDERS.iter().map(|platform| Delivery::first(*platform));
    let deliveries = deliveries.collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match env::args().nth(1).as_deref() {
        Some("list") => deliveries.iter().for_each(|delivery| println!("{}", delivery.name)),
        Some("count") => {
            for delivery in &deliveries {
                // The first call fills what is made once.
                for _ in 0..2 {
                    if !measured(&runtime, delivery) {
                        return Err(format!("{}: the sample is not accepted", delivery.name).into());
                    }
                }
            }
        }
        Some("time") => {
            let subjects = deliveries.iter().map(|delivery| {
                Subject::new(delivery.name, || {
                    measured(&runtime, delivery);
                })
            });
            let measured = interleaved(number(2, 31), subjects.collect());
            let rows = measured.iter().map(|measured| {
                let (low, high) = measured.quartiles;
                json!({
                    "provider": measured.name,
                    "us": measured.median * 1e6,
                    "quartiles_us": [low * 1e6, high * 1e6],
                })
            });
            println!("{}", json!(rows.collect::<Vec<_>>()));
        }
        _ => return Err("expected list, count, or time [ROUNDS]".into()),
    }
    Ok(())
}

/// Handles one delivery; callgrind finds this function by its name.
#[inline(never)]
fn measured(runtime: &Runtime, delivery: &Delivery) -> bool {
    let answer = runtime.block_on(delivery.handler.handle("default", &delivery.request));
    matches!(answer.record.outcome, Outcome::Queued | Outcome::Answered)
}
