use std::sync::Arc;

use async_trait::async_trait;
use stallkeeper_ledger::{Meter, MeterTerms, Submission};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp, Word};
use stallkeeper_persistence::usage::{
    DeskError, EventLine, LossLine, MeterTermsOf, RecordFilter, RecordLine, Taken, UsageDesk, UsageSum,
    Watermark, WatermarkError, put_watermark,
};
use stallkeeper_persistence::{Page, Retries, Store, StoreError, SubscriptionFilter, SubscriptionRecord};
use stallkeeper_runtime::WallClock;

use crate::UsageApi;

/// The usage routes' door to the ledger: the desk for what comes in, the store for what is read.
pub struct StoredUsage {
    /// Where usage is read.
    pub store: Arc<dyn Store>,
    /// Where usage comes in.
    pub desk: UsageDesk,
    /// Business time.
    pub clock: Arc<dyn WallClock>,
    /// What the configuration says about metering.
    pub terms: Arc<dyn MeterTermsOf>,
}

#[async_trait]
impl UsageApi for StoredUsage {
    fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }

    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        self.terms.meter_terms(key)
    }

    async fn submit(&self, submissions: Vec<Submission>) -> Result<Vec<Taken>, DeskError> {
        self.desk.submit(submissions).await
    }

    async fn put_watermark(&self, watermark: &Watermark) -> Result<(), WatermarkError> {
        let mut retries = Retries::default();
        loop {
            match put_watermark(&*self.store, watermark, self.now(), &*self.terms).await {
                Err(WatermarkError::Store(StoreError::Conflict(conflict))) => retries.met(conflict).await?,
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        self.desk.usage_news().notify_one();
        Ok(())
    }

    async fn meter(&self, key: &SubscriptionKey) -> Result<Option<Meter>, StoreError> {
        self.store.meter(key).await
    }

    async fn records(
        &self,
        filter: &RecordFilter,
        page: &Page<(i64, i64)>,
    ) -> Result<Vec<RecordLine>, StoreError> {
        self.store.usage_records(filter, page).await
    }

    async fn sums(&self, key: &SubscriptionKey) -> Result<Vec<UsageSum>, StoreError> {
        self.store.usage_sums(key).await
    }

    async fn held(&self, key: Option<&SubscriptionKey>, limit: u32) -> Result<Vec<EventLine>, StoreError> {
        self.store.held_usage(key, limit).await
    }

    async fn losses(
        &self,
        key: Option<&SubscriptionKey>,
        page: &Page<i64>,
    ) -> Result<Vec<LossLine>, StoreError> {
        self.store.losses(key, page).await
    }

    async fn leaving(&self, page: &Page<SubscriptionKey>) -> Result<Vec<SubscriptionRecord>, StoreError> {
        self.store.subscriptions(&SubscriptionFilter::Word(Word::Ending), page).await
    }
}
