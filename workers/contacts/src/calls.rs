//! A call to a platform: it waits for the rate limit, has a token, and is repeated where that can help.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use letterbox_codec::Secret;
use letterbox_intake::ambient;
use letterbox_outbound::http::{Client, HttpError, Request, Response};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    codes::{Failure, Pause, Reaction},
    limiter::Limiter,
    tokens::{Token, Tokens},
    trouble::{Meaning, Trouble},
};

/// How often a call is sent, a repetition with another token not counted.
const ATTEMPTS: u32 = 4;

/// What sends requests: the HTTPS client.
pub trait Transport: Send + Sync {
    /// Sends a request, once.
    fn send(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, HttpError>> + Send + '_>>;
}

impl Transport for Client {
    fn send(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, HttpError>> + Send + '_>> {
        Box::pin(Self::send(self, request))
    }
}

/// Reads an answer.
pub type Read<T> = fn(&Response) -> Result<T, Failure>;

/// An application, and how it gets its token.
pub trait Application: Send + Sync {
    /// What identifies it among the tokens of the process.
    fn name(&self) -> &str;

    /// The request for a token.
    fn request_token(&self) -> Request;

    /// Reads the answer to it.
    fn read_token(&self, response: &Response) -> Result<Token, Failure>;
}

/// The calls of one run to one side of one corp.
pub struct Calls {
    transport: Arc<dyn Transport>,
    tokens: Arc<Tokens>,
    limiter: Mutex<Limiter>,
    /// One request for a token at a time.
    fetching: tokio::sync::Mutex<()>,
    started: Instant,
    /// No pause goes beyond the end of the run.
    ends: Instant,
}

impl Calls {
    /// Calls until `ends`.
    pub fn new(transport: Arc<dyn Transport>, tokens: Arc<Tokens>, limiter: Limiter, ends: Instant) -> Self {
        let limiter = Mutex::new(limiter);
        let fetching = tokio::sync::Mutex::new(());
        Self { transport, tokens, limiter, fetching, started: Instant::now(), ends }
    }

    /// One call of an API. `build` is given the token.
    pub async fn call<A: Application>(
        &self,
        application: &A,
        api: &'static str,
        build: &(dyn Fn(&Secret) -> Request + Send + Sync),
        read: Read<Value>,
    ) -> Result<Value, Trouble> {
        let trouble = |meaning, failure: Failure| {
            let Failure { code, message, .. } = failure;
            Trouble { meaning, code, message: format!("{api}: {message}") }
        };
        let token = self.token(application).await?;
        let failure = match self.repeated(api, &|| build(&token), &read).await {
            Err(failure) if failure.reaction == Reaction::Token => {
                self.tokens.forget(application.name(), &token);
                let token = self.token(application).await?;
                self.repeated(api, &|| build(&token), &read).await
            }
            done => done,
        };
        failure.map_err(|failure| match failure.reaction {
            Reaction::Final(meaning) | Reaction::Again(_, meaning) => trouble(meaning, failure),
            Reaction::Token => trouble(Meaning::Stop, failure),
        })
    }

    async fn token<A: Application>(&self, application: &A) -> Result<Secret, Trouble> {
        let _one = self.fetching.lock().await;
        if let Some(token) = self.tokens.get(application.name(), ambient::now()) {
            return Ok(token);
        }
        let read = |response: &Response| application.read_token(response);
        let token = self.repeated("token", &|| application.request_token(), &read).await;
        let token = token.map_err(|failure| {
            let meaning = match failure.reaction {
                Reaction::Final(meaning) | Reaction::Again(_, meaning) => meaning,
                Reaction::Token => Meaning::Stop,
            };
            Trouble { meaning, code: failure.code, message: format!("token: {}", failure.message) }
        })?;
        self.tokens.set(application.name(), token.clone());
        Ok(token.secret)
    }

    /// Sends a request, and again while its failure is temporary.
    async fn repeated<T>(
        &self,
        api: &'static str,
        build: &(dyn Fn() -> Request + Send + Sync),
        read: &(dyn Fn(&Response) -> Result<T, Failure> + Send + Sync),
    ) -> Result<T, Failure> {
        let mut attempt = 1;
        loop {
            self.keep_to_limits(api).await;
            let failure = match self.transport.send(build()).await {
                Ok(response) => match read(&response) {
                    Ok(found) => return Ok(found),
                    Err(failure) => failure,
                },
                Err(error) => Failure::new(Reaction::Again(Pause::Short, Meaning::Retry), error.to_string()),
            };
            let Reaction::Again(pause, _) = failure.reaction else { return Err(failure) };
            let length = length(pause, attempt, jitter());
            if attempt >= ATTEMPTS || Instant::now() + length >= self.ends {
                return Err(failure);
            }
            if pause != Pause::Short {
                self.limiter(|limiter, now| limiter.hold(api, now.saturating_add(length)));
            }
            sleep(length).await;
            attempt = attempt.saturating_add(1);
        }
    }

    async fn keep_to_limits(&self, api: &'static str) {
        let wait = self.limiter(|limiter, now| limiter.take(api, now));
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    fn limiter<T>(&self, act: impl FnOnce(&mut Limiter, Duration) -> T) -> T {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut limiter, self.started.elapsed())
    }
}

/// The length of the pause after an attempt, from 1 on: it doubles, and the jitter adds up to one half.
fn length(pause: Pause, attempt: u32, jitter: u8) -> Duration {
    let first = Duration::from_millis(match pause {
        Pause::Short => 200,
        Pause::Second => 1000,
        Pause::Minute => 20_000,
    });
    let doubled = first.saturating_mul(1 << attempt.saturating_sub(1).min(8));
    let added = doubled.saturating_mul(u32::from(jitter)).checked_div(512).unwrap_or_default();
    doubled.saturating_add(added)
}

/// A random byte; without entropy there is no jitter.
fn jitter() -> u8 {
    ambient::system().map_or(0, |ambient| ambient.entropy.first().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests;
