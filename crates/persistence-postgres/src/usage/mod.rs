//! The usage ledger: what a transaction does with it, and what is read of it.

mod attempt;
mod event;
mod health;
mod hold;
pub(crate) mod latest;
mod lease;
mod listing;
mod loss;
mod meter;
mod prune;
mod record;
mod watermark;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stallkeeper_ledger::{
    EventKey, Loss, Meter, Outgoing, ProductKey, Record, RecordKey, UsageEvent, Watermarks,
};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::{
    Attempt, AttemptOutcome, AttemptRecord, EventLine, HeldOf, Lease, LedgerHealth, LedgerStatements,
    LedgerStore, LossLine, MeterRow, MeterSelection, RecordFilter, RecordLine, Unsent, UsageSum, Watermark,
};
use stallkeeper_persistence::{Actor, Page, StoreError};

use crate::PostgresStore;
use crate::commit::PostgresTransaction;
use crate::error::bounded;

/// A value as it is stored.
fn encode<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Data(error.into()))
}

/// A value as it was stored under `what`.
fn decode<T: DeserializeOwned>(text: &str, what: impl FnOnce() -> String) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::unreadable(what(), error))
}

#[async_trait]
impl LedgerStatements for PostgresTransaction {
    async fn lock_meters(&mut self, selection: &MeterSelection) -> Result<Vec<Meter>, StoreError> {
        if selection.subscriptions.is_empty() && selection.tenants.is_empty() {
            return Ok(Vec::new());
        }
        bounded(self.patience, meter::lock(&mut self.transaction, selection)).await
    }

    async fn write_meters(&mut self, meters: &[MeterRow], now: Timestamp) -> Result<(), StoreError> {
        if meters.is_empty() {
            return Ok(());
        }
        bounded(self.patience, meter::write(&mut self.transaction, meters, now)).await
    }

    async fn claim_events(&mut self, events: &[UsageEvent]) -> Result<Vec<(EventKey, String)>, StoreError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        bounded(self.patience, event::claim(&mut self.transaction, events)).await
    }

    async fn update_events(&mut self, events: &[UsageEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        bounded(self.patience, event::update(&mut self.transaction, events)).await
    }

    async fn events(&mut self, keys: &[EventKey]) -> Result<Vec<UsageEvent>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        bounded(self.patience, event::by_keys(&mut self.transaction, keys)).await
    }

    async fn live_records(&mut self, subscriptions: &[SubscriptionKey]) -> Result<Vec<Record>, StoreError> {
        if subscriptions.is_empty() {
            return Ok(Vec::new());
        }
        bounded(self.patience, record::live(&mut self.transaction, subscriptions)).await
    }

    async fn held_events(
        &mut self,
        subscriptions: &[SubscriptionKey],
        limit: u32,
    ) -> Result<Vec<HeldOf>, StoreError> {
        if subscriptions.is_empty() {
            return Ok(Vec::new());
        }
        bounded(self.patience, event::held_of(&mut self.transaction, subscriptions, limit)).await
    }

    async fn put_records(&mut self, records: &[Record], now: Timestamp) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        bounded(self.patience, record::put(&mut self.transaction, records, now)).await
    }

    async fn records(&mut self, numbers: &[i64]) -> Result<Vec<(i64, Record)>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        bounded(self.patience, record::by_numbers(&mut self.transaction, numbers)).await
    }

    async fn append_losses(&mut self, losses: &[Loss]) -> Result<(), StoreError> {
        if losses.is_empty() {
            return Ok(());
        }
        bounded(self.patience, loss::append(&mut self.transaction, losses)).await
    }

    async fn recover_losses(&mut self, records: &[RecordKey], at: Timestamp) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        bounded(self.patience, loss::recover(&mut self.transaction, records, at)).await
    }

    async fn add_attempts(&mut self, attempts: &[Attempt]) -> Result<Vec<i64>, StoreError> {
        if attempts.is_empty() {
            return Ok(Vec::new());
        }
        bounded(self.patience, attempt::add(&mut self.transaction, attempts)).await
    }

    async fn end_attempts(&mut self, outcomes: &[(i64, AttemptOutcome)]) -> Result<(), StoreError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        bounded(self.patience, attempt::end(&mut self.transaction, outcomes)).await
    }

    async fn put_watermark(&mut self, watermark: &Watermark, now: Timestamp) -> Result<bool, StoreError> {
        bounded(self.patience, watermark::put(&mut self.transaction, watermark, now)).await
    }
}

#[async_trait]
impl LedgerStore for PostgresStore {
    async fn meters_due(&self, now: Timestamp, limit: u32) -> Result<Vec<SubscriptionKey>, StoreError> {
        self.bounded(meter::due(self, now, limit)).await
    }

    async fn meters_to_cut(
        &self,
        marketplace: &MarketplaceName,
        ends_by: Timestamp,
        limit: u32,
    ) -> Result<Vec<SubscriptionKey>, StoreError> {
        self.bounded(meter::to_cut(self, marketplace, ends_by, limit)).await
    }

    async fn meters_complete(
        &self,
        marketplace: &MarketplaceName,
        product: &ProductCode,
        through: Timestamp,
        limit: u32,
    ) -> Result<Vec<SubscriptionKey>, StoreError> {
        self.bounded(meter::complete(self, marketplace, product, through, limit)).await
    }

    async fn meters_expired(&self, now: Timestamp, limit: u32) -> Result<Vec<SubscriptionKey>, StoreError> {
        self.bounded(meter::expired(self, now, limit)).await
    }

    async fn meters_missing(
        &self,
        marketplace: &MarketplaceName,
        product: &ProductCode,
        page: &Page<SubscriptionKey>,
    ) -> Result<Vec<SubscriptionKey>, StoreError> {
        self.bounded(meter::missing(self, marketplace, product, page)).await
    }

    async fn next_look_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.bounded(meter::next_look_at(self)).await
    }

    async fn next_cut_by(&self, marketplace: &MarketplaceName) -> Result<Option<Timestamp>, StoreError> {
        self.bounded(meter::next_cut_by(self, marketplace)).await
    }

    async fn leaving_backlog(&self, marketplaces: &[MarketplaceName]) -> Result<u64, StoreError> {
        self.bounded(meter::leaving_backlog(self, marketplaces)).await
    }

    async fn unsent(&self, query: &Unsent) -> Result<Vec<Outgoing>, StoreError> {
        self.bounded(record::unsent(self, query)).await
    }

    async fn next_send_at(&self, marketplaces: &[MarketplaceName]) -> Result<Option<Timestamp>, StoreError> {
        self.bounded(record::next_send_at(self, marketplaces)).await
    }

    async fn product_watermarks(&self, product: &ProductKey) -> Result<Watermarks, StoreError> {
        self.bounded(watermark::of_product(self, product)).await
    }

    async fn metering_holds(&self) -> Result<Vec<(ProductKey, Actor, Timestamp)>, StoreError> {
        self.bounded(hold::all(self)).await
    }

    async fn hold_metering(
        &self,
        product: &ProductKey,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.bounded(hold::put(self, product, actor, now)).await
    }

    async fn release_metering(&self, product: &ProductKey) -> Result<bool, StoreError> {
        self.bounded(hold::remove(self, product)).await
    }

    async fn take_lease(&self, lease: &Lease, now: Timestamp) -> Result<bool, StoreError> {
        self.bounded(lease::take(self, lease, now)).await
    }

    async fn give_lease_back(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.bounded(lease::give_back(self, name, holder)).await
    }

    async fn meter(&self, key: &SubscriptionKey) -> Result<Option<Meter>, StoreError> {
        self.bounded(meter::read(self, key)).await
    }

    async fn usage_records(
        &self,
        filter: &RecordFilter,
        page: &Page<(i64, i64)>,
    ) -> Result<Vec<RecordLine>, StoreError> {
        self.bounded(listing::records(self, filter, page)).await
    }

    async fn usage_events(
        &self,
        filter: &RecordFilter,
        page: &Page<i64>,
    ) -> Result<Vec<EventLine>, StoreError> {
        self.bounded(listing::events(self, filter, page)).await
    }

    async fn held_usage(
        &self,
        subscription: Option<&SubscriptionKey>,
        limit: u32,
    ) -> Result<Vec<EventLine>, StoreError> {
        self.bounded(listing::held(self, subscription, limit)).await
    }

    async fn losses(
        &self,
        subscription: Option<&SubscriptionKey>,
        page: &Page<i64>,
    ) -> Result<Vec<LossLine>, StoreError> {
        self.bounded(listing::losses(self, subscription, page)).await
    }

    async fn attempts(&self, numbers: &[i64]) -> Result<Vec<AttemptRecord>, StoreError> {
        self.bounded(attempt::by_numbers(self, numbers)).await
    }

    async fn usage_sums(&self, subscription: &SubscriptionKey) -> Result<Vec<UsageSum>, StoreError> {
        self.bounded(listing::sums(self, subscription)).await
    }

    async fn ledger_health(&self) -> Result<LedgerHealth, StoreError> {
        self.bounded(health::read(self)).await
    }

    async fn prune_usage(&self, horizon: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.bounded(prune::prune(self, horizon, limit)).await
    }
}
