//! Amazon SQS as a [`Queue`].

use std::{collections::HashMap, error::Error, time::Duration};

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::{
    Client,
    config::{http::HttpResponse, timeout::TimeoutConfig},
    error::{BuildError, ProvideErrorMetadata, SdkError},
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
        Message as SqsMessage, MessageSystemAttributeName as Attribute, QueueAttributeName,
    },
};
use time::OffsetDateTime;

use crate::{
    error::{QueueError, QueueErrorKind},
    queue::{
        Depth, EntryFailure, EntryOutcome, Message, MessageId, Queue, ReceiptHandle, VISIBILITY_MAX,
        VisibilityChange,
    },
};

/// Above the longest long poll of 20 s, so that an empty queue is not taken for a dead one.
const RECEIVE_ATTEMPT: Duration = Duration::from_secs(25);
const RECEIVE_ALL: Duration = Duration::from_mins(1);
const SHORT_ATTEMPT: Duration = Duration::from_secs(5);
/// Below the margin with which leases of the default time-out are renewed; the keeper bounds its wait closer.
const SHORT_ALL: Duration = Duration::from_secs(12);

/// One SQS queue.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    receiving: Client,
    changing: Client,
    url: String,
}

impl SqsQueue {
    /// Uses the credentials, region, endpoint and retries of `client`; its time-outs are replaced by those of each
    /// operation, because the SDK has none by default.
    pub fn new(client: &Client, url: impl Into<String>) -> Self {
        Self {
            receiving: with_timeouts(client, RECEIVE_ATTEMPT, RECEIVE_ALL),
            changing: with_timeouts(client, SHORT_ATTEMPT, SHORT_ALL),
            url: url.into(),
        }
    }

    /// The queue's URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn with_timeouts(client: &Client, attempt: Duration, all_attempts: Duration) -> Client {
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(all_attempts).build();
    Client::from_conf(client.config().to_builder().timeout_config(timeouts).build())
}

#[async_trait]
impl Queue for SqsQueue {
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError> {
        let answer = self
            .receiving
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(i32::MAX))
            .wait_time_seconds(whole_seconds(wait))
            .visibility_timeout(whole_seconds(visibility))
            .message_system_attribute_names(Attribute::ApproximateReceiveCount)
            .message_system_attribute_names(Attribute::ApproximateFirstReceiveTimestamp)
            .message_system_attribute_names(Attribute::SentTimestamp)
            .send()
            .await
            .map_err(named)?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    async fn delete(&self, receipts: &[ReceiptHandle]) -> Result<Vec<EntryOutcome>, QueueError> {
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt.as_str())
                .build()
        });
        let entries = entries.collect::<Result<Vec<_>, BuildError>>().map_err(unbuildable)?;
        let call = self.changing.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = call.send().await.map_err(named)?;
        let done = answer.successful.iter().map(|entry| entry.id.as_str());
        Ok(outcomes(receipts.len(), done, &answer.failed))
    }

    async fn set_visibility(&self, changes: &[VisibilityChange]) -> Result<Vec<EntryOutcome>, QueueError> {
        let entries = changes.iter().enumerate().map(|(index, change)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(change.receipt.as_str())
                .visibility_timeout(whole_seconds(change.hidden_for))
                .build()
        });
        let entries = entries.collect::<Result<Vec<_>, BuildError>>().map_err(unbuildable)?;
        let call = self.changing.change_message_visibility_batch().queue_url(&self.url);
        let answer = call.set_entries(Some(entries)).send().await.map_err(named)?;
        let done = answer.successful.iter().map(|entry| entry.id.as_str());
        Ok(outcomes(changes.len(), done, &answer.failed))
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let answer = self
            .changing
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(named)?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name| attributes.get(&name).and_then(|text| text.parse().ok()).unwrap_or_default();
        Ok(Depth {
            visible: count(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            delayed: count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        })
    }
}

/// SQS counts whole seconds; rounding up keeps a short delay from becoming none.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.min(VISIBILITY_MAX).as_millis().div_ceil(1_000);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// A message without a receipt could be neither deleted nor hidden; SQS never sends one.
fn message(message: SqsMessage) -> Option<Message> {
    let attributes = message.attributes.unwrap_or_default();
    let receipt = message.receipt_handle?;
    Some(Message {
        id: MessageId::new(message.message_id?),
        receipt: ReceiptHandle::new(receipt),
        body: message.body.unwrap_or_default(),
        receive_count: number(&attributes, &Attribute::ApproximateReceiveCount).unwrap_or_default(),
        sent_at: moment(&attributes, &Attribute::SentTimestamp),
        first_received_at: moment(&attributes, &Attribute::ApproximateFirstReceiveTimestamp),
    })
}

fn number(attributes: &HashMap<Attribute, String>, name: &Attribute) -> Option<u32> {
    attributes.get(name)?.parse().ok()
}

/// SQS gives milliseconds since 1970.
fn moment(attributes: &HashMap<Attribute, String>, name: &Attribute) -> Option<OffsetDateTime> {
    let millis: i64 = attributes.get(name)?.parse().ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok()
}

/// Entries are named by their index. One that the answer does not mention counts as failed.
fn outcomes<'a>(
    count: usize,
    done: impl Iterator<Item = &'a str>,
    failed: &[BatchResultErrorEntry],
) -> Vec<EntryOutcome> {
    let missing = || Err(EntryFailure::Failed { code: "no outcome in the answer".to_owned() });
    let mut outcomes: Vec<EntryOutcome> = (0..count).map(|_| missing()).collect();
    let mut set = |id: &str, outcome| {
        if let Some(slot) = id.parse().ok().and_then(|index: usize| outcomes.get_mut(index)) {
            *slot = outcome;
        }
    };
    for id in done {
        set(id, Ok(()));
    }
    for entry in failed {
        set(&entry.id, Err(entry_failure(entry)));
    }
    outcomes
}

fn entry_failure(entry: &BatchResultErrorEntry) -> EntryFailure {
    let code = entry.code.clone();
    if entry.sender_fault && !code.contains("Throttl") {
        EntryFailure::Gone { code }
    } else {
        EntryFailure::Failed { code }
    }
}

fn unbuildable(error: BuildError) -> QueueError {
    QueueError::new(QueueErrorKind::Refused, error)
}

fn named<E>(error: SdkError<E, HttpResponse>) -> QueueError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let kind = match &error {
        SdkError::ServiceError(answer) => {
            kind_of_code(answer.err().code().unwrap_or_default(), answer.raw().status().as_u16())
        }
        _ if lacks_credentials(&error) => QueueErrorKind::MissingCredentials,
        SdkError::ConstructionFailure(_) => QueueErrorKind::Refused,
        _ => QueueErrorKind::Unavailable,
    };
    QueueError::new(kind, error)
}

fn kind_of_code(code: &str, status: u16) -> QueueErrorKind {
    // Older and newer protocols write `AWS.SimpleQueueService.X`, `com.amazonaws.sqs#X`, `KMS.X` and `X`.
    let word = code.rsplit(['.', '#']).next().unwrap_or(code);
    let word = word.strip_suffix("Exception").unwrap_or(word);
    match word {
        "QueueDoesNotExist" | "NonExistentQueue" | "QueueDeletedRecently" | "InvalidAddress" => {
            QueueErrorKind::QueueNotFound
        }
        "ExpiredToken"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignature"
        | "MissingAuthenticationToken"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClient" => QueueErrorKind::InvalidCredentials,
        "AccessDenied" | "InvalidSecurity" | "KmsAccessDenied" | "OptInRequired" => {
            QueueErrorKind::AccessDenied
        }
        "KmsThrottled" | "OverLimit" | "RequestThrottled" | "Throttling" | "TooManyRequests" => {
            QueueErrorKind::Throttled
        }
        _ => match status {
            401 | 403 => QueueErrorKind::AccessDenied,
            429 => QueueErrorKind::Throttled,
            400..500 => QueueErrorKind::Refused,
            // Also an answer that pretends success and cannot be read, as proxies give.
            _ => QueueErrorKind::Unavailable,
        },
    }
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}
