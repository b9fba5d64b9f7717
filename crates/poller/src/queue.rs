//! What a queue must be able to do.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::error::QueueError;

/// The most entries that one call may carry (an SQS quota).
pub const BATCH_MAX: usize = 10;

/// The longest that a message may stay hidden, counted from its receive (an SQS quota).
pub const VISIBILITY_MAX: Duration = Duration::from_hours(12);

/// The queue's id of a message; the same for every delivery of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(Arc<str>);

/// The right to delete or hide one delivery of a message.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReceiptHandle(Arc<str>);

impl MessageId {
    /// Takes the id as the queue gave it.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The id as the queue gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ReceiptHandle {
    /// Takes the handle as the queue gave it.
    pub fn new(handle: impl Into<Arc<str>>) -> Self {
        Self(handle.into())
    }

    /// The handle as the queue gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Handles are long and let their owner delete messages, so they stay out of logs.
impl fmt::Debug for ReceiptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptHandle(..)")
    }
}

/// One delivery of a message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The same for every delivery.
    pub id: MessageId,
    /// Good for this delivery only.
    pub receipt: ReceiptHandle,
    /// What was sent.
    pub body: String,
    /// How often the message was received, this delivery included; 0 if the queue did not say.
    pub receive_count: u32,
    /// When it was sent, by the queue's clock.
    pub sent_at: Option<OffsetDateTime>,
    /// When it was first received, by the queue's clock.
    pub first_received_at: Option<OffsetDateTime>,
}

/// How long a delivery shall stay hidden from now on; zero gives it back at once.
#[derive(Clone, Debug)]
pub struct VisibilityChange {
    /// The delivery.
    pub receipt: ReceiptHandle,
    /// At most [`VISIBILITY_MAX`] from the receive; queues count whole seconds, parts are rounded up.
    pub hidden_for: Duration,
}

/// Why one entry of a batch was not done although the call was answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFailure {
    /// The delivery is no longer ours: trying again is useless.
    #[error("the receipt is no longer valid ({code})")]
    Gone {
        /// The queue's own word for it.
        code: String,
    },
    /// The queue could not do it now: trying again may help.
    #[error("the queue could not do it ({code})")]
    Failed {
        /// The queue's own word for it.
        code: String,
    },
}

/// What became of one entry of a batch.
pub type EntryOutcome = Result<(), EntryFailure>;

/// Roughly how much lies in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that can be received.
    pub visible: u64,
    /// Messages that were received and are hidden.
    pub in_flight: u64,
    /// Messages that were sent with a delay.
    pub delayed: u64,
}

/// A queue that delivers at least once and hides what it has delivered for a while.
///
/// Every call must come back by itself, within its own time-out.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Waits up to `wait` for messages and takes up to `max` of them, at most [`BATCH_MAX`]; they stay hidden for
    /// `visibility`. Nothing within `wait` is an empty answer, not an error.
    ///
    /// The caller does not drop a call that runs, except at the end of a stop: the queue may already have handed
    /// messages out, and they would stay hidden unseen.
    ///
    /// # Errors
    /// When the queue did not answer or refused; nothing is known to have been taken.
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError>;

    /// Deletes up to [`BATCH_MAX`] deliveries; one outcome for each, in the order given.
    ///
    /// # Errors
    /// When the call as a whole failed: any of the entries may be done or not, and asking again is safe.
    async fn delete(&self, receipts: &[ReceiptHandle]) -> Result<Vec<EntryOutcome>, QueueError>;

    /// Hides up to [`BATCH_MAX`] deliveries anew; one outcome for each, in the order given.
    ///
    /// # Errors
    /// When the call as a whole failed: any of the entries may be done or not, and asking again is safe.
    async fn set_visibility(&self, changes: &[VisibilityChange]) -> Result<Vec<EntryOutcome>, QueueError>;

    /// Roughly how much lies in the queue.
    ///
    /// # Errors
    /// When the queue did not answer or refused.
    async fn depth(&self) -> Result<Depth, QueueError>;
}
