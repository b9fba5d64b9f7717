use std::collections::BTreeSet;

use super::SnsState;
use super::actions::{Outcome, text};
use super::error::SnsError;
use super::form::Form;
use super::message::{self, Message};
use super::topic;
use super::xml::Xml;

const BATCH_MAX: usize = 10;
const ENTRY_ID_CHARACTERS_MAX: usize = 80;

pub(super) fn publish(state: &SnsState, form: &Form<'_>) -> Outcome {
    // A topic can be named as a target, too; a phone cannot.
    let (name, arn) = match (form.get("TopicArn"), form.get("TargetArn")) {
        (None, Some(arn)) => ("TargetArn", arn),
        _ => ("TopicArn", form.required("TopicArn")?),
    };
    let arn = topic::check_arn(name, arn)?;
    let message = Message::from_form(form)?;
    Ok(text("MessageId", &send(state, arn, &message)?))
}

pub(super) fn publish_batch(state: &SnsState, form: &Form<'_>) -> Outcome {
    let arn = topic::check_arn("TopicArn", form.required("TopicArn")?)?;
    state.topics.topic_attributes(arn)?;
    let entries = form.members("PublishBatchRequestEntries.member");
    let ids = ids(&entries)?;
    let messages: Vec<_> = entries.iter().map(Message::from_form).collect();
    if !message::fit_together(messages.iter().flatten().map(Message::bytes).sum()) {
        return Err(SnsError::BatchRequestTooLong);
    }
    let sent = messages.into_iter().map(|message| send(state, arn, &message?));
    let results: Vec<_> = ids.into_iter().zip(sent).collect();
    Ok(batch_result(&results))
}

fn send(state: &SnsState, topic_arn: &str, message: &Message) -> Result<String, SnsError> {
    let sent = state.topics.send(topic_arn, message, state.clock.stamp(), &message.action())?;
    Ok(sent.message_id)
}

fn ids<'a>(entries: &[Form<'a>]) -> Result<Vec<&'a str>, SnsError> {
    match entries.len() {
        0 => return Err(SnsError::EmptyBatchRequest),
        1..=BATCH_MAX => {}
        _ => return Err(SnsError::TooManyEntriesInBatchRequest),
    }
    let ids = entries.iter().map(|entry| entry.required("Id").and_then(entry_id));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    let distinct: BTreeSet<_> = ids.iter().collect();
    if distinct.len() == ids.len() { Ok(ids) } else { Err(SnsError::BatchEntryIdsNotDistinct) }
}

fn entry_id(id: &str) -> Result<&str, SnsError> {
    let is_plain = id.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '-' | '_'));
    if is_plain && id.len() <= ENTRY_ID_CHARACTERS_MAX { Ok(id) } else { Err(SnsError::InvalidBatchEntryId) }
}

fn batch_result(results: &[(&str, Result<String, SnsError>)]) -> Xml {
    let mut xml = Xml::default();
    xml.within("Successful", |xml| {
        for (id, message_id) in results.iter().filter_map(|(id, result)| Some((id, result.as_ref().ok()?))) {
            xml.within("member", |xml| {
                xml.text("Id", id).text("MessageId", message_id);
            });
        }
    });
    xml.within("Failed", |xml| {
        for (id, error) in results.iter().filter_map(|(id, result)| Some((id, result.as_ref().err()?))) {
            xml.within("member", |xml| {
                xml.text("Id", id)
                    .text("Code", error.code())
                    .text("Message", &error.to_string())
                    .text("SenderFault", &error.is_senders_fault().to_string());
            });
        }
    });
    xml
}
