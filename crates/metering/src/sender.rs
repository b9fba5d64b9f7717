use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use stallkeeper_ledger::Call;
use stallkeeper_lifecycle::{MarketplaceName, ProductCode, Timestamp};
use stallkeeper_persistence::usage::{AttemptResult, MeterTermsOf, Started, Unsent, finish, start};
use stallkeeper_persistence::{Store, StoreError};
use stallkeeper_runtime::{Backoff, WallClock};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::calls::{Caller, Fared, Wave};
use crate::lease::LaneLease;
use crate::outcome::Made;
use crate::step::{despite_conflicts, despite_outages, keep_stepping};
use crate::wave::{calls_max, choose, records_max};
use crate::{Lane, LaneHealth, LaneTrouble, MeteringConfig, Mode, Next, Pacer, Resend, Stepped, loss};

/// How often a call that is refused is halved: 25 records come to one each.
const HALVINGS_MAX: u32 = 5;

/// How many calls' results are stored in one transaction at the most.
const RESULTS_MAX: usize = 64;

/// Sends the frozen records of one lane.
///
/// One sender has a lane at a time, by lease. An attempt is stored before its call, so that a crash leaves a
/// trace; a record whose attempt has no answer is sent again with the same bytes.
pub struct Sender {
    store: Arc<dyn Store>,
    terms: Arc<dyn MeterTermsOf>,
    config: MeteringConfig,
    caller: Caller,
    lease: LaneLease,
    backoff: Mutex<Backoff>,
    /// Held while a wave is read and its attempts are stored, so that no two have the same records.
    preparing: tokio::sync::Mutex<()>,
    is_resting: AtomicBool,
    news: Arc<Notify>,
    more: Notify,
}

/// A wave that may be sent.
struct Prepared {
    calls: Vec<Started>,
    stored_at: Timestamp,
}

/// What reading a wave came to.
enum Read {
    /// There are calls to make.
    Wave(Prepared),
    /// There are none.
    Nothing(Next),
}

impl Sender {
    /// A sender of a lane; `holder` names this worker in the lane's lease.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn WallClock>,
        terms: Arc<dyn MeterTermsOf>,
        lane: Lane,
        holder: &str,
        pacer: Pacer,
        config: MeteringConfig,
    ) -> Self {
        let lease = LaneLease::new(store.clone(), &lane.name, holder.to_owned(), config.lease);
        let backoff = Mutex::new(Backoff::new(config.retry_base, config.retry_cap));
        let caller = Caller {
            lane,
            clock,
            pacer,
            slots: Semaphore::new(config.in_flight.max(1)),
            queue: tokio::sync::Mutex::new(()),
            in_flight: config.in_flight,
            health: LaneHealth::default(),
        };
        Self {
            store,
            terms,
            config,
            caller,
            lease,
            backoff,
            preparing: tokio::sync::Mutex::new(()),
            is_resting: AtomicBool::new(false),
            news: Arc::default(),
            more: Notify::new(),
        }
    }

    /// Whether the lane can send.
    pub fn health(&self) -> LaneHealth {
        self.caller.health.clone()
    }

    /// To be notified when records were frozen.
    pub fn news(&self) -> Arc<Notify> {
        self.news.clone()
    }

    /// Sends one wave: what is due, as far as two seconds of quota carry it.
    ///
    /// # Errors
    /// Where the store fails. Answers that could not be stored are learned by sending again.
    pub async fn step(&self) -> Result<Stepped, StoreError> {
        self.wave(&CancellationToken::new()).await
    }

    /// Sends until `stop`: calls that are on their way are finished then, and the lane is given back.
    pub async fn run(&self, stop: &CancellationToken) {
        tokio::join!(self.lead(stop), self.help(stop));
        if let Err(error) = self.lease.give_back().await {
            tracing::warn!(
                lane = self.caller.lane.name,
                error = &error as &dyn std::error::Error,
                "the lane's lease is not given back; it ends by itself"
            );
        }
    }

    async fn lead_wave(&self, stop: &CancellationToken) -> Result<Stepped, StoreError> {
        self.is_resting.store(false, Ordering::Relaxed);
        let stepped = self.wave(stop).await;
        let rests = !matches!(stepped, Ok(Stepped { next: Next::Now | Next::At(_) | Next::Idle, .. }));
        self.is_resting.store(rests, Ordering::Relaxed);
        stepped
    }

    async fn lead(&self, stop: &CancellationToken) {
        let clock = &*self.caller.clock;
        keep_stepping("metering", clock, &self.news, &self.config, stop, || self.lead_wave(stop).boxed())
            .await;
    }

    /// Prepares a second wave while the first one's calls are on their way, so that the quota is used up.
    async fn help(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.more.notified() => {}
            }
            while !stop.is_cancelled() && !self.is_resting.load(Ordering::Relaxed) {
                // Trouble is the first one's to tell.
                if !matches!(self.wave(stop).await, Ok(Stepped { next: Next::Now, .. })) {
                    break;
                }
            }
        }
    }

    async fn wave(&self, stop: &CancellationToken) -> Result<Stepped, StoreError> {
        let prepared = match self.prepare().await? {
            Read::Nothing(next) => return Ok(Stepped { done: 0, next }),
            Read::Wave(prepared) => prepared,
        };
        let wave = Wave::default();
        let done = self.send(&wave, prepared, stop).await?;
        let next = self.pause(wave.fared()).map_or(Next::Now, Next::After);
        Ok(Stepped { done, next })
    }

    async fn prepare(&self) -> Result<Read, StoreError> {
        let _alone = self.preparing.lock().await;
        if self.must_check_first() {
            return Ok(Read::Nothing(Next::Idle));
        }
        let now = self.caller.now();
        if self.config.mode == Mode::Send && !self.lease.take(now).await? {
            // Another worker's calls say how the lane is.
            self.caller.health.learn(&self.caller.lane.name, None);
            return Ok(Read::Nothing(Next::Idle));
        }
        let calls = self.due(now).await?;
        if self.config.mode == Mode::DryRun {
            return Ok(Read::Nothing(self.rehearse(&calls).await?));
        }
        if calls.is_empty() {
            return Ok(Read::Nothing(self.next_send().await?));
        }
        let numbers: Vec<Vec<i64>> = calls.iter().map(numbers).collect();
        let calls = self.start(numbers, now).await?;
        Ok(Read::Wave(Prepared { calls, stored_at: now }))
    }

    /// The calls of the next wave.
    async fn due(&self, now: Timestamp) -> Result<Vec<Call>, StoreError> {
        let lane = &self.caller.lane;
        let limit = records_max(lane.calls_per_sec);
        let marketplaces = lane.marketplaces.clone();
        let query = Unsent { marketplaces, but: self.held_listings().await?, now, limit };
        let records = self.store.unsent(&query).await?;
        if records.len() >= limit as usize {
            self.more.notify_one();
        }
        Ok(choose(records, limit, calls_max(lane.calls_per_sec)))
    }

    async fn held_listings(&self) -> Result<Vec<(MarketplaceName, ProductCode)>, StoreError> {
        let holds = self.store.metering_holds().await?;
        Ok(holds.iter().flat_map(|(product, _, _)| self.terms.listings_of(product)).collect())
    }

    async fn next_send(&self) -> Result<Next, StoreError> {
        Ok(Next::at([self.store.next_send_at(&self.caller.lane.marketplaces).await?]))
    }

    async fn rehearse(&self, calls: &[Call]) -> Result<Next, StoreError> {
        if !calls.is_empty() {
            let records: usize = calls.iter().map(|call| call.records.len()).sum();
            tracing::debug!(lane = self.caller.lane.name, records, calls = calls.len(), "dry run: not sent");
        }
        self.next_send().await
    }

    /// Such a marketplace may bill a record twice, so none of its records is sent before asking is built.
    fn must_check_first(&self) -> bool {
        if self.caller.lane.api.resend() == Resend::Safe {
            return false;
        }
        let lane = self.caller.lane.name.clone();
        let problem = "the marketplace has to be asked before a record in doubt is sent again".to_owned();
        let remedy = "report its usage by other means: this version cannot ask".to_owned();
        let trouble = LaneTrouble { lane: lane.clone(), problem, remedy };
        if self.caller.health.learn(&lane, Some(trouble)) {
            tracing::error!(lane = self.caller.lane.name, "nothing is sent: this version cannot ask first");
        }
        true
    }

    /// Makes the wave's calls; those that are refused are halved, until the records to blame are alone.
    async fn send(
        &self,
        wave: &Wave,
        prepared: Prepared,
        stop: &CancellationToken,
    ) -> Result<usize, StoreError> {
        let Prepared { mut calls, mut stored_at } = prepared;
        let mut done = 0;
        for _ in 0..=HALVINGS_MAX {
            done += calls.iter().map(|call| call.records.len()).sum::<usize>();
            let halves = self.make_all(wave, calls, stored_at, stop).await?;
            let now = self.caller.now();
            if halves.is_empty() || wave.is_over() || stop.is_cancelled() || !self.lease.take(now).await? {
                break;
            }
            calls = self.start(halves, now).await?;
            stored_at = now;
        }
        Ok(done)
    }

    /// Makes calls and stores what each came to while the others are on their way; what is refused comes back
    /// in halves.
    async fn make_all(
        &self,
        wave: &Wave,
        calls: Vec<Started>,
        stored_at: Timestamp,
        stop: &CancellationToken,
    ) -> Result<Vec<Vec<i64>>, StoreError> {
        let (answers, arrived) = mpsc::channel(calls.len().max(1));
        let make = async move {
            let mut made = pin!(self.caller.make_all(wave, calls, stored_at, &self.lease, stop).await);
            while let Some(made) = made.next().await {
                // Where storing failed nobody listens any more; those records stay in doubt.
                _ = answers.send(made).await;
            }
        };
        let ((), halves) = tokio::join!(make, self.store_all(arrived));
        halves
    }

    /// Stores what calls came to as it arrives, all that is there together.
    async fn store_all(&self, mut arrived: mpsc::Receiver<Made>) -> Result<Vec<Vec<i64>>, StoreError> {
        let (mut made, mut halves) = (Vec::new(), Vec::new());
        while arrived.recv_many(&mut made, RESULTS_MAX).await > 0 {
            let (results, apart) = split(std::mem::take(&mut made));
            self.store_results(&results).await?;
            halves.extend(apart);
        }
        Ok(halves)
    }

    async fn start(&self, calls: Vec<Vec<i64>>, now: Timestamp) -> Result<Vec<Started>, StoreError> {
        let lane = &self.caller.lane.name;
        despite_conflicts(&self.config, || start(&*self.store, lane, calls.clone(), now).boxed()).await
    }

    async fn store_results(&self, results: &[AttemptResult]) -> Result<(), StoreError> {
        let now = self.caller.now();
        // An answer that is not stored leaves its records in doubt, and near their end that may be a loss.
        let published = self.terms.is_published();
        let stored = despite_outages(&self.config, || finish(&*self.store, results, now, published).boxed());
        loss::tell(&stored.await?);
        Ok(())
    }

    /// How long the lane rests after such a wave.
    fn pause(&self, fared: Fared) -> Option<Duration> {
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        if fared != Fared::Badly {
            backoff.reset();
        }
        (fared != Fared::Well).then(|| backoff.next_delay())
    }
}

fn numbers(call: &Call) -> Vec<i64> {
    call.records.iter().map(|record| record.number).collect()
}

fn split(made: Vec<Made>) -> (Vec<AttemptResult>, Vec<Vec<i64>>) {
    let (results, halves): (Vec<AttemptResult>, Vec<Vec<Vec<i64>>>) =
        made.into_iter().map(|made| (made.result, made.halves)).unzip();
    (results, halves.into_iter().flatten().collect())
}
