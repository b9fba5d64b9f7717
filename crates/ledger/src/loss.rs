use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use crate::{ApiDimension, Carry, EventKey, Hour, Record, RecordEnd, Scale, SubUnits};

/// Usage that will not be billed; every unit of it is listed with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The subscription.
    pub subscription: SubscriptionKey,
    /// What was used.
    pub dimension: ApiDimension,
    /// The hour in which it was used or to be billed.
    pub hour: Hour,
    /// How much.
    pub parts: SubUnits,
    /// The dimension's scale.
    pub scale: Scale,
    /// Why.
    pub reason: LossReason,
    /// When that was found.
    pub at: Timestamp,
    /// The event, where it was lost by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventKey>,
    /// More, in words; empty where the reason says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Why usage is not billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// The marketplace holds another record of the same key.
    Conflict,
    /// The marketplace refuses the record as it is, or it comes to more than can be counted.
    Rejected,
    /// The record could not be sent in time.
    Expired,
    /// The marketplace knows of no subscription.
    NotSubscribed,
    /// It came, or was left over, when the final-usage window had no hour for it any more.
    WindowClosed,
    /// It belongs to an earlier stretch of the subscription.
    EarlierPeriod,
    /// The only hour left for it lies in the next month.
    MonthClosed,
    /// Less than a unit was left over at the end of a month or of a subscription.
    Fraction,
    /// It came late, and nobody decided on it in time.
    Late,
    /// An operator wrote it off.
    WrittenOff,
    /// The buyer's payment failed.
    PaymentFailed,
}

impl LossReason {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Conflict,
        Self::Rejected,
        Self::Expired,
        Self::NotSubscribed,
        Self::WindowClosed,
        Self::EarlierPeriod,
        Self::MonthClosed,
        Self::Fraction,
        Self::Late,
        Self::WrittenOff,
        Self::PaymentFailed,
    ];

    /// The word under which it is stored and listed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::NotSubscribed => "not_subscribed",
            Self::WindowClosed => "window_closed",
            Self::EarlierPeriod => "earlier_period",
            Self::MonthClosed => "month_closed",
            Self::Fraction => "fraction",
            Self::Late => "late",
            Self::WrittenOff => "written_off",
            Self::PaymentFailed => "payment_failed",
        }
    }
}

impl fmt::Display for LossReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// No reason is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason {0:?}")]
pub struct UnknownReason(String);

impl FromStr for LossReason {
    type Err = UnknownReason;

    fn from_str(word: &str) -> Result<Self, UnknownReason> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .ok_or_else(|| UnknownReason(word.to_owned()))
    }
}

impl From<RecordEnd> for LossReason {
    fn from(end: RecordEnd) -> Self {
        match end {
            RecordEnd::Conflict => Self::Conflict,
            RecordEnd::Rejected => Self::Rejected,
            RecordEnd::Expired => Self::Expired,
            RecordEnd::NotSubscribed => Self::NotSubscribed,
        }
    }
}

impl Loss {
    /// What was left over and goes into no record.
    pub(crate) fn of_carry(
        carry: &Carry,
        subscription: &SubscriptionKey,
        dimension: &ApiDimension,
        reason: LossReason,
        at: Timestamp,
    ) -> Self {
        Self {
            subscription: subscription.clone(),
            dimension: dimension.clone(),
            hour: carry.hour,
            parts: carry.parts,
            scale: carry.scale,
            reason,
            at,
            event: None,
            detail: String::new(),
        }
    }

    /// A part of a record that is lost; `None` where that is nothing.
    pub(crate) fn of_record(
        record: &Record,
        parts: SubUnits,
        reason: LossReason,
        at: Timestamp,
        detail: &str,
    ) -> Option<Self> {
        (!parts.is_zero()).then(|| Self {
            subscription: record.key.subscription.clone(),
            dimension: record.key.dimension.clone(),
            hour: record.key.hour,
            parts,
            scale: record.scale,
            reason,
            at,
            event: None,
            detail: detail.to_owned(),
        })
    }
}
