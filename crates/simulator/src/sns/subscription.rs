use std::collections::BTreeMap;

use super::error::SnsError;

/// The account whose queues there are.
const ACCOUNT: &str = "123456789012";
/// The only protocol that the marketplace's listings need.
pub(super) const PROTOCOL: &str = "sqs";

/// A queue that gets what a topic publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) topic_arn: String,
    pub(super) queue_arn: String,
    pub(super) form: BodyForm,
}

/// What a queue gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BodyForm {
    /// The message in its signed envelope.
    #[default]
    Envelope,
    /// The message alone.
    Raw,
}

impl BodyForm {
    /// By the attributes of a subscription.
    pub(super) fn from_attributes(attributes: &BTreeMap<String, String>) -> Result<Self, SnsError> {
        let mut form = Self::default();
        for (name, value) in attributes {
            form = Self::from_attribute(name, value)?;
        }
        Ok(form)
    }

    /// By one attribute; the others that SNS has are refused.
    pub(super) fn from_attribute(name: &str, value: &str) -> Result<Self, SnsError> {
        match (name, value.to_ascii_lowercase().as_str()) {
            ("RawMessageDelivery", "true") => Ok(Self::Raw),
            ("RawMessageDelivery", "false") => Ok(Self::Envelope),
            ("RawMessageDelivery", _) => {
                let why = format!("RawMessageDelivery: Invalid value [{value}]. Must be true or false.");
                Err(SnsError::reason("Attributes", &why))
            }
            ("FilterPolicy" | "FilterPolicyScope", _) => Err(SnsError::FilterPolicyLimitExceeded),
            _ => Err(SnsError::InvalidParameter("AttributeName".to_owned())),
        }
    }
}

impl Subscription {
    /// Whom it belongs to.
    pub(super) fn owner(&self) -> &str {
        self.queue_arn.split(':').nth(4).unwrap_or_default()
    }

    /// Its attributes as SNS lists them; a queue of the subscriber's own account needs no confirmation.
    pub(super) fn attributes(&self, arn: &str) -> Vec<(&'static str, String)> {
        let raw = self.form == BodyForm::Raw;
        vec![
            ("SubscriptionArn", arn.to_owned()),
            ("TopicArn", self.topic_arn.clone()),
            ("Owner", self.owner().to_owned()),
            ("Protocol", PROTOCOL.to_owned()),
            ("Endpoint", self.queue_arn.clone()),
            ("RawMessageDelivery", raw.to_string()),
            ("PendingConfirmation", false.to_string()),
            ("ConfirmationWasAuthenticated", true.to_string()),
        ]
    }
}

/// A protocol that is simulated.
pub(super) fn check_protocol(protocol: &str) -> Result<(), SnsError> {
    if protocol == PROTOCOL {
        return Ok(());
    }
    let why = format!("Amazon SNS does not support this protocol string: {protocol}");
    Err(SnsError::InvalidParameter(why))
}

/// The ARN of a queue that can be subscribed at once; that it exists is not asked, as by SNS.
pub(super) fn check_queue(arn: &str) -> Result<(), SnsError> {
    match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "sqs", _, ACCOUNT, name] if !name.is_empty() => Ok(()),
        ["arn", _, "sqs", _, _, _] => {
            let why = format!("this simulator has queues of account {ACCOUNT} only");
            Err(SnsError::reason("Endpoint", &why))
        }
        _ => Err(SnsError::InvalidParameter("SQS endpoint ARN".to_owned())),
    }
}
