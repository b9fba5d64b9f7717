//! What `stallkeeper setup` makes of queues and topics.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::time::Duration;

use serde_json::{Value, json};
use stallkeeper_tests::{Installation, Moto, Queue, Topics, action_body, eventually};

const PATIENCE: Duration = Duration::from_secs(20);
const DATABASE: &str = "sqlite://not-needed.db";

#[tokio::test]
async fn the_first_set_up_connects_topics_and_queue_and_the_second_changes_nothing() {
    let (moto, stall) = open("aws").await;
    let installation = Installation::new(&stall.config, DATABASE);

    let first = installation.run(&["setup", "--json"]).json();
    assert_eq!(acts(&first, 0), ["written", "created", "created"]);
    let second = installation.run(&["setup", "--json"]).json();
    assert_eq!(acts(&second, 0), ["already_right"; 3]);
    assert_eq!((&second["ok"], &second["marketplaces"][0]["marketplace"]), (&json!(true), &json!("aws")));

    let body = action_body("subscribe-success", "customer-1", &stall.code);
    moto.publish(&stall.topics.subscription, &body).await;
    eventually("the notification is in the queue", PATIENCE, async || {
        moto.depth(&stall.queue.url).await.visible == 1
    })
    .await;
}

#[tokio::test]
async fn people_are_told_each_act_and_what_comes_next() {
    let (_, stall) = open("aws").await;
    let told = Installation::new(&stall.config, DATABASE).run(&["setup"]);
    let text = &told.expect_success().stdout;
    for words in [&stall.queue.arn, &stall.topics.subscription, &stall.topics.entitlement] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    for words in ["written", "created", "stallkeeper doctor"] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
}

#[tokio::test]
async fn a_topic_that_does_not_exist_fails_in_words() {
    let (moto, stall) = open("aws").await;
    moto.sns().delete_topic().topic_arn(&stall.topics.subscription).send().await.unwrap();
    let told = Installation::new(&stall.config, DATABASE).run(&["setup"]);
    assert_eq!(told.status, Some(1), "{told:?}");
    assert!(told.stdout.contains(&format!("cannot subscribe to {}", stall.topics.subscription)), "{told:?}");
    assert!(told.stdout.contains("→ create "), "{told:?}");
    assert!(told.stderr.contains("could not set up: aws"), "{told:?}");
}

#[tokio::test]
async fn a_marketplace_that_fails_does_not_keep_the_others_from_being_set_up() {
    let (moto, broken) = open("broken").await;
    let (_, right) = open("right").await;
    moto.sqs().delete_queue().queue_url(&broken.queue.url).send().await.unwrap();
    let installation = Installation::new(&format!("{}{}", broken.config, right.config), DATABASE);

    let told = installation.run(&["setup", "--json"]);
    assert_eq!(told.status, Some(1), "{told:?}");
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(report["ok"], false);
    assert!(report["marketplaces"][0]["error"].as_str().unwrap().contains(&broken.queue.url));
    assert!(report["marketplaces"][0]["remedy"].as_str().unwrap().starts_with("create "));
    assert_eq!(acts(&report, 1), ["written", "created", "created"]);

    let named = installation.run(&["setup", "--json", "--marketplace", "right"]).json();
    assert_eq!(named["marketplaces"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_marketplace_that_is_not_configured_is_answered_with_those_that_are() {
    let (_, stall) = open("aws").await;
    let told = Installation::new(&stall.config, DATABASE).run(&["setup", "--marketplace", "asw"]);
    assert_eq!(told.status, Some(1));
    assert!(told.stderr.contains("no marketplace is called asw; configured: aws"), "{told:?}");
}

/// One marketplace with a product's two topics and a queue that nothing connects yet.
struct Stall {
    code: String,
    topics: Topics,
    queue: Queue,
    config: String,
}

async fn open(name: &str) -> (Moto, Stall) {
    let moto = Moto::connect().await;
    let code = moto.unique_code();
    let topics = moto.create_topics(&code).await;
    let queue = moto.create_queue(Duration::from_secs(30)).await;
    let (endpoint, queue_url) = (moto.url(), &queue.url);
    let Topics { subscription, entitlement } = &topics;
    let config = format!(
        r#"
        [[marketplace]]
        name = "{name}"
        kind = "aws"
        queue_url = "{queue_url}"
        topic_arns = ["{subscription}", "{entitlement}"]
        [marketplace.endpoint_url]
        sqs = "{endpoint}"
        sns = "{endpoint}"
        [[product]]
        key = "product-of-{name}"
        [[product.listing]]
        marketplace = "{name}"
        code = "{code}"
        pricing = "contract-with-consumption"
        "#
    );
    (moto, Stall { code, topics, queue, config })
}

/// What was done about the policy and about each topic.
fn acts(report: &Value, index: usize) -> Vec<&str> {
    let entry = &report["marketplaces"][index];
    let topics = entry["topics"].as_array().unwrap().iter().map(|topic| &topic["subscription"]["act"]);
    std::iter::once(&entry["policy"]).chain(topics).map(|act| act.as_str().unwrap()).collect()
}
