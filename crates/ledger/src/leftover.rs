use std::collections::{BTreeMap, BTreeSet};

use crate::close::Look;
use crate::{ApiDimension, Carry, Hour, Loss, LossReason, Scale, hard_cut};

impl Look<'_> {
    /// The dimensions, each with its leftover's scale, of which a unit or more can go into this hour.
    pub(crate) fn units_left(&self, hour: Hour) -> BTreeMap<ApiDimension, Scale> {
        let fits = |carry: &Carry| {
            let is_of_period = carry.period == self.meter.period && carry.hour.month() == hour.month();
            carry.is_unit() && carry.hour < hour && is_of_period
        };
        let fitting = self.meter.carries.iter().filter(|(_, carry)| fits(carry));
        fitting.map(|(dimension, carry)| (dimension.clone(), carry.scale)).collect()
    }

    /// Leftovers of a unit or more get a record in the first hour that is open and begins in time, within a
    /// final-usage window; answers whether such an hour has begun.
    pub(crate) fn place_leftovers(&mut self) -> bool {
        let Some(deadline) = self.meter.deadline() else { return false };
        let mut has_begun = false;
        for (dimension, carry) in self.meter.carries.clone() {
            let hour = self.meter.first_open(&dimension);
            let is_of_period = carry.period == self.meter.period && carry.hour.month() == hour.month();
            if !carry.is_unit() || !is_of_period || hour.start() >= hard_cut(deadline) {
                continue;
            }
            has_begun |= self.meter.begins_at(hour) <= self.now;
            self.open_leftover(&dimension, hour, carry.scale);
        }
        has_begun
    }

    fn open_leftover(&mut self, dimension: &ApiDimension, hour: Hour, scale: Scale) {
        self.open_record(dimension.clone(), hour, scale);
        let is_it = |key: &&crate::RecordKey| key.hour == hour && key.dimension == *dimension;
        self.touched.extend(self.records.keys().filter(is_it).cloned().collect::<Vec<_>>());
    }

    /// Lists leftovers that no later record can take.
    pub(crate) fn lose_leftovers(&mut self) {
        let awaited: BTreeSet<(ApiDimension, u32)> = self
            .records
            .values()
            .filter(|record| record.is_open())
            .map(|record| (record.key.dimension.clone(), record.period))
            .collect();
        let (meter, now) = (&mut self.meter, self.now);
        let month = meter.closed_before.previous().month();
        let no_more = meter.is_over();
        // An hour of an earlier period that is still to begin takes what that period left over.
        let is_left = |dimension: &ApiDimension, carry: &Carry| {
            let is_earlier =
                carry.period < meter.period && !awaited.contains(&(dimension.clone(), carry.period));
            no_more || is_earlier || carry.hour.month() < month
        };
        let (lost, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
            meter.carries.clone().into_iter().partition(|(dimension, carry)| is_left(dimension, carry));
        for (dimension, carry) in lost {
            let reason = match carry {
                carry if !carry.is_unit() => LossReason::Fraction,
                carry if carry.period < meter.period => LossReason::EarlierPeriod,
                _ if no_more => LossReason::WindowClosed,
                _ => LossReason::MonthClosed,
            };
            self.losses.push(Loss::of_carry(&carry, &meter.key, &dimension, reason, now));
        }
        meter.carries = kept;
    }
}
