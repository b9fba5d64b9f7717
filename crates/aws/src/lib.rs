#![doc = include_str!("../README.md")]

mod arn;
mod clock;
mod entitlement;
mod error;
mod inspect;
mod metering;
mod metering_error;
mod policy;
mod policy_check;
mod profile;
mod publish;
mod registration;
mod setup;
mod subscription;

pub use arn::{ArnError, QueueArn, QueueUrl, RuleArn, TopicArn};
pub use clock::{ClockFinding, MAX_CLOCK_SKEW};
pub use entitlement::EntitlementClient;
pub use error::AwsError;
pub use inspect::{
    CredentialsFacts, Inspection, QueueFacts, QueueWarning, RawDelivery, SubscriptionFinding,
    TopicInspection, credentials, inspect,
};
pub use metering::MeteringClient;
pub use policy::{Merged, PolicyChange, PolicyError, Senders, merge};
pub use policy_check::{PolicyGap, check};
pub use profile::{Account, CredentialsSource, Endpoints, Partition, sdk_config, sns_client, sqs_client};
pub use publish::{Publication, TopicPublisher};
pub use registration::RegistrationClient;
pub use setup::{PolicyAct, SetupError, SetupReport, SubscriptionAct, TopicReport, Wanted, setup};
