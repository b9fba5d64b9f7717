//! `stallkeeper metering`

mod status;

use std::io::Write;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use stallkeeper_ledger::ProductKey;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::Store;
use stallkeeper_runtime::WallClock;

use super::act::ByArgs;
use crate::acts;
use crate::config::Config;

pub use self::status::StatusArgs;

/// What can be done with metering.
#[derive(Debug, Subcommand)]
pub enum MeteringCommand {
    /// Report none of a product's usage until it is released; usage is taken in all the same, and ages.
    Hold(HoldArgs),
    /// Let the metering of a product go on.
    Release(ReleaseArgs),
    /// Show what is held, under what quotas usage is reported, and how the ledger fares.
    Status(StatusArgs),
}

/// Arguments of `metering hold`.
#[derive(Debug, Args)]
pub struct HoldArgs {
    /// The product, by your own key.
    product: ProductKey,
    #[command(flatten)]
    by: ByArgs,
}

/// Arguments of `metering release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The product, by your own key.
    product: ProductKey,
}

/// Holds, releases or shows.
///
/// # Errors
/// When the database cannot be read or written, or no such product is metered.
pub async fn run(
    command: MeteringCommand,
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let now = Timestamp::from(clock.now());
    match command {
        MeteringCommand::Hold(args) => hold(&args, config, &*store, now, out).await,
        MeteringCommand::Release(args) => release(&args, &*store, out).await,
        MeteringCommand::Status(args) => status::run(&args, config, &*store, now, out).await,
    }
}

async fn hold(
    args: &HoldArgs,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let HoldArgs { product, by } = args;
    let is_new = acts::hold(config, store, product, &by.actor(), now).await?;
    let words = if is_new { "now" } else { "already" };
    writeln!(out, "the metering of {product} is held {words}; what is not released in time is lost")?;
    Ok(())
}

async fn release(args: &ReleaseArgs, store: &dyn Store, out: &mut impl Write) -> anyhow::Result<()> {
    let product = &args.product;
    if !store.release_metering(product).await? {
        bail!("the metering of {product} is not held; see `stallkeeper metering status`");
    }
    writeln!(out, "the metering of {product} goes on")?;
    Ok(())
}
