use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stallkeeper_ledger::{EventState, Hour, LossReason, Phase, RecordState, Report, SubUnits};
use stallkeeper_lifecycle::{FactLog, Standing, SubscriptionKey, Terms, Timestamp, Word, fold};
use stallkeeper_persistence::Page;
use stallkeeper_persistence::usage::{LossLine, RecordFilter, RecordLine};

use stallkeeper_simulator::BillEntry;

use crate::market::{Market, moment};
use crate::setting::{PRODUCT, Temper, parse};
use crate::world::World;

/// What has been frozen so far, by its number in the store: it never changes again.
#[derive(Debug, Default)]
pub(crate) struct Frozen(BTreeMap<i64, Report>);

/// What has to be so after every step.
///
/// # Errors
/// What is not.
pub(crate) async fn always(world: &World, frozen: &mut Frozen) -> Result<()> {
    for buyer in 0..world.setting.buyers {
        let key = world.setting.key(buyer);
        let records = records(world, &key).await?;
        every_unit_is_settled_pending_or_lost(world, &key, &records).await?;
        a_frozen_record_never_changes(&records, frozen)?;
        each_key_has_one_record(&records)?;
        a_time_lies_in_its_hour_and_period(world, buyer, &records)?;
        nothing_is_carried_over_a_month(&records)?;
    }
    no_call_after_the_window(world)?;
    the_bill_holds_nothing_that_the_ledger_gave_up_without_saying_so(world).await
}

/// What has to be so when everything is over.
///
/// # Errors
/// What is not.
pub(crate) async fn finally(world: &mut World) -> Result<()> {
    for buyer in 0..world.setting.buyers {
        let key = world.setting.key(buyer);
        nothing_is_pending(world, &key).await?;
        all_that_was_accepted_is_recorded(world, buyer, &key).await?;
        the_view_is_that_of_all_facts_in_order(world, buyer, &key).await?;
        usage_stays_in_its_month_and_period(world, buyer, &key).await?;
        note(world, &key).await?;
    }
    the_bill_is_what_is_settled(world).await?;
    if world.setting.temper == Temper::Mild {
        nothing_is_lost(world).await?;
    }
    Ok(())
}

async fn records(world: &World, key: &SubscriptionKey) -> Result<Vec<RecordLine>> {
    let filter = RecordFilter { subscription: key.clone(), from: Hour::new(0), to: Hour::new(i64::MAX) };
    let mut all: Vec<RecordLine> = Vec::new();
    loop {
        let after = all.last().map(|line| (line.record.key.hour.number(), line.number));
        let part = world.store.usage_records(&filter, &Page { after, limit: 1_000 }).await?;
        if part.is_empty() {
            return Ok(all);
        }
        all.extend(part);
    }
}

async fn losses(world: &World) -> Result<Vec<LossLine>> {
    let mut all: Vec<LossLine> = Vec::new();
    loop {
        let after = all.last().map(|line| line.number);
        let part = world.store.losses(None, &Page { after, limit: 1_000 }).await?;
        if part.is_empty() {
            return Ok(all);
        }
        all.extend(part);
    }
}

async fn every_unit_is_settled_pending_or_lost(
    world: &World,
    key: &SubscriptionKey,
    records: &[RecordLine],
) -> Result<()> {
    let pending = pending(world, key, records).await?;
    for sum in world.store.usage_sums(key).await? {
        let waits = pending.get(sum.dimension.as_str()).copied().unwrap_or(0);
        let known = sum.billed.parts() + waits + sum.lost.parts();
        ensure!(
            sum.recorded.parts() == known,
            "{key} {}: recorded {} is not billed {} + pending {waits} + lost {}",
            sum.dimension,
            sum.recorded.parts(),
            sum.billed.parts(),
            sum.lost.parts(),
        );
    }
    Ok(())
}

async fn pending(
    world: &World,
    key: &SubscriptionKey,
    records: &[RecordLine],
) -> Result<BTreeMap<String, i64>> {
    let mut pending: BTreeMap<String, i64> = BTreeMap::new();
    let mut add = |dimension: &str, parts: SubUnits| {
        *pending.entry(dimension.to_owned()).or_default() += parts.parts();
    };
    for line in records.iter().filter(|line| line.record.is_open() || line.record.is_frozen()) {
        add(line.record.key.dimension.as_str(), line.record.parts_reported());
    }
    for line in world.store.held_usage(Some(key), 1_000).await? {
        add(line.event.api_name.as_str(), line.event.counted);
    }
    if let Some(meter) = world.store.meter(key).await? {
        for (dimension, carry) in &meter.carries {
            add(dimension.as_str(), carry.parts);
        }
    }
    Ok(pending)
}

fn a_frozen_record_never_changes(records: &[RecordLine], frozen: &mut Frozen) -> Result<()> {
    for line in records {
        let Some(report) = &line.record.report else {
            ensure!(
                !frozen.0.contains_key(&line.number),
                "record {} was frozen and is open again",
                line.number
            );
            continue;
        };
        let first = frozen.0.entry(line.number).or_insert_with(|| report.clone());
        ensure!(first == report, "record {} was frozen as {first:?} and is {report:?} now", line.number);
    }
    Ok(())
}

fn each_key_has_one_record(records: &[RecordLine]) -> Result<()> {
    let mut keys: Vec<_> = records.iter().map(|line| &line.record.key).collect();
    keys.sort();
    for pair in keys.windows(2) {
        ensure!(pair.first() != pair.get(1), "two records of one key: {:?}", pair.first());
    }
    Ok(())
}

fn a_time_lies_in_its_hour_and_period(world: &World, buyer: usize, records: &[RecordLine]) -> Result<()> {
    let periods = world.market().periods(buyer);
    for line in records {
        let Some(report) = &line.record.report else { continue };
        let hour = line.record.key.hour;
        ensure!(Hour::of(report.stamp) == hour, "record {} of {hour} carries {}", line.number, report.stamp);
        let stamp = moment(report.stamp);
        let is_inside =
            periods.iter().any(|period| period.from <= stamp && period.to.is_none_or(|to| stamp < to));
        // What the worker was never told it cannot keep to.
        let knows_all = world.setting.temper == Temper::Mild;
        ensure!(
            is_inside || !knows_all,
            "record {} carries {}, outside all periods",
            line.number,
            report.stamp
        );
        let split: i64 = report.allocations.iter().map(|part| part.quantity).sum();
        ensure!(
            report.allocations.is_empty() || split == report.quantity,
            "record {} is split into {split} of {}",
            line.number,
            report.quantity
        );
    }
    Ok(())
}

/// What is carried in was left over in the same month.
fn nothing_is_carried_over_a_month(records: &[RecordLine]) -> Result<()> {
    let mut left: BTreeMap<(String, String), i64> = BTreeMap::new();
    for line in records {
        let record = &line.record;
        let key = (record.key.dimension.to_string(), record.key.hour.month().to_string());
        let sum = left.entry(key).or_default();
        *sum += record.carried_out.parts() - record.carried_in.parts();
        ensure!(*sum >= 0, "record {} takes in what another month left over", line.number);
    }
    Ok(())
}

fn no_call_after_the_window(world: &World) -> Result<()> {
    let counts = world.market().books.counts();
    let is_harsh = world.setting.temper == Temper::Harsh;
    // A word that is lost or late hides the end; the worker cannot know then.
    ensure!(is_harsh || counts.after_end == 0, "{} records were sent after their window", counts.after_end);
    Ok(())
}

/// A record on the bill is settled, waits for its answer, or is listed as one whose answer was lost.
async fn the_bill_holds_nothing_that_the_ledger_gave_up_without_saying_so(world: &World) -> Result<()> {
    let bill: Vec<_> = world.market().books.bill().to_vec();
    let foreign = world.market().foreign.clone();
    for entry in bill.into_iter().filter(|entry| !foreign.contains(&entry.record_id)) {
        let key: SubscriptionKey = parse(&entry.subscription);
        let hour = Hour::of(entry.hour.into());
        let filter = RecordFilter { subscription: key, from: hour, to: hour.next() };
        let lines = world.store.usage_records(&filter, &Page::first(100)).await?;
        let found = lines.iter().find(|line| line.record.key.dimension.as_str() == entry.dimension);
        let record = &found.with_context(|| format!("nobody knows of {entry:?}"))?.record;
        let report = record.report.as_ref().context("an open hour is on the bill")?;
        ensure!(
            report.quantity == entry.quantity,
            "{} {hour} {}: billed {} and frozen {}",
            entry.subscription,
            entry.dimension,
            entry.quantity,
            report.quantity
        );
        match &record.state {
            RecordState::Settled { .. } | RecordState::SettledAssumed { .. } => {}
            RecordState::Frozen { .. } => ensure!(
                !record.sending.attempts.is_empty(),
                "{hour} is on the bill, and no attempt was stored"
            ),
            RecordState::Ended { why, .. } => ensure!(
                record.sending.doubt == stallkeeper_ledger::Doubt::Unanswered
                    || record.sending.in_flight.is_some(),
                "{hour} is on the bill, and was given up: {why}"
            ),
            RecordState::Open => anyhow::bail!("an open hour is on the bill"),
        }
    }
    Ok(())
}

async fn the_bill_is_what_is_settled(world: &World) -> Result<()> {
    let own = |entry: &&BillEntry, market: &Market| !market.foreign.contains(&entry.record_id);
    let bill = {
        let market = world.market();
        market.books.bill().iter().filter(|entry| own(entry, &market)).count()
    };
    let mut settled = 0;
    for buyer in 0..world.setting.buyers {
        for line in records(world, &world.setting.key(buyer)).await? {
            let on_bill = {
                let market = world.market();
                market.books.bill_of(&line.record.key.subscription.to_string()).iter().any(|entry| {
                    own(entry, &market)
                        && Hour::of(entry.hour.into()) == line.record.key.hour
                        && entry.dimension == line.record.key.dimension.as_str()
                })
            };
            match line.record.state {
                // Between an answer that was lost and another system's record nobody can tell.
                RecordState::SettledAssumed { .. } if !on_bill => {
                    ensure!(
                        !world.market().foreign.is_empty(),
                        "{} is assumed, and on no bill",
                        line.record.key
                    );
                }
                RecordState::Settled { .. } | RecordState::SettledAssumed { .. } => {
                    ensure!(on_bill, "{} is settled, and on no bill", line.record.key);
                    settled += 1;
                }
                _ if on_bill => settled += 1,
                _ => {}
            }
        }
    }
    ensure!(bill == settled, "{bill} records are billed, and {settled} are known");
    Ok(())
}

async fn nothing_is_pending(world: &World, key: &SubscriptionKey) -> Result<()> {
    let meter = world.store.meter(key).await?;
    if meter.is_some_and(|meter| !meter.is_over()) {
        // The word of the end was lost: to the worker the subscription goes on.
        ensure!(world.setting.temper == Temper::Harsh, "{key} has not ended");
        return Ok(());
    }
    let records = records(world, key).await?;
    let pending = pending(world, key, &records).await?;
    let left: Vec<_> = pending.iter().filter(|(_, parts)| **parts != 0).collect();
    ensure!(left.is_empty(), "{key}: still pending {left:?}");
    let waiting = records.iter().filter(|line| line.record.is_open() || line.record.is_frozen()).count();
    ensure!(waiting == 0, "{key}: {waiting} records still wait");
    Ok(())
}

async fn all_that_was_accepted_is_recorded(world: &World, buyer: usize, key: &SubscriptionKey) -> Result<()> {
    let sums = world.store.usage_sums(key).await?;
    for ((who, dimension), parts) in &world.accepted {
        let recorded = sums.iter().find(|sum| sum.dimension.as_str() == dimension);
        let recorded = recorded.map_or(0, |sum| sum.recorded.parts());
        ensure!(
            *who != buyer || recorded == *parts,
            "{key} {dimension}: accepted {parts} and recorded {recorded}"
        );
    }
    Ok(())
}

/// The view follows from the facts in the order of their times, however they came.
async fn the_view_is_that_of_all_facts_in_order(
    world: &World,
    buyer: usize,
    key: &SubscriptionKey,
) -> Result<()> {
    let mut facts: Vec<_> = world.market().said.iter().filter(|said| said.buyer == buyer).cloned().collect();
    facts.sort_by(|one, other| one.fact.cmp(&other.fact));
    let mut log = FactLog::default();
    for said in &facts {
        log.insert(said.fact.clone());
    }
    let standing = fold(&log).0.standing.lapsed(world.now());
    let Some(stored) = world.store.subscription(key).await? else {
        ensure!(facts.is_empty(), "{key} is unknown");
        return Ok(());
    };
    let view = stored.subscription.view(world.now(), Terms::default());
    ensure!(view.standing == standing, "{key} is {:?}, and the facts say {standing:?}", view.standing);
    let has_ended = matches!(standing, Standing::Ended { .. });
    ensure!(!has_ended || view.word == Word::Ended, "{key} has ended, and reads {:?}", view.word);
    Ok(())
}

/// How long after a buyer came back the worker knows for certain, where words are not late.
const KNOWN_AFTER: Duration = Duration::from_mins(4);

/// Usage is billed in its own month, and no hour's record holds usage of two periods.
async fn usage_stays_in_its_month_and_period(
    world: &World,
    buyer: usize,
    key: &SubscriptionKey,
) -> Result<()> {
    let records = records(world, key).await?;
    let periods = world.market().periods(buyer);
    let period_of = |at: Timestamp| periods.iter().rposition(|period| period.from <= moment(at));
    let filter = RecordFilter { subscription: key.clone(), from: Hour::new(0), to: Hour::new(i64::MAX) };
    for line in world.store.usage_events(&filter, &Page::first(1_000)).await? {
        let event = &line.event;
        let EventState::Counted { hour } = event.state else { continue };
        ensure!(
            hour.month() == Hour::of(event.occurred_at).month(),
            "usage of {} is billed in {hour}",
            event.occurred_at
        );
        let is_known = period_of(event.occurred_at.minus(KNOWN_AFTER)) == period_of(event.occurred_at);
        if world.setting.temper != Temper::Mild || !is_known {
            continue;
        }
        let found = records
            .iter()
            .find(|line| line.record.key.hour == hour && line.record.key.dimension == event.api_name);
        let record = &found.with_context(|| format!("{hour} has no record for {:?}", event.key))?.record;
        let began = record.since.map(|since| period_of(since.plus(Duration::from_secs(1))));
        ensure!(
            began.is_none_or(|began| began >= period_of(event.occurred_at)),
            "usage of {} is in the record of an earlier period: {}",
            event.occurred_at,
            record.key
        );
    }
    Ok(())
}

async fn nothing_is_lost(world: &World) -> Result<()> {
    let losses = losses(world).await?;
    let lost = losses.iter().find(|line| line.loss.reason != LossReason::Fraction);
    ensure!(lost.is_none(), "lost though no fault outlasted a deadline: {:?}", lost.map(|line| &line.loss));
    Ok(())
}

/// What the story met, for the table.
async fn note(world: &mut World, key: &SubscriptionKey) -> Result<()> {
    for line in records(world, key).await? {
        let record = &line.record;
        world.coverage.seen(&format!("record {}", record.state.word()));
        if !record.carried_in.is_zero() {
            world.coverage.seen("record carried in");
        }
        if record.report.as_ref().is_some_and(|report| !report.allocations.is_empty()) {
            world.coverage.seen("record with allocations");
        }
    }
    let filter = RecordFilter { subscription: key.clone(), from: Hour::new(0), to: Hour::new(i64::MAX) };
    for line in world.store.usage_events(&filter, &Page::first(1_000)).await? {
        if let EventState::Lost { reason } = line.event.state {
            world.coverage.seen(&format!("event lost: {reason}"));
        }
        ensure!(line.event.key.product.as_str() == PRODUCT, "an event of another product");
    }
    Ok(())
}

/// Where the meters stand, for the table.
///
/// # Errors
/// A database that fails by itself.
pub(crate) async fn note_phases(world: &mut World) -> Result<()> {
    for buyer in 0..world.setting.buyers {
        let Some(meter) = world.store.meter(&world.setting.key(buyer)).await? else { continue };
        world.coverage.seen(match meter.phase {
            Phase::Waiting => "phase waiting",
            Phase::Running => "phase running",
            Phase::Ending { .. } => "phase ending",
            Phase::Over { .. } => "phase over",
            Phase::Failed => "phase failed",
        });
        if meter.period > 1 && meter.windows.is_empty() && meter.phase == Phase::Running {
            world.coverage.seen("re-subscription in the window");
        }
    }
    for line in losses(world).await? {
        world.coverage.seen(&format!("loss {}", line.loss.reason));
    }
    Ok(())
}
