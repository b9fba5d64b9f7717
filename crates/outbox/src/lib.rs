#![doc = include_str!("../README.md")]

mod outbox;
mod policy;
mod runner;
mod wake;

pub use outbox::{Outbox, OutboxConfig};
pub use policy::RetryPolicy;
pub use runner::{JobError, JobRunner};
pub use wake::WakeRunner;
