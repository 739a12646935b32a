//! A Lambda function's `main`.

use std::{fs, path::Path, process::ExitCode, sync::Arc};

use aws_config::SdkConfig;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use letterbox_codec::{Provider, provider::Document};
use serde_json::value::RawValue;

use crate::{
    Answer, Intake, Keyring, Sources, aws, gateway, keyring, log,
    queue::{Trace, sqs::Sqs},
    settings::{CredentialsFrom, Settings, StartError},
};

/// Starts the provider's function and serves it until the runtime ends. What keeps it from starting is logged.
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

/// Set by every runtime that a function can run in; without it the runtime's client would panic.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

async fn serve<P: Provider>() -> Result<(), String> {
    let settings = Settings::read::<P>(|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    let provider = provider::<P>(settings.document.as_deref()).map_err(|error| error.to_string())?;
    let config = aws::config().await;
    let keyring = keyring(&settings, &config).await.map_err(|error| error.to_string())?;
    if std::env::var_os(RUNTIME_API).is_none() {
        return Err(format!(
            "{RUNTIME_API} is not set: this is a Lambda function; run it with `cargo lambda watch`, or all of them with `cargo run -- serve`"
        ));
    }
    let queue = Sqs::connect(&config, settings.queue_url, settings.deadline).await;
    let intake = Arc::new(Intake::new(provider, keyring, queue, settings.deadline));
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let intake = Arc::clone(&intake);
        async move {
            let LambdaEvent { payload, context } = event;
            let Answer { response, record } =
                match gateway::read(&payload).and_then(|event| gateway::request(P::NAME, event)) {
                    Ok((source, mut request)) => {
                        if let Some(trace) = context.xray_trace_id {
                            request.extensions_mut().insert(Trace(trace));
                        }
                        intake.handle(&source, &request).await
                    }
                    Err(reject) => intake.refuse(&reject),
                };
            log::delivery(&record);
            Ok::<_, std::convert::Infallible>(gateway::response(response))
        }
    });
    lambda_runtime::run(service).await.map_err(|error| error.to_string())
}

/// Loads the credentials from where the settings say. A delivery waits for newer ones for a third of its time at most.
async fn keyring<C: serde::de::DeserializeOwned>(
    settings: &Settings,
    config: &SdkConfig,
) -> Result<Keyring<C>, StartError> {
    match &settings.credentials {
        CredentialsFrom::Inline(json) => {
            let sources =
                Sources::parse(json.expose()).map_err(|error| StartError(format!("CREDENTIALS: {error}")))?;
            Ok(Keyring::fixed(sources))
        }
        CredentialsFrom::Secret(id) => {
            let fetch = keyring::secrets_manager(config, id.clone());
            Keyring::renewed(fetch, settings.credentials_max_age, settings.deadline / 3)
                .await
                .map_err(|error| StartError(format!("CREDENTIALS_SECRET: {id}: {error}")))
        }
    }
}

/// Builds the provider from its document: where the operator says, else beside the binary, else the sample.
fn provider<P: Provider>(configured: Option<&Path>) -> Result<P, StartError> {
    let Some(Document { variable, file, sample }) = P::DOCUMENT else {
        return P::new(&[]).map_err(StartError);
    };
    let beside = std::env::current_exe().ok().and_then(|binary| Some(binary.parent()?.join(file)));
    let path = configured.map(Path::to_path_buf).or(beside.filter(|path| path.exists()));
    let Some(path) = path else {
        tracing::warn!(
            "{variable} is not set and there is no {file} beside the binary: answering from the sample"
        );
        return P::new(sample).map_err(StartError);
    };
    let place = path.display();
    let bytes = fs::read(&path).map_err(|error| StartError(format!("{variable}: {place}: {error}")))?;
    P::new(&bytes).map_err(|error| StartError(format!("{variable}: {place}: {error}")))
}
