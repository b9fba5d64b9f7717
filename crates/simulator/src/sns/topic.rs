use std::collections::BTreeMap;

use super::error::SnsError;
use super::signer::SignatureVersion;

/// The longest name of a topic.
const NAME_CHARACTERS_MAX: usize = 256;
/// How many parts an ARN has at least, colons between them.
const ARN_PARTS_MIN: usize = 6;

/// One topic's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Topic {
    /// None where the owner did not choose.
    signature_version: Option<SignatureVersion>,
    display_name: String,
    policy: Option<String>,
    /// Subscriptions that were removed from it.
    pub(super) removed: usize,
}

impl Topic {
    /// A topic with these attributes.
    pub(super) fn new(attributes: &BTreeMap<String, String>) -> Result<Self, SnsError> {
        let mut topic = Self::default();
        for (name, value) in attributes {
            topic.set(name, value).map_err(|_| SnsError::reason("Attributes", name))?;
        }
        Ok(topic)
    }

    /// Changes an attribute.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), SnsError> {
        match name {
            "SignatureVersion" => {
                let version = SignatureVersion::parse(value);
                let version = version.ok_or_else(|| SnsError::InvalidParameter("AttributeValue".to_owned()));
                self.signature_version = Some(version?);
            }
            "DisplayName" => value.clone_into(&mut self.display_name),
            "Policy" => self.policy = Some(value.to_owned()),
            _ => return Err(SnsError::InvalidParameter("AttributeName".to_owned())),
        }
        Ok(())
    }

    /// What its messages are signed with.
    pub(super) fn signature_version(&self) -> SignatureVersion {
        self.signature_version.unwrap_or_default()
    }

    /// Whether it is as if it had been made with these attributes.
    pub(super) fn agrees_with(&self, asked: &Self, attributes: &BTreeMap<String, String>) -> bool {
        attributes.keys().all(|name| match name.as_str() {
            "SignatureVersion" => self.signature_version == asked.signature_version,
            "DisplayName" => self.display_name == asked.display_name,
            _ => self.policy == asked.policy,
        })
    }

    /// Its attributes as SNS lists them.
    pub(super) fn attributes(&self, arn: &str, confirmed: usize) -> Vec<(&'static str, String)> {
        let owner = arn.split(':').nth(4).unwrap_or_default();
        let mut attributes = vec![
            ("TopicArn", arn.to_owned()),
            ("Owner", owner.to_owned()),
            ("DisplayName", self.display_name.clone()),
            ("Policy", self.policy.clone().unwrap_or_else(|| default_policy(arn, owner))),
            ("SubscriptionsConfirmed", confirmed.to_string()),
            ("SubscriptionsPending", "0".to_owned()),
            ("SubscriptionsDeleted", self.removed.to_string()),
            ("EffectiveDeliveryPolicy", effective_delivery_policy()),
        ];
        let version = self.signature_version.map(|version| ("SignatureVersion", version.as_str().to_owned()));
        attributes.extend(version);
        attributes
    }
}

/// A name that a topic can have.
pub(super) fn check_name(name: &str) -> Result<(), SnsError> {
    let is_plain = name.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '-' | '_'));
    let fits = (1..=NAME_CHARACTERS_MAX).contains(&name.chars().count());
    if is_plain && fits { Ok(()) } else { Err(SnsError::InvalidParameter("Topic Name".to_owned())) }
}

/// An ARN by its form; whether there is such a thing is another question.
pub(super) fn check_arn<'a>(parameter: &str, arn: &'a str) -> Result<&'a str, SnsError> {
    let parts = arn.split(':').count();
    if parts >= ARN_PARTS_MIN {
        return Ok(arn);
    }
    let why = format!("An ARN must have at least {ARN_PARTS_MIN} elements, not {parts}");
    Err(SnsError::reason(parameter, &why))
}

/// What SNS gives every new topic: everything to its owner.
fn default_policy(arn: &str, owner: &str) -> String {
    let actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ];
    serde_json::json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": actions.map(|action| format!("SNS:{action}")),
            "Resource": arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": owner } },
        }],
    })
    .to_string()
}

fn effective_delivery_policy() -> String {
    serde_json::json!({
        "http": {
            "defaultHealthyRetryPolicy": {
                "minDelayTarget": 20,
                "maxDelayTarget": 20,
                "numRetries": 3,
                "numMaxDelayRetries": 0,
                "numNoDelayRetries": 0,
                "numMinDelayRetries": 0,
                "backoffFunction": "linear",
            },
            "disableSubscriptionOverrides": false,
        },
    })
    .to_string()
}
