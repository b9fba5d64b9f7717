//! The tokens that buyers bring to a seller's registration page, and whom each of them stands for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use tokio::time::Instant;

use crate::marketplace::serialize_moment;
use crate::metering::CallRate;
use crate::{ActError, Faults, Marketplace, MeteringSettings, Registrant, RegistrationFate, Whose};

/// How long a token is good (seller guide, "SaaS customer onboarding").
const GOOD_FOR: Duration = Duration::hours(4);
/// How many tokens are remembered; the oldest go first, and are then unknown.
const TOKENS_MAX: usize = 10_000;
/// How many bytes of chance a token is made of.
const TOKEN_BYTES: usize = 96;

/// The tokens that were issued. Clones share them.
#[derive(Clone, Debug)]
pub struct RegistrationTokens {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    market: Marketplace,
    faults: Arc<Faults>,
    state: Mutex<State>,
    started: Instant,
}

#[derive(Debug)]
struct State {
    chance: fastrand::Rng,
    issued: HashMap<String, Issued>,
    /// The tokens in the order in which they were issued.
    order: VecDeque<String>,
    rate: CallRate,
}

#[derive(Debug)]
struct Issued {
    registrant: Registrant,
    expires_at: OffsetDateTime,
}

/// A token that a buyer can bring to the seller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegistrationToken {
    /// What the form carries as `x-amzn-marketplace-token`: it has characters that a form has to encode.
    pub token: String,
    /// From when on it is refused, by the marketplace's clock.
    #[serde(serialize_with = "serialize_moment")]
    pub expires_at: OffsetDateTime,
}

/// What a token is worth at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It stands for somebody, and always for the same as long as it is good.
    Resolved(Registrant),
    /// It was good once.
    Expired,
    /// Nobody issued it.
    Unknown,
}

/// A call of `ResolveCustomer` that is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveRefusal {
    #[error("the registration token has expired; let the buyer come from the marketplace again")]
    Expired,
    #[error("the registration token is not one that the marketplace issued")]
    Invalid,
    #[error("the rate of calls is exceeded; send it again later")]
    Throttled,
    #[error("an internal error occurred; send it again")]
    Internal,
}

impl RegistrationTokens {
    /// No token yet; `seed` makes those that come.
    pub(crate) fn new(market: Marketplace, faults: Arc<Faults>, seed: u64) -> Self {
        let state = State {
            chance: fastrand::Rng::with_seed(seed),
            issued: HashMap::new(),
            order: VecDeque::new(),
            rate: CallRate::new(Some(MeteringSettings::CALLS_PER_SEC)),
        };
        let inner = Inner { market, faults, state: Mutex::new(state), started: Instant::now() };
        Self { inner: Arc::new(inner) }
    }

    /// Issues a token for a buyer's purchase: each time another one, as each click on *Set up your account* does.
    ///
    /// # Errors
    ///
    /// [`ActError`] if nobody would be sent to the seller, as [`Marketplace::registrant`] has it.
    pub fn issue(&self, whose: &Whose) -> Result<RegistrationToken, ActError> {
        let registrant = self.inner.market.registrant(whose)?;
        let expires_at = self.inner.market.clock().now() + GOOD_FOR;
        let token = self.state().keep(Issued { registrant, expires_at });
        Ok(RegistrationToken { token, expires_at })
    }

    /// Issues a token for a buyer's only purchase of a product.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn issue_token(&self, buyer: &str, product: &str) -> Result<String, ActError> {
        self.issue(&Whose::only(buyer, product)).map(|issued| issued.token)
    }

    /// What a token is worth at a moment of the marketplace's clock.
    pub fn resolve(&self, token: &str, now: OffsetDateTime) -> Resolution {
        match self.state().issued.get(token) {
            None => Resolution::Unknown,
            Some(issued) if issued.expires_at <= now => Resolution::Expired,
            Some(issued) => Resolution::Resolved(issued.registrant.clone()),
        }
    }

    /// Answers a call over HTTP; the second says whether the answer gets lost.
    pub(crate) fn call(&self, region: &str, token: &str) -> (Result<Registrant, ResolveRefusal>, bool) {
        let run_time = self.inner.started.elapsed();
        if !self.state().rate.take(region, run_time) {
            return (Err(ResolveRefusal::Throttled), false);
        }
        match self.inner.faults.draw_registration_call() {
            RegistrationFate::Failed => (Err(ResolveRefusal::Internal), false),
            RegistrationFate::Throttled => (Err(ResolveRefusal::Throttled), false),
            RegistrationFate::Expired => (Err(ResolveRefusal::Expired), false),
            RegistrationFate::Invalid => (Err(ResolveRefusal::Invalid), false),
            RegistrationFate::Dropped => (self.look_up(token), true),
            RegistrationFate::Answered => (self.look_up(token), false),
        }
    }

    fn look_up(&self, token: &str) -> Result<Registrant, ResolveRefusal> {
        match self.resolve(token, self.inner.market.clock().now()) {
            Resolution::Resolved(registrant) => Ok(registrant),
            Resolution::Expired => Err(ResolveRefusal::Expired),
            Resolution::Unknown => Err(ResolveRefusal::Invalid),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, issued: Issued) -> String {
        let token = self.draw();
        while self.order.len() >= TOKENS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.issued.remove(&oldest);
            }
        }
        self.order.push_back(token.clone());
        self.issued.insert(token.clone(), issued);
        token
    }

    /// So much chance that no two are alike.
    fn draw(&mut self) -> String {
        let mut bytes = [0; TOKEN_BYTES];
        loop {
            self.chance.fill(&mut bytes);
            let token = STANDARD.encode(bytes);
            // Whoever does not decode the form as such shall be found out.
            if token.contains('+') && token.contains('/') {
                return token;
            }
        }
    }
}
