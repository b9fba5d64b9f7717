//! `stallkeeper subscriptions`

mod history;
mod line;
mod list;
mod rebind;
mod show;

use std::io::Write;
use std::sync::Arc;

use clap::Subcommand;
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::Store;
use stallkeeper_runtime::WallClock;

use crate::config::Config;

pub(crate) use self::show::jobs_of;

pub use self::list::ListArgs;
pub use self::rebind::RebindArgs;
pub use self::show::ShowArgs;

/// What can be done with buyers' subscriptions.
#[derive(Debug, Subcommand)]
pub enum SubscriptionsCommand {
    /// List subscriptions in the order of their keys.
    List(ListArgs),
    /// Tell a subscription's story: where it stands, and all that happened to it.
    Show(ShowArgs),
    /// Bind a subscription to another tenant of yours, or to none.
    Rebind(RebindArgs),
}

/// Lists, shows or rebinds.
///
/// # Errors
/// When the database cannot be read or written, or there is no such subscription.
pub async fn run(
    command: SubscriptionsCommand,
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let now = Timestamp::from(clock.now());
    match command {
        SubscriptionsCommand::List(args) => list::run(&args, config, &*store, now, out).await,
        SubscriptionsCommand::Show(args) => show::run(&args, config, &*store, now, out).await,
        SubscriptionsCommand::Rebind(args) => rebind::run(args, config, store, clock, out).await,
    }
}
