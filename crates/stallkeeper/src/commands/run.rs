//! `stallkeeper run`

use clap::Args;

use crate::config::Config;
use crate::simulated_clock::clock_of;
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
pub async fn run(args: RunArgs, config: Config) -> anyhow::Result<()> {
    let (clock, follower) = clock_of(&config).await?;
    let worker = Worker::new(config, clock)?;
    if let Some(follower) = follower {
        worker.follow_clock(follower);
    }
    worker.run(args.role).await
}
