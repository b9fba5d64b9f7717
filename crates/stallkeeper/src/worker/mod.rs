//! The worker's parts, put together.

mod assembly;
mod handler;
mod housekeeper;
mod metrics;
mod readiness;

pub use assembly::{Role, Worker};
pub use handler::{NotificationHandler, refusal_in_words};
pub use housekeeper::Housekeeper;
pub use readiness::WorkerReadiness;
