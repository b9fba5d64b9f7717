use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stallkeeper_lifecycle::Timestamp;
use time::OffsetDateTime;

const MICROS: i64 = 3_600_000_000;

/// One hour of UTC, counted from 1970-01-01T00:00:00Z: what the marketplace meters by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hour(i64);

/// A billing month of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u8,
}

impl Hour {
    /// The hour with that number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The hour in which a moment lies.
    pub const fn of(time: Timestamp) -> Self {
        Self(time.as_micros().div_euclid(MICROS))
    }

    /// Counts hours since 1970-01-01T00:00:00Z.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// Its first instant.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(MICROS))
    }

    /// The first instant after it.
    pub const fn end(self) -> Timestamp {
        self.next().start()
    }

    /// Its last whole second, as the marketplace's times have seconds.
    pub fn last_second(self) -> Timestamp {
        self.end().minus(Duration::from_secs(1))
    }

    /// The hour after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The hour before it.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The month that it is billed in.
    pub fn month(self) -> Month {
        Month::of(self.start())
    }
}

impl fmt::Display for Hour {
    /// Its first instant, as RFC 3339.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start().fmt(formatter)
    }
}

impl Month {
    /// The month in which a moment lies; the first there is for moments that no calendar has.
    pub fn of(time: Timestamp) -> Self {
        let moment = OffsetDateTime::try_from(time).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self { year: moment.year(), month: u8::from(moment.month()) }
    }

    /// A month of a year; `None` where there is no such month.
    pub fn new(year: i32, month: u8) -> Option<Self> {
        ((1..=12).contains(&month) && (1970..=9998).contains(&year)).then_some(Self { year, month })
    }

    /// The first instant of it.
    pub fn start(self) -> Timestamp {
        let month = time::Month::try_from(self.month).unwrap_or(time::Month::January);
        let date = time::Date::from_calendar_date(self.year, month, 1);
        let midnight = date.map(|date| date.midnight().assume_utc());
        midnight.map_or(Timestamp::from_micros(0), Timestamp::from)
    }

    /// The month after it.
    #[must_use]
    pub fn next(self) -> Self {
        if self.month >= 12 {
            Self { year: self.year.saturating_add(1), month: 1 }
        } else {
            Self { year: self.year, month: self.month.saturating_add(1) }
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}
