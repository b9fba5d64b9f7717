use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, histogram};
use stallkeeper_lifecycle::{Flag, SubscriptionKey, Timestamp};
use stallkeeper_runtime::WallClock;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use crate::{CommitStore, Content, Incoming, Outcome, Settled, StoreError, TermsOf, commit_each};

/// How many items one transaction takes at the most.
pub const BATCH_MAX: usize = 256;

/// The door to the commit; cheap to clone.
#[derive(Clone, Debug)]
pub struct Committer {
    requests: mpsc::Sender<Request>,
    jobs_written: Arc<Notify>,
    slow_jobs_written: Arc<Notify>,
    metering_news: Arc<Notify>,
    health: CommitHealth,
}

/// Owns the commit: while one transaction runs, arrivals gather, and the next takes them all.
pub struct Batcher {
    requests: mpsc::Receiver<Request>,
    store: Arc<dyn CommitStore>,
    clock: Arc<dyn WallClock>,
    terms: Arc<dyn TermsOf>,
    jobs_written: Arc<Notify>,
    slow_jobs_written: Arc<Notify>,
    metering_news: Arc<Notify>,
    health: CommitHealth,
}

/// Whether commits come through; clones share it.
#[derive(Clone, Debug, Default)]
pub struct CommitHealth(Arc<Mutex<Option<Trouble>>>);

#[derive(Debug)]
struct Trouble {
    error: String,
    at: Instant,
}

/// For how long a failed commit speaks for the next one, as nothing may come that could try again.
const TROUBLE_LASTS: Duration = Duration::from_mins(1);

impl CommitHealth {
    /// Why the last commit failed, if one did within the last minute and none came through since.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = trouble.as_ref().filter(|trouble| trouble.at.elapsed() < TROUBLE_LASTS)?;
        Some(fresh.error.clone())
    }

    fn learn(&self, results: &[Result<Outcome, StoreError>]) {
        let failed = results.iter().find_map(|result| match result {
            Err(error @ (StoreError::Unavailable(_) | StoreError::Conflict(_))) => Some(error),
            _ => None,
        });
        let trouble = failed.map(|error| Trouble {
            error: error.source().map_or_else(|| error.to_string(), ToString::to_string),
            at: Instant::now(),
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

#[derive(Debug)]
struct Request {
    incoming: Incoming,
    answer: oneshot::Sender<Result<Outcome, SubmitError>>,
}

/// Why something was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The database cannot be reached, or is too busy: do not acknowledge, try again later.
    #[error("not stored: the database cannot take it now")]
    Unavailable(#[source] StoreError),
    /// The database refuses this item alone: put it aside.
    #[error("not stored: the database refuses it")]
    Refused(#[source] StoreError),
    /// The worker is stopping: do not acknowledge.
    #[error("not stored: the worker is stopping")]
    Stopped,
}

/// Makes the door and what stands behind it.
pub fn batcher(
    store: Arc<dyn CommitStore>,
    clock: Arc<dyn WallClock>,
    terms: Arc<dyn TermsOf>,
) -> (Committer, Batcher) {
    let (sender, receiver) = mpsc::channel(2 * BATCH_MAX);
    let jobs_written = Arc::new(Notify::new());
    let slow_jobs_written = Arc::new(Notify::new());
    let metering_news = Arc::new(Notify::new());
    let health = CommitHealth::default();
    let committer = Committer {
        requests: sender,
        jobs_written: jobs_written.clone(),
        slow_jobs_written: slow_jobs_written.clone(),
        metering_news: metering_news.clone(),
        health: health.clone(),
    };
    let batcher = Batcher {
        requests: receiver,
        store,
        clock,
        terms,
        jobs_written,
        slow_jobs_written,
        metering_news,
        health,
    };
    (committer, batcher)
}

impl Committer {
    /// Takes something in: it is durable when this answers with an outcome.
    ///
    /// Dropped before it answers, it may be taken in all the same.
    ///
    /// # Errors
    /// [`SubmitError`] says whether to try again or to put the item aside.
    pub async fn submit(&self, incoming: Incoming) -> Result<Outcome, SubmitError> {
        let (answer, outcome) = oneshot::channel();
        self.requests.send(Request { incoming, answer }).await.map_err(|_| SubmitError::Stopped)?;
        outcome.await.map_err(|_| SubmitError::Stopped)?
    }

    /// Tells whether commits come through, without keeping the door open.
    pub fn health(&self) -> CommitHealth {
        self.health.clone()
    }

    /// Notified when jobs were stored that something runs.
    pub fn jobs_written(&self) -> Arc<Notify> {
        self.jobs_written.clone()
    }

    /// Notified as [`jobs_written`](Self::jobs_written), for one who runs slow jobs beside all others.
    pub fn slow_jobs_written(&self) -> Arc<Notify> {
        self.slow_jobs_written.clone()
    }

    /// Notified when a meter has something to be closed, frozen, released or lost.
    pub fn metering_news(&self) -> Arc<Notify> {
        self.metering_news.clone()
    }
}

impl Batcher {
    /// Commits until every [`Committer`] is gone.
    pub async fn run(mut self) {
        let mut requests = Vec::with_capacity(BATCH_MAX);
        while self.requests.recv_many(&mut requests, BATCH_MAX).await > 0 {
            self.commit(&mut requests).await;
        }
    }

    async fn commit(&self, requests: &mut Vec<Request>) {
        let (batch, answers): (Vec<Incoming>, Vec<_>) =
            requests.drain(..).map(|request| (request.incoming, request.answer)).unzip();
        let started = Instant::now();
        let now = Timestamp::from(self.clock.now());
        let isolated = commit_each(&*self.store, &batch, now, &*self.terms).await;
        histogram!("stallkeeper_commit_seconds").record(started.elapsed().as_secs_f64());
        histogram!("stallkeeper_commit_items").record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        counter!("stallkeeper_commit_conflicts_total").increment(isolated.conflicts);
        self.health.learn(&isolated.results);
        isolated.alarms.iter().for_each(|(key, flag)| alarm(key, flag));
        if isolated.has_due_jobs {
            self.jobs_written.notify_one();
            self.slow_jobs_written.notify_one();
        }
        if isolated.has_metering_news {
            self.metering_news.notify_one();
        }
        for ((incoming, answer), result) in batch.iter().zip(answers).zip(isolated.results) {
            count(&incoming.content, &result);
            // A caller that went away finds the outcome in the inbox when the message comes again.
            let _gone = answer.send(result.map_err(SubmitError::from));
        }
    }
}

impl From<StoreError> for SubmitError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Conflict(_) => Self::Unavailable(error),
            StoreError::Data(_) | StoreError::Unreadable { .. } => Self::Refused(error),
        }
    }
}

fn alarm(key: &SubscriptionKey, flag: &Flag) {
    let anomaly = flag.anomaly.name();
    counter!("stallkeeper_alarms_total", "anomaly" => anomaly).increment(1);
    tracing::warn!(
        subscription = %key,
        anomaly,
        happened_at = %flag.position.time(),
        "a notification does not fit what was heard before; see the subscription's history"
    );
}

fn count(content: &Content, result: &Result<Outcome, StoreError>) {
    let outcome = match result {
        Ok(Outcome::Settled(Settled::Applied)) => "applied",
        Ok(Outcome::Settled(Settled::Unchanged)) => "unchanged",
        Ok(Outcome::Settled(settled @ (Settled::TooOld | Settled::Taken))) => settled.as_str(),
        Ok(Outcome::Duplicate(_)) => "duplicate",
        Ok(Outcome::Quarantined) => "quarantined",
        Err(_) => "failed",
    };
    let name = match content {
        Content::Received(_) | Content::Refused(_) => "stallkeeper_commit_outcomes_total",
        Content::Act(_) => "stallkeeper_commit_acts_total",
    };
    counter!(name, "outcome" => outcome).increment(1);
}
