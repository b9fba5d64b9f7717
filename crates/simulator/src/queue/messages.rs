use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::message::Message;
use super::receipt::Receipt;
use super::{Counts, Depth, QueueError};

/// The longest that a message can be hidden after it was received: 12 hours.
pub(crate) const HIDDEN_MAX: Duration = Duration::from_hours(12);

/// The messages of one standard queue. It reads no clock: whoever calls says what time it is, and calls
/// [`Messages::settle`] first.
///
/// No call costs more than the logarithm of what is held, but for what it hands out or lets fall due.
#[derive(Debug)]
pub(crate) struct Messages {
    queue_tag: u64,
    next_number: u64,
    held: HashMap<u64, Held>,
    /// In the order in which they became visible; a number that is not `Visible` any more is passed over.
    line: VecDeque<u64>,
    delayed: BTreeSet<(Instant, u64)>,
    in_flight: BTreeSet<(Instant, u64)>,
    counts: Counts,
}

#[derive(Debug)]
struct Held {
    message: Message,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Visible,
    Delayed { until: Instant },
    InFlight { since: Instant, until: Instant },
}

/// A message that was handed out, and what that receive is named by.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) message: Message,
    pub(crate) receipt: Receipt,
}

/// What a receive took out of the line.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) received: Vec<Received>,
    /// Received too often before; no longer held.
    pub(crate) dead: Vec<Message>,
}

/// What a receive asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Take {
    pub(crate) max: usize,
    pub(crate) hidden_for: Duration,
    /// After how many receives a message is dead instead; never where there is no dead-letter queue.
    pub(crate) receives_max: Option<u32>,
    /// The marketplace's time.
    pub(crate) at: OffsetDateTime,
}

impl Messages {
    pub(crate) fn new(queue_tag: u64) -> Self {
        Self {
            queue_tag,
            next_number: 0,
            held: HashMap::new(),
            line: VecDeque::new(),
            delayed: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    /// Lets everything become visible that is due, in the order in which it fell due.
    pub(crate) fn settle(&mut self, now: Instant) {
        while self.next_change().is_some_and(|due| due <= now) {
            let number = match (self.delayed.first(), self.in_flight.first()) {
                (Some(delayed), Some(in_flight)) if in_flight < delayed => self.in_flight.pop_first(),
                (Some(_), _) => self.delayed.pop_first(),
                (None, _) => self.in_flight.pop_first(),
            };
            let Some((_, number)) = number else { return };
            self.show(number);
        }
    }

    /// When the next hidden message becomes visible.
    pub(crate) fn next_change(&self) -> Option<Instant> {
        let (delayed, in_flight) = (self.delayed.first(), self.in_flight.first());
        delayed.into_iter().chain(in_flight).map(|(until, _)| *until).min()
    }

    pub(crate) fn put(&mut self, now: Instant, message: Message, delay: Duration) {
        let number = self.next_number;
        self.next_number += 1;
        self.counts.put += 1;
        let state = if delay.is_zero() {
            self.line.push_back(number);
            State::Visible
        } else {
            let until = now + delay;
            self.delayed.insert((until, number));
            State::Delayed { until }
        };
        self.held.insert(number, Held { message, state });
    }

    /// Hands out what is visible, each message once.
    pub(crate) fn take(&mut self, now: Instant, take: &Take) -> Taken {
        let mut taken = Taken::default();
        for _ in 0..self.line.len() {
            if taken.received.len() >= take.max {
                break;
            }
            let Some(number) = self.line.pop_front() else { break };
            let Some(held) = self.held.get_mut(&number) else { continue };
            if take.receives_max.is_some_and(|max| held.message.receives >= max) {
                taken.dead.extend(self.held.remove(&number).map(|held| held.message));
                continue;
            }
            taken.received.push(held.receive(
                take.at,
                Receipt { queue_tag: self.queue_tag, number, receive: held.message.receives + 1 },
            ));
            self.counts.received += 1;
            self.hide(number, now, now + take.hidden_for);
        }
        taken
    }

    /// Deletes a message; with the receipt of an earlier receive, or a second time, it succeeds and changes
    /// nothing, as `DeleteMessage` is documented.
    pub(crate) fn delete(&mut self, handle: &str) -> Result<(), QueueError> {
        let receipt = self.own(handle)?;
        let Some(held) = self.held.get(&receipt.number) else { return Ok(()) };
        if held.message.receives != receipt.receive {
            return Ok(());
        }
        self.leave(receipt.number, held.state);
        self.held.remove(&receipt.number);
        self.counts.deleted += 1;
        Ok(())
    }

    /// Hides a message in flight for so long from now on.
    pub(crate) fn change_visibility(
        &mut self,
        now: Instant,
        handle: &str,
        hidden_for: Duration,
    ) -> Result<(), QueueError> {
        let receipt = self.own(handle)?;
        let held = self.held.get(&receipt.number).filter(|held| held.message.receives == receipt.receive);
        let Some(&Held { state: state @ State::InFlight { since, .. }, .. }) = held else {
            return Err(QueueError::NotInFlight);
        };
        let until = now + hidden_for;
        if until > since + HIDDEN_MAX {
            return Err(QueueError::BadParameter {
                name: "VisibilityTimeout",
                value: hidden_for.as_secs().to_string(),
                reason: "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]".into(),
            });
        }
        self.leave(receipt.number, state);
        if hidden_for.is_zero() {
            self.show(receipt.number);
        } else {
            self.fly(receipt.number, since, until);
        }
        Ok(())
    }

    /// Drops everything, also what is in flight.
    pub(crate) fn purge(&mut self) {
        self.held.clear();
        self.line.clear();
        self.delayed.clear();
        self.in_flight.clear();
    }

    pub(crate) fn depth(&self) -> Depth {
        let (delayed, in_flight) = (self.delayed.len(), self.in_flight.len());
        Depth { visible: self.held.len() - delayed - in_flight, in_flight, delayed }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    fn own(&self, handle: &str) -> Result<Receipt, QueueError> {
        Receipt::read(handle)
            .filter(|receipt| receipt.queue_tag == self.queue_tag && receipt.number < self.next_number)
            .ok_or_else(|| QueueError::BadReceipt { handle: handle.to_owned() })
    }

    fn hide(&mut self, number: u64, since: Instant, until: Instant) {
        if until <= since { self.show(number) } else { self.fly(number, since, until) }
    }

    fn fly(&mut self, number: u64, since: Instant, until: Instant) {
        if let Some(held) = self.held.get_mut(&number) {
            held.state = State::InFlight { since, until };
            self.in_flight.insert((until, number));
        }
    }

    fn show(&mut self, number: u64) {
        if let Some(held) = self.held.get_mut(&number) {
            held.state = State::Visible;
            self.line.push_back(number);
        }
    }

    /// Takes a message out of where its state keeps it; the line passes over those that are gone by itself.
    fn leave(&mut self, number: u64, state: State) {
        match state {
            State::Visible => {}
            State::Delayed { until } => _ = self.delayed.remove(&(until, number)),
            State::InFlight { until, .. } => _ = self.in_flight.remove(&(until, number)),
        }
    }
}

impl Held {
    fn receive(&mut self, at: OffsetDateTime, receipt: Receipt) -> Received {
        self.message.receives = receipt.receive;
        self.message.first_received_at.get_or_insert(at);
        Received { message: self.message.clone(), receipt }
    }
}
