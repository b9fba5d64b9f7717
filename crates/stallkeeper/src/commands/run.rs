//! `stallkeeper run`

use clap::Args;
use stallkeeper_metering::Mode;

use crate::config::Config;
use crate::simulated_clock::clock_of;
use crate::worker::{Role, Worker};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What this worker does; with Postgres, several workers may share the work.
    #[arg(long, value_enum, default_value_t)]
    role: Role,
    /// Send no usage to any marketplace: hours are closed and records frozen, and in the end they are lost.
    #[arg(long)]
    dry_run: bool,
}

/// Runs a worker until it is told to stop.
///
/// # Errors
/// When it cannot start, or a part of it failed.
pub async fn run(args: RunArgs, config: Config) -> anyhow::Result<()> {
    let (clock, follower) = clock_of(&config).await?;
    let metering = if args.dry_run { Mode::DryRun } else { Mode::Send };
    let worker = Worker::new(config, clock)?.with_metering(metering);
    if let Some(follower) = follower {
        worker.follow_clock(follower);
    }
    worker.run(args.role).await
}
