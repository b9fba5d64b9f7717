//! What bad input gets: quarantined with its reason, acknowledged, listed, and taken in after a fix.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken set-up fails the test")]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use stallkeeper_tests::{Database, Envelope, Installation, Stall, eventually};

const PATIENCE: Duration = Duration::from_mins(1);
const SETTINGS: &str = "[signature]\npolicy = \"off\"\n[queue]\nwait_secs = 1\n";
const ACCOUNT: &str = "123456789012";
/// More than is ever read, and less than a queue takes.
const OVERSIZED: usize = 300 * 1024;

#[tokio::test]
async fn every_kind_of_bad_input_is_quarantined_with_its_reason_on_postgres() {
    each_kind(Database::postgres().await).await;
}

#[tokio::test]
async fn every_kind_of_bad_input_is_quarantined_with_its_reason_on_sqlite() {
    each_kind(Database::sqlite()).await;
}

async fn each_kind(database: Database) {
    let stall = Stall::open(2).await;
    let eventbridge = format!(
        "[marketplace.eventbridge]\nrule_arn = \"arn:aws:events:us-east-1:{ACCOUNT}:rule/stallkeeper\"\n"
    );
    let config = stall.config(SETTINGS).replacen("[[product]]", &format!("{eventbridge}[[product]]"), 1);
    let installation = Installation::new(&config, &database.url());
    let _worker = installation.start_ready().await;
    let cases = cases(&stall);
    let texts: Vec<String> = cases.iter().map(|(_, _, text)| text.clone()).collect();
    for text in &texts {
        stall.moto.send(&stall.queue.url, text).await;
    }
    // In the midst of all that, a buyer.
    stall.send(&[stall.products[0].envelope("subscribe-success", "anna").text()]).await;

    eventually("each is in quarantine", PATIENCE, async || database.count("quarantine").await >= cases.len())
        .await;
    stall.wait_until_taken_in(&database, 1, PATIENCE).await;
    let listed = installation.run(&["quarantine", "list", "--json"]).json();
    let listed = listed["messages"].as_array().unwrap();
    let reasons = |reasons: &mut dyn Iterator<Item = String>| reasons.collect::<BTreeSet<String>>();
    assert_eq!(
        reasons(&mut listed.iter().map(|message| message["reason"].as_str().unwrap().to_owned())),
        reasons(&mut cases.iter().map(|(reason, ..)| (*reason).to_owned())),
    );
    assert_eq!(listed.len(), cases.len());
    for (reason, words, text) in &cases {
        assert_kept(&installation, listed, reason, words, text);
    }
    assert_eq!(database.count("subscriptions").await, 1, "bad input made a subscription");
}

/// One of the listed messages has this reason, in such words, and is kept as it came.
fn assert_kept(installation: &Installation, listed: &[Value], reason: &str, words: &str, text: &str) {
    let kept = listed.iter().filter(|message| message["reason"] == reason).any(|message| {
        let hash = message["hash"].as_str().unwrap();
        let shown = installation.run(&["quarantine", "show", hash, "--json"]).json();
        let told = shown["detail"].as_str().unwrap();
        told.contains(words)
            && shown["body"]["text"] == text
            && shown["seen"] == 1
            && shown["state"] == "held"
    });
    assert!(kept, "no {reason} with {words:?} and {text:.80?} in {listed:#?}");
}

/// The reason, a part of its words, and what was sent.
fn cases(stall: &Stall) -> Vec<(&'static str, &'static str, String)> {
    let [product, other] = [&stall.products[0], &stall.products[1]];
    let topic = &product.topics.subscription;
    let good = |buyer| product.envelope("subscribe-success", buyer);
    let with = |change: &dyn Fn(&mut Envelope)| {
        let mut envelope = good("bad");
        change(&mut envelope);
        envelope.text()
    };
    let unlisted = topic.replace(&product.code, "unlisted");
    let handshake = {
        let mut json = good("bad").json();
        json["Type"] = json!("SubscriptionConfirmation");
        json.to_string()
    };
    vec![
        ("not-json", "the body is not JSON", "hello".to_owned()),
        ("not-json", "the Message is not JSON", with(&|envelope| "{".clone_into(&mut envelope.message))),
        ("unknown-shape", "neither an SNS envelope", json!({ "hello": 1 }).to_string()),
        ("unknown-action", "\"subscribe-maybe\"", product.envelope("subscribe-maybe", "bad").text()),
        (
            "missing-field",
            "customer-identifier",
            with(&|envelope| {
                envelope.message =
                    json!({ "action": "subscribe-fail", "product-code": product.code }).to_string();
            }),
        ),
        ("unknown-product", "the product prod-unlisted is not", license_event("prod-unlisted")),
        (
            "wrong-topic",
            "is not in this queue's list",
            with(&|envelope| envelope.topic.clone_from(&unlisted)),
        ),
        (
            "product-not-of-topic",
            "its topic about",
            Envelope::new(topic, &other.body("subscribe-success", "bad")).text(),
        ),
        ("raw-undeclared", "turn raw delivery off", product.body("subscribe-success", "bad").to_string()),
        ("handshake", "confirm or remove the subscription", handshake),
        ("future-time", "lies in the future", good("bad").at("2030-01-01T00:00:00Z").text()),
        ("nul", "NUL", product.envelope("subscribe-success", "a\0b").text()),
        // A bare NUL, as the real SQS would not let through.
        ("nul", "NUL", format!("{}\0", good("bad").text())),
        ("too-large", "at most 262144", with(&|envelope| envelope.message = "x".repeat(OVERSIZED))),
    ]
}

/// An EventBridge event of a license.
fn license_event(product: &str) -> String {
    json!({
        "version": "0",
        "id": stallkeeper_tests::unique("event-"),
        "detail-type": "License Updated - Manufacturer",
        "source": "aws.agreement-marketplace",
        "account": ACCOUNT,
        "time": Envelope::new("", &json!({})).timestamp,
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "requestId": "request-1",
            "catalog": "AWSMarketplace",
            "agreement": { "id": "agmt-1" },
            "license": { "arn": "arn:aws:license-manager::123456789012:license:l-0123456789abcdef" },
            "product": { "id": product, "code": product },
            "offer": { "id": "offer-1" },
            "acceptor": { "accountId": ACCOUNT },
            "manufacturer": { "accountId": ACCOUNT },
        },
    })
    .to_string()
}

#[tokio::test]
async fn after_the_configuration_is_put_right_a_replay_takes_the_message_in() {
    let (stall, database) = (Stall::open(2).await, Database::postgres().await);
    let before = stall.with_products(1).config(SETTINGS);
    let installation = Installation::new(&before, &database.url());
    let worker = installation.start_ready().await;
    let newer = &stall.products[1];
    stall.send(&[newer.envelope("subscribe-success", "anna").text()]).await;
    let hash = only_one_held(&installation, "wrong-topic").await;
    stall.moto.wait_until_empty(&stall.queue.url, PATIENCE).await;

    let too_early = installation.run(&["quarantine", "replay", &hash]);
    assert_eq!(too_early.status, Some(1), "{too_early:?}");
    assert!(too_early.stdout.contains("stays held: the topic"), "{too_early:?}");
    only_one_held(&installation, "wrong-topic").await;

    installation.reconfigure(&stall.config(SETTINGS));
    installation.run(&["quarantine", "replay", &hash, "--by", "kim"]).expect_success();
    let story = installation.run(&["subscriptions", "show", &newer.key("anna"), "--json"]).json();
    assert_eq!((&story["word"], &story["history"][0]["outcome"]), (&json!("unclaimed"), &json!("applied")));
    let shown = installation.run(&["quarantine", "show", &hash, "--json"]).json();
    assert_eq!((&shown["state"], &shown["settled_by"]), (&json!("replayed"), &json!("operator:kim")));
    let again = installation.run(&["quarantine", "replay", &hash]);
    assert_eq!(again.status, Some(1), "{again:?}");
    assert!(again.stderr.contains("is not held: it was replayed"), "{again:?}");
    assert_eq!(database.count("inbox").await, 1);
    assert_eq!(database.count("history").await, 1);
    assert!(worker.stop().await.success());
}

#[tokio::test]
async fn a_message_that_was_replayed_and_comes_again_is_a_duplicate() {
    let (stall, database) = (Stall::open(2).await, Database::postgres().await);
    let installation = Installation::new(&stall.with_products(1).config(SETTINGS), &database.url());
    let worker = installation.start_ready().await;
    let text = stall.products[1].envelope("subscribe-success", "anna").text();
    stall.send(std::slice::from_ref(&text)).await;
    let hash = only_one_held(&installation, "wrong-topic").await;
    assert!(worker.stop().await.success());

    installation.reconfigure(&stall.config(SETTINGS));
    installation.run(&["quarantine", "replay", &hash]).expect_success();
    let worker = installation.start_ready().await;
    stall.send(&[text, stall.products[0].envelope("subscribe-success", "ben").text()]).await;
    stall.wait_until_taken_in(&database, 2, PATIENCE).await;
    assert_eq!(database.count("history").await, 2);
    assert_eq!(database.count("quarantine WHERE state = 'replayed'").await, 1);
    assert!(worker.stop().await.success());
}

#[tokio::test]
async fn what_is_discarded_is_kept_and_no_longer_held() {
    let (stall, database) = (Stall::open(1).await, Database::postgres().await);
    let installation = Installation::new(&stall.config(SETTINGS), &database.url());
    let _worker = installation.start_ready().await;
    stall.send(&["hello".to_owned()]).await;
    let hash = only_one_held(&installation, "not-json").await;
    installation.run(&["quarantine", "discard", &hash, "--by", "kim"]).expect_success();
    let held = installation.run(&["quarantine", "list", "--json"]).json();
    assert_eq!(held["messages"], json!([]));
    let discarded = installation.run(&["quarantine", "list", "--state", "discarded", "--json"]).json();
    assert_eq!(discarded["messages"][0]["settled_by"], "operator:kim");
    assert_eq!(database.count("quarantine").await, 1);
}

/// Waits for the one held message, which has this reason; gives its hash.
async fn only_one_held(installation: &Installation, reason: &str) -> String {
    let mut held = Value::Null;
    eventually("a message is held", PATIENCE, async || {
        held = installation.run(&["quarantine", "list", "--json"]).json();
        !held["messages"].as_array().unwrap().is_empty()
    })
    .await;
    let messages = held["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["reason"], reason);
    messages[0]["hash"].as_str().unwrap().to_owned()
}
