use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How many entitlements of one answer are kept.
pub const ENTITLEMENTS_MAX: usize = 1_000;

/// How many empty answers in a row are remembered; the first and the last decide, and the first dates the end.
const EMPTY_ANSWERS_MAX: usize = 16;

/// How far apart two questions are whose empty answers are an end: answers lag behind purchases and renewals, and
/// two questions at once are no more than one.
pub const EMPTY_APART: Duration = Duration::from_mins(1);

/// A whole answer of a marketplace to the question what a holder is entitled to.
///
/// An error is never an answer, least of all an empty one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When the question was asked: of two answers, that to the later question wins.
    pub asked_at: Timestamp,
    /// The answer, all its pages.
    pub entitlements: Vec<Entitlement>,
}

/// One dimension that a holder is entitled to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// The marketplace's name of the dimension.
    pub dimension: String,
    /// Its value as the marketplace gave it.
    pub value: String,
    /// The date until which it holds at least.
    pub expires_at: Option<Timestamp>,
}

/// The answers that still count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshots {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    granted: Option<Snapshot>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    empty_at: Vec<Timestamp>,
}

impl Snapshots {
    /// Whether nothing was ever answered.
    pub fn is_empty(&self) -> bool {
        self.granted.is_none() && self.empty_at.is_empty()
    }

    /// The newest answer that grants something.
    pub fn granted(&self) -> Option<&Snapshot> {
        self.granted.as_ref()
    }

    /// When the first of the empty answers after it was asked for, once another one is a minute later: the end,
    /// confirmed.
    pub fn confirmed_empty_at(&self) -> Option<Timestamp> {
        match self.empty_at.as_slice() {
            [first, .., last] if last.since(*first) >= EMPTY_APART => Some(*first),
            _ => None,
        }
    }

    /// Takes an answer; `false` where it tells nothing new.
    pub fn insert(&mut self, mut answer: Snapshot) -> bool {
        if self.granted.as_ref().is_some_and(|granted| answer.asked_at <= granted.asked_at) {
            return false;
        }
        if answer.entitlements.is_empty() {
            return self.insert_empty(answer.asked_at);
        }
        answer.entitlements.truncate(ENTITLEMENTS_MAX);
        self.empty_at.retain(|asked_at| *asked_at > answer.asked_at);
        self.granted = Some(answer);
        true
    }

    fn insert_empty(&mut self, asked_at: Timestamp) -> bool {
        let Err(index) = self.empty_at.binary_search(&asked_at) else { return false };
        self.empty_at.insert(index, asked_at);
        if self.empty_at.len() > EMPTY_ANSWERS_MAX {
            self.empty_at.remove(1);
        }
        true
    }
}
