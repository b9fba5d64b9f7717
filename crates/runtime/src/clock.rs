//! Business time, handed in from outside.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use time::OffsetDateTime;

/// Tells what time it is for the business: deadlines, hours and positions.
///
/// Time-outs and back-off do not come from here; they use the runtime's own monotonic time.
pub trait WallClock: Send + Sync + Debug {
    /// The present moment, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the machine's clock enters; everyone else takes a `WallClock`"
    )]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from(SystemTime::now())
    }
}

/// A clock that stands still until it is told otherwise; clones share the same hands.
#[derive(Clone, Debug)]
pub struct FakeClock {
    now: Arc<Mutex<OffsetDateTime>>,
}

impl FakeClock {
    /// A clock that shows `now`.
    pub fn new(now: OffsetDateTime) -> Self {
        Self { now: Arc::new(Mutex::new(now)) }
    }

    /// Jumps to `now`, forwards or backwards.
    pub fn set(&self, now: OffsetDateTime) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Moves forward by `by`; stops at the last moment that can be represented.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let by = time::Duration::try_from(by).unwrap_or(time::Duration::MAX);
        *now = now.saturating_add(by);
    }
}

impl WallClock for FakeClock {
    fn now(&self) -> OffsetDateTime {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_fake_clock_show_the_same_time() {
        let clock = FakeClock::new(OffsetDateTime::UNIX_EPOCH);
        let seen_elsewhere = clock.clone();
        clock.advance(Duration::from_hours(1));
        assert_eq!(seen_elsewhere.now().unix_timestamp(), 3600);
        clock.set(OffsetDateTime::UNIX_EPOCH);
        assert_eq!(seen_elsewhere.now().unix_timestamp(), 0);
    }

    #[test]
    fn a_fake_clock_does_not_move_by_itself() {
        let clock = FakeClock::new(OffsetDateTime::UNIX_EPOCH);
        assert_eq!(clock.now(), clock.now());
    }

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now().year() >= 2026);
    }
}
