use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;

use crate::report::allocations;
use crate::{
    Carry, Loss, LossReason, Meter, MeterTerms, Record, RecordEnd, RecordKey, RecordState, Report, SubUnits,
    Who,
};

/// Fixes a record's quantity, time and bytes: what earlier hours left over goes in, what is less than a unit
/// or more than a record takes is left over for a later one.
///
/// A leftover goes into a record of the same month and period, or is lost.
pub(crate) fn freeze(
    record: &mut Record,
    meter: &mut Meter,
    terms: &MeterTerms,
    now: Timestamp,
) -> Vec<Loss> {
    let mut losses = Vec::new();
    if let Some(carry) = meter.carries.remove(&record.key.dimension) {
        losses.extend(carry_in(record, carry, now));
    }
    let (quantity, rest) = record.counted.plus(record.carried_in).split(record.scale);
    record.carried_out = rest;
    if !rest.is_zero() {
        let (period, hour, scale) = (record.period, record.key.hour, record.scale);
        let carry = Carry { period, hour, parts: rest, scale };
        meter.carries.insert(record.key.dimension.clone(), carry);
    }
    meter.froze(&record.key.dimension, record.key.hour);
    let Some(who) = Who::of(meter) else {
        let why = "nobody has said whom the license was granted to";
        record.state = RecordState::Ended { at: now, end: RecordEnd::Rejected, why: why.to_owned() };
        let parts = SubUnits::of_units(quantity, record.scale);
        losses.extend(Loss::of_record(record, parts, LossReason::Rejected, now, why));
        return losses;
    };
    record.report = Some(Report {
        who,
        dimension: record.key.dimension.clone(),
        quantity,
        stamp: stamp(record, meter, terms, now),
        allocations: allocations(record, quantity),
    });
    record.state = RecordState::Frozen { at: now };
    losses
}

/// The record's time, within its own period: the latest word on when that began, and, where another began
/// since, nothing after that.
fn stamp(record: &Record, meter: &Meter, terms: &MeterTerms, now: Timestamp) -> Timestamp {
    let (since, latest) = if record.period == meter.period {
        (meter.period_start.or(record.since), now)
    } else {
        let last_second = |start: Timestamp| start.minus(Duration::from_secs(1)).min(now);
        (record.since, meter.period_start.map_or(now, last_second))
    };
    terms.profile.stamp(record.key.hour, since, latest)
}

/// Adds a leftover to what a record reports; answers what of it is lost.
fn carry_in(record: &mut Record, carry: Carry, now: Timestamp) -> Option<Loss> {
    if carry.period != record.period || carry.hour.month() != record.key.hour.month() {
        return lose_carry(record, carry, now);
    }
    let scale = record.scale.max(carry.scale);
    let parts = carry.parts.rescaled(carry.scale, scale);
    let is_countable = parts.is_some() && (record.scale == scale || record.rescale(scale));
    let (Some(parts), true) = (parts, is_countable) else {
        return Some(too_much(&carry, carry.parts, record, now));
    };
    record.carried_in = SubUnits::MAX.minus(record.counted).min(parts);
    let rest = parts.minus(record.carried_in);
    (!rest.is_zero()).then(|| too_much(&Carry { scale, ..carry }, rest, record, now))
}

fn too_much(carry: &Carry, parts: SubUnits, record: &Record, now: Timestamp) -> Loss {
    let detail = "the hour comes to more than can be counted".to_owned();
    Loss {
        parts,
        detail,
        ..Loss::of_carry(carry, &record.key.subscription, &record.key.dimension, LossReason::Rejected, now)
    }
}

/// A leftover that no later record can take.
fn lose_carry(record: &Record, carry: Carry, now: Timestamp) -> Option<Loss> {
    let reason = match (carry.is_unit(), carry.period == record.period) {
        (false, _) => LossReason::Fraction,
        (true, true) => LossReason::MonthClosed,
        (true, false) => LossReason::EarlierPeriod,
    };
    let RecordKey { subscription, dimension, .. } = &record.key;
    (!carry.parts.is_zero()).then(|| Loss::of_carry(&carry, subscription, dimension, reason, now))
}
