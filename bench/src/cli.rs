use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{close, drain, entitlements, final_hour, notifications, usage};

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How fast notifications are taken in, beside the limits and the peers.
    Notifications(NotificationsArgs),
    /// How fast usage is taken in over HTTP, beside the database taking the same rows.
    Usage(UsageArgs),
    /// Many subscriptions end at once: all of their usage has to go out inside the window.
    FinalHour(FinalHourArgs),
    /// What closing a full hour costs, with and without history behind it.
    Close(CloseArgs),
    /// How fast it is told who may use what, beside a route that returns a constant.
    Entitlements(EntitlementsArgs),
    /// Serves a constant until it is ended: the limit of entitlements.
    #[command(hide = true)]
    Constant(entitlements::ConstantArgs),
    /// Receives and deletes what a queue holds until it is ended: the first half of the limit.
    #[command(hide = true)]
    Drain(drain::DrainArgs),
}

/// What is measured, and with what.
#[derive(Clone, Debug, Args)]
pub(crate) struct NotificationsArgs {
    /// How many notifications each measurement takes in.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) notifications: u64,
    /// How often each is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// How many notifications pass while memory is looked at; ten times the others where it is not given.
    #[arg(long)]
    pub(crate) memory_notifications: Option<u64>,
    /// Write all that was measured to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) programs: Programs,
}

/// What is measured of usage, and with what.
#[derive(Clone, Debug, Args)]
pub(crate) struct UsageArgs {
    /// How many events each measurement takes in.
    #[arg(long, default_value_t = 200_000)]
    pub(crate) events: u64,
    /// How many tenants they are of.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) tenants: u64,
    /// How often each is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Write all that was measured to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) programs: Programs,
}

/// How many subscriptions end, and with what that is measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct FinalHourArgs {
    /// How many end in the same minute; from 50,000 on that is planned in one process by a clock of its own.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) subscriptions: u64,
    /// Write all that was measured to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) programs: Programs,
}

/// How much is closed.
#[derive(Clone, Debug, Args)]
pub(crate) struct CloseArgs {
    /// How many subscriptions have usage in the hour.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) subscriptions: u64,
    /// How many hours of settled records there are behind it.
    #[arg(long, default_value_t = 24)]
    pub(crate) history_hours: u32,
    /// Write all that was measured to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) programs: Programs,
}

/// How many subscriptions are in memory, and how long they are asked for.
#[derive(Clone, Debug, Args)]
pub(crate) struct EntitlementsArgs {
    /// How many subscriptions there are, each of a tenant of its own.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) subscriptions: u64,
    /// How many seconds each measurement asks.
    #[arg(long, default_value_t = 10)]
    pub(crate) secs: u32,
    /// How often each is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Write all that was measured to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) programs: Programs,
}

/// Where the programs are that take part.
#[derive(Clone, Debug, Args)]
pub(crate) struct Programs {
    /// The built `stallkeeper`.
    #[arg(long, env = "STALLKEEPER_BENCH_BINARY")]
    pub(crate) binary: PathBuf,
    /// The folder of the peers, with what they need installed.
    #[arg(long, env = "STALLKEEPER_BENCH_PEERS")]
    pub(crate) peers: PathBuf,
    /// A Python that has what `rows.py` needs.
    #[arg(long, env = "STALLKEEPER_BENCH_PYTHON")]
    pub(crate) python: PathBuf,
}

/// Does what the command line says.
///
/// # Errors
/// What could not be measured, and why.
pub fn main() -> anyhow::Result<()> {
    // One thread, so that the harness takes little from what it measures, and so that what it starts, which
    // ends with the thread that started it, lives as long as it does.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match Cli::parse().command {
        Command::Notifications(args) => runtime.block_on(notifications::run(&args)),
        Command::Usage(args) => runtime.block_on(usage::run(&args)),
        Command::FinalHour(args) => runtime.block_on(final_hour::run(&args)),
        Command::Close(args) => runtime.block_on(close::run(&args)),
        Command::Entitlements(args) => runtime.block_on(entitlements::run(&args)),
        Command::Constant(args) => entitlements::serve_constant(&args),
        Command::Drain(args) => drain::main(&args),
    }
}
