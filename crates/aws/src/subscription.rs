//! Looking up the queue's subscription to a topic, which belongs to another account as a rule.

use aws_sdk_sns::Client;
use aws_sdk_sns::config::Region;
use aws_sdk_sns::types::Subscription;

use crate::arn::{QueueArn, TopicArn};
use crate::error::AwsError;

pub(crate) const PROTOCOL: &str = "sqs";
/// SNS answers with 100 subscriptions a page; an account with more than this is not searched to its end.
const PAGES_MAX: usize = 100;
/// What SNS writes in place of the ARN until the queue's owner has confirmed.
const PENDING: &str = "PendingConfirmation";

/// What SNS knows about one queue and one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subscribed {
    Yes { arn: String },
    Pending,
    No,
}

impl Subscribed {
    /// Reads the ARN field of a listing or of an answer to `Subscribe`, which write "pending" differently.
    pub(crate) fn from_arn(arn: &str) -> Self {
        if arn == PENDING || arn.eq_ignore_ascii_case("pending confirmation") {
            Self::Pending
        } else {
            Self::Yes { arn: arn.to_owned() }
        }
    }
}

/// The same client in the topic's own Region, the only one that knows the topic.
pub(crate) fn in_region_of(topic: &TopicArn, client: &Client) -> Client {
    let config = client.config().to_builder().region(Region::new(topic.region().to_owned()));
    Client::from_conf(config.build())
}

/// Finds the queue's subscription among those of the topic, or, where only the topic's owner may list these,
/// among those of the queue's own account.
pub(crate) async fn find(
    client: &Client,
    topic: &TopicArn,
    queue: &QueueArn,
) -> Result<Subscribed, AwsError> {
    match find_by_topic(client, topic, queue).await {
        Err(AwsError::AccessDenied { .. }) => find_in_account(client, topic, queue).await,
        found => found,
    }
}

async fn find_by_topic(client: &Client, topic: &TopicArn, queue: &QueueArn) -> Result<Subscribed, AwsError> {
    const ACTION: &str = "sns:ListSubscriptionsByTopic";
    let topic_arn = topic.to_string();
    let mut pages = client.list_subscriptions_by_topic().topic_arn(&topic_arn).into_paginator().send();
    for _ in 0..PAGES_MAX {
        let Some(page) = pages.next().await else {
            return Ok(Subscribed::No);
        };
        let page = page.map_err(|error| AwsError::from_sdk(ACTION, &topic_arn, error))?;
        if let Some(found) = pick(page.subscriptions(), &topic_arn, queue) {
            return Ok(found);
        }
    }
    Err(AwsError::IncompleteAnswer { action: ACTION, field: "end within 100 pages" })
}

async fn find_in_account(
    client: &Client,
    topic: &TopicArn,
    queue: &QueueArn,
) -> Result<Subscribed, AwsError> {
    const ACTION: &str = "sns:ListSubscriptions";
    let topic_arn = topic.to_string();
    let mut pages = client.list_subscriptions().into_paginator().send();
    for _ in 0..PAGES_MAX {
        let Some(page) = pages.next().await else {
            return Ok(Subscribed::No);
        };
        let page = page.map_err(|error| AwsError::from_sdk(ACTION, "the account's subscriptions", error))?;
        if let Some(found) = pick(page.subscriptions(), &topic_arn, queue) {
            return Ok(found);
        }
    }
    Err(AwsError::IncompleteAnswer { action: ACTION, field: "end within 100 pages" })
}

fn pick(subscriptions: &[Subscription], topic_arn: &str, queue: &QueueArn) -> Option<Subscribed> {
    let queue_arn = queue.to_string();
    let is_ours = |subscription: &&Subscription| {
        subscription.protocol() == Some(PROTOCOL)
            && subscription.endpoint() == Some(&queue_arn)
            && subscription.topic_arn() == Some(topic_arn)
    };
    subscriptions.iter().find(is_ours).and_then(Subscription::subscription_arn).map(Subscribed::from_arn)
}
