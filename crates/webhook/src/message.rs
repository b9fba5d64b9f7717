use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

use stallkeeper_runtime::hex;

use crate::Event;

/// How many bytes of the hash an id has: enough that two messages never share one.
const ID_BYTES: usize = 16;

/// A message's id, the same at every attempt: a receiver drops an id that it has had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// The id of what one endpoint is told about a subscription at that sequence.
    pub fn of(subscription: &str, sequence: u64, event: Event, endpoint: &str) -> Self {
        let mut hash = Context::new(&SHA256);
        // Each part with its length before it, so that no two lists of parts read the same.
        for part in [subscription, event.as_str(), endpoint] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(&sequence.to_be_bytes());
        let digits = hex(hash.finish().as_ref().get(..ID_BYTES).unwrap_or_default());
        Self(format!("msg_{digits}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// What happened.
    pub event: Event,
    /// The body, JSON.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(subscription: &str, sequence: u64, endpoint: &str) -> MessageId {
        MessageId::of(subscription, sequence, Event::SubscriptionEnding, endpoint)
    }

    #[test]
    fn an_id_is_the_same_at_every_attempt() {
        assert_eq!(id("aws/p/customer/a", 3, "app"), id("aws/p/customer/a", 3, "app"));
    }

    #[test]
    fn another_subscription_sequence_event_or_endpoint_has_another_id() {
        let first = id("aws/p/customer/a", 3, "app");
        assert_ne!(first, id("aws/p/customer/b", 3, "app"));
        assert_ne!(first, id("aws/p/customer/a", 4, "app"));
        assert_ne!(first, id("aws/p/customer/a", 3, "crm"));
        assert_ne!(first, MessageId::of("aws/p/customer/a", 3, Event::SubscriptionEnded, "app"));
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        assert_ne!(id("ab", 1, "c"), id("a", 1, "bc"));
    }
}
