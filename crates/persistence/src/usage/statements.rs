use async_trait::async_trait;
use stallkeeper_ledger::{EventKey, Held, Loss, Meter, MeterTerms, Record, RecordKey, UsageEvent};
use stallkeeper_lifecycle::{SubscriptionKey, TenantId, Timestamp};

use crate::StoreError;
use crate::usage::{Attempt, AttemptOutcome, Watermark};

/// Which meters are locked: those of subscriptions, and those of tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeterSelection {
    /// These subscriptions'.
    pub subscriptions: Vec<SubscriptionKey>,
    /// All of these tenants'.
    pub tenants: Vec<TenantId>,
}

/// A meter with the columns by which it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterRow {
    /// The meter.
    pub meter: Meter,
    /// When it is looked at by time.
    pub look_at: Option<Timestamp>,
    /// By which final-usage window's end it is found when that comes near.
    pub cut_by: Option<Timestamp>,
    /// Up to where usage has to be complete for something to be closed.
    pub closes_by_word: Option<Timestamp>,
}

impl MeterRow {
    /// The columns of a meter.
    pub fn of(meter: Meter, look_at: Option<Timestamp>, terms: &MeterTerms, now: Timestamp) -> Self {
        Self { look_at, cut_by: meter.cut_by(now), closes_by_word: meter.closes_by_word(terms), meter }
    }
}

/// A meter's held events.
pub type HeldOf = (SubscriptionKey, Held);

/// The ledger's statements of a transaction.
///
/// The order of locks is meters by key, then records by number. Every method fails with
/// [`StoreError::Unavailable`], [`StoreError::Conflict`], [`StoreError::Data`] or [`StoreError::Unreadable`].
#[async_trait]
pub trait LedgerStatements: Send {
    /// Locks meters in the order of their keys and reads them; what has none is left out.
    async fn lock_meters(&mut self, selection: &MeterSelection) -> Result<Vec<Meter>, StoreError>;

    /// Writes meters, each in the place of the one before.
    async fn write_meters(&mut self, meters: &[MeterRow], now: Timestamp) -> Result<(), StoreError>;

    /// Stores events whose ids are new; answers the others' content as it was stored before.
    async fn claim_events(&mut self, events: &[UsageEvent]) -> Result<Vec<(EventKey, String)>, StoreError>;

    /// Writes what became of stored events, and how much of them counts.
    async fn update_events(&mut self, events: &[UsageEvent]) -> Result<(), StoreError>;

    /// Stored events.
    async fn events(&mut self, keys: &[EventKey]) -> Result<Vec<UsageEvent>, StoreError>;

    /// Locks and reads the records of subscriptions that are open or frozen, in the order of their numbers.
    async fn live_records(&mut self, subscriptions: &[SubscriptionKey]) -> Result<Vec<Record>, StoreError>;

    /// The first held events of subscriptions, by the time at which they run out, at most `limit` of each.
    async fn held_events(
        &mut self,
        subscriptions: &[SubscriptionKey],
        limit: u32,
    ) -> Result<Vec<HeldOf>, StoreError>;

    /// Writes records, each in the place of the one with its key.
    async fn put_records(&mut self, records: &[Record], now: Timestamp) -> Result<(), StoreError>;

    /// Locks and reads records in the order of their numbers.
    async fn records(&mut self, numbers: &[i64]) -> Result<Vec<(i64, Record)>, StoreError>;

    /// Lists losses.
    async fn append_losses(&mut self, losses: &[Loss]) -> Result<(), StoreError>;

    /// Marks the losses of records that are billed all the same.
    async fn recover_losses(&mut self, records: &[RecordKey], at: Timestamp) -> Result<(), StoreError>;

    /// Stores attempts before they are made; answers their numbers in the same order.
    async fn add_attempts(&mut self, attempts: &[Attempt]) -> Result<Vec<i64>, StoreError>;

    /// Writes how attempts ended.
    async fn end_attempts(&mut self, outcomes: &[(i64, AttemptOutcome)]) -> Result<(), StoreError>;

    /// Writes a watermark where it is later than the one before; `false` where it is not.
    async fn put_watermark(&mut self, watermark: &Watermark, now: Timestamp) -> Result<bool, StoreError>;
}
