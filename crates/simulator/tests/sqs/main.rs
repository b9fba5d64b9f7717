//! SQS as the simulator speaks it, through AWS' own SDK.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod faults;
mod messages;
mod queues;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use stallkeeper_simulator::{Faults, MarketClock, Queue, Queues, SqsState};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// The queues, served, and a client of them.
struct Sqs {
    client: Client,
    url: String,
    queues: Queues,
    faults: Arc<Faults>,
    clock: MarketClock,
    _tasks: TaskTracker,
}

impl Sqs {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let clock = MarketClock::new();
        let queues = Queues::with_clock(&base, &clock, 7);
        let faults = Arc::new(Faults::new(7));
        let router = SqsState::new(queues.clone(), faults.clone()).router();
        let tasks = TaskTracker::new();
        tasks.spawn(async move { axum::serve(listener, router).await });
        let client = client(&base, RetryConfig::disabled());
        let url = queues.create("stall", &BTreeMap::new()).unwrap().url().to_owned();
        Self { client, url, queues, faults, clock, _tasks: tasks }
    }

    fn queue(&self) -> Arc<Queue> {
        self.queues.by_name("stall").unwrap()
    }

    async fn send(&self, body: &str) -> String {
        let call = self.client.send_message().queue_url(&self.url).message_body(body);
        call.send().await.unwrap().message_id.unwrap()
    }

    async fn receive(&self, visibility_secs: i32) -> Vec<Message> {
        let call = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let call = call.visibility_timeout(visibility_secs).wait_time_seconds(5);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
        call.message_attribute_names("All").send().await.unwrap().messages.unwrap_or_default()
    }

    async fn receive_one(&self, visibility_secs: i32) -> Message {
        let mut messages = self.receive(visibility_secs).await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        messages.remove(0)
    }

    async fn attribute(&self, name: QueueAttributeName) -> Option<String> {
        let call = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        call.send().await.unwrap().attributes.unwrap_or_default().remove(&name)
    }
}

fn client(base: &str, retries: RetryConfig) -> Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .endpoint_url(base)
        .retry_config(retries);
    Client::from_conf(config.build())
}

fn receipt(message: &Message) -> &str {
    message.receipt_handle().unwrap()
}

fn system<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.attributes()?.get(&MessageSystemAttributeName::from(name)).map(String::as_str)
}
