//! Keeps messages ours while they are handled.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{QueueError, QueueErrorKind},
    health::{Activity, HealthState},
    metrics::PollerMetrics,
    queue::{
        BATCH_MAX, EntryFailure, EntryOutcome, Message, MessageId, Queue, ReceiptHandle, VisibilityChange,
    },
};

/// A queue lets a message be hidden for 12 h in all; past this the lease is given up while there is time to wind
/// down.
const HELD_MAX: Duration = Duration::from_hours(11);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const CALLS_AT_ONCE: usize = 8;

/// The messages being handled, with the times until which they are ours. At most as many as there are permits.
#[derive(Debug, Default)]
pub(crate) struct LeaseTable {
    held: Mutex<Held>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Held {
    next_id: u64,
    leases: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    message: MessageId,
    receipt: ReceiptHandle,
    lost: CancellationToken,
    since: Instant,
    deadline: Instant,
}

/// A message that is being handled; the queue's time-out is kept away until this is dropped.
pub(crate) struct Lease {
    id: u64,
    lost: CancellationToken,
    table: Arc<LeaseTable>,
}

impl Lease {
    /// Cancelled when the message is no longer ours.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.table.lock().leases.remove(&self.id);
    }
}

impl LeaseTable {
    /// Messages being handled.
    pub(crate) fn len(&self) -> usize {
        self.lock().leases.len()
    }

    /// Takes the messages of one receive that began at `since`. The deadline is counted from there, because the
    /// queue may have counted from any moment after it.
    pub(crate) fn track(
        self: &Arc<Self>,
        messages: &[Message],
        since: Instant,
        visibility: Duration,
    ) -> Vec<Lease> {
        let mut held = self.lock();
        let leases = messages
            .iter()
            .map(|message| {
                let id = held.next_id;
                held.next_id += 1;
                let lost = CancellationToken::new();
                let entry = Entry {
                    message: message.id.clone(),
                    receipt: message.receipt.clone(),
                    lost: lost.clone(),
                    since,
                    deadline: since + visibility,
                };
                held.leases.insert(id, entry);
                Lease { id, lost, table: Arc::clone(self) }
            })
            .collect();
        drop(held);
        self.arrived.notify_one();
        leases
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews leases shortly before they end: one task for all of them, and none of them has a timer.
pub(crate) struct LeaseKeeper {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) table: Arc<LeaseTable>,
    pub(crate) visibility: Duration,
    pub(crate) health: Arc<HealthState>,
    pub(crate) metrics: PollerMetrics,
}

struct Due {
    id: u64,
    receipt: ReceiptHandle,
}

impl LeaseKeeper {
    /// Runs until it is aborted.
    pub(crate) async fn run(self) {
        let look_every = LOOK_EVERY.min(self.margin() / 10);
        loop {
            if self.table.len() == 0 {
                self.table.arrived.notified().await;
            }
            sleep(look_every).await;
            let due = self.take_stock(Instant::now());
            let renewals = stream::iter(due.chunks(BATCH_MAX))
                .for_each_concurrent(CALLS_AT_ONCE, |leases| self.renew(leases));
            tokio::pin!(renewals);
            // However long the renewals take, a lease whose time is over is given up in time.
            while timeout(look_every, &mut renewals).await.is_err() {
                let _due_later = self.take_stock(Instant::now());
            }
        }
    }

    /// A renewal starts this long before the deadline, so that it can be tried several times.
    fn margin(&self) -> Duration {
        self.visibility / 3
    }

    /// The leases to renew now; gives up those whose time is over.
    fn take_stock(&self, now: Instant) -> Vec<Due> {
        let margin = self.margin();
        let mut over = Vec::new();
        let mut due = Vec::new();
        for (&id, entry) in &self.table.lock().leases {
            if entry.lost.is_cancelled() {
                // Its handler has been told and has not returned yet.
            } else if entry.deadline <= now {
                over.push((id, "its time-out could not be renewed in time"));
            } else if entry.deadline <= now + margin {
                if now - entry.since + self.visibility > HELD_MAX {
                    over.push((id, "it was held as long as the queue allows"));
                } else {
                    due.push(Due { id, receipt: entry.receipt.clone() });
                }
            }
        }
        for (id, why) in over {
            self.lose(id, why);
        }
        due
    }

    async fn renew(&self, leases: &[Due]) {
        let hidden_for = self.visibility;
        let changes: Vec<_> =
            leases.iter().map(|due| VisibilityChange { receipt: due.receipt.clone(), hidden_for }).collect();
        let asked_at = Instant::now();
        let outcomes = match self.change(&changes).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.metrics.extend_failed.increment(leases.len() as u64);
                tracing::debug!(error = error.chain(), leases = leases.len(), "renewal failed, trying again");
                return;
            }
        };
        for (due, outcome) in leases.iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.renewed(due.id, asked_at + hidden_for),
                Err(EntryFailure::Gone { .. }) => {
                    self.lose(due.id, "the queue says that it is no longer ours");
                }
                Err(EntryFailure::Failed { code }) => {
                    self.metrics.extend_failed.increment(1);
                    tracing::debug!(code, "renewal of one lease failed, trying again");
                }
            }
        }
    }

    /// Waits for half of the margin at most, so that another attempt fits in, also with short time-outs.
    async fn change(&self, changes: &[VisibilityChange]) -> Result<Vec<EntryOutcome>, QueueError> {
        let call = self.queue.set_visibility(changes);
        let answer = timeout(self.margin() / 2, call)
            .await
            .unwrap_or_else(|late| Err(QueueError::new(QueueErrorKind::Unavailable, late)));
        self.health.answered(Activity::ChangingTimeouts, &answer);
        answer
    }

    fn renewed(&self, id: u64, deadline: Instant) {
        if let Some(entry) = self.table.lock().leases.get_mut(&id) {
            entry.deadline = deadline;
        }
    }

    /// A lease that has ended meanwhile cannot be lost, and none is lost twice.
    fn lose(&self, id: u64, why: &'static str) {
        let held = self.table.lock();
        let Some(entry) = held.leases.get(&id).filter(|entry| !entry.lost.is_cancelled()) else { return };
        let (message, lost) = (entry.message.clone(), entry.lost.clone());
        drop(held);
        self.metrics.lease_lost.increment(1);
        tracing::warn!(message_id = %message, reason = why, "message lost while it was handled");
        lost.cancel();
    }
}
