use std::time::Duration;

/// The bounds of the reporter.
#[derive(Clone, Debug)]
pub struct MeteringConfig {
    /// Whether anything is sent.
    pub mode: Mode,
    /// How many calls of one lane are on their way at once.
    pub in_flight: usize,
    /// How long one worker has a lane before another may take it, in business time; longer than a round of calls.
    pub lease: Duration,
    /// How long to sleep at the most before looking again, as the clock may jump and other workers write too.
    pub poll: Duration,
    /// The delay after a first failure.
    pub retry_base: Duration,
    /// The longest delay after a failure.
    pub retry_cap: Duration,
    /// How often gauges are renewed.
    pub watch: Duration,
}

/// Whether anything is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Records are sent.
    #[default]
    Send,
    /// Hours are closed and records frozen, and nothing is sent or noted as sent: in the end they are lost.
    DryRun,
}

impl Default for MeteringConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Send,
            in_flight: 8,
            lease: Duration::from_mins(2),
            poll: Duration::from_secs(1),
            retry_base: Duration::from_millis(250),
            retry_cap: Duration::from_secs(30),
            watch: Duration::from_secs(15),
        }
    }
}
