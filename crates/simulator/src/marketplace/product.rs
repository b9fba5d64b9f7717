use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::server::{MARKETPLACE_ACCOUNT, REGION};

/// Something that is for sale.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Product {
    /// The name that acts call it by.
    pub key: String,
    /// The product code, as notifications carry it.
    pub code: String,
    /// The product's id, as events carry it (`prod-…`).
    pub id: String,
    /// How the marketplace speaks of it.
    pub feed: Feed,
    /// How buyers pay.
    pub pricing: Pricing,
    /// The dimensions that usage is metered in; any where none is declared.
    #[serde(default)]
    pub dimensions: Vec<String>,
    /// What a purchase of a contract entitles to at first, by dimension: ten `seats` where nothing is declared.
    #[serde(default)]
    pub entitlements: BTreeMap<String, u32>,
    /// How old metered usage may be, in seconds; 24 hours where it is left out, one hour in Regions of China.
    #[serde(default)]
    pub metering_age_limit_secs: Option<u64>,
    /// Where the marketplace sends buyers who set up their account; the shop sends them nowhere without it.
    #[serde(default)]
    pub fulfilment_url: Option<String>,
}

/// How the marketplace speaks of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Feed {
    /// Through the product's topics; one subscription for each customer.
    Sns,
    /// Through the seller's event bus; one subscription for each license.
    EventBridge,
}

/// How buyers pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pricing {
    /// By use, until they leave.
    Subscription,
    /// For entitlements over a term.
    Contract,
}

impl Product {
    /// A product whose id is made of its code, with any dimension.
    pub fn new(key: &str, code: &str, feed: Feed, pricing: Pricing) -> Self {
        Self {
            key: key.to_owned(),
            code: code.to_owned(),
            id: format!("prod-{code}"),
            feed,
            pricing,
            dimensions: Vec::new(),
            entitlements: BTreeMap::new(),
            metering_age_limit_secs: None,
            fulfilment_url: None,
        }
    }

    /// The same with these dimensions only.
    #[must_use]
    pub fn with_dimensions(self, dimensions: &[&str]) -> Self {
        let dimensions = dimensions.iter().map(|&dimension| dimension.to_owned()).collect();
        Self { dimensions, ..self }
    }

    /// The same with other quantities of a contract.
    #[must_use]
    pub fn with_entitlements(self, quantities: &[(&str, u32)]) -> Self {
        let quantities = quantities.iter().map(|&(dimension, quantity)| (dimension.to_owned(), quantity));
        Self { entitlements: quantities.collect(), ..self }
    }

    /// What a purchase entitles to at first.
    pub(crate) fn first_entitlements(&self) -> BTreeMap<String, u32> {
        match self.pricing {
            Pricing::Subscription => BTreeMap::new(),
            Pricing::Contract if self.entitlements.is_empty() => BTreeMap::from([("seats".to_owned(), 10)]),
            Pricing::Contract => self.entitlements.clone(),
        }
    }

    /// The same with another age limit of metered usage, in seconds.
    #[must_use]
    pub fn with_metering_age_limit_secs(self, seconds: u64) -> Self {
        Self { metering_age_limit_secs: Some(seconds), ..self }
    }

    /// The same with a seller's page that buyers are sent to.
    #[must_use]
    pub fn with_fulfilment_url(self, url: &str) -> Self {
        Self { fulfilment_url: Some(url.to_owned()), ..self }
    }

    /// The ARNs of all topics of it; none where it speaks through events.
    pub fn topics(&self) -> Vec<String> {
        match (self.feed, self.pricing) {
            (Feed::EventBridge, _) => Vec::new(),
            (Feed::Sns, Pricing::Subscription) => vec![self.subscription_topic()],
            (Feed::Sns, Pricing::Contract) => vec![self.subscription_topic(), self.entitlement_topic()],
        }
    }

    pub(crate) fn subscription_topic(&self) -> String {
        self.topic("subscription")
    }

    pub(crate) fn entitlement_topic(&self) -> String {
        self.topic("entitlement")
    }

    fn topic(&self, about: &str) -> String {
        format!("arn:aws:sns:{REGION}:{MARKETPLACE_ACCOUNT}:aws-mp-{about}-notification-{}", self.code)
    }
}

impl Feed {
    /// The word that configuration and the control API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sns => "sns",
            Self::EventBridge => "eventbridge",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_contract_has_an_entitlement_topic() {
        let by_use = Product::new("search", "simsearch", Feed::Sns, Pricing::Subscription);
        let contract = Product::new("plan", "simplan", Feed::Sns, Pricing::Contract);
        assert_eq!(
            by_use.topics(),
            ["arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-simsearch"]
        );
        assert_eq!(
            contract.topics(),
            [
                "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-simplan",
                "arn:aws:sns:us-east-1:287250355862:aws-mp-entitlement-notification-simplan"
            ]
        );
    }

    #[test]
    fn a_product_with_events_has_no_topic() {
        assert!(Product::new("vault", "simvault", Feed::EventBridge, Pricing::Contract).topics().is_empty());
    }
}
