use axum::http::StatusCode;

/// A call that SNS refuses, by the code that its reference documents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SnsError {
    #[error("Invalid parameter: {0}")]
    InvalidParameter(String),
    #[error("{0}")]
    ParameterValueInvalid(String),
    #[error("{0} does not exist")]
    NotFound(&'static str),
    #[error("This simulator takes no filter policy: every message of a topic reaches every subscriber")]
    FilterPolicyLimitExceeded,
    #[error("No more topics: delete some first")]
    TopicLimitExceeded,
    #[error("No more subscriptions: remove some first")]
    SubscriptionLimitExceeded,
    #[error("The batch request has no entry")]
    EmptyBatchRequest,
    #[error("The batch request has more entries than one call takes")]
    TooManyEntriesInBatchRequest,
    #[error("Two or more entries of the batch have the same Id")]
    BatchEntryIdsNotDistinct,
    #[error("The Id of a batch entry is made of up to 80 letters, digits, hyphens and underscores")]
    InvalidBatchEntryId,
    #[error("All messages of the batch together are longer than one call takes")]
    BatchRequestTooLong,
    #[error("The action {0} is not valid for this endpoint")]
    InvalidAction(String),
    #[error("The form names no Action")]
    MissingAction,
    #[error("The message could not be signed")]
    InternalError,
}

impl SnsError {
    /// The reason why a parameter is refused, in the words that SNS puts around it.
    pub(crate) fn reason(parameter: &str, reason: &str) -> Self {
        Self::InvalidParameter(format!("{parameter} Reason: {reason}"))
    }

    /// What the caller's SDK knows it by.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::InvalidParameter(_) => "InvalidParameter",
            Self::ParameterValueInvalid(_) => "ParameterValueInvalid",
            Self::NotFound(_) => "NotFound",
            Self::FilterPolicyLimitExceeded => "FilterPolicyLimitExceeded",
            Self::TopicLimitExceeded => "TopicLimitExceeded",
            Self::SubscriptionLimitExceeded => "SubscriptionLimitExceeded",
            Self::EmptyBatchRequest => "EmptyBatchRequest",
            Self::TooManyEntriesInBatchRequest => "TooManyEntriesInBatchRequest",
            Self::BatchEntryIdsNotDistinct => "BatchEntryIdsNotDistinct",
            Self::InvalidBatchEntryId => "InvalidBatchEntryId",
            Self::BatchRequestTooLong => "BatchRequestTooLong",
            Self::InvalidAction(_) => "InvalidAction",
            Self::MissingAction => "MissingAction",
            Self::InternalError => "InternalError",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::FilterPolicyLimitExceeded | Self::TopicLimitExceeded | Self::SubscriptionLimitExceeded => {
                StatusCode::FORBIDDEN
            }
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether the caller can mend it.
    pub(crate) fn is_senders_fault(&self) -> bool {
        self.status().is_client_error()
    }
}
