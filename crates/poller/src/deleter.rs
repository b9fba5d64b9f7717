//! Deletes what has been handled.

use std::{fmt::Display, sync::Arc};

use async_trait::async_trait;

use crate::{
    batcher::BatchCall,
    error::QueueError,
    health::{Activity, HealthState},
    metrics::PollerMetrics,
    queue::{EntryOutcome, Queue, ReceiptHandle},
};

/// A deletion that fails for good is harmless: the message comes again, and handlers are idempotent.
pub(crate) struct Deleter {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) health: Arc<HealthState>,
    pub(crate) metrics: PollerMetrics,
}

#[async_trait]
impl BatchCall for Deleter {
    type Entry = ReceiptHandle;

    async fn call(&self, receipts: &[ReceiptHandle]) -> Result<Vec<EntryOutcome>, QueueError> {
        let answer = self.queue.delete(receipts).await;
        self.health.answered(Activity::Deleting, &answer);
        answer
    }

    fn gave_up(&self, entries: usize, why: &(dyn Display + Send + Sync)) {
        self.metrics.delete_failed.increment(entries as u64);
        tracing::warn!(entries, error = %why, "deletion given up, the messages will come again");
    }
}
