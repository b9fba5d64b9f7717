use crate::marketplace::journal::Notification;
use crate::marketplace::notice::{Notice, Said};
use crate::sns::Published;
use crate::{EventBus, Topics};

/// Writes what the marketplace says, and publishes it.
#[derive(Clone, Debug)]
pub(crate) struct Press {
    topics: Topics,
    bus: EventBus,
}

impl Press {
    pub(crate) fn new(topics: Topics, bus: EventBus) -> Self {
        Self { topics, bus }
    }

    /// Publishes one thing; none where there is no topic for it any more. Signing takes up to a millisecond.
    pub(crate) fn publish(&self, notice: &Notice) -> Option<Notification> {
        let published = match &notice.said {
            Said::Event(event) => {
                Some(Published { message_id: event.id.clone(), copies: self.bus.put(&event.body(notice)) })
            }
            Said::Message(message) => {
                let body = message.body(&notice.product, &notice.buyer);
                let topic = message.topic(&notice.product);
                body.ok().and_then(|body| self.topics.publish(&topic, &body, notice.at, message.action()))
            }
        };
        let Some(published) = published else {
            tracing::warn!(
                what = notice.said.what(),
                subscription = &*notice.subscription,
                "a notification is not published, as its topic was removed"
            );
            return None;
        };
        Some(Notification {
            number: 0,
            id: published.message_id,
            what: notice.said.what(),
            subscription: notice.subscription.clone(),
            at: notice.at,
            copies: published.copies,
        })
    }
}
