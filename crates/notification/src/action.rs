use std::sync::Arc;

use serde_json::Value;
use stallkeeper_lifecycle::{
    CustomerId, EventId, Fact, FactKind, Holder, ProductCode, SubscriptionKey, Timestamp, Trial,
};

use crate::feed::Feed;
use crate::fields::Fields;
use crate::notification::{Notification, QueueMeta, Read, Source};
use crate::refusal::{Refusal, excerpt};
use crate::topic::Topic;

/// What a message of either of the marketplace's topics says.
pub(crate) struct Said {
    customer: CustomerId,
    kind: FactKind,
}

impl Said {
    pub(crate) fn subject(&self, feed: &Feed, topic: &Topic) -> SubscriptionKey {
        SubscriptionKey {
            marketplace: feed.marketplace().clone(),
            product: topic.product().clone(),
            holder: Holder::Customer(self.customer.clone()),
        }
    }

    pub(crate) fn fact(self, time: Timestamp, id: &EventId) -> Fact {
        Fact::at_time(time, id.clone(), self.kind)
    }
}

/// Reads a marketplace's message.
///
/// Any action is taken from either topic of its product: products with contracts have both, and where
/// they were wired the wrong way round, refusing would lose what is known of a buyer.
pub(crate) fn read(fields: Fields<'_>, topic: &Topic) -> Result<Said, Refusal> {
    let kind = kind(fields)?;
    let product: ProductCode = fields.id("product-code")?;
    if product != *topic.product() {
        return Err(Refusal::ProductNotOfTopic { product, expected: topic.product().clone() });
    }
    Ok(Said { customer: fields.id("customer-identifier")?, kind })
}

/// Reads a message that came without its envelope: the queue's own id and time take the place of SNS's.
pub(crate) fn read_raw(fields: Fields<'_>, queue: QueueMeta<'_>, feed: &Feed) -> Result<Read, Refusal> {
    let topic = feed.raw().ok_or(Refusal::RawUndeclared)?;
    let time = queue.sent_at.ok_or(Refusal::MissingField { field: "SentTimestamp" })?;
    let bad_id = |source| Refusal::BadId { field: "MessageId", source };
    let id: EventId = queue.message_id.parse().map_err(bad_id)?;
    let said = read(fields, topic)?;
    let notification = Notification {
        source: Source::Raw,
        topic: Some(Arc::clone(topic)),
        subject: said.subject(feed, topic),
        agreement: None,
        fact: said.fact(time, &id),
        id,
    };
    Ok(Read { notification, envelope: None })
}

fn kind(fields: Fields<'_>) -> Result<FactKind, Refusal> {
    match fields.text("action")? {
        "subscribe-success" => Ok(FactKind::SubscribeSuccess {
            offer: fields.optional_id("offer-identifier")?,
            trial: trial(fields.value("isFreeTrialTermPresent")),
        }),
        "subscribe-fail" => Ok(FactKind::SubscribeFail),
        "unsubscribe-pending" => Ok(FactKind::UnsubscribePending),
        "unsubscribe-success" => Ok(FactKind::UnsubscribeSuccess),
        "entitlement-updated" => Ok(FactKind::EntitlementUpdated),
        action => Err(Refusal::UnknownAction { action: excerpt(action) }),
    }
}

/// AWS writes the flag as text, other senders as a boolean.
///
/// Anything else is `Unknown` rather than refused: the flag decides nothing about a buyer's standing, and
/// a refusal would keep out somebody who has paid.
fn trial(flag: Option<&Value>) -> Trial {
    let said = match flag {
        Some(Value::Bool(said)) => Some(*said),
        Some(Value::String(text)) => text.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    };
    match said {
        Some(true) => Trial::Yes,
        Some(false) => Trial::No,
        None => Trial::Unknown,
    }
}
