//! Pausing a poller by hand.

use tokio::sync::watch;

/// Pauses and resumes a poller; clones share it.
///
/// A paused poller starts no receive; one that runs is waited for, and what it returns is still handled.
#[derive(Clone, Debug)]
pub struct PollerControl {
    paused: watch::Sender<bool>,
}

impl PollerControl {
    pub(crate) fn new() -> Self {
        Self { paused: watch::Sender::new(false) }
    }

    /// Receives nothing new from now on.
    pub fn pause(&self) {
        self.set(true);
    }

    /// Receives again.
    pub fn resume(&self) {
        self.set(false);
    }

    /// Whether the poller is paused.
    pub fn is_paused(&self) -> bool {
        *self.paused.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.paused.subscribe()
    }

    fn set(&self, paused: bool) {
        self.paused.send_if_modified(|was| std::mem::replace(was, paused) != paused);
    }
}
