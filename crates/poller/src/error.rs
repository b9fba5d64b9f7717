//! What can be wrong with a queue, and what to do about it.

use std::{error::Error, fmt};

type Source = Box<dyn Error + Send + Sync>;

/// A call to the queue failed.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct QueueError {
    kind: QueueErrorKind,
    source: Option<Source>,
}

impl QueueError {
    /// An error of this kind whose cause is `source`.
    pub fn new(kind: QueueErrorKind, source: impl Into<Source>) -> Self {
        Self { kind, source: Some(source.into()) }
    }

    /// What is wrong.
    pub fn kind(&self) -> QueueErrorKind {
        self.kind
    }

    /// What to do about it, for an operator.
    pub fn remedy(&self) -> &'static str {
        self.kind.remedy()
    }

    /// The error with all of its causes, in one line.
    pub(crate) fn chain(&self) -> String {
        stallkeeper_runtime::error_chain(self)
    }
}

impl From<QueueErrorKind> for QueueError {
    fn from(kind: QueueErrorKind) -> Self {
        Self { kind, source: None }
    }
}

/// What is wrong with a queue; each needs another remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueErrorKind {
    /// No credentials could be found.
    MissingCredentials,
    /// There are credentials, but the service does not take them.
    InvalidCredentials,
    /// The queue's address leads nowhere.
    QueueNotFound,
    /// The credentials are good, but must not do this.
    AccessDenied,
    /// The service asks for fewer calls, or too many messages are in flight.
    Throttled,
    /// No answer, or an answer of an ill service.
    Unavailable,
    /// The service understood and refused; the request itself is wrong.
    Refused,
}

impl QueueErrorKind {
    /// A stable word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingCredentials => "missing_credentials",
            Self::InvalidCredentials => "invalid_credentials",
            Self::QueueNotFound => "queue_not_found",
            Self::AccessDenied => "access_denied",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
        }
    }

    /// What to do about it, for an operator.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::MissingCredentials => {
                "give the worker AWS credentials: a role of the task or instance, a profile, or the environment \
                 variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            }
            Self::InvalidCredentials => {
                "renew the AWS credentials; if they are good, check this machine's clock and the region"
            }
            Self::QueueNotFound => {
                "check the queue URL, its region and its account; create the queue if it does not exist"
            }
            Self::AccessDenied => {
                "allow sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and \
                 sqs:GetQueueAttributes on the queue, and kms:Decrypt if it is encrypted with a key of your own"
            }
            Self::Throttled => {
                "nothing at once, the worker slows down by itself; if it lasts, look for other consumers of this \
                 queue and for messages stuck in flight"
            }
            Self::Unavailable => {
                "nothing if it is short, the worker tries again; if it lasts, check network, proxy, endpoint and \
                 the service's status page"
            }
            Self::Refused => {
                "check the queue URL, the region and the kind of queue; the cause names what is refused"
            }
        }
    }

    /// Whether the poller cannot do its work while this lasts.
    pub fn blocks_readiness(self) -> bool {
        self != Self::Throttled
    }
}

impl fmt::Display for QueueErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingCredentials => "no AWS credentials were found",
            Self::InvalidCredentials => "the AWS credentials are not accepted",
            Self::QueueNotFound => "the queue does not exist",
            Self::AccessDenied => "access to the queue is denied",
            Self::Throttled => "the queue asks for fewer calls",
            Self::Unavailable => "the queue cannot be reached",
            Self::Refused => "the queue refuses the request",
        })
    }
}
