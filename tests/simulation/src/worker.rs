use std::sync::Arc;
use std::time::Duration;

use stallkeeper_metering::{Closer, Lane, MeteringApi, MeteringConfig, Next, Pacer, Sender};
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_persistence::{Store, StoreError};
use stallkeeper_runtime::WallClock;

use crate::setting::{Configured, marketplace};
use crate::store::FaultyStore;

/// The marketplace's quota.
const CALLS_PER_SEC: u32 = 10;

/// The parts of a worker that meter, step by step.
pub(crate) struct Worker {
    store: Arc<FaultyStore>,
    api: Arc<dyn MeteringApi>,
    clock: Arc<dyn WallClock>,
    terms: Configured,
    life: u64,
    closer: Closer,
    sender: Sender,
}

/// What a round of work came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// There may be more to do.
    Worked,
    /// There is nothing to do now.
    Idle,
}

impl Worker {
    pub(crate) fn new(
        store: Arc<FaultyStore>,
        api: Arc<dyn MeteringApi>,
        clock: Arc<dyn WallClock>,
        terms: Configured,
    ) -> Self {
        Self::at_pace(store, api, clock, terms, CALLS_PER_SEC)
    }

    /// One whose marketplace takes so many calls a second.
    pub(crate) fn at_pace(
        store: Arc<FaultyStore>,
        api: Arc<dyn MeteringApi>,
        clock: Arc<dyn WallClock>,
        terms: Configured,
        calls_per_sec: u32,
    ) -> Self {
        let (closer, sender) = parts(&store, &api, &clock, &terms, 0, calls_per_sec);
        Self { store, api, clock, terms, life: 0, closer, sender }
    }

    /// The worker has died, and another begins where its database says.
    pub(crate) fn restart(&mut self) {
        self.life += 1;
        (self.closer, self.sender) =
            parts(&self.store, &self.api, &self.clock, &self.terms, self.life, CALLS_PER_SEC);
    }

    /// Closes what is to be closed, and sends one wave.
    pub(crate) async fn round(&self) -> Result<Round, StoreError> {
        let closed = self.closer.step().await?;
        let sent = self.sender.step().await?;
        let is_idle = closed.next != Next::Now && sent.next != Next::Now && sent.done == 0;
        Ok(if is_idle { Round::Idle } else { Round::Worked })
    }
}

/// A machine that restarts keeps its name, and so its lanes.
fn parts(
    store: &Arc<FaultyStore>,
    api: &Arc<dyn MeteringApi>,
    clock: &Arc<dyn WallClock>,
    terms: &Configured,
    life: u64,
    calls_per_sec: u32,
) -> (Closer, Sender) {
    let lane = || Lane {
        name: "simulated".to_owned(),
        marketplaces: vec![marketplace()],
        api: api.clone(),
        calls_per_sec,
    };
    let store: Arc<dyn Store> = store.clone();
    let terms: Arc<dyn MeterTermsOf> = Arc::new(terms.clone());
    // Steps are awaited one by one, and no run time passes between them.
    let config = MeteringConfig {
        in_flight: 1,
        retry_base: Duration::ZERO,
        retry_cap: Duration::ZERO,
        ..MeteringConfig::default()
    };
    let closer = Closer::new(store.clone(), clock.clone(), terms.clone(), &[lane()], config.clone());
    let holder = format!("worker-{}", life % 2);
    let sender = Sender::new(store, clock.clone(), terms, lane(), &holder, Pacer::off(), config);
    (closer, sender)
}
