//! What an operator may say of a queue.

use stallkeeper_lifecycle::ProductCode;
use stallkeeper_notification::{
    Delivery, EventBus, FeedConfig, FeedError, Partition, SignaturePolicy, Topic, TopicError, TopicKind,
};

use crate::samples::{ENTITLEMENT, SUBSCRIPTION, config, feed, raw_config, refused_feed, topic};

#[test]
fn a_topic_is_known_by_its_arn() {
    let subscription = topic(SUBSCRIPTION);
    assert_eq!(subscription.partition(), Partition::Aws);
    assert_eq!((subscription.region(), subscription.account()), ("us-east-1", "287250355862"));
    assert_eq!(subscription.kind(), TopicKind::Subscription);
    assert_eq!(subscription.product().as_str(), "prod1");
    assert_eq!(topic(ENTITLEMENT).kind(), TopicKind::Entitlement);
}

#[test]
fn a_topic_of_china_lies_in_its_partition() {
    let topic = topic("arn:aws-cn:sns:cn-northwest-1:287250355862:aws-mp-subscription-notification-prod1");
    assert_eq!(topic.partition(), Partition::AwsChina);
}

#[test]
fn a_topic_of_another_name_needs_its_product_stated() {
    let arn = "arn:aws:sns:us-east-1:123456789012:forwarded";
    assert_eq!(Topic::parse(arn), Err(TopicError::ProductUnstated { arn: arn.to_owned() }));
    let topic = Topic::with_product(arn, "prod1".parse().unwrap()).unwrap();
    assert_eq!((topic.kind(), topic.product().as_str()), (TopicKind::Named, "prod1"));
}

#[test]
fn a_stated_product_must_be_the_named_one() {
    let contradicted = Topic::with_product(SUBSCRIPTION, "prod2".parse().unwrap());
    assert!(matches!(contradicted, Err(TopicError::ProductContradicted { .. })));
}

#[test]
fn what_is_no_topic_is_refused() {
    let arns = [
        "",
        "aws-mp-subscription-notification-prod1",
        "arn:aws:sqs:us-east-1:287250355862:aws-mp-subscription-notification-prod1",
        "arn:aws-us-gov:sns:us-gov-west-1:287250355862:aws-mp-subscription-notification-prod1",
        "arn:aws:sns:us-east-1:28725035586:aws-mp-subscription-notification-prod1",
        "arn:aws:sns:us-east-1.evil.com/:287250355862:aws-mp-subscription-notification-prod1",
        "arn:aws:sns::287250355862:aws-mp-subscription-notification-prod1",
        "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1:5b1c",
        "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1.fifo",
    ];
    for arn in arns {
        assert!(matches!(Topic::parse(arn), Err(TopicError::Arn { .. })), "{arn}");
    }
    let nameless = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-";
    assert!(matches!(Topic::parse(nameless), Err(TopicError::Product { .. })));
}

#[test]
fn the_products_of_the_topics_are_listings() {
    let feed = feed();
    let products: Vec<_> = feed.products().iter().map(ProductCode::as_str).collect();
    assert_eq!(products, ["prod1", "prod2"]);
}

#[test]
fn raw_delivery_with_two_topics_is_refused() {
    let config = FeedConfig { delivery: Delivery::Raw, ..config() };
    assert_eq!(refused_feed(config), FeedError::RawTopics { topics: 2 });
}

#[test]
fn raw_delivery_with_enforced_signatures_is_refused() {
    let config = FeedConfig { signatures: SignaturePolicy::Enforce, ..raw_config() };
    assert_eq!(refused_feed(config), FeedError::RawEnforced);
}

#[test]
fn a_topic_of_the_other_partition_is_refused() {
    let config = FeedConfig { partition: Partition::AwsChina, ..config() };
    assert!(matches!(refused_feed(config), FeedError::ForeignPartition { .. }));
}

#[test]
fn a_topic_with_two_products_is_refused() {
    let arn = "arn:aws:sns:us-east-1:123456789012:forwarded";
    let stated = |product: &str| Topic::with_product(arn, product.parse().unwrap()).unwrap();
    let config = FeedConfig { topics: vec![stated("prod1"), stated("prod2")], ..config() };
    assert!(matches!(refused_feed(config), FeedError::TwoProducts { .. }));
}

#[test]
fn a_queue_that_could_take_nothing_is_refused() {
    let config = FeedConfig { topics: Vec::new(), events: None, ..config() };
    assert_eq!(refused_feed(config), FeedError::Nothing);
}

#[test]
fn a_bus_of_something_other_than_an_account_is_refused() {
    let events = Some(EventBus { account: Some("12345".to_owned()) });
    assert!(matches!(refused_feed(FeedConfig { events, ..config() }), FeedError::Account { .. }));
}
