//! What the operators' console needs of the worker: its stores, its configuration, and the acts of the commands.

mod acts;
mod live;
mod reads;

use std::sync::Arc;

use stallkeeper_persistence::{SharedDoor, Store};
use stallkeeper_runtime::WallClock;

use crate::config::Config;
use crate::worker::WorkerReadiness;

/// The console's way to all that it shows and does.
pub struct StoredConsole {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The configuration.
    pub config: Arc<Config>,
    /// The clock.
    pub clock: Arc<dyn WallClock>,
    /// The way through the commit.
    pub door: SharedDoor,
    /// What the process knows of itself.
    pub readiness: Arc<WorkerReadiness>,
}
