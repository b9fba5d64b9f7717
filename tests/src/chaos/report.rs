use std::fmt;
use std::time::Duration;

use super::verdict::Verdict;

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// For each kill, what the worker had in its hands just before.
    pub(super) in_hand: Vec<u64>,
    /// For each kill, what the queue counted as in flight just after.
    pub(super) in_flight: Vec<u64>,
    pub(super) restarts: usize,
    pub(super) disconnects: usize,
    pub(super) connections: usize,
    pub(super) jumps: usize,
    pub(super) jumped: Duration,
    /// What crowds moved the clock by.
    pub(super) stretched: Duration,
    pub(super) weathers: usize,
    pub(super) reliefs: usize,
    /// What workers ended with that were told to stop, where that was not status 0.
    pub(super) unclean: Vec<String>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) tally: Tally,
    pub(super) subscriptions: usize,
    pub(super) notifications: usize,
    pub(super) undelivered: usize,
    pub(super) copies: u64,
    pub(super) redeliveries: u64,
    pub(super) took: Duration,
    pub(super) verdicts: Vec<Verdict>,
}

impl Report {
    /// Whether all is as it must be.
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(Verdict::passed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, subscriptions, notifications, undelivered, copies, redeliveries, took, verdicts } =
            self;
        let Tally {
            in_hand,
            in_flight,
            restarts,
            disconnects,
            connections,
            jumps,
            jumped,
            stretched,
            weathers,
            reliefs,
            ..
        } = tally;
        let lines = [
            ("notifications", format!("{notifications}, of which {undelivered} were lost on purpose")),
            ("copies put into the queue", copies.to_string()),
            ("redeliveries", redeliveries.to_string()),
            ("subscriptions", subscriptions.to_string()),
            ("workers killed", in_hand.len().to_string()),
            ("  messages in the worker's hands", least_and_median(in_hand)),
            ("  messages in flight at the queue", least_and_median(in_flight)),
            ("workers stopped and started", reliefs.to_string()),
            ("Postgres restarts", restarts.to_string()),
            ("connections dropped", format!("{connections}, at {disconnects} times")),
            ("clock jumps", format!("{jumps}, {:.1} hours together", jumped.as_secs_f64() / 3_600.0)),
            ("hours moved by crowds", format!("{:.1}", stretched.as_secs_f64() / 3_600.0)),
            ("changes of faults", weathers.to_string()),
            ("seconds", format!("{:.1}", took.as_secs_f64())),
        ];
        lines.iter().try_for_each(|(name, value)| writeln!(formatter, "{name:<34} {value}"))?;
        writeln!(formatter)?;
        verdicts.iter().try_for_each(|verdict| writeln!(formatter, "{verdict}"))?;
        write!(formatter, "\n{}", if self.passed() { "PASS" } else { "FAIL" })
    }
}

fn least_and_median(counts: &[u64]) -> String {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    match (sorted.first(), sorted.get(sorted.len() / 2)) {
        (Some(least), Some(median)) => format!("at least {least}, median {median}"),
        _ => "none".to_owned(),
    }
}
