//! The command line of `cargo xtask chaos`.

use std::process::ExitCode;

use clap::Parser;
use stallkeeper_tests::chaos::{self, Plan};

/// Runs workers through kills, database restarts, dropped connections, queue faults and clock jumps, and holds
/// the outcome against the marketplace's books.
#[derive(Debug, Parser)]
#[command(name = "chaos")]
struct Cli {
    /// How many notifications are published at the least.
    #[arg(long, default_value_t = 50_000)]
    notifications: u64,
    /// How often a worker is killed.
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// How often Postgres is stopped and started.
    #[arg(long, default_value_t = 5)]
    restarts: usize,
    /// How many workers there are.
    #[arg(long, default_value_t = 3, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=20))]
    workers: usize,
    /// The seed of all that happens.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

// One thread: what is started ends with the thread that started it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { notifications, kills, restarts, workers, seed } = Cli::parse();
    let report = chaos::run(&Plan { notifications, kills, restarts, workers, seed }).await;
    println!("\n{report}");
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
