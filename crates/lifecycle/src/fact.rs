use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AccountId, AgreementId, EventId, LicenseArn, OfferId, PlanId, Timestamp};

/// How far ahead of the wall clock a fact's time may lie; what is later is quarantined, as it would
/// outrank every true fact until its time came.
pub const MAX_CLOCK_LEAD: Duration = Duration::from_mins(5);

/// Something a marketplace said, with its place among all it said of the same holder.
///
/// Two facts with the same position and kind are one fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    position: Position,
    kind: FactKind,
}

impl Fact {
    /// A fact from a feed that says when things happened.
    pub fn at_time(time: Timestamp, id: EventId, kind: FactKind) -> Self {
        let rank = kind.rank();
        Self { position: Position::Marketplace { time, rank, id }, kind }
    }

    /// A fact from a feed that does not: its order is that of receipt.
    pub fn received(sequence: u64, at: Timestamp, kind: FactKind) -> Self {
        Self { position: Position::Receipt { sequence, at }, kind }
    }

    /// Its place in the order of facts.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// What happened.
    pub fn kind(&self) -> &FactKind {
        &self.kind
    }

    /// When it happened, or where the feed does not say, when it was received.
    pub fn time(&self) -> Timestamp {
        self.position.time()
    }
}

/// A fact's place in the order in which facts are folded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// The marketplace's time, then the rank of the kind, then the id, which only makes the order total.
    Marketplace {
        /// SNS `Timestamp` or EventBridge `time`.
        time: Timestamp,
        /// What comes first at equal times.
        rank: u8,
        /// The notification's id.
        id: EventId,
    },
    /// The order in which the store received it.
    Receipt {
        /// Counts up for each subscription.
        sequence: u64,
        /// The wall clock's reading then.
        at: Timestamp,
    },
}

impl Position {
    /// The time in it.
    pub fn time(&self) -> Timestamp {
        match self {
            Self::Marketplace { time, .. } => *time,
            Self::Receipt { at, .. } => *at,
        }
    }
}

/// A license and the account that it was granted to: what usage is reported under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Licensee {
    /// The license, as the marketplace's calls take it.
    pub license_arn: LicenseArn,
    /// The buyer's account.
    pub account: AccountId,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// SNS `subscribe-success`: metering may begin; also sent again after an amendment.
    SubscribeSuccess {
        /// Absent on public offers from before 2024.
        offer: Option<OfferId>,
        /// Whether a free trial is part of the offer.
        trial: Trial,
    },
    /// SNS `subscribe-fail`: the buyer's payment failed.
    SubscribeFail,
    /// SNS `unsubscribe-pending`: about one hour to report final usage.
    UnsubscribePending,
    /// SNS `unsubscribe-success`: nothing is accepted any more.
    UnsubscribeSuccess,
    /// SNS `entitlement-updated`: says that something changed, never what.
    EntitlementUpdated,

    /// EventBridge `License Updated`: the activation signal of concurrent agreements.
    LicenseUpdated {
        /// The offer named by the event.
        offer: Option<OfferId>,
        /// Joins the license to its agreement.
        agreement: Option<AgreementId>,
        /// Whom the license was granted to, as the event says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        licensee: Option<Licensee>,
    },
    /// A look-up found a license provisioned whose `License Updated` followed an end.
    ///
    /// It takes the time and id of the event that it confirms.
    LicenseConfirmed {
        /// The offer of the confirmed event.
        offer: Option<OfferId>,
        /// The agreement of the confirmed event.
        agreement: Option<AgreementId>,
    },
    /// EventBridge `License Deprovisioned`.
    LicenseDeprovisioned,
    /// EventBridge `Purchase Agreement Created`: the commercial record.
    AgreementCreated(AgreementIntent),
    /// EventBridge `Purchase Agreement Amended`.
    AgreementAmended,
    /// EventBridge `Purchase Agreement Ended`.
    AgreementEnded(AgreementEnd),
    /// EventBridge `Purchase Agreement Advisory Issued`: a human should talk to the buyer.
    AdvisoryIssued,
    /// EventBridge `Purchase Agreement Advisory Resolved`.
    AdvisoryResolved,
    /// An EventBridge event that is recorded and passed on.
    Notice(Notice),

    /// SPI `orderPay`: an early record of an order.
    OrderPaid,
    /// SPI `createInstance`.
    InstanceCreated {
        /// What was bought.
        plan: Option<Plan>,
        /// Whether it is a trial purchase.
        trial: Trial,
        /// Absent for pay-as-you-go.
        expires_at: Option<Timestamp>,
    },
    /// SPI `renewInstance`: a new expiry; also sent once arrears are paid.
    InstanceRenewed {
        /// The new expiry.
        expires_at: Option<Timestamp>,
    },
    /// SPI `resumeInstance`: arrears of a mixed-billing product were paid.
    InstanceResumed,
    /// SPI `upgradeInstance`.
    InstanceUpgraded {
        /// The new plan, whole.
        plan: Plan,
    },
    /// SPI `expiredInstance`: freeze, reversibly.
    InstanceExpired,
    /// SPI `releaseInstance`: delete.
    InstanceReleased,
    /// A look-up's answer about an instance.
    InstanceObserved(InstanceStatus),

    /// License mode: the code was activated for the buyer.
    CodeActivated {
        /// `ExpiredTime` of the licence.
        expires_at: Option<Timestamp>,
    },
    /// License mode: a look-up found a later expiry.
    CodeRenewed {
        /// `ExpiredTime` of the licence.
        expires_at: Option<Timestamp>,
    },
    /// License mode: the expiry passed, or a look-up answered `EXPIRED`.
    CodeExpired,
    /// License mode: the licence was discarded, as after a refund.
    CodeDiscarded,
}

impl FactKind {
    /// What comes first at equal times: a failure before the success of a second try, an end after what it ends.
    pub fn rank(&self) -> u8 {
        match self {
            Self::SubscribeFail => 0,
            Self::SubscribeSuccess { .. }
            | Self::LicenseUpdated { .. }
            | Self::AgreementCreated(_)
            | Self::InstanceCreated { .. }
            | Self::CodeActivated { .. } => 1,
            Self::LicenseConfirmed { .. } => 2,
            Self::UnsubscribePending | Self::AgreementEnded(_) => 3,
            Self::LicenseDeprovisioned => 4,
            Self::UnsubscribeSuccess => 5,
            Self::EntitlementUpdated
            | Self::AgreementAmended
            | Self::AdvisoryIssued
            | Self::Notice(_)
            | Self::OrderPaid
            | Self::InstanceRenewed { .. }
            | Self::InstanceResumed
            | Self::InstanceUpgraded { .. }
            | Self::InstanceExpired
            | Self::InstanceReleased
            | Self::InstanceObserved(_)
            | Self::CodeRenewed { .. }
            | Self::CodeExpired
            | Self::CodeDiscarded => 6,
            Self::AdvisoryResolved => 7,
        }
    }

    /// The word for it in histories, metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SubscribeSuccess { .. } => "subscribe-success",
            Self::SubscribeFail => "subscribe-fail",
            Self::UnsubscribePending => "unsubscribe-pending",
            Self::UnsubscribeSuccess => "unsubscribe-success",
            Self::EntitlementUpdated => "entitlement-updated",
            Self::LicenseUpdated { .. } => "license-updated",
            Self::LicenseConfirmed { .. } => "license-confirmed",
            Self::LicenseDeprovisioned => "license-deprovisioned",
            Self::AgreementCreated(_) => "agreement-created",
            Self::AgreementAmended => "agreement-amended",
            Self::AgreementEnded(_) => "agreement-ended",
            Self::AdvisoryIssued => "advisory-issued",
            Self::AdvisoryResolved => "advisory-resolved",
            Self::Notice(notice) => notice.name(),
            Self::OrderPaid => "order-paid",
            Self::InstanceCreated { .. } => "instance-created",
            Self::InstanceRenewed { .. } => "instance-renewed",
            Self::InstanceResumed => "instance-resumed",
            Self::InstanceUpgraded { .. } => "instance-upgraded",
            Self::InstanceExpired => "instance-expired",
            Self::InstanceReleased => "instance-released",
            Self::InstanceObserved(_) => "instance-observed",
            Self::CodeActivated { .. } => "license-code-activated",
            Self::CodeRenewed { .. } => "license-code-renewed",
            Self::CodeExpired => "license-code-expired",
            Self::CodeDiscarded => "license-code-discarded",
        }
    }
}

/// Whether a free trial is part of what was bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trial {
    /// The marketplace did not say.
    #[default]
    Unknown,
    /// No trial.
    No,
    /// A trial.
    Yes,
}

/// What was bought: the SKU and the values of its extra billing items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Plan {
    /// The SKU.
    pub id: PlanId,
    /// Extra billing items, by the key they are published under.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<String, String>,
}

/// Why an agreement was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgreementIntent {
    /// A new purchase.
    New,
    /// The next term of an earlier agreement.
    Renew,
    /// In place of an earlier agreement.
    Replace,
}

/// With what status an agreement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgreementEnd {
    /// The buyer or the seller cancelled.
    Cancelled,
    /// The term ran out.
    Expired,
    /// AWS ended it.
    Terminated,
    /// A renewal follows: not an end for the buyer.
    Renewed,
    /// Another agreement follows: not an end for the buyer.
    Replaced,
}

/// EventBridge events that change nothing in a buyer's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// `Purchase Agreement Ending`, 180 to 30 days before the end.
    AgreementEnding,
    /// `Purchase Agreement Renewal Terms Finalized`.
    RenewalTermsFinalized,
    /// `Purchase Agreement Renewal Upcoming`.
    RenewalUpcoming,
    /// `Agreement Cancellation Request Pending Approval`.
    CancellationPending,
    /// `Agreement Cancellation Request Approved`.
    CancellationApproved,
    /// `Agreement Cancellation Request Rejected`.
    CancellationRejected,
    /// `Agreement Cancellation Request Cancelled`.
    CancellationWithdrawn,
    /// `Agreement Cancellation Request Validation Failed`.
    CancellationInvalid,
    /// `Purchase Agreement Billing Adjustment Completed`.
    AdjustmentCompleted,
    /// `Purchase Agreement Billing Adjustment Failed`.
    AdjustmentFailed,
    /// `Spend Threshold Reached`.
    SpendThresholdReached,
    /// `Vet Succeeded`.
    VetSucceeded,
    /// `Vet Failed`.
    VetFailed,
}

impl Notice {
    /// The word for it in histories, metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::AgreementEnding => "agreement-ending",
            Self::RenewalTermsFinalized => "renewal-terms-finalized",
            Self::RenewalUpcoming => "renewal-upcoming",
            Self::CancellationPending => "cancellation-pending",
            Self::CancellationApproved => "cancellation-approved",
            Self::CancellationRejected => "cancellation-rejected",
            Self::CancellationWithdrawn => "cancellation-withdrawn",
            Self::CancellationInvalid => "cancellation-invalid",
            Self::AdjustmentCompleted => "billing-adjustment-completed",
            Self::AdjustmentFailed => "billing-adjustment-failed",
            Self::SpendThresholdReached => "spend-threshold-reached",
            Self::VetSucceeded => "vet-succeeded",
            Self::VetFailed => "vet-failed",
        }
    }
}

/// What `DescribeInstanceForIsv` says of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceStatus {
    /// `OPENING`
    Opening,
    /// `OPENED`
    Opened {
        /// `EndOn`
        expires_at: Option<Timestamp>,
    },
    /// `EXPIRED`
    Expired,
    /// `CLOSED`
    Closed,
}
