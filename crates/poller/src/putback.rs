//! Puts messages back, at once or for later.

use std::{fmt::Display, sync::Arc};

use async_trait::async_trait;

use crate::{
    batcher::BatchCall,
    error::QueueError,
    health::{Activity, HealthState},
    metrics::PollerMetrics,
    queue::{EntryOutcome, Queue, VisibilityChange},
};

/// A put-back that fails for good is harmless: the message comes again when its visibility time-out ends.
pub(crate) struct PutBack {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) health: Arc<HealthState>,
    pub(crate) metrics: PollerMetrics,
}

#[async_trait]
impl BatchCall for PutBack {
    type Entry = VisibilityChange;

    async fn call(&self, changes: &[VisibilityChange]) -> Result<Vec<EntryOutcome>, QueueError> {
        let answer = self.queue.set_visibility(changes).await;
        self.health.answered(Activity::ChangingTimeouts, &answer);
        answer
    }

    fn gave_up(&self, entries: usize, why: &(dyn Display + Send + Sync)) {
        self.metrics.release_failed.increment(entries as u64);
        tracing::warn!(entries, error = %why, "put-back given up, the messages come when their time-out ends");
    }
}
