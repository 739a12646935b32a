//! Shared parts of the tests: the project's root, a fixed ambient, and the sample events.

pub mod cases;
pub mod doctor;
pub mod generate;
pub mod providers;
#[cfg(test)]
mod receiver;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use letterbox_codec::{Ambient, Timestamp};
use letterbox_intake::queue::memory::Memory;
use letterbox_registry::{Handler, HandlerParts, Platform};

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// 2026-11-21T10:00:00.123Z, and bytes that count up, so that every result is reproducible.
pub fn fixed() -> Ambient {
    let mut entropy = [0; Ambient::ENTROPY];
    for (byte, number) in entropy.iter_mut().zip(1..) {
        *byte = number;
    }
    Ambient { now: Timestamp(1_795_255_200_123), entropy }
}

/// The real handler of a provider over a queue in memory.
pub struct Setup {
    /// The handler.
    pub handler: Box<dyn Handler>,
    queue: Arc<Memory>,
}

impl Setup {
    /// A handler with the given credentials JSON and the fixed ambient.
    pub fn new(platform: &dyn Platform, credentials: &str) -> Result<Self, String> {
        Self::at(platform, credentials, || Ok(fixed()))
    }

    /// A handler with another clock.
    pub fn at(
        platform: &dyn Platform,
        credentials: &str,
        ambient: letterbox_intake::handler::AmbientSource,
    ) -> Result<Self, String> {
        let queue = Arc::new(Memory::default());
        let parts = HandlerParts {
            credentials,
            document: None,
            queue: queue.clone(),
            ambient: Some(ambient),
            fetches: false,
        };
        let handler = platform.handler(parts).map_err(|error| error.to_string())?;
        Ok(Self { handler, queue })
    }

    /// The queue.
    pub fn queue(&self) -> &Memory {
        &self.queue
    }
}

/// Runs one future to its end.
///
/// # Panics
/// If the system has no resources for a runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}
