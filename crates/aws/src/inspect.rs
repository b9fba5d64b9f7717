//! Look-ups for `doctor`: each part has a finding of its own, and one that fails does not hide the others.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_sqs::types::QueueAttributeName;
use time::OffsetDateTime;

use crate::arn::{QueueArn, QueueUrl, TopicArn};
use crate::clock::{ClockFinding, DateRecorder};
use crate::error::AwsError;
use crate::policy::Senders;
use crate::policy_check::{self, PolicyGap};
use crate::setup::Wanted;
use crate::subscription::{self, Subscribed};

/// A worker that is down over a long weekend must not lose messages.
const RETENTION_MIN: Duration = Duration::from_hours(4 * 24);
/// Below this, one slow commit lets a message be handed out twice.
const VISIBILITY_MIN: Duration = Duration::from_secs(30);
/// The key that AWS manages; its policy cannot be changed to let SNS use it.
const AWS_MANAGED_KEY: &str = "alias/aws/sqs";

/// Credentials that were found; nothing secret is in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsFacts {
    /// The public half of the key, which AWS's consoles show too.
    pub access_key_id: String,
}

/// What was found out about one queue and what sends to it.
#[derive(Debug)]
pub struct Inspection {
    /// The local clock beside AWS's.
    pub clock: ClockFinding,
    /// The queue, or why it cannot be seen.
    pub queue: Result<QueueFacts, AwsError>,
    /// One entry for each topic, or none where the queue cannot be seen.
    pub topics: Vec<TopicInspection>,
}

/// A queue's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFacts {
    /// The queue.
    pub arn: QueueArn,
    /// How long a received message is hidden unless the receiver says otherwise.
    pub visibility_timeout: Duration,
    /// How long messages are kept.
    pub retention: Duration,
    /// The ARN of the queue that takes messages which fail again and again, if there is one.
    pub dead_letter_queue: Option<String>,
    /// About how many messages wait.
    pub waiting: u64,
    /// About how many messages are in the hands of receivers.
    pub in_flight: u64,
    /// Settings that will hurt.
    pub warnings: Vec<QueueWarning>,
    /// What is wrong with the policy.
    pub policy_gaps: Vec<PolicyGap>,
}

/// A setting of the queue that will hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueWarning {
    /// Messages are kept for less than 4 days.
    ShortRetention,
    /// Messages that fail again and again have nowhere to go.
    NoDeadLetterQueue,
    /// Messages are hidden for less than 30 s.
    ShortVisibility,
    /// The queue is encrypted with the key that AWS manages, which SNS may not use: nothing is delivered.
    UndeliverableEncryption,
}

impl QueueWarning {
    /// What is wrong and what to do about it, as one sentence.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::ShortRetention => "set the queue's MessageRetentionPeriod to 1209600 s (14 days)",
            Self::NoDeadLetterQueue => "give the queue a RedrivePolicy with a dead-letter queue",
            Self::ShortVisibility => "set the queue's VisibilityTimeout to 30 s or more",
            Self::UndeliverableEncryption => {
                "encrypt the queue with SSE-SQS, or with a KMS key of your own whose policy lets SNS use it"
            }
        }
    }
}

/// What was found out about one topic.
#[derive(Debug)]
pub struct TopicInspection {
    /// The topic.
    pub topic: TopicArn,
    /// The queue's subscription to it.
    pub subscription: SubscriptionFinding,
}

/// The queue's subscription to one topic.
#[derive(Debug)]
pub enum SubscriptionFinding {
    /// It is there.
    Present {
        /// The subscription's ARN.
        arn: String,
        /// Whether messages come without their envelope.
        raw_delivery: RawDelivery,
    },
    /// It waits for the queue's owner to confirm.
    Pending,
    /// The queue is not subscribed.
    Absent,
    /// It cannot be seen.
    Unknown(AwsError),
}

/// Whether SNS strips the envelope from messages.
#[derive(Debug)]
pub enum RawDelivery {
    /// Messages come in their envelope.
    Off,
    /// Messages come bare, without id, time and origin.
    On,
    /// It cannot be seen.
    Unknown(AwsError),
}

/// Loads the credentials of a configuration, without asking AWS whether they are good.
///
/// # Errors
/// [`AwsError::MissingCredentials`] where there are none or their source fails.
pub async fn credentials(config: &SdkConfig) -> Result<CredentialsFacts, AwsError> {
    let Some(provider) = config.credentials_provider() else {
        return Err(AwsError::MissingCredentials { source: "no credentials provider is configured".into() });
    };
    match provider.provide_credentials().await {
        Ok(credentials) => Ok(CredentialsFacts { access_key_id: credentials.access_key_id().to_owned() }),
        Err(error) => Err(AwsError::MissingCredentials { source: error.into() }),
    }
}

/// Looks at one queue and what sends to it, and changes nothing.
///
/// `local_now` reads the local clock; it is called when AWS's time is known, so that both are of one moment.
pub async fn inspect(
    sqs: &aws_sdk_sqs::Client,
    sns: &aws_sdk_sns::Client,
    wanted: &Wanted,
    local_now: impl Fn() -> OffsetDateTime,
) -> Inspection {
    let dates = DateRecorder::default();
    let attributes = queue_attributes(sqs, &wanted.queue_url, dates.clone()).await;
    let clock = ClockFinding::compare(dates.last(), local_now());
    let queue = attributes.and_then(|attributes| queue_facts(&attributes, wanted));
    let topics = match &queue {
        Ok(facts) => inspect_topics(sns, &wanted.topics, &facts.arn).await,
        Err(_) => Vec::new(),
    };
    Inspection { clock, queue, topics }
}

const QUEUE_ACTION: &str = "sqs:GetQueueAttributes";

type Attributes = HashMap<QueueAttributeName, String>;

async fn queue_attributes(
    sqs: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    dates: DateRecorder,
) -> Result<Attributes, AwsError> {
    sqs.get_queue_attributes()
        .queue_url(url.as_str())
        .attribute_names(QueueAttributeName::All)
        .customize()
        .interceptor(dates)
        .send()
        .await
        .map(|answer| answer.attributes.unwrap_or_default())
        .map_err(|error| AwsError::from_sdk(QUEUE_ACTION, url.as_str(), error))
}

fn queue_facts(attributes: &Attributes, wanted: &Wanted) -> Result<QueueFacts, AwsError> {
    let number = |name: QueueAttributeName, field| {
        let text = attributes.get(&name);
        text.and_then(|text| text.parse::<u64>().ok())
            .ok_or(AwsError::IncompleteAnswer { action: QUEUE_ACTION, field })
    };
    let arn: QueueArn = attributes
        .get(&QueueAttributeName::QueueArn)
        .and_then(|arn| arn.parse().ok())
        .ok_or(AwsError::IncompleteAnswer { action: QUEUE_ACTION, field: "QueueArn" })?;
    let policy = attributes.get(&QueueAttributeName::Policy).map(String::as_str);
    let senders = Senders { queue: &arn, topics: &wanted.topics, rule: wanted.rule.as_ref() };
    let policy_gaps = policy_check::check(policy, &senders);
    let mut facts = QueueFacts {
        visibility_timeout: Duration::from_secs(number(
            QueueAttributeName::VisibilityTimeout,
            "VisibilityTimeout",
        )?),
        retention: Duration::from_secs(number(
            QueueAttributeName::MessageRetentionPeriod,
            "MessageRetentionPeriod",
        )?),
        dead_letter_queue: attributes
            .get(&QueueAttributeName::RedrivePolicy)
            .and_then(|text| dead_letter(text)),
        waiting: number(QueueAttributeName::ApproximateNumberOfMessages, "ApproximateNumberOfMessages")?,
        in_flight: number(
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            "ApproximateNumberOfMessagesNotVisible",
        )?,
        warnings: Vec::new(),
        policy_gaps,
        arn,
    };
    let key = attributes.get(&QueueAttributeName::KmsMasterKeyId).map(String::as_str);
    facts.warnings = warnings(&facts, key);
    Ok(facts)
}

fn dead_letter(redrive_policy: &str) -> Option<String> {
    let policy: serde_json::Value = serde_json::from_str(redrive_policy).ok()?;
    policy.get("deadLetterTargetArn")?.as_str().map(str::to_owned)
}

fn warnings(facts: &QueueFacts, key: Option<&str>) -> Vec<QueueWarning> {
    [
        (facts.retention < RETENTION_MIN, QueueWarning::ShortRetention),
        (facts.dead_letter_queue.is_none(), QueueWarning::NoDeadLetterQueue),
        (facts.visibility_timeout < VISIBILITY_MIN, QueueWarning::ShortVisibility),
        (key.is_some_and(|key| key.ends_with(AWS_MANAGED_KEY)), QueueWarning::UndeliverableEncryption),
    ]
    .into_iter()
    .filter_map(|(applies, warning)| applies.then_some(warning))
    .collect()
}

async fn inspect_topics(
    sns: &aws_sdk_sns::Client,
    topics: &[TopicArn],
    queue: &QueueArn,
) -> Vec<TopicInspection> {
    let mut inspections = Vec::with_capacity(topics.len());
    for topic in topics {
        let sns = subscription::in_region_of(topic, sns);
        let subscription = match subscription::find(&sns, topic, queue).await {
            Ok(Subscribed::Yes { arn }) => {
                let raw_delivery = raw_delivery(&sns, &arn).await;
                SubscriptionFinding::Present { arn, raw_delivery }
            }
            Ok(Subscribed::Pending) => SubscriptionFinding::Pending,
            Ok(Subscribed::No) => SubscriptionFinding::Absent,
            Err(error) => SubscriptionFinding::Unknown(error),
        };
        inspections.push(TopicInspection { topic: topic.clone(), subscription });
    }
    inspections
}

async fn raw_delivery(sns: &aws_sdk_sns::Client, subscription: &str) -> RawDelivery {
    let answer = sns.get_subscription_attributes().subscription_arn(subscription).send().await;
    match answer {
        Ok(answer) => {
            let attribute = answer.attributes().and_then(|attributes| attributes.get("RawMessageDelivery"));
            if attribute.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
                RawDelivery::On
            } else {
                RawDelivery::Off
            }
        }
        Err(error) => {
            RawDelivery::Unknown(AwsError::from_sdk("sns:GetSubscriptionAttributes", subscription, error))
        }
    }
}
