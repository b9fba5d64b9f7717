use async_trait::async_trait;
use stallkeeper_ledger::{Meter, Outgoing, ProductKey, Watermarks};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey, Timestamp};

use crate::usage::{
    AttemptRecord, EventLine, Lease, LedgerHealth, LossLine, RecordFilter, RecordLine, UsageSum,
};
use crate::{Actor, Page, StoreError};

/// Which frozen records are to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// Of these marketplaces.
    pub marketplaces: Vec<MarketplaceName>,
    /// But not of these listings, which are held.
    pub but: Vec<(MarketplaceName, ProductCode)>,
    /// At this time.
    pub now: Timestamp,
    /// At most so many.
    pub limit: u32,
}

/// Reading the ledger, and what needs no transaction of several statements.
///
/// Every method fails with [`StoreError::Unavailable`] or [`StoreError::Unreadable`].
#[async_trait]
pub trait LedgerStore: Send + Sync + 'static {
    /// Meters to be looked at by time, the longest due first.
    async fn meters_due(&self, now: Timestamp, limit: u32) -> Result<Vec<SubscriptionKey>, StoreError>;

    /// Meters of one marketplace with something to be frozen whose window ends by then, the first to end first.
    async fn meters_to_cut(
        &self,
        marketplace: &MarketplaceName,
        ends_by: Timestamp,
        limit: u32,
    ) -> Result<Vec<SubscriptionKey>, StoreError>;

    /// Meters of one listing with something that closes once usage up to then is complete.
    async fn meters_complete(
        &self,
        marketplace: &MarketplaceName,
        product: &ProductCode,
        through: Timestamp,
        limit: u32,
    ) -> Result<Vec<SubscriptionKey>, StoreError>;

    /// Meters of which a frozen record's time is over.
    async fn meters_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<SubscriptionKey>, StoreError>;

    /// Subscriptions of a listing that have no meter, in the order of their keys.
    async fn meters_missing(
        &self,
        marketplace: &MarketplaceName,
        product: &ProductCode,
        page: &Page<SubscriptionKey>,
    ) -> Result<Vec<SubscriptionKey>, StoreError>;

    /// When the next meter is due by time, or the next frozen record's time is over.
    async fn next_look_at(&self) -> Result<Option<Timestamp>, StoreError>;

    /// When the first final-usage window ends that has something to be frozen.
    async fn next_cut_by(&self, marketplace: &MarketplaceName) -> Result<Option<Timestamp>, StoreError>;

    /// How many records of leaving buyers of these marketplaces are open or frozen, 2,000,000 at most.
    async fn leaving_backlog(&self, marketplaces: &[MarketplaceName]) -> Result<u64, StoreError>;

    /// Frozen records that may be sent now, the first to run out first.
    async fn unsent(&self, query: &Unsent) -> Result<Vec<Outgoing>, StoreError>;

    /// When the next frozen record of these marketplaces may be sent, which may be in the past.
    async fn next_send_at(&self, marketplaces: &[MarketplaceName]) -> Result<Option<Timestamp>, StoreError>;

    /// What sources said of a whole product.
    async fn product_watermarks(&self, product: &ProductKey) -> Result<Watermarks, StoreError>;

    /// The products whose metering is held, each with who holds it and since when.
    async fn metering_holds(&self) -> Result<Vec<(ProductKey, Actor, Timestamp)>, StoreError>;

    /// Holds a product's metering; `false` where it is held already.
    async fn hold_metering(
        &self,
        product: &ProductKey,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Lets a product's metering go on; `false` where it is not held.
    async fn release_metering(&self, product: &ProductKey) -> Result<bool, StoreError>;

    /// Takes a lease, or takes it again; `false` where somebody else has it.
    async fn take_lease(&self, lease: &Lease, now: Timestamp) -> Result<bool, StoreError>;

    /// Gives a lease back, where the holder has it.
    async fn give_lease_back(&self, name: &str, holder: &str) -> Result<(), StoreError>;

    /// One meter.
    async fn meter(&self, key: &SubscriptionKey) -> Result<Option<Meter>, StoreError>;

    /// A subscription's records in the order of hours, then of numbers; the page is behind (hour, number).
    async fn usage_records(
        &self,
        filter: &RecordFilter,
        page: &Page<(i64, i64)>,
    ) -> Result<Vec<RecordLine>, StoreError>;

    /// A subscription's events that happened in these hours, in the order of storing.
    async fn usage_events(
        &self,
        filter: &RecordFilter,
        page: &Page<i64>,
    ) -> Result<Vec<EventLine>, StoreError>;

    /// Held events, in the order in which they run out; of one subscription or all.
    async fn held_usage(
        &self,
        subscription: Option<&SubscriptionKey>,
        limit: u32,
    ) -> Result<Vec<EventLine>, StoreError>;

    /// Losses in the order of storing; of one subscription or all.
    async fn losses(
        &self,
        subscription: Option<&SubscriptionKey>,
        page: &Page<i64>,
    ) -> Result<Vec<LossLine>, StoreError>;

    /// Attempts with these numbers.
    async fn attempts(&self, numbers: &[i64]) -> Result<Vec<AttemptRecord>, StoreError>;

    /// What a subscription's usage comes to, by dimension.
    async fn usage_sums(&self, subscription: &SubscriptionKey) -> Result<Vec<UsageSum>, StoreError>;

    /// How the ledger fares.
    async fn ledger_health(&self) -> Result<LedgerHealth, StoreError>;

    /// Removes events, settled or ended records, losses and attempts that are older, at most `limit` of each;
    /// answers how many.
    async fn prune_usage(&self, horizon: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
