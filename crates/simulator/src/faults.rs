use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

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

/// Calls and deliveries have dice of their own, so that nobody who polls more often changes what arrives.
#[derive(Debug)]
struct Inner {
    settings: FaultSettings,
    calls: fastrand::Rng,
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
        Self { inner: Mutex::new(Inner { settings: FaultSettings::default(), calls, deliveries }) }
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

    /// What becomes of the next call.
    pub fn draw_call(&self) -> CallFate {
        let Inner { settings, calls, .. } = &mut *self.inner();
        let drawn = calls.f64();
        if drawn < settings.error {
            CallFate::Failed
        } else if drawn < settings.error + settings.throttle {
            CallFate::Throttled
        } else if drawn < settings.error + settings.throttle + settings.drop_answer {
            CallFate::Dropped
        } else {
            CallFate::Answered
        }
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

fn is_probability(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: [Duration; 1] = [Duration::ZERO];

    fn faults(settings: FaultSettings) -> Faults {
        let faults = Faults::new(7);
        faults.set(settings).unwrap();
        faults
    }

    fn lose<const N: usize>(words: [(&str, f64); N]) -> FaultSettings {
        let lose = words.into_iter().map(|(word, chance)| (word.to_owned(), chance)).collect();
        FaultSettings { lose, ..FaultSettings::default() }
    }

    #[test]
    fn nothing_goes_wrong_until_it_is_asked_for() {
        let faults = Faults::new(7);
        assert!((0..1000).all(|_| faults.draw_call() == CallFate::Answered));
        assert!((0..1000).all(|_| faults.draw_delivery("subscribe-success").copies == NOW));
    }

    #[test]
    fn calls_go_wrong_as_often_as_the_three_settings_say_together() {
        let settings = FaultSettings { error: 0.1, throttle: 0.2, drop_answer: 0.3, ..Default::default() };
        let faults = faults(settings);
        let drawn: Vec<_> = (0..10_000).map(|_| faults.draw_call()).collect();
        let share = |fate| drawn.iter().filter(|drawn| **drawn == fate).count() / 100;
        let shares =
            [CallFate::Failed, CallFate::Throttled, CallFate::Dropped, CallFate::Answered].map(share);
        for (share, wanted) in shares.into_iter().zip([10_usize, 20, 30, 40]) {
            assert!(share.abs_diff(wanted) <= 2, "{shares:?}");
        }
    }

    #[test]
    fn what_is_lost_has_no_copy_and_the_rest_arrives() {
        let faults = faults(lose([("unsubscribe-success", 1.0)]));
        assert!(faults.draw_delivery("unsubscribe-success").copies.is_empty());
        assert_eq!(faults.draw_delivery("unsubscribe-pending").copies, NOW);
    }

    #[test]
    fn a_word_of_its_own_goes_before_the_star() {
        let faults = faults(lose([("*", 1.0), ("subscribe-success", 0.0)]));
        assert!(faults.draw_delivery("subscribe-fail").copies.is_empty());
        assert_eq!(faults.draw_delivery("subscribe-success").copies, NOW);
    }

    #[test]
    fn a_duplicate_comes_after_the_first_copy() {
        let faults = faults(FaultSettings { duplicate: 1.0, delay_max_ms: 20, ..Default::default() });
        for _ in 0..1000 {
            let copies = faults.draw_delivery("subscribe-success").copies;
            assert!(matches!(copies[..], [first, second] if first.is_zero()
                && (1..=20).contains(&second.as_millis())));
        }
    }

    #[test]
    fn what_is_reordered_is_held_back_even_where_no_time_is_named() {
        let faults = faults(FaultSettings { reorder: 1.0, ..Default::default() });
        for _ in 0..1000 {
            let copies = faults.draw_delivery("subscribe-success").copies;
            assert!(matches!(copies[..], [held] if (1..=50).contains(&held.as_millis())));
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_fates() {
        let settings = FaultSettings { duplicate: 0.5, reorder: 0.5, error: 0.5, ..Default::default() };
        let draw = || {
            let faults = faults(settings.clone());
            (0..100).map(|_| (faults.draw_call(), faults.draw_delivery("x"))).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
    }

    #[test]
    fn how_often_somebody_polls_does_not_change_what_becomes_of_deliveries() {
        let settings = FaultSettings { duplicate: 0.5, reorder: 0.5, error: 0.5, ..Default::default() };
        let deliveries = |polls: usize| {
            let faults = faults(settings.clone());
            let after_polls = |_| {
                (0..polls).for_each(|_| _ = faults.draw_call());
                faults.draw_delivery("x")
            };
            (0..100).map(after_polls).collect::<Vec<_>>()
        };
        assert_eq!(deliveries(0), deliveries(3));
    }

    #[test]
    fn settings_that_cannot_be_change_nothing() {
        let good = FaultSettings { duplicate: 0.25, ..Default::default() };
        let faults = faults(good.clone());
        let bad = [
            FaultSettings { error: 1.5, ..Default::default() },
            FaultSettings { reorder: f64::NAN, ..Default::default() },
            FaultSettings { error: 0.6, throttle: 0.6, ..Default::default() },
            FaultSettings { delay_max_ms: DELAY_MAX_MS + 1, ..Default::default() },
            lose([("*", -0.1)]),
        ];
        for settings in bad {
            assert!(faults.set(settings.clone()).is_err(), "{settings:?}");
        }
        assert_eq!(faults.settings(), good);
    }
}
