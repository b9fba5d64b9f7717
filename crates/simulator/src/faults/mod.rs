mod entitlement;
mod metering;
mod registration;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use entitlement::EntitlementFaultSettings;
pub use metering::MeteringFaultSettings;
pub use registration::{RegistrationFate, RegistrationFaultSettings};

/// The longest time that a notification can be held back, in milliseconds.
const DELAY_MAX_MS: u64 = 10 * 60 * 1000;
/// How long a notification is held back at most where the settings name no time, in milliseconds: enough
/// for later ones to overtake it.
const UNNAMED_DELAY_MAX_MS: u64 = 50;
/// How many words can be named that get lost; the marketplaces have fewer.
const LOSE_MAX: usize = 100;

/// What shall go wrong, and how often: each number is a probability from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultSettings {
    /// A notification is delivered twice.
    pub duplicate: f64,
    /// A notification is held back, so that later ones overtake it.
    pub reorder: f64,
    /// How long at most a notification or its copy is held back, in milliseconds.
    pub delay_max_ms: u64,
    /// A notification never arrives; by what it says (`unsubscribe-success`, `License Updated`, or `*` for
    /// all that are not named).
    pub lose: BTreeMap<String, f64>,
    /// A call is answered with status 500, undone.
    pub error: f64,
    /// A call is refused as too many, undone.
    pub throttle: f64,
    /// A call is done, and its answer is lost.
    pub drop_answer: f64,
}

/// What becomes of one notification on its way to one queue: a delay for each copy, none where it is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryFate {
    /// How long each copy is held back.
    pub copies: Vec<Duration>,
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFate {
    /// It is done and answered.
    Answered,
    /// It is not done, and answered with status 500.
    Failed,
    /// It is not done, and refused as one too many.
    Throttled,
    /// It is done, and the connection breaks before the answer.
    Dropped,
}

/// Settings that cannot be; those before them stay.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FaultError {
    /// A number that is no probability.
    #[error("{name} is {value}: give a probability from 0 to 1")]
    Probability {
        /// Which setting.
        name: String,
        /// What it was to be.
        value: f64,
    },
    /// More than every call would go wrong.
    #[error("error, throttle and drop_answer add up to {sum}: give no more than 1 together")]
    Calls {
        /// Their sum.
        sum: f64,
    },
    /// A delay that nobody waits for.
    #[error("delay_max_ms is {value}: give {DELAY_MAX_MS} at most")]
    Delay {
        /// What it was to be, in milliseconds.
        value: u64,
    },
    /// More words than the marketplaces have.
    #[error("lose names {count} words: give {LOSE_MAX} at most, or * for all")]
    Words {
        /// How many.
        count: usize,
    },
}

/// Settings that can be changed at any time, and seeded dice.
#[derive(Debug)]
pub struct Faults {
    inner: Mutex<Inner>,
}

/// Calls of queues, of metering and of registrations, and deliveries have dice of their own, so that nobody who polls more often
/// changes what arrives or what is billed.
#[derive(Debug)]
struct Inner {
    settings: FaultSettings,
    /// Metering is like other calls where there are none.
    metering_settings: Option<MeteringFaultSettings>,
    /// The same.
    registration_settings: Option<RegistrationFaultSettings>,
    /// The same.
    entitlement_settings: Option<EntitlementFaultSettings>,
    calls: fastrand::Rng,
    metering: fastrand::Rng,
    registration: fastrand::Rng,
    entitlement: fastrand::Rng,
    deliveries: fastrand::Rng,
}

impl FaultSettings {
    fn check(&self) -> Result<(), FaultError> {
        let own = [
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("error", self.error),
            ("throttle", self.throttle),
            ("drop_answer", self.drop_answer),
        ];
        let lose = self.lose.iter().map(|(what, value)| (what.as_str(), *value));
        if let Some((name, value)) = own.into_iter().chain(lose).find(|(_, value)| !is_probability(*value)) {
            return Err(FaultError::Probability { name: name.to_owned(), value });
        }
        let sum = self.error + self.throttle + self.drop_answer;
        if !is_probability(sum) {
            return Err(FaultError::Calls { sum });
        }
        if self.delay_max_ms > DELAY_MAX_MS {
            return Err(FaultError::Delay { value: self.delay_max_ms });
        }
        if self.lose.len() > LOSE_MAX {
            return Err(FaultError::Words { count: self.lose.len() });
        }
        Ok(())
    }

    fn loses(&self, what: &str) -> f64 {
        self.lose.get(what).or_else(|| self.lose.get("*")).copied().unwrap_or_default()
    }

    fn draw_hold(&self, rng: &mut fastrand::Rng) -> Duration {
        let most = if self.delay_max_ms == 0 { UNNAMED_DELAY_MAX_MS } else { self.delay_max_ms };
        Duration::from_millis(rng.u64(1..=most))
    }
}

impl Faults {
    /// No fault until settings are made.
    pub fn new(seed: u64) -> Self {
        let mut deliveries = fastrand::Rng::with_seed(seed);
        let calls = deliveries.fork();
        let metering = calls.clone().fork();
        let registration = metering.clone().fork();
        let entitlement = registration.clone().fork();
        let inner = Inner {
            settings: FaultSettings::default(),
            metering_settings: None,
            registration_settings: None,
            entitlement_settings: None,
            calls,
            metering,
            registration,
            entitlement,
            deliveries,
        };
        Self { inner: Mutex::new(inner) }
    }

    /// The settings that hold now.
    pub fn settings(&self) -> FaultSettings {
        self.inner().settings.clone()
    }

    /// Changes all settings at once.
    ///
    /// # Errors
    /// A number that is no probability, or a delay that is too long; then the settings stay as they were.
    pub fn set(&self, settings: FaultSettings) -> Result<(), FaultError> {
        settings.check()?;
        self.inner().settings = settings;
        Ok(())
    }

    /// The settings that hold for metering now: its own, or those of all calls.
    pub fn metering_settings(&self) -> MeteringFaultSettings {
        self.inner().metering_settings()
    }

    /// Sets what goes wrong with metering, apart from other calls; without settings it is like other calls again.
    ///
    /// # Errors
    /// A number that is no probability; then the settings stay as they were.
    pub fn set_metering(&self, settings: Option<MeteringFaultSettings>) -> Result<(), FaultError> {
        settings.as_ref().map_or(Ok(()), MeteringFaultSettings::check)?;
        self.inner().metering_settings = settings;
        Ok(())
    }

    /// The settings that hold for resolving tokens now: its own, or those of all calls.
    pub fn registration_settings(&self) -> RegistrationFaultSettings {
        self.inner().registration_settings()
    }

    /// Sets what goes wrong when tokens are resolved, as [`Faults::set_metering`] does for metering.
    ///
    /// # Errors
    /// A number that is no probability; then the settings stay as they were.
    pub fn set_registration(&self, settings: Option<RegistrationFaultSettings>) -> Result<(), FaultError> {
        settings.as_ref().map_or(Ok(()), RegistrationFaultSettings::check)?;
        self.inner().registration_settings = settings;
        Ok(())
    }

    /// The settings that hold for questions about entitlements now: their own, or those of all calls.
    pub fn entitlement_settings(&self) -> EntitlementFaultSettings {
        self.inner().entitlement_settings()
    }

    /// Sets what goes wrong with questions about entitlements, as [`Faults::set_metering`] does for metering.
    ///
    /// # Errors
    /// A number that is no probability; then the settings stay as they were.
    pub fn set_entitlement(&self, settings: Option<EntitlementFaultSettings>) -> Result<(), FaultError> {
        settings.as_ref().map_or(Ok(()), EntitlementFaultSettings::check)?;
        self.inner().entitlement_settings = settings;
        Ok(())
    }

    /// What becomes of the next question about entitlements.
    pub fn draw_entitlement_call(&self) -> CallFate {
        let mut inner = self.inner();
        let settings = inner.entitlement_settings();
        settings.fate(inner.entitlement.f64())
    }

    /// What becomes of the next call of a queue.
    pub fn draw_call(&self) -> CallFate {
        let Inner { settings, calls, .. } = &mut *self.inner();
        MeteringFaultSettings::like_other_calls(settings).fate(calls.f64())
    }

    /// What becomes of the next call of metering.
    pub fn draw_metering_call(&self) -> CallFate {
        let mut inner = self.inner();
        let settings = inner.metering_settings();
        settings.fate(inner.metering.f64())
    }

    /// What becomes of the next call that resolves a token.
    pub fn draw_registration_call(&self) -> RegistrationFate {
        let mut inner = self.inner();
        let settings = inner.registration_settings();
        let (call, token) = (inner.registration.f64(), inner.registration.f64());
        settings.fate(call, token)
    }

    /// Whether the next record comes back unprocessed.
    pub fn draw_unprocessed(&self) -> bool {
        let mut inner = self.inner();
        let settings = inner.metering_settings();
        inner.metering.f64() < settings.unprocessed
    }

    /// What becomes of the next notification on its way to one queue.
    ///
    /// `what` is the word by which the settings lose it.
    pub fn draw_delivery(&self, what: &str) -> DeliveryFate {
        let Inner { settings, deliveries: rng, .. } = &mut *self.inner();
        if rng.f64() < settings.loses(what) {
            return DeliveryFate { copies: Vec::new() };
        }
        let is_late = rng.f64() < settings.reorder;
        let mut copies = vec![if is_late { settings.draw_hold(rng) } else { Duration::ZERO }];
        if rng.f64() < settings.duplicate {
            copies.push(settings.draw_hold(rng));
        }
        DeliveryFate { copies }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn metering_settings(&self) -> MeteringFaultSettings {
        self.metering_settings.unwrap_or_else(|| MeteringFaultSettings::like_other_calls(&self.settings))
    }

    fn entitlement_settings(&self) -> EntitlementFaultSettings {
        let own = self.entitlement_settings;
        own.unwrap_or_else(|| EntitlementFaultSettings::like_other_calls(&self.settings))
    }

    fn registration_settings(&self) -> RegistrationFaultSettings {
        let own = self.registration_settings;
        own.unwrap_or_else(|| RegistrationFaultSettings::like_other_calls(&self.settings))
    }
}

fn is_probability(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

#[cfg(test)]
mod tests;
