use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::message::{Content, Message, message_id};
use super::messages::{Messages, Received, Take, Taken};
use super::settings::Settings;
use super::{Counts, Depth, QueueError};
use crate::MarketClock;

/// How many messages of a standard queue can be in flight.
const IN_FLIGHT_MAX: usize = 120_000;
/// How many messages one queue holds at most, so that nobody fills the machine's memory: far more than a test needs.
const HELD_MAX: usize = 2_000_000;
/// How long after a purge the next one is refused.
const PURGE_PAUSE: Duration = Duration::from_mins(1);

/// One standard queue.
#[derive(Debug)]
pub struct Queue {
    name: String,
    arn: Arc<str>,
    url: String,
    clock: MarketClock,
    held_max: usize,
    inner: Mutex<Inner>,
    /// Something became visible, or will sooner than was thought.
    arrival: Notify,
    emptied: Notify,
}

#[derive(Debug)]
struct Inner {
    messages: Messages,
    settings: Settings,
    random: fastrand::Rng,
    purged_at: Option<Instant>,
    created_at: OffsetDateTime,
    modified_at: OffsetDateTime,
}

/// A receive as it is asked for; what is left out is the queue's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receive {
    pub(crate) max: usize,
    pub(crate) wait: Option<Duration>,
    pub(crate) hidden_for: Option<Duration>,
}

impl Queue {
    pub(super) fn new(name: &str, arn: String, url: String, clock: &MarketClock, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let now = clock.now();
        let inner = Inner {
            messages: Messages::new(random.u64(..)),
            settings: Settings::default(),
            random,
            purged_at: None,
            created_at: now,
            modified_at: now,
        };
        Self {
            name: name.to_owned(),
            arn: arn.into(),
            url,
            clock: clock.clone(),
            held_max: HELD_MAX,
            inner: Mutex::new(inner),
            arrival: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ARN that topics deliver to.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The URL that calls name it by.
    pub fn url(&self) -> &str {
        &self.url
    }

    #[cfg(test)]
    pub(super) fn with_room_for(self, held_max: usize) -> Self {
        Self { held_max, ..self }
    }

    /// Puts a message in that becomes visible after a delay; a full queue loses it.
    pub fn put(&self, body: &str, delay: Duration) {
        let _ = self.deliver(body, delay);
    }

    /// Puts in what a topic or a rule delivers; false where the queue is full, and it is lost.
    pub(crate) fn deliver(&self, body: &str, delay: Duration) -> bool {
        let sent = self.send(Content::new(body.to_owned(), BTreeMap::new()), Some(delay));
        if let Err(error) = &sent {
            let error = error as &dyn std::error::Error;
            tracing::warn!(queue = self.name, error, "a notification is lost");
        }
        sent.is_ok()
    }

    /// Keeps messages for 14 days, as a queue of notifications should.
    pub(crate) fn keep_longest(&self) {
        self.change_settings(Settings::retain_longest);
    }

    /// Says who may send to it; the simulator itself asks nobody.
    pub(crate) fn set_policy(&self, policy: &str) {
        self.change_settings(|settings| settings.allow(policy));
    }

    /// How many messages it holds now.
    pub fn depth(&self) -> Depth {
        self.act(|inner, _| inner.messages.depth())
    }

    /// How many messages were ever put in.
    pub fn put_count(&self) -> u64 {
        self.counts().put
    }

    /// What ever happened to its messages.
    pub fn counts(&self) -> Counts {
        self.lock().messages.counts()
    }

    /// Waits until it holds nothing, neither waiting nor in flight nor delayed.
    pub async fn drained(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().messages.depth().total() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Puts a message in and answers its id; without a delay of its own it has the queue's.
    pub(crate) fn send(&self, content: Content, delay: Option<Duration>) -> Result<Arc<str>, QueueError> {
        let sent_at = self.clock.now();
        let held_max = self.held_max;
        self.act(|inner, now| {
            if inner.messages.depth().total() >= held_max {
                return Err(QueueError::Full { held_max });
            }
            let id: Arc<str> = message_id(&mut inner.random).into();
            let delay = delay.unwrap_or_else(|| inner.settings.delay());
            let content = Arc::new(content);
            let message = Message {
                id: id.clone(),
                content,
                sent_at,
                first_received_at: None,
                receives: 0,
                dead_from: None,
            };
            inner.messages.put(now, message, delay);
            Ok(id)
        })
    }

    /// Waits for the first messages, at most as long as was asked.
    pub(crate) async fn receive(&self, receive: &Receive) -> Result<Vec<Received>, QueueError> {
        let wait = receive.wait.unwrap_or_else(|| self.settings().receive_wait());
        let deadline = Instant::now() + wait;
        loop {
            let arrival = self.arrival.notified();
            tokio::pin!(arrival);
            // From here on no arrival is missed, also not one between the look and the wait.
            arrival.as_mut().enable();
            let (received, next_change) = self.take(receive, wait.is_zero())?;
            if !received.is_empty() || Instant::now() >= deadline {
                return Ok(received);
            }
            let until = next_change.map_or(deadline, |change| change.min(deadline));
            tokio::select! {
                () = arrival => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    pub(crate) fn delete(&self, handle: &str) -> Result<(), QueueError> {
        self.act(|inner, _| inner.messages.delete(handle))
    }

    pub(crate) fn change_visibility(&self, handle: &str, hidden_for: Duration) -> Result<(), QueueError> {
        self.act(|inner, now| inner.messages.change_visibility(now, handle, hidden_for))
    }

    pub(crate) fn purge(&self) -> Result<(), QueueError> {
        self.act(|inner, now| {
            if inner.purged_at.is_some_and(|purged_at| now < purged_at + PURGE_PAUSE) {
                return Err(QueueError::PurgedRecently);
            }
            inner.purged_at = Some(now);
            inner.messages.purge();
            Ok(())
        })
    }

    pub(crate) fn settings(&self) -> Settings {
        self.lock().settings.clone()
    }

    pub(crate) fn set_settings(&self, settings: Settings) {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.settings = settings;
        inner.modified_at = now;
    }

    fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings();
        change(&mut settings);
        self.set_settings(settings);
    }

    /// Every attribute that `GetQueueAttributes` gives.
    pub(crate) fn attributes(&self) -> BTreeMap<&'static str, String> {
        self.act(|inner, _| {
            let Depth { visible, in_flight, delayed } = inner.messages.depth();
            let mut attributes = inner.settings.written();
            attributes.extend([
                ("ApproximateNumberOfMessages", visible.to_string()),
                ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
                ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
                ("CreatedTimestamp", inner.created_at.unix_timestamp().to_string()),
                ("LastModifiedTimestamp", inner.modified_at.unix_timestamp().to_string()),
                ("QueueArn", self.arn.to_string()),
            ]);
            attributes
        })
    }

    /// Takes what is visible, and says when to look again.
    fn take(
        &self,
        receive: &Receive,
        in_a_hurry: bool,
    ) -> Result<(Vec<Received>, Option<Instant>), QueueError> {
        let at = self.clock.now();
        let (taken, dead_letters, next_change) = self.act(|inner, now| {
            if inner.messages.depth().in_flight >= IN_FLIGHT_MAX {
                // A long poll is not refused, it finds nothing.
                return if in_a_hurry {
                    Err(QueueError::OverLimit)
                } else {
                    Ok((Taken::default(), None, None))
                };
            }
            let redrive = inner.settings.redrive();
            let dead_letters =
                redrive.and_then(|redrive| Some((redrive.target.upgrade()?, redrive.receives_max)));
            let take = Take {
                max: receive.max,
                hidden_for: receive.hidden_for.unwrap_or_else(|| inner.settings.visibility_timeout()),
                receives_max: dead_letters.as_ref().map(|(_, receives_max)| *receives_max),
                at,
            };
            let taken = inner.messages.take(now, &take);
            Ok((taken, dead_letters.map(|(queue, _)| queue), inner.messages.next_change()))
        })?;
        if let Some(queue) = dead_letters {
            for message in taken.dead {
                queue.bury(message, &self.arn);
            }
        }
        Ok((taken.received, next_change))
    }

    /// Takes another queue's dead letter, with its id, its times and its count; a full queue loses it.
    fn bury(&self, message: Message, from: &Arc<str>) {
        let message = Message { dead_from: Some(from.clone()), ..message };
        self.act(|inner, now| {
            if inner.messages.depth().total() < self.held_max {
                inner.messages.put(now, message, Duration::ZERO);
            } else {
                tracing::warn!(queue = self.name, "a dead letter is lost, as the queue is full");
            }
        });
    }

    /// The one door to what changes: lets fall due what is due, acts, and wakes whom it concerns.
    fn act<T>(&self, act: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let mut inner = self.lock();
        let now = Instant::now();
        inner.messages.settle(now);
        let before = (inner.messages.depth(), inner.messages.next_change());
        let answer = act(&mut inner, now);
        let after = (inner.messages.depth(), inner.messages.next_change());
        drop(inner);
        let sooner = after.1.is_some_and(|after| before.1.is_none_or(|before| after < before));
        if sooner {
            self.arrival.notify_waiters();
        } else if after.0.visible > before.0.visible {
            self.arrival.notify_one();
        }
        if after.0.total() == 0 && before.0.total() > 0 {
            self.emptied.notify_waiters();
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
