//! `stallkeeper run`

use std::sync::Arc;

use clap::Args;
use stallkeeper_runtime::WallClock;

use crate::config::Config;
use crate::worker::{Role, Worker};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What this worker does; with Postgres, several workers may share the work.
    #[arg(long, value_enum, default_value_t)]
    role: Role,
}

/// Runs a worker until it is told to stop.
///
/// # Errors
/// When it cannot start, or a part of it failed.
pub async fn run(args: RunArgs, config: Config, clock: Arc<dyn WallClock>) -> anyhow::Result<()> {
    Worker::new(config, clock).run(args.role).await
}
