use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use fastrand::Rng;
use stallkeeper_ledger::{ProductKey, Submission};
use stallkeeper_lifecycle::{Binding, Change, Timestamp};
use stallkeeper_persistence::usage::take_in;
use stallkeeper_persistence::{Act, Actor, Content, Incoming, Page, Store, commit};
use stallkeeper_runtime::{FakeClock, WallClock};

use crate::api::SimulatedApi;
use crate::backend::Backend;
use crate::fault::Faults;
use crate::market::{Market, moment};
use crate::setting::{Configured, PRODUCT, Setting, parse, tenant};
use crate::store::FaultyStore;
use crate::worker::Worker;
use crate::world::received;

/// How many items go through the commit at once.
const BATCH: usize = 256;
/// How many events are taken in at once.
const EVENTS: usize = 1_000;
/// How far the clock moves while there is nothing to do.
const REST: Duration = Duration::from_secs(20);

/// What it came to when many left at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Records that the marketplace billed.
    pub billed: u64,
    /// Calls that it took.
    pub calls: u64,
    /// Records that came after their window.
    pub late: u64,
    /// Lines in the list of losses.
    pub lost: usize,
}

/// Lets so many buyers use everything and leave in one minute, over a marketplace that takes one call a second.
///
/// # Errors
/// A database that fails by itself.
pub async fn all_leave_at_once(buyers: usize, backend: &Backend) -> Result<Left> {
    let mut rng = Rng::with_seed(1);
    let setting = Setting { buyers, ..Setting::plain(parse("2026-06-14T10:20:00Z")) };
    let database = backend.open().await?;
    let store: Arc<dyn Store> = database.store.clone();
    let clock = FakeClock::new(moment(setting.starts_at));
    let market = Arc::new(Mutex::new(Market::new(&setting, 1)));
    let terms = Configured(setting.terms.clone());
    {
        let mut market = market.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.now().into();
        (0..buyers).for_each(|buyer| market.subscribe(buyer, now, &mut rng));
    }
    clock.advance(Duration::from_mins(2));
    deliver(&store, &market, &clock, &terms, &mut rng).await?;
    bind(&store, &setting, &clock, &terms).await?;
    use_everything(&store, &setting, &clock, &terms).await?;
    let left_at: Timestamp = clock.now().into();
    {
        let mut market = market.lock().unwrap_or_else(PoisonError::into_inner);
        (0..buyers).for_each(|buyer| market.unsubscribe(buyer, left_at, &mut rng));
    }
    clock.advance(Duration::from_mins(1));
    deliver(&store, &market, &clock, &terms, &mut rng).await?;
    meter_for_an_hour(&store, &market, &clock, &terms, left_at.plus(Duration::from_mins(70))).await?;
    let counts = market.lock().unwrap_or_else(PoisonError::into_inner).books.counts();
    let lost = store.losses(None, &Page::first(1_000)).await?.len();
    drop(store);
    database.close().await;
    Ok(Left { billed: counts.success, calls: counts.calls, late: counts.after_end, lost })
}

async fn deliver(
    store: &Arc<dyn Store>,
    market: &Mutex<Market>,
    clock: &FakeClock,
    terms: &Configured,
    rng: &mut Rng,
) -> Result<()> {
    let now = Timestamp::from(clock.now());
    let (setting, arrived) = {
        let mut market = market.lock().unwrap_or_else(PoisonError::into_inner);
        (market.setting().clone(), market.arrived(now, rng))
    };
    let batch: Vec<Incoming> = arrived.iter().map(|notice| received(&setting, notice, now)).collect();
    for part in batch.chunks(BATCH) {
        commit(&**store, part, now, terms).await.context("the commit")?;
    }
    Ok(())
}

async fn bind(
    store: &Arc<dyn Store>,
    setting: &Setting,
    clock: &FakeClock,
    terms: &Configured,
) -> Result<()> {
    let now = Timestamp::from(clock.now());
    let bound = |buyer: usize| {
        let change = Change::Bind(Binding { tenant: tenant(buyer), user: None });
        let act = Act { key: setting.key(buyer), change, actor: Actor::Worker };
        Incoming { received_at: now, content: Content::Act(act) }
    };
    let batch: Vec<Incoming> = (0..setting.buyers).map(bound).collect();
    for part in batch.chunks(BATCH) {
        commit(&**store, part, now, terms).await.context("binding")?;
    }
    Ok(())
}

async fn use_everything(
    store: &Arc<dyn Store>,
    setting: &Setting,
    clock: &FakeClock,
    terms: &Configured,
) -> Result<()> {
    let now = Timestamp::from(clock.now());
    let mut batch = Vec::new();
    for buyer in 0..setting.buyers {
        for (number, dimension) in setting.terms.dimensions.keys().enumerate() {
            batch.push(Submission {
                id: parse(&format!("use-{buyer}-{number}")),
                tenant: tenant(buyer),
                product: parse::<ProductKey>(PRODUCT),
                dimension: dimension.clone(),
                quantity: "7".to_owned(),
                occurred_at: now,
                user: None,
                tags: std::collections::BTreeMap::new(),
                subscription: None,
            });
        }
    }
    for part in batch.chunks(EVENTS) {
        take_in(&**store, part, now, terms).await.context("taking usage in")?;
    }
    Ok(())
}

/// Each call takes a second of everybody's time.
async fn meter_for_an_hour(
    store: &Arc<dyn Store>,
    market: &Arc<Mutex<Market>>,
    clock: &FakeClock,
    terms: &Configured,
    until: Timestamp,
) -> Result<()> {
    let fronted = Arc::new(FaultyStore { store: store.clone(), faults: Faults::default() });
    let api = Arc::new(SimulatedApi {
        market: market.clone(),
        clock: Arc::new(clock.clone()),
        faults: Faults::default(),
        region: terms.0.region.to_string(),
    });
    let worker = Worker::at_pace(fronted, api, Arc::new(clock.clone()), terms.clone(), 1);
    let calls = || market.lock().unwrap_or_else(PoisonError::into_inner).books.counts().calls;
    while Timestamp::from(clock.now()) < until {
        let before = calls();
        worker.round().await.context("the worker's round")?;
        let made = calls().saturating_sub(before);
        clock.advance(if made == 0 { REST } else { Duration::from_secs(made) });
    }
    Ok(())
}
