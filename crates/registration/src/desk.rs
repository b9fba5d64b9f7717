use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use metrics::counter;
use secrecy::{ExposeSecret, SecretString};
use stallkeeper_lifecycle::{Binding, Change, MarketplaceName, SubscriptionKey, Timestamp, View};
use stallkeeper_persistence::{
    Act, Actor, Content, Details, Door, NewRegistration, NewVisit, Outcome, Page, RegistrationFilter,
    RegistrationId, RegistrationRecord, Settled, Store, StoreError, SubmitError, TermsOf, VisitId,
};
use stallkeeper_runtime::{Entropy, NoEntropy, WallClock, error_chain};
use tokio::sync::Semaphore;
use url::Url;

use crate::secret::{digest_of, secret};
use crate::{Entrance, Foreign, Listing, ResolveError, Stage, Way, stage};

/// For how long a visit's page is shown.
pub const VISIT_LASTS: Duration = Duration::from_hours(24);

/// For how long the app can change a code for its registration: long enough to sign up.
const CODE_LASTS: Duration = Duration::from_mins(30);

/// How many tokens a second are resolved, for all buyers together.
const RESOLVES_PER_SEC: NonZeroU32 = NonZeroU32::new(10).unwrap();
const RESOLVES_BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// How many are resolved at once.
const RESOLVES_AT_ONCE: usize = 32;

/// What the desk works with.
pub struct DeskConfig {
    /// Where everything is stored.
    pub store: Arc<dyn Store>,
    /// The way through the commit.
    pub door: Arc<dyn Door>,
    /// The business's clock.
    pub clock: Arc<dyn WallClock>,
    /// How subscriptions are read.
    pub terms: Arc<dyn TermsOf>,
    /// Where secrets and ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// The marketplaces that buyers come from.
    pub entrances: Vec<Entrance>,
    /// How buyers become tenants.
    pub way: Way,
}

/// Where buyers are let in.
pub struct Desk {
    store: Arc<dyn Store>,
    door: Arc<dyn Door>,
    clock: Arc<dyn WallClock>,
    terms: Arc<dyn TermsOf>,
    entropy: Arc<dyn Entropy>,
    entrances: BTreeMap<MarketplaceName, Entrance>,
    way: Way,
    rate: DefaultDirectRateLimiter,
    at_once: Semaphore,
}

/// A buyer who was let in.
#[derive(Debug)]
pub struct Arrival {
    /// His page.
    pub visit: VisitId,
    /// What his browser shows to see it.
    pub browser: SecretString,
}

/// Why a buyer is not let in.
#[derive(Debug, thiserror::Error)]
pub enum ArriveError {
    /// There is no such marketplace.
    #[error("no marketplace of this name lets buyers in")]
    NoMarketplace,
    /// He brings no token.
    #[error("no token was sent")]
    NoToken,
    /// His token is nothing to the marketplace, or it cannot say.
    #[error(transparent)]
    Unresolved(#[from] ResolveError),
    /// His token is for something else.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// Too many come at once.
    #[error("too many buyers come at once")]
    Busy,
    /// The system has no random bytes, without which no page is his alone.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a visit's browser is shown.
#[derive(Clone, Debug)]
pub struct Look {
    /// The stage.
    pub stage: Stage,
    /// The registration.
    pub registration: RegistrationRecord,
    /// What it is for; nothing where the listing was taken out of the configuration meanwhile.
    pub listing: Option<Listing>,
}

/// A registration with its subscription as it is now.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The registration.
    pub registration: RegistrationRecord,
    /// How its subscription looks; nothing where it was never heard of.
    pub view: Option<View>,
    /// The seller's key of the product.
    pub product: Option<String>,
}

/// What naming a tenant came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It is so now.
    Now,
    /// It was so before.
    Already,
}

/// Why a registration gets no tenant.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// There is no such registration, or it is forgotten.
    #[error("there is no such registration")]
    Unknown,
    /// Its subscription is another tenant's; only an operator moves it.
    #[error("the subscription is another tenant's")]
    Taken,
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Why there is no code to hand on.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// Not this browser's, or over, or buyers are not handed on at all.
    #[error("there is no such visit")]
    Unknown,
    /// The system has no random bytes.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Desk {
    /// A desk for these marketplaces.
    pub fn new(config: DeskConfig) -> Self {
        let DeskConfig { store, door, clock, terms, entropy, entrances, way } = config;
        let entrances = entrances.into_iter().map(|entrance| (entrance.marketplace.clone(), entrance));
        let rate = RateLimiter::direct(Quota::per_second(RESOLVES_PER_SEC).allow_burst(RESOLVES_BURST));
        let at_once = Semaphore::new(RESOLVES_AT_ONCE);
        let entrances = entrances.collect();
        Self { store, door, clock, terms, entropy, entrances, way, rate, at_once }
    }

    /// How buyers become tenants.
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// The way in from a marketplace.
    pub fn entrance(&self, marketplace: &MarketplaceName) -> Option<&Entrance> {
        self.entrances.get(marketplace)
    }

    /// Lets a buyer in who comes with a token; it is resolved now and kept nowhere.
    ///
    /// # Errors
    /// [`ArriveError`]; nothing is stored of that buyer then, he is only counted.
    pub async fn arrive(
        &self,
        marketplace: &MarketplaceName,
        token: Option<SecretString>,
    ) -> Result<Arrival, ArriveError> {
        let result = self.let_in(marketplace, token).await;
        counter!("stallkeeper_registrations_total", "outcome" => outcome(&result)).increment(1);
        if let Err(error) = &result {
            tell(marketplace, error);
        }
        result
    }

    async fn let_in(
        &self,
        marketplace: &MarketplaceName,
        token: Option<SecretString>,
    ) -> Result<Arrival, ArriveError> {
        let entrance = self.entrance(marketplace).ok_or(ArriveError::NoMarketplace)?;
        let token = token.ok_or(ArriveError::NoToken)?;
        let permit = self.at_once.try_acquire().map_err(|_| ArriveError::Busy)?;
        self.rate.check().map_err(|_| ArriveError::Busy)?;
        let buyer = entrance.resolver.resolve(&token).await?;
        drop((permit, token));
        let (subscription, license_arn) = entrance.subscription_of(&buyer)?;
        let now = self.now();
        let [id, visit, browser] = [self.entropy.bytes()?, self.entropy.bytes()?, self.entropy.bytes()?];
        let registration = NewRegistration {
            id: RegistrationId::new(half(id)),
            subscription,
            account: buyer.account,
            license_arn,
            agreement: buyer.agreement,
        };
        let browser = secret(browser);
        let visit = NewVisit {
            id: VisitId::new(half(visit)),
            browser: digest_of(&browser),
            ends_at: now.plus(VISIT_LASTS),
        };
        self.store.register(&registration, &visit, now).await?;
        tracing::info!(subscription = %registration.subscription, "a buyer came to set up his account");
        Ok(Arrival { visit: visit.id, browser })
    }

    /// What a visit's browser is shown; nothing for any other browser, or once the visit is over.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn look(&self, visit: &VisitId, browser: &SecretString) -> Result<Option<Look>, StoreError> {
        let Some(registration) = self.store.visited(visit, &digest_of(browser), self.now()).await? else {
            return Ok(None);
        };
        let view = self.view(&registration.subscription).await?;
        let stage = stage(view.as_ref(), registration.details.is_some());
        let listing = self.listing(&registration.subscription).cloned();
        Ok(Some(Look { stage, registration, listing }))
    }

    /// Takes what a buyer says of himself; `false` where the visit is not this browser's, or over.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn submit(
        &self,
        visit: &VisitId,
        browser: &SecretString,
        details: &Details,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let Some(registration) = self.store.visited(visit, &digest_of(browser), now).await? else {
            return Ok(false);
        };
        // Once there is a tenant, what the seller has looked at stays.
        if registration.tenant.is_none() {
            self.store.put_details(&registration.id, details, now).await?;
        }
        Ok(true)
    }

    /// Where the buyer goes on, with a code that the app changes for his registration.
    ///
    /// # Errors
    /// [`CodeError`]
    pub async fn hand_off(&self, visit: &VisitId, browser: &SecretString) -> Result<Url, CodeError> {
        let Way::HandOff(url) = &self.way else { return Err(CodeError::Unknown) };
        let now = self.now();
        let visited = self.store.visited(visit, &digest_of(browser), now).await?;
        visited.ok_or(CodeError::Unknown)?;
        let code = secret(self.entropy.bytes()?);
        self.store.put_code(visit, &digest_of(&code), now.plus(CODE_LASTS)).await?;
        Ok(with_code(url, &code))
    }

    /// Changes a code for its registration; the second time there is none.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn exchange(&self, code: &SecretString) -> Result<Option<Claim>, StoreError> {
        match self.store.take_code(&digest_of(code), self.now()).await? {
            Some(registration) => self.claim(registration).await.map(Some),
            None => Ok(None),
        }
    }

    /// One registration.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn registration(&self, id: &RegistrationId) -> Result<Option<Claim>, StoreError> {
        match self.store.registration(id, self.now()).await? {
            Some(registration) => self.claim(registration).await.map(Some),
            None => Ok(None),
        }
    }

    /// Registrations in the order of their ids.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn registrations(
        &self,
        filter: RegistrationFilter,
        page: &Page<RegistrationId>,
    ) -> Result<Vec<RegistrationRecord>, StoreError> {
        self.store.registrations(filter, page, self.now()).await
    }

    /// The seller's key of the product that a subscription is of.
    pub fn product_of(&self, subscription: &SubscriptionKey) -> Option<&str> {
        self.listing(subscription).map(|listing| listing.key.as_str())
    }

    /// Binds a registration's subscription to a tenant, unless another one has it.
    ///
    /// # Errors
    /// [`NameError`]; nothing changes then.
    pub async fn name_tenant(
        &self,
        id: &RegistrationId,
        binding: Binding,
        actor: Actor,
    ) -> Result<Named, NameError> {
        let registration = self.store.registration(id, self.now()).await?.ok_or(NameError::Unknown)?;
        let act = Act { key: registration.subscription, change: Change::Register(binding), actor };
        match self.door.submit(Content::Act(act)).await? {
            Outcome::Settled(Settled::Taken) => Err(NameError::Taken),
            Outcome::Settled(Settled::Applied) => Ok(Named::Now),
            _ => Ok(Named::Already),
        }
    }

    async fn claim(&self, registration: RegistrationRecord) -> Result<Claim, StoreError> {
        let view = self.view(&registration.subscription).await?;
        let product = self.product_of(&registration.subscription).map(str::to_owned);
        Ok(Claim { registration, view, product })
    }

    async fn view(&self, key: &SubscriptionKey) -> Result<Option<View>, StoreError> {
        let record = self.store.subscription(key).await?;
        Ok(record.map(|record| record.subscription.view(self.now(), self.terms.terms(key))))
    }

    fn listing(&self, key: &SubscriptionKey) -> Option<&Listing> {
        self.entrance(&key.marketplace)?.listing(&key.product)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from(self.clock.now())
    }
}

/// The first half of random bytes, which is enough for an id that opens nothing by itself.
fn half(random: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
    half
}

fn with_code(url: &Url, code: &SecretString) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("code", code.expose_secret());
    url
}

fn outcome(result: &Result<Arrival, ArriveError>) -> &'static str {
    match result {
        Ok(_) => "let-in",
        Err(ArriveError::NoMarketplace) => "no-marketplace",
        Err(ArriveError::NoToken) => "no-token",
        Err(ArriveError::Unresolved(ResolveError::Expired)) => "expired",
        Err(ArriveError::Unresolved(ResolveError::Invalid)) => "invalid",
        Err(ArriveError::Unresolved(ResolveError::Unavailable(_))) => "unavailable",
        Err(ArriveError::Unresolved(ResolveError::Refused(_))) => "refused",
        Err(ArriveError::Foreign(_)) => "foreign",
        Err(ArriveError::Busy) => "busy",
        Err(ArriveError::NoEntropy(_) | ArriveError::Store(_)) => "failed",
    }
}

/// What outsiders bring about is counted only; what the seller has to see to is logged.
fn tell(marketplace: &MarketplaceName, error: &ArriveError) {
    let why = error_chain(error);
    match error {
        ArriveError::NoMarketplace
        | ArriveError::NoToken
        | ArriveError::Unresolved(ResolveError::Expired | ResolveError::Invalid) => {}
        ArriveError::Busy | ArriveError::Unresolved(ResolveError::Unavailable(_)) => {
            tracing::warn!(%marketplace, %why, "a buyer could not be let in now");
        }
        ArriveError::Foreign(_)
        | ArriveError::Unresolved(ResolveError::Refused(_))
        | ArriveError::NoEntropy(_)
        | ArriveError::Store(_) => tracing::error!(%marketplace, %why, "a buyer could not be let in"),
    }
}
