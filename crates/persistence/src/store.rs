use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_lifecycle::{MarketplaceName, SubscriptionKey, Timestamp};

use crate::usage::{LedgerStatements, LedgerStore};
use crate::{
    Actor, ChangeFeed, DeliveryStore, GrantStore, HistoryEntry, HistoryRecord, InboxEntry, InboxKey, Job,
    JobCounts, JobKind, JobPosition, JobRecord, JobState, NewJob, Page, QuarantineEntry, QuarantineKey,
    QuarantineRecord, QuarantineState, RegistrationStore, Settled, StoreError, SubscriptionFilter,
    SubscriptionRecord, SurveyStore,
};

/// All that a database does for the worker.
pub trait Store:
    CommitStore
    + SubscriptionStore
    + QuarantineStore
    + JobStore
    + DeliveryStore
    + LedgerStore
    + ChangeFeed
    + GrantStore
    + RegistrationStore
    + SurveyStore
    + Housekeeping
{
}

impl<T> Store for T where
    T: CommitStore
        + SubscriptionStore
        + QuarantineStore
        + JobStore
        + DeliveryStore
        + LedgerStore
        + ChangeFeed
        + GrantStore
        + RegistrationStore
        + SurveyStore
        + Housekeeping
{
}

/// What a transaction is for, in the order in which they are served where only one can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// What queues hold, and people who wait for an answer.
    Notifications,
    /// What has a deadline: final usage, and what the marketplace answered.
    FinalWindows,
    /// Usage that the app reports.
    Usage,
    /// What can wait.
    Housekeeping,
}

/// Where transactions of the commit begin.
#[async_trait]
pub trait CommitStore: Send + Sync + 'static {
    /// Begins a transaction that can write: READ COMMITTED where several write, the only one elsewhere, and
    /// begun in the order of what they are for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    async fn begin(&self, work: Work) -> Result<Box<dyn Transaction>, StoreError>;

    /// The licenses that named these agreements, read without a lock; an agreement's licenses only grow.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Unreadable`]
    async fn licenses_of(&self, agreements: &[SubscriptionKey]) -> Result<Vec<SubscriptionKey>, StoreError>;
}

/// The statements of one commit; each takes rows sorted by key, without a key twice.
///
/// Dropped without [`commit`](Transaction::commit), nothing of it remains.
/// Every method fails with [`StoreError::Unavailable`], [`StoreError::Conflict`] or [`StoreError::Data`].
#[async_trait]
pub trait Transaction: LedgerStatements {
    /// Stores notifications as applied; answers those that were there before, with what became of them.
    ///
    /// Waits for another transaction that is storing the same one.
    async fn claim(&mut self, entries: &[InboxEntry]) -> Result<Vec<(InboxKey, Settled)>, StoreError>;

    /// Makes an invisible row for every subscription that has none, so that it can be locked.
    async fn place(&mut self, keys: &[SubscriptionKey], now: Timestamp) -> Result<(), StoreError>;

    /// Locks the rows in the order of their keys and reads them; an invisible one reads as the default.
    async fn lock(&mut self, keys: &[SubscriptionKey]) -> Result<Vec<SubscriptionRecord>, StoreError>;

    /// Writes locked subscriptions back; from then on they are visible.
    async fn write_subscriptions(&mut self, records: &[SubscriptionRecord]) -> Result<(), StoreError>;

    /// Appends to the history, in the order given.
    async fn append_history(&mut self, entries: &[HistoryEntry]) -> Result<(), StoreError>;

    /// Stores jobs in their kind's first state; each takes the place of an unfinished one of its key, kind
    /// and target.
    async fn put_jobs(&mut self, jobs: &[NewJob]) -> Result<(), StoreError>;

    /// Puts messages aside; one that is there already is counted, and its reason renewed.
    async fn quarantine(&mut self, entries: &[QuarantineEntry]) -> Result<(), StoreError>;

    /// Marks quarantined messages as replayed.
    async fn settle_quarantine(
        &mut self,
        replayed: &[(QuarantineKey, Actor)],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Stores what became of claimed notifications that were not simply applied.
    async fn note_outcomes(&mut self, outcomes: &[(InboxKey, Settled)]) -> Result<(), StoreError>;

    /// Makes it all durable.
    ///
    /// After [`StoreError::Unavailable`] it is unknown whether it is.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Reading subscriptions.
///
/// Every method fails with [`StoreError::Unavailable`] or [`StoreError::Unreadable`].
#[async_trait]
pub trait SubscriptionStore: Send + Sync + 'static {
    /// One subscription, or an agreement's row.
    async fn subscription(&self, key: &SubscriptionKey) -> Result<Option<SubscriptionRecord>, StoreError>;

    /// Subscriptions in the order of their keys; neither invisible rows nor agreements.
    async fn subscriptions(
        &self,
        filter: &SubscriptionFilter,
        page: &Page<SubscriptionKey>,
    ) -> Result<Vec<SubscriptionRecord>, StoreError>;

    /// A subscription's history, oldest first, behind a line's number.
    async fn history(
        &self,
        key: &SubscriptionKey,
        page: &Page<i64>,
    ) -> Result<Vec<HistoryRecord>, StoreError>;

    /// When the newest notification of a marketplace was taken in.
    async fn last_received_at(&self, marketplace: &MarketplaceName) -> Result<Option<Timestamp>, StoreError>;
}

/// Messages put aside.
///
/// Every method fails with [`StoreError::Unavailable`] or [`StoreError::Unreadable`].
#[async_trait]
pub trait QuarantineStore: Send + Sync + 'static {
    /// One message.
    async fn quarantined(&self, key: &QuarantineKey) -> Result<Option<QuarantineRecord>, StoreError>;

    /// The messages whose hash begins so, at most two: enough to tell whether it names one.
    async fn quarantined_by_prefix(&self, hash_prefix: &str) -> Result<Vec<QuarantineRecord>, StoreError>;

    /// Messages in one state, in the order of their keys, without their bodies.
    async fn quarantine_list(
        &self,
        state: QuarantineState,
        page: &Page<QuarantineKey>,
    ) -> Result<Vec<QuarantineRecord>, StoreError>;

    /// How many are held; from 10,000 on they are not counted further.
    async fn quarantine_held(&self) -> Result<u64, StoreError>;

    /// Marks a held message as worth nothing; `false` where it is not held.
    async fn discard(&self, key: &QuarantineKey, actor: &Actor, now: Timestamp) -> Result<bool, StoreError>;
}

/// Stored work.
///
/// Every method fails with [`StoreError::Unavailable`] or [`StoreError::Unreadable`].
#[async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Hands out due jobs of these kinds, the longest due first; nobody else gets them until the lease ends.
    ///
    /// A job that cannot be read is logged and not handed out; it is leased like the others, so that it
    /// keeps none of them from being handed out.
    async fn claim_jobs(
        &self,
        kinds: &[JobKind],
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        self.claim_jobs_for(None, kinds, now, lease, limit).await
    }

    /// The same of jobs that are done to one target only, where one is named.
    async fn claim_jobs_for(
        &self,
        target: Option<&str>,
        kinds: &[JobKind],
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError>;

    /// The job is done: it is removed, unless a newer one took its place, which is then free to be claimed.
    async fn finish_job(&self, job: &Job) -> Result<(), StoreError>;

    /// The job is done and led to others: it is removed and they are stored, together or not at all.
    ///
    /// Where a newer one took its place, that one is free to be claimed, and none of the others is stored.
    async fn finish_job_into(&self, job: &Job, next: &[NewJob]) -> Result<(), StoreError>;

    /// The job failed and is tried again at `due_at`, unless a newer one took its place.
    async fn retry_job(&self, job: &Job, due_at: Timestamp, error: &str) -> Result<(), StoreError>;

    /// The job is given up, unless a newer one took its place.
    async fn fail_job(&self, job: &Job, error: &str) -> Result<(), StoreError>;

    /// When the next job of these kinds is due or its lease ends, which may be in the past.
    async fn next_job_at(&self, kinds: &[JobKind]) -> Result<Option<Timestamp>, StoreError> {
        self.next_job_for(None, kinds).await
    }

    /// The same of jobs that are done to one target only, where one is named.
    async fn next_job_for(
        &self,
        target: Option<&str>,
        kinds: &[JobKind],
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Jobs in one state, in the order of their keys, kinds and targets.
    async fn jobs(&self, state: JobState, page: &Page<JobPosition>) -> Result<Vec<JobRecord>, StoreError>;

    /// Makes failed jobs of that kind due at once, whatever their targets; `false` where there is none.
    async fn revive_job(
        &self,
        key: &SubscriptionKey,
        kind: JobKind,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Makes parked jobs of these kinds due: what ran nothing of the kind when they were stored was another version.
    /// Answers how many.
    async fn unpark_jobs(&self, kinds: &[JobKind]) -> Result<u64, StoreError>;

    /// How many jobs there are in each state, as far as [`JobCounts`] counts.
    async fn job_counts(&self) -> Result<JobCounts, StoreError>;
}

/// Keeping the database well.
#[async_trait]
pub trait Housekeeping: Send + Sync + 'static {
    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    async fn ping(&self) -> Result<(), StoreError>;

    /// Removes notifications that were received before `horizon`, at most `limit`; answers how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]
    async fn prune_inbox(&self, horizon: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
