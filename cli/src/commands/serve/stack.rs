//! `letterbox serve --stack`: the page over the archive of a deployed stack.

use axum::Router;
use http::StatusCode;
use letterbox_codec::Secret;
use tokio::{sync::watch, time::Instant};

use super::{
    args::Serve,
    server::{EndSignals, GRACE, generated_token, guard, listen, rest, runtime, serve_until_signal},
};
use crate::{
    commands::CommandError,
    local::{
        console::Console,
        page::archive::{self, PageContext, Target},
        response::error,
    },
    stack::{self, Account, AwsError, archive::Archive},
    terminal::printable,
};

/// Serves the page until Ctrl-C or SIGTERM.
pub fn run(name: &str, args: &Serve) -> Result<(), CommandError> {
    let runtime = runtime()?;
    let console = Console::start();
    let served = runtime.block_on(serve(name, args, &console));
    let end = served.as_ref().map_or_else(|_| Instant::now(), |signalled| *signalled) + GRACE;
    runtime.shutdown_timeout(rest(end));
    served?;
    console.print("letterbox: ended\n".to_owned());
    console.flush(rest(end));
    Ok(())
}

/// Returns the time of the signal.
async fn serve(name: &str, args: &Serve, console: &Console) -> Result<Instant, CommandError> {
    let account = Account::find(&args.stack.aws).await.map_err(command_error)?;
    let stack = stack::read(&account, name).await.map_err(command_error)?;
    let archive = Archive::of(&account, &stack).ok_or_else(|| {
        CommandError::Usage(format!(
            "the stack {name} has no archive: deploy it with a template that has one, and with ArchiveDays above 0"
        ))
    })?;
    let (listener, url) = listen(args).await?;
    let generated = generated_token(args)?;
    let signals = EndSignals::listen()?;
    console.print(banner(name, &account.region, archive.bucket(), &url, generated.as_ref()));
    let (end, ending) = watch::channel(false);
    let target = Target { account, stack, archive, aws: args.stack.aws.clone() };
    let context = PageContext { target, ending: ending.clone() };
    let routes = Router::new()
        .fallback(|| async {
            error(StatusCode::NOT_FOUND, "no such route: with --stack, this server only shows the page")
        })
        .merge(archive::router(context, guard(args, generated)));
    serve_until_signal(listener, routes, signals, end, ending).await
}

fn command_error(error: AwsError) -> CommandError {
    match error {
        AwsError::NoRegion | AwsError::NoStack { .. } => CommandError::usage(error),
        _ => CommandError::failed(error),
    }
}

/// The text at start. Shows the token only if the server generated it.
fn banner(name: &str, region: &str, bucket: &str, url: &str, generated: Option<&Secret>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("letterbox {version} on {url}, the archive of the stack {name} in {region}\n");
    text += &format!("read from the bucket {bucket}, which lags by a minute or more\n");
    let token = generated.map(|token| format!("?token={}", token.expose())).unwrap_or_default();
    text += &format!("deliveries of the stack: {url}/{token}\n\nEnd: Ctrl-C.\n\n");
    text.lines().map(|line| printable(line) + "\n").collect()
}
