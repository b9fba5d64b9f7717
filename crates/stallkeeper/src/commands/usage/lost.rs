use std::io::Write;

use clap::Args;
use serde::Serialize;
use stallkeeper_lifecycle::SubscriptionKey;
use stallkeeper_persistence::usage::LossLine;
use stallkeeper_persistence::{PAGE_MAX, Page, Store};

use super::{event_name, list};
use crate::table::{Rfc3339, Screen, print, print_json, safe, second};

/// Arguments of `usage lost`.
#[derive(Debug, Args)]
pub struct LostArgs {
    /// Only this subscription's, as `marketplace/product/kind/id`.
    key: Option<SubscriptionKey>,
    /// Only what follows this line, by its number, which is how to go on where a list ended.
    #[arg(long, value_name = "NUMBER")]
    after: Option<i64>,
    /// How many at the most.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A part of the list; the JSON of `usage lost`.
#[derive(Debug, Serialize)]
struct List {
    /// In the order in which they were found.
    losses: Vec<LossRow>,
    /// What to give as `--after` to go on; null where this is the end.
    next_after: Option<i64>,
}

/// Usage that is not billed.
#[derive(Debug, Serialize)]
pub(super) struct LossRow {
    /// Its number in the database.
    number: i64,
    subscription: String,
    /// What the marketplace calls the dimension.
    dimension: String,
    /// The beginning of the hour in which it was used or to be billed.
    hour: Rfc3339,
    quantity: String,
    /// A word such as `expired` or `written_off`.
    reason: &'static str,
    /// When that was found.
    at: Rfc3339,
    /// The event, as `product/tenant/id`, where it was lost by itself.
    event: Option<String>,
    /// More, in words.
    detail: String,
    /// When it turned out to be billed all the same.
    recovered_at: Option<Rfc3339>,
}

impl LossRow {
    pub(super) fn of(line: &LossLine) -> Self {
        let LossLine { number, loss, recovered_at } = line;
        Self {
            number: *number,
            subscription: loss.subscription.to_string(),
            dimension: loss.dimension.to_string(),
            hour: Rfc3339(loss.hour.start()),
            quantity: loss.parts.display(loss.scale),
            reason: loss.reason.as_str(),
            at: Rfc3339(loss.at),
            event: loss.event.as_ref().map(event_name),
            detail: loss.detail.clone(),
            recovered_at: recovered_at.map(Rfc3339),
        }
    }

    fn more_in_words(&self) -> String {
        let recovered =
            self.recovered_at.map(|at| format!("billed all the same, as was heard at {}", second(at.0)));
        let parts =
            [self.event.clone(), Some(self.detail.clone()).filter(|text| !text.is_empty()), recovered];
        safe(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

pub(super) async fn run(args: &LostArgs, store: &dyn Store, out: &mut impl Write) -> anyhow::Result<()> {
    let page = Page { after: args.after, limit: args.limit };
    let found = store.losses(args.key.as_ref(), &page).await?;
    if let (true, Some(key)) = (found.is_empty(), &args.key) {
        list::known(store, key).await?;
    }
    let is_full = found.len() >= usize::try_from(args.limit)?;
    let list = List {
        next_after: found.last().filter(|_| is_full).map(|line| line.number),
        losses: found.iter().map(LossRow::of).collect(),
    };
    if args.json {
        return Ok(print_json(out, &list)?);
    }
    if list.losses.is_empty() {
        writeln!(out, "nothing is lost")?;
        return Ok(());
    }
    print(out, &table(&list, Screen::detect()))?;
    if let Some(after) = list.next_after {
        writeln!(out, "\nthere may be more: --after {after}")?;
    }
    Ok(())
}

fn table(list: &List, screen: Screen) -> comfy_table::Table {
    let mut table =
        screen.table(&["hour", "subscription", "dimension", "quantity", "reason", "found", "more"]);
    for row in &list.losses {
        table.add_row([
            row.hour.0.to_string(),
            safe(&row.subscription),
            safe(&row.dimension),
            row.quantity.clone(),
            row.reason.to_owned(),
            second(row.at.0),
            row.more_in_words(),
        ]);
    }
    table
}
