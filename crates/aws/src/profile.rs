//! SDK configuration: Region, credentials, time-outs, retries, clients.

use std::fmt;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(35);
/// Above the 20 s for which a receive may wait, so that a long poll is never cut by its own client.
const SQS_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
const SQS_OPERATION_TIMEOUT: Duration = Duration::from_secs(95);
/// One call is one attempt: whoever meters stores each attempt before it is made, and makes the next itself.
const METERING_TIMEOUT: Duration = Duration::from_secs(20);
/// A buyer waits for it in his browser.
const REGISTRATION_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);
const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(10);
/// The only Region of the global partition that has the Marketplace Entitlement Service.
const ENTITLEMENT_REGION: &str = "us-east-1";
const ATTEMPTS_MAX: u32 = 3;
/// Shown in the seller's `CloudTrail` beside each call made under an assumed role.
const SESSION_NAME: &str = "stallkeeper";

/// A group of Regions with accounts, credentials and DNS names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Partition {
    /// The global Regions, where AWS Marketplace is.
    Aws,
    /// The Chinese Regions, where AWS Marketplace China is.
    AwsChina,
}

impl Partition {
    /// The second part of every ARN in this partition.
    pub fn arn_text(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsChina => "aws-cn",
        }
    }

    /// What the host names of this partition's services end with.
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws => "amazonaws.com",
            Self::AwsChina => "amazonaws.com.cn",
        }
    }

    /// The partition with this text in its ARNs, if it is one that Stallkeeper serves.
    pub fn from_arn_text(text: &str) -> Option<Self> {
        [Self::Aws, Self::AwsChina].into_iter().find(|partition| partition.arn_text() == text)
    }

    /// The partition a Region lies in; the Chinese ones begin with `cn-`.
    pub fn of_region(region: &str) -> Self {
        if region.starts_with("cn-") { Self::AwsChina } else { Self::Aws }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.arn_text())
    }
}

/// Where the credentials of one marketplace come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialsSource {
    /// The SDK's own order: environment, profile, web identity, container, instance.
    StandardChain,
    /// This profile of the shared configuration files, and nothing else.
    Profile(String),
    /// A role, assumed with the standard chain's credentials.
    Role {
        /// The role's ARN.
        arn: String,
        /// The identifier that the role's trust policy may ask for.
        external_id: Option<String>,
    },
    /// Keys that AWS refuses: for a simulator, which takes any.
    Simulated,
}

/// Endpoints other than AWS's own, for stand-ins and private networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Base URL that SQS calls go to.
    pub sqs: Option<String>,
    /// Base URL that SNS calls go to.
    pub sns: Option<String>,
    /// Base URL that metering calls go to.
    pub metering: Option<String>,
    /// Base URL that questions about entitlements go to.
    pub entitlement: Option<String>,
}

/// How one marketplace's AWS account is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The Region of the queue; calls to SNS go to each topic's own Region.
    pub region: String,
    /// Where the credentials come from.
    pub credentials: CredentialsSource,
    /// Endpoints other than AWS's own.
    pub endpoints: Endpoints,
}

/// Loads the SDK configuration for an account: pinned behaviour, explicit time-outs, three attempts.
///
/// It reads the environment and the shared files but calls no service; credentials are fetched with the first call.
pub async fn sdk_config(account: &Account) -> SdkConfig {
    let loader = loader(&account.region);
    match &account.credentials {
        CredentialsSource::StandardChain => loader.load().await,
        // As the provider itself and not as the chain's profile: in the chain, keys in the environment would win.
        CredentialsSource::Profile(name) => {
            let provider = ProfileFileCredentialsProvider::builder().profile_name(name).build();
            loader.profile_name(name).credentials_provider(provider).load().await
        }
        CredentialsSource::Role { arn, external_id } => {
            assume_role(loader.load().await, &account.region, arn, external_id.as_deref()).await
        }
        CredentialsSource::Simulated => {
            let keys = Credentials::new("simulated", "simulated", None, None, "simulated");
            loader.credentials_provider(keys).load().await
        }
    }
}

fn loader(region: &str) -> ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX));
    match AppName::new("stallkeeper") {
        Ok(name) => loader.app_name(name),
        Err(_) => loader,
    }
}

async fn assume_role(base: SdkConfig, region: &str, arn: &str, external_id: Option<&str>) -> SdkConfig {
    let mut role = AssumeRoleProvider::builder(arn)
        .configure(&base)
        .region(Region::new(region.to_owned()))
        .session_name(SESSION_NAME);
    if let Some(external_id) = external_id {
        role = role.external_id(external_id);
    }
    let provider = SharedCredentialsProvider::new(role.build().await);
    base.into_builder().credentials_provider(provider).build()
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// An SQS client whose time-outs leave room for a 20 s long poll.
pub fn sqs_client(config: &SdkConfig, account: &Account) -> aws_sdk_sqs::Client {
    let mut builder = aws_sdk_sqs::config::Builder::from(config)
        .timeout_config(timeouts(SQS_ATTEMPT_TIMEOUT, SQS_OPERATION_TIMEOUT));
    if let Some(url) = &account.endpoints.sqs {
        builder = builder.endpoint_url(url);
    }
    aws_sdk_sqs::Client::from_conf(builder.build())
}

/// An SNS client; [`setup`](crate::setup) and [`inspect`](crate::inspect) point each call at its topic's Region.
pub fn sns_client(config: &SdkConfig, account: &Account) -> aws_sdk_sns::Client {
    let mut builder = aws_sdk_sns::config::Builder::from(config);
    if let Some(url) = &account.endpoints.sns {
        builder = builder.endpoint_url(url);
    }
    aws_sdk_sns::Client::from_conf(builder.build())
}

/// A client of the Marketplace Metering Service in `region`, which makes one attempt per call.
///
/// The region is pinned by the caller, as the service knows of no record that was sent to another.
pub(crate) fn metering_client(
    config: &SdkConfig,
    account: &Account,
    region: &str,
) -> aws_sdk_marketplacemetering::Client {
    let mut builder = aws_sdk_marketplacemetering::config::Builder::from(config)
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts(METERING_TIMEOUT, METERING_TIMEOUT))
        .retry_config(RetryConfig::disabled());
    if let Some(url) = &account.endpoints.metering {
        builder = builder.endpoint_url(url);
    }
    aws_sdk_marketplacemetering::Client::from_conf(builder.build())
}

/// A client of the Marketplace Metering Service for `ResolveCustomer`, in the account's Region.
pub(crate) fn registration_client(
    config: &SdkConfig,
    account: &Account,
) -> aws_sdk_marketplacemetering::Client {
    let mut builder = aws_sdk_marketplacemetering::config::Builder::from(config)
        .timeout_config(timeouts(REGISTRATION_ATTEMPT_TIMEOUT, REGISTRATION_TIMEOUT));
    if let Some(url) = &account.endpoints.metering {
        builder = builder.endpoint_url(url);
    }
    aws_sdk_marketplacemetering::Client::from_conf(builder.build())
}

/// A client of the Marketplace Entitlement Service, which is in one Region of a partition, and makes one attempt
/// per call: whoever paces calls must know of each.
pub(crate) fn entitlement_client(
    config: &SdkConfig,
    account: &Account,
) -> aws_sdk_marketplaceentitlement::Client {
    let mut builder = aws_sdk_marketplaceentitlement::config::Builder::from(config)
        .region(Region::from_static(ENTITLEMENT_REGION))
        .timeout_config(timeouts(ATTEMPT_TIMEOUT, ATTEMPT_TIMEOUT))
        .retry_config(RetryConfig::disabled());
    if let Some(url) = &account.endpoints.entitlement {
        builder = builder.endpoint_url(url);
    }
    aws_sdk_marketplaceentitlement::Client::from_conf(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(credentials: CredentialsSource) -> Account {
        Account { region: "us-east-1".to_owned(), credentials, endpoints: Endpoints::default() }
    }

    #[tokio::test]
    async fn no_call_is_without_a_time_out_and_a_long_poll_fits_into_one_attempt() {
        let account = account(CredentialsSource::StandardChain);
        let config = sdk_config(&account).await;
        let general = config.timeout_config().unwrap();
        assert_eq!(general.connect_timeout(), Some(CONNECT_TIMEOUT));
        assert_eq!(general.operation_timeout(), Some(OPERATION_TIMEOUT));
        let client = sqs_client(&config, &account);
        let attempt = client.config().timeout_config().unwrap().operation_attempt_timeout().unwrap();
        assert!(attempt > Duration::from_secs(20), "{attempt:?}");
    }

    #[tokio::test]
    async fn a_metering_call_is_one_attempt_of_twenty_seconds_in_its_own_region() {
        let account = account(CredentialsSource::Simulated);
        let config = sdk_config(&account).await;
        let client = metering_client(&config, &account, "cn-northwest-1");
        let timeouts = client.config().timeout_config().unwrap();
        assert_eq!(timeouts.connect_timeout(), Some(Duration::from_secs(3)));
        assert_eq!(timeouts.operation_timeout(), Some(Duration::from_secs(20)));
        assert_eq!(client.config().retry_config().unwrap().max_attempts(), 1);
        assert_eq!(client.config().region().unwrap().as_ref(), "cn-northwest-1");
    }

    #[tokio::test]
    async fn every_source_of_credentials_gives_a_provider_in_the_accounts_region() {
        let role = CredentialsSource::Role {
            arn: "arn:aws:iam::123456789012:role/stall".to_owned(),
            external_id: Some("x".to_owned()),
        };
        let profile = CredentialsSource::Profile("stall".to_owned());
        for source in [CredentialsSource::StandardChain, profile, role, CredentialsSource::Simulated] {
            let config = sdk_config(&account(source)).await;
            assert!(config.credentials_provider().is_some());
            assert_eq!(config.region().unwrap().as_ref(), "us-east-1");
        }
    }
}
