use serde::Serialize;

use crate::marketplace::buyer::Buyer;
use crate::marketplace::product::Product;

/// What is said through a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    SubscribeSuccess { offer: String, trial: bool },
    SubscribeFail { offer: String },
    UnsubscribePending,
    UnsubscribeSuccess,
    EntitlementUpdated,
}

/// The body, in the field names of the seller guide ("SaaS notifications").
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Body<'a> {
    action: &'static str,
    customer_identifier: &'a str,
    product_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offer_identifier: Option<&'a str>,
    /// A string in the documentation's example, not a boolean.
    #[serde(rename = "isFreeTrialTermPresent", skip_serializing_if = "Option::is_none")]
    is_free_trial_term_present: Option<&'static str>,
}

impl Message {
    pub(crate) fn action(&self) -> &'static str {
        match self {
            Self::SubscribeSuccess { .. } => "subscribe-success",
            Self::SubscribeFail { .. } => "subscribe-fail",
            Self::UnsubscribePending => "unsubscribe-pending",
            Self::UnsubscribeSuccess => "unsubscribe-success",
            Self::EntitlementUpdated => "entitlement-updated",
        }
    }

    /// The ARN of the topic that carries it.
    pub(crate) fn topic(&self, product: &Product) -> String {
        match self {
            Self::EntitlementUpdated => product.entitlement_topic(),
            _ => product.subscription_topic(),
        }
    }

    /// What goes into the envelope's `Message`.
    pub(crate) fn body(&self, product: &Product, buyer: &Buyer) -> Result<String, serde_json::Error> {
        let (offer, trial) = match self {
            Self::SubscribeSuccess { offer, trial } => (Some(offer.as_str()), *trial),
            Self::SubscribeFail { offer } => (Some(offer.as_str()), false),
            Self::UnsubscribePending | Self::UnsubscribeSuccess | Self::EntitlementUpdated => (None, false),
        };
        serde_json::to_string(&Body {
            action: self.action(),
            customer_identifier: &buyer.customer_id,
            product_code: &product.code,
            offer_identifier: offer,
            is_free_trial_term_present: trial.then_some("true"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marketplace::product::{Feed, Pricing};

    fn body(message: &Message) -> String {
        let product = Product::new("search", "simsearch", Feed::Sns, Pricing::Contract);
        let buyer =
            Buyer { name: "ada".into(), account: "111122223333".into(), customer_id: "ifAPi5AcF3x".into() };
        message.body(&product, &buyer).unwrap()
    }

    #[test]
    fn a_success_names_its_offer_and_its_trial() {
        let offer = "offer-1".to_owned();
        assert_eq!(
            body(&Message::SubscribeSuccess { offer: offer.clone(), trial: true }),
            r#"{"action":"subscribe-success","customer-identifier":"ifAPi5AcF3x","product-code":"simsearch","offer-identifier":"offer-1","isFreeTrialTermPresent":"true"}"#
        );
        assert_eq!(
            body(&Message::SubscribeSuccess { offer, trial: false }),
            r#"{"action":"subscribe-success","customer-identifier":"ifAPi5AcF3x","product-code":"simsearch","offer-identifier":"offer-1"}"#
        );
    }

    #[test]
    fn only_successes_and_failures_name_an_offer() {
        for (message, action) in [
            (Message::UnsubscribePending, "unsubscribe-pending"),
            (Message::UnsubscribeSuccess, "unsubscribe-success"),
            (Message::EntitlementUpdated, "entitlement-updated"),
        ] {
            assert_eq!(
                body(&message),
                format!(
                    r#"{{"action":"{action}","customer-identifier":"ifAPi5AcF3x","product-code":"simsearch"}}"#
                )
            );
        }
        assert!(body(&Message::SubscribeFail { offer: "offer-1".into() }).contains("offer-identifier"));
    }
}
