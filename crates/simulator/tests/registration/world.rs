use std::time::Duration;

use aws_sdk_marketplacemetering::Client;
use aws_sdk_marketplacemetering::config::retry::RetryConfig;
use aws_sdk_marketplacemetering::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_marketplacemetering::error::SdkError;
use aws_sdk_marketplacemetering::operation::resolve_customer::{ResolveCustomerError, ResolveCustomerOutput};
use serde_json::Value;
use stallkeeper_simulator::{Act, Entry, Simulator, SimulatorConfig};

/// A simulator with its usual products, and AWS' own client of its registrations.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) client: Client,
    http: reqwest::Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
        let config = aws_sdk_marketplacemetering::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .endpoint_url(simulator.url())
            .retry_config(RetryConfig::disabled());
        let client = Client::from_conf(config.build());
        Self { simulator, client, http: reqwest::Client::new() }
    }

    pub(crate) async fn act(&self, act: Act) -> Entry {
        self.simulator.market().act(&act).await.unwrap().subscription
    }

    pub(crate) async fn advance(&self, by: Duration) {
        self.simulator.market().advance(by).await.unwrap();
    }

    pub(crate) fn token(&self, buyer: &str, product: &str) -> String {
        self.simulator.tokens().issue_token(buyer, product).unwrap()
    }

    pub(crate) async fn resolve(&self, token: &str) -> Result<ResolveCustomerOutput, ResolveCustomerError> {
        let call = self.client.resolve_customer().registration_token(token);
        call.send().await.map_err(SdkError::into_service_error)
    }

    /// Posts an unsigned body without an SDK; answers the status and what it says.
    pub(crate) async fn post(&self, body: &str) -> (u16, Value) {
        let request = self.http.post(self.simulator.url()).body(body.to_owned());
        self.read(request.header("x-amz-target", "AWSMPMeteringService.ResolveCustomer")).await
    }

    /// Calls the control API; answers the status and what it says.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}/control/{path}", self.simulator.url());
        let request = self.http.request(method.parse().unwrap(), url);
        self.read(request.body(body.map(|body| body.to_string()).unwrap_or_default())).await
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }
}
