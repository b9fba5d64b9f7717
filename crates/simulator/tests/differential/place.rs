use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use stallkeeper_simulator::{Simulator, SimulatorConfig};

/// One of the two that are asked.
pub(crate) struct Place {
    /// Without a closing slash.
    pub(crate) base_url: String,
    /// What the names of this run begin with, so that runs do not meet.
    pub(crate) run: String,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) sns: aws_sdk_sns::Client,
    _simulator: Option<Simulator>,
}

impl Place {
    pub(crate) async fn simulator() -> Self {
        let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
        Self::at(simulator.url().to_owned(), Some(simulator))
    }

    pub(crate) fn moto() -> Self {
        let base_url = std::env::var("STALLKEEPER_TEST_MOTO_URL").expect(
            "no moto to compare with: run `cargo xtask services -- cargo test -p stallkeeper-simulator --test \
             differential`",
        );
        Self::at(base_url.trim_end_matches('/').to_owned(), None)
    }

    fn at(base_url: String, simulator: Option<Simulator>) -> Self {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials.clone())
            .endpoint_url(&base_url)
            .retry_config(RetryConfig::disabled());
        let sns = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .endpoint_url(&base_url)
            .retry_config(RetryConfig::disabled());
        Self {
            base_url,
            run: run(),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            sns: aws_sdk_sns::Client::from_conf(sns.build()),
            _simulator: simulator,
        }
    }
}

/// By process and moment, as a moto may outlive many runs.
#[expect(clippy::disallowed_methods, reason = "a name that differs from run to run")]
fn run() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("differential-{:x}-{:x}", std::process::id(), now.as_micros())
}
