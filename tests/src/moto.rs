//! SQS and SNS on moto.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use serde_json::{Value, json};

use crate::{environment, eventually, unique};

/// Where moto's topics and queues live, as the real topics do.
const REGION: &str = "us-east-1";
/// Receives before a message goes to the dead-letter queue.
const RECEIVES_BEFORE_DEAD: u32 = 20;

/// What SQS takes with one call.
const BATCH: usize = 10;
/// Long enough for a loaded machine to empty a queue.
const TAKING: Duration = Duration::from_secs(30);

/// Clients of the moto server that this test run started.
#[derive(Clone, Debug)]
pub struct Moto {
    url: String,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
}

/// A product's two topics, by ARN.
#[derive(Clone, Debug)]
pub struct Topics {
    /// `aws-mp-subscription-notification-<code>`.
    pub subscription: String,
    /// `aws-mp-entitlement-notification-<code>`.
    pub entitlement: String,
}

/// A queue with a dead-letter queue behind it.
#[derive(Clone, Debug)]
pub struct Queue {
    /// What a worker's `queue_url` names.
    pub url: String,
    /// What a topic delivers to.
    pub arn: String,
    /// Where messages go that were received too often.
    pub dead_letters_url: String,
}

/// How many messages a queue holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Depth {
    /// Waiting to be received.
    pub visible: u64,
    /// Received and not deleted.
    pub in_flight: u64,
}

impl Depth {
    /// All that is not deleted.
    pub fn total(self) -> u64 {
        self.visible + self.in_flight
    }
}

impl Moto {
    /// Clients with test credentials; nothing is created yet.
    pub async fn connect() -> Self {
        let url = environment("STALLKEEPER_TEST_MOTO_URL");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(&url)
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
            .load()
            .await;
        Self { url, sns: aws_sdk_sns::Client::new(&config), sqs: aws_sdk_sqs::Client::new(&config) }
    }

    /// What a worker's `endpoint_url` names.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The SNS client, for what has no helper here.
    pub fn sns(&self) -> &aws_sdk_sns::Client {
        &self.sns
    }

    /// The SQS client, for what has no helper here.
    pub fn sqs(&self) -> &aws_sdk_sqs::Client {
        &self.sqs
    }

    /// A product code that no other test uses, of letters and digits as the marketplace makes them.
    pub fn unique_code(&self) -> String {
        unique("code")
    }

    /// Creates a product's two topics under their real names.
    pub async fn create_topics(&self, code: &str) -> Topics {
        Topics {
            subscription: self.create_topic(&format!("aws-mp-subscription-notification-{code}")).await,
            entitlement: self.create_topic(&format!("aws-mp-entitlement-notification-{code}")).await,
        }
    }

    /// Creates a topic and gives its ARN.
    pub async fn create_topic(&self, name: &str) -> String {
        let topic = self.sns.create_topic().name(name).send().await.expect("moto makes no topic");
        topic.topic_arn.expect("a topic has an ARN")
    }

    /// Creates a queue of a unique name whose messages come back after the given visibility time-out.
    pub async fn create_queue(&self, visibility: Duration) -> Queue {
        let name = unique("queue");
        let dead_letters_url = self.make_queue(&format!("{name}-dead"), HashMap::new()).await;
        let redrive = json!({
            "deadLetterTargetArn": self.queue_arn(&dead_letters_url).await,
            "maxReceiveCount": RECEIVES_BEFORE_DEAD,
        });
        let attributes = HashMap::from([
            (QueueAttributeName::VisibilityTimeout, visibility.as_secs().to_string()),
            (QueueAttributeName::RedrivePolicy, redrive.to_string()),
        ]);
        let url = self.make_queue(&name, attributes).await;
        Queue { arn: self.queue_arn(&url).await, url, dead_letters_url }
    }

    /// Lets a topic deliver to a queue, in envelopes (raw delivery off).
    pub async fn subscribe(&self, topic_arn: &str, queue: &Queue) {
        let subscribe = self.sns.subscribe().topic_arn(topic_arn).protocol("sqs").endpoint(&queue.arn);
        subscribe.send().await.expect("moto subscribes no queue");
    }

    /// Publishes a body to a topic, as the marketplace does, and gives the message's id.
    pub async fn publish(&self, topic_arn: &str, body: &Value) -> String {
        let publish = self.sns.publish().topic_arn(topic_arn).message(body.to_string());
        publish.send().await.expect("moto publishes nothing").message_id.expect("a message has an id")
    }

    /// Puts a text into a queue as it is: a hand-made envelope, a forgery, rubbish.
    pub async fn send(&self, queue_url: &str, text: &str) {
        let send = self.sqs.send_message().queue_url(queue_url).message_body(text);
        send.send().await.expect("moto takes no message");
    }

    /// Puts texts into a queue, ten with each call.
    pub async fn send_all(&self, queue_url: &str, texts: &[String]) {
        for (number, batch) in texts.chunks(BATCH).enumerate() {
            let entry = |(index, text): (usize, &String)| {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(text);
                entry.build().expect("an entry has an id and a body")
            };
            let entries = batch.iter().enumerate().map(entry).collect();
            let send = self.sqs.send_message_batch().queue_url(queue_url).set_entries(Some(entries));
            let answer = send.send().await.expect("moto takes no messages");
            assert_eq!(answer.failed.len(), 0, "moto refuses messages of batch {number}");
        }
    }

    /// Takes the queue's messages out of it, in the order in which they come, until there are as many as given.
    pub async fn take(&self, queue_url: &str, count: usize) -> Vec<String> {
        let mut taken = Vec::new();
        eventually("the queue gave its messages", TAKING, async || {
            taken.extend(self.take_some(queue_url).await);
            taken.len() >= count
        })
        .await;
        taken
    }

    async fn take_some(&self, queue_url: &str) -> Vec<String> {
        let receive = self.sqs.receive_message().queue_url(queue_url).max_number_of_messages(10);
        let mut bodies = Vec::new();
        for message in receive.send().await.expect("moto gives no messages").messages.unwrap_or_default() {
            let delete = self.sqs.delete_message().queue_url(queue_url);
            let delete = delete.set_receipt_handle(message.receipt_handle).send().await;
            delete.expect("moto deletes no message");
            bodies.extend(message.body);
        }
        bodies
    }

    /// How many messages the queue holds.
    pub async fn depth(&self, queue_url: &str) -> Depth {
        let (visible, in_flight) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        let attributes = self.attributes(queue_url).await;
        let count = |name| {
            let text: Option<&String> = attributes.get(&name);
            text.and_then(|text| text.parse().ok()).expect("a queue counts its messages")
        };
        Depth { visible: count(visible), in_flight: count(in_flight) }
    }

    /// Waits until the queue holds nothing, neither waiting nor in flight.
    pub async fn wait_until_empty(&self, queue_url: &str, limit: Duration) {
        let empty = Depth { visible: 0, in_flight: 0 };
        eventually("the queue is empty", limit, async || self.depth(queue_url).await == empty).await;
    }

    async fn make_queue(&self, name: &str, attributes: HashMap<QueueAttributeName, String>) -> String {
        let create = self.sqs.create_queue().queue_name(name).set_attributes(Some(attributes));
        create.send().await.expect("moto makes no queue").queue_url.expect("a queue has a URL")
    }

    async fn queue_arn(&self, queue_url: &str) -> String {
        let mut attributes = self.attributes(queue_url).await;
        attributes.remove(&QueueAttributeName::QueueArn).expect("a queue has an ARN")
    }

    async fn attributes(&self, queue_url: &str) -> HashMap<QueueAttributeName, String> {
        let get = self.sqs.get_queue_attributes().queue_url(queue_url);
        let answer = get.attribute_names(QueueAttributeName::All).send().await;
        answer.expect("moto tells no attributes").attributes.expect("a queue has attributes")
    }
}

/// A subscription topic's body as the marketplace writes it; `action` is, for example, `subscribe-success`.
pub fn action_body(action: &str, customer: &str, code: &str) -> Value {
    json!({
        "action": action,
        "customer-identifier": customer,
        "product-code": code,
    })
}
