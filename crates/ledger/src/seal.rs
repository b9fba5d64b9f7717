use stallkeeper_lifecycle::Timestamp;

use crate::close::Look;
use crate::{Loss, LossReason, Phase, RecordEnd, RecordState, Seal, soft_cut};

/// How often a leftover is put into a further hour within one look: more hours than a window touches.
const ROUNDS_MAX: usize = 4;

impl Look<'_> {
    /// Freezes final usage: all that is open once it is complete, and what came after that at the soft cut, or
    /// as soon as its hour has begun where that is later. Lists as lost what is open when no hour is left.
    pub(crate) fn seal(&mut self) {
        match self.meter.phase {
            Phase::Ending { since, deadline, until, seal } => {
                if self.is_to_be_sealed(since, deadline, seal) {
                    self.freeze_final();
                    self.meter.phase = Phase::Ending { since, deadline, until, seal: Seal::Sealed };
                } else if seal == Seal::Sealed {
                    self.place_leftovers();
                }
            }
            Phase::Over { .. } => self.freeze_rest(),
            // An attempt to subscribe again failed: what was left of the stretch before may still be sent.
            Phase::Failed if self.meter.windows.contains_key(&self.meter.period) => self.freeze_rest(),
            Phase::Failed => self.lose_open(LossReason::PaymentFailed),
            Phase::Waiting | Phase::Running => {}
        }
    }

    fn is_to_be_sealed(&self, since: Timestamp, deadline: Timestamp, seal: Seal) -> bool {
        let is_complete = || self.complete_through().is_some_and(|mark| mark >= since);
        self.now >= soft_cut(deadline, self.margin) || (seal == Seal::Open && is_complete())
    }

    fn freeze_final(&mut self) {
        self.freeze_begun();
        for _ in 0..ROUNDS_MAX {
            if !self.place_leftovers() {
                return;
            }
            self.freeze_begun();
        }
    }

    fn freeze_rest(&mut self) {
        self.freeze_begun();
        self.lose_open(LossReason::WindowClosed);
    }

    fn freeze_begun(&mut self) {
        let now = self.now;
        self.freeze_where(|record, meter| meter.begins_at(record.key.hour) <= now);
    }

    /// Gives open records up; their hours stay theirs.
    fn lose_open(&mut self, reason: LossReason) {
        for record in self.records.values_mut().filter(|record| record.is_open()) {
            let why = reason.as_str().to_owned();
            record.state = RecordState::Ended { at: self.now, end: RecordEnd::Expired, why };
            self.losses.extend(Loss::of_record(record, record.counted, reason, self.now, ""));
            self.meter.froze(&record.key.dimension, record.key.hour);
            self.touched.insert(record.key.clone());
        }
    }
}
