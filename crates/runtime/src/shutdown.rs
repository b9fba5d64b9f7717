//! When to stop: politely first, then at once.

use std::{io, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;

/// The two stages of a stop; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take nothing new, finish what runs.
    pub soft: CancellationToken,
    /// Let go of everything now.
    pub hard: CancellationToken,
}

impl Shutdown {
    /// A shutdown that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everyone to finish what runs and to take nothing new.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// Asks everyone to let go now; a hard stop is always a soft one too.
    pub fn stop_now(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }
}

/// Listens for SIGTERM and SIGINT: the first stops softly, and a second one, or `grace` after a soft stop of any
/// origin, stops hard.
///
/// # Errors
/// When the operating system refuses the signal handlers; start-up should be given up then, because the process
/// could not be stopped gracefully.
pub fn listen_for_signals(shutdown: &Shutdown, tasks: &Tasks, grace: Duration) -> io::Result<()> {
    let signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    tasks.spawn_unwatched(escalate(shutdown.clone(), signals, grace));
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Turns signals and elapsed grace into the two stages.
async fn escalate(shutdown: Shutdown, mut signals: Signals, grace: Duration) {
    tokio::select! {
        () = signals.next() => tracing::info!(grace_secs = grace.as_secs(), "stop asked for, finishing what runs"),
        () = shutdown.soft.cancelled() => {}
    }
    shutdown.stop();
    tokio::select! {
        () = signals.next() => tracing::warn!("second stop asked for, letting go now"),
        () = tokio::time::sleep(grace) => tracing::warn!("grace period is over, letting go now"),
        () = shutdown.hard.cancelled() => {}
    }
    shutdown.stop_now();
}
