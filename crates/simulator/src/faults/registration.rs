use serde::{Deserialize, Serialize};

use super::{CallFate, FaultError, FaultSettings, MeteringFaultSettings, is_probability};

/// What shall go wrong when a token is resolved, and how often: each number is a probability from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationFaultSettings {
    /// A call is answered with status 500.
    pub error: f64,
    /// A call is refused as too many.
    pub throttle: f64,
    /// An answer is lost.
    pub drop_answer: f64,
    /// A token is called expired, whatever it is.
    pub expired: f64,
    /// A token is called invalid, whatever it is.
    pub invalid: f64,
}

/// What becomes of one call that resolves a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationFate {
    /// It is answered.
    Answered,
    /// It is answered with status 500.
    Failed,
    /// It is refused as one too many.
    Throttled,
    /// The connection breaks before the answer.
    Dropped,
    /// The token is called expired.
    Expired,
    /// The token is called invalid.
    Invalid,
}

impl RegistrationFaultSettings {
    /// What holds where nothing is set for registrations alone.
    pub(super) fn like_other_calls(settings: &FaultSettings) -> Self {
        let FaultSettings { error, throttle, drop_answer, .. } = *settings;
        Self { error, throttle, drop_answer, ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), FaultError> {
        let named = [
            ("error", self.error),
            ("throttle", self.throttle),
            ("drop_answer", self.drop_answer),
            ("expired", self.expired),
            ("invalid", self.invalid),
        ];
        if let Some((name, value)) = named.into_iter().find(|(_, value)| !is_probability(*value)) {
            return Err(FaultError::Probability { name: name.to_owned(), value });
        }
        for sum in [self.error + self.throttle + self.drop_answer, self.expired + self.invalid] {
            if !is_probability(sum) {
                return Err(FaultError::Calls { sum });
            }
        }
        Ok(())
    }

    /// What becomes of a call, by two numbers drawn from 0 to 1: one for the call, one for the token.
    pub(super) fn fate(&self, call: f64, token: f64) -> RegistrationFate {
        let Self { error, throttle, drop_answer, .. } = *self;
        match (MeteringFaultSettings { error, throttle, drop_answer, unprocessed: 0.0 }).fate(call) {
            CallFate::Failed => RegistrationFate::Failed,
            CallFate::Throttled => RegistrationFate::Throttled,
            CallFate::Dropped => RegistrationFate::Dropped,
            CallFate::Answered if token < self.expired => RegistrationFate::Expired,
            CallFate::Answered if token < self.expired + self.invalid => RegistrationFate::Invalid,
            CallFate::Answered => RegistrationFate::Answered,
        }
    }
}
