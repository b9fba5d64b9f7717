//! What can go wrong at AWS, by name, and what to do about it.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{BoxError, ProvideErrorMetadata, SdkError};
use thiserror::Error;

/// A call to AWS that did not succeed, named by what a person can do about it.
#[derive(Debug, Error)]
pub enum AwsError {
    /// No credentials were found, or their source could not be used.
    #[error("no AWS credentials could be loaded")]
    MissingCredentials {
        /// What the credentials' source said.
        source: BoxError,
    },
    /// Credentials were found, and AWS does not accept them.
    #[error("AWS refused the credentials at {action} ({code})")]
    RefusedCredentials {
        /// The IAM name of the call, such as `sqs:GetQueueAttributes`.
        action: &'static str,
        /// AWS's error code.
        code: String,
        /// The answer as the SDK tells it.
        source: BoxError,
    },
    /// The credentials are good, and may not do this.
    #[error("{action} on {resource} is denied")]
    AccessDenied {
        /// The IAM name of the call.
        action: &'static str,
        /// What the call was about.
        resource: String,
        /// The answer as the SDK tells it.
        source: BoxError,
    },
    /// There is no such queue, topic or subscription.
    #[error("{resource} does not exist")]
    NotFound {
        /// What was looked for.
        resource: String,
        /// The answer as the SDK tells it.
        source: BoxError,
    },
    /// The local clock is too far off for AWS to accept signed requests.
    #[error("AWS refused {action} because the local clock is wrong")]
    ClockSkewed {
        /// The IAM name of the call.
        action: &'static str,
        /// The answer as the SDK tells it.
        source: BoxError,
    },
    /// Too many calls, also after the SDK's own retries.
    #[error("AWS throttled {action}")]
    Throttled {
        /// The IAM name of the call.
        action: &'static str,
        /// The answer as the SDK tells it.
        source: BoxError,
    },
    /// AWS could not be reached, did not answer in time, or failed on its side.
    #[error("AWS could not be reached for {action}")]
    Unavailable {
        /// The IAM name of the call.
        action: &'static str,
        /// The failure as the SDK tells it.
        source: BoxError,
    },
    /// AWS understood the call and refuses it for another reason.
    #[error("AWS refused {action} on {resource} ({code})")]
    Refused {
        /// The IAM name of the call.
        action: &'static str,
        /// What the call was about.
        resource: String,
        /// AWS's error code.
        code: String,
        /// The answer as the SDK tells it.
        source: BoxError,
    },
    /// An answer without what the service promises to put into it.
    #[error("the answer to {action} has no usable {field}")]
    IncompleteAnswer {
        /// The IAM name of the call.
        action: &'static str,
        /// What is missing or cannot be read.
        field: &'static str,
    },
}

impl AwsError {
    /// Whether the same call can succeed later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable { .. })
    }

    /// What a person does about it, as one sentence.
    pub fn remedy(&self) -> String {
        match self {
            Self::MissingCredentials { .. } => {
                "set `profile` or `role_arn` of the marketplace, or give the process \
                credentials through the environment, the container or the instance"
                    .to_owned()
            }
            Self::RefusedCredentials { .. } => {
                "replace the credentials: they are expired, unknown or of another partition".to_owned()
            }
            Self::AccessDenied { action, resource, .. } => {
                format!("allow `{action}` on {resource} in the IAM policy")
            }
            Self::NotFound { resource, .. } => {
                format!("create {resource}, or correct its name, account and Region in the configuration")
            }
            Self::ClockSkewed { .. } => "set the clock of this machine by NTP".to_owned(),
            Self::Throttled { .. } => {
                "try again in a minute, with fewer other callers of this account".to_owned()
            }
            Self::Unavailable { .. } => {
                "check the network, DNS, proxy and `endpoint_url`, then try again".to_owned()
            }
            Self::Refused { action, .. } => format!("correct what `{action}` was asked, as its message says"),
            Self::IncompleteAnswer { .. } => {
                "check that `endpoint_url` points at AWS or a faithful stand-in".to_owned()
            }
        }
    }

    /// Whether a code says that there were too many calls.
    pub(crate) fn is_throttling(code: &str) -> bool {
        matches!(class_of(code), Class::Throttled)
    }

    /// Names an SDK error.
    pub(crate) fn from_sdk<E>(action: &'static str, resource: &str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let lacks_credentials = has_credentials_error(&error);
        let source: BoxError = Box::new(error);
        let resource = resource.to_owned();
        match (code.map(|code| (class_of(&code), code)), status) {
            _ if lacks_credentials => Self::MissingCredentials { source },
            (Some((Class::Credentials, code)), _) => Self::RefusedCredentials { action, code, source },
            (Some((Class::Denied, _)), _) | (None, Some(403)) => {
                Self::AccessDenied { action, resource, source }
            }
            (Some((Class::NotFound, _)), _) => Self::NotFound { resource, source },
            (Some((Class::Clock, _)), _) => Self::ClockSkewed { action, source },
            (Some((Class::Throttled, _)), _) | (_, Some(429)) => Self::Throttled { action, source },
            (Some((Class::Other, code)), Some(400..=499)) => Self::Refused { action, resource, code, source },
            _ => Self::Unavailable { action, source },
        }
    }
}

enum Class {
    Credentials,
    Denied,
    NotFound,
    Clock,
    Throttled,
    Other,
}

/// The codes of both services' own errors and of the errors that all of AWS shares.
fn class_of(code: &str) -> Class {
    match code {
        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSecurity"
        | "InvalidSignature"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => Class::Credentials,
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "NotAuthorized"
        | "KMSAccessDenied"
        | "KmsAccessDenied" => Class::Denied,
        "AWS.SimpleQueueService.NonExistentQueue"
        | "NotFound"
        | "NotFoundException"
        | "QueueDoesNotExist" => Class::NotFound,
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => Class::Clock,
        "RequestThrottled"
        | "RequestLimitExceeded"
        | "Throttled"
        | "ThrottledException"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException" => Class::Throttled,
        _ => Class::Other,
    }
}

/// An error with its causes, in one line.
pub(crate) fn error_words(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

pub(crate) fn has_credentials_error(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(<dyn StdError>::is::<CredentialsError>)
}
