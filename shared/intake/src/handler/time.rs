//! How the time of one delivery is divided.

use std::time::Duration;

use tokio::time::Instant;

use crate::archive;

/// Reserved at the end of the deadline for building the response after the queue call returns or times out.
const FOR_THE_RESPONSE: Duration = Duration::from_millis(50);

/// What a correction of the archive leaves of that.
const AFTER_A_CORRECTION: Duration = Duration::from_millis(20);

/// The time of one delivery.
#[derive(Clone, Copy)]
pub(super) struct Time {
    started: Instant,
    pub deadline: Duration,
}

impl Time {
    pub fn new(started: Instant, deadline: Duration) -> Self {
        Self { started, deadline }
    }

    /// What is left until the response must be built.
    pub fn remaining(self) -> Duration {
        self.until(FOR_THE_RESPONSE)
    }

    /// The longest that this delivery waits for the archive.
    pub fn for_the_archive(self) -> Duration {
        archive::limit(self.deadline).min(self.remaining())
    }

    /// The same after the queue call, which may have taken all of the time.
    pub fn for_a_correction(self) -> Duration {
        archive::limit(self.deadline).min(self.until(AFTER_A_CORRECTION))
    }

    fn until(self, reserved: Duration) -> Duration {
        self.deadline.saturating_sub(self.started.elapsed()).saturating_sub(reserved)
    }
}
