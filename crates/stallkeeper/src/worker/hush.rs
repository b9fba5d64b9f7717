use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;

/// How long it stays silent after it spoke.
const SILENCE: Duration = Duration::from_secs(10);

/// Keeps a log line that every message would write from being written more than once in ten seconds; the
/// metrics count them all.
#[derive(Debug)]
pub(super) struct Hush(AtomicI64);

impl Default for Hush {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Hush {
    /// Whether the line is to be written at this time.
    pub(super) fn may_speak(&self, now: Timestamp) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        let quiet_until = Timestamp::from_micros(last).plus(SILENCE);
        // A clock that was set back must not silence it for good.
        let is_quiet = now < quiet_until && now >= Timestamp::from_micros(last);
        !is_quiet
            && self.0.compare_exchange(last, now.as_micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_once_in_ten_seconds_and_after_the_clock_was_set_back() {
        let hush = Hush::default();
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let spoken: Vec<bool> =
            [100, 101, 109, 110, 119, 50].map(|second| hush.may_speak(at(second))).to_vec();
        assert_eq!(spoken, [true, false, false, true, false, true]);
    }
}
