//! Calls that go wrong on demand.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::operation::receive_message::ReceiveMessageError;
use aws_sdk_sqs::types::QueueAttributeName;
use stallkeeper_simulator::FaultSettings;

use crate::{Sqs, client};

#[tokio::test]
async fn a_failed_call_is_not_done_and_the_sdk_tries_again() {
    let sqs = Sqs::start().await;
    sqs.faults.set(FaultSettings { error: 1.0, ..FaultSettings::default() }).unwrap();
    let error = sqs.client.send_message().queue_url(&sqs.url).message_body("a").send().await.unwrap_err();
    assert_eq!(error.raw_response().map(|answer| answer.status().as_u16()), Some(500));
    assert_eq!(sqs.queue().put_count(), 0);
    assert_eq!(attempts(&sqs).await, 3);
}

#[tokio::test]
async fn a_throttled_call_is_not_done_and_the_sdk_tries_again() {
    let sqs = Sqs::start().await;
    sqs.faults.set(FaultSettings { throttle: 1.0, ..FaultSettings::default() }).unwrap();
    let error =
        sqs.client.receive_message().queue_url(&sqs.url).send().await.unwrap_err().into_service_error();
    assert!(matches!(error, ReceiveMessageError::RequestThrottled(_)), "{error:?}");
    assert_eq!(attempts(&sqs).await, 3);
}

#[tokio::test]
async fn a_dropped_answer_is_to_a_call_that_was_done() {
    let sqs = Sqs::start().await;
    sqs.faults.set(FaultSettings { drop_answer: 1.0, ..FaultSettings::default() }).unwrap();
    let error = sqs.client.send_message().queue_url(&sqs.url).message_body("a").send().await.unwrap_err();
    assert!(error.as_service_error().is_none(), "{error:?}");
    assert_eq!(sqs.queue().put_count(), 1);
    let send = client(sqs.url.rsplitn(3, '/').nth(2).unwrap(), quick_retries()).send_message();
    send.queue_url(&sqs.url).message_body("a").send().await.unwrap_err();
    assert_eq!(sqs.queue().put_count(), 4);
}

#[tokio::test]
async fn faults_strike_only_the_calls_about_messages() {
    let sqs = Sqs::start().await;
    sqs.faults.set(FaultSettings { error: 1.0, ..FaultSettings::default() }).unwrap();
    assert!(sqs.attribute(QueueAttributeName::QueueArn).await.is_some());
    sqs.client.delete_queue().queue_url(&sqs.url).send().await.unwrap();
}

fn quick_retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1))
}

/// How often the SDK asks while every answer is a fault: the simulator numbers its answers.
async fn attempts(sqs: &Sqs) -> u64 {
    let base = sqs.url.rsplitn(3, '/').nth(2).unwrap();
    let number = async |client: &Client| {
        let send = client.send_message().queue_url(&sqs.url).message_body("a").send().await;
        let error = send.unwrap_err();
        let id = error.raw_response().unwrap().headers().get("x-amzn-requestid").unwrap().to_owned();
        u64::from_str_radix(id.rsplit('-').next().unwrap(), 16).unwrap()
    };
    let before = number(&sqs.client).await;
    number(&client(base, quick_retries())).await - before
}
