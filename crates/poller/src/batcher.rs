//! Gathers single entries into calls of up to ten.

use std::{fmt::Display, sync::Arc, time::Duration};

use async_trait::async_trait;
use stallkeeper_runtime::Backoff;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use crate::{
    error::QueueError,
    queue::{BATCH_MAX, EntryFailure, EntryOutcome},
};

/// How long an entry waits for company; calls cost money, and nobody waits for their end.
const LINGER: Duration = Duration::from_millis(50);
const CALLS_AT_ONCE: usize = 8;
const ATTEMPTS: u32 = 4;
const PAUSE_BASE: Duration = Duration::from_millis(200);
const PAUSE_CAP: Duration = Duration::from_secs(2);

/// A call that takes up to [`BATCH_MAX`] entries and is safe to repeat.
#[async_trait]
pub(crate) trait BatchCall: Send + Sync + 'static {
    type Entry: Send + Sync + 'static;

    /// One outcome for each entry, in order.
    async fn call(&self, entries: &[Self::Entry]) -> Result<Vec<EntryOutcome>, QueueError>;

    /// These entries will not be tried again.
    fn gave_up(&self, entries: usize, why: &(dyn Display + Send + Sync));
}

/// Takes entries; dropping every clone lets the task flush what is left and end.
#[derive(Clone)]
pub(crate) struct Batcher<E> {
    entries: mpsc::Sender<E>,
}

impl<E: Send + Sync + 'static> Batcher<E> {
    /// Starts the task behind a batcher that holds at most `capacity` waiting entries.
    pub(crate) fn start(
        call: impl BatchCall<Entry = E>,
        capacity: usize,
        tracker: &TaskTracker,
    ) -> (Self, AbortOnDropHandle<()>) {
        let (entries, waiting) = mpsc::channel(capacity);
        let task = tracker.spawn(gather(waiting, Arc::new(call)));
        (Self { entries }, AbortOnDropHandle::new(task))
    }

    /// Hands an entry over; waits while the batcher is full, though not past a hard stop. Returns whether it was
    /// taken; if not, the queue will deliver the message again.
    pub(crate) async fn push(&self, entry: E, hard: &CancellationToken) -> bool {
        let taken = tokio::select! {
            // What still has room is taken also after a hard stop.
            biased;
            sent = self.entries.send(entry) => sent.is_ok(),
            () = hard.cancelled() => false,
        };
        if !taken {
            tracing::debug!("entry was not taken: its batcher has ended, or is full at a hard stop");
        }
        taken
    }
}

async fn gather<C: BatchCall>(mut waiting: mpsc::Receiver<C::Entry>, call: Arc<C>) {
    let slots = Arc::new(Semaphore::new(CALLS_AT_ONCE));
    let calls = TaskTracker::new();
    while let Some(entries) = next_batch(&mut waiting).await {
        let slot = Arc::clone(&slots).acquire_owned().await;
        let call = Arc::clone(&call);
        calls.spawn(async move {
            settle(&*call, entries).await;
            drop(slot);
        });
    }
    calls.close();
    calls.wait().await;
}

/// A full batch at once, a smaller one after the linger, `None` at the end.
async fn next_batch<E>(waiting: &mut mpsc::Receiver<E>) -> Option<Vec<E>> {
    let mut entries = Vec::with_capacity(BATCH_MAX);
    if waiting.recv_many(&mut entries, BATCH_MAX).await == 0 {
        return None;
    }
    let until = Instant::now() + LINGER;
    while entries.len() < BATCH_MAX {
        let room = BATCH_MAX - entries.len();
        match timeout_at(until, waiting.recv_many(&mut entries, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    Some(entries)
}

/// Calls until every entry is done, gone, or has had its attempts.
async fn settle<C: BatchCall>(call: &C, mut entries: Vec<C::Entry>) {
    let mut pauses = Backoff::new(PAUSE_BASE, PAUSE_CAP);
    for attempt in 1..=ATTEMPTS {
        let last_failure: String = match call.call(&entries).await {
            Ok(outcomes) => {
                let failures = keep_failed(call, &mut entries, outcomes);
                let Some(failure) = failures else { return };
                failure.to_string()
            }
            Err(error) => error.chain(),
        };
        if attempt == ATTEMPTS {
            call.gave_up(entries.len(), &last_failure);
        } else {
            sleep(pauses.next_delay()).await;
        }
    }
}

/// Leaves in `entries` those worth another attempt, and says why the last of them failed.
fn keep_failed<C: BatchCall>(
    call: &C,
    entries: &mut Vec<C::Entry>,
    outcomes: Vec<EntryOutcome>,
) -> Option<EntryFailure> {
    let mut last_failure = None;
    let mut outcomes = outcomes.into_iter();
    entries.retain(|_| match outcomes.next() {
        Some(Ok(())) => false,
        Some(Err(gone @ EntryFailure::Gone { .. })) => {
            call.gave_up(1, &gone);
            false
        }
        Some(Err(failed @ EntryFailure::Failed { .. })) => {
            last_failure = Some(failed);
            true
        }
        None => {
            last_failure = Some(EntryFailure::Failed { code: "no outcome in the answer".to_owned() });
            true
        }
    });
    last_failure
}
