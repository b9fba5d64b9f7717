//! The worker's parts, put together.

mod assembly;
mod handler;
mod housekeeper;
mod hush;
mod look_ups;
mod metrics;
mod readiness;

pub use assembly::{Role, Worker};
pub use handler::NotificationHandler;
pub use housekeeper::Housekeeper;
pub use readiness::WorkerReadiness;
