use std::fmt;
use std::str::FromStr;

use stallkeeper_lifecycle::{EventId, SubscriptionKey, Timestamp};

use crate::StoreError;

/// Who changed something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A marketplace, by a notification.
    Marketplace,
    /// The worker itself, as when a deadline passes.
    Worker,
    /// A person, by the name that he gave or the system knows.
    Operator(String),
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marketplace => formatter.pad("marketplace"),
            Self::Worker => formatter.pad("worker"),
            Self::Operator(name) => write!(formatter, "operator:{name}"),
        }
    }
}

impl FromStr for Actor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        match text {
            "marketplace" => Ok(Self::Marketplace),
            "worker" => Ok(Self::Worker),
            _ => text
                .strip_prefix("operator:")
                .map(|name| Self::Operator(name.to_owned()))
                .ok_or_else(|| StoreError::unreadable("history.actor", format!("unknown actor {text:?}"))),
        }
    }
}

/// One line of a subscription's history; never changed once written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The subscription.
    pub key: SubscriptionKey,
    /// When the worker took it in.
    pub at: Timestamp,
    /// What happened: a fact's name, or an act such as `bound`.
    pub what: String,
    /// When the marketplace says it happened.
    pub happened_at: Option<Timestamp>,
    /// The notification that said so.
    pub event: Option<EventId>,
    /// What became of it: `applied`, `unchanged`, `too-old`.
    pub outcome: String,
    /// The subscription's word after it.
    pub word: String,
    /// What is odd about it.
    pub anomaly: Option<String>,
    /// Who did it.
    pub actor: Actor,
    /// The rest as JSON, such as the offer or the tenant.
    pub detail: String,
}

/// A stored line of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRecord {
    /// Counts up in the order of storing.
    pub number: i64,
    /// The line.
    pub entry: HistoryEntry,
}
