//! Answers about messages in words that are the same for every run.

use std::collections::BTreeMap;

use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::{BatchResultErrorEntry, Message, MessageSystemAttributeName};

use crate::record::Record;

pub(crate) fn write_sent(record: &mut Record, kind: &'static str, sent: &SendMessageBatchOutput) -> String {
    let done = sent.successful.iter().map(|entry| {
        format!("{} {} {}", entry.id, record.name(kind, Some(&entry.message_id)), entry.md5_of_message_body)
    });
    let done: Vec<_> = done.collect();
    write_outcomes(&done.iter().map(String::as_str).collect::<Vec<_>>(), &sent.failed)
}

pub(crate) fn write_outcomes(done: &[&str], failed: &[BatchResultErrorEntry]) -> String {
    let failed = failed.iter().map(|entry| (&*entry.id, &*entry.code, entry.sender_fault));
    format!("done {done:?}, failed {:?}", failed.collect::<Vec<_>>())
}

pub(crate) fn write_all(record: &mut Record, messages: &[Message]) -> String {
    let messages = messages.iter().map(|message| write(record, message));
    messages.reduce(|all, message| format!("{all}; {message}")).unwrap_or_else(|| "nothing".to_owned())
}

fn write(record: &mut Record, message: &Message) -> String {
    let id = record.name("message", message.message_id());
    let receipt = record.name("receipt", message.receipt_handle());
    let system = message.attributes().into_iter().flatten().map(|(name, value)| {
        let value = match name {
            MessageSystemAttributeName::ApproximateFirstReceiveTimestamp
            | MessageSystemAttributeName::SentTimestamp => format!("{} digits", value.len()),
            MessageSystemAttributeName::SenderId => "somebody".to_owned(),
            _ => value.clone(),
        };
        (name.as_str(), value)
    });
    let system: BTreeMap<_, _> = system.collect();
    let attributes: BTreeMap<_, _> = message.message_attributes().into_iter().flatten().collect();
    format!(
        "{id} by {receipt}: {:?} {:?} {system:?} {attributes:?} {:?}",
        message.body, message.md5_of_body, message.md5_of_message_attributes
    )
}
