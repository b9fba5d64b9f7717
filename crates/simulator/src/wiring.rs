use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::server::RULE_ARN;
use crate::{EventBus, Feed, Product, Queues, SimulatorConfig, Topics};

/// Makes the queue and the topics, and wires them if that is asked for.
pub(crate) fn wire(config: &SimulatorConfig, queues: &Queues, topics: &Topics, bus: &EventBus) {
    let queue = queues.create_with_dead_letters(&config.queue, config.receives_max);
    queue.keep_longest();
    let arns: BTreeSet<String> = config.products.iter().flat_map(Product::topics).collect();
    for topic in &arns {
        topics.create(topic);
    }
    if !config.wired {
        return;
    }
    for topic in &arns {
        topics.subscribe(topic, queue.arn());
    }
    bus.add_target(queue.arn());
    let hears_events = config.products.iter().any(|product| product.feed == Feed::EventBridge);
    queue.set_policy(&policy(queue.arn(), &arns, hears_events));
}

/// A policy that lets the topics and the rule in, and nobody else.
fn policy(queue_arn: &str, topics: &BTreeSet<String>, hears_events: bool) -> String {
    let allow = |sid: &str, service: &str, sources: Value| {
        json!({
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": sources}},
        })
    };
    let rule = hears_events.then(|| allow("StallkeeperRule", "events.amazonaws.com", json!([RULE_ARN])));
    let topics = (!topics.is_empty()).then(|| allow("StallkeeperTopics", "sns.amazonaws.com", json!(topics)));
    let statements: Vec<Value> = rule.into_iter().chain(topics).collect();
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}
