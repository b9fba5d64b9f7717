use std::io::Write;

use clap::Args;
use serde::Serialize;
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, SubscriptionKey, TenantId, Timestamp, Word};
use stallkeeper_persistence::{PAGE_MAX, Page, Store, SubscriptionFilter};

use super::line::SubscriptionLine;
use crate::config::Config;
use crate::table::{Screen, print, print_json, relative, safe};

/// Arguments of `subscriptions list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this tenant.
    #[arg(long, group = "filter")]
    tenant: Option<TenantId>,
    /// Only those of this listing, by its code on the marketplace.
    #[arg(long, group = "filter", value_parser = listing, value_name = "MARKETPLACE/CODE")]
    product: Option<Listing>,
    /// Only those whose last announced word is this; a window that has just passed may still be found as `ending`.
    #[arg(long, group = "filter", value_parser = word)]
    word: Option<Word>,
    /// Only what follows this key, which is how to go on where a list ended.
    #[arg(long, value_name = "KEY")]
    after: Option<SubscriptionKey>,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A product code on a marketplace.
type Listing = (MarketplaceName, ProductCode);

fn listing(text: &str) -> Result<Listing, String> {
    let (marketplace, code) =
        text.split_once('/').ok_or("expected a marketplace, a slash and a product code")?;
    let marketplace = marketplace.parse().map_err(|error| format!("{error}"))?;
    Ok((marketplace, code.parse().map_err(|error| format!("{error}"))?))
}

fn word(text: &str) -> Result<Word, String> {
    let words = || Word::ALL.map(Word::as_str).join(", ");
    Word::ALL
        .into_iter()
        .find(|word| word.as_str() == text)
        .ok_or_else(|| format!("expected one of {}", words()))
}

/// A part of the list; the JSON of `subscriptions list`.
#[derive(Debug, Serialize)]
struct List {
    /// In the order of keys.
    subscriptions: Vec<SubscriptionLine>,
    /// What to give as `--after` to go on; null where this is the end.
    next_after: Option<String>,
}

pub(super) async fn run(
    args: &ListArgs,
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let page = Page { after: args.after.clone(), limit: args.limit };
    let records = store.subscriptions(&filter(args), &page).await?;
    let is_full = records.len() >= usize::try_from(args.limit)?;
    let list = List {
        next_after: records.last().filter(|_| is_full).map(|record| record.key.to_string()),
        subscriptions: records.iter().map(|record| SubscriptionLine::of(record, config, now)).collect(),
    };
    if args.json {
        print_json(out, &list)?;
    } else {
        print_list(&list, Screen::detect(), now, out)?;
    }
    Ok(())
}

fn filter(args: &ListArgs) -> SubscriptionFilter {
    match (&args.tenant, &args.product, args.word) {
        (Some(tenant), _, _) => SubscriptionFilter::Tenant(tenant.clone()),
        (_, Some((marketplace, code)), _) => SubscriptionFilter::Listing(marketplace.clone(), code.clone()),
        (_, _, Some(word)) => SubscriptionFilter::Word(word),
        (None, None, None) => SubscriptionFilter::All,
    }
}

fn print_list(list: &List, screen: Screen, now: Timestamp, out: &mut impl Write) -> anyhow::Result<()> {
    if list.subscriptions.is_empty() {
        writeln!(out, "no subscriptions")?;
        return Ok(());
    }
    let mut table =
        screen.table(&["subscription", "product", "word", "access", "tenant", "deadline", "changed"]);
    for line in &list.subscriptions {
        table.add_row([
            safe(&line.key),
            line.product.clone().unwrap_or_else(|| "not configured".to_owned()),
            line.word.to_owned(),
            line.access.to_owned(),
            line.tenant.as_deref().map(safe).unwrap_or_default(),
            line.deadline.map(|deadline| relative(deadline.0, now)).unwrap_or_default(),
            relative(line.updated_at.0, now),
        ]);
    }
    print(out, &table)?;
    if let Some(after) = &list.next_after {
        writeln!(out, "\nthere may be more: --after '{}'", safe(after))?;
    }
    Ok(())
}
