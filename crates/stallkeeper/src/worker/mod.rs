//! The worker's parts, put together.

mod handler;
mod housekeeper;
mod metrics;
mod readiness;
mod worker;

pub use handler::{NotificationHandler, refusal_in_words};
pub use housekeeper::Housekeeper;
pub use readiness::WorkerReadiness;
pub use worker::{Role, Worker};
