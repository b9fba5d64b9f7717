use std::time::Duration;

use serde_json::{Value, json};
use stallkeeper_simulator::{Act, ActError, Done, Entry, Feed, Pricing, Product, Simulator, SimulatorConfig};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A simulator with one product of each kind: `search` (topics), `plan` (topics, contract), `vault` (events),
/// `store` (events, contract).
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    http: reqwest::Client,
}

/// A notification as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) id: String,
    pub(crate) at: OffsetDateTime,
    /// The ARN of the topic, or of the event's source.
    pub(crate) from: String,
    pub(crate) body: Value,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_seed(1).await
    }

    pub(crate) async fn with_seed(seed: u64) -> Self {
        let products = vec![
            Product::new("search", "simsearch", Feed::Sns, Pricing::Subscription),
            Product::new("plan", "simplan", Feed::Sns, Pricing::Contract),
            Product::new("vault", "simvault", Feed::EventBridge, Pricing::Subscription),
            Product::new("store", "simstore", Feed::EventBridge, Pricing::Contract),
        ];
        let config = SimulatorConfig { seed, products, ..SimulatorConfig::default() };
        Self { simulator: Simulator::start(config).await.unwrap(), http: reqwest::Client::new() }
    }

    pub(crate) async fn act(&self, act: Act) -> Done {
        self.simulator.market().act(&act).await.unwrap()
    }

    pub(crate) async fn refusal(&self, act: Act) -> ActError {
        self.simulator.market().act(&act).await.unwrap_err()
    }

    pub(crate) async fn advance(&self, by: Duration) {
        self.simulator.market().advance(by).await.unwrap();
    }

    /// The only entry of a buyer.
    pub(crate) fn entry(&self, buyer: &str) -> Entry {
        let mut entries = self.simulator.market().books_of(buyer);
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0)
    }

    /// Takes everything out of the queue, in the order of what it says of its time.
    pub(crate) async fn arrivals(&self) -> Vec<Arrival> {
        let url = self.simulator.queue("stallkeeper").unwrap().url().to_owned();
        let mut arrivals = Vec::new();
        loop {
            let call = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 3600});
            let request = self.http.post(self.simulator.url()).body(call.to_string());
            let request = request.header("x-amz-target", "AmazonSQS.ReceiveMessage");
            let answer: Value =
                serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
            let Some(messages) = answer["Messages"].as_array() else { break };
            if messages.is_empty() {
                break;
            }
            arrivals.extend(messages.iter().map(|message| Arrival::read(message["Body"].as_str().unwrap())));
        }
        arrivals.sort_by_key(|arrival| arrival.at);
        arrivals
    }

    /// The bodies of everything in the queue.
    pub(crate) async fn bodies(&self) -> Vec<Value> {
        self.arrivals().await.into_iter().map(|arrival| arrival.body).collect()
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
}

impl Arrival {
    fn read(body: &str) -> Self {
        let body: Value = serde_json::from_str(body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        if body["Type"] == "Notification" {
            return Self {
                id: text("MessageId"),
                at: moment(&body["Timestamp"]),
                from: text("TopicArn"),
                body: serde_json::from_str(body["Message"].as_str().unwrap()).unwrap(),
            };
        }
        Self { id: text("id"), at: moment(&body["time"]), from: text("source"), body }
    }
}

pub(crate) fn moment(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}

pub(crate) fn millis(moment: OffsetDateTime) -> OffsetDateTime {
    moment.replace_millisecond(moment.millisecond()).unwrap()
}
