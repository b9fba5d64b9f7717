//! `stallkeeper webhooks`

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::{Delivery, DeliveryFilter, DeliveryRecord, PAGE_MAX, Page, Store};

use super::act::ByArgs;
use crate::acts;
use crate::config::Config;
use crate::table::{Rfc3339, Screen, print, print_json, safe, when};
use crate::webhooks::channels;

/// What can be done with deliveries to your systems.
#[derive(Debug, Subcommand)]
pub enum WebhooksCommand {
    /// List attempts to deliver, the newest first.
    List(ListArgs),
    /// Send a test to an endpoint, now and from this machine.
    Test(TestArgs),
    /// Send a delivery again, with the same id and body.
    Replay(ReplayArgs),
}

/// Arguments of `webhooks list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those about this subscription, as `marketplace/product/kind/id`.
    #[arg(long, conflicts_with_all = ["endpoint", "failed"], value_name = "KEY")]
    subscription: Option<SubscriptionKey>,
    /// Only those to this endpoint.
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Only those that failed.
    #[arg(long)]
    failed: bool,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Only what is older than this one, which is how to go on where a list ended.
    #[arg(long, value_name = "NUMBER")]
    after: Option<i64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `webhooks test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The endpoint's name; `sns` is the topic of `[sns_events]`.
    endpoint: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `webhooks replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The message's id, as `webhooks list` shows it.
    message: String,
    #[command(flatten)]
    by: ByArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Lists, tests or sends again.
///
/// # Errors
/// When the database cannot be read or written, there is no such endpoint or delivery, or a test was not taken.
pub async fn run(
    command: WebhooksCommand,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        WebhooksCommand::List(args) => list(args, store, now, out).await,
        WebhooksCommand::Test(args) => test(&args, config, now, out).await,
        WebhooksCommand::Replay(args) => replay(&args, store, now, out).await,
    }
}

/// A part of the log; the JSON of `webhooks list`.
#[derive(Debug, Serialize)]
struct List {
    /// The attempts, the newest first.
    attempts: Vec<AttemptLine>,
    /// What to give as `--after` to go on; null where this is the end.
    next_after: Option<i64>,
}

/// One attempt.
#[derive(Debug, Serialize)]
struct AttemptLine {
    /// Counts up in the order of storing.
    number: i64,
    /// The message's id.
    message: String,
    /// What it tells.
    event: String,
    /// The endpoint's name.
    endpoint: String,
    /// The subscription's key.
    subscription: String,
    /// The subscription's sequence.
    sequence: u64,
    /// Which attempt it was.
    attempt: i32,
    /// When it was made.
    at: Rfc3339,
    /// How long it took.
    took_ms: u128,
    /// The status that took it.
    status: Option<u16>,
    /// Why nobody did.
    error: Option<String>,
}

impl AttemptLine {
    fn of(record: DeliveryRecord) -> Self {
        let DeliveryRecord { number, delivery } = record;
        let Delivery { message, event, endpoint, key, sequence, attempt, at, took, outcome, .. } = delivery;
        Self {
            number,
            message,
            event,
            endpoint,
            subscription: key.to_string(),
            sequence,
            attempt,
            at: Rfc3339(at),
            took_ms: took.as_millis(),
            status: outcome.as_ref().ok().copied(),
            error: outcome.err(),
        }
    }
}

async fn list(args: ListArgs, store: &dyn Store, now: Timestamp, out: &mut impl Write) -> anyhow::Result<()> {
    let ListArgs { subscription, endpoint, failed, limit, after, json } = args;
    let page = Page { after, limit };
    let records = match &subscription {
        Some(key) => store.deliveries_of(key, &page).await?,
        None => store.deliveries(&DeliveryFilter { endpoint, failed_only: failed }, &page).await?,
    };
    let is_full = records.len() >= usize::try_from(limit)?;
    let attempts: Vec<_> = records.into_iter().map(AttemptLine::of).collect();
    let next_after = attempts.last().filter(|_| is_full).map(|line| line.number);
    if json {
        return Ok(print_json(out, &List { attempts, next_after })?);
    }
    if attempts.is_empty() {
        writeln!(out, "no deliveries")?;
        return Ok(());
    }
    let headers = ["message", "event", "endpoint", "subscription", "attempt", "when", "outcome"];
    let mut table = Screen::detect().table(&headers);
    for line in &attempts {
        let status = line.status.map(|status| status.to_string());
        table.add_row([
            safe(&line.message),
            safe(&line.event),
            safe(&line.endpoint),
            safe(&line.subscription),
            line.attempt.to_string(),
            when(line.at.0, now),
            status.or_else(|| line.error.as_deref().map(safe)).unwrap_or_default(),
        ]);
    }
    print(out, &table)?;
    if let Some(after) = next_after {
        writeln!(out, "\nthere may be more: --after {after}")?;
    }
    Ok(())
}

/// What came of a test; the JSON of `webhooks test`.
#[derive(Debug, Serialize)]
struct Tested<'a> {
    endpoint: &'a str,
    status: u16,
}

async fn test(args: &TestArgs, config: &Config, now: Timestamp, out: &mut impl Write) -> anyhow::Result<()> {
    let (channels, endpoint) = (channels(config).await?, &args.endpoint);
    let status = match acts::try_endpoint(&channels, endpoint, now).await {
        Some(Ok(status)) => status,
        Some(Err(why)) => bail!("{endpoint} did not take the test: {why}"),
        None => {
            let names: Vec<&str> = channels.names().collect();
            bail!("no endpoint is called {endpoint}; the configuration has: {}", names.join(", "))
        }
    };
    if args.json {
        return Ok(print_json(out, &Tested { endpoint, status })?);
    }
    writeln!(out, "{endpoint} took the test and answered {status}")?;
    Ok(())
}

/// What is sent again; the JSON of `webhooks replay`.
#[derive(Debug, Serialize)]
struct Replayed {
    message: String,
    event: String,
    endpoint: String,
}

async fn replay(
    args: &ReplayArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let Delivery { message, event, endpoint, .. } =
        acts::redeliver(store, &args.message, args.by.actor(), now).await?;
    if args.json {
        return Ok(print_json(out, &Replayed { message, event, endpoint })?);
    }
    writeln!(out, "{event} is due for {} again; a running worker sends it within seconds", safe(&endpoint))?;
    Ok(())
}
