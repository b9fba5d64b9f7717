//! `stallkeeper simulate`

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use stallkeeper_runtime::{Shutdown, Tasks, listen_for_signals};
use stallkeeper_simulator::{Feed, Pricing, Product, Simulator, SimulatorConfig};
use url::Url;

use crate::demo::configuration;
use crate::simulated_clock::drawn;

/// How long calls that run may go on after it was told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Where it listens; port 0 takes a free one.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 4560)), value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where others reach it, such as `http://simulator:4560` [default: the address that it listens on]
    #[arg(long, value_parser = site)]
    url: Option<Url>,
    /// The seed of its ids and its faults, to see a run again [default: drawn at each start, and printed]
    #[arg(long)]
    seed: Option<u64>,
    /// Leave the queue unsubscribed from the topics, to try `stallkeeper setup`.
    #[arg(long)]
    unwired: bool,
    /// Sell the contract `plan` too, besides what is paid by use.
    #[arg(long)]
    contract: bool,
    /// Where the shop sends buyers who set up their account, such as `http://127.0.0.1:8080/register/aws`.
    #[arg(long, value_name = "URL")]
    fulfilment_url: Option<Url>,
    /// Write a worker's configuration for it, `stallkeeper.toml`, into this folder; the key that signs is kept
    /// there too, for the next start.
    #[arg(long, value_name = "FOLDER")]
    write_config: Option<PathBuf>,
    /// Print one line of JSON that says where it is.
    #[arg(long)]
    json: bool,
}

/// Serves a local marketplace until it is told to stop.
///
/// # Errors
/// When it cannot start, the folder holds a configuration of somebody's own, or the configuration cannot be written.
pub async fn run(args: SimulateArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    listen_for_signals(&shutdown, &tasks, GRACE)?;
    warn_of(args.listen);
    let folder = args.write_config.as_deref();
    let signer = folder.map(configuration::prepare).transpose().context("--write-config")?.flatten();
    // Half of what is drawn is enough, is shorter to type, and is exact in every reader of JSON.
    let seed = args.seed.unwrap_or_else(|| drawn() >> 32);
    let mut products = SimulatorConfig::default().products;
    if args.contract {
        products.push(Product::new("plan", "simplan", Feed::Sns, Pricing::Contract));
    }
    if let Some(url) = &args.fulfilment_url {
        products = products.into_iter().map(|product| product.with_fulfilment_url(url.as_str())).collect();
    }
    let simulator = Simulator::start(SimulatorConfig {
        products,
        listen: args.listen,
        url: args.url.map(String::from),
        seed,
        signer: signer.map(Arc::new),
        wired: !args.unwired,
        ..SimulatorConfig::default()
    })
    .await?;
    let config =
        folder.map(|folder| write_config(&simulator, folder)).transpose().context("--write-config")?;
    if args.json {
        writeln!(out, "{}", json!({ "url": simulator.url(), "seed": seed, "config": config }))?;
    } else {
        tell(&simulator, seed, config, out)?;
    }
    out.flush()?;
    shutdown.soft.cancelled().await;
    simulator.stop().await;
    shutdown.stop_now();
    Ok(())
}

/// What calls can be made to: a name and its port behind `http://` or `https://`.
fn site(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let is_site = matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none();
    if is_site { Ok(url) } else { Err("give http://, a name and a port, and nothing behind them".to_owned()) }
}

#[expect(clippy::print_stderr, reason = "one line for whoever starts it, as it keeps no log")]
fn warn_of(listen: SocketAddr) {
    if !listen.ip().is_loopback() {
        eprintln!("stallkeeper: {listen} is open to the network, and the simulator asks nobody who they are");
    }
}

fn write_config(simulator: &Simulator, folder: &Path) -> anyhow::Result<PathBuf> {
    let folder = folder.canonicalize()?;
    configuration::keep_signer(simulator, &folder)?;
    configuration::write(simulator, &folder, None)
}

fn tell(
    simulator: &Simulator,
    seed: u64,
    config: Option<PathBuf>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let url = simulator.url();
    writeln!(out, "a marketplace is open at {url}\n")?;
    for queue in simulator.queues().all() {
        writeln!(out, "  queue    {}", queue.url())?;
    }
    for product in simulator.market().products() {
        writeln!(out, "  product  {} ({})", product.key, product.code)?;
    }
    writeln!(out, "  shop     {url}/shop")?;
    writeln!(out, "  seed     {seed}")?;
    writeln!(out, "\nmake somebody buy:")?;
    writeln!(
        out,
        "  curl {url}/control/acts -d '{{\"act\": \"subscribe\", \"buyer\": \"aurora\", \"product\": \"search\"}}'"
    )?;
    writeln!(out, "see what else there is:\n  curl {url}/control/")?;
    match config {
        Some(path) => writeln!(out, "run a worker:\n  stallkeeper --config {} run", path.display()),
        None => writeln!(out, "for a worker's configuration, start with --write-config FOLDER"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_reach_it_by_a_name_and_a_port_behind_http() {
        assert!(site("http://simulator:4560").is_ok() && site("https://simulator").is_ok());
        for text in ["simulator:4560", "simulator", "http://simulator/path", "http://simulator?a=b"] {
            assert!(site(text).is_err(), "{text}");
        }
    }
}
