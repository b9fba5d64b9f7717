use std::fmt;

use serde::Deserialize;
use stallkeeper_aws::{Account, CredentialsSource, Partition, QueueUrl, RuleArn, TopicArn, Wanted};
use stallkeeper_lifecycle::{MarketplaceName, ProductCode};
use stallkeeper_notification::{Delivery, EventBus, Feed, FeedConfig, FeedError, Topic, TopicError};

pub use stallkeeper_aws::Endpoints;

use super::Config;
use super::metering::{self, Metering};
use super::section::Section;

/// One marketplace with its queue and its account.
#[derive(Clone, Debug)]
pub struct Marketplace {
    /// The seller's name for it.
    pub name: MarketplaceName,
    /// Which marketplace it is.
    pub kind: Kind,
    /// By what its buyers are told apart.
    pub identity: Identity,
    /// Where its calls go, and where the queue lies if its URL does not tell.
    pub region: String,
    /// The queue that its notifications come to; none where it is not polled.
    pub queue_url: Option<QueueUrl>,
    /// The only topics that are listened to.
    pub topic_arns: Vec<TopicArn>,
    /// In what form they deliver.
    pub delivery: Delivery,
    /// EventBridge, where its events come to the queue too.
    pub eventbridge: Option<EventBridge>,
    /// Where its credentials come from.
    pub credentials: CredentialsSource,
    /// Endpoints other than AWS's own.
    pub endpoints: Endpoints,
    /// How its usage is reported; none where it is not metered.
    pub metering: Option<Metering>,
}

/// The rule that sends the marketplace's events to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventBridge {
    /// The rule.
    pub rule_arn: RuleArn,
    /// The account that the events are about; the rule's own where it is not set.
    pub account: String,
}

/// Which marketplace it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// AWS Marketplace.
    Aws,
    /// AWS Marketplace China, run by NWCD.
    AwsChina,
    /// Alibaba Cloud Marketplace, Chinese site.
    Alibaba,
    /// Alibaba Cloud Marketplace, international site.
    AlibabaInternational,
}

impl Kind {
    /// The word for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsChina => "aws-china",
            Self::Alibaba => "alibaba",
            Self::AlibabaInternational => "alibaba-international",
        }
    }

    /// The AWS partition that it lies in; none outside AWS.
    pub fn partition(self) -> Option<Partition> {
        match self {
            Self::Aws => Some(Partition::Aws),
            Self::AwsChina => Some(Partition::AwsChina),
            Self::Alibaba | Self::AlibabaInternational => None,
        }
    }

    /// Where the marketplace's own calls are answered.
    fn region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsChina => "cn-northwest-1",
            Self::Alibaba => "cn-hangzhou",
            Self::AlibabaInternational => "ap-southeast-1",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// By what buyers are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// By customer: listings from before concurrent agreements.
    #[default]
    Customer,
    /// By license: listings with concurrent agreements.
    License,
}

impl Marketplace {
    /// How its AWS account is reached.
    pub fn account(&self) -> Account {
        let region = self.queue_url.as_ref().and_then(QueueUrl::region).unwrap_or(&self.region);
        Account {
            region: region.to_owned(),
            credentials: self.credentials.clone(),
            endpoints: self.endpoints.clone(),
        }
    }

    /// What `setup` is to make of its queue; none where it is not polled.
    pub fn wanted(&self) -> Option<Wanted> {
        Some(Wanted {
            queue_url: self.queue_url.clone()?,
            topics: self.topic_arns.clone(),
            rule: self.eventbridge.as_ref().map(|eventbridge| eventbridge.rule_arn.clone()),
        })
    }

    /// What its queue may carry, by which messages are read.
    ///
    /// # Errors
    /// A queue that could never be read; a configuration that was accepted has none.
    pub fn feed(&self, config: &Config) -> Result<Feed, FeedProblem> {
        let listed: Vec<&ProductCode> =
            config.listings(&self.name).map(|(_, listing)| &listing.code).collect();
        let topics = self.topic_arns.iter().map(|arn| topic(arn, &listed)).collect::<Result<_, _>>()?;
        let partition = match self.kind.partition().ok_or(FeedProblem::NotPolled { kind: self.kind })? {
            Partition::Aws => stallkeeper_notification::Partition::Aws,
            Partition::AwsChina => stallkeeper_notification::Partition::AwsChina,
        };
        let events = self.eventbridge.as_ref().map(|bus| EventBus { account: Some(bus.account.clone()) });
        Ok(Feed::new(FeedConfig {
            marketplace: self.name.clone(),
            partition,
            topics,
            delivery: self.delivery,
            events,
            products: listed.into_iter().cloned().collect(),
            signatures: config.signature.policy,
        })?)
    }
}

/// A marketplace's queue could never be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedProblem {
    /// It has no queue.
    #[error("a marketplace of kind {kind} has no queue")]
    NotPolled {
        /// Its kind.
        kind: Kind,
    },
    /// A topic does not tell its product.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The parts contradict each other.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// A topic with its product: its name tells it as a rule; any other name goes with the only listing.
pub(super) fn topic(arn: &TopicArn, listed: &[&ProductCode]) -> Result<Topic, TopicError> {
    let text = arn.to_string();
    match (Topic::parse(&text), listed) {
        (Err(TopicError::ProductUnstated { .. }), [only]) => Topic::with_product(&text, (*only).clone()),
        (parsed, _) => parsed,
    }
}

/// Keys that speak of AWS.
const AWS_KEYS: [&str; 9] = [
    "queue_url",
    "topic_arns",
    "raw_delivery",
    "eventbridge",
    "profile",
    "role_arn",
    "external_id",
    "endpoint_url",
    "identity",
];

pub(super) fn read(section: &Section<'_>) -> Option<Marketplace> {
    let name = section.required("name");
    section.require("kind");
    let kind: Option<Kind> = section.word("kind");
    let identity = section.word("identity").unwrap_or_default();
    let region = section.string("region");
    let queue_url = section.text("queue_url");
    let topic_arns = section.texts("topic_arns");
    let delivery = if section.flag("raw_delivery") { Delivery::Raw } else { Delivery::Enveloped };
    let eventbridge = eventbridge(section);
    let credentials = credentials(section);
    let endpoints = section.section("endpoint_url", endpoints);
    // Given up only now, so that the problems of all keys come to light at once.
    let (name, kind) = (name?, kind?);
    match kind.partition() {
        Some(_) => section.require("queue_url"),
        None => refuse_aws_keys(section, kind),
    }
    let region = region.unwrap_or_else(|| kind.region().to_owned());
    let metering = metering::read(section, kind, &region);
    Some(Marketplace {
        name,
        kind,
        identity,
        region,
        queue_url,
        topic_arns,
        delivery,
        eventbridge,
        credentials,
        endpoints,
        metering,
    })
}

fn refuse_aws_keys(section: &Section<'_>, kind: Kind) {
    for key in AWS_KEYS.into_iter().filter(|key| section.has(key)) {
        section
            .refuse(key, &format!("a marketplace of kind {kind} has no queue and is not polled; remove it"));
    }
}

fn eventbridge(section: &Section<'_>) -> Option<EventBridge> {
    if !section.has("eventbridge") {
        return None;
    }
    section.section("eventbridge", |section| {
        let account = section.string("account");
        let rule_arn: RuleArn = section.required("rule_arn")?;
        Some(EventBridge { account: account.unwrap_or_else(|| rule_arn.account().to_owned()), rule_arn })
    })
}

pub(super) fn credentials(section: &Section<'_>) -> CredentialsSource {
    let profile = section.string("profile");
    let role = section.string("role_arn");
    let external_id = section.string("external_id");
    if external_id.is_some() && role.is_none() {
        section.refuse("external_id", "goes with role_arn, which is not set");
    }
    match (profile, role) {
        (Some(_), Some(_)) => {
            section.refuse("role_arn", "goes without profile: credentials come from one of them");
            CredentialsSource::StandardChain
        }
        (Some(profile), None) => CredentialsSource::Profile(profile),
        (None, Some(arn)) => CredentialsSource::Role { arn, external_id },
        (None, None) => CredentialsSource::StandardChain,
    }
}

fn endpoints(section: &Section<'_>) -> Endpoints {
    let url = |key| section.text::<url::Url>(key).map(String::from);
    Endpoints { sqs: url("sqs"), sns: url("sns"), metering: url("metering"), entitlement: url("entitlement") }
}
