use std::collections::{BTreeMap, BTreeSet};

/// What happened in stories, and how often.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    counts: BTreeMap<String, u64>,
    noted: BTreeSet<(usize, String)>,
}

impl Coverage {
    /// Something happened.
    pub fn seen(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    /// Something went wrong.
    pub fn fault(&mut self, name: &str) {
        self.faults(name, 1);
    }

    /// Something went wrong so many times.
    pub fn faults(&mut self, name: &str, times: u64) {
        *self.counts.entry(format!("fault: {name}")).or_default() += times;
    }

    /// Whether this is the first time that something is noted.
    pub(crate) fn first_time(&mut self, key: &(usize, String)) -> bool {
        self.noted.insert(key.clone())
    }

    /// All of another's too.
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += times;
        }
    }

    /// How often something happened.
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// As a table.
    pub fn table(&self) -> String {
        let width = self.counts.keys().map(String::len).max().unwrap_or(0);
        let line = |(what, times): (&String, &u64)| format!("{what:<width$}  {times:>10}\n");
        self.counts.iter().map(line).collect()
    }

    /// What happened less often than it has to, so that a run proves something.
    pub fn missing(&self, at_least: u64) -> Vec<String> {
        let wanted = WANTED.iter().copied().map(str::to_owned);
        let faults = crate::fault::NAMES.iter().map(|name| format!("fault: {name}"));
        wanted.chain(faults).filter(|what| self.count(what) < at_least).collect()
    }
}

/// What every run of many seeds has to have met.
const WANTED: &[&str] = &[
    "setting mild",
    "setting harsh",
    "setting customer, global",
    "setting customer, China",
    "setting license, global",
    "usage counted",
    "usage known",
    "usage held: BeforeActivation",
    "usage held: Late",
    "usage lost: window_closed",
    "usage lost: earlier_period",
    "usage refused: too_old",
    "usage refused: hour_closed",
    "usage refused: unknown_tenant",
    "watermark",
    "held usage carried",
    "held usage written off",
    "metering held",
    "another system's record",
    "record conflict",
    "record settled",
    "record settled_assumed",
    "record expired",
    "record not_subscribed",
    "record carried in",
    "record with allocations",
    "phase running",
    "phase ending",
    "phase over",
    "loss fraction",
    "loss late",
    "loss window_closed",
    "loss earlier_period",
    "loss month_closed",
    "loss payment_failed",
    "loss not_subscribed",
    "re-subscription in the window",
];
