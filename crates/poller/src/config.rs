//! How a poller shall work.

use std::time::Duration;

use crate::queue::{BATCH_MAX, VISIBILITY_MAX};

/// More than this many messages in flight would meet SQS's own limit of 120,000 with a few workers.
const PERMITS_MAX: usize = 20_000;
const RECEIVERS_MAX: usize = 64;
/// An SQS quota.
const LONG_POLL_MAX: Duration = Duration::from_secs(20);

/// How a poller shall work; the defaults suit SQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollerConfig {
    /// The most messages that are handled at once.
    pub permits: usize,
    /// How many messages whoever is behind the handler commits in one go; at least twice as many permits are
    /// needed, or commits would starve while the next messages are fetched.
    pub commit_batch: usize,
    /// The most receive calls at once under load; an idle poller has one.
    pub max_receivers: usize,
    /// How long an empty queue is waited for in one call; at most 20 s.
    pub long_poll: Duration,
    /// How long a received message is hidden before the lease has to be renewed; at least twice `long_poll`.
    pub visibility: Duration,
    /// A message that was received more often than this is given to `Handler::poison`.
    pub poison_after: u32,
    /// The delay before the first redelivery of a retried message; doubles with each receive.
    pub retry_base: Duration,
    /// The longest delay before a redelivery.
    pub retry_cap: Duration,
    /// The first pause after a failed receive or a blocked handler; doubles with each.
    pub pause_base: Duration,
    /// The longest such pause.
    pub pause_cap: Duration,
    /// How long a receive that runs at a soft stop may still take.
    pub receive_grace: Duration,
}

impl Default for PollerConfig {
    fn default() -> Self {
        Self {
            permits: 512,
            commit_batch: 256,
            max_receivers: 8,
            long_poll: LONG_POLL_MAX,
            visibility: Duration::from_mins(1),
            poison_after: 10,
            retry_base: Duration::from_secs(2),
            retry_cap: Duration::from_mins(10),
            pause_base: Duration::from_millis(500),
            pause_cap: Duration::from_secs(30),
            receive_grace: Duration::from_secs(2),
        }
    }
}

/// A configuration that cannot work; each message says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Commits would starve.
    #[error("{permits} permits are fewer than twice the commit batch of {commit_batch}; allow more permits")]
    TooFewPermits {
        /// As configured.
        permits: usize,
        /// As configured.
        commit_batch: usize,
    },
    /// A value is outside its range.
    #[error("{name} is outside its range, which is {range}")]
    OutOfRange {
        /// The field.
        name: &'static str,
        /// What is allowed.
        range: &'static str,
    },
}

impl PollerConfig {
    /// Checks that the values can work together.
    ///
    /// # Errors
    /// Names the first value that cannot; start-up should be refused.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.permits / 2 < self.commit_batch.max(1) {
            let Self { permits, commit_batch, .. } = *self;
            return Err(ConfigError::TooFewPermits { permits, commit_batch });
        }
        let checks = [
            ("permits", "2 to 20,000", self.permits <= PERMITS_MAX),
            ("max_receivers", "1 to 64", (1..=RECEIVERS_MAX).contains(&self.max_receivers)),
            ("long_poll", "0 to 20 s", self.long_poll <= LONG_POLL_MAX),
            ("visibility", "twice the long poll, at least 1 s, to 1 h", self.visibility_fits()),
            ("poison_after", "at least 1", self.poison_after >= 1),
            ("retry_base", "above 0, up to the retry cap", fits(self.retry_base, self.retry_cap)),
            ("retry_cap", "up to 12 h", self.retry_cap <= VISIBILITY_MAX),
            ("pause_base", "above 0, up to the pause cap", fits(self.pause_base, self.pause_cap)),
        ];
        match checks.into_iter().find(|(_, _, fits)| !fits) {
            Some((name, range, _)) => Err(ConfigError::OutOfRange { name, range }),
            None => Ok(()),
        }
    }

    /// The most messages one receive asks for.
    pub(crate) fn receive_max(&self) -> usize {
        self.permits.min(BATCH_MAX)
    }

    /// The deadline of a lease is counted from the start of a receive, so the long poll has to leave enough of it.
    fn visibility_fits(&self) -> bool {
        let shortest = (self.long_poll * 2).max(Duration::from_secs(1));
        (shortest..=Duration::from_hours(1)).contains(&self.visibility)
    }
}

fn fits(base: Duration, cap: Duration) -> bool {
    !base.is_zero() && base <= cap
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_work() {
        assert_eq!(PollerConfig::default().validate(), Ok(()));
    }

    #[test]
    fn fewer_permits_than_two_commit_batches_are_refused() {
        let config = PollerConfig { permits: 511, commit_batch: 256, ..PollerConfig::default() };
        assert_eq!(config.validate(), Err(ConfigError::TooFewPermits { permits: 511, commit_batch: 256 }));
    }

    #[test]
    fn each_value_outside_its_range_is_named() {
        let good = PollerConfig::default;
        let cases = [
            ("permits", PollerConfig { permits: 20_001, ..good() }),
            ("max_receivers", PollerConfig { max_receivers: 0, ..good() }),
            ("long_poll", PollerConfig { long_poll: Duration::from_secs(21), ..good() }),
            ("visibility", PollerConfig { visibility: Duration::from_secs(39), ..good() }),
            ("poison_after", PollerConfig { poison_after: 0, ..good() }),
            ("retry_base", PollerConfig { retry_base: Duration::ZERO, ..good() }),
            ("retry_cap", PollerConfig { retry_cap: Duration::from_hours(13), ..good() }),
            ("pause_base", PollerConfig { pause_base: Duration::from_mins(1), ..good() }),
        ];
        for (expected, config) in cases {
            let refused = config.validate();
            assert!(
                matches!(refused, Err(ConfigError::OutOfRange { name, .. }) if name == expected),
                "{expected}: {refused:?}"
            );
        }
    }
}
