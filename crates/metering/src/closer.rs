use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use stallkeeper_ledger::{MARGIN_MIN, ProductKey, margin, soft_cut};
use stallkeeper_lifecycle::{MarketplaceName, SubscriptionKey, Timestamp};
use stallkeeper_persistence::usage::{LOOKS_MAX, Looked, MeterTermsOf, look_at};
use stallkeeper_persistence::{Store, StoreError};
use stallkeeper_runtime::WallClock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::step::{despite_conflicts, keep_stepping};
use crate::{Lane, MeteringConfig, Next, Stepped, loss};

/// Looks at meters: closes hours, freezes final usage, and lists as lost what can no longer be billed.
///
/// Any number of workers can do that at once, as meters are locked while they are looked at.
pub struct Closer {
    store: Arc<dyn Store>,
    clock: Arc<dyn WallClock>,
    terms: Arc<dyn MeterTermsOf>,
    quotas: Vec<Quota>,
    config: MeteringConfig,
    frozen: Vec<Arc<Notify>>,
    cuts: Mutex<Cuts>,
}

/// How fast the records of these marketplaces can leave.
struct Quota {
    marketplaces: Vec<MarketplaceName>,
    calls_per_sec: u32,
}

/// How long before a final-usage window's end its usage is frozen, by marketplace.
#[derive(Clone, Debug, Default)]
struct Margins(BTreeMap<MarketplaceName, Duration>);

/// How far final usage is frozen.
#[derive(Debug, Default)]
struct Cuts {
    /// What was counted last, and when.
    counted: Option<(Timestamp, Margins)>,
    /// Windows that end before this are frozen: it never moves back, as what is sent makes the backlog smaller
    /// while those that left together still wait.
    through: BTreeMap<MarketplaceName, Timestamp>,
}

/// How long a count of what leaving buyers used is good for.
const COUNT_FOR: Duration = Duration::from_secs(5);

/// What a step has done so far.
#[derive(Default)]
struct Round {
    looked: Looked,
    is_full: Fullness,
}

/// Whether some look was at as many meters as may be.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fullness {
    #[default]
    Room,
    Full,
}

impl Closer {
    /// A closer of all that is metered; `lanes` tell how fast records of leaving buyers can go out.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn WallClock>,
        terms: Arc<dyn MeterTermsOf>,
        lanes: &[Lane],
        config: MeteringConfig,
    ) -> Self {
        let quota = |lane: &Lane| Quota {
            marketplaces: lane.marketplaces.clone(),
            calls_per_sec: lane.calls_per_sec,
        };
        let quotas = lanes.iter().map(quota).collect();
        Self { store, clock, terms, quotas, config, frozen: Vec::new(), cuts: Mutex::default() }
    }

    /// Notifies these when records were frozen.
    #[must_use]
    pub fn notifying(mut self, frozen: Vec<Arc<Notify>>) -> Self {
        self.frozen = frozen;
        self
    }

    /// Looks at meters until `stop`, woken by `news` and by time.
    pub async fn run(&self, news: &Notify, stop: &CancellationToken) {
        let clock = &*self.clock;
        keep_stepping("closing hours", clock, news, &self.config, stop, || self.step().boxed()).await;
    }

    /// One round: of each kind of work at most [`LOOKS_MAX`] meters, final-usage windows first.
    ///
    /// # Errors
    /// Where the store fails; what was looked at before stays so.
    pub async fn step(&self) -> Result<Stepped, StoreError> {
        let now = Timestamp::from(self.clock.now());
        let margins = self.margins(now).await?;
        let mut round = Round::default();
        for (marketplace, margin) in &margins.0 {
            let keys = self.store.meters_to_cut(marketplace, now.plus(*margin), LOOKS_MAX).await?;
            self.look(keys, now, &margins, &mut round).await?;
        }
        let due = self.store.meters_due(now, LOOKS_MAX).await?;
        self.look(due, now, &margins, &mut round).await?;
        for product in self.terms.metered_products() {
            self.look_at_complete(&product, now, &margins, &mut round).await?;
        }
        let expired = self.store.meters_expired(now, LOOKS_MAX).await?;
        self.look(expired, now, &margins, &mut round).await?;
        let next = match round.is_full {
            Fullness::Full => Next::Now,
            Fullness::Room => self.next(&margins).await?,
        };
        Ok(Stepped { done: round.looked.meters, next })
    }

    async fn margins(&self, now: Timestamp) -> Result<Margins, StoreError> {
        let counted = self.cuts().counted.clone();
        let margins = match counted {
            Some((at, margins)) if at <= now && now.since(at) < COUNT_FOR => margins,
            _ => {
                let margins = self.count_margins().await?;
                self.cuts().counted = Some((now, margins.clone()));
                margins
            }
        };
        Ok(self.cuts().never_back(&margins, now))
    }

    async fn count_margins(&self) -> Result<Margins, StoreError> {
        let mut margins = Margins::default();
        for quota in &self.quotas {
            let backlog = self.store.leaving_backlog(&quota.marketplaces).await?;
            let margin = margin(backlog, quota.calls_per_sec);
            margins.0.extend(quota.marketplaces.iter().map(|marketplace| (marketplace.clone(), margin)));
        }
        Ok(margins)
    }

    fn cuts(&self) -> MutexGuard<'_, Cuts> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what every source of a product has said to be complete.
    async fn look_at_complete(
        &self,
        product: &ProductKey,
        now: Timestamp,
        margins: &Margins,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        let sources = self.terms.sources_of(product);
        if sources.is_empty() {
            return Ok(());
        }
        let said = self.store.product_watermarks(product).await?;
        let marks: Option<Vec<Timestamp>> = sources.iter().map(|source| said.get(source).copied()).collect();
        let Some(through) = marks.and_then(|marks| marks.into_iter().min()) else { return Ok(()) };
        for (marketplace, code) in self.terms.listings_of(product) {
            let keys = self.store.meters_complete(&marketplace, &code, through.min(now), LOOKS_MAX).await?;
            self.look(keys, now, margins, round).await?;
        }
        Ok(())
    }

    async fn look(
        &self,
        keys: Vec<SubscriptionKey>,
        now: Timestamp,
        margins: &Margins,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        if keys.len() >= LOOKS_MAX as usize {
            round.is_full = Fullness::Full;
        }
        let mut by_margin: BTreeMap<Duration, Vec<SubscriptionKey>> = BTreeMap::new();
        for key in keys {
            by_margin.entry(margins.of(&key.marketplace)).or_default().push(key);
        }
        for (margin, keys) in by_margin {
            self.look_at_each(&keys, now, margin, round).await?;
        }
        Ok(())
    }

    /// Looks at meters together; one whose rows cannot be read keeps none of the others from being looked at.
    async fn look_at_each(
        &self,
        keys: &[SubscriptionKey],
        now: Timestamp,
        margin: Duration,
        round: &mut Round,
    ) -> Result<(), StoreError> {
        // Parts still to be looked at; a part that fails is halved.
        let mut parts = vec![keys];
        while let Some(part) = parts.pop() {
            let look = || look_at(&*self.store, part, now, margin, &*self.terms).boxed();
            match despite_conflicts(&self.config, look).await {
                Ok(looked) => {
                    loss::tell(&looked.losses);
                    if looked.frozen > 0 {
                        self.frozen.iter().for_each(|sender| sender.notify_one());
                    }
                    round.looked.meters += looked.meters;
                }
                Err(StoreError::Data(_) | StoreError::Unreadable { .. }) if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(error @ (StoreError::Data(_) | StoreError::Unreadable { .. })) => {
                    tracing::error!(
                        subscription = part.first().map(ToString::to_string),
                        error = &error as &dyn std::error::Error,
                        "a meter cannot be looked at, and its usage is not billed; mend or delete its rows"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn next(&self, margins: &Margins) -> Result<Next, StoreError> {
        let mut times = vec![self.store.next_look_at().await?];
        for (marketplace, margin) in &margins.0 {
            let ends = self.store.next_cut_by(marketplace).await?;
            times.push(ends.map(|ends| soft_cut(ends, *margin)));
        }
        Ok(Next::at(times))
    }
}

impl Cuts {
    /// Margins with which no window is spared that an earlier cut had reached.
    fn never_back(&mut self, margins: &Margins, now: Timestamp) -> Margins {
        let kept = margins.0.iter().map(|(marketplace, margin)| {
            let through = self.through.entry(marketplace.clone()).or_insert(now);
            *through = (*through).max(now.plus(*margin));
            (marketplace.clone(), through.since(now))
        });
        Margins(kept.collect())
    }
}

impl Margins {
    fn of(&self, marketplace: &MarketplaceName) -> Duration {
        self.0.get(marketplace).copied().unwrap_or(MARGIN_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margins(marketplace: &MarketplaceName, mins: u64) -> Margins {
        Margins(BTreeMap::from([(marketplace.clone(), Duration::from_mins(mins))]))
    }

    #[test]
    fn those_who_left_together_are_frozen_together_while_the_backlog_shrinks() {
        let marketplace = "aws".parse::<MarketplaceName>().unwrap();
        let start = Timestamp::from_micros(0);
        let mut cuts = Cuts::default();
        let mut at = |mins: u64, counted: u64| {
            let now = start.plus(Duration::from_mins(mins));
            cuts.never_back(&margins(&marketplace, counted), now).of(&marketplace)
        };
        assert_eq!(at(0, 40), Duration::from_mins(40));
        assert_eq!(at(5, 20), Duration::from_mins(35), "what was within the cut stays within it");
        assert_eq!(at(30, 15), Duration::from_mins(15), "time has passed it");
    }
}
