use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_ledger::{
    EventKey, Loss, Meter, Outgoing, ProductKey, Record, RecordKey, UsageEvent, Watermarks,
};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey, TenantId, Timestamp, Word};
use stallkeeper_persistence::usage::{
    Attempt, AttemptOutcome, AttemptRecord, EventLine, HeldOf, Lease, LedgerHealth, LedgerStatements,
    LedgerStore, LossLine, MeterRow, MeterSelection, RecordFilter, RecordLine, Unsent, UsageSum, Watermark,
};
use stallkeeper_persistence::{
    Actor, ChangeFeed, ChangeListener, ChangeRange, Changed, CommitStore, Delivery, DeliveryFilter,
    DeliveryRecord, DeliveryStore, Details, Digest, Grant, GrantAct, GrantId, GrantPut, GrantRecord,
    GrantStore, HistoryEntry, HistoryRecord, Housekeeping, InboxEntry, InboxKey, Job, JobCounts, JobKind,
    JobPosition, JobRecord, JobState, JobStore, NewJob, NewRegistration, NewVisit, Page, QuarantineEntry,
    QuarantineKey, QuarantineRecord, QuarantineState, QuarantineStore, RegistrationFilter, RegistrationId,
    RegistrationRecord, RegistrationStore, Settled, Store, StoreError, SubscriptionFilter,
    SubscriptionRecord, SubscriptionStore, SurveyStore, Transaction, VisitId, Work,
};

use crate::fault::{Faults, Point};
use crate::story::Fault;

/// A store in front of which things go wrong.
pub(crate) struct FaultyStore {
    /// The database.
    pub(crate) store: Arc<dyn Store>,
    /// What goes wrong.
    pub(crate) faults: Faults,
}

struct FaultyTransaction {
    transaction: Box<dyn Transaction>,
    faults: Faults,
}

fn down() -> StoreError {
    StoreError::Unavailable("the database is down for the story's sake".into())
}

/// Hands a trait's calls on as they are.
macro_rules! hand_on {
    ($trait:ident for $type:ty, $field:ident, $(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $trait for $type {
            $(async fn $name(&self, $($arg: $kind),*) -> Result<$answer, StoreError> {
                self.$field.$name($($arg),*).await
            })*
        }
    };
    (mut $trait:ident for $type:ty, $field:ident, $(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $trait for $type {
            $(async fn $name(&mut self, $($arg: $kind),*) -> Result<$answer, StoreError> {
                self.$field.$name($($arg),*).await
            })*
        }
    };
}

#[async_trait]
impl CommitStore for FaultyStore {
    async fn begin(&self, work: Work) -> Result<Box<dyn Transaction>, StoreError> {
        if self.faults.at(Point::Begin).is_some() {
            return Err(down());
        }
        let transaction = self.store.begin(work).await?;
        Ok(Box::new(FaultyTransaction { transaction, faults: self.faults.clone() }))
    }

    async fn licenses_of(&self, agreements: &[SubscriptionKey]) -> Result<Vec<SubscriptionKey>, StoreError> {
        self.store.licenses_of(agreements).await
    }
}

#[async_trait]
impl Transaction for FaultyTransaction {
    async fn claim(&mut self, entries: &[InboxEntry]) -> Result<Vec<(InboxKey, Settled)>, StoreError> {
        self.transaction.claim(entries).await
    }

    async fn place(&mut self, keys: &[SubscriptionKey], now: Timestamp) -> Result<(), StoreError> {
        self.transaction.place(keys, now).await
    }

    async fn lock(&mut self, keys: &[SubscriptionKey]) -> Result<Vec<SubscriptionRecord>, StoreError> {
        self.transaction.lock(keys).await
    }

    async fn write_subscriptions(&mut self, records: &[SubscriptionRecord]) -> Result<(), StoreError> {
        self.transaction.write_subscriptions(records).await
    }

    async fn append_history(&mut self, entries: &[HistoryEntry]) -> Result<(), StoreError> {
        self.transaction.append_history(entries).await
    }

    async fn put_jobs(&mut self, jobs: &[NewJob]) -> Result<(), StoreError> {
        self.transaction.put_jobs(jobs).await
    }

    async fn quarantine(&mut self, entries: &[QuarantineEntry]) -> Result<(), StoreError> {
        self.transaction.quarantine(entries).await
    }

    async fn settle_quarantine(
        &mut self,
        replayed: &[(QuarantineKey, Actor)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.transaction.settle_quarantine(replayed, now).await
    }

    async fn note_outcomes(&mut self, outcomes: &[(InboxKey, Settled)]) -> Result<(), StoreError> {
        self.transaction.note_outcomes(outcomes).await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        if self.faults.at(Point::BeforeCommit).is_some() {
            drop(self.transaction);
            self.faults.die().await;
        }
        self.transaction.commit().await?;
        match self.faults.at(Point::AfterCommit) {
            Some(Fault::CommitUnknown(_)) => Err(down()),
            Some(_) => self.faults.die().await,
            None => Ok(()),
        }
    }
}

hand_on! { mut LedgerStatements for FaultyTransaction, transaction,
    fn lock_meters(selection: &MeterSelection) -> Vec<Meter>;
    fn write_meters(meters: &[MeterRow], now: Timestamp) -> ();
    fn claim_events(events: &[UsageEvent]) -> Vec<(EventKey, String)>;
    fn update_events(events: &[UsageEvent]) -> ();
    fn events(keys: &[EventKey]) -> Vec<UsageEvent>;
    fn live_records(subscriptions: &[SubscriptionKey]) -> Vec<Record>;
    fn held_events(subscriptions: &[SubscriptionKey], limit: u32) -> Vec<HeldOf>;
    fn put_records(records: &[Record], now: Timestamp) -> ();
    fn records(numbers: &[i64]) -> Vec<(i64, Record)>;
    fn append_losses(losses: &[Loss]) -> ();
    fn recover_losses(records: &[RecordKey], at: Timestamp) -> ();
    fn add_attempts(attempts: &[Attempt]) -> Vec<i64>;
    fn end_attempts(outcomes: &[(i64, AttemptOutcome)]) -> ();
    fn put_watermark(watermark: &Watermark, now: Timestamp) -> bool;
}

hand_on! { LedgerStore for FaultyStore, store,
    fn meters_due(now: Timestamp, limit: u32) -> Vec<SubscriptionKey>;
    fn meters_to_cut(marketplace: &MarketplaceName, ends_by: Timestamp, limit: u32) -> Vec<SubscriptionKey>;
    fn meters_complete(
        marketplace: &MarketplaceName, product: &ProductCode, through: Timestamp, limit: u32
    ) -> Vec<SubscriptionKey>;
    fn meters_expired(now: Timestamp, limit: u32) -> Vec<SubscriptionKey>;
    fn meters_missing(
        marketplace: &MarketplaceName, product: &ProductCode, page: &Page<SubscriptionKey>
    ) -> Vec<SubscriptionKey>;
    fn next_look_at() -> Option<Timestamp>;
    fn next_cut_by(marketplace: &MarketplaceName) -> Option<Timestamp>;
    fn leaving_backlog(marketplaces: &[MarketplaceName]) -> u64;
    fn unsent(query: &Unsent) -> Vec<Outgoing>;
    fn next_send_at(marketplaces: &[MarketplaceName]) -> Option<Timestamp>;
    fn product_watermarks(product: &ProductKey) -> Watermarks;
    fn metering_holds() -> Vec<(ProductKey, Actor, Timestamp)>;
    fn hold_metering(product: &ProductKey, actor: &Actor, now: Timestamp) -> bool;
    fn release_metering(product: &ProductKey) -> bool;
    fn take_lease(lease: &Lease, now: Timestamp) -> bool;
    fn give_lease_back(name: &str, holder: &str) -> ();
    fn meter(key: &SubscriptionKey) -> Option<Meter>;
    fn usage_records(filter: &RecordFilter, page: &Page<(i64, i64)>) -> Vec<RecordLine>;
    fn usage_events(filter: &RecordFilter, page: &Page<i64>) -> Vec<EventLine>;
    fn held_usage(subscription: Option<&SubscriptionKey>, limit: u32) -> Vec<EventLine>;
    fn losses(subscription: Option<&SubscriptionKey>, page: &Page<i64>) -> Vec<LossLine>;
    fn attempts(numbers: &[i64]) -> Vec<AttemptRecord>;
    fn usage_sums(subscription: &SubscriptionKey) -> Vec<UsageSum>;
    fn ledger_health() -> LedgerHealth;
    fn prune_usage(horizon: Timestamp, limit: u32) -> u64;
}

hand_on! { SubscriptionStore for FaultyStore, store,
    fn subscription(key: &SubscriptionKey) -> Option<SubscriptionRecord>;
    fn subscriptions(filter: &SubscriptionFilter, page: &Page<SubscriptionKey>) -> Vec<SubscriptionRecord>;
    fn history(key: &SubscriptionKey, page: &Page<i64>) -> Vec<HistoryRecord>;
    fn last_received_at(marketplace: &MarketplaceName) -> Option<Timestamp>;
}

hand_on! { ChangeFeed for FaultyStore, store,
    fn change_horizon() -> i64;
    fn changed_subscriptions(range: &ChangeRange) -> Vec<Changed<SubscriptionRecord>>;
    fn changed_grants(range: &ChangeRange) -> Vec<Changed<GrantRecord>>;
    fn mend_change_numbers() -> u64;
    fn listen() -> Box<dyn ChangeListener>;
}

hand_on! { GrantStore for FaultyStore, store,
    fn put_grant(grant: &Grant, by: &Actor, now: Timestamp) -> GrantPut;
    fn revoke_grant(id: &GrantId, by: &Actor, now: Timestamp) -> Option<GrantRecord>;
    fn grant(id: &GrantId) -> Option<GrantRecord>;
    fn grants(tenant: Option<&TenantId>, page: &Page<GrantId>) -> Vec<GrantRecord>;
    fn grant_acts(id: &GrantId, page: &Page<i64>) -> Vec<GrantAct>;
}

hand_on! { RegistrationStore for FaultyStore, store,
    fn register(registration: &NewRegistration, visit: &NewVisit, now: Timestamp) -> ();
    fn visited(visit: &VisitId, browser: &Digest, now: Timestamp) -> Option<RegistrationRecord>;
    fn put_details(id: &RegistrationId, details: &Details, now: Timestamp) -> ();
    fn put_code(visit: &VisitId, code: &Digest, ends_at: Timestamp) -> ();
    fn take_code(code: &Digest, now: Timestamp) -> Option<RegistrationRecord>;
    fn registration(id: &RegistrationId, now: Timestamp) -> Option<RegistrationRecord>;
    fn registrations(
        filter: RegistrationFilter, page: &Page<RegistrationId>, now: Timestamp
    ) -> Vec<RegistrationRecord>;
    fn prune_registrations(now: Timestamp, limit: u32) -> u64;
}

hand_on! { SurveyStore for FaultyStore, store,
    fn word_counts() -> Vec<(Word, u64)>;
    fn subscriptions_by_id(prefix: &str, page: &Page<SubscriptionKey>) -> Vec<SubscriptionRecord>;
    fn closing(now: Timestamp, limit: u32) -> Vec<SubscriptionRecord>;
    fn latest_history(key: &SubscriptionKey, page: &Page<i64>) -> Vec<HistoryRecord>;
    fn expiring(limit: u32) -> Vec<RecordLine>;
    fn latest_losses(subscription: Option<&SubscriptionKey>, page: &Page<i64>) -> Vec<LossLine>;
}

hand_on! { QuarantineStore for FaultyStore, store,
    fn quarantined(key: &QuarantineKey) -> Option<QuarantineRecord>;
    fn quarantined_by_prefix(hash_prefix: &str) -> Vec<QuarantineRecord>;
    fn quarantine_list(state: QuarantineState, page: &Page<QuarantineKey>) -> Vec<QuarantineRecord>;
    fn quarantine_held() -> u64;
    fn discard(key: &QuarantineKey, actor: &Actor, now: Timestamp) -> bool;
}

hand_on! { JobStore for FaultyStore, store,
    fn claim_jobs_for(target: Option<&str>, kinds: &[JobKind], now: Timestamp, lease: Duration, limit: u32) -> Vec<Job>;
    fn finish_job(job: &Job) -> ();
    fn finish_job_into(job: &Job, next: &[NewJob]) -> ();
    fn retry_job(job: &Job, due_at: Timestamp, error: &str) -> ();
    fn fail_job(job: &Job, error: &str) -> ();
    fn next_job_for(target: Option<&str>, kinds: &[JobKind]) -> Option<Timestamp>;
    fn unpark_jobs(kinds: &[JobKind]) -> u64;
    fn jobs(state: JobState, page: &Page<JobPosition>) -> Vec<JobRecord>;
    fn revive_job(key: &SubscriptionKey, kind: JobKind, now: Timestamp) -> bool;
    fn job_counts() -> JobCounts;
}

hand_on! { DeliveryStore for FaultyStore, store,
    fn note_delivery(delivery: &Delivery) -> ();
    fn deliveries(filter: &DeliveryFilter, page: &Page<i64>) -> Vec<DeliveryRecord>;
    fn deliveries_of(key: &SubscriptionKey, page: &Page<i64>) -> Vec<DeliveryRecord>;
    fn delivery(message: &str) -> Option<DeliveryRecord>;
    fn prune_deliveries(horizon: Timestamp, limit: u32) -> u64;
}

hand_on! { Housekeeping for FaultyStore, store,
    fn ping() -> ();
    fn prune_inbox(horizon: Timestamp, limit: u32) -> u64;
}
