use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use crate::{ApiDimension, Hour, Meter, Region, Report, Scale, SubUnits, TagSet};

/// How many attempts a record remembers; later ones take the place of the last.
const ATTEMPTS_MAX: usize = 64;

/// By what the marketplace tells records apart: the first of each key is billed, and no other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey {
    /// The listing with the customer or the license: a customer's record and a license's are two.
    pub subscription: SubscriptionKey,
    /// The hour.
    pub hour: Hour,
    /// What was used.
    pub dimension: ApiDimension,
    /// Where it is reported to.
    pub region: Region,
}

/// What is metered for one hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its identity.
    pub key: RecordKey,
    /// The stretch of the subscription that it was counted in.
    pub period: u32,
    /// When that stretch began: the record's time is not before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The scale of its parts: the finest that its events had.
    pub scale: Scale,
    /// What the events of the hour come to.
    pub counted: SubUnits,
    /// What earlier hours left over, added when it was frozen.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub carried_in: SubUnits,
    /// What was left over for a later hour when it was frozen.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub carried_out: SubUnits,
    /// The parts of `counted` that have tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "parts")]
    pub parts: BTreeMap<TagSet, SubUnits>,
    /// What is sent, once it is frozen; never changed after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// The first instant at which it may not be sent any more, once it is frozen: the age limit, the month's
    /// close or the final-usage window's end, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    pub state: RecordState,
    /// What was tried.
    #[serde(default)]
    pub sending: Sending,
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum RecordState {
    /// Usage is added.
    Open,
    /// Quantity, time and bytes are fixed; it waits to be sent, or for its answer.
    Frozen {
        /// Since when.
        at: Timestamp,
    },
    /// The marketplace took it.
    Settled {
        /// When that was learned.
        at: Timestamp,
        /// The marketplace's id of it.
        record_id: String,
    },
    /// The marketplace holds a record of this key, and an earlier attempt with the same bytes has no answer.
    SettledAssumed {
        /// When that was learned.
        at: Timestamp,
        /// The marketplace's id of it, where it said one.
        record_id: Option<String>,
    },
    /// It will never be billed.
    Ended {
        /// When.
        at: Timestamp,
        /// How.
        end: RecordEnd,
        /// In words.
        why: String,
    },
}

/// How a record ended that is not billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordEnd {
    /// The marketplace holds another record of this key.
    Conflict,
    /// The marketplace refuses it as it is.
    Rejected,
    /// Its time is over.
    Expired,
    /// The marketplace knows of no subscription.
    NotSubscribed,
}

/// What was tried with a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// The attempts' numbers, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<i64>,
    /// The attempt whose answer is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<i64>,
    /// Whether the marketplace may have taken it without our knowing.
    #[serde(default)]
    pub doubt: Doubt,
    /// It is sent again no earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// How often the marketplace said that nobody is subscribed.
    #[serde(default)]
    pub refusals: u32,
}

/// Whether the marketplace may have taken a record without our knowing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Every attempt's answer is known.
    #[default]
    None,
    /// An attempt with these bytes ended without an answer.
    Unanswered,
}

impl Record {
    /// An hour in which nothing was counted yet.
    pub fn open(key: RecordKey, meter: &Meter, scale: Scale) -> Self {
        Self {
            key,
            period: meter.period,
            since: meter.period_start,
            scale,
            counted: SubUnits::ZERO,
            carried_in: SubUnits::ZERO,
            carried_out: SubUnits::ZERO,
            parts: BTreeMap::new(),
            report: None,
            expires_at: None,
            state: RecordState::Open,
            sending: Sending::default(),
        }
    }

    /// Whether usage can be added.
    pub fn is_open(&self) -> bool {
        self.state == RecordState::Open
    }

    /// Whether it waits to be sent.
    pub fn is_frozen(&self) -> bool {
        matches!(self.state, RecordState::Frozen { .. })
    }

    /// Counts in a finer scale's parts from now on; `false`, and nothing changes, where that cannot be.
    pub(crate) fn rescale(&mut self, scale: Scale) -> bool {
        let finer = |parts: SubUnits| parts.rescaled(self.scale, scale);
        let parts: Option<BTreeMap<TagSet, SubUnits>> =
            self.parts.iter().map(|(tags, part)| Some((tags.clone(), finer(*part)?))).collect();
        let (Some(counted), Some(parts)) = (finer(self.counted), parts) else { return false };
        (self.counted, self.parts, self.scale) = (counted, parts, scale);
        true
    }

    /// What it reports, or would if it were frozen now.
    pub fn parts_reported(&self) -> SubUnits {
        match &self.report {
            Some(report) => SubUnits::of_units(report.quantity, self.scale),
            None => self.counted,
        }
    }
}

impl RecordState {
    /// The words of all states, as they are stored.
    pub const WORDS: [&str; 8] =
        ["open", "frozen", "settled", "settled_assumed", "conflict", "rejected", "expired", "not_subscribed"];

    /// The word under which it is stored and listed.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Frozen { .. } => "frozen",
            Self::Settled { .. } => "settled",
            Self::SettledAssumed { .. } => "settled_assumed",
            Self::Ended { end, .. } => end.word(),
        }
    }
}

impl RecordEnd {
    /// The word under which it is stored and listed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::NotSubscribed => "not_subscribed",
        }
    }
}

impl Sending {
    /// Whether an attempt has no answer, so that the marketplace may have taken it.
    pub fn is_in_doubt(&self) -> bool {
        self.in_flight.is_some() || self.doubt == Doubt::Unanswered
    }

    /// Remembers an attempt.
    pub(crate) fn remember(&mut self, attempt: i64) {
        if self.attempts.len() >= ATTEMPTS_MAX {
            self.attempts.pop();
        }
        self.attempts.push(attempt);
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {} {}", self.subscription, self.hour, self.dimension, self.region)
    }
}

/// A map whose keys are no texts, as JSON: a list of pairs.
mod parts {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{SubUnits, TagSet};

    pub(super) fn serialize<S: Serializer>(
        parts: &BTreeMap<TagSet, SubUnits>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        parts.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<TagSet, SubUnits>, D::Error> {
        Ok(Vec::<(TagSet, SubUnits)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_nothing(parts: &SubUnits) -> bool {
    parts.is_zero()
}
