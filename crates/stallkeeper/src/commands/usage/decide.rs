use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use stallkeeper_ledger::{Decision, EventKey, ProductKey};
use stallkeeper_lifecycle::{TenantId, Timestamp};
use stallkeeper_persistence::Store;
use stallkeeper_persistence::usage::DecideError;

use super::event_name;
use crate::acts::decide_one;
use crate::commands::act::ByArgs;
use crate::config::Config;
use crate::table::safe;

/// Arguments of `usage carry` and `usage write-off`.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The events, each as `product/tenant/id`; with `--product` and `--tenant` by their ids alone.
    #[arg(required = true, value_name = "EVENT")]
    events: Vec<String>,
    /// The product of all of them.
    #[arg(long, requires = "tenant")]
    product: Option<ProductKey>,
    /// The tenant of all of them; it takes this for a tenant whose id has a slash.
    #[arg(long, requires = "product")]
    tenant: Option<TenantId>,
    #[command(flatten)]
    by: ByArgs,
}

impl DecideArgs {
    fn keys(&self) -> anyhow::Result<Vec<EventKey>> {
        let key = |event: &String| match (&self.product, &self.tenant) {
            (Some(product), Some(tenant)) => {
                let id = event.parse().with_context(|| format!("{event:?} is no event's id"))?;
                Ok(EventKey { product: product.clone(), tenant: tenant.clone(), id })
            }
            _ => named(event).with_context(|| {
                format!("{event:?} names no event; expected product/tenant/id, as `usage held` lists it")
            }),
        };
        self.events.iter().map(key).collect()
    }
}

fn named(text: &str) -> anyhow::Result<EventKey> {
    let (product, rest) = text.split_once('/').context("a product is missing")?;
    let (tenant, id) = rest.split_once('/').context("a tenant is missing")?;
    Ok(EventKey { product: product.parse()?, tenant: tenant.parse()?, id: id.parse()? })
}

pub(super) async fn run(
    args: &DecideArgs,
    decision: Decision,
    config: &Config,
    store: &Arc<dyn Store>,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (keys, actor) = (args.keys()?, args.by.actor());
    let mut refused = 0_usize;
    for key in &keys {
        let name = safe(&event_name(key));
        match decide_one(key, decision, &actor, config, &**store, now).await {
            Ok(()) => writeln!(out, "{name} {}", done(decision))?,
            // Nothing is known of the others either where the database fails.
            Err(DecideError::Store(error)) => return Err(error.into()),
            Err(error) => {
                refused += 1;
                writeln!(out, "{name} stays as it is: {error}")?;
            }
        }
    }
    if refused > 0 {
        bail!("{refused} of {} events stay as they are; the reasons are named above", keys.len());
    }
    Ok(())
}

fn done(decision: Decision) -> &'static str {
    match decision {
        Decision::Carry => "is carried: it is billed in the first hour that is open",
        Decision::WriteOff => "is written off: it is listed as lost",
    }
}
