//! `stallkeeper setup`

use std::io::Write;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;
use stallkeeper_aws::{PolicyAct, SetupError, SetupReport, SubscriptionAct, Wanted};
use stallkeeper_lifecycle::MarketplaceName;

use crate::config::{Config, Marketplace};

/// Arguments of `setup`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Set up this marketplace only.
    #[arg(long, value_name = "NAME")]
    marketplace: Option<MarketplaceName>,
}

/// Lets the marketplaces' topics send to the queues and subscribes the queues to them; safe to repeat.
///
/// # Errors
/// When a marketplace could not be set up, after the others were tried.
pub async fn run(args: SetupArgs, config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let mut report = Report { ok: true, marketplaces: Vec::new() };
    for (marketplace, wanted) in chosen(config, args.marketplace.as_ref())? {
        let outcome = set_up(marketplace, &wanted).await;
        report.ok &= matches!(outcome, Outcome::Done(_));
        report.marketplaces.push(Entry { marketplace: marketplace.name.clone(), outcome });
    }
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        report.print(out)?;
    }
    out.flush()?;
    ensure!(report.ok, "could not set up: {}", report.failed().join(", "));
    Ok(())
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    marketplaces: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    marketplace: MarketplaceName,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Done(SetupReport),
    Failed { error: String, remedy: String },
}

/// The marketplaces that have a queue, or the one that was named, with what their queues need.
fn chosen<'a>(
    config: &'a Config,
    name: Option<&MarketplaceName>,
) -> anyhow::Result<Vec<(&'a Marketplace, Wanted)>> {
    if let Some(name) = name {
        let marketplace = config.marketplace(name).with_context(|| unknown(config, name))?;
        let wanted = marketplace
            .wanted()
            .with_context(|| format!("the marketplace {name} has no queue, so there is nothing to set up"))?;
        return Ok(vec![(marketplace, wanted)]);
    }
    let with_queue = |marketplace: &'a Marketplace| Some((marketplace, marketplace.wanted()?));
    let chosen: Vec<_> = config.marketplaces.iter().filter_map(with_queue).collect();
    if chosen.is_empty() {
        bail!(
            "no marketplace has a queue_url, so there is nothing to set up; see `stallkeeper config default`"
        );
    }
    Ok(chosen)
}

fn unknown(config: &Config, name: &MarketplaceName) -> String {
    let known: Vec<&str> = config.marketplaces.iter().map(|marketplace| marketplace.name.as_str()).collect();
    format!("no marketplace is called {name}; configured: {}", known.join(", "))
}

async fn set_up(marketplace: &Marketplace, wanted: &Wanted) -> Outcome {
    let account = marketplace.account();
    let config = stallkeeper_aws::sdk_config(&account).await;
    let sqs = stallkeeper_aws::sqs_client(&config, &account);
    let sns = stallkeeper_aws::sns_client(&config, &account);
    match stallkeeper_aws::setup(&sqs, &sns, wanted).await {
        Ok(report) => Outcome::Done(report),
        Err(error) => failed(error),
    }
}

fn failed(error: SetupError) -> Outcome {
    let remedy = error.remedy();
    Outcome::Failed { error: format!("{:#}", anyhow::Error::from(error)), remedy }
}

impl Report {
    fn failed(&self) -> Vec<&str> {
        let failed = self.marketplaces.iter().filter(|entry| matches!(entry.outcome, Outcome::Failed { .. }));
        failed.map(|entry| entry.marketplace.as_str()).collect()
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        for entry in &self.marketplaces {
            match &entry.outcome {
                Outcome::Done(report) => print_done(&entry.marketplace, report, out)?,
                Outcome::Failed { error, remedy } => {
                    writeln!(out, "✗ {}: {error}\n  → {remedy}", entry.marketplace)?;
                }
            }
        }
        if self.ok {
            writeln!(out, "\nNext: `stallkeeper doctor` looks at all that a worker needs.")?;
        }
        Ok(())
    }
}

fn print_done(
    marketplace: &MarketplaceName,
    report: &SetupReport,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let policy = match report.policy {
        PolicyAct::AlreadyRight => "already right",
        PolicyAct::Written => "written",
    };
    let topics = report
        .topics
        .iter()
        .map(|topic| (format!("subscription to {}", topic.topic), act(&topic.subscription)));
    let lines: Vec<_> = std::iter::once(("policy of the queue".to_owned(), policy)).chain(topics).collect();
    let width = lines.iter().map(|(what, _)| what.len()).max().unwrap_or_default();
    writeln!(out, "✓ {marketplace}: {}", report.queue)?;
    for (what, act) in lines {
        writeln!(out, "  {what:width$}  {act}")?;
    }
    Ok(())
}

fn act(act: &SubscriptionAct) -> &'static str {
    match act {
        SubscriptionAct::AlreadyRight { .. } => "already right",
        SubscriptionAct::Created { .. } => "created",
        SubscriptionAct::Ensured { .. } => "there now",
        SubscriptionAct::Pending => {
            "waits to be confirmed: run this with credentials of the queue's own account"
        }
    }
}
