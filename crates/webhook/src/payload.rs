use serde::{Deserialize, Serialize};
use serde_json::json;
use stallkeeper_ledger::{Loss, Risk};
use stallkeeper_lifecycle::{Announced, Announcement, Standing, SubscriptionKey, Timestamp, UserId};

use crate::{Event, Message, MessageId};

/// What a delivery job carries: the body is made once, so that every attempt sends the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// What happened, by its name.
    pub event: String,
    /// Counts up for each subscription; of usage that is lost or at risk, a number that tells one from the next.
    pub sequence: u64,
    /// When it was announced.
    pub announced_at: Timestamp,
    /// When it is of no use any more.
    pub deadline: Option<Timestamp>,
    /// The body, JSON.
    pub body: String,
}

impl Payload {
    /// What tells of an announcement as `event`.
    pub fn of(key: &SubscriptionKey, event: Event, announcement: &Announcement, now: Timestamp) -> Self {
        Self {
            event: event.as_str().to_owned(),
            sequence: announcement.sequence,
            announced_at: now,
            deadline: (event == Event::SubscriptionEnding).then(|| deadline(announcement)).flatten(),
            body: body(key, event, announcement, now),
        }
    }

    /// What tells of usage that was lost; `number` tells it from other losses of the subscription.
    pub fn of_loss(loss: &Loss, number: u64, now: Timestamp) -> Self {
        let event = Event::UsageLost.as_str().to_owned();
        Self { event, sequence: number, announced_at: now, deadline: None, body: loss_body(loss, now) }
    }

    /// What tells of usage that runs out of time; `number` tells it from other such usage of the subscription.
    pub fn of_risk(risk: &Risk, number: u64, now: Timestamp) -> Self {
        let event = Event::UsageAtRisk.as_str().to_owned();
        let (deadline, body) = (Some(risk.until), risk_body(risk, now));
        Self { event, sequence: number, announced_at: now, deadline, body }
    }

    /// What an operator sends to try an endpoint; `number` tells one test from the next.
    pub fn test(number: u64, now: Timestamp) -> Self {
        let event = Event::Test.as_str().to_owned();
        let body = json!({ "type": event, "timestamp": now.to_string(), "data": {} }).to_string();
        Self { event, sequence: number, announced_at: now, deadline: None, body }
    }

    /// The message to an endpoint; none where the event is one that this version does not know.
    pub fn message(&self, subscription: &str, endpoint: &str) -> Option<Message> {
        let event = self.event.parse().ok()?;
        let id = MessageId::of(subscription, self.sequence, event, endpoint);
        Some(Message { id, event, body: self.body.clone() })
    }
}

impl From<Announced> for Event {
    fn from(announced: Announced) -> Self {
        match announced {
            Announced::Registered => Self::SubscriptionRegistered,
            Announced::Unclaimed => Self::SubscriptionUnclaimed,
            Announced::Activated => Self::SubscriptionActivated,
            Announced::Failed => Self::SubscriptionFailed,
            Announced::Suspended => Self::SubscriptionSuspended,
            Announced::Resumed => Self::SubscriptionResumed,
            Announced::Ending => Self::SubscriptionEnding,
            Announced::Ended => Self::SubscriptionEnded,
            Announced::Changed => Self::SubscriptionChanged,
        }
    }
}

fn deadline(announcement: &Announcement) -> Option<Timestamp> {
    match &announcement.view.standing {
        Standing::Ending { deadline, .. } => Some(*deadline),
        _ => None,
    }
}

fn body(key: &SubscriptionKey, event: Event, announcement: &Announcement, now: Timestamp) -> String {
    let view = &announcement.view;
    let binding = view.binding.as_ref();
    json!({
        "type": event.as_str(),
        "timestamp": now.to_string(),
        "data": {
            "subscription": key.to_string(),
            "marketplace": key.marketplace.as_str(),
            "product_code": key.product.as_str(),
            "sequence": announcement.sequence,
            "tenant": binding.map(|binding| binding.tenant.as_str()),
            "user": binding.and_then(|binding| binding.user.as_ref()).map(UserId::as_str),
            "former_tenant": announcement.former.as_ref().map(|binding| binding.tenant.as_str()),
            "state": view.word.as_str(),
            "access": view.access.as_str(),
            "deadline": deadline(announcement).map(|at| at.to_string()),
        },
    })
    .to_string()
}

fn loss_body(loss: &Loss, now: Timestamp) -> String {
    let key = &loss.subscription;
    json!({
        "type": Event::UsageLost.as_str(),
        "timestamp": now.to_string(),
        "data": {
            "subscription": key.to_string(),
            "marketplace": key.marketplace.as_str(),
            "product_code": key.product.as_str(),
            "dimension": loss.dimension.to_string(),
            "hour": loss.hour.start().to_string(),
            "quantity": loss.parts.display(loss.scale),
            "reason": loss.reason.as_str(),
            "event": loss.event.as_ref().map(|event| event.id.to_string()),
            "detail": loss.detail,
        },
    })
    .to_string()
}

fn risk_body(risk: &Risk, now: Timestamp) -> String {
    let key = &risk.subscription;
    json!({
        "type": Event::UsageAtRisk.as_str(),
        "timestamp": now.to_string(),
        "data": {
            "subscription": key.to_string(),
            "marketplace": key.marketplace.as_str(),
            "product_code": key.product.as_str(),
            "dimension": risk.dimension.to_string(),
            "hour": risk.hour.start().to_string(),
            "quantity": risk.parts.display(risk.scale),
            "until": risk.until.to_string(),
        },
    })
    .to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use stallkeeper_lifecycle::{Access, Advisory, View, Word};

    use super::*;

    pub(crate) fn key() -> SubscriptionKey {
        "aws/p/customer/a".parse().unwrap()
    }

    pub(crate) fn announcement(event: Announced, sequence: u64) -> Announcement {
        let view = View {
            word: Word::Active,
            access: Access::Full,
            standing: Standing::None,
            binding: None,
            advisory: Advisory::Clear,
            agreement: None,
            entitlements: Vec::new(),
        };
        Announcement { event, sequence, view, former: None }
    }

    #[test]
    fn a_body_says_what_happened_when_and_how_it_stands_now() {
        let now: Timestamp = "2027-03-04T10:10:00Z".parse().unwrap();
        let payload =
            Payload::of(&key(), Event::SubscriptionActivated, &announcement(Announced::Activated, 3), now);
        let body: serde_json::Value = serde_json::from_str(&payload.body).unwrap();
        assert_eq!(body["type"], "subscription.activated");
        assert_eq!(body["timestamp"], now.to_string());
        assert_eq!(body["data"]["subscription"], "aws/p/customer/a");
        assert_eq!((&body["data"]["sequence"], &body["data"]["state"]), (&json!(3), &json!("active")));
    }

    #[test]
    fn an_event_of_a_newer_version_makes_no_message() {
        let now = Timestamp::from_micros(0);
        let strange = Payload { event: "subscription.sold".to_owned(), ..Payload::test(1, now) };
        assert_eq!(strange.message("aws/p/customer/a", "app"), None);
    }
}
