use serde::{Deserialize, Serialize};

use crate::Position;

/// Something about a fact that a person or a look-up should see to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    /// An end without a beginning: the success was lost.
    SuccessLost,
    /// A last word without the word before it: the final-usage window was never announced.
    PendingLost,
    /// A payment failure while subscribed, suspended or ending: its meaning there is undocumented.
    FailOutOfPlace,
    /// `License Updated` after an end: it counts once a look-up confirms it.
    Unconfirmed,
    /// A call that makes no sense where the subscription stands.
    CallOutOfPlace,
    /// A renewal to an earlier expiry.
    ExpiryMovedBack,
    /// A beginning, or a failure to begin, after the instance or licence was gone for good.
    AfterFinalEnd,
}

impl Anomaly {
    /// The word for it in histories, metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::SuccessLost => "success-lost",
            Self::PendingLost => "pending-lost",
            Self::FailOutOfPlace => "fail-out-of-place",
            Self::Unconfirmed => "unconfirmed",
            Self::CallOutOfPlace => "call-out-of-place",
            Self::ExpiryMovedBack => "expiry-moved-back",
            Self::AfterFinalEnd => "after-final-end",
        }
    }

    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::SuccessLost,
        Self::PendingLost,
        Self::FailOutOfPlace,
        Self::Unconfirmed,
        Self::CallOutOfPlace,
        Self::ExpiryMovedBack,
        Self::AfterFinalEnd,
    ];

    /// The anomaly that histories call so; none where a newer version wrote it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|anomaly| anomaly.name() == name)
    }

    /// What it means, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::SuccessLost => "its beginning was never heard of",
            Self::PendingLost => "the final-usage window was never announced",
            Self::FailOutOfPlace => "a payment failure where none is expected",
            Self::Unconfirmed => "waits for a look-up to confirm it",
            Self::CallOutOfPlace => "makes no sense where the subscription stood",
            Self::ExpiryMovedBack => "renewed to an earlier expiry",
            Self::AfterFinalEnd => "came after the end that nothing reopens",
        }
    }
}

/// An anomaly and the fact that shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flag {
    /// The fact's place.
    pub position: Position,
    /// What is odd about it.
    pub anomaly: Anomaly,
}
