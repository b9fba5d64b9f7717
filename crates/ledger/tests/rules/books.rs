//! What has to be so at every step of a story.

use std::collections::{BTreeMap, BTreeSet};

use stallkeeper_ledger::{Aggregate, EventState, Record, RecordEnd, RecordState, Scale, SubUnits};

use crate::market::bill_key;
use crate::oracle::calendar::month_of_hour;
use crate::oracle::{aggregate, nanos};
use crate::story::{NAMES, Story};

impl Story {
    /// What is neither settled nor lost, in 1,000,000,000ths.
    pub(crate) fn pending(&self) -> i128 {
        NAMES.iter().map(|name| self.sums(name).2).sum()
    }

    /// Settled, lost and pending of one dimension.
    fn sums(&self, name: &str) -> (i128, i128, i128) {
        let nanos_of = |parts: SubUnits, scale: Scale| nanos(&parts.display(scale));
        let api = format!("api-{name}");
        let (mut settled, mut pending) = (0, 0);
        for record in self.desk.records.values().filter(|record| record.key.dimension.as_str() == api) {
            let reported = record.report.as_ref().map(|report| nanos(&report.quantity.to_string()));
            match record.state {
                RecordState::Open => pending += nanos_of(record.counted, record.scale),
                RecordState::Frozen { .. } => pending += reported.unwrap(),
                RecordState::Settled { .. } | RecordState::SettledAssumed { .. } => {
                    settled += reported.unwrap();
                }
                RecordState::Ended { .. } => {}
            }
        }
        let carries = self.desk.meter.carries.iter().filter(|(dimension, _)| dimension.as_str() == api);
        pending += carries.map(|(_, carry)| nanos_of(carry.parts, carry.scale)).sum::<i128>();
        let events = self.desk.events.values().filter(|event| event.api_name.as_str() == api);
        let held = events.filter(|event| matches!(event.state, EventState::Held { .. }));
        pending += held.map(|event| nanos_of(event.quantity, event.scale)).sum::<i128>();
        let losses = self.desk.losses.iter().filter(|loss| loss.dimension.as_str() == api);
        (settled, losses.map(|loss| nanos_of(loss.parts, loss.scale)).sum(), pending)
    }

    /// What the app reported of one dimension, by what became of it.
    fn recorded(&self, name: &str) -> i128 {
        let mut hours: BTreeMap<i64, Vec<i128>> = BTreeMap::new();
        let mut apart = 0;
        for event in self.desk.events.values().filter(|event| event.dimension.as_str() == name) {
            let quantity = nanos(&event.quantity.display(event.scale));
            match event.state {
                EventState::Counted { hour } => hours.entry(hour.number()).or_default().push(quantity),
                EventState::Held { .. } | EventState::Lost { .. } => apart += quantity,
            }
        }
        let is_peak = self.desk.terms.dimensions[&name.parse().unwrap()].aggregate == Aggregate::Max;
        apart + hours.values().map(|quantities| aggregate(quantities, is_peak)).sum::<i128>()
    }

    /// What has to be so after every deed.
    pub(crate) fn holds_true(&self) {
        for name in NAMES {
            let (settled, lost, pending) = self.sums(name);
            let recorded = self.recorded(name);
            assert_eq!(recorded, settled + lost + pending, "{name}: {settled}, {lost}, {pending}");
        }
        self.what_is_billed_is_settled_or_in_doubt();
        self.times_are_inside_hour_and_period();
        self.what_is_carried_stays_in_month_and_period();
        self.events_count_what_the_hours_count();
    }

    fn what_is_billed_is_settled_or_in_doubt(&self) {
        let mut known = BTreeSet::new();
        for record in self.desk.records.values() {
            let Some(report) = &record.report else { continue };
            let billed = self.market.billed.get(&bill_key(&record.key, report)).copied();
            assert!(known.insert(bill_key(&record.key, report)), "two records of {}", record.key);
            let is_settled =
                matches!(record.state, RecordState::Settled { .. } | RecordState::SettledAssumed { .. });
            let says_doubt = match &record.state {
                RecordState::Ended { end, why, .. } => {
                    assert_ne!(*end, RecordEnd::Conflict, "nobody else sends {}", record.key);
                    why.contains("the marketplace may hold it")
                }
                _ => record.sending.is_in_doubt(),
            };
            match billed {
                Some(quantity) => {
                    assert!(is_settled || says_doubt, "billed and not known: {record:?}");
                    assert_eq!(quantity, report.quantity);
                }
                None => assert!(!is_settled, "settled and not billed: {record:?}"),
            }
        }
        assert!(self.market.billed.keys().all(|key| known.contains(key)), "billed and not in the ledger");
    }

    fn times_are_inside_hour_and_period(&self) {
        for record in self.desk.records.values() {
            let Some(report) = &record.report else { continue };
            let hour = record.key.hour;
            let is_inside = hour.start() <= report.stamp && report.stamp < hour.end();
            assert!(is_inside && report.stamp.as_micros() % 1_000_000 == 0, "{record:?}");
            assert!(self.starts[&record.period] <= report.stamp, "{record:?}");
        }
    }

    fn what_is_carried_stays_in_month_and_period(&self) {
        let takers = self.desk.records.values().filter(|record| !record.carried_in.is_zero());
        for taker in takers {
            let gives = |giver: &Record| {
                let is_same = giver.key.dimension == taker.key.dimension && giver.period == taker.period;
                let months = [giver, taker].map(|record| month_of_hour(record.key.hour.number()));
                is_same && months[0] == months[1] && !giver.carried_out.is_zero()
            };
            let others = self.desk.records.values().filter(|record| record.key != taker.key);
            assert!(others.into_iter().any(gives), "nobody left that over: {taker:?}");
        }
    }

    fn events_count_what_the_hours_count(&self) {
        for record in self.desk.records.values() {
            let counts = |event: &&stallkeeper_ledger::UsageEvent| {
                event.state == EventState::Counted { hour: record.key.hour }
                    && event.api_name == record.key.dimension
            };
            let events = self.desk.events.values().filter(counts);
            let counted: i128 = events.map(|event| nanos(&event.counted.display(event.scale))).sum();
            assert_eq!(counted, nanos(&record.counted.display(record.scale)), "{record:?}");
            let carried = record.report.as_ref().map(|report| {
                let out = nanos(&record.carried_out.display(record.scale));
                let into = nanos(&record.carried_in.display(record.scale));
                (nanos(&report.quantity.to_string()) + out, counted + into)
            });
            assert!(carried.is_none_or(|(reported, brought)| reported == brought), "{record:?}");
        }
    }
}
