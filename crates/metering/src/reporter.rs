use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::future::join_all;
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_persistence::{Committer, Store};
use stallkeeper_runtime::{Backoff, WallClock, sleep_or_cancelled};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    Closer, Lane, LaneHealth, LaneTrouble, MeteringConfig, MissingError, Pacer, Sender, Watch, make_meters,
};

/// All of metering in one worker: it closes hours, sends records before their time is over, and tells how it
/// fares.
pub struct Reporter {
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    terms: Arc<dyn MeterTermsOf>,
    config: MeteringConfig,
    news: Arc<Notify>,
    closer: Closer,
    senders: Vec<Sender>,
    watch: Watch,
}

/// What keeps lanes from sending; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MeteringHealth(Vec<LaneHealth>);

impl MeteringHealth {
    /// One entry for each lane that a person has to see to.
    pub fn troubles(&self) -> Vec<LaneTrouble> {
        self.0.iter().filter_map(LaneHealth::trouble).collect()
    }
}

impl Reporter {
    /// A reporter over these lanes; `holder` names this worker in their leases, and `news` wakes it when
    /// something was committed: [`Committer::metering_news`].
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn WallClock>,
        terms: Arc<dyn MeterTermsOf>,
        lanes: Vec<Lane>,
        holder: &str,
        news: Arc<Notify>,
        config: MeteringConfig,
    ) -> Self {
        let closer = Closer::new(store.clone(), clock.clone(), terms.clone(), &lanes, config.clone());
        let sender = |lane: Lane| {
            let pacer = Pacer::of_quota(lane.calls_per_sec);
            let (store, clock, terms) = (store.clone(), clock.clone(), terms.clone());
            Sender::new(store, clock, terms, lane, holder, pacer, config.clone())
        };
        let senders: Vec<Sender> = lanes.into_iter().map(sender).collect();
        let closer = closer.notifying(senders.iter().map(Sender::news).collect());
        let watch = Watch::new(store.clone(), clock.clone(), terms.clone(), config.clone());
        Self { store, clock, terms, config, news, closer, senders, watch }
    }

    /// What keeps lanes from sending, for readiness.
    pub fn health(&self) -> MeteringHealth {
        MeteringHealth(self.senders.iter().map(Sender::health).collect())
    }

    /// Meters until `stop`; calls that are on their way are finished then.
    ///
    /// At first, subscriptions that have no meter get one through `committer`, which is let go of after that.
    pub async fn run(&self, committer: Committer, stop: &CancellationToken) {
        let senders = join_all(self.senders.iter().map(|sender| sender.run(stop)));
        tokio::join!(
            self.make_meters(committer, stop),
            self.closer.run(&self.news, stop),
            senders,
            self.watch.run(stop),
        );
    }

    async fn make_meters(&self, committer: Committer, stop: &CancellationToken) {
        let mut backoff = Backoff::new(self.config.retry_base, self.config.retry_cap);
        loop {
            let made = tokio::select! {
                () = stop.cancelled() => return,
                made = make_meters(&*self.store, &committer, &*self.clock, &*self.terms) => made,
            };
            match made {
                Ok(0) => return,
                Ok(subscriptions) => {
                    tracing::info!(subscriptions, "subscriptions are metered from now on");
                    return;
                }
                Err(error) if self.cannot_make(&error, backoff.next_delay(), stop).await.is_break() => return,
                Err(_) => {}
            }
        }
    }

    async fn cannot_make(
        &self,
        error: &MissingError,
        delay: std::time::Duration,
        stop: &CancellationToken,
    ) -> ControlFlow<()> {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            ?delay,
            "some subscriptions are not metered yet, will try again"
        );
        sleep_or_cancelled(stop, delay).await
    }
}
