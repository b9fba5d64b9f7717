//! What makes two messages the same one: the notification's id, and nothing else.

use serde_json::{Value, json};
use stallkeeper_notification::Delivery;
use stallkeeper_poller::Verdict;

use crate::messages::{buyer, delivery, envelope, message};
use crate::stand::Stand;

/// The ids of what the buyer's history says was applied, in its order.
async fn applied(stand: &Stand) -> Vec<String> {
    let lines = stand.history().await;
    assert!(lines.iter().all(|line| line.entry.key == buyer()));
    let applied = lines.into_iter().filter(|line| line.entry.outcome == "applied");
    applied.map(|line| line.entry.event.unwrap().to_string()).collect()
}

#[tokio::test]
async fn bare_messages_with_the_same_bytes_and_ids_of_their_own_both_count() {
    let stand = Stand::new(Delivery::Raw).await;
    for id in ["m-1", "m-2"] {
        let body = message("entitlement-updated");
        assert_eq!(stand.handle(&delivery(id, &body)).await, Verdict::Ack);
    }
    assert_eq!(applied(&stand).await, ["m-1", "m-2"]);
}

#[tokio::test]
async fn a_bare_message_that_is_delivered_again_counts_once() {
    let stand = Stand::new(Delivery::Raw).await;
    for _ in 0..2 {
        let body = message("entitlement-updated");
        assert_eq!(stand.handle(&delivery("m-1", &body)).await, Verdict::Ack);
    }
    assert_eq!(applied(&stand).await, ["m-1"]);
    assert_eq!(stand.history().await.len(), 1);
}

#[tokio::test]
async fn a_notification_that_comes_again_in_other_bytes_counts_once() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let body = envelope("n-1", "subscribe-success");
    let mut with_more = body.clone();
    with_more["MessageAttributes"] = json!({});
    let copies = [body.to_string(), serde_json::to_string_pretty(&body).unwrap(), with_more.to_string()];
    for (number, copy) in copies.iter().enumerate() {
        assert_eq!(stand.handle(&delivery(&format!("m-{number}"), &copy)).await, Verdict::Ack);
    }
    assert_eq!(applied(&stand).await, ["n-1"]);
    assert_eq!(stand.history().await.len(), 1, "a copy leaves no line");
}

#[tokio::test]
async fn a_forgery_under_the_same_id_does_not_make_the_true_message_a_duplicate() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let mut forgery = envelope("n-1", "subscribe-success");
    forgery["TopicArn"] = Value::from("arn:aws:sns:us-east-1:666666666666:another");
    assert_eq!(stand.handle(&delivery("m-1", &forgery)).await, Verdict::Ack);
    assert_eq!(stand.quarantined().await, ["wrong-topic"]);

    let body = envelope("n-1", "subscribe-success");
    assert_eq!(stand.handle(&delivery("m-2", &body)).await, Verdict::Ack);
    assert_eq!(applied(&stand).await, ["n-1"]);
}

#[tokio::test]
async fn unreadable_messages_are_told_apart_by_their_bytes() {
    let stand = Stand::new(Delivery::Enveloped).await;
    let unknown = |action| envelope("n-1", action);
    for action in ["subscribe-maybe", "subscribe-perhaps", "subscribe-maybe"] {
        assert_eq!(stand.handle(&delivery("m-1", &unknown(action))).await, Verdict::Ack);
    }
    assert_eq!(stand.quarantined().await, ["unknown-action"; 2]);
}
