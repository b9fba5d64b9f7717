#![doc = include_str!("../README.md")]

mod lane;
mod outbox;
mod policy;
mod runner;
mod wake;

pub use outbox::{Outbox, OutboxConfig};
pub use policy::RetryPolicy;
pub use runner::{FanOut, JobError, JobRunner};
pub use wake::WakeRunner;
