use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::gauge;
use stallkeeper_ledger::Risk;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::usage::{LedgerHealth, MeterTermsOf, RecordLine};
use stallkeeper_persistence::{Store, StoreError, usage};
use stallkeeper_runtime::{WallClock, sleep_or_cancelled};
use tokio_util::sync::CancellationToken;

use crate::deadlines::{Deadlines, Item, Used};
use crate::{MeteringConfig, Mode};

/// How long a final-usage window is open (AWS `unsubscribe-pending`).
const WINDOW: Duration = Duration::from_hours(1);

/// After how many looks a dry run is told of again: ten minutes at the default cadence.
const DRY_RUN_EVERY: u32 = 40;

/// How many records that run out of time are looked at in one step, those with the least time left first.
const RISKS_MAX: u32 = 10_000;

/// How many records are remembered as told of: one that is forgotten is told of again, under the same id.
const TOLD_MAX: usize = 50_000;

/// Shows how the ledger fares, and warns before time runs out.
pub struct Watch {
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    terms: Arc<dyn MeterTermsOf>,
    config: MeteringConfig,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    looks: u32,
    deadlines: Deadlines,
    /// Records that the seller's endpoints were told of: when their time is over, and their numbers.
    risks: BTreeSet<(Timestamp, i64)>,
}

impl Watch {
    /// A watch over the ledger.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn WallClock>,
        terms: Arc<dyn MeterTermsOf>,
        config: MeteringConfig,
    ) -> Self {
        Self { store, clock, terms, config, seen: Mutex::default() }
    }

    /// Looks every now and then until `stop`.
    pub async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.step().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot see how metering fares");
            }
            let _stopped = sleep_or_cancelled(stop, self.config.watch).await;
        }
    }

    /// Renews the gauges, and warns of what has used up half or three quarters of its time, once each; the seller's
    /// endpoints are told of each record that has used up half.
    ///
    /// # Errors
    /// Where the store fails; the gauges stay as they were.
    pub async fn step(&self) -> Result<(), StoreError> {
        self.tell_mode();
        let health = self.store.ledger_health().await?;
        let now = Timestamp::from(self.clock.now());
        show(&health, now);
        for used in self.news(&health, now) {
            warn(&used);
        }
        let is_any_at_risk = health.most_urgent.is_some_and(|time| used(time, now) >= 0.5);
        if is_any_at_risk && self.terms.is_published() {
            self.tell_of_risks(now).await?;
        }
        Ok(())
    }

    async fn tell_of_risks(&self, now: Timestamp) -> Result<(), StoreError> {
        let records = self.store.expiring(RISKS_MAX).await?;
        let news = self.untold(&records, now);
        if news.is_empty() {
            return Ok(());
        }
        let risks: Vec<Risk> = news.iter().map(|(_, risk)| risk.clone()).collect();
        usage::warn(&*self.store, &risks, now).await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.risks.extend(news.into_iter().map(|(number, risk)| (risk.until, number)));
        while seen.risks.len() > TOLD_MAX {
            // Those with the most time left are looked at last.
            seen.risks.pop_last();
        }
        Ok(())
    }

    fn untold(&self, records: &[RecordLine], now: Timestamp) -> Vec<(i64, Risk)> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.risks.retain(|(until, _)| *until > now);
        let risks = records.iter().filter_map(|line| Some((line.number, Risk::of(&line.record, now)?)));
        risks.filter(|(number, risk)| !seen.risks.contains(&(risk.until, *number))).collect()
    }

    fn news(&self, health: &LedgerHealth, now: Timestamp) -> Vec<Used> {
        let record = health.most_urgent.map(|(frozen_at, until)| (Item::Record, frozen_at, until));
        let window = health.next_window_end.map(|end| (Item::Window, end.minus(WINDOW), end));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let items = record.into_iter().chain(window);
        items.filter_map(|(item, from, until)| seen.deadlines.look(item, from, until, now)).collect()
    }

    fn tell_mode(&self) {
        let is_dry = self.config.mode == Mode::DryRun;
        gauge!("stallkeeper_metering_dry_run").set(if is_dry { 1.0 } else { 0.0 });
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if is_dry && seen.looks.is_multiple_of(DRY_RUN_EVERY) {
            tracing::warn!("dry run: usage is counted, and none of it is sent to a marketplace");
        }
        seen.looks = seen.looks.wrapping_add(1);
    }
}

fn warn(used: &Used) {
    let Used { item, until, percent, left } = used;
    let left_secs = left.as_secs();
    match item {
        Item::Record => tracing::warn!(
            %until, percent, left_secs,
            "a usage record has used up much of its time and is not settled; it is lost at the end"
        ),
        Item::Window => tracing::warn!(
            %until, percent, left_secs,
            "a final-usage window has used up much of its time; what is not sent by its end is lost"
        ),
    }
}

fn show(health: &LedgerHealth, now: Timestamp) {
    let oldest = health.oldest_unsent.map(|hour| seconds(now.since(hour.end())));
    gauge!("stallkeeper_usage_unsent_records").set(count(health.unsent));
    gauge!("stallkeeper_usage_oldest_unsent_age_seconds").set(oldest.unwrap_or(0.0));
    gauge!("stallkeeper_usage_urgent_used_ratio").set(health.most_urgent.map_or(0.0, |time| used(time, now)));
    // Without anything at risk there is no end, which no number of seconds may stand for.
    gauge!("stallkeeper_usage_at_risk_seconds")
        .set(left(health.most_urgent.map(|(_frozen_at, until)| until), now));
    gauge!("stallkeeper_usage_windows_open").set(count(health.windows));
    gauge!("stallkeeper_usage_next_window_end_seconds").set(left(health.next_window_end, now));
    for (reason, held) in [("late", health.held_late), ("before_activation", health.held_early)] {
        gauge!("stallkeeper_usage_held", "reason" => reason).set(count(held));
    }
    gauge!("stallkeeper_usage_next_held_end_seconds").set(left(health.next_held_end, now));
    let ended = [
        ("conflict", health.conflicts),
        ("rejected", health.rejected),
        ("expired", health.expired),
        ("not_subscribed", health.not_subscribed),
    ];
    for (state, records) in ended {
        gauge!("stallkeeper_usage_records", "state" => state).set(count(records));
    }
}

/// What share of a record's time is gone, from freezing to the end; 1 is all of it.
fn used((frozen_at, until): (Timestamp, Timestamp), now: Timestamp) -> f64 {
    let whole = seconds(until.since(frozen_at));
    if whole > 0.0 { (seconds(now.since(frozen_at)) / whole).min(1.0) } else { 1.0 }
}

fn left(until: Option<Timestamp>, now: Timestamp) -> f64 {
    until.map_or(f64::INFINITY, |until| seconds(until.since(now)))
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// The store counts no further than some ten thousand.
fn count(records: u64) -> f64 {
    u32::try_from(records).map_or(f64::from(u32::MAX), f64::from)
}
