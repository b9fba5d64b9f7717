use std::fmt;
use std::str::FromStr;

use stallkeeper_lifecycle::{MarketplaceName, Timestamp};
use stallkeeper_runtime::{hex, sha256};

use crate::StoreError;

/// A quarantined message's identity: the hash of its bytes, so that a forgery cannot pass for a true message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuarantineKey {
    /// Whose queue it came from.
    pub marketplace: MarketplaceName,
    /// SHA-256 of its bytes, in lower-case hexadecimal digits.
    pub hash: String,
}

impl QuarantineKey {
    /// The identity of these bytes.
    pub fn of(marketplace: MarketplaceName, body: &[u8]) -> Self {
        Self { marketplace, hash: hex(&sha256(body)) }
    }
}

/// A message to be put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineEntry {
    /// Its identity.
    pub key: QuarantineKey,
    /// The queue's id of the message, to find it in the queue's logs.
    pub message_id: String,
    /// The refusal's code, such as `unknown-action`.
    pub reason: String,
    /// The refusal in words.
    pub detail: String,
    /// Its bytes, as they came.
    pub body: Vec<u8>,
    /// When the queue took it in, which is its time where it has no envelope.
    pub sent_at: Option<Timestamp>,
    /// When it was refused.
    pub at: Timestamp,
}

/// Where a quarantined message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuarantineState {
    /// It waits for a person.
    Held,
    /// It was taken in after all.
    Replayed,
    /// A person decided that it is worth nothing.
    Discarded,
}

impl QuarantineState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Held, Self::Replayed, Self::Discarded];

    /// The word under which it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

impl fmt::Display for QuarantineState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for QuarantineState {
    type Err = StoreError;

    fn from_str(word: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| StoreError::unreadable("quarantine.state", format!("unknown word {word:?}")))
    }
}

/// A message in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineRecord {
    /// The message as it was first put aside; the newest reason where it came again.
    pub entry: QuarantineEntry,
    /// Where it stands.
    pub state: QuarantineState,
    /// How often it came; copies that came together, in one commit, count once.
    pub seen: i64,
    /// When it came last.
    pub last_seen_at: Timestamp,
    /// Who settled it and when.
    pub settled: Option<(String, Timestamp)>,
}
