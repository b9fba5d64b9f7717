//! The command line.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Parser, Subcommand};
use stallkeeper_lifecycle::Timestamp;
use stallkeeper_persistence::Store;
use stallkeeper_runtime::WallClock;

use crate::commands::{
    config, demo, doctor, grants, health, jobs, metering, migrate, quarantine, registrations, run, setup,
    simulate, subscriptions, usage, webhooks,
};
use crate::config::Config;
use crate::simulated_clock::clock_of;
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
    /// See it work: a local marketplace, its buyers and a worker, on a database of its own.
    Demo(demo::DemoArgs),
    /// Serve a local marketplace, with SQS, SNS and a control API, for trying and testing.
    Simulate(simulate::SimulateArgs),
    /// Run the worker: take notifications in, run stored jobs, answer health and metrics.
    Run(run::RunArgs),
    /// Bring the database to this version's schema.
    Migrate,
    /// Subscribe the queues to the marketplaces' topics and write the queues' policies; safe to repeat.
    Setup(setup::SetupArgs),
    /// Check a deployment and say in words what is wrong and what to do.
    Doctor(doctor::DoctorArgs),
    /// Ask the worker on this machine whether it serves, as a container's health check.
    Health(health::HealthArgs),
    /// Look at buyers' subscriptions, or bind them to another tenant.
    #[command(subcommand)]
    Subscriptions(subscriptions::SubscriptionsCommand),
    /// Look at buyers who set up their account.
    #[command(subcommand)]
    Registrations(registrations::RegistrationsCommand),
    /// Look at notifications that could not be understood; replay or discard them.
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Look at stored work; try again what was given up.
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Look at usage and what is billed of it; take it in from a file, write it out, decide on what is held.
    #[command(subcommand)]
    Usage(usage::UsageCommand),
    /// Look at access that you give outside any marketplace; give it, or take it back.
    #[command(subcommand)]
    Grants(grants::GrantsCommand),
    /// Hold metering, let it go on, or see how it fares.
    #[command(subcommand)]
    Metering(metering::MeteringCommand),
    /// Look at deliveries to your systems; test an endpoint, or send something again.
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),
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
        let out = &mut io::stdout();
        match self.command {
            Command::Config(command) => config::run(command, file, out),
            Command::Demo(args) => demo::run(args, out).await,
            Command::Simulate(args) => simulate::run(args, out).await,
            Command::Run(args) => {
                let config = Config::load(file)?;
                logs::init(&config.log)?;
                // By far the largest of all: it holds the worker.
                Box::pin(run::run(args, config)).await
            }
            Command::Migrate => migrate::run(&Config::load(file)?, out).await,
            Command::Setup(args) => setup::run(args, &Config::load(file)?, out).await,
            Command::Doctor(args) => {
                let config = Config::load(file)?;
                let (clock, _) = clock_of(&config).await?;
                doctor::run(args, &config, Timestamp::from(clock.now()), out).await
            }
            Command::Health(args) => health::run(args, file, out).await,
            Command::Subscriptions(command) => {
                let Opened { config, store, clock } = opened(file).await?;
                subscriptions::run(command, &config, store, clock, out).await
            }
            Command::Quarantine(command) => {
                let Opened { config, store, clock } = opened(file).await?;
                quarantine::run(command, &config, store, clock, out).await
            }
            Command::Usage(command) => {
                let Opened { config, store, clock } = opened(file).await?;
                usage::run(command, &config, store, clock, out).await
            }
            Command::Grants(command) => {
                let Opened { config, store, clock } = opened(file).await?;
                grants::run(command, &config, &*store, Timestamp::from(clock.now()), out).await
            }
            Command::Registrations(command) => {
                let Opened { config, store, clock } = opened(file).await?;
                registrations::run(command, &config, &*store, Timestamp::from(clock.now()), out).await
            }
            Command::Metering(command) => {
                let Opened { config, store, clock } = opened(file).await?;
                metering::run(command, &config, store, clock, out).await
            }
            Command::Webhooks(command) => {
                let Opened { config, store, clock } = opened(file).await?;
                webhooks::run(command, &config, &*store, Timestamp::from(clock.now()), out).await
            }
            Command::Jobs(command) => {
                let Opened { store, clock, .. } = opened(file).await?;
                jobs::run(command, store, Timestamp::from(clock.now()), out).await
            }
        }?;
        out.flush()?;
        Ok(())
    }
}

/// What a command needs that looks at the database.
struct Opened {
    config: Config,
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
}

async fn opened(file: Option<&Path>) -> anyhow::Result<Opened> {
    let config = Config::load(file)?;
    let store = store::open_current(config.required_database_url()?).await?;
    let (clock, _) = clock_of(&config).await?;
    Ok(Opened { config, store, clock })
}
