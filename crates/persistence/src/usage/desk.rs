use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{counter, histogram};
use stallkeeper_ledger::Submission;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_runtime::WallClock;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use crate::usage::take_each::{Requests, take_each};
use crate::usage::{EVENTS_MAX, MeterTermsOf, Taken};
use crate::{CommitStore, StoreError};

/// How many transactions' worth of events are at the desk at the most, the running one included.
const TRANSACTIONS_WAITING: usize = 4;
const EVENTS_WAITING: usize = TRANSACTIONS_WAITING * EVENTS_MAX;

/// The longest time after which a caller is asked to try again.
const RETRY_AFTER_SECS_MAX: u64 = 60;

/// The door through which usage comes in; cheap to clone.
#[derive(Clone, Debug)]
pub struct UsageDesk {
    requests: mpsc::Sender<Request>,
    room: Room,
    usage_news: Arc<Notify>,
}

/// Owns the intake: while one transaction runs, arrivals gather, and the next takes them all.
pub struct UsageIntake {
    requests: mpsc::Receiver<Request>,
    store: Arc<dyn CommitStore>,
    clock: Arc<dyn WallClock>,
    terms: Arc<dyn MeterTermsOf>,
    room: Room,
    usage_news: Arc<Notify>,
}

/// Why usage was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// More is waiting than can be held: send it again later.
    #[error("not stored: too much usage is waiting; try again in {retry_after_secs} s")]
    Busy {
        /// When there is room again, as far as can be foreseen.
        retry_after_secs: u64,
    },
    /// The database cannot be reached, or is too busy: send it again later. Some of it may be stored, and
    /// counts once all the same.
    #[error("not stored: the database cannot take it now")]
    Unavailable(#[source] StoreError),
    /// The database refuses this request alone; sending it again does not help.
    #[error("not stored: the database refuses it")]
    Refused(#[source] StoreError),
    /// The worker is stopping: send it again later.
    #[error("not stored: the worker is stopping")]
    Stopped,
}

/// One caller's usage, never parted unless it is larger than a transaction takes.
#[derive(Debug)]
struct Request {
    submissions: Vec<Submission>,
    caller: Caller,
}

#[derive(Debug)]
struct Caller {
    answer: oneshot::Sender<Result<Vec<Taken>, DeskError>>,
    /// Given back once it is answered.
    _room: OwnedSemaphorePermit,
}

/// Makes the door and what stands behind it.
pub fn usage_desk(
    store: Arc<dyn CommitStore>,
    clock: Arc<dyn WallClock>,
    terms: Arc<dyn MeterTermsOf>,
) -> (UsageDesk, UsageIntake) {
    // A request holds one event at least, so that there is room for it here where there is for its events.
    let (sender, receiver) = mpsc::channel(EVENTS_WAITING);
    let room = Room::default();
    let usage_news = Arc::new(Notify::new());
    let desk = UsageDesk { requests: sender, room: room.clone(), usage_news: usage_news.clone() };
    (desk, UsageIntake { requests: receiver, store, clock, terms, room, usage_news })
}

impl UsageDesk {
    /// Takes usage in: all that is not refused is durable when this answers, one answer for each.
    ///
    /// Dropped before it answers, it may be taken in all the same.
    ///
    /// # Errors
    /// [`DeskError`] says whether to send it again; at once where too much is waiting.
    pub async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Taken>, DeskError> {
        if submissions.is_empty() {
            return Ok(Vec::new());
        }
        let room = self.room.take(submissions.len())?;
        let (answer, taken) = oneshot::channel();
        let request = Request { submissions, caller: Caller { answer, _room: room } };
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => self.room.busy(),
            mpsc::error::TrySendError::Closed(_) => DeskError::Stopped,
        })?;
        taken.await.map_err(|_| DeskError::Stopped)?
    }

    /// Notified when usage was stored, so that something may be to be closed.
    pub fn usage_news(&self) -> Arc<Notify> {
        self.usage_news.clone()
    }
}

impl UsageIntake {
    /// Takes usage in until every [`UsageDesk`] is gone, or until `stop`: what waits by then is taken in, and
    /// nothing more.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        let mut left_over = None;
        loop {
            let first = if let Some(request) = left_over.take() {
                Some(request)
            } else {
                tokio::select! {
                    request = self.requests.recv() => request,
                    () = &mut stop, if !self.requests.is_closed() => {
                        self.requests.close();
                        continue;
                    }
                }
            };
            let Some(first) = first else { return };
            let batch;
            (batch, left_over) = self.gather(first);
            self.take(batch).await;
        }
    }

    /// All that waits and goes into one transaction, and the first request that does not.
    fn gather(&mut self, first: Request) -> (Vec<Request>, Option<Request>) {
        let mut events = first.submissions.len();
        let mut batch = vec![first];
        while let Ok(next) = self.requests.try_recv() {
            events = events.saturating_add(next.submissions.len());
            if events > EVENTS_MAX {
                return (batch, Some(next));
            }
            batch.push(next);
        }
        (batch, None)
    }

    async fn take(&self, batch: Vec<Request>) {
        let mut requests = Requests::default();
        let mut callers = Vec::with_capacity(batch.len());
        for Request { submissions, caller } in batch {
            requests.push(submissions);
            callers.push(caller);
        }
        let started = Instant::now();
        let now = Timestamp::from(self.clock.now());
        let each = take_each(&*self.store, &requests, now, &*self.terms).await;
        self.room.learn(started);
        histogram!("stallkeeper_usage_intake_seconds").record(started.elapsed().as_secs_f64());
        histogram!("stallkeeper_usage_intake_events")
            .record(u32::try_from(requests.events()).unwrap_or(u32::MAX));
        counter!("stallkeeper_usage_intake_conflicts_total").increment(each.conflicts);
        if each.commits > 0 {
            self.usage_news.notify_one();
        }
        count(each.results.iter().flatten().flatten());
        for (caller, result) in callers.into_iter().zip(each.results) {
            // A caller that went away learns that its events are known when it sends them again.
            let _gone = caller.answer.send(result.map_err(DeskError::from));
        }
    }
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Conflict(_) => Self::Unavailable(error),
            StoreError::Data(_) | StoreError::Unreadable { .. } => Self::Refused(error),
        }
    }
}

/// How much may wait, and how long it takes.
#[derive(Clone, Debug)]
struct Room {
    events: Arc<Semaphore>,
    /// How long the last transaction took.
    last_millis: Arc<AtomicU64>,
}

impl Default for Room {
    fn default() -> Self {
        Self { events: Arc::new(Semaphore::new(EVENTS_WAITING)), last_millis: Arc::default() }
    }
}

impl Room {
    fn take(&self, events: usize) -> Result<OwnedSemaphorePermit, DeskError> {
        let events = u32::try_from(events.min(EVENTS_WAITING)).unwrap_or(u32::MAX);
        Arc::clone(&self.events).try_acquire_many_owned(events).map_err(|_| self.busy())
    }

    fn learn(&self, started: Instant) {
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
    }

    /// All that waits is taken in after as many transactions like the last one.
    fn busy(&self) -> DeskError {
        counter!("stallkeeper_usage_turned_away_total").increment(1);
        let waiting = self.last_millis.load(Ordering::Relaxed).saturating_mul(TRANSACTIONS_WAITING as u64);
        DeskError::Busy { retry_after_secs: waiting.div_ceil(1_000).clamp(1, RETRY_AFTER_SECS_MAX) }
    }
}

fn count<'a>(taken: impl Iterator<Item = &'a Taken>) {
    let mut outcomes = [("counted", 0_u64), ("held", 0), ("lost", 0), ("known", 0), ("refused", 0)];
    for taken in taken {
        let word = taken.word();
        for (_, count) in outcomes.iter_mut().filter(|(outcome, _)| *outcome == word) {
            *count += 1;
        }
    }
    for (outcome, count) in outcomes.into_iter().filter(|(_, count)| *count > 0) {
        counter!("stallkeeper_usage_events_total", "outcome" => outcome).increment(count);
    }
}
