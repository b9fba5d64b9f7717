use std::time::Duration;

use async_trait::async_trait;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use crate::{JobKind, Page, StoreError};

/// One attempt to deliver a message to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whom it is about.
    pub key: SubscriptionKey,
    /// The endpoint's name.
    pub endpoint: String,
    /// The kind of job that made it.
    pub kind: JobKind,
    /// The message's id, the same at every attempt.
    pub message: String,
    /// What it tells, such as `subscription.ending`.
    pub event: String,
    /// The subscription's sequence that it tells.
    pub sequence: u64,
    /// Which attempt it was, from 1.
    pub attempt: i32,
    /// When it was made.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The status that took the message, or why nobody took it.
    pub outcome: Result<u16, String>,
    /// The job's payload, so that it can be made again.
    pub payload: String,
}

/// A stored attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Counts up in the order of storing.
    pub number: i64,
    /// The attempt.
    pub delivery: Delivery,
}

/// Which attempts are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only those to this endpoint.
    pub endpoint: Option<String>,
    /// Only those that failed.
    pub failed_only: bool,
}

/// The log of deliveries.
///
/// Every method fails with [`StoreError::Unavailable`] or [`StoreError::Unreadable`].
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// Keeps an attempt.
    async fn note_delivery(&self, delivery: &Delivery) -> Result<(), StoreError>;

    /// Attempts, the newest first, behind a number.
    async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        page: &Page<i64>,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// Attempts about one subscription, the newest first, behind a number.
    async fn deliveries_of(
        &self,
        key: &SubscriptionKey,
        page: &Page<i64>,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// The newest attempt with a message.
    async fn delivery(&self, message: &str) -> Result<Option<DeliveryRecord>, StoreError>;

    /// Removes attempts that were made before `horizon`, at most `limit`; answers how many.
    async fn prune_deliveries(&self, horizon: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
