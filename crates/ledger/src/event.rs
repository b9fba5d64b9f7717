use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::{SubscriptionKey, TenantId, Timestamp, UserId};

use crate::{
    ApiDimension, DimensionName, Hour, Loss, LossReason, ProductKey, QuantityError, Scale, SubUnits,
    Submission, TagError, TagSet, UsageId,
};

/// By what the app's events are told apart: one counts once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventKey {
    /// The product.
    pub product: ProductKey,
    /// The tenant.
    pub tenant: TenantId,
    /// The app's id.
    pub id: UsageId,
}

/// Usage as the app reported it, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageEvent {
    /// Its identity.
    pub key: EventKey,
    /// Whose meter it went to.
    pub subscription: SubscriptionKey,
    /// What was used, in the seller's words.
    pub dimension: DimensionName,
    /// The same in the marketplace's.
    pub api_name: ApiDimension,
    /// The dimension's scale.
    pub scale: Scale,
    /// When it was used.
    pub occurred_at: Timestamp,
    /// When it was stored.
    pub received_at: Timestamp,
    /// How much was used.
    pub quantity: SubUnits,
    /// How much of it counts: all, or what it adds to the hour's peak.
    pub counted: SubUnits,
    /// Who used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// By what it is split off for the buyer.
    #[serde(default, skip_serializing_if = "TagSet::is_empty")]
    pub tags: TagSet,
    /// What became of it.
    pub state: EventState,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum EventState {
    /// It is part of an hour's record.
    Counted {
        /// The hour.
        hour: Hour,
    },
    /// It waits.
    Held {
        /// For what.
        reason: HeldReason,
        /// When it is too late for it.
        until: Timestamp,
    },
    /// It is not billed.
    Lost {
        /// Why.
        reason: LossReason,
    },
}

/// What held usage waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldReason {
    /// The marketplace has not confirmed the subscription.
    BeforeActivation,
    /// Its hour is frozen: an operator decides.
    Late,
}

impl EventState {
    /// The word under which it is stored and listed.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Counted { .. } => "counted",
            Self::Held { .. } => "held",
            Self::Lost { .. } => "lost",
        }
    }
}

impl UsageEvent {
    /// Is counted in a finer scale's parts from now on; `false`, and nothing changes, where that cannot be.
    pub(crate) fn rescale(&mut self, scale: Scale) -> bool {
        let Some(quantity) = self.quantity.rescaled(self.scale, scale) else { return false };
        (self.quantity, self.counted, self.scale) = (quantity, quantity, scale);
        true
    }

    /// It is not billed, all of it; the line that says so.
    pub(crate) fn lose(&mut self, reason: LossReason, at: Timestamp) -> Loss {
        self.state = EventState::Lost { reason };
        self.counted = self.quantity;
        Loss {
            subscription: self.subscription.clone(),
            dimension: self.api_name.clone(),
            hour: Hour::of(self.occurred_at),
            parts: self.quantity,
            scale: self.scale,
            reason,
            at,
            event: Some(self.key.clone()),
            detail: String::new(),
        }
    }

    /// Whether a submission says what this event was stored with.
    pub fn is_of(&self, submission: &Submission) -> bool {
        self.key == submission.key()
            && self.dimension == submission.dimension
            && SubUnits::parse(&submission.quantity, self.scale) == Ok(self.quantity)
            && self.occurred_at == submission.occurred_at
            && self.user == submission.user
            && *self.tags.tags() == submission.tags
    }

    /// What the app said, as text: the same id with other words is another event, which is refused.
    pub fn content(&self) -> String {
        let words: BTreeMap<&str, String> = [
            ("dimension", self.dimension.to_string()),
            ("quantity", self.quantity.display(self.scale)),
            ("occurred_at", self.occurred_at.to_string()),
            ("user", self.user.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("tags", serde_json::to_string(&self.tags).unwrap_or_default()),
        ]
        .into();
        serde_json::to_string(&words).unwrap_or_default()
    }
}

/// Why an event is not taken; nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such product, or none that is metered.
    #[error("no metered product is called {0}")]
    UnknownProduct(ProductKey),
    /// The tenant has no subscription of the product.
    #[error("tenant {0} has no subscription of this product")]
    UnknownTenant(TenantId),
    /// The named subscription is not there, or not the tenant's, or not of the product.
    #[error("subscription {0} is not one of this tenant and product")]
    UnknownSubscription(SubscriptionKey),
    /// The tenant has several subscriptions of the product.
    #[error("the tenant has several subscriptions of this product; name one of them: {0}")]
    Ambiguous(String),
    /// The product has no such dimension.
    #[error("the product has no dimension {0}")]
    UnknownDimension(DimensionName),
    /// The quantity.
    #[error("quantity: {0}")]
    Quantity(#[from] QuantityError),
    /// The tags.
    #[error("{0}")]
    Tags(#[from] TagError),
    /// It has not happened yet.
    #[error("occurred_at is in the future")]
    Future,
    /// The marketplace takes no record of that time any more.
    #[error("too old: the marketplace takes no record of that time any more")]
    TooOld,
    /// Another system meters hours before `meter_from`.
    #[error("before meter_from, up to which another system meters")]
    BeforeMeterFrom,
    /// Its hour is frozen, and late usage is refused.
    #[error("too late: its hour is closed")]
    HourClosed,
    /// The id was used before for something else.
    #[error("the id was used before with other content")]
    IdReused,
}

impl Refusal {
    /// The word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownProduct(_) => "unknown_product",
            Self::UnknownTenant(_) => "unknown_tenant",
            Self::UnknownSubscription(_) => "unknown_subscription",
            Self::Ambiguous(_) => "ambiguous_subscription",
            Self::UnknownDimension(_) => "unknown_dimension",
            Self::Quantity(QuantityError::NotANumber) => "bad_quantity",
            Self::Quantity(QuantityError::Negative) => "negative_quantity",
            Self::Quantity(QuantityError::TooPrecise { .. }) => "too_precise",
            Self::Quantity(QuantityError::TooLarge) => "too_large",
            Self::Tags(_) => "bad_tags",
            Self::Future => "in_the_future",
            Self::TooOld => "too_old",
            Self::BeforeMeterFrom => "before_meter_from",
            Self::HourClosed => "hour_closed",
            Self::IdReused => "id_reused",
        }
    }
}
