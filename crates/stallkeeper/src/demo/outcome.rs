//! What a demonstration came to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Mismatch;

/// What became of the notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notifications {
    /// Put into the queue, every copy counted.
    pub delivered: u64,
    /// Taken in.
    pub applied: u64,
    /// Known already.
    pub duplicate: u64,
    /// Telling nothing new, or older than what is kept.
    pub stale: u64,
    /// Not understood, and put aside.
    pub quarantined: u64,
}

impl Notifications {
    /// What the worker counted, as its metrics tell it.
    pub fn counted(delivered: u64, metrics: &str) -> Self {
        let outcome = |name: &str| {
            counter(metrics, &format!("stallkeeper_commit_outcomes_total{{outcome=\"{name}\"}} "))
        };
        Self {
            delivered,
            applied: outcome("applied"),
            duplicate: outcome("duplicate"),
            stale: outcome("unchanged") + outcome("too-old"),
            quarantined: outcome("quarantined"),
        }
    }
}

/// A counter's value in the Prometheus text format; nothing was counted where it is not there.
fn counter(metrics: &str, line: &str) -> u64 {
    metrics.lines().find_map(|text| text.strip_prefix(line)?.parse().ok()).unwrap_or(0)
}

/// The whole, for machines.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What became of the notifications.
    pub notifications: Notifications,
    /// How many subscriptions the worker says are in each state.
    pub subscriptions: BTreeMap<&'static str, u64>,
    /// On how many subscriptions the worker and the books differ.
    pub mismatches: usize,
    /// The first of them.
    pub mismatched: Vec<Mismatch>,
    /// The seed of all chance.
    pub seed: u64,
    /// How long it took.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workers_counters_become_the_summary() {
        let metrics = "# TYPE stallkeeper_commit_outcomes_total counter\n\
                       stallkeeper_commit_outcomes_total{outcome=\"applied\"} 40\n\
                       stallkeeper_commit_outcomes_total{outcome=\"unchanged\"} 2\n\
                       stallkeeper_commit_outcomes_total{outcome=\"too-old\"} 1\n\
                       stallkeeper_commit_acts_total{outcome=\"applied\"} 9\n";
        let counted = Notifications::counted(50, metrics);
        assert_eq!(
            counted,
            Notifications { delivered: 50, applied: 40, duplicate: 0, stale: 3, quarantined: 0 }
        );
    }
}
