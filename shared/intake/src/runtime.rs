//! A Lambda function's `main`.

use std::{
    fs,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_config::SdkConfig;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use letterbox_codec::{Provider, Sources, credentials::FromEntry, provider::Document};
use serde_json::value::RawValue;

use crate::{
    Answer, Fetcher, Intake, Keyring, Record, Refreshed, ambient,
    archive::{Archivist, firehose::Firehose},
    aws,
    gateway::{self, Payload},
    handler::Circumstances,
    invocation::Invocation,
    log, origin,
    queue::{Trace, sqs::Sqs},
    replay::{Marker, Verdict},
    settings::{ArchiveIn, CredentialsFrom, DocumentFrom, Settings, StartError},
};

/// Runs the provider's function until the runtime ends. An error at start is logged and gives a failure exit code.
pub fn run<P: Provider>() -> ExitCode {
    log::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served =
        runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(serve::<P>()));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(provider = P::NAME, detail = error, "cannot start");
            ExitCode::FAILURE
        }
    }
}

/// Set by Lambda and its local substitutes; without it the runtime's client would panic.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

async fn serve<P: Provider>() -> Result<(), String> {
    let settings = Settings::read::<P>(|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    let config = aws::config().await;
    let archive = settings.archive.clone().map(|ArchiveIn { stream, refused_per_minute }| {
        let firehose = Firehose::connect(&config, stream, settings.deadline);
        Archivist::new(Arc::new(firehose), refused_per_minute)
    });
    // Concurrently, since each waits for another service and a delivery is waiting for the start.
    let (provider, keyring, queue) = tokio::join!(
        provider::<P>(&settings, &config),
        keyring(&settings, &config),
        Sqs::connect(&config, settings.queue_url.clone(), settings.oversize.clone(), settings.deadline)
    );
    let provider = provider.map_err(|error| error.to_string())?;
    let keyring = keyring.map_err(|error| error.to_string())?;
    if std::env::var_os(RUNTIME_API).is_none() {
        return Err(format!(
            "{RUNTIME_API} is not set: this binary is a Lambda function; start it with `cargo lambda watch`, or run all functions with `letterbox serve`"
        ));
    }
    let intake = Intake::new(provider, keyring, Arc::new(queue), settings.deadline);
    let intake = if P::FETCHES { intake.with_fetcher(Fetcher::https()) } else { intake };
    let intake = Arc::new(match archive {
        Some(archive) => intake.with_archive(archive),
        None => intake,
    });
    let namespace: Arc<str> = settings.metrics_namespace.into();
    let first = Arc::new(AtomicBool::new(true));
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let (intake, namespace, first) = (Arc::clone(&intake), Arc::clone(&namespace), Arc::clone(&first));
        async move {
            let LambdaEvent { payload, context } = event;
            let mut invocation = Invocation {
                request_id: context.request_id,
                trace: context.xray_trace_id,
                cold_start: first.swap(false, Ordering::Relaxed),
                ..Invocation::default()
            };
            let Replied { response, record } = reply(&intake, &payload, &mut invocation).await;
            log::delivery(&record, &invocation, &namespace);
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    lambda_runtime::run(service).await.map_err(|error| error.to_string())
}

/// The response to an invocation, and the record of its delivery.
struct Replied {
    response: gateway::Answered,
    record: Record,
}

/// Handles the payload of one invocation.
async fn reply<P: Provider>(intake: &Intake<P>, payload: &RawValue, invocation: &mut Invocation) -> Replied {
    let Payload { event, marker } = Payload::read(payload);
    let is_replay = marker.is_some();
    let received = event.as_ref().ok().and_then(gateway::received);
    let marker = marker.map(|marker| Marker::read(&marker, ambient::now())).transpose();
    let delivery = marker.and_then(|marker| Ok((marker, gateway::request(P::NAME, event?)?)));
    let Answer { response, mut record, .. } = match delivery {
        Ok((replay, (source, mut request))) => {
            if let Some(trace) = &invocation.trace {
                request.extensions_mut().insert(Trace(trace.clone()));
            }
            intake.handle_invocation(&source, &request, Circumstances { event: Some(payload), replay }).await
        }
        Err(reject) => intake.refuse("", &reject),
    };
    record.replayed = is_replay;
    if !is_replay {
        invocation.milliseconds = received.and_then(gateway::milliseconds_since);
    }
    let verdict = is_replay.then(|| Verdict::from(&record));
    Replied { response: gateway::response(response, verdict), record }
}

/// Loads the credentials from the configured place. A delivery waits for a refresh at most a third of the deadline.
async fn keyring<C: FromEntry>(settings: &Settings, config: &SdkConfig) -> Result<Keyring<C>, StartError> {
    match &settings.credentials {
        CredentialsFrom::Inline(json) => match Sources::parse(json.expose()) {
            Ok(sources) => Ok(Keyring::fixed(sources)),
            Err(error) => Err(StartError::Credentials { place: "CREDENTIALS", error }),
        },
        CredentialsFrom::Secret(id) => {
            let read = origin::secret(config, id.clone());
            let parse = |json: &[u8]| Sources::read(json).map_err(|error| error.to_string());
            Keyring::start(read, parse, settings.credentials_max_age, settings.deadline / 3).await.map_err(
                |error| StartError::Content { variable: "CREDENTIALS_SECRET", place: id.clone(), error },
            )
        }
    }
}

/// Creates the provider from its document: the configured one, else the file next to the binary, else the sample.
async fn provider<P: Provider>(settings: &Settings, config: &SdkConfig) -> Result<Refreshed<P>, StartError> {
    let built_in = |error| StartError::Document { place: P::NAME.to_owned(), error };
    let Some(Document { variable, file, sample, .. }) = P::DOCUMENT else {
        return P::new(&[]).map(Refreshed::fixed).map_err(built_in);
    };
    let error = |place: &dyn std::fmt::Display, error: String| StartError::Content {
        variable,
        place: place.to_string(),
        error,
    };
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join(file)).filter(|path| path.exists());
    let path = match &settings.document {
        Some(DocumentFrom::S3 { object, max_age }) => {
            let read = origin::object(config, object.clone());
            let started = Refreshed::start(read, P::new, *max_age, settings.deadline / 3).await;
            return started.map_err(|text| error(object, text));
        }
        Some(DocumentFrom::File(path)) => Some(path.clone()),
        None => beside(),
    };
    let Some(path) = path else {
        tracing::warn!("{variable} is not set and there is no {file} next to the binary: using the sample");
        return P::new(sample).map(Refreshed::fixed).map_err(built_in);
    };
    let bytes = fs::read(&path).map_err(|text| error(&path.display(), text.to_string()))?;
    P::new(&bytes).map(Refreshed::fixed).map_err(|text| error(&path.display(), text))
}
