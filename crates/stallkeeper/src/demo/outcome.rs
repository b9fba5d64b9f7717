//! What a demonstration came to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Mismatch, Usage};

/// What the marketplace sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Notifications that it published.
    pub published: usize,
    /// Those of them that were lost on purpose.
    pub lost: usize,
    /// Messages put into the queue, every copy counted.
    pub delivered: u64,
    /// Messages that were given up by the queue.
    pub dead_letters: usize,
}

/// What became of the notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notifications {
    /// Said by the marketplace.
    pub published: usize,
    /// Lost on their way, on purpose.
    pub lost: usize,
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
    /// Given up by the queue.
    pub dead_letters: usize,
}

impl Notifications {
    /// What was sent, and what the worker counted, as its metrics tell it.
    pub fn counted(sent: Sent, metrics: &str) -> Self {
        let outcome = |name: &str| {
            counter(metrics, &format!("stallkeeper_commit_outcomes_total{{outcome=\"{name}\"}} "))
        };
        Self {
            published: sent.published,
            lost: sent.lost,
            delivered: sent.delivered,
            applied: outcome("applied"),
            duplicate: outcome("duplicate"),
            stale: outcome("unchanged") + outcome("too-old"),
            quarantined: outcome("quarantined"),
            dead_letters: sent.dead_letters,
        }
    }

    /// What is not as it must be, in words; every notification that arrived is to be taken in once.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.dead_letters > 0 {
            problems.push(format!("{} messages went to the dead-letter queue", self.dead_letters));
        }
        if self.quarantined > 0 {
            problems.push(format!("{} messages were put aside as not understood", self.quarantined));
        }
        let arrived = u64::try_from(self.published - self.lost.min(self.published)).unwrap_or(u64::MAX);
        if self.applied + self.stale != arrived {
            let taken = self.applied + self.stale;
            problems.push(format!("{arrived} notifications arrived, and {taken} were taken in"));
        }
        problems
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
    /// What became of usage; numbers are units, of all dimensions together in the totals.
    pub usage: Usage,
    /// On how many subscriptions the worker and the books differ.
    pub mismatches: usize,
    /// The first of them.
    pub mismatched: Vec<Mismatch>,
    /// Whatever else is not as it must be.
    pub problems: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// How long it took.
    pub seconds: f64,
    /// Where the marketplace stays open, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
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
        let sent = Sent { published: 45, lost: 2, delivered: 50, dead_letters: 0 };
        let counted = Notifications::counted(sent, metrics);
        assert_eq!((counted.applied, counted.duplicate, counted.stale, counted.quarantined), (40, 0, 3, 0));
        assert_eq!(counted.problems(), Vec::<String>::new());
    }

    fn problems(counted: Notifications) -> String {
        counted.problems().join("; ")
    }

    #[test]
    fn whatever_was_not_taken_in_is_a_problem() {
        let lost = Notifications { published: 10, applied: 9, ..Notifications::default() };
        assert_eq!(problems(lost), "10 notifications arrived, and 9 were taken in");
        let dead = Notifications { dead_letters: 3, ..Notifications::default() };
        assert_eq!(problems(dead), "3 messages went to the dead-letter queue");
        let aside = Notifications { quarantined: 4, ..Notifications::default() };
        assert_eq!(problems(aside), "4 messages were put aside as not understood");
    }

    #[test]
    fn what_was_lost_on_purpose_is_none() {
        let counted = Notifications { published: 10, lost: 1, applied: 9, ..Notifications::default() };
        assert_eq!(problems(counted), "");
    }
}
