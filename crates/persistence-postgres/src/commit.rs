use std::time::Duration;

use async_trait::async_trait;
use sqlx::Postgres;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{
    Actor, CommitStore, HistoryEntry, InboxEntry, InboxKey, NewJob, QuarantineEntry, QuarantineKey, Settled,
    StoreError, SubscriptionRecord, Transaction, Work,
};

use crate::error::{bounded, store_error};
use crate::{PostgresStore, history, inbox, job, quarantine, subscription};

#[async_trait]
impl CommitStore for PostgresStore {
    /// Several transactions write at once here, so it does not matter what each is for.
    async fn begin(&self, _work: Work) -> Result<Box<dyn Transaction>, StoreError> {
        let transaction = self.bounded(async { self.pool.begin().await.map_err(store_error) }).await?;
        Ok(Box::new(PostgresTransaction { transaction, patience: self.options.patience() }))
    }

    async fn licenses_of(&self, agreements: &[SubscriptionKey]) -> Result<Vec<SubscriptionKey>, StoreError> {
        if agreements.is_empty() {
            return Ok(Vec::new());
        }
        self.bounded(subscription::licenses_of(self, agreements)).await
    }
}

/// One transaction at READ COMMITTED; each statement sees what others committed before it.
pub(crate) struct PostgresTransaction {
    pub(crate) transaction: sqlx::Transaction<'static, Postgres>,
    pub(crate) patience: Duration,
}

#[async_trait]
impl Transaction for PostgresTransaction {
    async fn claim(&mut self, entries: &[InboxEntry]) -> Result<Vec<(InboxKey, Settled)>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        bounded(self.patience, inbox::claim(&mut self.transaction, entries)).await
    }

    async fn place(&mut self, keys: &[SubscriptionKey], now: Timestamp) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        bounded(self.patience, subscription::place(&mut self.transaction, keys, now)).await
    }

    async fn lock(&mut self, keys: &[SubscriptionKey]) -> Result<Vec<SubscriptionRecord>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        bounded(self.patience, subscription::lock(&mut self.transaction, keys)).await
    }

    async fn write_subscriptions(&mut self, records: &[SubscriptionRecord]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        bounded(self.patience, subscription::write(&mut self.transaction, records)).await
    }

    async fn append_history(&mut self, entries: &[HistoryEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        bounded(self.patience, history::append(&mut self.transaction, entries)).await
    }

    async fn put_jobs(&mut self, jobs: &[NewJob]) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        bounded(self.patience, job::put(&mut self.transaction, jobs)).await
    }

    async fn quarantine(&mut self, entries: &[QuarantineEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        bounded(self.patience, quarantine::put(&mut self.transaction, entries)).await
    }

    async fn settle_quarantine(
        &mut self,
        replayed: &[(QuarantineKey, Actor)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if replayed.is_empty() {
            return Ok(());
        }
        bounded(self.patience, quarantine::settle(&mut self.transaction, replayed, now)).await
    }

    async fn note_outcomes(&mut self, outcomes: &[(InboxKey, Settled)]) -> Result<(), StoreError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        bounded(self.patience, inbox::note_outcomes(&mut self.transaction, outcomes)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        bounded(self.patience, async { self.transaction.commit().await.map_err(store_error) }).await
    }
}
