use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::future::BoxFuture;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::StoreError;
use stallkeeper_runtime::{Backoff, WallClock, sleep_or_cancelled};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::MeteringConfig;

/// How often a transaction is tried.
const TRIES_MAX: usize = 8;
/// How long to rest at least before something that is due by time.
const REST_MIN: Duration = Duration::from_millis(20);

/// What one bounded step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// How many meters were looked at, or records sent.
    pub done: usize,
    /// When to come again.
    pub next: Next,
}

/// When a step is to be taken again; in any case once something new is said to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: there is more to do.
    Now,
    /// At that business time.
    At(Timestamp),
    /// Nothing happens by time.
    Idle,
    /// Not before so much run time has passed: something is in trouble.
    After(Duration),
}

impl Next {
    /// The earlier of two times.
    pub(crate) fn at(times: impl IntoIterator<Item = Option<Timestamp>>) -> Self {
        times.into_iter().flatten().min().map_or(Self::Idle, Self::At)
    }

    /// Sleeps until then, until news come, or for as long as `config` lets anyone sleep.
    pub(crate) async fn wait(
        self,
        clock: &dyn WallClock,
        news: &Notify,
        config: &MeteringConfig,
        stop: &CancellationToken,
    ) {
        let rest = match self {
            Self::Now => return,
            // Trouble is not shortened by news.
            Self::After(delay) => {
                let _stopped = sleep_or_cancelled(stop, delay).await;
                return;
            }
            Self::Idle => config.poll,
            Self::At(time) => {
                let now = Timestamp::from(clock.now());
                // What is due and was not done is locked by another worker, or held.
                if time <= now { config.poll } else { time.since(now).clamp(REST_MIN, config.poll) }
            }
        };
        tokio::select! {
            _stopped = sleep_or_cancelled(stop, rest) => {}
            () = news.notified() => {}
        }
    }
}

/// Runs a transaction again that others were in the way of, a bounded number of times.
pub(crate) async fn despite_conflicts<'a, T>(
    config: &MeteringConfig,
    transaction: impl FnMut() -> BoxFuture<'a, Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    again(config, |error| matches!(error, StoreError::Conflict(_)), transaction).await
}

/// Runs a transaction again that can be run twice, also where it is unknown whether it was done.
pub(crate) async fn despite_outages<'a, T>(
    config: &MeteringConfig,
    transaction: impl FnMut() -> BoxFuture<'a, Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    let may_pass = |error: &StoreError| matches!(error, StoreError::Conflict(_) | StoreError::Unavailable(_));
    again(config, may_pass, transaction).await
}

async fn again<'a, T>(
    config: &MeteringConfig,
    may_pass: impl Fn(&StoreError) -> bool + Send,
    mut transaction: impl FnMut() -> BoxFuture<'a, Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    let mut backoff = Backoff::new(config.retry_base / 25, config.retry_cap / 25);
    for _ in 1..TRIES_MAX {
        match transaction().await {
            Err(error) if may_pass(&error) => tokio::time::sleep(backoff.next_delay()).await,
            other => return other,
        }
    }
    transaction().await
}

/// Takes steps until `stop`, each when the one before says so.
pub(crate) async fn keep_stepping<'a>(
    what: &str,
    clock: &dyn WallClock,
    news: &Notify,
    config: &MeteringConfig,
    stop: &CancellationToken,
    mut take: impl FnMut() -> BoxFuture<'a, Result<Stepped, StoreError>> + Send,
) {
    let mut backoff = Backoff::new(config.retry_base, config.retry_cap);
    while !stop.is_cancelled() {
        match take().await {
            Ok(stepped) => {
                backoff.reset();
                stepped.next.wait(clock, news, config, stop).await;
            }
            Err(error) => {
                let delay = backoff.next_delay();
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    ?delay,
                    "{what} does not get on with the database, will try again"
                );
                if sleep_or_cancelled(stop, delay).await == ControlFlow::Break(()) {
                    return;
                }
            }
        }
    }
}
