//! The progress of long work, on standard error of a terminal.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::stack::archive;

/// A spinner with a message, or a bar; nothing if standard error is no terminal.
pub struct Shown(ProgressBar);

impl Shown {
    /// A spinner.
    pub fn spinner() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// A bar of `length` steps.
    pub fn bar(length: u64) -> Self {
        let bar = ProgressBar::new(length);
        // The template is a constant, and a bar without it is one as well.
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len}  {per_sec}  {eta} left{msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Nothing, for output that programs read.
    pub fn hidden() -> Self {
        Self(ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()))
    }

    /// Sets how many steps are done.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Says how far the archive has been read.
    pub fn reading(&self, progress: &archive::Progress) {
        if self.0.is_hidden() {
            return;
        }
        let at = progress.at.map(|time| time.to_string()).unwrap_or_default();
        let at = at.get(..16).unwrap_or_default().replace('T', " ");
        let archive::Progress { records, objects, bytes, .. } = progress;
        self.0.set_message(format!("{at}  {records} records in {objects} objects, {} MB", bytes / 1_000_000));
    }

    /// Writes something else to the terminal.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        // Only a terminal shows both.
        if self.0.is_hidden() || !std::io::stdout().is_terminal() { write() } else { self.0.suspend(write) }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
