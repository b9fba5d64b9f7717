use serde::{Deserialize, Serialize};

use crate::{
    FactLog, Flag, Snapshots, SubscriptionKey, TenantId, Terms, Timestamp, UserId, View, fold, view,
};

/// All that is stored of one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The marketplace's facts.
    pub log: FactLog,
    /// Whom it is bound to; it has no marketplace time, so no fact outdates it, nor the reverse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// Whom it was bound to before that, where that was another tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<TenantId>,
    /// What the marketplace answered when asked.
    #[serde(default, skip_serializing_if = "Snapshots::is_empty")]
    pub snapshots: Snapshots,
    /// What the app was last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<View>,
    /// How often the app was told something.
    #[serde(default)]
    pub sequence: u64,
    /// The oddities that were reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reported: Vec<Flag>,
    /// Up to when the marketplace was asked because it said that entitlements changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queried_for: Option<Timestamp>,
    /// How many facts came from feeds without times.
    #[serde(default)]
    pub receipts: u64,
    /// Of an agreement: the licenses that named it, which take its facts too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<SubscriptionKey>,
}

/// Whom a subscription is bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Binding {
    /// The seller's tenant.
    pub tenant: TenantId,
    /// The user who registered, where the seller keeps such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

impl Subscription {
    /// How it looks at `now`.
    pub fn view(&self, now: Timestamp, terms: Terms) -> View {
        view(&fold(&self.log).0, self.binding.as_ref(), &self.snapshots, now, terms)
    }
}
