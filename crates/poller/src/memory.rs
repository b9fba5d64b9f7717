//! A queue in memory, for tests: it hides, counts, duplicates and fails like a real one.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use stallkeeper_runtime::WallClock;
use time::OffsetDateTime;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    error::{QueueError, QueueErrorKind},
    queue::{Depth, EntryFailure, EntryOutcome, Message, MessageId, Queue, ReceiptHandle, VisibilityChange},
};

/// A queue in memory. Visibility follows tokio's time, so tests can pause it; clones share the queue.
#[derive(Clone, Debug)]
pub struct MemoryQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn WallClock>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    stored: BTreeMap<u64, Stored>,
    script: Script,
    seen: Seen,
}

#[derive(Debug)]
struct Stored {
    body: String,
    sent_at: OffsetDateTime,
    first_received_at: Option<OffsetDateTime>,
    receives: u32,
    hidden_until: Option<Instant>,
}

/// What goes wrong next.
#[derive(Debug, Default)]
struct Script {
    receives: VecDeque<QueueErrorKind>,
    deletes: VecDeque<QueueErrorKind>,
    visibility: VecDeque<QueueErrorKind>,
    delete_entries: usize,
    duplicates: usize,
    receive_latency: Duration,
    change_latency: Duration,
}

/// What the queue has been asked for.
#[derive(Debug, Default)]
struct Seen {
    receive_calls: usize,
    receives_now: usize,
    receives_at_once: usize,
    asked_for: Vec<usize>,
    delete_calls: usize,
    visibility_calls: usize,
    visibility_changes: Vec<(MessageId, Duration)>,
}

impl MemoryQueue {
    /// An empty queue whose timestamps come from `clock`.
    pub fn new(clock: Arc<dyn WallClock>) -> Self {
        Self { shared: Arc::new(Shared { clock, state: Mutex::default(), changed: Notify::new() }) }
    }

    /// Sends a message.
    pub fn send(&self, body: impl Into<String>) -> MessageId {
        let sent_at = self.shared.clock.now();
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let stored =
            Stored { body: body.into(), sent_at, first_received_at: None, receives: 0, hidden_until: None };
        state.stored.insert(number, stored);
        drop(state);
        self.shared.changed.notify_waiters();
        message_id(number)
    }

    /// Lets the next `times` receives fail.
    pub fn fail_receives(&self, times: usize, kind: QueueErrorKind) {
        self.state().script.receives.extend(std::iter::repeat_n(kind, times));
    }

    /// Lets the next `times` calls of delete fail as a whole.
    pub fn fail_deletes(&self, times: usize, kind: QueueErrorKind) {
        self.state().script.deletes.extend(std::iter::repeat_n(kind, times));
    }

    /// Lets the next `times` visibility changes fail as a whole.
    pub fn fail_visibility(&self, times: usize, kind: QueueErrorKind) {
        self.state().script.visibility.extend(std::iter::repeat_n(kind, times));
    }

    /// Lets the next `entries` entries of delete calls fail, while the calls themselves succeed.
    pub fn fail_delete_entries(&self, entries: usize) {
        self.state().script.delete_entries += entries;
    }

    /// Leaves the next `deliveries` messages visible although they are delivered, as a real queue sometimes does.
    pub fn duplicate_next(&self, deliveries: usize) {
        self.state().script.duplicates += deliveries;
    }

    /// Lets messages that a receive has taken arrive this much later; a receive that is dropped meanwhile leaves
    /// them hidden.
    pub fn delay_receives(&self, by: Duration) {
        self.state().script.receive_latency = by;
    }

    /// Lets deletions and visibility changes take this long.
    pub fn delay_changes(&self, by: Duration) {
        self.state().script.change_latency = by;
    }

    /// Takes a delivered message away from its receiver: it is visible again, and the receipt is worth nothing.
    pub fn take_away(&self, id: &MessageId) {
        let mut state = self.state();
        if let Some(stored) = number_of(id.as_str()).and_then(|number| state.stored.get_mut(&number)) {
            stored.receives += 1;
            stored.hidden_until = None;
        }
        drop(state);
        self.shared.changed.notify_waiters();
    }

    /// Messages that are not deleted, visible or not.
    pub fn len(&self) -> usize {
        self.state().stored.len()
    }

    /// Whether every message has been deleted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages that can be received now.
    pub fn visible(&self) -> usize {
        let now = Instant::now();
        self.state().stored.values().filter(|stored| stored.is_visible(now)).count()
    }

    /// Waits until every message has been deleted.
    pub async fn until_empty(&self) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// How many receives were made.
    pub fn receive_calls(&self) -> usize {
        self.state().seen.receive_calls
    }

    /// How many receives are waiting now.
    pub fn receives_now(&self) -> usize {
        self.state().seen.receives_now
    }

    /// The most receives that ever waited at the same time.
    pub fn receives_at_once(&self) -> usize {
        self.state().seen.receives_at_once
    }

    /// How many messages each receive asked for.
    pub fn asked_for(&self) -> Vec<usize> {
        self.state().seen.asked_for.clone()
    }

    /// How many delete calls were made.
    pub fn delete_calls(&self) -> usize {
        self.state().seen.delete_calls
    }

    /// How many visibility calls were made, also in vain.
    pub fn visibility_calls(&self) -> usize {
        self.state().seen.visibility_calls
    }

    /// Every visibility change that was carried out, in order.
    pub fn visibility_changes(&self) -> Vec<(MessageId, Duration)> {
        self.state().seen.visibility_changes.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError> {
        let _running = RunningReceive::begin(self, max);
        if let Some(kind) = self.state().script.receives.pop_front() {
            return Err(kind.into());
        }
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = self.shared.clock.now();
            let messages = self.state().take(max, visibility, now);
            if !messages.is_empty() {
                let latency = self.state().script.receive_latency;
                sleep(latency).await;
                return Ok(messages);
            }
            if Instant::now() >= deadline {
                return Ok(messages);
            }
            let next = self.state().next_visible().map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                () = changed => {}
                () = sleep_until(next) => {}
            }
        }
    }

    async fn delete(&self, receipts: &[ReceiptHandle]) -> Result<Vec<EntryOutcome>, QueueError> {
        let latency = self.state().script.change_latency;
        sleep(latency).await;
        let mut state = self.state();
        state.seen.delete_calls += 1;
        if let Some(kind) = state.script.deletes.pop_front() {
            return Err(kind.into());
        }
        let outcomes = receipts.iter().map(|receipt| state.delete(receipt)).collect();
        drop(state);
        self.shared.changed.notify_waiters();
        Ok(outcomes)
    }

    async fn set_visibility(&self, changes: &[VisibilityChange]) -> Result<Vec<EntryOutcome>, QueueError> {
        let latency = self.state().script.change_latency;
        sleep(latency).await;
        let mut state = self.state();
        state.seen.visibility_calls += 1;
        if let Some(kind) = state.script.visibility.pop_front() {
            return Err(kind.into());
        }
        let outcomes = changes.iter().map(|change| state.hide(change)).collect();
        drop(state);
        self.shared.changed.notify_waiters();
        Ok(outcomes)
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let visible = self.visible() as u64;
        Ok(Depth { visible, in_flight: self.len() as u64 - visible, delayed: 0 })
    }
}

impl State {
    fn take(&mut self, max: usize, visibility: Duration, at: OffsetDateTime) -> Vec<Message> {
        let now = Instant::now();
        let Self { stored, script, .. } = self;
        let visible = stored.iter_mut().filter(|(_, stored)| stored.is_visible(now));
        visible
            .take(max)
            .map(|(&number, stored)| {
                let stays_visible = script.duplicates > 0;
                script.duplicates = script.duplicates.saturating_sub(1);
                stored.receives += 1;
                stored.hidden_until = (!stays_visible).then_some(now + visibility);
                let first_received_at = *stored.first_received_at.get_or_insert(at);
                Message {
                    id: message_id(number),
                    receipt: ReceiptHandle::new(format!("{number}/{}", stored.receives)),
                    body: stored.body.clone(),
                    receive_count: stored.receives,
                    sent_at: Some(stored.sent_at),
                    first_received_at: Some(first_received_at),
                }
            })
            .collect()
    }

    fn next_visible(&self) -> Option<Instant> {
        self.stored.values().filter_map(|stored| stored.hidden_until).min()
    }

    /// As with SQS, deleting with an older receipt succeeds and deletes nothing.
    fn delete(&mut self, receipt: &ReceiptHandle) -> EntryOutcome {
        if self.script.delete_entries > 0 {
            self.script.delete_entries -= 1;
            return Err(EntryFailure::Failed { code: "InternalError".to_owned() });
        }
        if let Some(number) = self.current(receipt) {
            self.stored.remove(&number);
        }
        Ok(())
    }

    fn hide(&mut self, change: &VisibilityChange) -> EntryOutcome {
        let now = Instant::now();
        let number = self.current(&change.receipt);
        let stored =
            number.and_then(|number| self.stored.get_mut(&number)).filter(|stored| !stored.is_visible(now));
        let (Some(number), Some(stored)) = (number, stored) else {
            return Err(EntryFailure::Gone { code: "MessageNotInflight".to_owned() });
        };
        stored.hidden_until = Some(now + change.hidden_for);
        self.seen.visibility_changes.push((message_id(number), change.hidden_for));
        Ok(())
    }

    /// The message of this receipt, if it has not been received again since.
    fn current(&self, receipt: &ReceiptHandle) -> Option<u64> {
        let (_, receives) = receipt.as_str().split_once('/')?;
        let number = number_of(receipt.as_str())?;
        let stored = self.stored.get(&number)?;
        (receives.parse() == Ok(stored.receives)).then_some(number)
    }
}

impl Stored {
    fn is_visible(&self, now: Instant) -> bool {
        self.hidden_until.is_none_or(|until| until <= now)
    }
}

fn message_id(number: u64) -> MessageId {
    MessageId::new(number.to_string())
}

fn number_of(text: &str) -> Option<u64> {
    text.split('/').next()?.parse().ok()
}

/// Counts receives that run, also those that are dropped.
struct RunningReceive<'a> {
    queue: &'a MemoryQueue,
}

impl<'a> RunningReceive<'a> {
    fn begin(queue: &'a MemoryQueue, max: usize) -> Self {
        let seen = &mut queue.state().seen;
        seen.receive_calls += 1;
        seen.asked_for.push(max);
        seen.receives_now += 1;
        seen.receives_at_once = seen.receives_at_once.max(seen.receives_now);
        Self { queue }
    }
}

impl Drop for RunningReceive<'_> {
    fn drop(&mut self) {
        self.queue.state().seen.receives_now -= 1;
    }
}
