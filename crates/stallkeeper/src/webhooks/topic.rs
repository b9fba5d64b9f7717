use async_trait::async_trait;
use stallkeeper_aws::{Publication, TopicPublisher};
use stallkeeper_runtime::error_chain;
use stallkeeper_webhook::{Accepted, Channel, DeliveryError, Message};

/// What SNS answers where it takes a message.
const OK: u16 = 200;

/// The seller's topic.
pub(super) struct TopicChannel(pub(super) TopicPublisher);

#[async_trait]
impl Channel for TopicChannel {
    /// SNS signs what it delivers, so there is no signature of ours.
    async fn deliver(&self, message: &Message, _at: i64) -> Result<Accepted, DeliveryError> {
        let (id, kind) = (message.id.as_str(), message.event.as_str());
        let published = self.0.publish(Publication { body: &message.body, id, kind }).await;
        published
            .map(|()| Accepted { status: OK })
            .map_err(|error| DeliveryError::Service(error_chain(&error)))
    }

    fn address(&self) -> String {
        self.0.topic().to_string()
    }
}
