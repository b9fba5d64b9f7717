use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_ledger::{Decision, EventKey, MeterTerms, ProductKey};
use stallkeeper_lifecycle::{
    Binding, MarketplaceName, ProductCode, SubscriptionKey, TenantId, Timestamp, View, Word,
};
use stallkeeper_persistence::usage::{EventLine, LedgerHealth, LossLine, RecordFilter, RecordLine, UsageSum};
use stallkeeper_persistence::{
    Actor, HistoryRecord, JobCounts, JobKind, JobPosition, JobRecord, JobState, Page, QuarantineKey,
    QuarantineRecord, QuarantineState, StoreError, SubscriptionRecord,
};

use super::Operator;
use crate::Problem;

/// What the console needs of the worker: what it shows, and what it does for operators.
pub trait ConsoleApi: ConsoleReads + ConsoleActs {}

impl<T: ConsoleReads + ConsoleActs> ConsoleApi for T {}

/// What the console shows; every listing is bounded by its caller.
#[async_trait]
pub trait ConsoleReads: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// The configured listings, in the order of the configuration.
    fn listings(&self) -> Vec<Listing>;

    /// How a subscription looks now.
    fn view(&self, record: &SubscriptionRecord) -> View;

    /// How a subscription's listing is metered; `None` where it is not.
    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>>;

    /// What this process knows of itself.
    async fn live(&self) -> Live;

    /// When the newest notification of a marketplace was taken in.
    async fn last_received_at(&self, marketplace: &MarketplaceName) -> Result<Option<Timestamp>, StoreError>;

    /// How many subscriptions have each word.
    async fn word_counts(&self) -> Result<Vec<(Word, u64)>, StoreError>;

    /// Open final-usage windows, the first to close first.
    async fn closing(&self, limit: u32) -> Result<Vec<SubscriptionRecord>, StoreError>;

    /// Frozen records, the first whose time is over first.
    async fn expiring(&self, limit: u32) -> Result<Vec<RecordLine>, StoreError>;

    /// How the ledger fares.
    async fn ledger_health(&self) -> Result<LedgerHealth, StoreError>;

    /// Subscriptions in the order of their keys; for the beginning of an id, in the order of ids.
    async fn subscriptions(
        &self,
        search: &Search,
        page: &Page<SubscriptionKey>,
    ) -> Result<Vec<SubscriptionRecord>, StoreError>;

    /// One subscription; agreements' rows are none.
    async fn subscription(&self, key: &SubscriptionKey) -> Result<Option<SubscriptionRecord>, StoreError>;

    /// A subscription's history, newest first.
    async fn history(
        &self,
        key: &SubscriptionKey,
        page: &Page<i64>,
    ) -> Result<Vec<HistoryRecord>, StoreError>;

    /// What is still to be done about a subscription.
    async fn jobs_of(&self, key: &SubscriptionKey) -> Result<Vec<JobRecord>, StoreError>;

    /// A subscription's records in the order of hours.
    async fn records(
        &self,
        filter: &RecordFilter,
        page: &Page<(i64, i64)>,
    ) -> Result<Vec<RecordLine>, StoreError>;

    /// What a subscription's usage comes to.
    async fn sums(&self, key: &SubscriptionKey) -> Result<Vec<UsageSum>, StoreError>;

    /// Held usage, the first to be lost first; of one subscription or all.
    async fn held(&self, key: Option<&SubscriptionKey>, limit: u32) -> Result<Vec<EventLine>, StoreError>;

    /// Losses, newest first; of one subscription or all.
    async fn losses(
        &self,
        key: Option<&SubscriptionKey>,
        page: &Page<i64>,
    ) -> Result<Vec<LossLine>, StoreError>;

    /// Messages in quarantine, without their bodies.
    async fn quarantine(
        &self,
        state: QuarantineState,
        page: &Page<QuarantineKey>,
    ) -> Result<Vec<QuarantineRecord>, StoreError>;

    /// One message in quarantine.
    async fn quarantined(&self, key: &QuarantineKey) -> Result<Option<QuarantineRecord>, StoreError>;

    /// How many messages are held in quarantine.
    async fn quarantine_held(&self) -> Result<u64, StoreError>;

    /// Jobs in one state.
    async fn jobs(&self, state: JobState, page: &Page<JobPosition>) -> Result<Vec<JobRecord>, StoreError>;

    /// How many jobs there are.
    async fn job_counts(&self) -> Result<JobCounts, StoreError>;

    /// The metered products, and those that are held without being metered any more.
    async fn metered(&self) -> Result<Vec<MeteredProduct>, StoreError>;
}

/// What operators do; what is done is in the history with the operator's name before these answer.
///
/// Each answers what was done, in words.
#[async_trait]
pub trait ConsoleActs: Send + Sync + 'static {
    /// Binds a subscription to a tenant, or to nobody.
    async fn bind(
        &self,
        by: &Operator,
        key: &SubscriptionKey,
        binding: Option<Binding>,
    ) -> Result<String, ActError>;

    /// Reads a quarantined message again, and takes it in where that succeeds.
    async fn replay(&self, by: &Operator, key: &QuarantineKey) -> Result<String, ActError>;

    /// Marks a quarantined message as worth nothing.
    async fn discard(&self, by: &Operator, key: &QuarantineKey) -> Result<String, ActError>;

    /// Decides on late usage that is held.
    async fn decide(&self, by: &Operator, event: &EventKey, decision: Decision) -> Result<String, ActError>;

    /// Reports none of a product's usage until it is released.
    async fn hold(&self, by: &Operator, product: &ProductKey) -> Result<String, ActError>;

    /// Lets the metering of a product go on.
    async fn release(&self, by: &Operator, product: &ProductKey) -> Result<String, ActError>;

    /// Makes a job due that was given up.
    async fn retry_job(
        &self,
        by: &Operator,
        key: &SubscriptionKey,
        kind: JobKind,
    ) -> Result<String, ActError>;
}

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The rules do not allow it, or there is nothing to be done; in words.
    #[error("{0}")]
    Refused(String),
    /// The database failed; whether it is done is not known where a commit's answer was lost.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which subscriptions are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// All of them.
    All,
    /// Those of one tenant.
    Tenant(TenantId),
    /// Those of one listing.
    Listing(MarketplaceName, ProductCode),
    /// Those whose last announced word is this.
    Word(Word),
    /// Those whose holder's id begins so.
    IdPrefix(String),
}

/// A product on one marketplace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The marketplace.
    pub marketplace: MarketplaceName,
    /// The product code there.
    pub code: ProductCode,
    /// The product's name for people.
    pub product: String,
}

/// What a process knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// What stands in the way of its work, as `/readyz` tells it.
    pub problems: Vec<Problem>,
    /// The queues of the marketplaces that have one.
    pub queues: Vec<QueueLine>,
    /// Under what quotas usage is reported.
    pub lanes: Vec<LaneLine>,
}

/// One marketplace's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueLine {
    /// The marketplace.
    pub marketplace: MarketplaceName,
    /// How its polling fares.
    pub state: QueueState,
}

/// How the polling of a queue fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueState {
    /// This process does not poll it.
    Elsewhere,
    /// No receive was answered yet.
    Starting,
    /// It is polled.
    Working {
        /// How long ago a receive was last answered.
        since_answer: Option<Duration>,
        /// How many messages are being handled.
        in_flight: usize,
        /// How many of them wait to be handled again, as the database did not take them.
        blocked: usize,
    },
    /// It cannot be polled; why, in words.
    Failing(String),
}

/// One lane of metering: an account in a Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneLine {
    /// Its name.
    pub name: String,
    /// The marketplaces that share it.
    pub marketplaces: Vec<MarketplaceName>,
    /// How many calls a second it makes at the most.
    pub calls_per_sec: u32,
    /// What is wrong and what to do about it; nothing where it is well.
    pub trouble: Option<(String, String)>,
}

/// A product whose usage is metered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeteredProduct {
    /// The seller's key of it.
    pub key: ProductKey,
    /// Who holds its metering, and since when.
    pub held: Option<(Actor, Timestamp)>,
}
