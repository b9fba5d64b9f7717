use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stallkeeper_ledger::{
    Change, Held, Loss, Meter, MeterTerms, ProductKey, Record, UsageEvent, Watermarks, close,
    expire_unmetered,
};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};

use super::lose;
use crate::usage::{LedgerStore, MeterRow, MeterSelection, MeterTermsOf};
use crate::{CommitStore, StoreError, Transaction, Work};

/// How many meters one transaction looks at, at the most.
pub const LOOKS_MAX: u32 = 256;

/// How many held events of a meter one look decides on.
const HELD_MAX: u32 = 1_000;

/// What looking at meters came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// How many meters were looked at.
    pub meters: usize,
    /// How many records were frozen.
    pub frozen: usize,
    /// What is lost.
    pub losses: Vec<Loss>,
}

/// Looks at meters in one transaction: closes, freezes, releases and gives up what is due, as
/// [`stallkeeper_ledger::close`] says.
///
/// # Errors
/// Whatever the store answers; [`StoreError::Conflict`] asks to try again at once.
pub async fn look_at<S: CommitStore + LedgerStore + ?Sized>(
    store: &S,
    keys: &[SubscriptionKey],
    now: Timestamp,
    margin: Duration,
    terms: &dyn MeterTermsOf,
) -> Result<Looked, StoreError> {
    let watermarks = watermarks(store, keys, terms).await?;
    let subscriptions: BTreeSet<SubscriptionKey> = keys.iter().cloned().collect();
    let selection =
        MeterSelection { subscriptions: subscriptions.into_iter().collect(), tenants: Vec::new() };
    let mut transaction = store.begin(Work::FinalWindows).await?;
    let meters = transaction.lock_meters(&selection).await?;
    let mut live = live_records(&mut *transaction, &selection.subscriptions).await?;
    let held = transaction.held_events(&selection.subscriptions, HELD_MAX).await?;
    let mut held: BTreeMap<SubscriptionKey, Held> = held.into_iter().collect();
    let mut looked = Looked { meters: meters.len(), ..Looked::default() };
    let mut written = Written::default();
    let none = Watermarks::new();
    for meter in meters {
        let (live, held) =
            (live.remove(&meter.key).unwrap_or_default(), held.remove(&meter.key).unwrap_or_default());
        let Some(terms) = terms.meter_terms(&meter.key) else {
            written.leave(meter, live, now, &mut looked);
            continue;
        };
        let product = watermarks.get(&terms.product).unwrap_or(&none);
        let change = close(&meter, live, held, &terms, product, now, margin);
        written.take(change, &terms, now, &mut looked);
    }
    written.store(&mut *transaction, &looked.losses, terms.is_published(), now).await?;
    transaction.commit().await?;
    Ok(looked)
}

async fn live_records(
    transaction: &mut dyn Transaction,
    keys: &[SubscriptionKey],
) -> Result<BTreeMap<SubscriptionKey, Vec<Record>>, StoreError> {
    let mut live: BTreeMap<SubscriptionKey, Vec<Record>> = BTreeMap::new();
    for record in transaction.live_records(keys).await? {
        live.entry(record.key.subscription.clone()).or_default().push(record);
    }
    Ok(live)
}

/// What sources said of the products of these subscriptions, read before anything is locked: it only grows.
async fn watermarks<S: LedgerStore + ?Sized>(
    store: &S,
    keys: &[SubscriptionKey],
    terms: &dyn MeterTermsOf,
) -> Result<BTreeMap<ProductKey, Watermarks>, StoreError> {
    let mut read = BTreeMap::new();
    for terms in keys.iter().filter_map(|key| terms.meter_terms(key)) {
        if !terms.sources.is_empty() && !read.contains_key(&terms.product) {
            read.insert(terms.product.clone(), store.product_watermarks(&terms.product).await?);
        }
    }
    Ok(read)
}

/// What is written after all meters were looked at.
#[derive(Default)]
pub(super) struct Written {
    pub(super) meters: Vec<MeterRow>,
    records: Vec<Record>,
    events: Vec<UsageEvent>,
}

impl Written {
    pub(super) fn take(&mut self, change: Change, terms: &MeterTerms, now: Timestamp, looked: &mut Looked) {
        let newly_frozen = |record: &&Record| record.is_frozen() && record.sending.attempts.is_empty();
        looked.frozen += change.records.iter().filter(newly_frozen).count();
        looked.losses.extend(change.losses);
        self.meters.push(MeterRow::of(change.meter, change.look_at, terms, now));
        self.records.extend(change.records);
        self.events.extend(change.events);
    }

    /// A listing that is not metered any more is left as it is, but for what can no longer be billed, and is
    /// not found again by time.
    fn leave(&mut self, meter: Meter, live: Vec<Record>, now: Timestamp, looked: &mut Looked) {
        let (expired, losses) = expire_unmetered(live, now);
        self.records.extend(expired);
        looked.losses.extend(losses);
        self.meters.push(MeterRow { meter, look_at: None, cut_by: None, closes_by_word: None });
    }

    pub(super) async fn store(
        self,
        transaction: &mut dyn Transaction,
        losses: &[Loss],
        is_published: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if !self.meters.is_empty() {
            transaction.write_meters(&self.meters, now).await?;
        }
        if !self.records.is_empty() {
            transaction.put_records(&self.records, now).await?;
        }
        if !self.events.is_empty() {
            transaction.update_events(&self.events).await?;
        }
        lose::list(transaction, losses, is_published, now).await
    }
}
