use std::time::Duration;

use serde::Deserialize;
use stallkeeper_lifecycle::Timestamp;

use crate::Hour;

/// How long after a month's end its usage is still taken: until 06:00 UTC on the 1st (AWS `BatchMeterUsage`).
pub const MONTH_CLOSE: Duration = Duration::from_hours(6);

/// How long sending may take once an hour is closed before it would be too old.
const SENDING_ROOM: Duration = Duration::from_mins(10);

/// By what rules a marketplace meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Which moment of its hour a record carries.
    pub stamp: Stamp,
    /// How old a record's time may be when it is sent.
    pub age_limit: Duration,
    /// How long after its end an hour stays open for usage that comes late.
    pub settle_delay: Duration,
    /// What becomes of usage that comes later still.
    pub late_usage: LateUsage,
}

/// Which moment of its hour a record carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stamp {
    /// The first, or the period's start where that is later.
    #[default]
    HourStart,
    /// The last whole second, or that of freezing where the hour is not over: it ages latest.
    HourEnd,
}

/// What becomes of usage for an hour that is frozen already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LateUsage {
    /// Kept, and alarmed, until an operator decides; lost at the age limit.
    #[default]
    Hold,
    /// Counted in the first hour that is open, within the same month and period.
    CarryForward,
    /// The app is told that it is too late.
    Refuse,
}

/// A profile by which records would be too old to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record would be up to {} minutes old when it is sent, and the marketplace takes none older than {} minutes: \
     stamp the hour's end, or shorten the settle delay",
    .age.as_secs() / 60, .age_limit.as_secs() / 60
)]
pub struct ProfileError {
    /// How old a record can be when its hour closes, with room for sending.
    pub age: Duration,
    /// How old it may be.
    pub age_limit: Duration,
}

impl Profile {
    /// AWS Marketplace: records up to a day old (AWS `BatchMeterUsage`, 2026).
    pub const AWS: Self = Self {
        stamp: Stamp::HourStart,
        age_limit: Duration::from_hours(24),
        settle_delay: Duration::from_hours(1),
        late_usage: LateUsage::Hold,
    };

    /// AWS Marketplace China, whose guide takes records up to an hour old.
    pub const AWS_CHINA: Self = Self {
        stamp: Stamp::HourEnd,
        age_limit: Duration::from_hours(1),
        settle_delay: Duration::from_mins(2),
        late_usage: LateUsage::Hold,
    };

    /// Whether an hour's record can be sent in time once the hour is closed.
    ///
    /// # Errors
    /// A profile by which it cannot.
    pub fn check(&self) -> Result<(), ProfileError> {
        let inside_hour = match self.stamp {
            Stamp::HourStart => Duration::from_hours(1),
            Stamp::HourEnd => Duration::from_secs(1),
        };
        let age = inside_hour.saturating_add(self.settle_delay).saturating_add(SENDING_ROOM);
        if age <= self.age_limit { Ok(()) } else { Err(ProfileError { age, age_limit: self.age_limit }) }
    }

    /// The time that a record of an hour carries: a whole second of the hour, not before the period began
    /// where that was inside the hour or earlier, and not after `frozen_at` where the hour had begun by then.
    pub fn stamp(&self, hour: Hour, period_start: Option<Timestamp>, frozen_at: Timestamp) -> Timestamp {
        let earliest = period_start.map_or(hour.start(), whole_second_from);
        let earliest = earliest.max(hour.start()).min(hour.last_second());
        match self.stamp {
            Stamp::HourStart => earliest,
            Stamp::HourEnd => whole_second(frozen_at).min(hour.last_second()).max(earliest),
        }
    }

    /// The first instant at which no record of an hour is taken any more, however late it is frozen.
    pub(crate) fn hour_too_old_at(&self, hour: Hour, period_start: Option<Timestamp>) -> Timestamp {
        self.too_old_at(self.stamp(hour, period_start, hour.end()))
    }

    /// The first instant at which a record with this time is too old, its month being closed included.
    pub fn too_old_at(&self, stamp: Timestamp) -> Timestamp {
        let month_closes = Hour::of(stamp).month().next().start().plus(MONTH_CLOSE);
        stamp.plus(self.age_limit).min(month_closes)
    }
}

/// The whole second at or before a moment.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_micros(time.as_micros().div_euclid(1_000_000).saturating_mul(1_000_000))
}

/// The first whole second at or after a moment.
pub(crate) fn whole_second_from(time: Timestamp) -> Timestamp {
    let down = whole_second(time);
    if down == time { down } else { down.plus(Duration::from_secs(1)) }
}

impl Default for Profile {
    fn default() -> Self {
        Self::AWS
    }
}
