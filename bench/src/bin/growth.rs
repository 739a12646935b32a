//! How the time of a delivery, and of reading the configuration at start, grows with payload, sources, catalogue and
//! presets. `growth [ROUNDS]` prints JSON: microseconds for each size.

use std::{fmt::Write, fs, hint::black_box, sync::Arc};

use letterbox_bench::{Subject, interleaved, number};
use letterbox_codec::{Request, platform::Sample};
use letterbox_intake::{Message, Outcome, Queue, Record, queue::Put};
use letterbox_registry::{Handler, HandlerParts, Platform, find};
use letterbox_tests::{fixed, root};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

type Failure = Box<dyn std::error::Error>;

/// Accepts everything, as a queue with a bucket for large events does.
struct Sink;

impl Queue for Sink {
    fn largest(&self) -> usize {
        usize::MAX
    }

    fn put<'a>(&'a self, _: &'a Message) -> Put<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// One size of something, with a handler, a delivery to it, and what the start does.
struct Case {
    size: usize,
    source: String,
    handler: Box<dyn Handler>,
    request: Request,
    start: Box<dyn Fn()>,
}

impl Case {
    fn new(
        size: usize,
        platform: &'static dyn Platform,
        credentials: String,
        document: Option<Vec<u8>>,
        (source, sample): (&str, Sample),
    ) -> Result<Self, Failure> {
        let name = platform.facts().name;
        let keys = platform.keys(&credentials)?;
        let request =
            keys.first(source)?.build_request(&sample, &format!("https://localhost/{name}"), &fixed())?;
        let create = move || {
            platform.handler(HandlerParts {
                credentials: &credentials,
                document: document.as_deref().map(|content| ("cards.json", content)),
                queue: Arc::new(Sink),
                ambient: Some(|| Ok(fixed())),
                fetches: false,
            })
        };
        let handler = create()?;
        let start = Box::new(move || {
            black_box(create().is_ok());
        });
        Ok(Self { size, source: source.to_owned(), handler, request, start })
    }

    fn handle(&self, runtime: &Runtime) -> Record {
        runtime.block_on(self.handler.handle(&self.source, &self.request)).record
    }
}

fn main() -> Result<(), Failure> {
    let rounds = number(1, 15);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut results = serde_json::Map::new();
    for (what, cases) in [
        ("payload in bytes", payload()?),
        ("sources", sources()?),
        ("entries of the card catalogue", catalogue()?),
        ("presets in use", presets()?),
    ] {
        for case in &cases {
            let record = case.handle(&runtime);
            if !matches!(record.outcome, Outcome::Queued | Outcome::Answered) {
                return Err(format!("{what}, {}: {:?} {:?}", case.size, record.reason, record.detail).into());
            }
        }
        let handled = cases.iter().map(|case| {
            Subject::new("handle", || {
                black_box(case.handle(&runtime));
            })
        });
        let handled = interleaved(rounds, handled.collect());
        let started = cases.iter().map(|case| Subject::new("start", || (case.start)()));
        let started = interleaved(rounds.div_ceil(3), started.collect());
        let rows = cases.iter().zip(handled.iter().zip(&started)).map(|(case, (handled, started))| {
            json!({
                "size": case.size,
                "delivery_us": handled.median * 1e6,
                "delivery_quartiles_us": [handled.quartiles.0 * 1e6, handled.quartiles.1 * 1e6],
                "start_us": started.median * 1e6,
            })
        });
        results.insert(what.to_owned(), rows.collect::<Vec<_>>().into());
    }
    println!("{}", Value::Object(results));
    Ok(())
}

/// A list of commits of about the size. Beyond the limit of `github`, the function `signed` receives it, which has none below
/// that of an invocation.
fn payload() -> Result<Vec<Case>, Failure> {
    let (github, signed) = (find("github")?, find("signed")?);
    let push: Value = serde_json::from_slice(&github.sample("push").ok_or("no sample push")?.payload)?;
    let of_signed = signed.samples().into_iter().find(|sample| sample.name.starts_with("paystack/"));
    let of_signed = of_signed.ok_or("no sample of paystack")?;
    let sizes = [1 << 10, 1 << 13, 1 << 16, 1 << 19, 1 << 20, 6 << 20];
    let case = |size: usize| {
        let is_large = size >= 1 << 20;
        let mut payload = if is_large { serde_json::from_slice(&of_signed.payload)? } else { push.clone() };
        let commits = (0..size / 52).map(|number| json!({ "id": number, "message": "a commit of ours" }));
        payload["commits"] = commits.collect::<Vec<_>>().into();
        let payload = payload.to_string().into_bytes();
        if is_large {
            let sample = Sample { payload, ..of_signed.clone() };
            return Case::new(size, signed, signed.facts().demo.to_owned(), None, ("paystack", sample));
        }
        let sample = Sample { name: "push".into(), payload };
        Case::new(size, github, github.facts().demo.to_owned(), None, ("default", sample))
    };
    sizes.into_iter().map(case).collect()
}

fn sources() -> Result<Vec<Case>, Failure> {
    let platform = find("github")?;
    [1, 10, 100, 1000, 10_000]
        .into_iter()
        .map(|size| {
            let entries = (0..size)
                .map(|number| (format!("source-{number}"), json!({ "secret": format!("s{number}") })));
            let credentials = Value::Object(entries.collect()).to_string();
            let sample = platform.sample("push").ok_or("no sample push")?;
            Case::new(size, platform, credentials, None, (&format!("source-{}", size - 1), sample))
        })
        .collect()
}

fn catalogue() -> Result<Vec<Case>, Failure> {
    let platform = find("opencard")?;
    let facts = platform.facts();
    let built_in: Value = serde_json::from_slice(&fs::read(root().join("functions/opencard/cards.json"))?)?;
    let of_one = built_in.as_object().and_then(|sources| sources.values().next()).ok_or("no cards")?;
    [1, 10, 100, 1000, 10_000, 100_000]
        .into_iter()
        .map(|size| {
            let mut cards = built_in.clone();
            for number in 0..size {
                cards[format!("9{number:06}")] = of_one.clone();
            }
            let sample = platform.sample(facts.first_sample).ok_or("no sample")?;
            let document = Some(cards.to_string().into_bytes());
            Case::new(size, platform, facts.demo.to_owned(), document, ("default", sample))
        })
        .collect()
}

fn presets() -> Result<Vec<Case>, Failure> {
    let platform = find("signed")?;
    let demo: Value = serde_json::from_str(platform.facts().demo)?;
    let demo = demo.as_object().ok_or("no demo")?;
    let (name, entry) = demo.iter().find(|(name, _)| *name == "shopify").ok_or("no source shopify")?;
    let sample = platform.samples().into_iter().find(|sample| sample.name.starts_with("shopify/"));
    let sample = sample.ok_or("no sample of shopify")?;
    [1, 10, 30, demo.len()]
        .into_iter()
        .map(|size| {
            let others = demo.iter().filter(|(other, _)| *other != name).take(size.saturating_sub(1));
            let mut chosen: serde_json::Map<_, _> =
                others.map(|(name, entry)| (name.clone(), entry.clone())).collect();
            chosen.insert(name.clone(), entry.clone());
            let mut label = String::new();
            write!(label, "{name}")?;
            Case::new(size, platform, Value::Object(chosen).to_string(), None, (&label, sample.clone()))
        })
        .collect()
}
