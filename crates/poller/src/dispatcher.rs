//! What happens to a message between its receive and its end.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use stallkeeper_runtime::{Backoff, redelivery_delay};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    batcher::Batcher,
    config::PollerConfig,
    handler::{Handler, PoisonReason, Verdict},
    health::HealthState,
    lease::{Lease, LeaseTable},
    metrics::PollerMetrics,
    queue::{Message, ReceiptHandle, VISIBILITY_MAX, VisibilityChange},
};

/// Starts a task per message and carries its verdict out.
pub(crate) struct Dispatcher {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) config: PollerConfig,
    pub(crate) leases: Arc<LeaseTable>,
    pub(crate) deleter: Batcher<ReceiptHandle>,
    pub(crate) put_back: Batcher<VisibilityChange>,
    pub(crate) health: Arc<HealthState>,
    pub(crate) metrics: PollerMetrics,
    pub(crate) running: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) hard: CancellationToken,
}

/// What is done with a message in the end.
enum Ending {
    Delete,
    Again { after: Duration },
    Leave { reason: String },
    GiveBack,
}

/// Counts a message as blocked until it is dropped.
struct Blocked<'a>(&'a Dispatcher);

impl<'a> Blocked<'a> {
    fn count(dispatcher: &'a Dispatcher) -> Self {
        dispatcher.health.blocked();
        dispatcher.metrics.blocked.increment(1);
        Self(dispatcher)
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.0.health.unblocked();
        self.0.metrics.blocked.decrement(1);
    }
}

impl Dispatcher {
    /// Starts handling messages of one receive that began at `since`; each takes one of `permits` with it.
    pub(crate) fn accept(
        self: &Arc<Self>,
        messages: Vec<Message>,
        mut permits: OwnedSemaphorePermit,
        since: Instant,
    ) {
        self.metrics.received.increment(messages.len() as u64);
        let leases = self.leases.track(&messages, since, self.config.visibility);
        for (message, lease) in messages.into_iter().zip(leases) {
            // A queue that sends more than it was asked for does not get past the permits: the surplus is left to
            // reappear.
            let Some(permit) = permits.split(1) else { return };
            let dispatcher = Arc::clone(self);
            self.running.spawn(async move {
                dispatcher.work(&message, lease).await;
                drop(permit);
            });
        }
    }

    /// Gives messages back that came too late to be started.
    pub(crate) async fn give_back(&self, messages: Vec<Message>) {
        self.metrics.received.increment(messages.len() as u64);
        for message in messages {
            self.end(&message, Ending::GiveBack, false).await;
        }
    }

    /// Waits until every message that was started has ended; a hard stop makes them end.
    pub(crate) async fn finished(&self) {
        self.running.close();
        self.running.wait().await;
    }

    async fn work(&self, message: &Message, lease: Lease) {
        let begun = Instant::now();
        self.metrics.in_flight.increment(1);
        let ending = tokio::select! {
            // A handler that is done at once never has to look at the token.
            biased;
            ending = self.judge(message, lease.lost()) => ending,
            () = self.hard.cancelled() => Ending::GiveBack,
        };
        self.metrics.in_flight.decrement(1);
        self.metrics.handler_seconds.record(begun.elapsed());
        let lost = lease.lost().is_cancelled();
        drop(lease);
        self.end(message, ending, lost).await;
    }

    /// Asks the handler until it is not blocked, the lease is lost, or a stop is asked for.
    async fn judge(&self, message: &Message, lost: &CancellationToken) -> Ending {
        let mut waiting = None;
        loop {
            match self.ask(message, lost).await {
                Verdict::Ack => return Ending::Delete,
                Verdict::Retry { after } => return Ending::Again { after: self.redelivery(message, after) },
                Verdict::Dead { reason } => return Ending::Leave { reason },
                Verdict::Blocked => {}
            }
            let PollerConfig { pause_base, pause_cap, .. } = self.config;
            let (pauses, _blocked) =
                waiting.get_or_insert_with(|| (Backoff::new(pause_base, pause_cap), Blocked::count(self)));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ending::GiveBack,
                () = lost.cancelled() => return Ending::GiveBack,
                () = tokio::time::sleep(pauses.next_delay()) => {}
            }
        }
    }

    /// One call of the handler; a panic becomes a retry.
    async fn ask(&self, message: &Message, lost: &CancellationToken) -> Verdict {
        let handled = async {
            if message.receive_count <= self.config.poison_after {
                return self.handler.handle(message, lost.clone()).await;
            }
            self.metrics.poisoned.increment(1);
            let why = PoisonReason::ReceivedTooOften { receives: message.receive_count };
            self.handler.poison(message, why).await
        };
        AssertUnwindSafe(handled).catch_unwind().await.unwrap_or_else(|_| {
            self.metrics.panicked.increment(1);
            tracing::error!(
                message_id = %message.id,
                receives = message.receive_count,
                "handler panicked, the message will be tried again"
            );
            Verdict::Retry { after: None }
        })
    }

    fn redelivery(&self, message: &Message, after: Option<Duration>) -> Duration {
        let PollerConfig { retry_base, retry_cap, .. } = self.config;
        after.unwrap_or_else(|| redelivery_delay(message.receive_count, retry_base, retry_cap))
    }

    async fn end(&self, message: &Message, ending: Ending, lost: bool) {
        match ending {
            // Also after a loss: the effect is durable, so the fewer deliveries follow the better.
            Ending::Delete => {
                self.metrics.acked.increment(1);
                if !self.deleter.push(message.receipt.clone(), &self.hard).await {
                    self.metrics.delete_failed.increment(1);
                }
            }
            Ending::Again { after } => {
                self.metrics.retried.increment(1);
                self.hide(message, after, lost).await;
            }
            Ending::GiveBack => {
                self.metrics.released.increment(1);
                self.hide(message, Duration::ZERO, lost).await;
            }
            Ending::Leave { reason } => {
                self.metrics.dead.increment(1);
                tracing::warn!(
                    message_id = %message.id,
                    receives = message.receive_count,
                    reason,
                    "message is dead, left to the queue's redrive policy"
                );
            }
        }
    }

    async fn hide(&self, message: &Message, hidden_for: Duration, lost: bool) {
        if lost {
            // Someone else may have it by now, and its time-out is not ours to set.
            return;
        }
        let hidden_for = hidden_for.min(VISIBILITY_MAX / 2);
        let change = VisibilityChange { receipt: message.receipt.clone(), hidden_for };
        if !self.put_back.push(change, &self.hard).await {
            self.metrics.release_failed.increment(1);
        }
    }
}
