use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::watch;

/// The marketplace's clock: it runs like the machine's, from wherever it was put; clones share it.
#[derive(Clone, Debug)]
pub struct MarketClock {
    hands: Arc<Mutex<Hands>>,
    moves: watch::Sender<u64>,
}

#[derive(Debug)]
struct Hands {
    /// What it is ahead of the machine's clock.
    ahead: time::Duration,
    /// The latest moment that was given out as a stamp.
    stamped: OffsetDateTime,
}

impl MarketClock {
    /// A clock that shows the machine's time.
    pub fn new() -> Self {
        Self {
            hands: Arc::new(Mutex::new(Hands {
                ahead: time::Duration::ZERO,
                stamped: OffsetDateTime::UNIX_EPOCH,
            })),
            moves: watch::Sender::new(0),
        }
    }

    /// The present moment.
    pub fn now(&self) -> OffsetDateTime {
        machine_time().saturating_add(self.hands().ahead)
    }

    /// A moment for something that is said now: whole milliseconds, and later than every stamp before it, so
    /// that two things are never said at once.
    pub fn stamp(&self) -> OffsetDateTime {
        let mut hands = self.hands();
        let now = whole_milliseconds(machine_time().saturating_add(hands.ahead));
        hands.stamped = now.max(hands.stamped.saturating_add(time::Duration::MILLISECOND));
        hands.stamped
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        let by = time::Duration::try_from(by).unwrap_or(time::Duration::MAX);
        {
            let mut hands = self.hands();
            hands.ahead = hands.ahead.saturating_add(by);
        }
        self.moves.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Jumps to a moment, forwards or backwards.
    pub fn set(&self, to: OffsetDateTime) {
        {
            let mut hands = self.hands();
            hands.ahead = to - machine_time();
            hands.stamped = hands.stamped.min(to);
        }
        self.moves.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// How often it was moved, and word of each move.
    pub fn moves(&self) -> watch::Receiver<u64> {
        self.moves.subscribe()
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MarketClock {
    fn default() -> Self {
        Self::new()
    }
}

fn whole_milliseconds(moment: OffsetDateTime) -> OffsetDateTime {
    moment.replace_millisecond(moment.millisecond()).unwrap_or(moment)
}

#[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock enters the simulator")]
fn machine_time() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_ahead_by_what_it_was_moved() {
        let clock = MarketClock::new();
        let before = clock.now();
        clock.advance(Duration::from_hours(1));
        let ahead = clock.now() - before;
        assert!(ahead >= time::Duration::HOUR && ahead < time::Duration::minutes(61), "{ahead}");
    }

    #[test]
    fn no_two_stamps_are_equal() {
        let clock = MarketClock::new();
        let stamps: Vec<_> = (0..100).map(|_| clock.stamp()).collect();
        assert!(stamps.is_sorted_by(|one, next| one < next));
        assert!(stamps.iter().all(|stamp| stamp.nanosecond() % 1_000_000 == 0));
    }

    #[test]
    fn a_clock_that_was_put_back_stamps_from_there() {
        let clock = MarketClock::new();
        let start = clock.now();
        clock.advance(Duration::from_hours(5));
        let late = clock.stamp();
        clock.set(start);
        assert!(clock.stamp() < late);
    }

    #[test]
    fn whoever_follows_hears_of_each_move() {
        let clock = MarketClock::new();
        let mut moves = clock.moves();
        clock.advance(Duration::from_secs(1));
        assert!(moves.has_changed().unwrap());
        assert_eq!(*moves.borrow_and_update(), 1);
    }
}
