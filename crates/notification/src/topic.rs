use std::fmt;

use stallkeeper_lifecycle::{IdError, ProductCode};

const SUBSCRIPTION_PREFIX: &str = "aws-mp-subscription-notification-";
const ENTITLEMENT_PREFIX: &str = "aws-mp-entitlement-notification-";

/// A group of AWS regions with its own accounts, ARNs and host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// `arn:aws:`, hosts under `amazonaws.com`.
    Aws,
    /// `arn:aws-cn:`, hosts under `amazonaws.com.cn`.
    AwsChina,
}

impl Partition {
    /// The word for it in an ARN.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsChina => "aws-cn",
        }
    }

    /// What the names of its hosts end in.
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws => "amazonaws.com",
            Self::AwsChina => "amazonaws.com.cn",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Aws, Self::AwsChina].into_iter().find(|partition| partition.as_str() == text)
    }
}

/// Which of the marketplace's topics it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKind {
    /// `aws-mp-subscription-notification-<code>`
    Subscription,
    /// `aws-mp-entitlement-notification-<code>`
    Entitlement,
    /// A topic of another name, whose product the seller states.
    Named,
}

/// The text does not name a topic that can be listened to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Not `arn:<aws or aws-cn>:sns:<region>:<12 digits>:<name>`.
    #[error("{arn:?} is not the ARN of an SNS topic, which reads arn:aws:sns:us-east-1:123456789012:name")]
    Arn {
        /// What was given.
        arn: String,
    },
    /// Neither the name nor the configuration says which product it is about.
    #[error(
        "the topic {arn} does not say its product: name it {SUBSCRIPTION_PREFIX}<code> or {ENTITLEMENT_PREFIX}<code>, or state the product code"
    )]
    ProductUnstated {
        /// The topic.
        arn: String,
    },
    /// The code in the name is not the stated one.
    #[error("the topic {arn} is about the product {named}, not {stated}")]
    ProductContradicted {
        /// The topic.
        arn: String,
        /// The code in its name.
        named: ProductCode,
        /// The code in the configuration.
        stated: ProductCode,
    },
    /// The code in the name cannot be one.
    #[error("the topic {arn} does not name a product")]
    Product {
        /// The topic.
        arn: String,
        /// What is wrong with the code.
        #[source]
        source: IdError,
    },
}

/// An SNS topic of a marketplace and the one product that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    arn: String,
    partition: Partition,
    region: String,
    account: String,
    kind: TopicKind,
    product: ProductCode,
}

impl Topic {
    /// The topic of an ARN as AWS hands it over: its name tells its kind and its product.
    ///
    /// # Errors
    /// Text that is no topic's ARN, and a name that tells no product.
    pub fn parse(arn: &str) -> Result<Self, TopicError> {
        Self::build(arn, None)
    }

    /// A topic whose product is stated; where its name tells one too, both must agree.
    ///
    /// # Errors
    /// Text that is no topic's ARN, and a name that tells another product.
    pub fn with_product(arn: &str, product: ProductCode) -> Result<Self, TopicError> {
        Self::build(arn, Some(product))
    }

    fn build(arn: &str, stated: Option<ProductCode>) -> Result<Self, TopicError> {
        let parts = Parts::of(arn).ok_or_else(|| TopicError::Arn { arn: arn.to_owned() })?;
        let (kind, named) = named_product(arn, parts.name)?;
        let product = match (named, stated) {
            (Some(named), Some(stated)) if named != stated => {
                return Err(TopicError::ProductContradicted { arn: arn.to_owned(), named, stated });
            }
            (Some(product), _) | (None, Some(product)) => product,
            (None, None) => return Err(TopicError::ProductUnstated { arn: arn.to_owned() }),
        };
        Ok(Self {
            arn: arn.to_owned(),
            partition: parts.partition,
            region: parts.region.to_owned(),
            account: parts.account.to_owned(),
            kind,
            product,
        })
    }

    /// The whole ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The partition that it lies in.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The region that it lies in.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account that owns it: the marketplace's, not the seller's.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Which of the marketplace's topics it is.
    pub fn kind(&self) -> TopicKind {
        self.kind
    }

    /// The only product that its messages may name.
    pub fn product(&self) -> &ProductCode {
        &self.product
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.arn)
    }
}

struct Parts<'a> {
    partition: Partition,
    region: &'a str,
    account: &'a str,
    name: &'a str,
}

impl<'a> Parts<'a> {
    fn of(arn: &'a str) -> Option<Self> {
        let mut parts = arn.split(':');
        let mut next = || parts.next();
        let (scheme, partition, service) = (next()?, next()?, next()?);
        let (region, account, name) = (next()?, next()?, next()?);
        let partition = Partition::parse(partition)?;
        let known = scheme == "arn" && service == "sns" && parts.next().is_none();
        let known = known && is_region(region) && is_account(account) && is_topic_name(name);
        known.then_some(Self { partition, region, account, name })
    }
}

/// The region becomes part of host names, so nothing else than a label of lower-case letters may pass.
fn is_region(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=32).contains(&text.len())
        && text.bytes().all(inner)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.ends_with('-')
}

/// Whether the text is an AWS account: twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name with `.fifo` is refused with the rest: the marketplace's topics are standard ones.
fn is_topic_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=256).contains(&text.len()) && text.bytes().all(allowed)
}

fn named_product(arn: &str, name: &str) -> Result<(TopicKind, Option<ProductCode>), TopicError> {
    let subscription = name.strip_prefix(SUBSCRIPTION_PREFIX).map(|code| (TopicKind::Subscription, code));
    let entitlement = || name.strip_prefix(ENTITLEMENT_PREFIX).map(|code| (TopicKind::Entitlement, code));
    let Some((kind, code)) = subscription.or_else(entitlement) else {
        return Ok((TopicKind::Named, None));
    };
    match code.parse() {
        Ok(product) => Ok((kind, Some(product))),
        Err(source) => Err(TopicError::Product { arn: arn.to_owned(), source }),
    }
}
