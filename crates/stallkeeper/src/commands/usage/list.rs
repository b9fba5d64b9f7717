use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use stallkeeper_ledger::{Hour, Record, RecordState};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::{RecordFilter, RecordLine};
use stallkeeper_persistence::{PAGE_MAX, Page, Store};

use super::hour;
use crate::table::{Rfc3339, Screen, print, print_json, relative, safe};

/// How far back a list begins where nothing is said.
const LOOK_BACK: Duration = Duration::from_hours(72);

/// How far ahead it goes: a leaving buyer's last usage may be put into the next hour.
const LOOK_AHEAD: Duration = Duration::from_hours(24);

/// Arguments of `usage list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The subscription, as `marketplace/product/kind/id`.
    key: SubscriptionKey,
    /// The first hour, by a time or day; 3 days ago where it is not set.
    #[arg(long, value_parser = hour, value_name = "TIME")]
    from: Option<Hour>,
    /// The first hour after; everything that there is where it is not set.
    #[arg(long, value_parser = hour, value_name = "TIME")]
    to: Option<Hour>,
    /// Only what follows this record, as `HOUR/NUMBER`, which is how to go on where a list ended.
    #[arg(long, value_parser = after, value_name = "HOUR/NUMBER")]
    after: Option<(i64, i64)>,
    /// How many at the most.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn after(text: &str) -> Result<(i64, i64), String> {
    let numbers =
        text.split_once('/').and_then(|(hour, number)| Some((hour.parse().ok()?, number.parse().ok()?)));
    numbers.ok_or_else(|| "expected what the list ended with, such as 498888/17".to_owned())
}

/// A part of the list; the JSON of `usage list`.
#[derive(Debug, Serialize)]
struct List {
    /// In the order of hours.
    records: Vec<RecordRow>,
    /// What to give as `--after` to go on; null where this is the end.
    next_after: Option<String>,
}

/// What is metered for one hour.
#[derive(Debug, Serialize)]
pub(super) struct RecordRow {
    /// Its number in the database.
    number: i64,
    /// The hour's beginning.
    hour: Rfc3339,
    /// What the marketplace calls the dimension.
    dimension: String,
    /// Where it is reported to.
    region: String,
    /// `open`, `frozen`, `settled`, `settled_assumed`, `conflict`, `rejected`, `expired` or `not_subscribed`.
    state: &'static str,
    /// What is reported, or what is counted so far.
    quantity: String,
    /// What earlier hours left over.
    carried_in: String,
    /// What is left over for a later hour.
    carried_out: String,
    /// Which of the subscription's periods it belongs to, counted from 1.
    period: u32,
    /// When it was frozen, for as long as it waits.
    frozen_at: Option<Rfc3339>,
    /// When it may not be sent any more; null while usage is added.
    expires_at: Option<Rfc3339>,
    /// It is sent again no earlier.
    retry_at: Option<Rfc3339>,
    /// How often it was sent.
    attempts: usize,
    /// The marketplace's id of it.
    record_id: Option<String>,
    /// Why it is not billed.
    why: Option<String>,
}

impl RecordRow {
    pub(super) fn of(line: &RecordLine) -> Self {
        let RecordLine { number, record } = line;
        let frozen_at = match record.state {
            RecordState::Frozen { at } => Some(Rfc3339(at)),
            _ => None,
        };
        let why = match &record.state {
            RecordState::Ended { why, .. } => Some(why.clone()),
            _ => None,
        };
        Self {
            number: *number,
            hour: Rfc3339(record.key.hour.start()),
            dimension: record.key.dimension.to_string(),
            region: record.key.region.to_string(),
            state: record.state.word(),
            quantity: record.parts_reported().display(record.scale),
            carried_in: record.carried_in.display(record.scale),
            carried_out: record.carried_out.display(record.scale),
            period: record.period,
            frozen_at,
            expires_at: record.expires_at.map(Rfc3339),
            retry_at: record.sending.retry_at.map(Rfc3339),
            attempts: record.sending.attempts.len(),
            record_id: record_id(record).map(str::to_owned),
            why,
        }
    }

    /// What came in from earlier hours and what went out to later ones.
    fn carried(&self) -> String {
        let parts = [("in", &self.carried_in), ("out", &self.carried_out)];
        let parts = parts.into_iter().filter(|(_, quantity)| *quantity != "0");
        parts.map(|(way, quantity)| format!("{quantity} {way}")).collect::<Vec<_>>().join(", ")
    }

    /// Why it stands where it stands, where the state does not say it all.
    fn why_in_words(&self, now: Timestamp) -> String {
        match (self.state, &self.why, self.expires_at) {
            (_, Some(why), _) => safe(why),
            ("frozen", None, Some(until)) => match self.attempts {
                0 => format!("to be sent; too late {}", relative(until.0, now)),
                times => format!("sent {times} times without success; too late {}", relative(until.0, now)),
            },
            ("settled_assumed", None, _) => {
                "the marketplace has a record of this hour, and an attempt had no answer".to_owned()
            }
            _ => String::new(),
        }
    }
}

/// The marketplace's id of a record.
pub(super) fn record_id(record: &Record) -> Option<&str> {
    match &record.state {
        RecordState::Settled { record_id, .. } => Some(record_id),
        RecordState::SettledAssumed { record_id, .. } => record_id.as_deref(),
        RecordState::Open | RecordState::Frozen { .. } | RecordState::Ended { .. } => None,
    }
}

pub(super) async fn run(
    args: &ListArgs,
    store: &dyn Store,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let filter = RecordFilter {
        subscription: args.key.clone(),
        from: args.from.unwrap_or_else(|| Hour::of(now.minus(LOOK_BACK))),
        to: args.to.unwrap_or_else(|| Hour::of(now.plus(LOOK_AHEAD))),
    };
    let page = Page { after: args.after, limit: args.limit };
    let found = store.usage_records(&filter, &page).await?;
    if found.is_empty() {
        known(store, &args.key).await?;
    }
    let is_full = found.len() >= usize::try_from(args.limit)?;
    let position = |line: &RecordLine| format!("{}/{}", line.record.key.hour.number(), line.number);
    let list = List {
        next_after: found.last().filter(|_| is_full).map(position),
        records: found.iter().map(RecordRow::of).collect(),
    };
    if args.json {
        return Ok(print_json(out, &list)?);
    }
    if list.records.is_empty() {
        writeln!(out, "nothing is metered from {} on; --from shows what was before", filter.from)?;
        return Ok(());
    }
    print(out, &table(&list, Screen::detect(), now))?;
    if let Some(after) = &list.next_after {
        writeln!(out, "\nthere may be more: --from {} --after {after}", filter.from)?;
    }
    Ok(())
}

/// Refuses a key that nobody has.
pub(super) async fn known(store: &dyn Store, key: &SubscriptionKey) -> anyhow::Result<()> {
    if store.subscription(key).await?.is_none() {
        bail!("there is no subscription {key}; see `stallkeeper subscriptions list`");
    }
    Ok(())
}

fn table(list: &List, screen: Screen, now: Timestamp) -> comfy_table::Table {
    let mut table = screen.table(&["hour", "dimension", "state", "quantity", "carried", "record id", "why"]);
    for row in &list.records {
        table.add_row([
            row.hour.0.to_string(),
            safe(&row.dimension),
            row.state.to_owned(),
            row.quantity.clone(),
            row.carried(),
            row.record_id.as_deref().map(safe).unwrap_or_default(),
            row.why_in_words(now),
        ]);
    }
    table
}
