//! Messages as SQS hands them out.

use serde_json::{Value, json};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_notification::{Delivery, Feed, FeedConfig, Partition, SignaturePolicy, Topic};
use stallkeeper_poller::{Message, MessageId, ReceiptHandle};

const TOPIC: &str = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1";

/// When everything is sent and received.
pub(crate) const NOON: Timestamp = Timestamp::from_micros(1_767_268_800_000_000);

/// A queue of one topic.
pub(crate) fn feed(delivery: Delivery, signatures: SignaturePolicy) -> Feed {
    let config = FeedConfig {
        marketplace: "aws".parse().unwrap(),
        partition: Partition::Aws,
        topics: vec![Topic::parse(TOPIC).unwrap()],
        delivery,
        events: None,
        products: [].into(),
        signatures,
    };
    Feed::new(config).unwrap()
}

/// One delivery; the queue's id of it is `id`.
pub(crate) fn delivery(id: &str, body: &impl ToString) -> Message {
    Message {
        id: MessageId::new(id),
        receipt: ReceiptHandle::new(format!("receipt of {id}")),
        body: body.to_string(),
        receive_count: 1,
        sent_at: Some(NOON.try_into().unwrap()),
        first_received_at: None,
    }
}

/// What the marketplace says of the buyer.
pub(crate) fn message(action: &str) -> Value {
    json!({ "action": action, "customer-identifier": "buyer", "product-code": "prod1" })
}

/// The same in the envelope of SNS, whose id of it is `id`.
pub(crate) fn envelope(id: &str, action: &str) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": id,
        "TopicArn": TOPIC,
        "Message": message(action).to_string(),
        "Timestamp": "2026-01-01T12:00:00.000Z",
        "SignatureVersion": "1",
        "Signature": "c2lnbmVk",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-test.pem",
    })
}

/// The subscription that all of them are about.
pub(crate) fn buyer() -> SubscriptionKey {
    "aws/prod1/customer/buyer".parse().unwrap()
}
