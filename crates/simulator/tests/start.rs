//! How a simulator starts, and what its answers say of it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use stallkeeper_simulator::{Simulator, SimulatorConfig};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

async fn call(simulator: &Simulator, target: &str, body: Value) -> (u16, OffsetDateTime, Value) {
    let request = reqwest::Client::new().post(simulator.url()).header("x-amz-target", target);
    let answer = request.body(body.to_string()).send().await.unwrap();
    let date = OffsetDateTime::parse(answer.headers()["date"].to_str().unwrap(), &Rfc2822).unwrap();
    (answer.status().as_u16(), date, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn attributes(simulator: &Simulator, queue: &str) -> Value {
    let url = simulator.queue(queue).unwrap().url().to_owned();
    let asked = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    call(simulator, "AmazonSQS.GetQueueAttributes", asked).await.2["Attributes"].clone()
}

#[tokio::test]
async fn answers_are_dated_by_the_marketplace_s_clock() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    simulator.market().advance(Duration::from_hours(48)).await.unwrap();
    let (_, date, _) = call(&simulator, "AmazonSQS.ListQueues", json!({})).await;
    let apart = simulator.clock().now() - date;
    assert!(apart.abs() < time::Duration::MINUTE, "{apart}");
}

#[tokio::test]
async fn the_queue_lets_in_exactly_the_topics_and_the_rule_and_keeps_messages_for_14_days() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    let attributes = attributes(&simulator, "stallkeeper").await;
    assert_eq!(attributes["MessageRetentionPeriod"], "1209600");
    let policy: Value = serde_json::from_str(attributes["Policy"].as_str().unwrap()).unwrap();
    let allow = |sid: &str, service: &str, source: &str| {
        json!({
            "Sid": sid, "Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage",
            "Resource": "arn:aws:sqs:us-east-1:123456789012:stallkeeper",
            "Condition": {"ArnEquals": {"aws:SourceArn": [source]}},
        })
    };
    let topic = "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-simsearch";
    assert_eq!(
        policy["Statement"],
        json!([
            allow("StallkeeperRule", "events.amazonaws.com", simulator.rule_arn()),
            allow("StallkeeperTopics", "sns.amazonaws.com", topic),
        ])
    );
}

#[tokio::test]
async fn a_queue_that_is_not_wired_has_no_policy_yet() {
    let config = SimulatorConfig { wired: false, ..SimulatorConfig::default() };
    let simulator = Simulator::start(config).await.unwrap();
    assert_eq!(attributes(&simulator, "stallkeeper").await.get("Policy"), None);
}

#[tokio::test]
async fn who_listens_everywhere_is_reached_by_loopback_unless_another_url_is_given() {
    let listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let everywhere = SimulatorConfig { listen, ..SimulatorConfig::default() };
    let simulator = Simulator::start(everywhere.clone()).await.unwrap();
    assert!(simulator.url().starts_with("http://127.0.0.1:"), "{}", simulator.url());
    let url = Some("http://simulator:4560/".to_owned());
    let simulator = Simulator::start(SimulatorConfig { url, ..everywhere }).await.unwrap();
    let queue = simulator.queue("stallkeeper").unwrap();
    assert_eq!(queue.url(), "http://simulator:4560/123456789012/stallkeeper");
}

#[tokio::test]
async fn what_is_not_simulated_is_said_by_name() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    let target = "AWSMPEntitlementService.GetEntitlements";
    let (status, _, entitlements) = call(&simulator, target, json!({})).await;
    let words = entitlements["message"].as_str().unwrap();
    assert_eq!(status, 400);
    assert!(words.contains("no service AWSMPEntitlementService yet. It has SQS"), "{words}");
    for (name, attributes) in [("stall.fifo", json!({})), ("stall", json!({"FifoQueue": "true"}))] {
        let create = json!({"QueueName": name, "Attributes": attributes});
        let (status, _, refusal) = call(&simulator, "AmazonSQS.CreateQueue", create).await;
        let words = refusal["message"].as_str().unwrap();
        assert_eq!(status, 400);
        assert!(words.contains("no FIFO queues"), "{words}");
    }
}
