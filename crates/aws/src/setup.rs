//! Subscribing the queue to the marketplace's topics and letting them send to it.

use aws_sdk_sqs::types::QueueAttributeName;
use serde::Serialize;
use thiserror::Error;

use crate::arn::{QueueArn, QueueUrl, RuleArn, TopicArn};
use crate::error::AwsError;
use crate::policy::{self, PolicyChange, PolicyError, Senders};
use crate::subscription::{self, Subscribed};

/// One queue and everything that is to send to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The queue.
    pub queue_url: QueueUrl,
    /// Every topic that sends to the queue: those left out lose a permission that an earlier set-up gave.
    pub topics: Vec<TopicArn>,
    /// The EventBridge rule that sends to the queue; the rule itself is the seller's to make.
    pub rule: Option<RuleArn>,
}

/// Everything that set-up did or found already right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetupReport {
    /// The queue.
    pub queue: QueueArn,
    /// Whether the queue's policy was written.
    pub policy: PolicyAct,
    /// One entry for each topic.
    pub topics: Vec<TopicReport>,
}

impl SetupReport {
    /// Whether everything was right before.
    pub fn changed_nothing(&self) -> bool {
        self.policy == PolicyAct::AlreadyRight
            && self
                .topics
                .iter()
                .all(|topic| matches!(topic.subscription, SubscriptionAct::AlreadyRight { .. }))
    }
}

/// What was done about the queue's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyAct {
    /// It let exactly the wanted senders in.
    AlreadyRight,
    /// It was written; statements of others were kept.
    Written,
}

/// What was done about one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicReport {
    /// The topic.
    pub topic: TopicArn,
    /// What was done about the queue's subscription to it.
    pub subscription: SubscriptionAct,
}

/// What was done about one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum SubscriptionAct {
    /// It was there.
    AlreadyRight {
        /// The subscription's ARN.
        arn: String,
    },
    /// It was made.
    Created {
        /// The subscription's ARN.
        arn: String,
    },
    /// It is there now; nobody but the topic's owner may see whether it was there before.
    Ensured {
        /// The subscription's ARN.
        arn: String,
    },
    /// SNS waits for the queue's owner to confirm, with the message that it sent to the queue.
    Pending,
}

/// Why set-up stopped; what was done before stays, and running it again goes on from there.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The queue could not be read.
    #[error("cannot read the queue {queue}")]
    Queue {
        /// The queue.
        queue: QueueUrl,
        /// Why.
        source: AwsError,
    },
    /// The policy on the queue cannot be built upon.
    #[error("cannot add to the policy of {queue}")]
    Policy {
        /// The queue.
        queue: QueueUrl,
        /// Why.
        source: PolicyError,
    },
    /// The policy could not be written.
    #[error("cannot write the policy of {queue}")]
    WritePolicy {
        /// The queue.
        queue: QueueUrl,
        /// Why.
        source: AwsError,
    },
    /// A topic could not be subscribed to.
    #[error("cannot subscribe to {topic}")]
    Subscribe {
        /// The topic.
        topic: TopicArn,
        /// Why.
        source: AwsError,
    },
}

impl SetupError {
    /// What a person does about it, as one sentence.
    pub fn remedy(&self) -> String {
        match self {
            Self::Queue { source, .. }
            | Self::WritePolicy { source, .. }
            | Self::Subscribe { source, .. } => source.remedy(),
            Self::Policy { .. } => "correct or remove the queue's policy".to_owned(),
        }
    }
}

/// Lets the topics and the rule send to the queue, then subscribes the queue to the topics.
///
/// It is safe to repeat: what is already right is left alone.
/// Raw delivery is never turned on, because dedup, order and origin stand in the envelope; an existing
/// subscription with raw delivery is left as it is, and [`inspect`](crate::inspect()) tells of it.
///
/// # Errors
/// The first failure stops it; see [`SetupError`].
pub async fn setup(
    sqs: &aws_sdk_sqs::Client,
    sns: &aws_sdk_sns::Client,
    wanted: &Wanted,
) -> Result<SetupReport, SetupError> {
    let (queue, existing) = read_queue(sqs, &wanted.queue_url)
        .await
        .map_err(|source| SetupError::Queue { queue: wanted.queue_url.clone(), source })?;
    let policy = write_policy(sqs, wanted, &queue, existing.as_deref()).await?;
    let mut topics = Vec::with_capacity(wanted.topics.len());
    for topic in &wanted.topics {
        let subscription = ensure_subscribed(sns, topic, &queue)
            .await
            .map_err(|source| SetupError::Subscribe { topic: topic.clone(), source })?;
        topics.push(TopicReport { topic: topic.clone(), subscription });
    }
    Ok(SetupReport { queue, policy, topics })
}

async fn read_queue(
    sqs: &aws_sdk_sqs::Client,
    url: &QueueUrl,
) -> Result<(QueueArn, Option<String>), AwsError> {
    const ACTION: &str = "sqs:GetQueueAttributes";
    let answer = sqs
        .get_queue_attributes()
        .queue_url(url.as_str())
        .attribute_names(QueueAttributeName::QueueArn)
        .attribute_names(QueueAttributeName::Policy)
        .send()
        .await
        .map_err(|error| AwsError::from_sdk(ACTION, url.as_str(), error))?;
    let attribute = |name| answer.attributes().and_then(|attributes| attributes.get(&name));
    let arn = attribute(QueueAttributeName::QueueArn)
        .and_then(|arn| arn.parse().ok())
        .ok_or(AwsError::IncompleteAnswer { action: ACTION, field: "QueueArn" })?;
    Ok((arn, attribute(QueueAttributeName::Policy).cloned()))
}

async fn write_policy(
    sqs: &aws_sdk_sqs::Client,
    wanted: &Wanted,
    queue: &QueueArn,
    existing: Option<&str>,
) -> Result<PolicyAct, SetupError> {
    let url = &wanted.queue_url;
    let senders = Senders { queue, topics: &wanted.topics, rule: wanted.rule.as_ref() };
    let merged = policy::merge(existing, &senders)
        .map_err(|source| SetupError::Policy { queue: url.clone(), source })?;
    if merged.change == PolicyChange::Unchanged {
        return Ok(PolicyAct::AlreadyRight);
    }
    sqs.set_queue_attributes()
        .queue_url(url.as_str())
        .attributes(QueueAttributeName::Policy, merged.policy)
        .send()
        .await
        .map_err(|error| AwsError::from_sdk("sqs:SetQueueAttributes", url.as_str(), error))
        .map_err(|source| SetupError::WritePolicy { queue: url.clone(), source })?;
    Ok(PolicyAct::Written)
}

async fn ensure_subscribed(
    sns: &aws_sdk_sns::Client,
    topic: &TopicArn,
    queue: &QueueArn,
) -> Result<SubscriptionAct, AwsError> {
    let sns = subscription::in_region_of(topic, sns);
    let was_seen_absent = match subscription::find(&sns, topic, queue).await {
        Ok(Subscribed::Yes { arn }) => return Ok(SubscriptionAct::AlreadyRight { arn }),
        // Subscribing again makes SNS send its confirmation message again.
        Ok(Subscribed::No | Subscribed::Pending) => true,
        // Subscribing is idempotent for one topic, protocol and endpoint, so it may stand in for looking.
        Err(AwsError::AccessDenied { .. } | AwsError::IncompleteAnswer { .. }) => false,
        Err(error) => return Err(error),
    };
    Ok(match subscribe(&sns, topic, queue).await? {
        Subscribed::Yes { arn } if was_seen_absent => SubscriptionAct::Created { arn },
        Subscribed::Yes { arn } => SubscriptionAct::Ensured { arn },
        Subscribed::Pending | Subscribed::No => SubscriptionAct::Pending,
    })
}

async fn subscribe(
    sns: &aws_sdk_sns::Client,
    topic: &TopicArn,
    queue: &QueueArn,
) -> Result<Subscribed, AwsError> {
    const ACTION: &str = "sns:Subscribe";
    let topic = topic.to_string();
    let answer = sns
        .subscribe()
        .topic_arn(&topic)
        .protocol(subscription::PROTOCOL)
        .endpoint(queue.to_string())
        .send()
        .await
        .map_err(|error| AwsError::from_sdk(ACTION, &topic, error))?;
    answer
        .subscription_arn()
        .map(Subscribed::from_arn)
        .ok_or(AwsError::IncompleteAnswer { action: ACTION, field: "SubscriptionArn" })
}
