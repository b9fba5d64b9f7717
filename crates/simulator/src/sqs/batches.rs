//! The calls about several messages: each entry is done or fails by itself.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::answer::{Answer, read};
use super::error::{Code, SqsError};
use super::find;
use super::messages::{Sent, send_one};
use super::wire::{Outgoing, hidden_for};
use crate::Queues;
use crate::queue::MESSAGE_BYTES_MAX;

const ENTRIES_MAX: usize = 10;
const ID_LENGTH_MAX: usize = 80;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", bound(deserialize = "T: Deserialize<'de>"))]
struct Batch<T> {
    queue_url: Option<String>,
    #[serde(default = "Vec::new")]
    entries: Vec<Entry<T>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<T> {
    id: String,
    #[serde(flatten)]
    call: T,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Handle {
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome<T> {
    successful: Vec<Done<T>>,
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Done<T> {
    id: String,
    #[serde(flatten)]
    answer: T,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
struct Nothing {}

pub(super) fn send(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let Batch::<Outgoing> { queue_url, entries } = read(body)?;
    let queue = find(queues, queue_url.as_deref())?;
    check(&entries, "SendMessageBatchRequestEntry")?;
    let bytes: usize = entries.iter().map(|entry| entry.call.size_bytes()).sum();
    let bytes_max = usize::try_from(MESSAGE_BYTES_MAX).unwrap_or(usize::MAX);
    if bytes > bytes_max {
        let message =
            format!("Batch requests cannot be longer than {bytes_max} bytes. You have sent {bytes} bytes.");
        return Err(SqsError::new(Code::BatchRequestTooLong, message));
    }
    each(entries, |outgoing| -> Result<Sent, SqsError> { send_one(&queue, outgoing) })
}

pub(super) fn delete(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let Batch::<Handle> { queue_url, entries } = read(body)?;
    let queue = find(queues, queue_url.as_deref())?;
    check(&entries, "DeleteMessageBatchRequestEntry")?;
    each(entries, |handle| {
        queue.delete(&handle.receipt()?)?;
        Ok(Nothing {})
    })
}

pub(super) fn change_visibility(queues: &Queues, body: &[u8]) -> Result<Answer, SqsError> {
    let Batch::<Handle> { queue_url, entries } = read(body)?;
    let queue = find(queues, queue_url.as_deref())?;
    check(&entries, "ChangeMessageVisibilityBatchRequestEntry")?;
    each(entries, |handle| {
        let seconds = handle.visibility_timeout.ok_or_else(|| SqsError::missing("VisibilityTimeout"))?;
        queue.change_visibility(&handle.receipt()?, hidden_for(seconds)?)?;
        Ok(Nothing {})
    })
}

impl Handle {
    fn receipt(self) -> Result<String, SqsError> {
        self.receipt_handle.ok_or_else(|| SqsError::missing("ReceiptHandle"))
    }
}

/// What refuses a batch as a whole.
fn check<T>(entries: &[Entry<T>], kind: &str) -> Result<(), SqsError> {
    if entries.is_empty() {
        let message = format!("There should be at least one {kind} in the request.");
        return Err(SqsError::new(Code::EmptyBatchRequest, message));
    }
    if entries.len() > ENTRIES_MAX {
        let message = format!(
            "Maximum number of entries per request are {ENTRIES_MAX}. You have sent {}.",
            entries.len()
        );
        return Err(SqsError::new(Code::TooManyEntriesInBatchRequest, message));
    }
    let mut seen = HashSet::new();
    for Entry { id, .. } in entries {
        let is_well = (1..=ID_LENGTH_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_well {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
                           It can be at most 80 letters long.";
            return Err(SqsError::new(Code::InvalidBatchEntryId, message));
        }
        if !seen.insert(id) {
            return Err(SqsError::new(Code::BatchEntryIdsNotDistinct, format!("Id {id} repeated.")));
        }
    }
    Ok(())
}

fn each<T, A: Serialize>(
    entries: Vec<Entry<T>>,
    mut act: impl FnMut(T) -> Result<A, SqsError>,
) -> Result<Answer, SqsError> {
    let mut outcome = Outcome { successful: Vec::new(), failed: Vec::new() };
    for Entry { id, call } in entries {
        match act(call) {
            Ok(answer) => outcome.successful.push(Done { id, answer }),
            Err(SqsError { code, message }) => {
                let (sender_fault, code) = (code.is_senders_fault(), code.query_code());
                outcome.failed.push(Failed { id, sender_fault, code, message });
            }
        }
    }
    Answer::of(&outcome)
}
