use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{drain, notifications};

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How fast notifications are taken in, beside the limits and the peers.
    Notifications(NotificationsArgs),
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
        Command::Drain(args) => drain::main(&args),
    }
}
