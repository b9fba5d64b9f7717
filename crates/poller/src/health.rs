//! Whether a poller works.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
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
    /// What does not work (receiving, deleting, or changing time-outs), and its latest error with its causes.
    pub detail: String,
    /// How long this has not succeeded.
    pub lasting: Duration,
}

/// How the work with the queue goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No receive has been answered yet.
    Starting,
    /// The latest receive succeeded, and nothing else is known to fail.
    Working,
    /// The worst of what fails: the latest receive, or deletions or time-out changes that the queue does not let us
    /// make.
    Failing(Problem),
}

/// A poller at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSnapshot {
    /// How the work with the queue goes.
    pub standing: Standing,
    /// Whether an operator paused it.
    pub paused: bool,
    /// Messages being handled.
    pub in_flight: usize,
    /// Those of them whose handler answered `Blocked`, and which wait to be handled again.
    pub blocked: usize,
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
            blocked: self.state.blocked.load(Ordering::Relaxed),
            since_last_receive: facts.last_receive.map(|at| now - at),
            since_last_message: facts.last_message.map(|at| now - at),
        }
    }
}

/// What a poller does with its queue; each can fail by itself, because each needs a permission of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Activity {
    Receiving,
    Deleting,
    /// Keeping leases and putting messages back.
    ChangingTimeouts,
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receiving => "receiving messages",
            Self::Deleting => "deleting messages",
            Self::ChangingTimeouts => "changing the time-outs of messages",
        })
    }
}

/// Each activity writes its own facts.
#[derive(Debug, Default)]
pub(crate) struct HealthState {
    facts: Mutex<Facts>,
    blocked: AtomicUsize,
}

#[derive(Debug, Default)]
struct Facts {
    last_receive: Option<Instant>,
    last_message: Option<Instant>,
    failing: BTreeMap<Activity, Failing>,
}

#[derive(Debug)]
struct Failing {
    kind: QueueErrorKind,
    detail: String,
    since: Instant,
}

impl Facts {
    fn standing(&self, now: Instant) -> Standing {
        let worst = self.failing.iter().min_by_key(|(_, failing)| !failing.kind.blocks_readiness());
        match (worst, self.last_receive) {
            (Some((activity, failing)), _) => Standing::Failing(Problem {
                kind: failing.kind,
                detail: format!("{activity}: {}", failing.detail),
                lasting: now - failing.since,
            }),
            (None, Some(_)) => Standing::Working,
            (None, None) => Standing::Starting,
        }
    }

    /// Whether this kind of failure is news.
    fn failed(&mut self, activity: Activity, error: &QueueError) -> bool {
        let before = self.failing.get(&activity).map(|failing| (failing.kind, failing.since));
        let since = before.map_or_else(Instant::now, |(_, since)| since);
        self.failing.insert(activity, Failing { kind: error.kind(), detail: error.chain(), since });
        before.is_none_or(|(kind, _)| kind != error.kind())
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
        facts.failing.remove(&Activity::Receiving).map(|failing| failing.kind)
    }

    /// A receive failed; returns whether this kind of failure is news.
    pub(crate) fn failed(&self, error: &QueueError) -> bool {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.failed(Activity::Receiving, error)
    }

    /// A call that changes messages came back. Failures that pass by themselves are tried again and tell nothing;
    /// the others stay until the same activity succeeds.
    pub(crate) fn answered<T>(&self, activity: Activity, answer: &Result<T, QueueError>) {
        match answer {
            Ok(_) => self.works(activity),
            Err(error) if needs_an_operator(error.kind()) => self.does_not_work(activity, error),
            Err(_) => {}
        }
    }

    fn works(&self, activity: Activity) {
        let was = self.facts.lock().unwrap_or_else(PoisonError::into_inner).failing.remove(&activity);
        if let Some(was) = was {
            tracing::info!(%activity, was = was.kind.as_str(), "queue works again");
        }
    }

    fn does_not_work(&self, activity: Activity, error: &QueueError) {
        let news = self.facts.lock().unwrap_or_else(PoisonError::into_inner).failed(activity, error);
        if news {
            tracing::error!(
                %activity,
                kind = error.kind().as_str(),
                error = error.chain(),
                remedy = error.remedy(),
                "queue does not work"
            );
        }
    }

    /// One more message waits for its handler not to be blocked.
    pub(crate) fn blocked(&self) {
        self.blocked.fetch_add(1, Ordering::Relaxed);
    }

    /// One message fewer waits.
    pub(crate) fn unblocked(&self) {
        self.blocked.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether the latest receive succeeded.
    pub(crate) fn is_working(&self) -> bool {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        !facts.failing.contains_key(&Activity::Receiving) && facts.last_receive.is_some()
    }
}

fn needs_an_operator(kind: QueueErrorKind) -> bool {
    match kind {
        QueueErrorKind::MissingCredentials
        | QueueErrorKind::InvalidCredentials
        | QueueErrorKind::QueueNotFound
        | QueueErrorKind::AccessDenied => true,
        QueueErrorKind::Throttled | QueueErrorKind::Unavailable | QueueErrorKind::Refused => false,
    }
}
