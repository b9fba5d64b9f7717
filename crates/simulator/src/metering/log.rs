use std::collections::VecDeque;

use serde::Serialize;
use time::OffsetDateTime;

use crate::marketplace::serialize_moment;
use crate::metering::answer::{MeteringAnswer, NotSubscribed, RecordOutcome};
use crate::metering::refusal::{MeteringErrorCode, MeteringRefusal};

/// How many calls the log remembers; the oldest are forgotten first.
const LINES_MAX: usize = 100_000;
/// How much of a Region's name the log keeps; all of it where there is such a Region.
const REGION_CHARS_MAX: usize = 32;

/// One call that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MeteringCallLine {
    /// Counted from 1.
    pub number: u64,
    /// When, by the marketplace's clock.
    #[serde(serialize_with = "serialize_moment")]
    pub at: OffsetDateTime,
    /// In which Region.
    pub region: String,
    /// How many records it had; 0 where it could not be read.
    pub records: usize,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: CallOutcome,
}

/// What came of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum CallOutcome {
    /// It was done.
    Done {
        /// How many records are on the bill, by this call or an identical one before.
        success: usize,
        /// How many are not, as another one is.
        duplicate: usize,
        /// How many are not, as the customer is not subscribed, for whatever reason.
        not_subscribed: usize,
        /// How many of the latter came when the subscription was over.
        after_end: usize,
        /// How many were not processed.
        unprocessed: usize,
    },
    /// It failed as a whole.
    Refused {
        /// The name that the API has for it.
        code: MeteringErrorCode,
    },
}

/// What all calls came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MeteringCounts {
    /// How many calls were made.
    pub calls: u64,
    /// How many of them failed as a whole.
    pub refused: u64,
    /// How many records all of them had.
    pub records: u64,
    /// The most records that one call had.
    pub records_max: usize,
    /// Records answered with `Success`; one that is sent again unchanged counts again.
    pub success: u64,
    /// Records answered with `DuplicateRecord`.
    pub duplicate: u64,
    /// Records answered with `CustomerNotSubscribed`.
    pub not_subscribed: u64,
    /// Those of them that came when the subscription was over.
    pub after_end: u64,
    /// Records that came back unprocessed.
    pub unprocessed: u64,
}

/// The calls that were made.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    lines: VecDeque<MeteringCallLine>,
    counts: MeteringCounts,
}

impl CallLog {
    pub(crate) fn write(
        &mut self,
        at: OffsetDateTime,
        region: &str,
        records: usize,
        outcome: Result<&MeteringAnswer, &MeteringRefusal>,
    ) {
        let outcome = match outcome {
            Ok(answer) => CallOutcome::of(answer),
            Err(refusal) => CallOutcome::Refused { code: refusal.code() },
        };
        self.counts.add(records, outcome);
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        let number = self.counts.calls;
        let region = region.chars().take(REGION_CHARS_MAX).collect();
        self.lines.push_back(MeteringCallLine { number, at, region, records, outcome });
    }

    pub(crate) fn counts(&self) -> MeteringCounts {
        self.counts
    }

    pub(crate) fn after(&self, number: u64, limit: usize) -> Vec<MeteringCallLine> {
        let forgotten = self.counts.calls - self.lines.len() as u64;
        let skipped = usize::try_from(number.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        self.lines.range(skipped.min(self.lines.len())..).take(limit).cloned().collect()
    }
}

impl CallOutcome {
    fn of(answer: &MeteringAnswer) -> Self {
        let count = |is: fn(&RecordOutcome) -> bool| {
            answer.results.iter().filter(|result| is(&result.outcome)).count()
        };
        Self::Done {
            success: count(|outcome| matches!(outcome, RecordOutcome::Success { .. })),
            duplicate: count(|outcome| matches!(outcome, RecordOutcome::DuplicateRecord { .. })),
            not_subscribed: count(|outcome| matches!(outcome, RecordOutcome::CustomerNotSubscribed(_))),
            after_end: count(|outcome| *outcome == RecordOutcome::CustomerNotSubscribed(NotSubscribed::Over)),
            unprocessed: answer.unprocessed.len(),
        }
    }
}

impl MeteringCounts {
    fn add(&mut self, records: usize, outcome: CallOutcome) {
        self.calls += 1;
        self.records += records as u64;
        self.records_max = self.records_max.max(records);
        match outcome {
            CallOutcome::Refused { .. } => self.refused += 1,
            CallOutcome::Done { success, duplicate, not_subscribed, after_end, unprocessed } => {
                self.success += success as u64;
                self.duplicate += duplicate as u64;
                self.not_subscribed += not_subscribed as u64;
                self.after_end += after_end as u64;
                self.unprocessed += unprocessed as u64;
            }
        }
    }
}
