//! The calls about one message, and the one that receives.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::answer::{Answer, read};
use super::error::SqsError;
use super::find;
use super::wire::{Outgoing, WireAttribute, hidden_for, seconds_up_to};
use crate::Queues;
use crate::queue::{Attributes, Receive, Received, attributes_md5};

const RECEIVED_MAX: usize = 10;
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Some user's id.
const SENDER_ID: &str = "AIDASIMULATEDSENDER01";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sending {
    queue_url: Option<String>,
    #[serde(flatten)]
    outgoing: Outgoing,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sent {
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    body_md5: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    attributes_md5: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ByReceipt {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receiving {
    queue_url: Option<String>,
    max_number_of_messages: Option<i64>,
    wait_time_seconds: Option<i64>,
    visibility_timeout: Option<i64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReceivedAll<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Incoming<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Incoming<'a> {
    message_id: &'a str,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    body_md5: &'a str,
    body: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<String, WireAttribute>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    attributes_md5: Option<String>,
}

pub(super) fn send(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let Sending { queue_url, outgoing } = read(body)?;
    Answer::of(&send_one(&*find(queues, queue_url.as_deref())?, outgoing)?)
}

pub(super) fn send_one(queue: &crate::Queue, outgoing: Outgoing) -> Result<Sent, SqsError> {
    let (content, delay) = outgoing.read(queue.settings().message_bytes_max())?;
    let (body_md5, attributes_md5) = (content.body_md5.clone(), attributes_md5(&content.attributes));
    Ok(Sent { message_id: queue.send(content, delay)?.to_string(), body_md5, attributes_md5 })
}

pub(super) fn delete(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let ByReceipt { queue_url, receipt_handle, .. } = read(body)?;
    let queue = find(queues, queue_url.as_deref())?;
    queue.delete(&receipt_handle.ok_or_else(|| SqsError::missing("ReceiptHandle"))?)?;
    Ok(Answer::empty())
}

pub(super) fn change_visibility(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let ByReceipt { queue_url, receipt_handle, visibility_timeout } = read(body)?;
    let queue = find(queues, queue_url.as_deref())?;
    let receipt = receipt_handle.ok_or_else(|| SqsError::missing("ReceiptHandle"))?;
    let seconds = visibility_timeout.ok_or_else(|| SqsError::missing("VisibilityTimeout"))?;
    queue.change_visibility(&receipt, hidden_for(seconds)?)?;
    Ok(Answer::empty())
}

pub(super) async fn receive(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let receiving: Receiving = read(body)?;
    let queue = find(queues, receiving.queue_url.as_deref())?;
    let received = queue.receive(&receiving.read()?).await?;
    Answer::of(&ReceivedAll { messages: received.iter().map(|one| receiving.write(one)).collect() })
}

impl Receiving {
    fn read(&self) -> Result<Receive, SqsError> {
        let max = self.max_number_of_messages.map(|max| {
            usize::try_from(max).ok().filter(|max| (1..=RECEIVED_MAX).contains(max)).ok_or_else(|| {
                SqsError::parameter("MaxNumberOfMessages", max, "Must be between 1 and 10, if provided.")
            })
        });
        let wait = self.wait_time_seconds.map(|seconds| {
            seconds_up_to(WAIT_MAX, seconds).ok_or_else(|| {
                SqsError::parameter("WaitTimeSeconds", seconds, "Must be >= 0 and <= 20, if provided.")
            })
        });
        Ok(Receive {
            max: max.transpose()?.unwrap_or(1),
            wait: wait.transpose()?,
            hidden_for: self.visibility_timeout.map(hidden_for).transpose()?,
        })
    }

    fn write<'a>(&self, received: &'a Received) -> Incoming<'a> {
        let Received { message, receipt } = received;
        let wanted = message.content.attributes.iter().filter(|(name, _)| self.wants_attribute(name));
        let wanted: Attributes = wanted.map(|(name, value)| (name.clone(), value.clone())).collect();
        Incoming {
            message_id: &message.id,
            receipt_handle: receipt.to_string(),
            body_md5: &message.content.body_md5,
            body: &message.content.body,
            attributes: self.system_attributes(received),
            attributes_md5: attributes_md5(&wanted),
            message_attributes: wanted.iter().map(|(name, value)| (name.clone(), value.into())).collect(),
        }
    }

    fn wants_attribute(&self, name: &str) -> bool {
        self.message_attribute_names.iter().any(|wanted| {
            wanted == "All"
                || wanted == name
                || wanted.strip_suffix(".*").is_some_and(|start| name.starts_with(start))
        })
    }

    fn system_attributes(&self, received: &Received) -> BTreeMap<&'static str, String> {
        let names = self.message_system_attribute_names.iter().chain(&self.attribute_names);
        let wants = |name: &str| names.clone().any(|wanted| wanted == "All" || wanted == name);
        let message = &received.message;
        let first_received_at = message.first_received_at.map(milliseconds);
        let known: [(&str, Option<String>); 5] = [
            ("ApproximateFirstReceiveTimestamp", first_received_at),
            ("ApproximateReceiveCount", Some(message.receives.to_string())),
            ("DeadLetterQueueSourceArn", message.dead_from.as_deref().map(str::to_owned)),
            ("SenderId", Some(SENDER_ID.to_owned())),
            ("SentTimestamp", Some(milliseconds(message.sent_at))),
        ];
        known
            .into_iter()
            .filter(|(name, _)| wants(name))
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

fn milliseconds(moment: OffsetDateTime) -> String {
    (moment.unix_timestamp_nanos() / 1_000_000).to_string()
}
