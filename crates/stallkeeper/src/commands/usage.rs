//! `stallkeeper usage`

mod decide;
mod export;
mod held;
mod import;
mod list;
mod lost;
mod totals;

use std::io::Write;
use std::sync::Arc;

use clap::Subcommand;
use stallkeeper_ledger::{Decision, EventKey, Hour};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::{Store, StoreError};
use stallkeeper_runtime::WallClock;

use crate::config::Config;

pub use self::decide::DecideArgs;
pub use self::export::ExportArgs;
pub use self::held::HeldArgs;
pub use self::import::ImportArgs;
pub use self::list::ListArgs;
pub use self::lost::LostArgs;
pub use self::totals::TotalsArgs;

/// How often in a row a transaction may meet another one before a person should know.
const CONFLICTS_MAX: u32 = 20;

/// What can be done with usage.
#[derive(Debug, Subcommand)]
pub enum UsageCommand {
    /// List what is metered of a subscription, hour by hour.
    List(ListArgs),
    /// List usage that waits: too late for its hour, or before its subscription is confirmed.
    Held(HeldArgs),
    /// List usage that will not be billed, each unit with its reason.
    Lost(LostArgs),
    /// Add up what a subscription's usage comes to: recorded, billed, pending and lost.
    Totals(TotalsArgs),
    /// Take usage in from a file; safe to repeat, as each event counts once.
    Import(ImportArgs),
    /// Write all that is known of a subscription's usage in one month, as evidence in a dispute.
    Export(ExportArgs),
    /// Bill late usage that is held, in the first hour that is open.
    Carry(DecideArgs),
    /// Give up late usage that is held: it is listed as lost.
    WriteOff(DecideArgs),
}

/// Lists, takes in, writes out or decides.
///
/// # Errors
/// When the database cannot be read or written, there is no such subscription, or something is refused.
pub async fn run(
    command: UsageCommand,
    config: &Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let now = Timestamp::from(clock.now());
    match command {
        UsageCommand::List(args) => list::run(&args, &*store, now, out).await,
        UsageCommand::Held(args) => held::run(&args, &*store, now, out).await,
        UsageCommand::Lost(args) => lost::run(&args, &*store, out).await,
        UsageCommand::Totals(args) => totals::run(&args, config, &*store, out).await,
        UsageCommand::Import(args) => import::run(&args, config, &store, &*clock, out).await,
        UsageCommand::Export(args) => export::run(&args, &*store, now, out).await,
        UsageCommand::Carry(args) => decide::run(&args, Decision::Carry, config, &store, now, out).await,
        UsageCommand::WriteOff(args) => {
            decide::run(&args, Decision::WriteOff, config, &store, now, out).await
        }
    }
}

/// How an event is written and named, unless a slash in its tenant's id is in the way.
fn event_name(key: &EventKey) -> String {
    format!("{}/{}/{}", key.product, key.tenant, key.id)
}

/// Reads a time, or a day that stands for its beginning, and answers its hour.
fn hour(text: &str) -> Result<Hour, String> {
    let time: Result<Timestamp, _> = text.parse();
    let day = || format!("{text}T00:00:00Z").parse::<Timestamp>();
    time.or_else(|_| day())
        .map(Hour::of)
        .map_err(|_| "expected a time such as 2026-12-01T13:00:00Z, or a day such as 2026-12-01".to_owned())
}

/// Whether a transaction is to be tried again at once.
fn is_conflict(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict(_))
}
