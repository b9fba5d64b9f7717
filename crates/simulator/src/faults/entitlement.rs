use serde::{Deserialize, Serialize};

use super::{CallFate, FaultError, FaultSettings, MeteringFaultSettings};

/// What shall go wrong with questions about entitlements, and how often: each number is a probability from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EntitlementFaultSettings {
    /// A call is answered with status 500.
    pub error: f64,
    /// A call is refused as too many.
    pub throttle: f64,
    /// An answer is lost.
    pub drop_answer: f64,
}

impl EntitlementFaultSettings {
    /// What holds where nothing is set for entitlements alone.
    pub(super) fn like_other_calls(settings: &FaultSettings) -> Self {
        let FaultSettings { error, throttle, drop_answer, .. } = *settings;
        Self { error, throttle, drop_answer }
    }

    pub(super) fn check(&self) -> Result<(), FaultError> {
        self.as_calls().check()
    }

    /// What becomes of a call, by a number drawn from 0 to 1.
    pub(super) fn fate(&self, drawn: f64) -> CallFate {
        self.as_calls().fate(drawn)
    }

    fn as_calls(self) -> MeteringFaultSettings {
        let Self { error, throttle, drop_answer } = self;
        MeteringFaultSettings { error, throttle, drop_answer, unprocessed: 0.0 }
    }
}
