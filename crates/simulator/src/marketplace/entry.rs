use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;

use crate::marketplace::moment;

/// What the books say of one subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `<code>/customer/<customer id>`, or `<code>/license/<l-…>`.
    pub id: Arc<str>,
    /// The product's key.
    pub product: String,
    /// The product's code.
    pub code: String,
    /// The buyer's name.
    pub buyer: String,
    /// The buyer's AWS account, twelve digits.
    pub account: String,
    /// What notifications call the buyer, where the product speaks through topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The license, where the product speaks through events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_arn: Option<String>,
    /// The agreement in force, where the product speaks through events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement_id: Option<String>,
    /// The latest offer.
    pub offer_id: String,
    /// Where it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// Whether the latest offer has a free trial.
    pub trial: bool,
    /// When usage could be billed, oldest first.
    pub periods: Vec<Period>,
}

/// Where a subscription stands with the marketplace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "kebab-case")]
pub enum Standing {
    /// In force.
    Subscribed,
    /// Never came into force, as the payment failed.
    PaymentFailed,
    /// The buyer left; the last records are still taken.
    Ending {
        /// Until when.
        #[serde(serialize_with = "moment::serialize")]
        deadline: OffsetDateTime,
    },
    /// Over.
    Ended,
}

/// A time in which the marketplace takes records of usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The `subscribe-success` or the first `License Updated` that opened it.
    #[serde(serialize_with = "moment::serialize")]
    pub from: OffsetDateTime,
    /// The end of the buyer's last hour, or the `subscribe-success` inside that hour; none while it is open.
    #[serde(serialize_with = "moment::serialize_option")]
    pub to: Option<OffsetDateTime>,
}

impl Standing {
    /// The word that the books use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribed => "subscribed",
            Self::PaymentFailed => "payment-failed",
            Self::Ending { .. } => "ending",
            Self::Ended => "ended",
        }
    }

    /// The same at a moment: an hour that has passed has ended the subscription, whether it was said or not.
    #[must_use]
    pub fn at(self, moment: OffsetDateTime) -> Self {
        match self {
            Self::Ending { deadline } if deadline <= moment => Self::Ended,
            other => other,
        }
    }
}
