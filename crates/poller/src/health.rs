//! Whether a poller works.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    control::PollerControl,
    error::{QueueError, QueueErrorKind},
    lease::LeaseTable,
};

/// What is wrong with a queue right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong; its `remedy` says what to do.
    pub kind: QueueErrorKind,
    /// The latest error with its causes.
    pub detail: String,
    /// How long no receive has succeeded.
    pub lasting: Duration,
}

/// How receiving goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No receive has been answered yet.
    Starting,
    /// The latest receive succeeded.
    Working,
    /// The latest receive failed.
    Failing(Problem),
}

/// A poller at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSnapshot {
    /// How receiving goes.
    pub standing: Standing,
    /// Whether an operator paused it.
    pub paused: bool,
    /// Messages being handled.
    pub in_flight: usize,
    /// Time since a receive was last answered, with or without messages.
    pub since_last_receive: Option<Duration>,
    /// Time since a message last came.
    pub since_last_message: Option<Duration>,
}

impl HealthSnapshot {
    /// Whether the queue is known to be usable; a pause is an operator's wish and does not count against it.
    pub fn is_ready(&self) -> bool {
        match &self.standing {
            Standing::Starting => false,
            Standing::Working => true,
            Standing::Failing(problem) => !problem.kind.blocks_readiness(),
        }
    }
}

/// Reads a poller's health; clones share it.
#[derive(Clone)]
pub struct PollerHealth {
    state: Arc<HealthState>,
    control: PollerControl,
    leases: Arc<LeaseTable>,
}

impl PollerHealth {
    pub(crate) fn new(state: Arc<HealthState>, control: PollerControl, leases: Arc<LeaseTable>) -> Self {
        Self { state, control, leases }
    }

    /// The poller at this moment.
    pub fn snapshot(&self) -> HealthSnapshot {
        let now = Instant::now();
        let facts = self.state.facts.lock().unwrap_or_else(PoisonError::into_inner);
        HealthSnapshot {
            standing: facts.standing(now),
            paused: self.control.is_paused(),
            in_flight: self.leases.len(),
            since_last_receive: facts.last_receive.map(|at| now - at),
            since_last_message: facts.last_message.map(|at| now - at),
        }
    }
}

/// Written by the receiving side only.
#[derive(Debug, Default)]
pub(crate) struct HealthState {
    facts: Mutex<Facts>,
}

#[derive(Debug, Default)]
struct Facts {
    last_receive: Option<Instant>,
    last_message: Option<Instant>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    kind: QueueErrorKind,
    detail: String,
    since: Instant,
}

impl Facts {
    fn standing(&self, now: Instant) -> Standing {
        match (&self.failing, self.last_receive) {
            (Some(failing), _) => Standing::Failing(Problem {
                kind: failing.kind,
                detail: failing.detail.clone(),
                lasting: now - failing.since,
            }),
            (None, Some(_)) => Standing::Working,
            (None, None) => Standing::Starting,
        }
    }
}

impl HealthState {
    /// A receive was answered; returns what had been wrong until now.
    pub(crate) fn received(&self, messages: usize) -> Option<QueueErrorKind> {
        let now = Instant::now();
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.last_receive = Some(now);
        if messages > 0 {
            facts.last_message = Some(now);
        }
        facts.failing.take().map(|failing| failing.kind)
    }

    /// A receive failed; returns whether this kind of failure is news.
    pub(crate) fn failed(&self, error: &QueueError) -> bool {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = facts.failing.as_ref().map(|failing| (failing.kind, failing.since));
        facts.failing = Some(Failing {
            kind: error.kind(),
            detail: error.chain(),
            since: before.map_or_else(Instant::now, |(_, since)| since),
        });
        before.is_none_or(|(kind, _)| kind != error.kind())
    }

    /// Whether the latest receive succeeded.
    pub(crate) fn is_working(&self) -> bool {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.failing.is_none() && facts.last_receive.is_some()
    }
}
