//! Messages: how they come, return and go.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::MessageAttributeValue;
use stallkeeper_simulator::Depth;

use crate::{Sqs, receipt, system};

/// Above what a loopback call needs, below what makes a test slow.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn what_is_sent_is_received_under_the_same_id() {
    let sqs = Sqs::start().await;
    let body = "line\nwith \"quotes\", \\ and \u{1f600}";
    let id = sqs.send(body).await;
    let message = sqs.receive_one(30).await;
    assert_eq!((message.message_id(), message.body()), (Some(id.as_str()), Some(body)));
    sqs.client.delete_message().queue_url(&sqs.url).receipt_handle(receipt(&message)).send().await.unwrap();
    assert_eq!(sqs.queue().depth(), Depth::default());
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_message_comes() {
    let sqs = Sqs::start().await;
    let queue = sqs.queue();
    let started = Instant::now();
    let (messages, ()) = tokio::join!(sqs.receive(30), async {
        // The poll is on its way; whether it waits already makes no difference to what is promised.
        tokio::task::yield_now().await;
        queue.put("late", Duration::from_millis(100));
    });
    assert_eq!(messages[0].body(), Some("late"));
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(100) && waited < SOON, "{waited:?}");
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_message_becomes_visible_again() {
    let sqs = Sqs::start().await;
    sqs.send("again").await;
    sqs.receive_one(1).await;
    let started = Instant::now();
    let message = sqs.receive_one(30).await;
    assert_eq!(system(&message, "ApproximateReceiveCount"), Some("2"));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_long_poll_wakes_when_another_worker_gives_a_message_back() {
    let sqs = Sqs::start().await;
    sqs.send("handed back").await;
    let message = sqs.receive_one(600).await;
    let back = sqs.client.change_message_visibility().queue_url(&sqs.url).visibility_timeout(0);
    let back = back.receipt_handle(receipt(&message)).send();
    let (messages, answer) = tokio::join!(sqs.receive(30), back);
    answer.unwrap();
    assert_eq!(messages[0].body(), Some("handed back"));
}

#[tokio::test]
async fn a_poll_of_an_empty_queue_ends_when_its_wait_is_over() {
    let sqs = Sqs::start().await;
    let started = Instant::now();
    let answer = sqs.client.receive_message().queue_url(&sqs.url).wait_time_seconds(1).send().await.unwrap();
    assert_eq!(answer.messages, None);
    assert!(started.elapsed() >= Duration::from_secs(1) && started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn the_sent_time_is_the_markets_and_is_given_where_it_is_asked_for() {
    let sqs = Sqs::start().await;
    sqs.clock.advance(Duration::from_hours(1000));
    let before = sqs.clock.now().unix_timestamp();
    sqs.send("from the future").await;
    let message = sqs.receive_one(30).await;
    let sent: i64 = system(&message, "SentTimestamp").unwrap().parse().unwrap();
    assert!((before..=before + 5).contains(&(sent / 1000)), "{sent}");
    for name in ["ApproximateFirstReceiveTimestamp", "SenderId"] {
        assert!(system(&message, name).is_some(), "{name}");
    }
    sqs.send("plain").await;
    let plain = sqs.client.receive_message().queue_url(&sqs.url).send().await.unwrap();
    assert_eq!(plain.messages()[0].attributes(), None);
}

#[tokio::test]
async fn message_attributes_arrive_with_the_checksum_that_was_answered() {
    let sqs = Sqs::start().await;
    let value = MessageAttributeValue::builder().data_type("String").string_value("blue").build().unwrap();
    let sent = sqs.client.send_message().queue_url(&sqs.url).message_body("b");
    let sent = sent.message_attributes("colour", value.clone()).send().await.unwrap();
    let message = sqs.receive_one(30).await;
    assert_eq!(message.message_attributes(), Some(&HashMap::from([("colour".to_owned(), value)])));
    assert!(sent.md5_of_message_attributes().is_some());
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
}

#[tokio::test]
async fn the_receipt_of_an_earlier_receive_succeeds_and_deletes_nothing() {
    let sqs = Sqs::start().await;
    sqs.send("twice").await;
    let earlier = sqs.receive_one(0).await;
    let latest = sqs.receive_one(30).await;
    let delete =
        |message| sqs.client.delete_message().queue_url(&sqs.url).receipt_handle(receipt(message)).send();
    delete(&earlier).await.unwrap();
    assert_eq!(sqs.queue().depth().in_flight, 1);
    let change = sqs.client.change_message_visibility().queue_url(&sqs.url).visibility_timeout(60);
    let error = change.receipt_handle(receipt(&earlier)).send().await.unwrap_err().into_service_error();
    assert!(error.is_message_not_inflight(), "{error:?}");
    delete(&latest).await.unwrap();
    assert_eq!(sqs.queue().depth(), Depth::default());
}

#[tokio::test]
async fn a_message_that_is_received_too_often_goes_to_the_dead_letter_queue() {
    let sqs = Sqs::start().await;
    let queue = sqs.queues.create_with_dead_letters("orders", 2);
    let sqs = Sqs { url: queue.url().to_owned(), ..sqs };
    let id = sqs.send("poison").await;
    for _ in 0..2 {
        sqs.receive_one(0).await;
    }
    let dead_letters =
        Sqs { url: sqs.queues.by_name("orders-dead-letters").unwrap().url().to_owned(), ..sqs };
    let orders = dead_letters.client.receive_message().queue_url(queue.url()).send();
    let (message, answer) = tokio::join!(dead_letters.receive_one(30), orders);
    assert_eq!(answer.unwrap().messages, None);
    assert_eq!(message.message_id(), Some(id.as_str()));
    assert_eq!(system(&message, "DeadLetterQueueSourceArn"), Some(queue.arn()));
    assert_eq!((queue.depth().total(), queue.counts().put), (0, 1));
}

#[tokio::test]
async fn draining_is_over_when_the_last_message_is_deleted() {
    let sqs = Sqs::start().await;
    sqs.send("a").await;
    let message = sqs.receive_one(30).await;
    let queue = sqs.queue();
    assert!(tokio::time::timeout(Duration::from_millis(20), queue.drained()).await.is_err());
    let delete = sqs.client.delete_message().queue_url(&sqs.url).receipt_handle(receipt(&message)).send();
    let (drained, answer) = tokio::join!(tokio::time::timeout(SOON, queue.drained()), delete);
    answer.unwrap();
    drained.unwrap();
}
