use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{OfferId, Plan, Timestamp, Trial};

/// How long final usage is accepted after the word that a buyer leaves ("about one hour",
/// AWS Marketplace seller guide, SaaS notifications).
pub const FINAL_WINDOW: Duration = Duration::from_hours(1);

/// Where the marketplace's facts leave a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing that counts was heard.
    #[default]
    None,
    /// The buyer may use the product.
    Subscribed(Period),
    /// The payment failed.
    Failed {
        /// When.
        at: Timestamp,
    },
    /// Frozen, reversibly.
    Suspended {
        /// The period that goes on once it is lifted.
        period: Period,
        /// When.
        since: Timestamp,
        /// Why.
        reason: SuspendReason,
    },
    /// The buyer leaves: the final-usage window is open until `deadline`.
    Ending {
        /// The period that ends.
        period: Period,
        /// When the marketplace said so.
        since: Timestamp,
        /// The first instant outside the window.
        deadline: Timestamp,
        /// Until when sending may still be tried; beyond `deadline` where AWS contradicts itself.
        attempts_until: Timestamp,
    },
    /// Over.
    Ended {
        /// When.
        at: Timestamp,
        /// How.
        end: End,
        /// The period that ended, where there was one.
        period: Option<Period>,
        /// Until when sending may still be tried, where that is after `at`.
        attempts_until: Option<Timestamp>,
    },
}

impl Standing {
    /// The standing as a look at `now` finds it: a window that has passed is an end.
    #[must_use]
    pub fn lapsed(self, now: Timestamp) -> Self {
        match self {
            Self::Ending { period, deadline, attempts_until, .. } if now >= deadline => Self::Ended {
                at: deadline,
                end: End::Lapsed,
                period: Some(period),
                attempts_until: (attempts_until > deadline).then_some(attempts_until),
            },
            standing => standing,
        }
    }

    /// The period that it speaks of.
    pub fn period(&self) -> Option<&Period> {
        match self {
            Self::None | Self::Failed { .. } => None,
            Self::Subscribed(period) | Self::Suspended { period, .. } | Self::Ending { period, .. } => {
                Some(period)
            }
            Self::Ended { period, .. } => period.as_ref(),
        }
    }
}

/// How a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The window passed without a last word; a later success reopens.
    Lapsed,
    /// The marketplace said so; a later success reopens.
    Said,
    /// The instance or licence is gone; nothing reopens it.
    Final,
}

/// One stretch from subscribing to ending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Counts up from 1 for each subscription.
    pub number: u32,
    /// When it began; unknown where its beginning was never heard of.
    pub started_at: Option<Timestamp>,
    /// How it began.
    pub entry: Entry,
    /// The newest offer.
    pub offer: Option<OfferId>,
    /// Whether a free trial is part of it.
    pub trial: Trial,
    /// The newest plan.
    pub plan: Option<Plan>,
    /// The newest expiry.
    pub expires_at: Option<Timestamp>,
}

/// How a period began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Afresh.
    New,
    /// Inside the final-usage window of the one before.
    Resumed,
    /// Unheard of: the marketplace spoke of its end first.
    Unseen,
}

/// Why a subscription is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspendReason {
    /// An instance's term ran out, or its arrears lasted; the call does not say which.
    InstanceExpired,
    /// A licence code's term ran out.
    CodeExpired,
}
