use std::fmt;
use std::str::FromStr;

/// What an app can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// A tenant is bound, the marketplace has not confirmed yet.
    SubscriptionRegistered,
    /// Subscribed, and bound to nobody.
    SubscriptionUnclaimed,
    /// Subscribed and bound.
    SubscriptionActivated,
    /// The payment failed.
    SubscriptionFailed,
    /// Frozen, reversibly.
    SubscriptionSuspended,
    /// Active again.
    SubscriptionResumed,
    /// The final-usage window is open.
    SubscriptionEnding,
    /// Over.
    SubscriptionEnded,
    /// The same standing with other data.
    SubscriptionChanged,
    /// What a tenant may use has changed.
    EntitlementUpdated,
    /// Usage runs out of time.
    UsageAtRisk,
    /// Usage was lost.
    UsageLost,
    /// Sent by an operator to try an endpoint.
    Test,
}

/// No event has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no event {0:?}")]
pub struct UnknownEvent(String);

impl Event {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::SubscriptionRegistered,
        Self::SubscriptionUnclaimed,
        Self::SubscriptionActivated,
        Self::SubscriptionFailed,
        Self::SubscriptionSuspended,
        Self::SubscriptionResumed,
        Self::SubscriptionEnding,
        Self::SubscriptionEnded,
        Self::SubscriptionChanged,
        Self::EntitlementUpdated,
        Self::UsageAtRisk,
        Self::UsageLost,
        Self::Test,
    ];

    /// The name under which it is delivered.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SubscriptionRegistered => "subscription.registered",
            Self::SubscriptionUnclaimed => "subscription.unclaimed",
            Self::SubscriptionActivated => "subscription.activated",
            Self::SubscriptionFailed => "subscription.failed",
            Self::SubscriptionSuspended => "subscription.suspended",
            Self::SubscriptionResumed => "subscription.resumed",
            Self::SubscriptionEnding => "subscription.ending",
            Self::SubscriptionEnded => "subscription.ended",
            Self::SubscriptionChanged => "subscription.changed",
            Self::EntitlementUpdated => "entitlement.updated",
            Self::UsageAtRisk => "usage.at_risk",
            Self::UsageLost => "usage.lost",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Event {
    type Err = UnknownEvent;

    fn from_str(name: &str) -> Result<Self, UnknownEvent> {
        Self::ALL
            .into_iter()
            .find(|event| event.as_str() == name)
            .ok_or_else(|| UnknownEvent(name.chars().take(100).collect()))
    }
}
