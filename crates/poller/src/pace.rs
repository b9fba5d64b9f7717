//! How many receives run at once, and when none may.

use stallkeeper_runtime::Backoff;
use tokio::time::{Duration, Instant};

/// One receive when idle, more while they come back full, none during a pause after an error.
#[derive(Debug)]
pub(crate) struct Pace {
    receivers: usize,
    receivers_max: usize,
    backoff: Backoff,
    resume_at: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(receivers_max: usize, pause_base: Duration, pause_cap: Duration) -> Self {
        Self { receivers: 1, receivers_max, backoff: Backoff::new(pause_base, pause_cap), resume_at: None }
    }

    /// Whether one more receive may start while `running` of them run.
    pub(crate) fn allows_one_more_than(&self, running: usize) -> bool {
        self.resume_at.is_none() && running < self.receivers
    }

    /// When the pause ends, if there is one.
    pub(crate) fn resume_at(&self) -> Option<Instant> {
        self.resume_at
    }

    /// The pause is over.
    pub(crate) fn resume(&mut self) {
        self.resume_at = None;
    }

    /// A receive that asked for `asked` messages came back with `got`.
    pub(crate) fn received(&mut self, asked: usize, got: usize) {
        self.backoff.reset();
        if got == 0 {
            self.receivers = 1;
        } else if got >= asked {
            self.receivers = (self.receivers * 2).min(self.receivers_max);
        }
    }

    /// A receive failed. Receives that failed together make one pause.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.receivers = 1;
        if self.resume_at.is_none() {
            self.resume_at = Some(now + self.backoff.next_delay());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace::new(8, Duration::from_secs(1), Duration::from_secs(30))
    }

    #[test]
    fn full_receives_double_the_receivers_up_to_the_limit() {
        let mut pace = pace();
        let grown: Vec<_> = (0..5)
            .map(|_| {
                pace.received(10, 10);
                pace.receivers
            })
            .collect();
        assert_eq!(grown, [2, 4, 8, 8, 8]);
    }

    #[test]
    fn an_empty_receive_goes_back_to_one_receiver() {
        let mut pace = pace();
        pace.received(10, 10);
        pace.received(10, 3);
        assert_eq!(pace.receivers, 2, "some messages are no reason to change");
        pace.received(10, 0);
        assert_eq!(pace.receivers, 1);
    }

    #[test]
    fn receives_that_failed_together_make_one_pause() {
        let mut pace = pace();
        let now = Instant::now();
        pace.failed(now);
        let first = pace.resume_at();
        pace.failed(now);
        assert_eq!(pace.resume_at(), first);
        assert!(!pace.allows_one_more_than(0));
        pace.resume();
        assert!(pace.allows_one_more_than(0));
    }
}
