use std::io::Write;

use clap::Args;
use serde::Serialize;
use stallkeeper_ledger::{EventState, HeldReason, UsageEvent};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::EventLine;
use stallkeeper_persistence::{PAGE_MAX, Store};

use super::{event_name, list};
use crate::table::{Rfc3339, Screen, print, print_json, relative, safe, second};

/// Arguments of `usage held`.
#[derive(Debug, Args)]
pub struct HeldArgs {
    /// Only this subscription's, as `marketplace/product/kind/id`.
    key: Option<SubscriptionKey>,
    /// How many at the most.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The JSON of `usage held`.
#[derive(Debug, Serialize)]
struct List {
    /// The first to be lost first.
    held: Vec<HeldRow>,
    /// Whether there may be more.
    is_cut: bool,
}

/// An event that waits.
#[derive(Debug, Serialize)]
struct HeldRow {
    product: String,
    tenant: String,
    /// The app's id of it.
    id: String,
    subscription: String,
    dimension: String,
    quantity: String,
    occurred_at: Rfc3339,
    received_at: Rfc3339,
    /// `late` waits for a person, `before-activation` for the marketplace.
    reason: &'static str,
    /// When it is lost.
    until: Rfc3339,
    /// How `usage carry` and `usage write-off` take it.
    #[serde(skip)]
    name: String,
}

impl HeldRow {
    fn of(event: &UsageEvent) -> Option<Self> {
        let EventState::Held { reason, until } = event.state else { return None };
        Some(Self {
            product: event.key.product.to_string(),
            tenant: event.key.tenant.to_string(),
            id: event.key.id.to_string(),
            subscription: event.subscription.to_string(),
            dimension: event.dimension.to_string(),
            quantity: event.quantity.display(event.scale),
            occurred_at: Rfc3339(event.occurred_at),
            received_at: Rfc3339(event.received_at),
            reason: reason_word(reason),
            until: Rfc3339(until),
            name: event_name(&event.key),
        })
    }
}

pub(super) fn reason_word(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::Late => "late",
        HeldReason::BeforeActivation => "before-activation",
    }
}

pub(super) async fn run(
    args: &HeldArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let found: Vec<EventLine> = store.held_usage(args.key.as_ref(), args.limit).await?;
    if let (true, Some(key)) = (found.is_empty(), &args.key) {
        list::known(store, key).await?;
    }
    let list = List {
        is_cut: found.len() >= usize::try_from(args.limit)?,
        held: found.iter().filter_map(|line| HeldRow::of(&line.event)).collect(),
    };
    if args.json {
        return Ok(print_json(out, &list)?);
    }
    if list.held.is_empty() {
        writeln!(out, "no usage is held")?;
        return Ok(());
    }
    print(out, &table(&list, Screen::detect(), now))?;
    if list.is_cut {
        writeln!(out, "\nthere may be more, which is lost later: --limit")?;
    }
    if list.held.iter().any(|row| row.reason == "late") {
        writeln!(
            out,
            "\ndecide on what is late: `stallkeeper usage carry EVENT` or `usage write-off EVENT`"
        )?;
    }
    Ok(())
}

fn table(list: &List, screen: Screen, now: Timestamp) -> comfy_table::Table {
    let mut table =
        screen.table(&["event", "subscription", "dimension", "quantity", "occurred", "reason", "lost"]);
    for row in &list.held {
        table.add_row([
            safe(&row.name),
            safe(&row.subscription),
            safe(&row.dimension),
            row.quantity.clone(),
            second(row.occurred_at.0),
            row.reason.to_owned(),
            relative(row.until.0, now),
        ]);
    }
    table
}
