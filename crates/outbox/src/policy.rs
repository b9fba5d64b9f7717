use std::time::Duration;

use stallkeeper_runtime::redelivery_delay;

/// How often a kind of job is tried, and how long it rests in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a job is tried.
    pub attempts_max: i32,
    /// The delay after a first failure; it doubles with each further one.
    pub base: Duration,
    /// The longest delay after a failure.
    pub cap: Duration,
}

impl RetryPolicy {
    pub(crate) fn allows_another(self, attempts: i32) -> bool {
        attempts < self.attempts_max
    }

    /// With jitter, so that what failed together is not tried together.
    pub(crate) fn delay(self, attempts: i32) -> Duration {
        redelivery_delay(u32::try_from(attempts).unwrap_or(1), self.base, self.cap)
    }
}
