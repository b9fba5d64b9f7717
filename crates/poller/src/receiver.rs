//! Receives: never without permits, never dropped midway, never faster than the queue allows.

use std::sync::Arc;

use stallkeeper_runtime::Shutdown;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{JoinError, JoinSet},
    time::{Duration, Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::PollerConfig, dispatcher::Dispatcher, error::QueueError, health::HealthState,
    metrics::PollerMetrics, pace::Pace, queue::Queue,
};

/// How long a nearly full poller waits for more permits, so that it does not fetch messages one by one.
const GATHER_PERMITS: Duration = Duration::from_millis(5);

/// What every receive needs.
pub(crate) struct Source {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) health: Arc<HealthState>,
    pub(crate) metrics: PollerMetrics,
    pub(crate) config: PollerConfig,
    /// A soft stop, or a fault of this poller.
    pub(crate) stop: CancellationToken,
    /// The grace of the receives that run at a stop is over.
    pub(crate) cut: CancellationToken,
}

/// Decides when to receive; the receives themselves run as tasks of their own.
pub(crate) struct Receiver {
    source: Arc<Source>,
    permits: Arc<Semaphore>,
    pace: Pace,
    running: JoinSet<Received>,
}

#[derive(Clone, Copy)]
enum Received {
    Messages { asked: usize, got: usize },
    Failed,
    Cut,
}

impl Receiver {
    pub(crate) fn new(source: Source) -> Self {
        let config = &source.config;
        Self {
            permits: Arc::new(Semaphore::new(config.permits)),
            pace: Pace::new(config.max_receivers, config.pause_base, config.pause_cap),
            running: JoinSet::new(),
            source: Arc::new(source),
        }
    }

    /// Receives until a soft stop, then lets the last receives end.
    ///
    /// # Errors
    /// When the queue's code panicked.
    pub(crate) async fn run(
        mut self,
        mut paused: watch::Receiver<bool>,
        shutdown: &Shutdown,
    ) -> Result<(), JoinError> {
        let fault = self.receive_until_stopped(&mut paused).await;
        self.source.stop.cancel();
        let fault_at_the_end = self.end_receives(shutdown).await;
        fault.and(fault_at_the_end)
    }

    async fn receive_until_stopped(&mut self, paused: &mut watch::Receiver<bool>) -> Result<(), JoinError> {
        let stop = self.source.stop.clone();
        let at_once = self.source.config.receive_max();
        loop {
            let may_start =
                self.pace.allows_one_more_than(self.running.len()) && !*paused.borrow_and_update();
            let resume_at = self.pace.resume_at();
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(ended) = self.running.join_next() => self.learn(ended?),
                Ok(()) = paused.changed() => {}
                () = sleep_until(resume_at.unwrap_or_else(Instant::now)), if resume_at.is_some() => {
                    self.pace.resume();
                }
                permits = gather(&self.permits, at_once), if may_start => {
                    self.running.spawn(receive(Arc::clone(&self.source), permits));
                }
            }
        }
    }

    fn learn(&mut self, received: Received) {
        match received {
            Received::Messages { asked, got } => self.pace.received(asked, got),
            Received::Failed => self.pace.failed(Instant::now()),
            Received::Cut => {}
        }
    }

    /// Gives the receives that run their grace, then cuts them.
    async fn end_receives(&mut self, shutdown: &Shutdown) -> Result<(), JoinError> {
        let cut = self.source.cut.clone();
        let grace = self.source.config.receive_grace;
        let out_of_grace = async {
            tokio::select! {
                () = sleep(grace) => {}
                () = shutdown.hard.cancelled() => {}
            }
            cut.cancel();
            std::future::pending::<()>().await;
        };
        let all_ended = async {
            let mut result = Ok(());
            while let Some(ended) = self.running.join_next().await {
                result = result.and(ended.map(drop));
            }
            result
        };
        tokio::select! {
            biased;
            result = all_ended => result,
            () = out_of_grace => Ok(()),
        }
    }
}

/// At least one permit, as many as are free up to `at_once`. Cancelling gives everything back.
async fn gather(permits: &Arc<Semaphore>, at_once: usize) -> OwnedSemaphorePermit {
    let mut held = acquire(permits, 1).await;
    let wanted = at_once.saturating_sub(1);
    if permits.available_permits() < wanted
        && let Ok(more) = timeout(GATHER_PERMITS, acquire(permits, wanted)).await
    {
        held.merge(more);
        return held;
    }
    let free = permits.available_permits().min(wanted);
    if let Ok(more) = Arc::clone(permits).try_acquire_many_owned(as_permits(free)) {
        held.merge(more);
    }
    held
}

#[expect(
    clippy::expect_used,
    reason = "the semaphore lives and dies with its receiver, and nobody closes it"
)]
async fn acquire(permits: &Arc<Semaphore>, count: usize) -> OwnedSemaphorePermit {
    let count = as_permits(count);
    Arc::clone(permits).acquire_many_owned(count).await.expect("an open semaphore")
}

/// Counts are at most ten.
fn as_permits(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

async fn receive(source: Arc<Source>, permits: OwnedSemaphorePermit) -> Received {
    let asked = permits.num_permits();
    let config = &source.config;
    // Until the queue is known to work the question is whether it answers, and that should not take a long poll.
    let wait = if source.health.is_working() { config.long_poll } else { Duration::ZERO };
    let since = Instant::now();
    let answer = tokio::select! {
        biased;
        answer = source.queue.receive(asked, wait, config.visibility) => answer,
        () = source.cut.cancelled() => {
            tracing::info!("last receive cut short, what it was given reappears after its time-out");
            return Received::Cut;
        }
    };
    let messages = match answer {
        Ok(messages) => messages,
        Err(error) => {
            source.report(&error);
            return Received::Failed;
        }
    };
    let got = messages.len();
    if let Some(was) = source.health.received(got) {
        tracing::info!(was = was.as_str(), "queue works again");
    }
    if source.stop.is_cancelled() {
        source.dispatcher.give_back(messages).await;
    } else {
        source.dispatcher.accept(messages, permits, since);
    }
    Received::Messages { asked, got }
}

impl Source {
    fn report(&self, error: &QueueError) {
        self.metrics.receive_error(error.kind());
        if self.health.failed(error) {
            tracing::error!(
                kind = error.kind().as_str(),
                error = error.chain(),
                remedy = error.remedy(),
                "queue does not work"
            );
        }
    }
}
