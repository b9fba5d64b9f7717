use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use stallkeeper_ledger::{Aggregate, Decision, EventState, ProductKey, SubUnits, Submission, UsageId};
use stallkeeper_lifecycle::{Binding, Change, Position, Timestamp};
use stallkeeper_persistence::usage::{
    DecideError, Taken, Watermark, WatermarkError, decide, put_watermark, take_in,
};
use stallkeeper_persistence::{Act, Actor, Content, InboxKey, Incoming, Received, Store, StoreError, commit};
use stallkeeper_runtime::{FakeClock, WallClock};

use crate::api::SimulatedApi;
use crate::coverage::Coverage;
use crate::fault::Faults;
use crate::market::{Market, Notice, Stance, moment};
use crate::setting::{Configured, PRODUCT, Setting, Temper, marketplace, parse, tenant};
use crate::store::FaultyStore;
use crate::story::{Fault, Frozen, Step, Verdict};
use crate::worker::{Round, Worker};

/// One story under way: the marketplace, the app, the worker on its database, and their clock.
pub(crate) struct World {
    /// With whom and where.
    pub(crate) setting: Setting,
    /// The database, without faults in front of it.
    pub(crate) store: Arc<dyn Store>,
    /// The marketplace.
    pub(crate) market: Arc<Mutex<Market>>,
    /// Everybody's clock.
    pub(crate) clock: FakeClock,
    /// What was covered.
    pub(crate) coverage: Coverage,
    /// What the app reported and was told to be stored: by tenant's number and dimension, in smallest parts.
    pub(crate) accepted: BTreeMap<(usize, String), i64>,
    faulty: Arc<FaultyStore>,
    faults: Faults,
    worker: Worker,
    rng: Rng,
    reported: Vec<(usize, Submission)>,
    unheard: Vec<(usize, Submission)>,
    bound: Vec<bool>,
    to_wake: BTreeSet<usize>,
    outage: u8,
    next_event: u64,
}

/// How long nothing happens at a time when a story is over.
const LONG_PASS_SECS: u64 = 3_600;

/// What a piece of the worker's work came to.
enum Ended<T> {
    Done(T),
    Crashed,
}

impl World {
    /// A world in which nothing has happened.
    pub(crate) fn new(setting: Setting, store: Arc<dyn Store>, seed: u64) -> Self {
        let clock = FakeClock::new(moment(setting.starts_at));
        let market = Arc::new(Mutex::new(Market::new(&setting, seed)));
        let faults = Faults::default();
        let fronted = Arc::new(FaultyStore { store: store.clone(), faults: faults.clone() });
        let api = Arc::new(SimulatedApi {
            market: market.clone(),
            clock: Arc::new(clock.clone()),
            faults: faults.clone(),
            region: setting.terms.region.to_string(),
        });
        let worker =
            Worker::new(fronted.clone(), api, Arc::new(clock.clone()), Configured(setting.terms.clone()));
        Self {
            bound: vec![false; setting.buyers],
            setting,
            store,
            market,
            clock,
            coverage: Coverage::default(),
            accepted: BTreeMap::new(),
            faulty: fronted,
            faults,
            worker,
            rng: Rng::with_seed(seed ^ 0x5eed),
            reported: Vec::new(),
            unheard: Vec::new(),
            to_wake: BTreeSet::new(),
            outage: 0,
            next_event: 0,
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// The marketplace, while nothing else looks at it.
    pub(crate) fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one step happen.
    ///
    /// # Errors
    /// What may never happen, and a database that fails by itself.
    pub(crate) async fn take(&mut self, step: &Step) -> Result<()> {
        let now = self.now();
        match step {
            Step::Pass { secs } => self.pass(*secs).await?,
            Step::Bind { buyer } => self.bind(*buyer).await?,
            Step::Subscribe { buyer } => self.subscribe(*buyer, now),
            Step::FailPayment { buyer } => {
                let rng = &mut self.rng;
                self.market.lock().unwrap_or_else(PoisonError::into_inner).fail(*buyer, now, rng);
            }
            Step::Unsubscribe { buyer } => {
                let rng = &mut self.rng;
                self.market.lock().unwrap_or_else(PoisonError::into_inner).unsubscribe(*buyer, now, rng);
            }
            Step::Freeze { buyer, frozen } => self.market().freeze(*buyer, *frozen == Frozen::Yes),
            Step::Use { buyer, dimension, parts, ago_secs } => {
                self.use_up(*buyer, *dimension, *parts, *ago_secs).await?;
            }
            Step::Repeat { back } => self.repeat(*back).await?,
            Step::Watermark { source, buyer } => self.watermark(*source, *buyer).await?,
            Step::Decide { carry } => self.decide(*carry).await?,
            Step::Intrude { buyer, dimension } => self.intrude(*buyer, *dimension),
            Step::Fault(Fault::Outage { rounds }) => {
                self.coverage.fault("outage");
                self.outage = *rounds;
            }
            Step::Fault(fault) => {
                // Several in a row could outlast a deadline.
                if self.setting.temper == Temper::Mild {
                    self.faults.heal();
                }
                self.faults.plan(*fault);
            }
            Step::Hold { held } => self.hold(*held).await?,
        }
        Ok(())
    }

    /// All faults end, everything arrives, and time goes by until nothing is left to be done.
    ///
    /// # Errors
    /// As [`World::take`].
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.faults.heal();
        self.outage = 0;
        self.store.release_metering(&parse::<ProductKey>(PRODUCT)).await?;
        for buyer in 0..self.setting.buyers {
            self.market().freeze(buyer, false);
        }
        for _ in 0..4 {
            self.pass(120).await?;
        }
        for buyer in 0..self.setting.buyers {
            let now = self.now();
            let rng = &mut self.rng;
            self.market.lock().unwrap_or_else(PoisonError::into_inner).unsubscribe(buyer, now, rng);
        }
        for _ in 0..10 {
            self.pass(600).await?;
        }
        for _ in 0..30 {
            self.pass_in(LONG_PASS_SECS, LONG_PASS_SECS / 4).await?;
        }
        if !self.market().is_silent() {
            bail!("a notification never arrived");
        }
        Ok(())
    }

    /// Time goes by in small parts; the worker works in each of them.
    async fn pass(&mut self, secs: u64) -> Result<()> {
        self.pass_in(secs, self.round_secs(secs)).await
    }

    async fn pass_in(&mut self, secs: u64, round_secs: u64) -> Result<()> {
        let mut left = secs;
        while left > 0 {
            let part = left.min(round_secs);
            left -= part;
            self.clock.advance(Duration::from_secs(part));
            let now = self.now();
            let rng = &mut self.rng;
            let gone = self.market.lock().unwrap_or_else(PoisonError::into_inner).pass(now, rng);
            self.to_wake.extend(gone);
            if self.outage > 0 {
                self.outage -= 1;
                continue;
            }
            self.report_unheard().await?;
            self.work().await?;
        }
        Ok(())
    }

    /// How long the worker rests between two rounds: short enough for its deadlines where nothing may be lost.
    fn round_secs(&self, pass_secs: u64) -> u64 {
        match (self.setting.temper, pass_secs) {
            (Temper::Harsh, 2_000..) => 600,
            _ => 170,
        }
    }

    /// One round of all that the worker does.
    async fn work(&mut self) -> Result<()> {
        self.deliver().await?;
        for _ in 0..3 {
            match self.round().await? {
                Round::Idle => break,
                Round::Worked => {}
            }
        }
        Ok(())
    }

    async fn round(&mut self) -> Result<Round> {
        let faults = self.faults.clone();
        let ended = tokio::select! {
            biased;
            () = faults.died() => Ended::Crashed,
            round = self.worker.round() => Ended::Done(round),
        };
        match ended {
            Ended::Done(Ok(round)) => Ok(round),
            Ended::Done(Err(StoreError::Unavailable(_))) => Ok(Round::Idle),
            Ended::Done(Err(error)) => Err(error).context("the worker's round"),
            Ended::Crashed => {
                self.worker.restart();
                Ok(Round::Worked)
            }
        }
    }

    async fn deliver(&mut self) -> Result<()> {
        let now = self.now();
        let rng = &mut self.rng;
        let arrived = self.market.lock().unwrap_or_else(PoisonError::into_inner).arrived(now, rng);
        let mut batch: Vec<Incoming> =
            arrived.iter().map(|notice| received(&self.setting, notice, now)).collect();
        // Its timer goes off at the window's end, whether or not the marketplace has the last word.
        batch.extend(self.to_wake.iter().map(|buyer| self.act(*buyer, Change::Wake, Actor::Worker)));
        if batch.is_empty() {
            return Ok(());
        }
        let terms = Configured(self.setting.terms.clone());
        let (faults, store) = (self.faults.clone(), self.faulty.clone());
        let ended = tokio::select! {
            biased;
            () = faults.died() => Ended::Crashed,
            committed = commit(&*store, &batch, now, &terms) => Ended::Done(committed),
        };
        match ended {
            Ended::Done(Ok(committed)) => {
                self.to_wake.clear();
                for outcome in committed.outcomes {
                    self.coverage.seen(&format!("notification {outcome:?}"));
                }
            }
            Ended::Done(Err(StoreError::Unavailable(_))) => self.market().put_back(arrived),
            Ended::Done(Err(error)) => return Err(error).context("the commit"),
            Ended::Crashed => {
                self.market().put_back(arrived);
                self.worker.restart();
            }
        }
        Ok(())
    }

    fn act(&self, buyer: usize, change: Change, actor: Actor) -> Incoming {
        let act = Act { key: self.setting.key(buyer), change, actor };
        Incoming { received_at: self.now(), content: Content::Act(act) }
    }

    async fn bind(&mut self, buyer: usize) -> Result<()> {
        let binding = Binding { tenant: tenant(buyer), user: None };
        let act = self.act(buyer, Change::Bind(binding), mia());
        let terms = Configured(self.setting.terms.clone());
        commit(&*self.store, &[act], self.now(), &terms).await.context("binding")?;
        if let Some(bound) = self.bound.get_mut(buyer) {
            *bound = true;
        }
        Ok(())
    }

    fn subscribe(&mut self, buyer: usize, now: Timestamp) {
        let is_mild = self.setting.temper == Temper::Mild;
        // Whoever comes back in the last hour of a month has no hour left in it: that is lost by rule.
        let in_last_hour = {
            let month_ends = stallkeeper_ledger::Month::of(now).next().start();
            month_ends.since(now) < Duration::from_hours(2)
        };
        if is_mild && in_last_hour && matches!(self.market().stance(buyer), Stance::Leaving { .. }) {
            return;
        }
        let rng = &mut self.rng;
        self.market.lock().unwrap_or_else(PoisonError::into_inner).subscribe(buyer, now, rng);
    }

    async fn use_up(&mut self, buyer: usize, dimension: usize, parts: u32, ago_secs: u64) -> Result<()> {
        let now = self.now();
        let is_mild = self.setting.temper == Temper::Mild;
        let since = self.market().subscribed_since(buyer);
        let ago = Duration::from_secs(ago_secs);
        let occurred_at = match (is_mild, since) {
            // A well-behaved app lets nobody in who has not subscribed.
            (true, None) => return Ok(()),
            (true, Some(since)) => now.minus(ago).max(since),
            (false, _) => now.minus(ago),
        };
        if self.bound.get(buyer) != Some(&true) && is_mild {
            return Ok(());
        }
        let Some((name, terms)) = self.setting.terms.dimensions.iter().nth(dimension) else { return Ok(()) };
        let parts = match terms.aggregate {
            Aggregate::Max => i64::from(parts % 50),
            Aggregate::Sum => i64::from(parts),
        };
        self.next_event += 1;
        let submission = Submission {
            id: parse::<UsageId>(&format!("use-{}", self.next_event)),
            tenant: tenant(buyer),
            product: parse(PRODUCT),
            dimension: name.clone(),
            quantity: SubUnits::new(parts).unwrap_or_default().display(terms.scale),
            occurred_at,
            user: None,
            tags: self.tags(terms.aggregate),
            subscription: None,
        };
        self.reported.push((buyer, submission.clone()));
        self.report(buyer, submission).await
    }

    fn tags(&mut self, aggregate: Aggregate) -> BTreeMap<String, String> {
        let is_tagged = aggregate == Aggregate::Sum && self.rng.u8(0..3) == 0;
        let team = format!("team-{}", self.rng.u8(0..3));
        is_tagged.then(|| ("team".to_owned(), team)).into_iter().collect()
    }

    /// The app reports until it hears that it is stored.
    async fn report(&mut self, buyer: usize, submission: Submission) -> Result<()> {
        let now = self.now();
        let terms = Configured(self.setting.terms.clone());
        let (faults, store) = (self.faults.clone(), self.faulty.clone());
        let batch = [submission];
        let ended = tokio::select! {
            biased;
            () = faults.died() => Ended::Crashed,
            taken = take_in(&*store, &batch, now, &terms) => Ended::Done(taken),
        };
        let [submission] = batch;
        match ended {
            Ended::Done(Ok(taken)) => self.heard(buyer, &submission, taken.first()),
            Ended::Done(Err(StoreError::Unavailable(_))) => {
                self.unheard.push((buyer, submission));
                Ok(())
            }
            Ended::Done(Err(error)) => Err(error).context("taking usage in"),
            Ended::Crashed => {
                self.worker.restart();
                self.unheard.push((buyer, submission));
                Ok(())
            }
        }
    }

    fn heard(&mut self, buyer: usize, submission: &Submission, taken: Option<&Taken>) -> Result<()> {
        match taken {
            Some(Taken::Stored(state)) => {
                self.coverage.seen(&format!("usage {}", state_words(state)));
                self.note_accepted(buyer, submission);
            }
            Some(Taken::Known) => {
                self.coverage.seen("usage known");
                self.note_accepted(buyer, submission);
            }
            Some(Taken::Refused(refusal)) => {
                self.coverage.seen(&format!("usage refused: {}", refusal.code()));
                if self.setting.temper == Temper::Mild && refusal.code() != "unknown_tenant" {
                    bail!("usage was refused though nothing is wrong with it: {refusal}");
                }
            }
            None => bail!("a submission has no result"),
        }
        Ok(())
    }

    /// Counted once however often it is said to be stored.
    fn note_accepted(&mut self, buyer: usize, submission: &Submission) {
        let Some(terms) = self.setting.terms.dimensions.get(&submission.dimension) else { return };
        if terms.aggregate == Aggregate::Max {
            return;
        }
        let key = (buyer, submission.id.to_string());
        if self.coverage.first_time(&key) {
            let parts = SubUnits::parse(&submission.quantity, terms.scale).unwrap_or_default().parts();
            *self.accepted.entry((buyer, terms.api_name.to_string())).or_default() += parts;
        }
    }

    async fn report_unheard(&mut self) -> Result<()> {
        for (buyer, submission) in std::mem::take(&mut self.unheard) {
            self.report(buyer, submission).await?;
        }
        Ok(())
    }

    async fn repeat(&mut self, back: usize) -> Result<()> {
        let place = self.reported.len().checked_sub(back + 1);
        match place.and_then(|place| self.reported.get(place)).cloned() {
            Some((buyer, submission)) => self.report(buyer, submission).await,
            None => Ok(()),
        }
    }

    async fn watermark(&mut self, source: usize, buyer: Option<usize>) -> Result<()> {
        // What the app has not heard back of is not complete.
        if !self.unheard.is_empty() {
            return Ok(());
        }
        let Some(source) = self.setting.terms.sources.iter().nth(source).cloned() else { return Ok(()) };
        // Usage may be reported a little late; whoever knows that does not promise more.
        let complete_through = self.now().minus(Duration::from_mins(10));
        let watermark =
            Watermark { product: parse(PRODUCT), tenant: buyer.map(tenant), source, complete_through };
        let terms = Configured(self.setting.terms.clone());
        match put_watermark(&*self.store, &watermark, self.now(), &terms).await {
            Ok(()) => self.coverage.seen("watermark"),
            Err(WatermarkError::UnknownTenant(_)) => {}
            Err(error) => return Err(error).context("a watermark"),
        }
        Ok(())
    }

    async fn decide(&mut self, verdict: Verdict) -> Result<()> {
        let held = self.store.held_usage(None, 1).await?;
        let Some(line) = held.first() else { return Ok(()) };
        let decision = match verdict {
            Verdict::Carry => Decision::Carry,
            Verdict::WriteOff => Decision::WriteOff,
        };
        let terms = Configured(self.setting.terms.clone());
        match decide(&*self.store, &line.event.key, decision, &mia(), self.now(), &terms).await {
            Ok(()) => self.coverage.seen(match verdict {
                Verdict::Carry => "held usage carried",
                Verdict::WriteOff => "held usage written off",
            }),
            Err(DecideError::Decision(_)) => self.coverage.seen("decision refused"),
            Err(error) => return Err(error).context("a decision"),
        }
        Ok(())
    }

    fn intrude(&mut self, buyer: usize, dimension: usize) {
        let Some(terms) = self.setting.terms.dimensions.values().nth(dimension) else { return };
        let (region, dimension, now) =
            (self.setting.terms.region.to_string(), terms.api_name.to_string(), self.now());
        if self.market().intrude(buyer, &region, &dimension, now) {
            self.coverage.seen("another system's record");
        }
    }

    async fn hold(&mut self, held: Frozen) -> Result<()> {
        let product = parse::<ProductKey>(PRODUCT);
        match held {
            Frozen::Yes => {
                self.coverage.seen("metering held");
                self.store.hold_metering(&product, &mia(), self.now()).await?;
            }
            Frozen::No => {
                self.store.release_metering(&product).await?;
            }
        }
        Ok(())
    }

    /// What went wrong, and how often.
    pub(crate) fn note_faults(&mut self) {
        for (name, times) in self.faults.happened() {
            self.coverage.faults(name, times);
        }
    }
}

fn state_words(state: &EventState) -> String {
    match state {
        EventState::Counted { .. } => "counted".to_owned(),
        EventState::Held { reason, .. } => format!("held: {reason:?}"),
        EventState::Lost { reason } => format!("lost: {reason}"),
    }
}

/// The only operator.
fn mia() -> Actor {
    Actor::Operator("mia".to_owned())
}

/// A notification as the worker takes it in.
pub(crate) fn received(setting: &Setting, notice: &Notice, now: Timestamp) -> Incoming {
    let id = match notice.fact.position() {
        Position::Marketplace { id, .. } => id.clone(),
        Position::Receipt { .. } => unreachable!("the market stamps what it says"),
    };
    let received = Received {
        inbox: InboxKey { marketplace: marketplace(), id },
        key: setting.key(notice.buyer),
        agreement: None,
        fact: notice.fact.clone(),
        body: Vec::new(),
        replays: None,
    };
    Incoming { received_at: now, content: Content::Received(received) }
}
