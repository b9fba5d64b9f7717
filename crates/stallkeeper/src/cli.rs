//! The command line.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::Store;
use stallkeeper_runtime::{SystemClock, WallClock};

use crate::commands::{config, doctor, jobs, migrate, quarantine, run, setup, subscriptions};
use crate::config::Config;
use crate::{logs, store};

/// Keeps a SaaS seller's stall on the cloud marketplaces.
#[derive(Debug, Parser)]
#[command(name = "stallkeeper", version, about, max_term_width = 100)]
pub struct Cli {
    /// The configuration file; without one, defaults and STALLKEEPER_ variables count.
    #[arg(long, short, global = true, env = "STALLKEEPER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the worker: take notifications in, run stored jobs, answer health and metrics.
    Run(run::RunArgs),
    /// Bring the database to this version's schema.
    Migrate,
    /// Subscribe the queues to the marketplaces' topics and write the queues' policies; safe to repeat.
    Setup(setup::SetupArgs),
    /// Check a deployment and say in words what is wrong and what to do.
    Doctor(doctor::DoctorArgs),
    /// Look at buyers' subscriptions, or bind them to another tenant.
    #[command(subcommand)]
    Subscriptions(subscriptions::SubscriptionsCommand),
    /// Look at notifications that could not be understood; replay or discard them.
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Look at stored work; try again what was given up.
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Check the configuration, or print the documented defaults.
    #[command(subcommand)]
    Config(config::ConfigCommand),
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// What went wrong, in words that say what to do.
    pub async fn run(self) -> anyhow::Result<()> {
        let file = self.config.as_deref();
        let clock: Arc<dyn WallClock> = Arc::new(SystemClock);
        let now = Timestamp::from(clock.now());
        let out = &mut io::stdout();
        match self.command {
            Command::Config(command) => config::run(command, file, out),
            Command::Run(args) => {
                let config = Config::load(file)?;
                logs::init(&config.log)?;
                run::run(args, config, clock).await
            }
            Command::Migrate => migrate::run(&Config::load(file)?, out).await,
            Command::Setup(args) => setup::run(args, &Config::load(file)?, out).await,
            Command::Doctor(args) => doctor::run(args, &Config::load(file)?, now, out).await,
            Command::Subscriptions(command) => {
                let (config, store) = opened(file).await?;
                subscriptions::run(command, &config, store, clock, out).await
            }
            Command::Quarantine(command) => {
                let (config, store) = opened(file).await?;
                quarantine::run(command, &config, store, clock, out).await
            }
            Command::Jobs(command) => {
                let (_, store) = opened(file).await?;
                jobs::run(command, store, now, out).await
            }
        }?;
        out.flush()?;
        Ok(())
    }
}

async fn opened(file: Option<&std::path::Path>) -> anyhow::Result<(Config, Arc<dyn Store>)> {
    let config = Config::load(file)?;
    let store = store::open_current(config.required_database_url()?).await?;
    Ok((config, store))
}
