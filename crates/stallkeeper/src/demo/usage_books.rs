//! Reads what the ledger and the marketplace have of usage.

use std::collections::{BTreeMap, BTreeSet};

use stallkeeper_ledger::{EventState, Hour, RecordState, Scale};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::{LossLine, MeterTermsOf, RecordFilter};
use stallkeeper_persistence::{PAGE_MAX, Page, Store};
use stallkeeper_simulator::BillEntry;

use super::configuration::MARKETPLACE;
use super::units::Units;
use super::usage_check::{Cell, Lost, UsageBooks};

/// Later than the simulator's clock can be.
const LATEST: Hour = Hour::new(2_000_000);
/// More than are ever held here.
const HELD_MAX: u32 = 500;

/// Puts what the marketplace bills into the books.
pub(super) fn add_bill(books: &mut UsageBooks, bill: &[BillEntry]) {
    for entry in bill {
        let cell = Cell {
            subscription: format!("{MARKETPLACE}/{}", entry.subscription),
            dimension: entry.dimension.clone(),
            hour: Hour::of(Timestamp::from(entry.hour)),
        };
        add(&mut books.bill, cell, Units::of_whole(entry.quantity));
    }
}

/// Puts what the ledger has of some subscriptions into the books, and all that is lost, of whomever.
///
/// # Errors
/// When the store does not answer.
pub(super) async fn add_ledger(
    books: &mut UsageBooks,
    store: &dyn Store,
    terms: &dyn MeterTermsOf,
    keys: &BTreeSet<SubscriptionKey>,
) -> anyhow::Result<()> {
    for key in keys {
        add_records(books, store, key).await?;
        add_rest(books, store, terms, key).await?;
    }
    let mut page = Page::first(PAGE_MAX);
    loop {
        let losses = store.losses(None, &page).await?;
        let Some(last) = losses.last() else { return Ok(()) };
        page.after = Some(last.number);
        let stands = losses.iter().filter(|line| line.recovered_at.is_none());
        books.lost.extend(stands.map(lost));
    }
}

/// What is billed or has still to be, hour by hour.
async fn add_records(books: &mut UsageBooks, store: &dyn Store, key: &SubscriptionKey) -> anyhow::Result<()> {
    let filter = RecordFilter { subscription: key.clone(), from: Hour::new(0), to: LATEST };
    let mut page = Page::first(PAGE_MAX);
    loop {
        let records = store.usage_records(&filter, &page).await?;
        let Some(last) = records.last() else { return Ok(()) };
        page.after = Some((last.record.key.hour.number(), last.number));
        for line in &records {
            let record = &line.record;
            let (subscription, dimension) = (key.to_string(), record.key.dimension.to_string());
            let units = Units::of_parts(record.parts_reported(), record.scale);
            match record.state {
                RecordState::Settled { .. } | RecordState::SettledAssumed { .. } => {
                    let cell = Cell { subscription, dimension, hour: record.key.hour };
                    add(&mut books.billed, cell, units);
                }
                RecordState::Open | RecordState::Frozen { .. } => {
                    add(&mut books.pending, (subscription, dimension), units);
                }
                RecordState::Ended { .. } => {}
            }
        }
    }
}

/// What was taken in, what waits, and what was left over for a later hour.
async fn add_rest(
    books: &mut UsageBooks,
    store: &dyn Store,
    terms: &dyn MeterTermsOf,
    key: &SubscriptionKey,
) -> anyhow::Result<()> {
    let terms = terms.meter_terms(key);
    for sum in store.usage_sums(key).await? {
        let named = terms.as_ref().and_then(|terms| terms.by_api_name(&sum.dimension));
        let scale = named.map_or(Scale::WHOLE, |(_, terms)| terms.scale);
        let line = (key.to_string(), sum.dimension.to_string());
        add(&mut books.recorded, line, Units::of_parts(sum.recorded, scale));
    }
    for line in store.held_usage(Some(key), HELD_MAX).await? {
        if let EventState::Held { .. } = line.event.state {
            let units = Units::of_parts(line.event.quantity, line.event.scale);
            add(&mut books.pending, (key.to_string(), line.event.api_name.to_string()), units);
        }
    }
    let carries = store.meter(key).await?.map(|meter| meter.carries).unwrap_or_default();
    for (dimension, carry) in carries {
        let units = Units::of_parts(carry.parts, carry.scale);
        add(&mut books.pending, (key.to_string(), dimension.to_string()), units);
    }
    Ok(())
}

fn lost(line: &LossLine) -> Lost {
    let loss = &line.loss;
    Lost {
        subscription: loss.subscription.to_string(),
        dimension: loss.dimension.to_string(),
        id: loss.event.as_ref().map(|event| event.id.to_string()),
        units: Units::of_parts(loss.parts, loss.scale),
        reason: loss.reason.to_string(),
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, Units>, key: K, units: Units) {
    let sum = sums.entry(key).or_default();
    *sum = sum.plus(units);
}
