use std::time::Duration;

use stallkeeper_persistence::BATCH_MAX;
use stallkeeper_poller::PollerConfig;

use super::section::Section;

/// How queues are worked; each marketplace's queue has these to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// The most messages that are handled at once.
    pub permits: usize,
    /// The most receive calls at once under load.
    pub receivers: usize,
    /// How long an empty queue is waited for in one call.
    pub wait: Duration,
    /// How long a received message is hidden from others before that is renewed.
    pub visibility: Duration,
    /// A message that was received more often than this is put into quarantine.
    pub poison_after: u32,
}

impl QueueConfig {
    /// The same as the poller takes it.
    pub fn poller_config(&self) -> PollerConfig {
        PollerConfig {
            permits: self.permits,
            commit_batch: BATCH_MAX,
            max_receivers: self.receivers,
            long_poll: self.wait,
            visibility: self.visibility,
            poison_after: self.poison_after,
            ..PollerConfig::default()
        }
    }
}

pub(super) fn read(section: &Section<'_>) -> QueueConfig {
    let defaults = PollerConfig::default();
    let wait = section.number("wait_secs", defaults.long_poll.as_secs(), &(0..=20));
    let visibility = section.number("visibility_secs", defaults.visibility.as_secs(), &(1..=3_600));
    if visibility < 2 * wait {
        section.refuse("visibility_secs", "expected at least twice queue.wait_secs");
    }
    QueueConfig {
        permits: section.number("permits", defaults.permits, &(2 * BATCH_MAX..=20_000)),
        receivers: section.number("receivers", defaults.max_receivers, &(1..=64)),
        wait: Duration::from_secs(wait),
        visibility: Duration::from_secs(visibility),
        poison_after: section.number("poison_after", defaults.poison_after, &(1..=1_000)),
    }
}
