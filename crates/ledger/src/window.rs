use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;

use crate::{CALL_RECORDS_MAX, Meter, Phase, Profile, Record};

/// The least time before a final-usage window's end at which what is open is frozen.
pub const MARGIN_MIN: Duration = Duration::from_mins(10);

/// How long before the window's end an hour has to begin for usage to be put there.
pub const HARD_CUT_MARGIN: Duration = Duration::from_mins(2);

/// How long before a window's end final usage is frozen: twice the time that sending it takes, and ten
/// minutes at least.
///
/// `backlog` is how many records of leaving buyers are not settled, and `calls_per_sec` the quota.
pub fn margin(backlog: u64, calls_per_sec: u32) -> Duration {
    let calls = backlog.div_ceil(CALL_RECORDS_MAX as u64);
    let secs = calls.div_ceil(u64::from(calls_per_sec.max(1)));
    Duration::from_secs(secs.saturating_mul(2)).max(MARGIN_MIN)
}

/// When a leaving buyer's final usage is frozen, whether or not it is complete.
pub fn soft_cut(deadline: Timestamp, margin: Duration) -> Timestamp {
    deadline.minus(margin)
}

/// From when on no hour is begun for usage that is left.
pub fn hard_cut(deadline: Timestamp) -> Timestamp {
    deadline.minus(HARD_CUT_MARGIN)
}

/// The first instant at which a frozen record may not be sent any more.
pub fn send_until(record: &Record, meter: &Meter, profile: &Profile) -> Timestamp {
    let stamp = record.report.as_ref().map_or(record.key.hour.start(), |report| report.stamp);
    let too_old = profile.too_old_at(stamp);
    let window = if record.period == meter.period {
        match meter.phase {
            Phase::Waiting | Phase::Running => None,
            Phase::Ending { until, .. } => Some(until),
            Phase::Over { at, until } => Some(until.unwrap_or(at)),
            // Where an attempt to subscribe again failed, the window of the stretch before stands.
            Phase::Failed => Some(window_of(meter, record).unwrap_or(Timestamp::from_micros(0))),
        }
    } else {
        window_of(meter, record)
    };
    window.map_or(too_old, |window| window.min(too_old))
}

fn window_of(meter: &Meter, record: &Record) -> Option<Timestamp> {
    meter.windows.get(&record.period).copied()
}
