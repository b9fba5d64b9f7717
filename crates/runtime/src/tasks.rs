//! Every task that the process runs, so that a stop can wait for them and a failure cannot go unseen.

use std::{
    any::Any,
    error::Error,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio_util::task::TaskTracker;

use crate::chain::error_chain;
use crate::shutdown::Shutdown;

/// Any error, for a task's end.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// How long tasks may take to let go after a hard stop, before the process leaves them behind.
const LETTING_GO: Duration = Duration::from_secs(5);

/// How the process should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a failed status has to become a non-zero exit"]
pub enum FinalStatus {
    /// Every task ended well.
    Clean,
    /// A task failed, panicked, or did not let go after a hard stop.
    Failed {
        /// The first task that failed; `None` if tasks were left behind.
        task: Option<&'static str>,
    },
}

/// What a task's future may return: nothing, or a result whose error stops the process.
pub trait TaskEnd {
    /// The error, if the task failed.
    fn failure(self) -> Option<BoxError>;
}

impl TaskEnd for () {
    fn failure(self) -> Option<BoxError> {
        None
    }
}

impl<E: Into<BoxError>> TaskEnd for Result<(), E> {
    fn failure(self) -> Option<BoxError> {
        self.err().map(Into::into)
    }
}

/// The process's long-running tasks; clones share them.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    shutdown: Shutdown,
    first_failed: Arc<OnceLock<&'static str>>,
}

impl Tasks {
    /// No task yet; one that fails will ask for `shutdown`.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { tracker: TaskTracker::new(), shutdown, first_failed: Arc::default() }
    }

    /// Runs `future` as a task. If it fails or panics, everything stops softly and the final status is failed.
    pub fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output: TaskEnd> + Send + 'static,
    {
        let tasks = self.clone();
        self.tracker.spawn(async move {
            let ended = AssertUnwindSafe(future).catch_unwind().await;
            match ended.map(TaskEnd::failure) {
                Ok(None) => tracing::debug!(task = name, "task ended"),
                Ok(Some(error)) => tasks.fail(name, &error_chain(error.as_ref())),
                Err(panic) => tasks.fail(name, panic_words(panic.as_ref())),
            }
        });
    }

    /// Runs `future` without anybody waiting for it; it dies with the runtime.
    #[expect(
        clippy::disallowed_methods,
        reason = "the signal listener has to outlive every task, so nothing may wait for it"
    )]
    pub(crate) fn spawn_unwatched(&self, future: impl Future<Output = ()> + Send + 'static) {
        debug_assert!(!self.tracker.is_closed(), "listen for signals before waiting for the end");
        drop(tokio::spawn(future));
    }

    /// Waits until every task has ended, or until they had their time after a hard stop.
    pub async fn close_and_wait(&self) -> FinalStatus {
        self.tracker.close();
        let out_of_patience = async {
            self.shutdown.hard.cancelled().await;
            tokio::time::sleep(LETTING_GO).await;
        };
        tokio::select! {
            biased;
            () = self.tracker.wait() => self.status(),
            () = out_of_patience => {
                tracing::error!(tasks = self.tracker.len(), "tasks did not let go, leaving them behind");
                FinalStatus::Failed { task: self.first_failed.get().copied() }
            }
        }
    }

    fn status(&self) -> FinalStatus {
        match self.first_failed.get() {
            None => FinalStatus::Clean,
            Some(task) => FinalStatus::Failed { task: Some(task) },
        }
    }

    fn fail(&self, name: &'static str, why: &str) {
        tracing::error!(task = name, error = why, "task failed, stopping the process");
        // Only the first failure is the cause; later ones are usually its consequences.
        let _ = self.first_failed.set(name);
        self.shutdown.stop();
    }
}

fn panic_words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panicked without words")
}
