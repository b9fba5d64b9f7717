use std::time::Duration;

use stallkeeper_lifecycle::Timestamp;

use crate::{Doubt, Record, Report};

/// How long an attempt may take before the record is sent again: longer than any call.
pub const ANSWER_WAIT: Duration = Duration::from_mins(1);

/// A record on its way to the marketplace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The record's number in the store.
    pub number: i64,
    /// What is sent.
    pub report: Report,
    /// The first instant at which it may not be sent any more.
    pub until: Timestamp,
}

/// Notes that a frozen record is about to be sent; stored before the call, so that a crash leaves a trace.
///
/// An earlier attempt whose answer is not stored may have been taken: from now on that is in doubt.
pub fn attempted(record: &mut Record, attempt: i64, now: Timestamp) {
    if record.sending.in_flight.is_some() {
        record.sending.doubt = Doubt::Unanswered;
    }
    record.sending.in_flight = Some(attempt);
    record.sending.remember(attempt);
    record.sending.retry_at = Some(now.plus(ANSWER_WAIT));
}

impl Outgoing {
    /// A frozen record as it is sent; `None` for any other.
    pub fn of(number: i64, record: &Record) -> Option<Self> {
        let report = record.is_frozen().then(|| record.report.clone()).flatten()?;
        Some(Self { number, report, until: record.expires_at? })
    }
}
