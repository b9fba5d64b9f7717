use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _};
use metrics::{counter, histogram};
use stallkeeper_ledger::{ANSWER_WAIT, Call, CallGroup, Outgoing};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::Started;
use stallkeeper_runtime::WallClock;
use tokio::sync::{MutexGuard, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::lease::LaneLease;
use crate::outcome::{Came, Made};
use crate::{Lane, LaneHealth, LaneTrouble, Pacer};

/// How long after it was stored a call may begin: before its records may be sent again it is over.
const BEGIN_WITHIN: Duration = Duration::from_secs(ANSWER_WAIT.as_secs() / 2);

/// After so many calls without any answer a wave begins no more.
const UNANSWERED_MAX: u32 = 3;

/// Makes the calls of one lane.
pub(crate) struct Caller {
    pub(crate) lane: Lane,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) pacer: Pacer,
    pub(crate) slots: Semaphore,
    /// Held by the wave whose calls begin: those of the next one, less urgent, begin after them.
    pub(crate) queue: tokio::sync::Mutex<()>,
    pub(crate) in_flight: usize,
    pub(crate) health: LaneHealth,
}

/// How one wave fares.
#[derive(Debug, Default)]
pub(crate) struct Wave(Mutex<Tally>);

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    heard: u32,
    unanswered: u32,
    throttled: u32,
    not_possible: u32,
}

/// What a wave says of the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fared {
    /// Every call was answered.
    Well,
    /// Some were not.
    Partly,
    /// None was.
    Badly,
}

/// The calls of a wave that have not begun, which keep the next wave's waiting.
struct Ahead<'a>(Mutex<(usize, Option<MutexGuard<'a, ()>>)>);

impl<'a> Ahead<'a> {
    fn of(calls: usize, queue: MutexGuard<'a, ()>) -> Self {
        Self(Mutex::new((calls, Some(queue))))
    }

    fn one_begins(&self) {
        let mut ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.0 = ahead.0.saturating_sub(1);
        if ahead.0 == 0 {
            ahead.1 = None;
        }
    }
}

impl Wave {
    fn note(&self, came: &Came) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match came {
            Came::Answered | Came::Refused => tally.heard += 1,
            Came::Unanswered => tally.unanswered += 1,
            Came::Throttled => tally.throttled += 1,
            Came::NotPossible { .. } => tally.not_possible += 1,
            Came::NotBegun => {}
        }
    }

    /// Whether no more of its calls are to begin.
    pub(crate) fn is_over(&self) -> bool {
        let Tally { heard, unanswered, throttled, not_possible } = self.tally();
        throttled + not_possible > 0 || (heard == 0 && unanswered >= UNANSWERED_MAX)
    }

    pub(crate) fn fared(&self) -> Fared {
        let Tally { heard, unanswered, throttled, not_possible } = self.tally();
        match (heard, unanswered + throttled + not_possible) {
            (_, 0) => Fared::Well,
            (0, _) => Fared::Badly,
            _ => Fared::Partly,
        }
    }

    fn tally(&self) -> Tally {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    /// Makes stored calls in their order, several at once, and answers what each came to, as it is known.
    pub(crate) async fn make_all<'a>(
        &'a self,
        wave: &'a Wave,
        calls: Vec<Started>,
        stored_at: Timestamp,
        lease: &'a LaneLease,
        stop: &'a CancellationToken,
    ) -> impl Stream<Item = Made> + 'a {
        let ahead = Arc::new(Ahead::of(calls.len(), self.queue.lock().await));
        let calls =
            stream::iter(calls).map(move |call| self.make(wave, call, stored_at, lease, ahead.clone(), stop));
        calls.buffer_unordered(self.in_flight.max(1))
    }

    async fn make(
        &self,
        wave: &Wave,
        call: Started,
        stored_at: Timestamp,
        lease: &LaneLease,
        ahead: Arc<Ahead<'_>>,
        stop: &CancellationToken,
    ) -> Made {
        let Started { attempt, records } = call;
        // Never closed, so that there is always a slot in the end.
        let _slot = self.slots.acquire().await;
        if !stop.is_cancelled() && !wave.is_over() {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.pacer.turn() => {}
            }
        }
        ahead.one_begins();
        drop(ahead);
        let now = self.now();
        let hindrance = if stop.is_cancelled() {
            Some("the worker is stopping")
        } else if wave.is_over() {
            Some("calls before it failed")
        } else if !lease.covers(now) {
            Some("the lane's lease is over")
        } else if now.since(stored_at) > BEGIN_WITHIN {
            Some("it took too long to begin")
        } else {
            None
        };
        if let Some(why) = hindrance {
            return Made::not_begun(attempt, &records, why, now);
        }
        let (in_time, late): (Vec<Outgoing>, Vec<Outgoing>) =
            records.into_iter().partition(|record| now < record.until);
        let Some(group) = in_time.first().map(|record| CallGroup::of(&record.report.who)) else {
            return Made::not_begun(attempt, &late, "its time is over", now);
        };
        let made = self.call(attempt, Call { group, records: in_time }, &late).await;
        wave.note(&made.came);
        made
    }

    async fn call(&self, attempt: i64, call: Call, late: &[Outgoing]) -> Made {
        let started = Instant::now();
        let said = self.lane.api.report(&call).await;
        let made = Made::of(attempt, &call.records, late, said, self.now());
        let name = self.lane.name.clone();
        histogram!("stallkeeper_metering_call_seconds", "lane" => name.clone())
            .record(started.elapsed().as_secs_f64());
        counter!("stallkeeper_metering_calls_total", "lane" => name, "outcome" => made.came.word())
            .increment(1);
        self.learn(&made);
        made
    }

    fn learn(&self, made: &Made) {
        match &made.came {
            Came::NotPossible { problem, remedy } => {
                let trouble = LaneTrouble {
                    lane: self.lane.name.clone(),
                    problem: problem.clone(),
                    remedy: remedy.clone(),
                };
                if self.health.learn(&self.lane.name, Some(trouble)) {
                    tracing::error!(lane = self.lane.name, problem, remedy, "metering is not possible");
                }
            }
            Came::Answered | Came::Refused => {
                if self.health.learn(&self.lane.name, None) {
                    tracing::info!(lane = self.lane.name, "metering is possible again");
                }
            }
            Came::Throttled | Came::Unanswered => {
                let error = made.result.outcome.error.as_deref().unwrap_or_default();
                tracing::info!(lane = self.lane.name, attempt = made.result.attempt, error, "a call failed");
            }
            Came::NotBegun => {}
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }
}
