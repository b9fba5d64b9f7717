//! Calls that are refused, and batches of which some entries are.

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry,
};
use stallkeeper_simulator::Depth;

use crate::{Sqs, receipt};

#[tokio::test]
async fn a_batch_is_done_entry_by_entry() {
    let sqs = Sqs::start().await;
    let entry = |id: &str, body: &str| {
        SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
    };
    let batch = sqs.client.send_message_batch().queue_url(&sqs.url);
    let answer = batch.entries(entry("good", "a")).entries(entry("bad", "\u{1}")).send().await.unwrap();
    let done: Vec<_> = answer.successful().iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(done, ["good"]);
    let failed = answer.failed().iter().map(|entry| (entry.id(), entry.code(), entry.sender_fault()));
    assert_eq!(failed.collect::<Vec<_>>(), [("bad", "InvalidMessageContents", true)]);

    let message = sqs.receive_one(30).await;
    let entry = |id: &str, handle: &str| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id).receipt_handle(handle);
        entry.visibility_timeout(60).build().unwrap()
    };
    let batch = sqs.client.change_message_visibility_batch().queue_url(&sqs.url);
    let batch = batch.entries(entry("good", receipt(&message))).entries(entry("bad", "bogus"));
    let answer = batch.send().await.unwrap();
    assert_eq!((answer.successful()[0].id(), answer.failed()[0].id()), ("good", "bad"));

    let entry = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let batch = sqs.client.delete_message_batch().queue_url(&sqs.url);
    let batch = batch.entries(entry("bad", "bogus")).entries(entry("good", receipt(&message)));
    let answer = batch.send().await.unwrap();
    assert_eq!((answer.successful()[0].id(), answer.failed()[0].code()), ("good", "ReceiptHandleIsInvalid"));
    assert_eq!(sqs.queue().depth(), Depth::default());
}

#[tokio::test]
async fn a_batch_that_breaks_the_rules_is_refused_whole_and_by_name() {
    let sqs = Sqs::start().await;
    let refused = async |entries: Vec<(String, usize)>| {
        let entries = entries.iter().map(|(id, length)| {
            SendMessageBatchRequestEntry::builder().id(id).message_body("x".repeat(*length)).build().unwrap()
        });
        let batch = sqs.client.send_message_batch().queue_url(&sqs.url).set_entries(Some(entries.collect()));
        batch.send().await.unwrap_err().into_service_error()
    };
    assert!(refused(vec![]).await.is_empty_batch_request());
    let eleven = (0..11).map(|number| (number.to_string(), 1)).collect();
    assert!(refused(eleven).await.is_too_many_entries_in_batch_request());
    assert!(refused(vec![("a".into(), 1), ("a".into(), 1)]).await.is_batch_entry_ids_not_distinct());
    assert!(refused(vec![("a b".into(), 1)]).await.is_invalid_batch_entry_id());
    let halves = vec![("a".into(), 600_000), ("b".into(), 600_000)];
    assert!(refused(halves).await.is_batch_request_too_long());
    assert_eq!(sqs.queue().depth(), Depth::default());
}

#[tokio::test]
async fn a_message_of_a_mebibyte_is_taken_and_one_byte_more_is_not() {
    let sqs = Sqs::start().await;
    let send =
        |length| sqs.client.send_message().queue_url(&sqs.url).message_body("\"".repeat(length)).send();
    send(1_048_576).await.unwrap();
    let error = send(1_048_577).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"), "{}", DisplayErrorContext(&error));
    assert_eq!(sqs.receive_one(30).await.body().unwrap().len(), 1_048_576);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_named_by_every_call() {
    let sqs = Sqs::start().await;
    let missing = format!("{}-not", sqs.url);
    let receive = sqs.client.receive_message().queue_url(&missing).send().await.unwrap_err();
    assert!(receive.into_service_error().is_queue_does_not_exist());
    let send = sqs.client.send_message().queue_url(&missing).message_body("a").send().await.unwrap_err();
    assert!(send.into_service_error().is_queue_does_not_exist());
    let url = sqs.client.get_queue_url().queue_name("not").send().await.unwrap_err();
    assert!(url.into_service_error().is_queue_does_not_exist());
    let delete =
        sqs.client.delete_message().queue_url(&missing).receipt_handle("a").send().await.unwrap_err();
    assert!(delete.into_service_error().is_queue_does_not_exist());
}

#[tokio::test]
async fn a_receipt_that_was_never_given_is_refused_by_name() {
    let sqs = Sqs::start().await;
    let error = sqs.client.delete_message().queue_url(&sqs.url).receipt_handle("bogus").send().await;
    assert!(error.unwrap_err().into_service_error().is_receipt_handle_is_invalid());
}
