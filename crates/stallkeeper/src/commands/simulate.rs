//! `stallkeeper simulate`

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use stallkeeper_runtime::{Shutdown, Tasks, listen_for_signals};
use stallkeeper_simulator::{Simulator, SimulatorConfig};

use crate::demo::configuration;

/// How long calls that run may go on after it was told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Where it listens; port 0 takes a free one.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 4560)), value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The seed of its ids and its faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave the queue unsubscribed from the topics, to try `stallkeeper setup`.
    #[arg(long)]
    unwired: bool,
    /// Write a worker's configuration for it, `stallkeeper.toml`, into this folder.
    #[arg(long, value_name = "FOLDER")]
    write_config: Option<PathBuf>,
    /// Print one line of JSON that says where it is.
    #[arg(long)]
    json: bool,
}

/// Serves a local marketplace until it is told to stop.
///
/// # Errors
/// When it cannot start, or the configuration cannot be written.
pub async fn run(args: SimulateArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    listen_for_signals(&shutdown, &tasks, GRACE)?;
    let simulator = Simulator::start(SimulatorConfig {
        listen: args.listen,
        seed: args.seed,
        wired: !args.unwired,
        ..SimulatorConfig::default()
    })
    .await?;
    let config = match &args.write_config {
        None => None,
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("--write-config: cannot make {}", folder.display()))?;
            Some(configuration::write(&simulator, &folder.canonicalize()?)?)
        }
    };
    if args.json {
        writeln!(out, "{}", json!({ "url": simulator.url(), "config": config }))?;
    } else {
        tell(&simulator, config, out)?;
    }
    out.flush()?;
    shutdown.soft.cancelled().await;
    simulator.stop().await;
    shutdown.stop_now();
    Ok(())
}

fn tell(simulator: &Simulator, config: Option<PathBuf>, out: &mut impl Write) -> std::io::Result<()> {
    let url = simulator.url();
    writeln!(out, "a marketplace is open at {url}\n")?;
    for queue in simulator.queues().all() {
        writeln!(out, "  queue    {}", queue.url())?;
    }
    for product in simulator.market().products() {
        writeln!(out, "  product  {} ({})", product.key, product.code)?;
    }
    writeln!(out, "\nmake somebody buy:")?;
    writeln!(
        out,
        "  curl {url}/control/acts --json '{{\"act\": \"subscribe\", \"buyer\": \"aurora\", \"product\": \"search\"}}'"
    )?;
    writeln!(out, "see what else there is:\n  curl {url}/control/")?;
    match config {
        Some(path) => writeln!(out, "run a worker:\n  stallkeeper --config {} run", path.display()),
        None => writeln!(out, "for a worker's configuration, start with --write-config FOLDER"),
    }
}
