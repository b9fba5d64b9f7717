use aws_sdk_sns::types::MessageAttributeValue;

use crate::error::AwsError;
use crate::{Account, TopicArn, sdk_config, sns_client};

const ACTION: &str = "sns:Publish";

/// What the name of a topic ends with that keeps an order.
const ORDERED: &str = ".fifo";

/// What is published, but for the body.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The body.
    pub body: &'a str,
    /// The message's id, the same at every attempt; an ordered topic drops an id that it has had.
    pub id: &'a str,
    /// What happened, as the attribute `type`, by which subscriptions filter.
    pub kind: &'a str,
}

/// Publishes to one topic.
#[derive(Clone, Debug)]
pub struct TopicPublisher {
    client: aws_sdk_sns::Client,
    topic: TopicArn,
}

impl TopicPublisher {
    /// A publisher to `topic`, which is reached by `account` in its own Region.
    pub async fn new(account: &Account, topic: TopicArn) -> Self {
        let account = Account { region: topic.region().to_owned(), ..account.clone() };
        Self { client: sns_client(&sdk_config(&account).await, &account), topic }
    }

    /// The topic.
    pub fn topic(&self) -> &TopicArn {
        &self.topic
    }

    /// Publishes.
    ///
    /// # Errors
    /// Whatever AWS answers, by name.
    pub async fn publish(&self, publication: Publication<'_>) -> Result<(), AwsError> {
        let topic = self.topic.to_string();
        let is_ordered = self.topic.name().ends_with(ORDERED);
        let answer = self
            .client
            .publish()
            .topic_arn(&topic)
            .message(publication.body)
            .message_attributes("type", text(publication.kind)?)
            .message_attributes("webhook-id", text(publication.id)?)
            .set_message_group_id(is_ordered.then(|| "stallkeeper".to_owned()))
            .set_message_deduplication_id(is_ordered.then(|| publication.id.to_owned()))
            .send()
            .await;
        answer.map(drop).map_err(|error| AwsError::from_sdk(ACTION, &topic, error))
    }
}

fn text(value: &str) -> Result<MessageAttributeValue, AwsError> {
    let built = MessageAttributeValue::builder().data_type("String").string_value(value).build();
    built.map_err(|error| AwsError::Refused {
        action: ACTION,
        resource: "a message attribute".to_owned(),
        code: "BuildError".to_owned(),
        source: error.into(),
    })
}
