use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stallkeeper_ledger::{
    EventKey, EventState, Loss, Meter, MeterTerms, News, Phase, Record, RecordKey, Refusal, Submission,
    Target, UsageEvent, check, choose, next_look, take,
};
use stallkeeper_lifecycle::{SubscriptionKey, TenantId, Timestamp};

use super::lose;
use crate::usage::{MeterRow, MeterSelection, MeterTermsOf};
use crate::{CommitStore, StoreError, Transaction, Work};

/// How many events one transaction takes at the most.
pub const EVENTS_MAX: usize = 4_096;

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is stored, and this is what became of it.
    Stored(EventState),
    /// It was stored before, with the same content.
    Known,
    /// It is not stored.
    Refused(Refusal),
}

impl Taken {
    /// The word for what became of it: `counted`, `held`, `lost`, `known` or `refused`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stored(state) => state.word(),
            Self::Known => "known",
            Self::Refused(_) => "refused",
        }
    }
}

/// Takes usage in, in one transaction: all that is not refused is durable afterwards, or nothing is.
///
/// # Errors
/// Whatever the store answers; [`StoreError::Conflict`] asks to try again at once.
pub async fn take_in(
    store: &dyn CommitStore,
    batch: &[Submission],
    now: Timestamp,
    terms: &dyn MeterTermsOf,
) -> Result<Vec<Taken>, StoreError> {
    let mut transaction = store.begin(Work::Usage).await?;
    let taken = take_into(&mut *transaction, batch, now, terms).await?;
    transaction.commit().await?;
    Ok(taken)
}

/// What [`take_in`] would answer; nothing is stored.
///
/// # Errors
/// The same.
pub async fn try_in(
    store: &dyn CommitStore,
    batch: &[Submission],
    now: Timestamp,
    terms: &dyn MeterTermsOf,
) -> Result<Vec<Taken>, StoreError> {
    let mut transaction = store.begin(Work::Usage).await?;
    take_into(&mut *transaction, batch, now, terms).await
}

async fn take_into(
    transaction: &mut dyn Transaction,
    batch: &[Submission],
    now: Timestamp,
    terms: &dyn MeterTermsOf,
) -> Result<Vec<Taken>, StoreError> {
    let mut desk = Desk::open(transaction, batch, terms).await?;
    let mut results: Vec<Option<Taken>> = Vec::with_capacity(batch.len());
    let mut fresh: BTreeMap<EventKey, (usize, UsageEvent)> = BTreeMap::new();
    for (index, submission) in batch.iter().enumerate() {
        let key = submission.key();
        results.push(match (desk.check(submission, now, terms), fresh.get(&key)) {
            (Err(refusal), _) => Some(Taken::Refused(refusal)),
            (Ok(event), Some((_, first))) => Some(same(&first.content(), &event)),
            (Ok(event), None) => {
                fresh.insert(key, (index, event));
                None
            }
        });
    }
    recognize(transaction, batch, &mut results).await?;
    let known = claim(transaction, &fresh).await?;
    desk.read_records(transaction, &fresh).await?;
    let mut changed = Vec::new();
    for (key, (index, event)) in fresh {
        let taken = match known.get(&key) {
            Some(content) => same(content, &event),
            None => Taken::Stored(desk.take(event, now, &mut changed)),
        };
        if let Some(result) = results.get_mut(index) {
            *result = Some(taken);
        }
    }
    desk.write(transaction, &changed, terms.is_published(), now).await?;
    // Every submission that is not in `results` yet was put among the fresh ones.
    Ok(results.into_iter().map(|taken| taken.unwrap_or(Taken::Known)).collect())
}

/// What is refused now may have been taken before, when its time was not over: whoever repeats it is told so.
async fn recognize(
    transaction: &mut dyn Transaction,
    batch: &[Submission],
    results: &mut [Option<Taken>],
) -> Result<(), StoreError> {
    let is_refused = |taken: &Option<Taken>| matches!(taken, Some(Taken::Refused(_)));
    let refused = batch.iter().zip(results.iter()).filter(|(_, taken)| is_refused(taken));
    let keys: BTreeSet<EventKey> = refused.map(|(submission, _)| submission.key()).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let keys: Vec<EventKey> = keys.into_iter().collect();
    let stored: BTreeMap<EventKey, UsageEvent> =
        transaction.events(&keys).await?.into_iter().map(|event| (event.key.clone(), event)).collect();
    for (submission, taken) in batch.iter().zip(results.iter_mut()).filter(|(_, taken)| is_refused(taken)) {
        if let Some(event) = stored.get(&submission.key()) {
            let is_same = event.is_of(submission);
            *taken = Some(if is_same { Taken::Known } else { Taken::Refused(Refusal::IdReused) });
        }
    }
    Ok(())
}

fn same(content: &str, event: &UsageEvent) -> Taken {
    if content == event.content() { Taken::Known } else { Taken::Refused(Refusal::IdReused) }
}

async fn claim(
    transaction: &mut dyn Transaction,
    fresh: &BTreeMap<EventKey, (usize, UsageEvent)>,
) -> Result<BTreeMap<EventKey, String>, StoreError> {
    if fresh.is_empty() {
        return Ok(BTreeMap::new());
    }
    let events: Vec<UsageEvent> = fresh.values().map(|(_, event)| event.clone()).collect();
    Ok(transaction.claim_events(&events).await?.into_iter().collect())
}

/// The meters of a batch, and what changes of them.
struct Desk {
    by_tenant: BTreeMap<TenantId, Vec<SubscriptionKey>>,
    meters: BTreeMap<SubscriptionKey, (Meter, Arc<MeterTerms>)>,
    /// The meters as they were read.
    stored: BTreeMap<SubscriptionKey, Meter>,
    records: BTreeMap<RecordKey, Record>,
    touched: BTreeSet<SubscriptionKey>,
    losses: Vec<Loss>,
}

impl Desk {
    async fn open(
        transaction: &mut dyn Transaction,
        batch: &[Submission],
        terms: &dyn MeterTermsOf,
    ) -> Result<Self, StoreError> {
        let tenants: BTreeSet<_> = batch.iter().map(|submission| submission.tenant.clone()).collect();
        let selection = MeterSelection { subscriptions: Vec::new(), tenants: tenants.into_iter().collect() };
        let meters = if batch.is_empty() { Vec::new() } else { transaction.lock_meters(&selection).await? };
        let mut by_tenant: BTreeMap<TenantId, Vec<SubscriptionKey>> = BTreeMap::new();
        let mut metered = BTreeMap::new();
        for meter in meters {
            let (Some(terms), Some(tenant)) = (terms.meter_terms(&meter.key), meter.tenant.clone()) else {
                continue;
            };
            by_tenant.entry(tenant).or_default().push(meter.key.clone());
            metered.insert(meter.key.clone(), (meter, terms));
        }
        let stored = metered.iter().map(|(key, (meter, _))| (key.clone(), meter.clone())).collect();
        Ok(Self {
            by_tenant,
            meters: metered,
            stored,
            records: BTreeMap::new(),
            touched: BTreeSet::new(),
            losses: Vec::new(),
        })
    }

    fn check(
        &self,
        submission: &Submission,
        now: Timestamp,
        terms: &dyn MeterTermsOf,
    ) -> Result<UsageEvent, Refusal> {
        let keys = self.by_tenant.get(&submission.tenant).map_or(&[][..], Vec::as_slice);
        let meters = keys.iter().filter_map(|key| self.meters.get(key));
        let targets: Vec<Target<'_>> = meters.map(|(meter, terms)| Target { meter, terms }).collect();
        match choose(submission, &targets) {
            Err(Refusal::UnknownTenant(_)) if terms.listings_of(&submission.product).is_empty() => {
                Err(Refusal::UnknownProduct(submission.product.clone()))
            }
            chosen => check(submission, chosen?, now),
        }
    }

    async fn read_records(
        &mut self,
        transaction: &mut dyn Transaction,
        fresh: &BTreeMap<EventKey, (usize, UsageEvent)>,
    ) -> Result<(), StoreError> {
        let events = fresh.values().map(|(_, event)| event);
        let counted = events.filter(|event| matches!(event.state, EventState::Counted { .. }));
        let keys: BTreeSet<SubscriptionKey> = counted.map(|event| event.subscription.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let keys: Vec<SubscriptionKey> = keys.into_iter().collect();
        let live = transaction.live_records(&keys).await?;
        let open = live.into_iter().filter(Record::is_open);
        self.records = open.map(|record| (record.key.clone(), record)).collect();
        Ok(())
    }

    fn take(&mut self, mut event: UsageEvent, now: Timestamp, changed: &mut Vec<UsageEvent>) -> EventState {
        let Some((meter, terms)) = self.meters.get_mut(&event.subscription) else { return event.state };
        let before = (event.state, event.counted);
        self.losses.extend(take(&mut event, meter, terms, &mut self.records, now));
        self.touched.insert(event.subscription.clone());
        let state = event.state;
        if before != (state, event.counted) {
            changed.push(event);
        }
        state
    }

    async fn write(
        self,
        transaction: &mut dyn Transaction,
        changed: &[UsageEvent],
        is_published: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let is_touched = |key: &SubscriptionKey| self.touched.contains(key);
        let meters: Vec<MeterRow> = self
            .meters
            .iter()
            .filter(|(key, (meter, _))| is_touched(key) && !is_row_the_same(self.stored.get(key), meter))
            .map(|(_, (meter, terms))| {
                let look_at = next_look(meter, terms, now);
                MeterRow::of(meter.clone(), look_at, terms, now)
            })
            .collect();
        let records: Vec<Record> =
            self.records.into_values().filter(|record| is_touched(&record.key.subscription)).collect();
        if !meters.is_empty() {
            transaction.write_meters(&meters, now).await?;
        }
        if !records.is_empty() {
            transaction.put_records(&records, now).await?;
        }
        if !changed.is_empty() {
            transaction.update_events(changed).await?;
        }
        lose::list(transaction, &self.losses, is_published, now).await
    }
}

/// Whether a meter's row would be written as it stands: the most frequent case, a further event of an open hour.
///
/// Of a running meter without news everything in its row follows from the meter alone.
fn is_row_the_same(stored: Option<&Meter>, meter: &Meter) -> bool {
    let is_plain = meter.phase == Phase::Running && meter.news == News::None;
    is_plain && stored == Some(meter)
}
