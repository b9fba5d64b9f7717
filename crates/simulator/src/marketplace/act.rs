use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::marketplace::product::{Feed, Pricing, Product};

/// Something that a buyer (or the marketplace about a buyer) does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// Buys: for the first time, again after an end, or again inside the hour that ends a subscription.
    Subscribe(Purchase),
    /// Tries to buy, and the payment fails.
    FailPayment(Whose),
    /// Accepts a new offer, without a free trial, for what is bought already.
    Amend(Whose),
    /// A license's agreement is followed by a new one.
    Renew(Whose),
    /// Leaves: one hour later it is over.
    Unsubscribe(Whose),
    /// Changes what a contract entitles to.
    ChangeEntitlements(Change),
    /// The marketplace warns of a buyer (account closed, compromised, abuse, fraud).
    IssueAdvisory(Whose),
    /// The marketplace takes its warning back.
    ResolveAdvisory(Whose),
    /// The buyer's AWS account is suspended: nothing of theirs, of whatever product, is metered until it is
    /// restored. Nothing is said of it.
    SuspendAccount(Whose),
    /// The buyer's AWS account is restored. Nothing is said of it.
    RestoreAccount(Whose),
}

/// Who buys what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Purchase {
    /// The buyer's name; whoever is not known yet comes with the first purchase.
    pub buyer: String,
    /// The product's key.
    pub product: String,
    /// Whether the offer has a free trial.
    #[serde(default)]
    pub trial: bool,
}

/// Whose contract changes, and into what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The buyer's name.
    pub buyer: String,
    /// The product's key.
    pub product: String,
    /// The subscription's id in the books.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// All that it entitles to from now on, by dimension; one more of each where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantities: Option<BTreeMap<String, u32>>,
}

impl From<Whose> for Change {
    fn from(Whose { buyer, product, subscription }: Whose) -> Self {
        Self { buyer, product, subscription, quantities: None }
    }
}

impl Change {
    /// The same with these quantities.
    #[must_use]
    pub fn into_quantities(self, quantities: &[(&str, u32)]) -> Self {
        let quantities = quantities.iter().map(|&(dimension, quantity)| (dimension.to_owned(), quantity));
        Self { quantities: Some(quantities.collect()), ..self }
    }
}

/// Whose purchase an act is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    /// The buyer's name.
    pub buyer: String,
    /// The product's key.
    pub product: String,
    /// The subscription's id in the books; needed where a buyer has several licenses of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
}

impl Whose {
    /// The buyer's only purchase of a product.
    pub fn only(buyer: &str, product: &str) -> Self {
        Self { buyer: buyer.to_owned(), product: product.to_owned(), subscription: None }
    }

    /// One of several.
    #[must_use]
    pub fn with_subscription(self, id: &str) -> Self {
        Self { subscription: Some(id.to_owned()), ..self }
    }
}

impl Act {
    /// The names of all acts.
    pub const NAMES: [&str; 10] = [
        "subscribe",
        "fail-payment",
        "amend",
        "renew",
        "unsubscribe",
        "change-entitlements",
        "issue-advisory",
        "resolve-advisory",
        "suspend-account",
        "restore-account",
    ];

    /// A purchase without a free trial.
    pub fn subscribe(buyer: &str, product: &str) -> Self {
        Self::Subscribe(Purchase { buyer: buyer.to_owned(), product: product.to_owned(), trial: false })
    }

    /// A purchase with a free trial.
    pub fn subscribe_with_trial(buyer: &str, product: &str) -> Self {
        Self::Subscribe(Purchase { buyer: buyer.to_owned(), product: product.to_owned(), trial: true })
    }

    /// The name that the control API uses.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Subscribe(_) => "subscribe",
            Self::FailPayment(_) => "fail-payment",
            Self::Amend(_) => "amend",
            Self::Renew(_) => "renew",
            Self::Unsubscribe(_) => "unsubscribe",
            Self::ChangeEntitlements(_) => "change-entitlements",
            Self::IssueAdvisory(_) => "issue-advisory",
            Self::ResolveAdvisory(_) => "resolve-advisory",
            Self::SuspendAccount(_) => "suspend-account",
            Self::RestoreAccount(_) => "restore-account",
        }
    }

    /// Who acts, or is acted about.
    pub fn buyer(&self) -> &str {
        self.about().0
    }

    /// The product's key.
    pub fn product(&self) -> &str {
        self.about().1
    }

    pub(crate) fn subscription(&self) -> Option<&str> {
        self.about().2
    }

    /// The buyer, the product, and the subscription where it is named.
    fn about(&self) -> (&str, &str, Option<&str>) {
        match self {
            Self::Subscribe(Purchase { buyer, product, .. }) => (buyer, product, None),
            Self::ChangeEntitlements(Change { buyer, product, subscription, .. }) => {
                (buyer, product, subscription.as_deref())
            }
            Self::FailPayment(whose)
            | Self::Amend(whose)
            | Self::Renew(whose)
            | Self::Unsubscribe(whose)
            | Self::IssueAdvisory(whose)
            | Self::ResolveAdvisory(whose)
            | Self::SuspendAccount(whose)
            | Self::RestoreAccount(whose) => (&whose.buyer, &whose.product, whose.subscription.as_deref()),
        }
    }

    /// Whether this can ever happen with such a product.
    pub(crate) fn fits(&self, product: &Product) -> Result<(), ActError> {
        let reason = match (self, product.feed, product.pricing) {
            (Self::Renew(_) | Self::IssueAdvisory(_) | Self::ResolveAdvisory(_), Feed::Sns, _) => {
                "topics have no word for it; take a product with feed `eventbridge`"
            }
            (Self::FailPayment(_) | Self::ChangeEntitlements(_), Feed::EventBridge, _) => {
                "the event bus has no word for it; take a product with feed `sns`"
            }
            (Self::ChangeEntitlements(_), Feed::Sns, Pricing::Subscription) => {
                "only contracts have entitlements; take a product with pricing `contract`"
            }
            (Self::Subscribe(Purchase { trial: true, .. }), Feed::EventBridge, _) => {
                "no event tells of a free trial; leave `trial` out, or take a product with feed `sns`"
            }
            _ => return Ok(()),
        };
        Err(ActError::NotOffered { act: self.name(), product: product.key.clone(), reason })
    }
}

/// An act does not happen; nothing was changed or published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// No such product: name one of those that there are.
    #[error("there is no product `{product}`; the products are: {known}")]
    UnknownProduct {
        /// What was asked for.
        product: String,
        /// The keys of all products.
        known: String,
    },
    /// No such subscription of this buyer: name one of theirs.
    #[error("`{buyer}` has no subscription `{subscription}` of `{product}`; theirs are: {known}")]
    UnknownSubscription {
        /// Whose.
        buyer: String,
        /// Of which product.
        product: String,
        /// What was asked for.
        subscription: String,
        /// The ids of those that they have.
        known: String,
    },
    /// The buyer has nothing that the act could be about: subscribe first.
    #[error("`{buyer}` has nothing of `{product}` that `{act}` could be about; `subscribe` first")]
    NothingBought {
        /// Whose.
        buyer: String,
        /// Of which product.
        product: String,
        /// What was asked for.
        act: &'static str,
    },
    /// The buyer has several licenses: say which.
    #[error("`{buyer}` has several licenses of `{product}`; say which as `subscription`: {known}")]
    SeveralLicenses {
        /// Whose.
        buyer: String,
        /// Of which product.
        product: String,
        /// The ids of all current ones.
        known: String,
    },
    /// Such a thing never happens with this product: take another product or act.
    #[error("`{act}` never happens with `{product}`: {reason}")]
    NotOffered {
        /// What was asked for.
        act: &'static str,
        /// With which product.
        product: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// Not as the subscription stands: do one of what can happen.
    #[error("`{act}` cannot happen while {subscription} is {standing}; what can: {possible}")]
    Impossible {
        /// What was asked for.
        act: &'static str,
        /// About which subscription.
        subscription: String,
        /// How it stands.
        standing: &'static str,
        /// What can happen.
        possible: String,
    },
    /// Events of one license are a second apart, and the latest is ahead of the clock already: wait, or move
    /// the clock.
    #[error(
        "the latest notification of {subscription} is {ahead_secs} s ahead of the clock; wait or move the clock"
    )]
    AheadOfClock {
        /// Which.
        subscription: String,
        /// How much the next one would be ahead.
        ahead_secs: i64,
    },
    /// Not a name: give one of 1 to 64 letters, digits, `-`, `_` or `.`.
    #[error("a buyer's name is 1 to 64 letters, digits, `-`, `_` or `.`")]
    BadName,
    /// The simulator is stopping: start another one.
    #[error("the simulator is stopping; start another one")]
    Stopping,
    /// The books are full: start another simulator.
    #[error("the books hold {max} subscriptions and are full; start another simulator")]
    Full {
        /// How many there are.
        max: usize,
    },
}
