//! What is done with a message.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::queue::Message;

/// What shall become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its effect is durable; delete it.
    Ack,
    /// Deliver it again later.
    Retry {
        /// How much later; `None` grows with each receive, with jitter.
        after: Option<Duration>,
    },
    /// Something the message is not to blame for is down. It is kept, its lease too, and the handler is called
    /// again after a pause, so that no receive is spent; held permits keep the poller from taking more.
    Blocked,
    /// Neither work nor deletion: it is left to reappear by itself until the queue's redrive policy moves it away.
    Dead {
        /// Why, for the log.
        reason: String,
    },
}

/// Why a message is not handled the usual way any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoisonReason {
    /// It came back more often than `PollerConfig::poison_after` allows.
    ReceivedTooOften {
        /// How often it was received, this delivery included.
        receives: u32,
    },
}

/// Does something with each message. At-least-once delivery is a fact: it has to be idempotent.
///
/// A panic in either method counts as [`Verdict::Retry`]. After a hard stop the future is dropped where it waits,
/// and the message is given back.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Handles a message. `lost` is cancelled when the message is no longer ours, so another worker may have it.
    async fn handle(&self, message: &Message, lost: CancellationToken) -> Verdict;

    /// Puts a message aside that came back too often; [`Verdict::Ack`] once it is stored elsewhere.
    async fn poison(&self, message: &Message, why: PoisonReason) -> Verdict;
}
