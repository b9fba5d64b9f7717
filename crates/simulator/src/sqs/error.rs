use axum::http::StatusCode;

use crate::QueueError;

/// A call's error, or that of one entry of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqsError {
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// An error's kind. Where SQS has a name for it in the JSON protocol and another from its older protocol, the
/// older one stands in the header `x-amzn-query-error`, and SDKs take that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InternalError,
    InvalidAction,
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MalformedInput,
    MessageNotInflight,
    MissingParameter,
    OverLimit,
    PurgeQueueInProgress,
    QueueDoesNotExist,
    QueueNameExists,
    ReceiptHandleIsInvalid,
    RequestThrottled,
    TooManyEntriesInBatchRequest,
    UnsupportedOperation,
}

impl Code {
    /// The name in the JSON protocol.
    pub(crate) fn json_type(self) -> &'static str {
        match self {
            Self::BatchEntryIdsNotDistinct => "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
            Self::BatchRequestTooLong => "com.amazonaws.sqs#BatchRequestTooLong",
            Self::EmptyBatchRequest => "com.amazonaws.sqs#EmptyBatchRequest",
            Self::InternalError => "com.amazon.coral.service#InternalFailure",
            Self::InvalidAction => "com.amazon.coral.service#UnknownOperationException",
            Self::InvalidAttributeName => "com.amazonaws.sqs#InvalidAttributeName",
            Self::InvalidAttributeValue => "com.amazonaws.sqs#InvalidAttributeValue",
            Self::InvalidBatchEntryId => "com.amazonaws.sqs#InvalidBatchEntryId",
            Self::InvalidMessageContents => "com.amazonaws.sqs#InvalidMessageContents",
            Self::InvalidParameterValue => "com.amazon.coral.service#InvalidParameterValueException",
            Self::MalformedInput => "com.amazon.coral.service#SerializationException",
            Self::MessageNotInflight => "com.amazonaws.sqs#MessageNotInflight",
            Self::MissingParameter => "com.amazon.coral.service#MissingRequiredParameterException",
            Self::OverLimit => "com.amazonaws.sqs#OverLimit",
            Self::PurgeQueueInProgress => "com.amazonaws.sqs#PurgeQueueInProgress",
            Self::QueueDoesNotExist => "com.amazonaws.sqs#QueueDoesNotExist",
            Self::QueueNameExists => "com.amazonaws.sqs#QueueNameExists",
            Self::ReceiptHandleIsInvalid => "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            Self::RequestThrottled => "com.amazonaws.sqs#RequestThrottled",
            Self::TooManyEntriesInBatchRequest => "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
            Self::UnsupportedOperation => "com.amazonaws.sqs#UnsupportedOperation",
        }
    }

    /// The name in the older query protocol; entries of a batch use it too.
    pub(crate) fn query_code(self) -> &'static str {
        match self {
            Self::BatchEntryIdsNotDistinct => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            Self::BatchRequestTooLong => "AWS.SimpleQueueService.BatchRequestTooLong",
            Self::EmptyBatchRequest => "AWS.SimpleQueueService.EmptyBatchRequest",
            Self::InternalError => "InternalError",
            Self::InvalidAction => "InvalidAction",
            Self::InvalidAttributeName => "InvalidAttributeName",
            Self::InvalidAttributeValue => "InvalidAttributeValue",
            Self::InvalidBatchEntryId => "AWS.SimpleQueueService.InvalidBatchEntryId",
            Self::InvalidMessageContents => "InvalidMessageContents",
            Self::InvalidParameterValue => "InvalidParameterValue",
            Self::MalformedInput => "MalformedInput",
            Self::MessageNotInflight => "AWS.SimpleQueueService.MessageNotInflight",
            Self::MissingParameter => "MissingParameter",
            Self::OverLimit => "OverLimit",
            Self::PurgeQueueInProgress => "AWS.SimpleQueueService.PurgeQueueInProgress",
            Self::QueueDoesNotExist => "AWS.SimpleQueueService.NonExistentQueue",
            Self::QueueNameExists => "QueueAlreadyExists",
            Self::ReceiptHandleIsInvalid => "ReceiptHandleIsInvalid",
            Self::RequestThrottled => "RequestThrottled",
            Self::TooManyEntriesInBatchRequest => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            Self::UnsupportedOperation => "AWS.SimpleQueueService.UnsupportedOperation",
        }
    }

    /// The HTTP status of SQS' service model.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::OverLimit | Self::PurgeQueueInProgress | Self::RequestThrottled => StatusCode::FORBIDDEN,
            Self::ReceiptHandleIsInvalid => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn is_senders_fault(self) -> bool {
        self != Self::InternalError
    }
}

impl SqsError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(Code::MissingParameter, format!("The request must contain the parameter {parameter}."))
    }

    pub(crate) fn parameter(name: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        let message = format!("Value {value} for parameter {name} is invalid. Reason: {reason}");
        Self::new(Code::InvalidParameterValue, message)
    }
}

impl From<QueueError> for SqsError {
    fn from(error: QueueError) -> Self {
        let words = match &error {
            QueueError::Missing => {
                (Code::QueueDoesNotExist, "The specified queue does not exist.".to_owned())
            }
            QueueError::NameExists { attribute } => (
                Code::QueueNameExists,
                format!(
                    "A queue already exists with the same name and a different value for attribute {attribute}"
                ),
            ),
            QueueError::BadName => (
                Code::InvalidParameterValue,
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
                    .to_owned(),
            ),
            QueueError::UnknownAttribute { name } => {
                (Code::InvalidAttributeName, format!("Unknown Attribute {name}."))
            }
            QueueError::BadAttribute { name, .. } => {
                (Code::InvalidAttributeValue, format!("Invalid value for the parameter {name}."))
            }
            QueueError::BadParameter { name, value, reason } => return Self::parameter(name, value, reason),
            QueueError::BadReceipt { handle } => (
                Code::ReceiptHandleIsInvalid,
                format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
            ),
            QueueError::NotInFlight => {
                (Code::MessageNotInflight, "The specified message isn't in flight.".to_owned())
            }
            QueueError::OverLimit => {
                (Code::OverLimit, "Too many messages are in flight: 120000 at most.".to_owned())
            }
            QueueError::Full { held_max } => (
                Code::OverLimit,
                format!(
                    "The simulator keeps {held_max} messages in a queue at most: receive and delete some, or purge it."
                ),
            ),
            QueueError::Fifo => (
                Code::UnsupportedOperation,
                "The simulator has no FIFO queues: AWS Marketplace delivers to standard ones. Create the queue \
                 without FifoQueue, under a name without .fifo."
                    .to_owned(),
            ),
            QueueError::PurgedRecently => (
                Code::PurgeQueueInProgress,
                "Only one PurgeQueue operation is allowed every 60 seconds.".to_owned(),
            ),
            QueueError::BadContents => (
                Code::InvalidMessageContents,
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
                 #xE000 to #xFFFD | #x10000 to #x10FFFF"
                    .to_owned(),
            ),
            QueueError::TooLong { bytes_max } => (
                Code::InvalidParameterValue,
                format!(
                    "One or more parameters are invalid. Reason: Message must be shorter than {bytes_max} bytes."
                ),
            ),
        };
        Self::new(words.0, words.1)
    }
}
