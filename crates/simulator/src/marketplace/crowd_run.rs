use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;

use crate::marketplace::clock_move::ClockReading;
use crate::marketplace::crowd::{Crowd, CrowdError, CrowdPlan, CrowdProgress, Present};
use crate::marketplace::market::{Inner, Marketplace};

/// How many notifications are made in one turn, before anybody else has theirs.
const BATCH_MAX: u64 = 64;
/// How many batches there are in a second where the rate is limited.
const BATCHES_PER_SEC: f64 = 20.0;
/// How many refusals in a row end a crowd; somebody else acts for its buyers then.
const REFUSALS_MAX: u32 = 100;

/// What a crowd does, and when.
struct Script {
    crowd: Crowd,
    run: u32,
    planned: u64,
    /// How many notifications are made in one turn.
    batch: u64,
    starts: OffsetDateTime,
    span: Option<Span>,
    refusals: u32,
}

/// The time that a crowd takes of the marketplace, moving its clock.
#[derive(Clone, Copy)]
struct Span {
    until: OffsetDateTime,
    /// When the latest act happened.
    acted_at: OffsetDateTime,
}

/// How a batch ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BatchEnd {
    /// There is more to come.
    More,
    /// No more acts: what is missing is made by hours that end.
    ActsDone,
    /// Buyers are refused whatever they do.
    GivenUp,
    /// The simulator is stopping.
    Stopped,
}

impl Marketplace {
    /// Lets a crowd come: random buyers who act at random, until so many notifications were published.
    ///
    /// # Errors
    ///
    /// [`CrowdError`] while another crowd runs, or if a number of the plan is out of its bounds.
    pub fn start_crowd(&self, plan: CrowdPlan) -> Result<CrowdProgress, CrowdError> {
        let products = self.inner.books().products().to_vec();
        plan.check(&products)?;
        let run = self.inner.crowd_desk.open(plan.notifications)?;
        let starts = self.inner.clock.stamp();
        let span =
            plan.span_secs.map(|secs| Span { until: starts + Duration::from_secs(secs), acted_at: starts });
        self.inner.crowd_keeps_agenda.send_replace(span.is_some());
        let script = Script {
            crowd: Crowd::new(plan.seed, run, &products),
            run,
            planned: plan.notifications,
            batch: batch(plan.rate_per_sec),
            starts,
            span,
            refusals: 0,
        };
        self.inner.tasks.spawn(self.clone().play(script, plan.rate_per_sec));
        Ok(CrowdProgress { planned: plan.notifications, published: 0, done: false })
    }

    /// How far the latest crowd is; none before the first one.
    pub fn crowd(&self) -> Option<CrowdProgress> {
        *self.inner.crowd_desk.progress().borrow()
    }

    /// Waits until no crowd runs.
    pub async fn crowd_done(&self) {
        let mut progress = self.inner.crowd_desk.progress();
        // An error means that the marketplace is gone, and no crowd with it.
        let _ = progress.wait_for(|progress| progress.is_none_or(|progress| progress.done)).await;
    }

    async fn play(self, script: Script, rate_per_sec: Option<f64>) {
        let until = script.span.map(|span| span.until);
        let stop = self.inner.stop.clone();
        let acts = async {
            self.play_acts(script, rate_per_sec).await;
            if let Some(until) = until {
                let turn = self.crowd_moves_clock(until).await;
                self.with_turn(turn, move |inner| inner.keep_agenda(until)).await;
            }
        };
        stop.run_until_cancelled(acts).await;
        // Whoever hears that the crowd is done may move the clock at once.
        self.inner.crowd_keeps_agenda.send_replace(false);
        self.inner.crowd_desk.close();
        self.inner.agenda_changed.notify_one();
    }

    async fn play_acts(&self, mut script: Script, rate_per_sec: Option<f64>) {
        let started = Instant::now();
        loop {
            let (published, _) = self.inner.crowd_desk.budget();
            let turn = match script.moment_of(published + script.batch) {
                Some(moment) => self.crowd_moves_clock(moment).await,
                None => self.turn().await,
            };
            let played = self.with_turn(turn, move |inner| {
                let end = script.play_batch(inner);
                (script, end)
            });
            let Some((rest, end)) = played.await else { return };
            script = rest;
            match end {
                BatchEnd::More => self.pace(started, rate_per_sec).await,
                BatchEnd::ActsDone | BatchEnd::Stopped => return,
                BatchEnd::GivenUp => {
                    tracing::warn!("a crowd stopped early, as its buyers' acts were refused");
                    return;
                }
            }
        }
    }

    /// Moves the clock to a moment, unless it shows a later one already, and sees to it that followers know.
    async fn crowd_moves_clock(&self, to: OffsetDateTime) -> crate::marketplace::market::Turn {
        let turn = self.turn().await;
        if let Ok(by) = Duration::try_from(to - self.inner.clock.now()) {
            self.inner.clock.advance(by);
            self.inner.followers.confirm(ClockReading::of(&self.inner.clock).moves).await;
        }
        turn
    }

    async fn pace(&self, started: Instant, rate_per_sec: Option<f64>) {
        if let Some(rate) = rate_per_sec {
            let (published, _) = self.inner.crowd_desk.budget();
            #[expect(clippy::cast_precision_loss, reason = "at most 1,000,000")]
            let due = Duration::from_secs_f64(published as f64 / rate);
            tokio::time::sleep_until(started + due).await;
        }
    }
}

impl Script {
    fn play_batch(&mut self, inner: &Inner) -> BatchEnd {
        let (published_before, _) = inner.crowd_desk.budget();
        loop {
            // Nothing is counted any more once the crowd is closed, so the count would never be reached.
            if inner.stop.is_cancelled() {
                return BatchEnd::Stopped;
            }
            let (published, budget) = inner.crowd_desk.budget();
            if published >= published_before + self.batch {
                return BatchEnd::More;
            }
            let at = self.next_moment(published, inner);
            if self.span.is_some() && inner.keep_appointment(at) {
                continue;
            }
            if budget == 0 {
                return BatchEnd::ActsDone;
            }
            if !self.play_act(inner, at, published, budget) {
                return BatchEnd::GivenUp;
            }
        }
    }

    /// Lets somebody act; false if nobody can.
    fn play_act(&mut self, inner: &Inner, at: OffsetDateTime, published: u64, budget: u64) -> bool {
        let until = self.span.map(|span| span.until);
        // Without a span nothing depends on how much time passes, so that a seed always makes the same acts.
        let decided_at = if until.is_some() { at } else { self.starts };
        let act = {
            let books = inner.books();
            self.crowd.next(&books, &Present { at: decided_at, until, budget, published })
        };
        match inner.act_at(&act, at, Some(self.run)) {
            Ok((entry, _)) => {
                inner.crowd_desk.await_end(&entry, until);
                self.refusals = 0;
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a buyer of the crowd is refused");
                self.refusals += 1;
            }
        }
        self.refusals < REFUSALS_MAX
    }

    /// When the next act happens: evenly over the span, and never two at once; else now.
    fn next_moment(&mut self, published: u64, inner: &Inner) -> OffsetDateTime {
        match (self.moment_of(published), &mut self.span) {
            (Some(moment), Some(span)) => {
                span.acted_at = moment.max(span.acted_at + time::Duration::MILLISECOND);
                span.acted_at
            }
            _ => inner.clock.stamp(),
        }
    }

    /// When so many notifications are made, in whole milliseconds; none where the crowd takes no time.
    fn moment_of(&self, published: u64) -> Option<OffsetDateTime> {
        let span = self.span?;
        let span_millis = (span.until - self.starts).whole_milliseconds();
        let millis = span_millis * i128::from(published.min(self.planned)) / i128::from(self.planned.max(1));
        Some(self.starts + time::Duration::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX)))
    }
}

/// How many notifications are made in one turn.
fn batch(rate_per_sec: Option<f64>) -> u64 {
    let steps = 1..=BATCH_MAX;
    // The largest that the rate allows; found by counting, as no conversion from a float is exact.
    rate_per_sec.map_or(BATCH_MAX, |rate| {
        steps
            .rev()
            .find(|batch| f64::from(u32::try_from(*batch).unwrap_or(1)) <= rate / BATCHES_PER_SEC)
            .unwrap_or(1)
    })
}
