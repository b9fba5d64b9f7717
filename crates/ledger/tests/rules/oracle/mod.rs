//! What the rules have to come to, written a second time: with plain numbers, a calendar of its own, and a
//! search over candidate hours instead of marks that are moved along.

pub(crate) mod calendar;

use std::collections::BTreeMap;

use calendar::{HOUR, MINUTE, hour_of, month_of_hour, up_to_second};

/// What the marketplace's words come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    Running,
    Ending { deadline: i64 },
    Over { at: i64 },
    Failed,
}

/// What becomes of usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Refused,
    Held,
    Lost,
    Counted(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    Hold,
    Carry,
    Refuse,
}

/// Who watches one subscription.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    pub(crate) settle: i64,
    pub(crate) age: i64,
    pub(crate) stamps_end: bool,
    pub(crate) late: Late,
    pub(crate) stage: Stage,
    pub(crate) periods: u32,
    pub(crate) start: i64,
    /// No hour before it belongs to the period at hand.
    floor: i64,
    /// No hour before it takes anything.
    closed: i64,
}

impl Oracle {
    pub(crate) fn new(settle: i64, age: i64, stamps_end: bool, late: Late) -> Self {
        let stage = Stage::Waiting;
        Self { settle, age, stamps_end, late, stage, periods: 0, start: 0, floor: 0, closed: 0 }
    }

    /// A period begins; `used` is the newest hour in which anything was ever put.
    pub(crate) fn begins(&mut self, start: i64, used: Option<i64>) {
        let behind = used.map_or(i64::MIN, |used| used + 1);
        self.periods += 1;
        self.start = start;
        self.floor = hour_of(up_to_second(start)).max(behind).max(self.closed);
        self.closed = self.closed.max(self.floor);
        self.stage = Stage::Running;
    }

    /// Hours are closed by time and by the sources' word.
    pub(crate) fn looks(&mut self, now: i64, complete: Option<i64>) {
        if matches!(self.stage, Stage::Running | Stage::Ending { .. }) {
            let by_word = complete.map_or(i64::MIN, |complete| hour_of(complete.min(now)));
            self.closed = self.closed.max(hour_of(now - self.settle)).max(by_word);
        }
    }

    /// Where usage goes; `frozen` is the newest hour of the dimension that takes nothing more.
    pub(crate) fn expects(&self, occurred: i64, now: i64, frozen: Option<i64>) -> Fate {
        if occurred > now + 5 * MINUTE || self.is_too_old(occurred, now) {
            return Fate::Refused;
        }
        let own = hour_of(occurred.max(if self.periods > 0 { up_to_second(self.start) } else { occurred }));
        let own = own.max(self.floor);
        match self.stage {
            Stage::Waiting => Fate::Held,
            Stage::Over { at: end } | Stage::Ending { deadline: end } if occurred >= end => Fate::Held,
            Stage::Over { .. } | Stage::Failed => Fate::Lost,
            Stage::Ending { deadline } if now >= deadline || own * HOUR >= deadline => Fate::Lost,
            _ if self.periods > 1 && occurred < self.start => Fate::Lost,
            _ if month_of_hour(own) != month_of_hour(hour_of(occurred)) => Fate::Lost,
            _ if self.is_free(own, frozen) => Fate::Counted(own),
            Stage::Running => match self.late {
                Late::Hold => Fate::Held,
                Late::Refuse => Fate::Refused,
                Late::Carry => self.later(own, frozen, i64::MAX),
            },
            Stage::Ending { deadline } => self.later(own, frozen, deadline - 2 * MINUTE),
        }
    }

    /// The first free hour after the usage's own, in the same month and begun before the cut.
    fn later(&self, own: i64, frozen: Option<i64>, cut: i64) -> Fate {
        let free = (own..own + 10_000).find(|hour| self.is_free(*hour, frozen)).unwrap();
        if month_of_hour(free) == month_of_hour(own) && free.saturating_mul(HOUR) < cut {
            Fate::Counted(free)
        } else {
            Fate::Lost
        }
    }

    fn is_free(&self, hour: i64, frozen: Option<i64>) -> bool {
        hour >= self.closed && hour >= self.floor && frozen.is_none_or(|frozen| hour > frozen)
    }

    /// Whether no record of the usage's own hour would be taken any more.
    fn is_too_old(&self, occurred: i64, now: i64) -> bool {
        let hour = hour_of(occurred);
        let stamp = if self.stamps_end {
            (hour + 1) * HOUR - 1_000_000
        } else {
            // In the period's first hour, records carry its start.
            let start = up_to_second(self.start);
            let is_first = self.periods > 0 && hour_of(start) == hour && self.floor <= hour;
            if is_first { start } else { hour * HOUR }
        };
        let mut next_month = hour - hour.rem_euclid(24);
        while month_of_hour(next_month) == month_of_hour(hour) {
            next_month += 24;
        }
        now >= (stamp + self.age).min(next_month * HOUR + 6 * HOUR)
    }
}

/// A decimal number of units in 1,000,000,000ths.
pub(crate) fn nanos(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digit = |byte: u8| i128::from(byte - b'0');
    let whole = whole.bytes().fold(0, |sum, byte| sum * 10 + digit(byte));
    let fraction = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    fraction.fold(whole, |sum, byte| sum * 10 + digit(byte))
}

/// What an hour's quantities come to.
pub(crate) fn aggregate(quantities: &[i128], is_peak: bool) -> i128 {
    if is_peak { quantities.iter().copied().max().unwrap_or(0) } else { quantities.iter().sum() }
}

/// The newest hour of each dimension that takes nothing more, and the newest hour at all.
pub(crate) fn newest<'a>(
    records: impl Iterator<Item = (&'a str, i64, bool)>,
) -> (BTreeMap<String, i64>, Option<i64>) {
    let mut frozen = BTreeMap::new();
    let mut used = None;
    for (dimension, hour, is_open) in records {
        used = used.max(Some(hour));
        if !is_open {
            let newest = frozen.entry(dimension.to_owned()).or_insert(hour);
            *newest = hour.max(*newest);
        }
    }
    (frozen, used)
}
