use serde::{Deserialize, Serialize};

use super::{CallFate, FaultError, FaultSettings, is_probability};

/// What shall go wrong with calls of metering, and how often: each number is a probability from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeteringFaultSettings {
    /// A call is answered with status 500, undone.
    pub error: f64,
    /// A call is refused as too many, undone.
    pub throttle: f64,
    /// A call is done, and its answer is lost.
    pub drop_answer: f64,
    /// A record comes back unprocessed.
    pub unprocessed: f64,
}

impl MeteringFaultSettings {
    /// What holds for metering where nothing is set for it alone.
    pub(super) fn like_other_calls(settings: &FaultSettings) -> Self {
        let FaultSettings { error, throttle, drop_answer, .. } = *settings;
        Self { error, throttle, drop_answer, unprocessed: 0.0 }
    }

    pub(super) fn check(&self) -> Result<(), FaultError> {
        let named = [
            ("error", self.error),
            ("throttle", self.throttle),
            ("drop_answer", self.drop_answer),
            ("unprocessed", self.unprocessed),
        ];
        if let Some((name, value)) = named.into_iter().find(|(_, value)| !is_probability(*value)) {
            return Err(FaultError::Probability { name: name.to_owned(), value });
        }
        let sum = self.error + self.throttle + self.drop_answer;
        if is_probability(sum) { Ok(()) } else { Err(FaultError::Calls { sum }) }
    }

    /// What becomes of a call, by a number drawn from 0 to 1.
    pub(super) fn fate(&self, drawn: f64) -> CallFate {
        if drawn < self.error {
            CallFate::Failed
        } else if drawn < self.error + self.throttle {
            CallFate::Throttled
        } else if drawn < self.error + self.throttle + self.drop_answer {
            CallFate::Dropped
        } else {
            CallFate::Answered
        }
    }
}
