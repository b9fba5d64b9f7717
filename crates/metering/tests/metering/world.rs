//! A seller with a store, a clock, and a marketplace's call that is scripted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use stallkeeper_ledger::{
    Aggregate, ApiDimension, DimensionName, DimensionTerms, Hour, MeterTerms, ProductKey, Profile,
    RecordState, Scale, SourceName, Submission, ZeroRecords,
};
use stallkeeper_lifecycle::{
    Binding, Change, Fact, FactKind, MarketplaceName, ProductCode, SubscriptionKey, Terms, Timestamp, Trial,
};
use stallkeeper_metering::{Closer, Lane, MeteringConfig, Next, Pacer, Sender};
use stallkeeper_persistence::usage::{
    LedgerStore as _, MeterTermsOf, RecordFilter, RecordLine, Taken, take_in,
};
use stallkeeper_persistence::{
    Act, Actor, Content, InboxKey, Incoming, Page, Received, Store, TermsOf, commit,
};
use stallkeeper_persistence_sqlite::{Options, SqliteStore};
use stallkeeper_runtime::{FakeClock, WallClock};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::market::Market;

/// The first hour of every story.
pub(crate) const MORNING: &str = "2026-06-10T10:00:00Z";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// So many minutes after the morning's first hour began.
pub(crate) fn minute(minutes: u64) -> Timestamp {
    at(MORNING).plus(Duration::from_mins(minutes))
}

pub(crate) struct World {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: FakeClock,
    pub(crate) terms: Arc<Configured>,
    pub(crate) market: Arc<Market>,
    _folder: TempDir,
}

impl World {
    /// Half past the morning's first hour, with nobody subscribed.
    pub(crate) async fn open() -> Self {
        Self::with(Configured::default()).await
    }

    pub(crate) async fn with(terms: Configured) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = SecretString::from(format!("sqlite://{}", folder.path().join("s.db").display()));
        let store = SqliteStore::connect(&url, Options::default()).await.unwrap();
        store.migrate().await.unwrap();
        let world = Self {
            store: Arc::new(store),
            clock: FakeClock::new(OffsetDateTime::UNIX_EPOCH),
            terms: Arc::new(terms),
            market: Arc::default(),
            _folder: folder,
        };
        world.set_clock(minute(30));
        world
    }

    pub(crate) fn set_clock(&self, to: Timestamp) {
        self.clock.set(to.try_into().unwrap());
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    pub(crate) fn config() -> MeteringConfig {
        let none = Duration::ZERO;
        MeteringConfig { retry_base: none, retry_cap: none, in_flight: 1, ..MeteringConfig::default() }
    }

    pub(crate) fn lane(&self) -> Lane {
        Lane {
            name: "aws us-east-1".to_owned(),
            marketplaces: vec!["aws".parse().unwrap()],
            api: self.market.clone(),
            calls_per_sec: 10,
        }
    }

    pub(crate) fn closer(&self) -> Closer {
        let clock = Arc::new(self.clock.clone());
        Closer::new(self.store(), clock, self.terms.clone(), &[self.lane()], Self::config())
    }

    pub(crate) fn sender(&self) -> Sender {
        self.sender_of("worker-1", Self::config())
    }

    pub(crate) fn sender_of(&self, holder: &str, config: MeteringConfig) -> Sender {
        let clock = Arc::new(self.clock.clone());
        Sender::new(self.store(), clock, self.terms.clone(), self.lane(), holder, Pacer::off(), config)
    }

    async fn take(&self, contents: Vec<Content>) {
        let received_at = self.now();
        let incoming = |content| Incoming { received_at, content };
        let batch: Vec<Incoming> = contents.into_iter().map(incoming).collect();
        commit(&*self.store, &batch, self.now(), &*self.terms).await.unwrap();
    }

    /// The marketplace says something about a subscription.
    pub(crate) async fn hear(&self, key: &SubscriptionKey, time: Timestamp, kind: FactKind) {
        self.take(vec![said(key, time, kind)]).await;
    }

    /// A buyer who is subscribed from the morning on, and bound to a tenant of his name.
    pub(crate) async fn subscribe(&self, key: &SubscriptionKey) {
        self.subscribe_all(std::slice::from_ref(key)).await;
    }

    pub(crate) async fn subscribe_all(&self, keys: &[SubscriptionKey]) {
        let subscribed = |key: &SubscriptionKey| {
            let kind = FactKind::SubscribeSuccess { offer: None, trial: Trial::No };
            let binding = Binding { tenant: tenant(key).parse().unwrap(), user: None };
            let act = Act { key: key.clone(), change: Change::Bind(binding), actor: Actor::Worker };
            [said(key, at(MORNING), kind), Content::Act(act)]
        };
        self.take(keys.iter().flat_map(subscribed).collect()).await;
    }

    /// A buyer uses so many requests that many minutes into the morning.
    pub(crate) async fn uses(&self, key: &SubscriptionKey, quantity: i64, minutes: u64) {
        self.submit(vec![self.usage(key, quantity, minutes)]).await;
    }

    fn usage(&self, key: &SubscriptionKey, quantity: i64, minutes: u64) -> Submission {
        Submission {
            id: format!("{key}-{minutes}").parse().unwrap(),
            tenant: tenant(key).parse().unwrap(),
            product: self.terms.product_of(key),
            dimension: "requests".parse().unwrap(),
            quantity: quantity.to_string(),
            occurred_at: minute(minutes),
            user: None,
            tags: BTreeMap::new(),
            subscription: Some(key.clone()),
        }
    }

    async fn submit(&self, batch: Vec<Submission>) {
        let taken = take_in(&*self.store, &batch, self.now(), &*self.terms).await.unwrap();
        assert!(taken.iter().all(|taken| matches!(taken, Taken::Stored(_))), "{taken:?}");
    }

    /// So many buyers of a listing, each with one frozen record of the morning's first hour, two hours later.
    pub(crate) async fn frozen(&self, product: &str, buyers: usize) {
        let keys: Vec<SubscriptionKey> =
            (0..buyers).map(|buyer| key(product, &format!("c{buyer:04}"))).collect();
        self.subscribe_all(&keys).await;
        self.submit(keys.iter().zip(1..).map(|(key, quantity)| self.usage(key, quantity, 5)).collect()).await;
        self.set_clock(minute(125));
        self.close_all().await;
    }

    /// Looks at meters until there is nothing to be done now.
    pub(crate) async fn close_all(&self) {
        let closer = self.closer();
        for _ in 0..1_000 {
            let stepped = closer.step().await.unwrap();
            if stepped.done == 0 && stepped.next != Next::Now {
                return;
            }
        }
        panic!("the closer never comes to an end");
    }

    pub(crate) async fn records(&self, key: &SubscriptionKey) -> Vec<RecordLine> {
        let filter =
            RecordFilter { subscription: key.clone(), from: Hour::new(0), to: Hour::new(i64::MAX / 2) };
        self.store.usage_records(&filter, &Page::first(1_000)).await.unwrap()
    }

    /// The states' words of a buyer's records, by hour.
    pub(crate) async fn states(&self, key: &SubscriptionKey) -> Vec<&'static str> {
        self.records(key).await.iter().map(|line| line.record.state.word()).collect()
    }

    pub(crate) async fn state(&self, key: &SubscriptionKey) -> RecordState {
        self.records(key).await[0].record.state.clone()
    }

    /// The reasons of all losses, in the order in which they were found.
    pub(crate) async fn losses(&self) -> Vec<&'static str> {
        let lines = self.store.losses(None, &Page::first(1_000)).await.unwrap();
        lines.iter().map(|line| line.loss.reason.as_str()).collect()
    }
}

fn said(key: &SubscriptionKey, time: Timestamp, kind: FactKind) -> Content {
    let id = format!("{}-{time}-{}", key.to_string().replace('/', "-"), kind.name());
    Content::Received(Received {
        inbox: InboxKey { marketplace: key.marketplace.clone(), id: id.parse().unwrap() },
        key: key.clone(),
        agreement: None,
        fact: Fact::at_time(time, id.parse().unwrap(), kind),
        body: Vec::new(),
        replays: None,
    })
}

pub(crate) fn key(product: &str, customer: &str) -> SubscriptionKey {
    format!("aws/{product}/customer/{customer}").parse().unwrap()
}

fn tenant(key: &SubscriptionKey) -> String {
    format!("tenant-{}", key.to_string().replace('/', "-"))
}

/// Two products on one marketplace, each with one dimension.
#[derive(Debug)]
pub(crate) struct Configured {
    pub(crate) sources: BTreeSet<SourceName>,
    pub(crate) listings: BTreeMap<ProductKey, ProductCode>,
    /// Whether the seller has endpoints that want to hear of it.
    pub(crate) is_published: bool,
}

impl Default for Configured {
    fn default() -> Self {
        let listings = [("search", "prod-1"), ("index", "prod-2")];
        let listings = listings.map(|(key, code)| (key.parse().unwrap(), code.parse().unwrap()));
        Self { sources: BTreeSet::new(), listings: listings.into(), is_published: false }
    }
}

impl Configured {
    /// A configuration that meters nothing.
    pub(crate) fn nothing() -> Self {
        Self { listings: BTreeMap::new(), ..Self::default() }
    }

    fn product_of(&self, key: &SubscriptionKey) -> ProductKey {
        self.listings.iter().find(|(_, code)| **code == key.product).unwrap().0.clone()
    }
}

impl MeterTermsOf for Configured {
    fn meter_terms(&self, key: &SubscriptionKey) -> Option<Arc<MeterTerms>> {
        let api_name: ApiDimension = "requests_api".parse().unwrap();
        let (scale, aggregate) = (Scale::default(), Aggregate::default());
        let name: DimensionName = "requests".parse().unwrap();
        self.listings.values().find(|code| **code == key.product)?;
        Some(Arc::new(MeterTerms {
            product: self.product_of(key),
            profile: Profile::AWS,
            region: "us-east-1".parse().unwrap(),
            dimensions: BTreeMap::from([(name, DimensionTerms { api_name, scale, aggregate })]),
            sources: self.sources.clone(),
            zero_records: ZeroRecords::Skip,
            meter_from: None,
        }))
    }

    fn is_published(&self) -> bool {
        self.is_published
    }

    fn listings_of(&self, product: &ProductKey) -> Vec<(MarketplaceName, ProductCode)> {
        self.listings.get(product).map(|code| ("aws".parse().unwrap(), code.clone())).into_iter().collect()
    }

    fn sources_of(&self, _product: &ProductKey) -> BTreeSet<SourceName> {
        self.sources.clone()
    }

    fn metered_products(&self) -> Vec<ProductKey> {
        self.listings.keys().cloned().collect()
    }
}

impl TermsOf for Configured {
    fn terms(&self, _key: &SubscriptionKey) -> Terms {
        Terms::default()
    }
}
