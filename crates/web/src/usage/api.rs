use std::sync::Arc;

use async_trait::async_trait;
use stallkeeper_ledger::{Meter, MeterTerms, Submission};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::{
    DeskError, EventLine, LossLine, RecordFilter, RecordLine, Taken, UsageSum, Watermark, WatermarkError,
};
use stallkeeper_persistence::{Page, StoreError, SubscriptionRecord};

/// What the usage routes need of the worker.
#[async_trait]
pub trait UsageApi: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// How a subscription's listing is metered; `None` where it is not.
    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>>;

    /// Takes usage in; it is durable when this answers, one answer for each.
    async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Taken>, DeskError>;

    /// Stores a source's word that usage is complete.
    async fn put_watermark(&self, watermark: &Watermark) -> Result<(), WatermarkError>;

    /// One meter.
    async fn meter(&self, key: &SubscriptionKey) -> Result<Option<Meter>, StoreError>;

    /// A subscription's records in the order of hours, then of numbers.
    async fn records(
        &self,
        filter: &RecordFilter,
        page: &Page<(i64, i64)>,
    ) -> Result<Vec<RecordLine>, StoreError>;

    /// What a subscription's usage comes to, by dimension.
    async fn sums(&self, key: &SubscriptionKey) -> Result<Vec<UsageSum>, StoreError>;

    /// Held events, the first to run out first; of one subscription or all.
    async fn held(&self, key: Option<&SubscriptionKey>, limit: u32) -> Result<Vec<EventLine>, StoreError>;

    /// Losses in the order of storing; of one subscription or all.
    async fn losses(
        &self,
        key: Option<&SubscriptionKey>,
        page: &Page<i64>,
    ) -> Result<Vec<LossLine>, StoreError>;

    /// Subscriptions that end, in the order of their keys.
    async fn leaving(&self, page: &Page<SubscriptionKey>) -> Result<Vec<SubscriptionRecord>, StoreError>;
}
