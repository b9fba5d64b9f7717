use std::time::Duration;

use aws_sdk_marketplacemetering::Client;
use aws_sdk_marketplacemetering::config::retry::RetryConfig;
use aws_sdk_marketplacemetering::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_marketplacemetering::error::SdkError;
use aws_sdk_marketplacemetering::operation::batch_meter_usage::{
    BatchMeterUsageError, BatchMeterUsageOutput,
};
use aws_sdk_marketplacemetering::primitives::DateTime;
use aws_sdk_marketplacemetering::types::UsageRecord;
use serde_json::Value;
use stallkeeper_simulator::{Act, Entry, Simulator, SimulatorConfig};

/// A simulator with its usual products, and AWS' own client of its metering.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) client: Client,
    http: reqwest::Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
        let client = client(simulator.url(), "us-east-1");
        Self { simulator, client, http: reqwest::Client::new() }
    }

    pub(crate) async fn act(&self, act: Act) -> Entry {
        self.simulator.market().act(&act).await.unwrap().subscription
    }

    /// Lets somebody buy, a minute ago.
    pub(crate) async fn subscribe(&self, buyer: &str, product: &str) -> Entry {
        let entry = self.act(Act::subscribe(buyer, product)).await;
        self.simulator.market().advance(Duration::from_mins(1)).await.unwrap();
        entry
    }

    /// Sends records of customers of `search`.
    pub(crate) async fn send(
        &self,
        records: Vec<UsageRecord>,
    ) -> Result<BatchMeterUsageOutput, BatchMeterUsageError> {
        send(&self.client, Some("simsearch"), records).await
    }

    /// Calls the control API; answers the status and what it says.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{}/control/{path}", self.simulator.url()));
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    /// Posts a body to the metering API without an SDK; answers the status and what it says.
    pub(crate) async fn post(&self, action: &str, body: String, authorization: Option<&str>) -> (u16, Value) {
        let mut request = self.http.post(self.simulator.url()).body(body);
        request = request.header("x-amz-target", format!("AWSMPMeteringService.{action}"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
        assert!(response.headers().contains_key("x-amzn-requestid"));
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }
}

pub(crate) fn client(url: &str, region: &'static str) -> Client {
    let config = aws_sdk_marketplacemetering::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

pub(crate) async fn send(
    client: &Client,
    product_code: Option<&str>,
    records: Vec<UsageRecord>,
) -> Result<BatchMeterUsageOutput, BatchMeterUsageError> {
    let call = client.batch_meter_usage().set_product_code(product_code.map(str::to_owned));
    call.set_usage_records(Some(records)).send().await.map_err(SdkError::into_service_error)
}

/// A record of a purchase at the first whole second in its period: the SDK reads no fraction exactly.
pub(crate) fn record(entry: &Entry, quantity: i32) -> UsageRecord {
    let record = UsageRecord::builder()
        .timestamp(DateTime::from_secs(first_second(entry)))
        .dimension("hits")
        .quantity(quantity)
        .set_customer_identifier(Some(entry.customer_id.clone().unwrap_or_default()));
    let account = entry.license_arn.is_some().then(|| entry.account.clone());
    let record = record.set_license_arn(entry.license_arn.clone()).set_customer_aws_account_id(account);
    record.build().unwrap()
}

/// The first whole second in a purchase's period.
pub(crate) fn first_second(entry: &Entry) -> i64 {
    entry.periods[0].from.unix_timestamp() + 1
}
