//! Names of AWS resources, parsed once at the edge.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::profile::Partition;

/// Why a text is not the ARN or queue URL that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArnError {
    /// Not six parts separated by colons, beginning with `arn`.
    #[error("`{text}` is not an ARN: expected `{expected}`")]
    Shape {
        /// The text as given.
        text: String,
        /// What an ARN of this kind looks like.
        expected: &'static str,
    },
    /// A partition that Stallkeeper does not serve.
    #[error("`{text}` is in partition `{partition}`: only `aws` and `aws-cn` are supported")]
    Partition {
        /// The text as given.
        text: String,
        /// The partition found in it.
        partition: String,
    },
    /// The Region does not lie in the partition.
    #[error("`{text}` names Region `{region}`, which is not in partition `{partition}`")]
    Region {
        /// The text as given.
        text: String,
        /// The Region found in it.
        region: String,
        /// The partition found in it.
        partition: Partition,
    },
    /// An ARN of another service or another kind of resource.
    #[error("`{text}` names another kind of resource: expected `{expected}`")]
    Kind {
        /// The text as given.
        text: String,
        /// What an ARN of this kind looks like.
        expected: &'static str,
    },
    /// Not the URL of a queue.
    #[error(
        "`{text}` is not a queue URL: expected `https://sqs.<region>.amazonaws.com/<account>/<queue name>`"
    )]
    QueueUrl {
        /// The text as given, without a name and password before the host.
        text: String,
    },
}

/// The parts that all ARNs used here have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    partition: Partition,
    region: String,
    account: String,
    resource: String,
}

impl Parts {
    fn parse(text: &str, service: &str, expected: &'static str) -> Result<Self, ArnError> {
        let shape = || ArnError::Shape { text: text.to_owned(), expected };
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or_else(shape);
        let (prefix, partition, found_service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        if prefix != "arn" || region.is_empty() || !is_account(account) || resource.is_empty() {
            return Err(shape());
        }
        let partition = Partition::from_arn_text(partition)
            .ok_or_else(|| ArnError::Partition { text: text.to_owned(), partition: partition.to_owned() })?;
        if found_service != service {
            return Err(ArnError::Kind { text: text.to_owned(), expected });
        }
        if Partition::of_region(region) != partition {
            return Err(ArnError::Region { text: text.to_owned(), region: region.to_owned(), partition });
        }
        Ok(Self {
            partition,
            region: region.to_owned(),
            account: account.to_owned(),
            resource: resource.to_owned(),
        })
    }
}

macro_rules! arn_newtype {
    ($(#[$doc:meta])* $name:ident, $service:literal, $expected:literal, $is_kind:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Parts);

        impl $name {
            /// The partition, which also tells the DNS suffix.
            pub fn partition(&self) -> Partition {
                self.0.partition
            }

            /// The Region, such as `us-east-1`.
            pub fn region(&self) -> &str {
                &self.0.region
            }

            /// The twelve digits of the owning account.
            pub fn account(&self) -> &str {
                &self.0.account
            }
        }

        impl FromStr for $name {
            type Err = ArnError;

            fn from_str(text: &str) -> Result<Self, ArnError> {
                let parts = Parts::parse(text, $service, $expected)?;
                let is_kind: fn(&str) -> bool = $is_kind;
                if is_kind(&parts.resource) {
                    Ok(Self(parts))
                } else {
                    Err(ArnError::Kind { text: text.to_owned(), expected: $expected })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Parts { partition, region, account, resource } = &self.0;
                write!(formatter, "arn:{partition}:{}:{region}:{account}:{resource}", $service)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

arn_newtype!(
    /// An SNS topic, such as the one that AWS Marketplace hands over for a product.
    TopicArn,
    "sns",
    "arn:aws:sns:<region>:<account>:<topic name>",
    |resource| !resource.contains([':', '/'])
);
arn_newtype!(
    /// An SQS queue.
    QueueArn,
    "sqs",
    "arn:aws:sqs:<region>:<account>:<queue name>",
    |resource| !resource.contains([':', '/'])
);
arn_newtype!(
    /// An EventBridge rule that forwards marketplace events to the queue.
    RuleArn,
    "events",
    "arn:aws:events:<region>:<account>:rule/<rule name>",
    |resource| resource.strip_prefix("rule/").is_some_and(|name| !name.is_empty())
);

impl TopicArn {
    /// The topic's own name, the last part of the ARN.
    pub fn name(&self) -> &str {
        &self.0.resource
    }
}

impl QueueArn {
    /// The queue's own name, the last part of the ARN.
    pub fn name(&self) -> &str {
        &self.0.resource
    }
}

impl RuleArn {
    /// The rule's name, with its bus before it (`bus/rule`) unless that is the default bus.
    pub fn name(&self) -> &str {
        self.0.resource.strip_prefix("rule/").unwrap_or_default()
    }
}

/// The URL of an SQS queue, at AWS or at a stand-in for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct QueueUrl(String);

impl QueueUrl {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Region in the host name, or `None` where the host is not one of AWS's regional ones.
    pub fn region(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        let (host, _) = rest.split_once('/')?;
        let host = host.strip_suffix(".cn").unwrap_or(host);
        host.strip_prefix("sqs.")?.strip_suffix(".amazonaws.com")
    }

    /// The queue's own name, the last part of the path.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, name)| name)
    }
}

impl FromStr for QueueUrl {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let path = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let mut parts = path.unwrap_or_default().split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(host), Some(account), Some(name), None)
                if !host.is_empty() && !host.contains('@') && is_account(account) && is_queue_name(name) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ArnError::QueueUrl { text: without_user(text) }),
        }
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What can be shown of a URL that may hold a password.
fn without_user(url: &str) -> String {
    url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, rest)| format!("…@{rest}"))
}

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Queue names have 1 to 80 of these characters; FIFO queues end in `.fifo`.
fn is_queue_name(text: &str) -> bool {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=80).contains(&text.len()) && text.strip_suffix(".fifo").unwrap_or(text).bytes().all(is_name_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marketplace_topic_is_read_into_its_parts_and_written_back() {
        let text = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-abc123";
        let topic: TopicArn = text.parse().unwrap();
        assert_eq!(topic.partition(), Partition::Aws);
        assert_eq!(topic.region(), "us-east-1");
        assert_eq!(topic.account(), "287250355862");
        assert_eq!(topic.name(), "aws-mp-subscription-notification-abc123");
        assert_eq!(topic.to_string(), text);
    }

    #[test]
    fn a_chinese_topic_belongs_to_the_chinese_partition() {
        let topic: TopicArn = "arn:aws-cn:sns:cn-northwest-1:123456789012:t".parse().unwrap();
        assert_eq!(topic.partition(), Partition::AwsChina);
    }

    #[test]
    fn a_region_outside_its_partition_is_refused_in_words() {
        let error = "arn:aws:sns:cn-north-1:123456789012:t".parse::<TopicArn>().unwrap_err();
        assert!(error.to_string().ends_with("names Region `cn-north-1`, which is not in partition `aws`"));
    }

    #[test]
    fn an_unsupported_partition_is_refused() {
        let error = "arn:aws-us-gov:sns:us-gov-east-1:123456789012:t".parse::<TopicArn>().unwrap_err();
        assert!(matches!(error, ArnError::Partition { .. }));
    }

    #[test]
    fn a_queue_or_a_subscription_does_not_pass_for_a_topic() {
        for text in ["arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:sns:us-east-1:123456789012:t:1b2c-sub"]
        {
            assert!(matches!(text.parse::<TopicArn>().unwrap_err(), ArnError::Kind { .. }), "{text}");
        }
    }

    #[test]
    fn half_an_arn_is_refused_with_the_shape_that_is_expected() {
        for text in ["", "arn:aws:sns", "arn:aws:sns:us-east-1::t", "arn:aws:sns:us-east-1:123456789012:"] {
            assert!(matches!(text.parse::<TopicArn>().unwrap_err(), ArnError::Shape { .. }), "{text}");
        }
    }

    #[test]
    fn rules_of_default_and_named_buses_are_read() {
        let rule: RuleArn = "arn:aws:events:us-east-1:123456789012:rule/marketplace".parse().unwrap();
        assert_eq!(rule.name(), "marketplace");
        let rule: RuleArn = "arn:aws:events:us-east-1:123456789012:rule/bus/marketplace".parse().unwrap();
        assert_eq!(rule.name(), "bus/marketplace");
    }

    #[test]
    fn queue_urls_of_aws_tell_their_region_and_local_ones_do_not() {
        let url: QueueUrl = "https://sqs.eu-west-1.amazonaws.com/123456789012/stall".parse().unwrap();
        assert_eq!((url.region(), url.name()), (Some("eu-west-1"), "stall"));
        let url: QueueUrl = "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/stall".parse().unwrap();
        assert_eq!(url.region(), Some("cn-north-1"));
        let url: QueueUrl = "http://127.0.0.1:5000/123456789012/stall.fifo".parse().unwrap();
        assert_eq!((url.region(), url.name()), (None, "stall.fifo"));
    }

    #[test]
    fn a_password_in_a_queue_url_is_refused_and_not_repeated() {
        let text = "https://user:hunter2@sqs.us-east-1.amazonaws.com/123456789012/stall";
        let words = text.parse::<QueueUrl>().unwrap_err().to_string();
        assert!(words.contains("…@sqs.us-east-1") && !words.contains("hunter2"), "{words}");
    }

    #[test]
    fn what_is_no_queue_url_is_refused() {
        for text in [
            "stall",
            "https://sqs.us-east-1.amazonaws.com/stall",
            "https://h/123456789012/a/b",
            "https://h/123456789012/",
        ] {
            assert!(text.parse::<QueueUrl>().is_err(), "{text}");
        }
    }
}
