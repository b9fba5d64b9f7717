use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stallkeeper_lifecycle::{MarketplaceName, ProductCode};

use crate::topic::{Partition, Topic, is_account};

/// What is done about the signature of an SNS envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignaturePolicy {
    /// Not looked at.
    Off,
    /// Looked at; what does not verify is reported and accepted.
    #[default]
    Warn,
    /// What does not verify is refused.
    Enforce,
}

/// In what form the queue's SNS subscription delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Inside the SNS envelope, which tells topic, time and id.
    #[default]
    Enveloped,
    /// The bare message. Topic, time and id are lost, so the queue may have one topic only, and SQS's
    /// own id and time stand in for those of SNS.
    Raw,
}

/// That events of the marketplace's EventBridge bus are expected on the queue.
///
/// Events carry no signature: declaring the bus is the operator's word that the queue's policy lets in
/// nobody but his own rule, and holds under every [`SignaturePolicy`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventBus {
    /// The seller's account, twelve digits; an event of another one is refused. Any account if absent.
    pub account: Option<String>,
}

/// What an operator says of one queue.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// The name of the marketplace that the queue's facts belong to.
    pub marketplace: MarketplaceName,
    /// The partition that all topics lie in.
    pub partition: Partition,
    /// The only topics that are listened to.
    pub topics: Vec<Topic>,
    /// The form in which they deliver.
    pub delivery: Delivery,
    /// EventBridge, where its events arrive on this queue.
    pub events: Option<EventBus>,
    /// The marketplace's listings; those of the topics need not be repeated.
    pub products: BTreeSet<ProductCode>,
    /// What is done about signatures.
    pub signatures: SignaturePolicy,
}

/// The configuration of a queue contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Every message would be refused.
    #[error(
        "the queue has neither topics nor events: list the marketplace's topics, or declare EventBridge events"
    )]
    Nothing,
    /// A bare message cannot tell which topic it came by.
    #[error(
        "raw delivery needs exactly one topic on the queue, {topics} are listed: turn raw delivery off, or give each topic a queue"
    )]
    RawTopics {
        /// How many are listed.
        topics: usize,
    },
    /// A bare message has no signature.
    #[error(
        "raw delivery strips signatures, so it cannot go with enforced ones: turn raw delivery off on the subscription"
    )]
    RawEnforced,
    /// A topic of the other partition.
    #[error("the topic {arn} does not lie in the partition {}", partition.as_str())]
    ForeignPartition {
        /// The topic.
        arn: String,
        /// The queue's partition.
        partition: Partition,
    },
    /// One topic twice, with two products.
    #[error("the topic {arn} is listed with two products, {first} and {second}")]
    TwoProducts {
        /// The topic.
        arn: String,
        /// The product listed first.
        first: ProductCode,
        /// The product listed again.
        second: ProductCode,
    },
    /// The event bus's account is not twelve digits.
    #[error("{account:?} is not an AWS account, which has twelve digits")]
    Account {
        /// What was given.
        account: String,
    },
}

/// What is known of a queue before a message is read: what it may carry, and whose it is.
#[derive(Clone, Debug)]
pub struct Feed {
    marketplace: MarketplaceName,
    topics: BTreeMap<String, Arc<Topic>>,
    raw: Option<Arc<Topic>>,
    events: Option<EventBus>,
    products: BTreeSet<ProductCode>,
}

impl Feed {
    /// The feed that the operator describes.
    ///
    /// # Errors
    /// A description that contradicts itself.
    pub fn new(config: FeedConfig) -> Result<Self, FeedError> {
        let topics = listed(config.topics, config.partition)?;
        if topics.is_empty() && config.events.is_none() {
            return Err(FeedError::Nothing);
        }
        let raw = match config.delivery {
            Delivery::Enveloped => None,
            Delivery::Raw => Some(the_only_topic(&topics, config.signatures)?),
        };
        if let Some(account) = config.events.as_ref().and_then(|bus| bus.account.clone())
            && !is_account(&account)
        {
            return Err(FeedError::Account { account });
        }
        let mut products = config.products;
        products.extend(topics.values().map(|topic| topic.product().clone()));
        Ok(Self { marketplace: config.marketplace, topics, raw, events: config.events, products })
    }

    /// The marketplace that the queue's facts belong to.
    pub fn marketplace(&self) -> &MarketplaceName {
        &self.marketplace
    }

    /// The topics that are listened to.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values().map(AsRef::as_ref)
    }

    /// The products that a message may be about.
    pub fn products(&self) -> &BTreeSet<ProductCode> {
        &self.products
    }

    pub(crate) fn topic(&self, arn: &str) -> Option<&Arc<Topic>> {
        self.topics.get(arn)
    }

    pub(crate) fn raw(&self) -> Option<&Arc<Topic>> {
        self.raw.as_ref()
    }

    pub(crate) fn events(&self) -> Option<&EventBus> {
        self.events.as_ref()
    }
}

fn listed(topics: Vec<Topic>, partition: Partition) -> Result<BTreeMap<String, Arc<Topic>>, FeedError> {
    let mut by_arn: BTreeMap<String, Arc<Topic>> = BTreeMap::new();
    for topic in topics {
        if topic.partition() != partition {
            return Err(FeedError::ForeignPartition { arn: topic.arn().to_owned(), partition });
        }
        if let Some(first) = by_arn.get(topic.arn()).filter(|first| first.product() != topic.product()) {
            let first = first.product().clone();
            return Err(FeedError::TwoProducts {
                arn: topic.arn().to_owned(),
                first,
                second: topic.product().clone(),
            });
        }
        by_arn.insert(topic.arn().to_owned(), Arc::new(topic));
    }
    Ok(by_arn)
}

fn the_only_topic(
    topics: &BTreeMap<String, Arc<Topic>>,
    signatures: SignaturePolicy,
) -> Result<Arc<Topic>, FeedError> {
    if signatures == SignaturePolicy::Enforce {
        return Err(FeedError::RawEnforced);
    }
    let mut all = topics.values();
    match (all.next(), all.next()) {
        (Some(topic), None) => Ok(Arc::clone(topic)),
        _ => Err(FeedError::RawTopics { topics: topics.len() }),
    }
}
