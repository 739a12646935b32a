//! What goes on during a test.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Does something again and again until it is dropped.
pub struct Repeating(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Repeating {
    pub fn start(mut act: impl FnMut() + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                act();
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self(is_over, Some(thread))
    }
}

impl Drop for Repeating {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap();
    }
}
