#![doc = include_str!("../README.md")]

mod batcher;
mod config;
mod control;
mod deleter;
mod dispatcher;
mod error;
mod handler;
mod health;
mod lease;
mod memory;
mod metrics;
mod pace;
mod poller;
mod putback;
mod queue;
mod receiver;
mod sqs;

pub use crate::config::{ConfigError, PollerConfig};
pub use crate::control::PollerControl;
pub use crate::error::{QueueError, QueueErrorKind};
pub use crate::handler::{Handler, PoisonReason, Verdict};
pub use crate::health::{HealthSnapshot, PollerHealth, Problem, Standing};
pub use crate::memory::MemoryQueue;
pub use crate::poller::{Poller, PollerError};
pub use crate::queue::{
    BATCH_MAX, Depth, EntryFailure, EntryOutcome, Message, MessageId, Queue, ReceiptHandle, VISIBILITY_MAX,
    VisibilityChange,
};
pub use crate::sqs::SqsQueue;
