//! The poller: a queue, a handler, and the life of the parts between them.

use std::{sync::Arc, time::Duration};

use stallkeeper_runtime::Shutdown;
use tokio::{task::JoinError, time::sleep};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use crate::{
    batcher::Batcher,
    config::{ConfigError, PollerConfig},
    control::PollerControl,
    deleter::Deleter,
    dispatcher::Dispatcher,
    handler::Handler,
    health::{HealthState, PollerHealth},
    lease::{LeaseKeeper, LeaseTable},
    metrics::PollerMetrics,
    putback::PutBack,
    queue::Queue,
    receiver::{Receiver, Source},
};

/// How long deletions and put-backs may take after a hard stop.
const LAST_CALLS: Duration = Duration::from_secs(3);

/// A poller could not do its work; the process should be restarted.
#[derive(Debug, thiserror::Error)]
pub enum PollerError {
    /// A bug in the code behind [`Queue`].
    #[error("a task of the poller panicked")]
    Panicked(#[from] JoinError),
}

/// Moves messages of one queue through a handler. For several queues, run several of them.
pub struct Poller {
    name: String,
    queue: Arc<dyn Queue>,
    handler: Arc<dyn Handler>,
    config: PollerConfig,
    control: PollerControl,
    health: Arc<HealthState>,
    leases: Arc<LeaseTable>,
}

impl Poller {
    /// A poller that does nothing yet; `name` labels its metrics and log lines.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn new(
        name: impl Into<String>,
        queue: Arc<dyn Queue>,
        handler: Arc<dyn Handler>,
        config: PollerConfig,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            name: name.into(),
            queue,
            handler,
            config,
            control: PollerControl::new(),
            health: Arc::default(),
            leases: Arc::default(),
        })
    }

    /// The handle that pauses and resumes this poller.
    pub fn control(&self) -> PollerControl {
        self.control.clone()
    }

    /// The handle that reads this poller's health.
    pub fn health(&self) -> PollerHealth {
        PollerHealth::new(Arc::clone(&self.health), self.control.clone(), Arc::clone(&self.leases))
    }

    /// Works until a soft stop, then finishes what runs; a hard stop gives it back instead.
    ///
    /// A metrics recorder has to be installed before. An unusable queue is no error: it shows in the health, and
    /// receiving is tried again. One run at a time.
    ///
    /// # Errors
    /// When code behind the queue panicked; everything else has ended in good order by then.
    pub async fn run(&self, shutdown: &Shutdown) -> Result<(), PollerError> {
        tracing::info!(queue = self.name, "poller starts");
        let metrics = PollerMetrics::new(&self.name);
        let services = TaskTracker::new();
        let (deleter, deleting) = Batcher::start(
            Deleter {
                queue: Arc::clone(&self.queue),
                health: Arc::clone(&self.health),
                metrics: metrics.clone(),
            },
            self.config.permits,
            &services,
        );
        let (put_back, putting_back) = Batcher::start(
            PutBack {
                queue: Arc::clone(&self.queue),
                health: Arc::clone(&self.health),
                metrics: metrics.clone(),
            },
            self.config.permits,
            &services,
        );
        let stop = shutdown.soft.child_token();
        let keeping = AbortOnDropHandle::new(services.spawn({
            let keeper = self.lease_keeper(&metrics);
            // Without its keeper a poller must not go on: a panic in there stops the receiving.
            let stop_at_its_end = stop.clone().drop_guard();
            async move {
                keeper.run().await;
                drop(stop_at_its_end);
            }
        }));
        let dispatcher = Arc::new(Dispatcher {
            handler: Arc::clone(&self.handler),
            config: self.config.clone(),
            leases: Arc::clone(&self.leases),
            deleter,
            put_back,
            health: Arc::clone(&self.health),
            metrics: metrics.clone(),
            running: TaskTracker::new(),
            stop: stop.clone(),
            hard: shutdown.hard.clone(),
        });

        let received = self.receiver(&dispatcher, metrics, stop).run(self.control.watch(), shutdown).await;
        dispatcher.finished().await;
        drop(dispatcher);
        let settled = last_calls(deleting, putting_back, &shutdown.hard).await;
        tracing::info!(queue = self.name, "poller has stopped");
        let kept = if keeping.is_finished() { keeping.await } else { Ok(()) };
        Ok(received.and(settled).and(kept)?)
    }

    fn lease_keeper(&self, metrics: &PollerMetrics) -> LeaseKeeper {
        LeaseKeeper {
            queue: Arc::clone(&self.queue),
            table: Arc::clone(&self.leases),
            visibility: self.config.visibility,
            health: Arc::clone(&self.health),
            metrics: metrics.clone(),
        }
    }

    fn receiver(
        &self,
        dispatcher: &Arc<Dispatcher>,
        metrics: PollerMetrics,
        stop: CancellationToken,
    ) -> Receiver {
        Receiver::new(Source {
            queue: Arc::clone(&self.queue),
            dispatcher: Arc::clone(dispatcher),
            health: Arc::clone(&self.health),
            metrics,
            config: self.config.clone(),
            stop,
            cut: CancellationToken::new(),
        })
    }
}

/// Lets the batchers send what they still hold; their calls and attempts are bounded, and a hard stop bounds them
/// closer.
async fn last_calls(
    deleting: AbortOnDropHandle<()>,
    putting_back: AbortOnDropHandle<()>,
    hard: &CancellationToken,
) -> Result<(), JoinError> {
    let out_of_time = async {
        hard.cancelled().await;
        sleep(LAST_CALLS).await;
    };
    tokio::select! {
        biased;
        (deleted, put_back) = async { tokio::join!(deleting, putting_back) } => deleted.and(put_back),
        () = out_of_time => {
            tracing::warn!("last deletions and put-backs cut short, those messages will come again");
            Ok(())
        }
    }
}
