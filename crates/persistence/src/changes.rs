use async_trait::async_trait;

use crate::{GrantRecord, StoreError, SubscriptionRecord};

/// Behind which row a reader of changes goes on.
///
/// Rows stand in the order of the transaction that last wrote them, then of their keys; a row that is written
/// again moves to the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangePosition {
    /// The number of a transaction.
    pub number: i64,
    /// A row's key; no row's is empty, so an empty one stands before all rows of that transaction.
    pub key: String,
}

impl ChangePosition {
    /// Before all rows that were written in that transaction or later.
    pub fn before(number: i64) -> Self {
        Self { number, key: String::new() }
    }
}

/// Which changes are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRange {
    /// Only rows behind this.
    pub after: ChangePosition,
    /// Only rows of transactions with a lower number; all of them where there is none.
    pub below: Option<i64>,
    /// How many rows, never over [`PAGE_MAX`](crate::PAGE_MAX).
    pub limit: u32,
}

/// A row that was written, as it is now.
#[derive(Debug)]
pub struct Changed<Record> {
    /// Where it stands among the changes.
    pub position: ChangePosition,
    /// The tenant by which listings find it.
    pub tenant: Option<String>,
    /// The row, or that it cannot be read: one that a newer version wrote must not hold up all the others.
    pub record: Result<Record, StoreError>,
}

/// Reading on from where one was: the rows that changed since, each as it is now.
///
/// Every method fails with [`StoreError::Unavailable`].
#[async_trait]
pub trait ChangeFeed: Send + Sync + 'static {
    /// The number below which everything is decided: what commits from now on has this number or a higher one.
    ///
    /// A follower asks before it reads and reads on from here the next time: it reads some rows again, and
    /// misses none. A feed that hands rows out ends below it, so that no cursor passes a late commit.
    async fn change_horizon(&self) -> Result<i64, StoreError>;

    /// Subscriptions that changed, the earliest first; neither invisible rows nor agreements.
    async fn changed_subscriptions(
        &self,
        range: &ChangeRange,
    ) -> Result<Vec<Changed<SubscriptionRecord>>, StoreError>;

    /// Grants that changed, the earliest first; revoked ones among them.
    async fn changed_grants(&self, range: &ChangeRange) -> Result<Vec<Changed<GrantRecord>>, StoreError>;

    /// Puts rows whose numbers lie in the future to the beginning; answers how many.
    ///
    /// There are such only where the database counts anew, as after a dump was restored elsewhere.
    async fn mend_change_numbers(&self) -> Result<u64, StoreError>;

    /// Begins to hear of changes.
    async fn listen(&self) -> Result<Box<dyn ChangeListener>, StoreError>;
}

/// Hears that something changed, not what.
#[async_trait]
pub trait ChangeListener: Send + 'static {
    /// Waits until something may have changed since this was last asked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where nothing is heard any more; listen anew then.
    async fn heard(&mut self) -> Result<(), StoreError>;
}
