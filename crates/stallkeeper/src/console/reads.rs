use std::sync::Arc;

use async_trait::async_trait;
use stallkeeper_ledger::{MeterTerms, ProductKey};
use stallkeeper_lifecycle::{MarketplaceName, SubscriptionKey, Timestamp, View, Word};
use stallkeeper_persistence::usage::{
    EventLine, LedgerHealth, LossLine, MeterTermsOf, RecordFilter, RecordLine, UsageSum,
};
use stallkeeper_persistence::{
    HistoryRecord, JobCounts, JobPosition, JobRecord, JobState, Page, QuarantineKey, QuarantineRecord,
    QuarantineState, StoreError, SubscriptionFilter, SubscriptionRecord, TermsOf,
};
use stallkeeper_web::console::{ConsoleReads, Listing, Live, MeteredProduct, Search};

use super::{StoredConsole, live};
use crate::commands::subscriptions::jobs_of;
use crate::config::Product;

#[async_trait]
impl ConsoleReads for StoredConsole {
    fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }

    fn listings(&self) -> Vec<Listing> {
        let of_product = |product: &Product| {
            let name = product.name.clone();
            let listing = move |listing: &crate::config::Listing| Listing {
                marketplace: listing.marketplace.clone(),
                code: listing.code.clone(),
                product: name.clone(),
            };
            product.listings.iter().map(listing).collect::<Vec<_>>()
        };
        self.config.products.iter().flat_map(of_product).collect()
    }

    fn view(&self, record: &SubscriptionRecord) -> View {
        record.subscription.view(self.now(), self.config.terms(&record.key))
    }

    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        self.config.meter_terms(key)
    }

    async fn live(&self) -> Live {
        live::look(&self.config, &self.readiness).await
    }

    async fn last_received_at(&self, marketplace: &MarketplaceName) -> Result<Option<Timestamp>, StoreError> {
        self.store.last_received_at(marketplace).await
    }

    async fn word_counts(&self) -> Result<Vec<(Word, u64)>, StoreError> {
        self.store.word_counts().await
    }

    async fn closing(&self, limit: u32) -> Result<Vec<SubscriptionRecord>, StoreError> {
        self.store.closing(self.now(), limit).await
    }

    async fn expiring(&self, limit: u32) -> Result<Vec<RecordLine>, StoreError> {
        self.store.expiring(limit).await
    }

    async fn ledger_health(&self) -> Result<LedgerHealth, StoreError> {
        self.store.ledger_health().await
    }

    async fn subscriptions(
        &self,
        search: &Search,
        page: &Page<SubscriptionKey>,
    ) -> Result<Vec<SubscriptionRecord>, StoreError> {
        let filter = match search {
            Search::All => SubscriptionFilter::All,
            Search::Tenant(tenant) => SubscriptionFilter::Tenant(tenant.clone()),
            Search::Listing(marketplace, code) => {
                SubscriptionFilter::Listing(marketplace.clone(), code.clone())
            }
            Search::Word(word) => SubscriptionFilter::Word(*word),
            Search::IdPrefix(prefix) => return self.store.subscriptions_by_id(prefix, page).await,
        };
        self.store.subscriptions(&filter, page).await
    }

    async fn subscription(&self, key: &SubscriptionKey) -> Result<Option<SubscriptionRecord>, StoreError> {
        if key.is_agreement() { Ok(None) } else { self.store.subscription(key).await }
    }

    async fn history(
        &self,
        key: &SubscriptionKey,
        page: &Page<i64>,
    ) -> Result<Vec<HistoryRecord>, StoreError> {
        self.store.latest_history(key, page).await
    }

    async fn jobs_of(&self, key: &SubscriptionKey) -> Result<Vec<JobRecord>, StoreError> {
        jobs_of(&*self.store, key).await
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
        self.store.latest_losses(key, page).await
    }

    async fn quarantine(
        &self,
        state: QuarantineState,
        page: &Page<QuarantineKey>,
    ) -> Result<Vec<QuarantineRecord>, StoreError> {
        self.store.quarantine_list(state, page).await
    }

    async fn quarantined(&self, key: &QuarantineKey) -> Result<Option<QuarantineRecord>, StoreError> {
        self.store.quarantined(key).await
    }

    async fn quarantine_held(&self) -> Result<u64, StoreError> {
        self.store.quarantine_held().await
    }

    async fn jobs(&self, state: JobState, page: &Page<JobPosition>) -> Result<Vec<JobRecord>, StoreError> {
        self.store.jobs(state, page).await
    }

    async fn job_counts(&self) -> Result<JobCounts, StoreError> {
        self.store.job_counts().await
    }

    async fn metered(&self) -> Result<Vec<MeteredProduct>, StoreError> {
        let holds = self.store.metering_holds().await?;
        let mut keys = self.config.metered_products();
        let others = holds.iter().map(|(key, ..)| key).filter(|key| !keys.contains(key)).cloned();
        keys.extend(others.collect::<Vec<_>>());
        let held = |key: &ProductKey| {
            holds.iter().find(|(held, ..)| held == key).map(|(_, actor, since)| (actor.clone(), *since))
        };
        Ok(keys.into_iter().map(|key| MeteredProduct { held: held(&key), key }).collect())
    }
}
