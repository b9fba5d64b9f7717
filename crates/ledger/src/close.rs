use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;

use crate::answer::Answered;
use crate::expire::expire;
use crate::freeze::freeze;
use crate::late::settle_held;
use crate::{
    ApiDimension, Hour, Loss, MARGIN_MIN, Meter, MeterTerms, News, Phase, Record, RecordKey, Scale,
    SourceName, UsageEvent, next_look, send_until,
};

/// Up to when each source has said that a product's usage is complete, for all tenants.
pub type Watermarks = BTreeMap<SourceName, Timestamp>;

/// How many hours without usage are reported at once: more would be too old.
const IDLE_HOURS_MAX: i64 = 26;

/// What a look at a meter comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The meter after it.
    pub meter: Meter,
    /// The records that changed.
    pub records: Vec<Record>,
    /// The held events that changed.
    pub events: Vec<UsageEvent>,
    /// What is lost.
    pub losses: Vec<Loss>,
    /// When to look again; `None` where nothing happens by time alone.
    pub look_at: Option<Timestamp>,
}

/// Looks at a meter: closes hours that are over, seals final usage, decides on held usage, and lists as lost
/// what has no hour left.
///
/// Pure: the same arguments come to the same change. `live` are all of its open and frozen records, `held` its held events, `product` what sources said of
/// the whole product, and `margin` how long before a window's end final usage is frozen.
pub fn close(
    meter: &Meter,
    live: Vec<Record>,
    held: Held,
    terms: &MeterTerms,
    product: &Watermarks,
    now: Timestamp,
    margin: Duration,
) -> Change {
    let mut look = Look { margin, ..Look::new(meter, live, terms, product, now) };
    look.meter.news = News::None;
    let rest = held.rest;
    let events = settle_held(held, &mut look);
    // While held usage is still to be decided on, its hours stay open.
    if rest == Rest::None || events.is_empty() {
        look.close_hours();
        look.seal();
        look.lose_leftovers();
    }
    look.watch_deadlines();
    look.finish(events)
}

/// Held events of a meter, the first to run out first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The events.
    pub events: Vec<UsageEvent>,
    /// Whether there are more.
    pub rest: Rest,
}

/// Whether a part of something is all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// It is.
    #[default]
    None,
    /// There is more.
    More,
}

/// A look under way.
pub(crate) struct Look<'a> {
    pub(crate) meter: Meter,
    pub(crate) records: BTreeMap<RecordKey, Record>,
    pub(crate) touched: BTreeSet<RecordKey>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) terms: &'a MeterTerms,
    pub(crate) product: &'a Watermarks,
    pub(crate) now: Timestamp,
    pub(crate) margin: Duration,
}

impl<'a> Look<'a> {
    pub(crate) fn new(
        meter: &Meter,
        live: Vec<Record>,
        terms: &'a MeterTerms,
        product: &'a Watermarks,
        now: Timestamp,
    ) -> Self {
        Self {
            meter: meter.clone(),
            records: live.into_iter().map(|record| (record.key.clone(), record)).collect(),
            touched: BTreeSet::new(),
            losses: Vec::new(),
            terms,
            product,
            now,
            margin: MARGIN_MIN,
        }
    }
}

impl Look<'_> {
    /// Closes every hour that is over and complete, or over for long enough, and what an earlier period left.
    fn close_hours(&mut self) {
        let before = self.closable_before();
        if matches!(self.meter.phase, Phase::Running | Phase::Ending { .. }) {
            self.close_idle_hours(before);
        }
        let now = self.now;
        self.freeze_where(|record, meter| {
            let is_earlier = record.period < meter.period && meter.begins_at(record.key.hour) <= now;
            record.key.hour < before || is_earlier
        });
        let is_first_use_ahead = self.meter.phase == Phase::Waiting && self.meter.period == 0;
        if !is_first_use_ahead && !self.meter.is_over() {
            self.meter.closed_before = self.meter.closed_before.max(before);
        }
    }

    fn closable_before(&self) -> Hour {
        let by_time = Hour::of(self.now.minus(self.terms.profile.settle_delay));
        let by_word = self.complete_through().map(|mark| Hour::of(mark.min(self.now)));
        by_word.map_or(by_time, |by_word| by_word.max(by_time))
    }

    /// Up to when every declared source has said that usage is complete.
    pub(crate) fn complete_through(&self) -> Option<Timestamp> {
        complete_through(&self.meter, self.terms, self.product)
    }

    /// Makes records of hours without usage, and for leftovers of a unit or more, and closes hour by hour, so
    /// that what one leaves over is known before the next.
    fn close_idle_hours(&mut self, before: Hour) {
        let first = self.meter.closed_before.max(self.meter.first_hour);
        let first = first.max(Hour::new(before.number().saturating_sub(IDLE_HOURS_MAX)));
        let first = self.terms.meter_from.map_or(first, |from| from.max(first));
        for number in first.number()..before.number() {
            let hour = Hour::new(number);
            let stamp = self.terms.profile.stamp(hour, self.meter.period_start, self.now);
            if self.terms.profile.too_old_at(stamp) > self.now {
                self.report_idle_hour(hour);
            }
            self.freeze_where(|record, _| record.key.hour <= hour);
        }
    }

    fn report_idle_hour(&mut self, hour: Hour) {
        let mut wanted = self.units_left(hour);
        if self.meter.sends_zeros(self.terms) {
            let all = self.terms.dimensions.values();
            wanted.extend(all.map(|dimension| (dimension.api_name.clone(), dimension.scale)));
        }
        for (dimension, scale) in wanted {
            if hour >= self.meter.first_open(&dimension) {
                self.open_record(dimension, hour, scale);
            }
        }
    }

    /// Makes an hour's record where there is none.
    pub(crate) fn open_record(&mut self, dimension: ApiDimension, hour: Hour, scale: Scale) {
        let (subscription, region) = (self.meter.key.clone(), self.terms.region.clone());
        let key = RecordKey { subscription, hour, dimension, region };
        let fresh = Record::open(key.clone(), &self.meter, scale);
        self.records.entry(key).or_insert(fresh);
    }

    /// Freezes open records, the oldest first, so that what one leaves over goes into the next.
    pub(crate) fn freeze_where(&mut self, is_due: impl Fn(&Record, &Meter) -> bool) {
        let due = |record: &&Record| record.is_open() && is_due(record, &self.meter);
        let mut keys: Vec<RecordKey> =
            self.records.values().filter(due).map(|record| record.key.clone()).collect();
        keys.sort_by_key(|key| key.hour);
        for key in keys {
            if let Some(record) = self.records.get_mut(&key) {
                self.losses.extend(freeze(record, &mut self.meter, self.terms, self.now));
                self.touched.insert(key);
            }
        }
    }

    /// Knows until when each frozen record may be sent, and gives those up whose time is over.
    fn watch_deadlines(&mut self) {
        for record in self.records.values_mut().filter(|record| record.is_frozen()) {
            let until = send_until(record, &self.meter, &self.terms.profile);
            if record.expires_at != Some(until) {
                record.expires_at = Some(until);
                self.touched.insert(record.key.clone());
            }
            if until <= self.now {
                if let Answered::Lost(loss) = expire(record, self.now) {
                    self.losses.push(*loss);
                }
                self.touched.insert(record.key.clone());
            }
        }
    }

    pub(crate) fn finish(mut self, events: Vec<UsageEvent>) -> Change {
        let closed_before = self.meter.closed_before;
        self.meter.taken.retain(|_, hour| *hour >= closed_before);
        let open = self.records.values().filter(|record| record.is_open()).map(|record| record.key.hour);
        self.meter.open = open.fold(None, |span: Option<(Hour, Hour)>, hour| {
            Some(span.map_or((hour, hour), |(oldest, newest)| (oldest.min(hour), newest.max(hour))))
        });
        let look_at = next_look(&self.meter, self.terms, self.now);
        let touched = self.touched;
        let records = self.records.into_values().filter(|record| touched.contains(&record.key)).collect();
        Change { meter: self.meter, records, events, losses: self.losses, look_at }
    }
}

/// Up to when every declared source has said that a meter's usage is complete.
pub(crate) fn complete_through(meter: &Meter, terms: &MeterTerms, product: &Watermarks) -> Option<Timestamp> {
    let of_source = |source: &SourceName| {
        let (own, all) = (meter.watermarks.get(source), product.get(source));
        own.max(all).copied()
    };
    let marks: Option<Vec<Timestamp>> = terms.sources.iter().map(of_source).collect();
    marks?.into_iter().min()
}
