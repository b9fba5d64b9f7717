use std::io::Write;

use clap::Args;
use serde::Serialize;
use stallkeeper_ledger::{MeterTerms, Scale, SubUnits};
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::Store;
use stallkeeper_persistence::usage::{MeterTermsOf, UsageSum};

use super::list;
use crate::config::Config;
use crate::table::{Screen, print, print_json, safe};

/// Arguments of `usage totals`.
#[derive(Debug, Args)]
pub struct TotalsArgs {
    /// The subscription, as `marketplace/product/kind/id`.
    key: SubscriptionKey,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The JSON of `usage totals`.
#[derive(Debug, Serialize)]
struct Totals {
    subscription: String,
    /// By dimension.
    totals: Vec<Total>,
}

/// What the usage of one dimension comes to.
#[derive(Debug, Serialize)]
struct Total {
    /// The seller's name of the dimension; null where it is not configured any more.
    dimension: Option<String>,
    /// What the marketplace calls it.
    api_name: String,
    /// What the app reported.
    recorded: String,
    /// What the marketplace took.
    billed: String,
    /// What is still to be billed.
    pending: String,
    /// What will not be.
    lost: String,
}

impl Total {
    fn of(sum: &UsageSum, terms: Option<&MeterTerms>) -> Self {
        let found = terms.and_then(|terms| terms.by_api_name(&sum.dimension));
        let scale = found.map_or(Scale::WHOLE, |(_, terms)| terms.scale);
        let in_units = |parts: SubUnits| parts.display(scale);
        Self {
            dimension: found.map(|(name, _)| name.to_string()),
            api_name: sum.dimension.to_string(),
            recorded: in_units(sum.recorded),
            billed: in_units(sum.billed),
            pending: in_units(sum.recorded.minus(sum.billed).minus(sum.lost)),
            lost: in_units(sum.lost),
        }
    }
}

pub(super) async fn run(
    args: &TotalsArgs,
    config: &Config,
    store: &dyn Store,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let sums = store.usage_sums(&args.key).await?;
    if sums.is_empty() {
        list::known(store, &args.key).await?;
    }
    let terms = config.meter_terms(&args.key);
    let totals = sums.iter().map(|sum| Total::of(sum, terms.as_deref())).collect();
    let totals = Totals { subscription: args.key.to_string(), totals };
    if args.json {
        return Ok(print_json(out, &totals)?);
    }
    if totals.totals.is_empty() {
        writeln!(out, "no usage was reported")?;
        return Ok(());
    }
    let mut table = Screen::detect().table(&["dimension", "recorded", "billed", "pending", "lost"]);
    for total in &totals.totals {
        table.add_row([
            safe(total.dimension.as_deref().unwrap_or(&total.api_name)),
            total.recorded.clone(),
            total.billed.clone(),
            total.pending.clone(),
            total.lost.clone(),
        ]);
    }
    Ok(print(out, &table)?)
}
