use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{JobKind, JobState, Store, StoreError};
use stallkeeper_runtime::{WallClock, sleep_or_cancelled};
use tokio_util::sync::CancellationToken;

/// How many notifications are removed at once, so that no removal is in the way of others.
const PRUNE_ROWS: u32 = 500;
const PRUNE_EVERY: Duration = Duration::from_mins(10);
const MEASURE_EVERY: Duration = Duration::from_secs(15);

/// Removes notifications that are older than any redelivery and usage that nobody disputes any more, and
/// measures what is stored.
pub struct Housekeeper {
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    inbox_retention: Duration,
    usage_retention: Duration,
    delivery_retention: Duration,
}

impl Housekeeper {
    /// A housekeeper that keeps notifications for `inbox_retention`, usage for `usage_retention`, and attempts to
    /// deliver for `delivery_retention`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn WallClock>,
        inbox_retention: Duration,
        usage_retention: Duration,
        delivery_retention: Duration,
    ) -> Self {
        Self { store, clock, inbox_retention, usage_retention, delivery_retention }
    }

    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let rounds_between_prunes = (PRUNE_EVERY.as_secs() / MEASURE_EVERY.as_secs()).max(1);
        for round in 0_u64.. {
            let result = self.round(round.is_multiple_of(rounds_between_prunes), &stop).await;
            if let Err(error) = result {
                tracing::warn!(error = &error as &dyn Error, "housekeeping failed, will try again");
            }
            if sleep_or_cancelled(&stop, MEASURE_EVERY).await.is_break() {
                return;
            }
        }
    }

    async fn round(&self, prunes: bool, stop: &CancellationToken) -> Result<(), StoreError> {
        self.measure().await?;
        if !prunes {
            return Ok(());
        }
        // While a new version starts, an older one may go on parking what it does not run.
        let run = JobKind::ALL.into_iter().filter(|kind| kind.first_state() == JobState::Due);
        self.store.unpark_jobs(&run.collect::<Vec<_>>()).await?;
        self.prune(stop).await
    }

    async fn prune(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let now = Timestamp::from(self.clock.now());
        while !stop.is_cancelled() {
            let removed = self.store.prune_inbox(now.minus(self.inbox_retention), PRUNE_ROWS).await?;
            counter!("stallkeeper_inbox_pruned_total").increment(removed);
            if removed < u64::from(PRUNE_ROWS) {
                break;
            }
        }
        while !stop.is_cancelled() {
            let removed = self.store.prune_registrations(now, PRUNE_ROWS).await?;
            if removed < u64::from(PRUNE_ROWS) {
                break;
            }
        }
        while !stop.is_cancelled() {
            let removed = self.store.prune_usage(now.minus(self.usage_retention), PRUNE_ROWS).await?;
            counter!("stallkeeper_usage_pruned_total").increment(removed);
            if removed < u64::from(PRUNE_ROWS) {
                break;
            }
        }
        while !stop.is_cancelled() {
            let removed = self.store.prune_deliveries(now.minus(self.delivery_retention), PRUNE_ROWS).await?;
            counter!("stallkeeper_deliveries_pruned_total").increment(removed);
            if removed < u64::from(PRUNE_ROWS) {
                break;
            }
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and counts stay far below 2^52")]
    async fn measure(&self) -> Result<(), StoreError> {
        let jobs = self.store.job_counts().await?;
        gauge!("stallkeeper_jobs", "state" => "parked").set(jobs.parked as f64);
        gauge!("stallkeeper_jobs", "state" => "due").set(jobs.due as f64);
        gauge!("stallkeeper_jobs", "state" => "failed").set(jobs.failed as f64);
        gauge!("stallkeeper_quarantine_held").set(self.store.quarantine_held().await? as f64);
        Ok(())
    }
}
