use std::sync::Arc;

use stallkeeper_lifecycle::{AgreementId, EventId, Fact, SubscriptionKey, Timestamp};

use crate::envelope::Envelope;
use crate::topic::Topic;

/// By what way a notification came; with its id it names the notification among all of a marketplace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// SNS, in its envelope. The id is SNS's.
    Sns,
    /// SNS with raw delivery. The id is SQS's.
    Raw,
    /// EventBridge. The id is the event's.
    EventBridge,
}

impl Source {
    /// The word for it in the inbox, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sns => "sns",
            Self::Raw => "raw",
            Self::EventBridge => "eventbridge",
        }
    }
}

/// What the queue says of a message, and when it was received.
#[derive(Clone, Copy, Debug)]
pub struct QueueMeta<'a> {
    /// SQS's `MessageId`.
    pub message_id: &'a str,
    /// SQS's `SentTimestamp`; only raw delivery needs it.
    pub sent_at: Option<Timestamp>,
    /// The wall clock's reading at receipt.
    pub received_at: Timestamp,
}

/// One marketplace notification, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// By what way it came.
    pub source: Source,
    /// Its id there.
    pub id: EventId,
    /// The topic that it came by; EventBridge has none.
    pub topic: Option<Arc<Topic>>,
    /// Which subscription, or which agreement, it is about.
    pub subject: SubscriptionKey,
    /// The agreement, where the notification names one; joins a license to its agreement.
    pub agreement: Option<AgreementId>,
    /// What happened, with its position.
    pub fact: Fact,
}

/// A message that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What it says.
    pub notification: Notification,
    /// What a [`Verifier`](crate::Verifier) needs; absent where the way of delivery has no signatures.
    pub envelope: Option<Envelope>,
}
