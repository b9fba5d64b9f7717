use async_trait::async_trait;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{
    Actor, CommitStore, HistoryEntry, InboxEntry, InboxKey, NewJob, QuarantineEntry, QuarantineKey, Settled,
    StoreError, SubscriptionRecord, Transaction, Work,
};
use tokio::sync::watch;

use crate::error::bounded;
use crate::writer::Write;
use crate::{SqliteStore, history, inbox, job, quarantine, subscription};

#[async_trait]
impl CommitStore for SqliteStore {
    async fn begin(&self, work: Work) -> Result<Box<dyn Transaction>, StoreError> {
        let write = self.writer.begin(work.into()).await?;
        Ok(Box::new(SqliteTransaction { write, changes: self.changes.clone(), has_changes: false }))
    }

    async fn licenses_of(&self, agreements: &[SubscriptionKey]) -> Result<Vec<SubscriptionKey>, StoreError> {
        self.bounded(subscription::licenses_of(self, agreements)).await
    }
}

/// The only transaction that writes at its time.
pub(crate) struct SqliteTransaction {
    pub(crate) write: Write,
    changes: watch::Sender<()>,
    /// Whether there is something to be told once it is committed.
    has_changes: bool,
}

#[async_trait]
impl Transaction for SqliteTransaction {
    async fn claim(&mut self, entries: &[InboxEntry]) -> Result<Vec<(InboxKey, Settled)>, StoreError> {
        bounded(self.write.patience(), inbox::claim(self.write.connection(), entries)).await
    }

    async fn place(&mut self, keys: &[SubscriptionKey], now: Timestamp) -> Result<(), StoreError> {
        bounded(self.write.patience(), subscription::place(self.write.connection(), keys, now)).await
    }

    async fn lock(&mut self, keys: &[SubscriptionKey]) -> Result<Vec<SubscriptionRecord>, StoreError> {
        bounded(self.write.patience(), subscription::lock(self.write.connection(), keys)).await
    }

    async fn write_subscriptions(&mut self, records: &[SubscriptionRecord]) -> Result<(), StoreError> {
        self.has_changes |= !records.is_empty();
        bounded(self.write.patience(), subscription::write(self.write.connection(), records)).await
    }

    async fn append_history(&mut self, entries: &[HistoryEntry]) -> Result<(), StoreError> {
        bounded(self.write.patience(), history::append(self.write.connection(), entries)).await
    }

    async fn put_jobs(&mut self, jobs: &[NewJob]) -> Result<(), StoreError> {
        bounded(self.write.patience(), job::put(self.write.connection(), jobs)).await
    }

    async fn quarantine(&mut self, entries: &[QuarantineEntry]) -> Result<(), StoreError> {
        bounded(self.write.patience(), quarantine::put(self.write.connection(), entries)).await
    }

    async fn settle_quarantine(
        &mut self,
        replayed: &[(QuarantineKey, Actor)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        bounded(self.write.patience(), quarantine::settle(self.write.connection(), replayed, now)).await
    }

    async fn note_outcomes(&mut self, outcomes: &[(InboxKey, Settled)]) -> Result<(), StoreError> {
        bounded(self.write.patience(), inbox::note_outcomes(self.write.connection(), outcomes)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let Self { write, changes, has_changes } = *self;
        write.commit().await?;
        if has_changes {
            changes.send_replace(());
        }
        Ok(())
    }
}
