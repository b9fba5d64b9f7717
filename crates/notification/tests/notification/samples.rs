//! A queue, and the messages that arrive on it.

use serde_json::{Value, json};
use stallkeeper_lifecycle::{Fact, FactKind, Timestamp};
use stallkeeper_notification::{
    Delivery, EventBus, Feed, FeedConfig, FeedError, Partition, QueueMeta, Read, Refusal, SignaturePolicy,
    Topic, read,
};

pub(crate) const SUBSCRIPTION: &str =
    "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1";
pub(crate) const ENTITLEMENT: &str =
    "arn:aws:sns:us-east-1:287250355862:aws-mp-entitlement-notification-prod1";
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const ACTIONS: [&str; 5] = [
    "subscribe-success",
    "subscribe-fail",
    "unsubscribe-pending",
    "unsubscribe-success",
    "entitlement-updated",
];

pub(crate) fn topic(arn: &str) -> Topic {
    Topic::parse(arn).unwrap()
}

pub(crate) fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// Both topics of one product, and EventBridge.
pub(crate) fn config() -> FeedConfig {
    FeedConfig {
        marketplace: "aws".parse().unwrap(),
        partition: Partition::Aws,
        topics: vec![topic(SUBSCRIPTION), topic(ENTITLEMENT)],
        delivery: Delivery::Enveloped,
        events: Some(EventBus { account: Some(ACCOUNT.to_owned()) }),
        products: ["prod2".parse().unwrap()].into(),
        signatures: SignaturePolicy::Warn,
    }
}

pub(crate) fn feed() -> Feed {
    Feed::new(config()).unwrap()
}

pub(crate) fn raw_config() -> FeedConfig {
    FeedConfig { topics: vec![topic(SUBSCRIPTION)], delivery: Delivery::Raw, ..config() }
}

pub(crate) fn refused_feed(config: FeedConfig) -> FeedError {
    Feed::new(config).err().unwrap()
}

pub(crate) fn queue() -> QueueMeta<'static> {
    QueueMeta {
        message_id: "059f36b4-87a3-44ab-83d2-661975830a7d",
        sent_at: Some(at("2026-11-22T10:00:01Z")),
        received_at: at("2026-11-22T10:00:02Z"),
    }
}

pub(crate) fn message(action: &str) -> Value {
    json!({
        "action": action,
        "customer-identifier": "X01EXAMPLEX",
        "product-code": "prod1",
        "offer-identifier": "offer-abcexample123",
        "isFreeTrialTermPresent": "true",
    })
}

pub(crate) fn envelope_of(message: &Value) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "dc1e94d9-56c5-5e96-808d-cc7f68faa162",
        "TopicArn": SUBSCRIPTION,
        "Message": message.to_string(),
        "Timestamp": "2026-11-22T10:00:00.123Z",
        "SignatureVersion": "1",
        "Signature": "c2lnbmVk",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-test.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    })
}

pub(crate) fn envelope(action: &str) -> Value {
    envelope_of(&message(action))
}

pub(crate) fn event(detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0",
        "id": "01234567-0123-0123-0123-0123456789ab",
        "detail-type": detail_type,
        "source": "aws.agreement-marketplace",
        "account": ACCOUNT,
        "time": "2026-11-22T10:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:aws-marketplace::aws:agreement:agmt-listed"],
        "detail": detail,
    })
}

pub(crate) fn license_event(detail_type: &str, arn: &str) -> Value {
    let detail = json!({
        "requestId": "3d4c9f9b-b809-4f5e-9fac-a9ae98b05cbb",
        "catalog": "AWSMarketplace",
        "agreement": { "id": "agmt-example" },
        "product": { "code": "prod2", "id": "prod-example" },
        "license": { "arn": arn },
        "acceptor": { "accountId": "210987654321" },
        "proposer": { "accountId": ACCOUNT },
        "offer": { "id": "abcexample123" },
    });
    event(detail_type, &detail)
}

/// The value with one field set; the path's steps are joined by dots.
pub(crate) fn with(mut value: Value, path: &str, to: impl Into<Value>) -> Value {
    let mut place = &mut value;
    for step in path.split('.') {
        place = &mut place[step];
    }
    *place = to.into();
    value
}

/// The value without one field.
pub(crate) fn without(mut value: Value, path: &str) -> Value {
    let (inside, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = &mut value;
    for step in inside.split('.').filter(|step| !step.is_empty()) {
        place = &mut place[step];
    }
    place.as_object_mut().unwrap().remove(name).unwrap();
    value
}

pub(crate) fn accepted(body: &Value) -> Read {
    accepted_by(&feed(), body)
}

pub(crate) fn accepted_by(feed: &Feed, body: &Value) -> Read {
    read(body.to_string().as_bytes(), queue(), feed).unwrap_or_else(|refusal| panic!("refused: {refusal}"))
}

pub(crate) fn fact_of(body: &Value) -> Fact {
    accepted(body).notification.fact
}

pub(crate) fn kind_of(body: &Value) -> FactKind {
    fact_of(body).kind().clone()
}

pub(crate) fn refused(body: &Value) -> Refusal {
    refused_by(&feed(), body)
}

pub(crate) fn refused_by(feed: &Feed, body: &Value) -> Refusal {
    refused_bytes(feed, body.to_string().as_bytes())
}

pub(crate) fn refused_bytes(feed: &Feed, body: &[u8]) -> Refusal {
    match read(body, queue(), feed) {
        Ok(read) => panic!("accepted: {read:?}"),
        Err(refusal) => refusal,
    }
}
