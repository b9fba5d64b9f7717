use std::fmt;
use std::str::FromStr;

use stallkeeper_lifecycle::{EventId, MarketplaceName, SubscriptionKey, Timestamp};

use crate::StoreError;

/// What makes a notification the same one when it comes again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxKey {
    /// Where it came from.
    pub marketplace: MarketplaceName,
    /// The marketplace's id of it.
    pub id: EventId,
}

/// A notification as it is kept, so that it is taken in once and can be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its identity.
    pub key: InboxKey,
    /// Whom it is about.
    pub subscription: SubscriptionKey,
    /// When the worker took it from the queue.
    pub received_at: Timestamp,
    /// Its bytes, as they came.
    pub body: Vec<u8>,
}

/// What became of a notification, as stored with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Settled {
    /// It was taken in.
    Applied,
    /// It told nothing new.
    Unchanged,
    /// It is older than the subscription's tombstone.
    TooOld,
    /// The subscription is another tenant's, and stays so; no notification comes to this.
    Taken,
}

impl Settled {
    /// The word under which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::TooOld => "too-old",
            Self::Taken => "taken",
        }
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Settled {
    type Err = StoreError;

    fn from_str(word: &str) -> Result<Self, StoreError> {
        [Self::Applied, Self::Unchanged, Self::TooOld, Self::Taken]
            .into_iter()
            .find(|settled| settled.as_str() == word)
            .ok_or_else(|| StoreError::unreadable("inbox.outcome", format!("unknown word {word:?}")))
    }
}
